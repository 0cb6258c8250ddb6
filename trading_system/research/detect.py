"""All events of a candle series: the compiled fold run over it once, its records given names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from trading_system.rules.detection import advance, events_of, new_out, new_state, parameters
from trading_system.rules.events import Event
from trading_system.rules.grid import Instrument

ROOM_FOR_EVENTS = 4096


def detect(
    candles: npt.NDArray[Any],
    instrument: Instrument,
    *,
    base: str,
    signal: str,
    higher: str | None,
    overrides: Mapping[str, float | int | str] | None = None,
) -> list[Event]:
    """Return every event of ``candles`` (CANDLE[n], ascending, from the origin on), in the order of the fold."""
    params = parameters(base=base, signal=signal, higher=higher, step=instrument.step, **(overrides or {}))
    state = new_state(params)
    out = new_out(params, ROOM_FOR_EVENTS)
    events: list[Event] = []
    while len(candles):
        consumed, produced = advance(state, params, candles, out)
        events.extend(events_of(out[:produced], instrument.exchange, instrument.symbol))
        candles = candles[consumed:]
    return events

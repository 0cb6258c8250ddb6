"""What a line stored, as the inputs of a backtest: its candles, its terms, and the signals that it got too late."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trading_system.contracts import to_candle
from trading_system.database import open_store
from trading_system.research.candle_inputs import CandleInputs, InputError
from trading_system.research.line_view import LineView, read_line, store_of
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.records import CANDLE, Records
from trading_system.rules.risk import Rejection
from trading_system.rules.words import candle_record
from trading_system.services.room import CANDLES
from trading_system.settings import DETECTION_GROUPS, Settings
from trading_system.store.port import Store, Stream

GROUPS = ("account", "venue", "plans")


class StoredInputs(NamedTuple):
    """A line's market, the settings with which it began, and the ids of its signals that were too old to act on."""

    inputs: CandleInputs
    settings: Settings
    late: frozenset[str]


async def read_stored(folder: Path) -> StoredInputs:
    """Read the line in ``folder``, up to the last step that its account has closed.

    Raises: ViewError when there is no line; InputError when its account has closed no step yet.
    """
    view = await read_line(folder)
    if view.step is None:
        raise InputError(f"{folder}: expected a line that has traded a minute, was one that only began; let it run")
    store = open_store(store_of(folder))
    try:
        candles = {
            one.symbol: await stored_minutes(
                store, one, view.origin, view.step, view.roster.members[one.symbol].end(view.step)
            )
            for one in view.instruments
        }
    finally:
        await store.close()
    nothing: dict[str, Any] = {one.symbol: () for one in view.instruments}
    dropped = dict.fromkeys(candles, 0)
    members = {symbol: view.roster.members[symbol] for symbol in candles}
    inputs = CandleInputs(view.instruments, candles, MINUTE_MS, view.origin, dropped, nothing, members)
    late = frozenset(fact.plan.id for fact in view.facts_of(Rejection) if fact.rule == "signal_stale")
    return StoredInputs(inputs, _settings_of(view), late)


async def stored_minutes(store: Store, instrument: Instrument, origin: int, head: int, end: int) -> Records:
    """Return CANDLE[n], the minutes from ``origin`` (ms UTC) to step ``head``; one that is not stored is a gap.

    end: the last step of the symbol on its line; what was stored after it is a gap, too.
    """
    first = origin // MINUTE_MS
    minutes = np.zeros(head - first, CANDLE)
    minutes["open_time"] = origin + MINUTE_MS * np.arange(head - first)
    minutes["gap"] = 1
    for row in await store.read(Stream(CANDLES, instrument.exchange, instrument.symbol), None, end):
        candle = to_candle(row.payload)
        if candle.get("interval") == "1m":
            minutes[row.step - first - 1] = candle_record(candle)[0]
    return minutes


def _settings_of(view: LineView) -> Settings:
    """Return the settings with which the line began."""
    terms: Mapping[str, Any] = view.terms
    values: dict[str, Any] = {
        group: {key.partition(".")[2]: value for key, value in terms.items() if key.startswith(f"{group}.")}
        for group in GROUPS
    }
    values["detection"] = {key: value for key, value in terms.items() if key.partition(".")[0] in DETECTION_GROUPS}
    values |= {key: terms[key] for key in ("signal_interval", "higher_interval")}
    return Settings(**values)

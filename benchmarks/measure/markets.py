"""The candles that benchmarks run on: real minutes where they are at hand, else the synthetic market."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from trading_system.research.candle_inputs import CandleInputs, inputs_of, read_inputs
from trading_system.rules.grid import Instrument
from trading_system.settings import Settings
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles

SEED = 20
START_MS = 1_704_067_200_000  # 2024-01-01, a Monday


class Source(NamedTuple):
    """Where minutes come from: a file, or the synthetic market if there is none."""

    file: Path | None

    @property
    def name(self) -> str:
        """How the source is called in a table's title."""
        return "the synthetic market" if self.file is None else self.file.name


def real_minutes(name: str) -> Source:
    """Return the file ``name`` of the shared real candles, or the synthetic market where there are none."""
    shared = os.environ.get("TRADING_SHARED")
    file = Path(shared, "data", "ohlcv", name) if shared else None
    return Source(file if file is not None and file.exists() else None)


def minutes_of(source: Source, settings: Settings, minutes: int) -> CandleInputs:
    """Return the first ``minutes`` of BTCUSDT from the origin on, or all there are if the source has fewer."""
    if source.file is not None:
        inputs = read_inputs([source.file], ["BTCUSDT"], settings)
    else:
        inputs = _synthetic(settings, minutes)
    return replace(inputs, candles={symbol: rows[:minutes] for symbol, rows in inputs.candles.items()})


def _synthetic(settings: Settings, minutes: int) -> CandleInputs:
    one, venue = DEMO_SYMBOLS[0], settings.venue
    fees = (venue.min_notional, venue.taker_fee, venue.maker_fee, venue.maintenance_margin)
    instrument = Instrument(settings.exchange, one.symbol, one.tick, one.step, *fees)
    rows = synthetic_candles(SEED, one.symbol, START_MS, minutes, one.tick, one.step, one.start_price)
    return inputs_of([instrument], {one.symbol: rows}, settings)

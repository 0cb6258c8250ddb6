"""Short markets that trade a lot: seeded minutes, real days cut from their files, and settings that suit both."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trading_system.research.candle_inputs import CandleInputs, inputs_of, read_inputs
from trading_system.rules.grid import Instrument, text_of
from trading_system.settings import Settings, settings_with
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles

MINUTE = 60_000
START_MS = 1_736_121_600_000  # Monday 2025-01-06 00:00 UTC
SIX = ("ADAUSDT", "BNBUSDT", "BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
# Five-minute setups after two hundred minutes of warm-up: a morning holds several trades.
QUICK = ("signal_interval=5m", "higher_interval=15m", "warm_up=40", "trend=off", "min_rr=0.3")
# The one small market most tests use: 550 minutes of warm-up, then a trade that ends at its stop and one that climbs
# its ladder of targets, and nothing open at the end.
SMALL = ("warm_up=110",)
SMALL_SEED, SMALL_MINUTES, SMALL_WARM_UP = 3, 780, 550


def quick_settings(*overrides: str) -> Settings:
    return settings_with([*QUICK, *overrides])


def made_market(settings: Settings, seed: int, symbols: Sequence[str], minutes: int) -> CandleInputs:
    """Seeded minutes of ``symbols``; a symbol's candles do not depend on its companions."""
    shapes = {one.symbol: one for one in DEMO_SYMBOLS}
    instruments, candles = [], {}
    for n, symbol in enumerate(symbols):
        shape = shapes.get(symbol, DEMO_SYMBOLS[n % len(DEMO_SYMBOLS)])
        candles[symbol] = synthetic_candles(seed, symbol, START_MS, minutes, shape.tick, shape.step, shape.start_price)
        venue = settings.venue
        instruments.append(
            Instrument(
                settings.exchange,
                symbol,
                shape.tick,
                shape.step,
                venue.min_notional,
                venue.taker_fee,
                venue.maker_fee,
                venue.maintenance_margin,
            )
        )
    return inputs_of(instruments, candles, settings)


def small_settings(*overrides: str) -> Settings:
    return quick_settings(*SMALL, *overrides)


def small_market(settings: Settings) -> CandleInputs:
    """One symbol, two trades, a few seconds over the wire."""
    return made_market(settings, SMALL_SEED, ["BTCUSDT"], SMALL_MINUTES)


def with_gaps(inputs: CandleInputs, minutes: Mapping[str, Sequence[int]]) -> CandleInputs:
    """The same market without some minutes, by symbol and number from the origin."""
    candles = {symbol: rows.copy() for symbol, rows in inputs.candles.items()}
    for symbol, numbers in minutes.items():
        for number in numbers:
            open_time = candles[symbol][number]["open_time"]
            candles[symbol][number] = np.zeros(1, candles[symbol].dtype)[0]
            candles[symbol][number]["open_time"] = open_time
            candles[symbol][number]["gap"] = 1
    return replace(inputs, candles=candles)


def with_calm(inputs: CandleInputs, symbol: str, numbers: Sequence[int]) -> CandleInputs:
    """The same market with minutes of ``symbol`` in which nobody traded, by number from the origin."""
    rows = inputs.candles[symbol].copy()
    for number in numbers:
        for name in ("open", "high", "low", "close"):
            rows[number][name] = rows[number - 1]["close"]
        rows[number]["volume"] = 0.0
    return replace(inputs, candles={**inputs.candles, symbol: rows})


def with_twice_the_volume(inputs: CandleInputs, symbol: str, number: int) -> CandleInputs:
    """The same market with another volume in one minute, by its number from the origin."""
    rows = inputs.candles[symbol].copy()
    rows["volume"][number] *= 2
    return replace(inputs, candles={**inputs.candles, symbol: rows})


def real_days(file: Path, folder: Path, settings: Settings, rows: slice, drop: Sequence[int] = ()) -> CandleInputs:
    """Rows of a real candle file, written to a small file of their own and read like any other."""
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    kept = [line for n, line in enumerate(lines[1:][rows]) if n not in drop]
    cut = folder / "cut.csv"
    cut.write_text("\n".join([lines[0], *kept]) + "\n")
    return read_inputs([cut], ["BTCUSDT"], settings)


def candle_rows(rows: Any) -> list[str]:
    """The lines of a candle file, header first; gaps are left out."""
    lines = ["open_time,open,high,low,close,volume"]
    for row in rows:
        if not row["gap"]:
            numbers = (text_of(float(row[name])) for name in ("open", "high", "low", "close", "volume"))
            lines.append(",".join([str(int(row["open_time"])), *numbers]))
    return lines


def write_candles(path: Path, rows: Any) -> Path:
    path.write_text("\n".join(candle_rows(rows)) + "\n")
    return path

"""Candle files of the synthetic market and of plain rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sample_trades import DAY, MINUTE, START

from trading_system.rules.records import Records
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles

MONDAY = START - START % (7 * DAY) + 4 * DAY
HEADER = "open_time,open,high,low,close,volume"


def market(symbol: str = "BTCUSDT", minutes: int = 1440, start: int = MONDAY, seed: int = 3) -> Records:
    """Return candles of one demo symbol."""
    one = next(one for one in DEMO_SYMBOLS if one.symbol == symbol)
    return synthetic_candles(seed, symbol, start, minutes, one.tick, one.step, one.start_price)


def write_candles(path: Path, candles: Records) -> Path:
    """Write the candles that are no gaps as a CSV file."""
    rows = [",".join(map(repr, candle.item()[:6])) for candle in candles if not candle["gap"]]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def write_rows(path: Path, rows: Sequence[Sequence[float]], interval: int = MINUTE) -> Path:
    """Write rows of open, high, low, close, volume from MONDAY on."""
    lines = [",".join(map(str, (MONDAY + n * interval, *row))) for n, row in enumerate(rows)]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path

"""Rows of minutes as venues state them, checked: what is no sane candle is refused before anybody builds on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle

FIELDS = 6
FARTHEST_MS = 400 * 86_400_000  # a row later than that after the one asked for is a broken clock, not a long gap


def candle_of(row: Sequence[int | float | str]) -> ClosedCandle:
    """Return one row: open time, open, high, low, close and base volume first, whatever follows.

    Raises: ValueError when it is not a sane candle.
    """
    if len(row) < FIELDS:
        raise ValueError(f"expected a row of a candle, was {row}")
    open_time, open_, high, low, close, volume = numbers = [float(field) for field in row[:FIELDS]]
    sane = low <= min(open_, close) and high >= max(open_, close) and low > 0 and volume >= 0
    if not all(map(math.isfinite, numbers)) or open_time % MINUTE_MS or not sane:
        raise ValueError(f"expected a sane candle, was {row[:FIELDS]}")
    return ClosedCandle(int(open_time), open_, high, low, close, volume)


def in_order(candles: Iterable[ClosedCandle], start: int) -> tuple[ClosedCandle, ...]:
    """Return ``candles`` when they ascend from ``start`` on. Raises: ValueError when they do not."""
    rows = tuple(candles)
    earliest = start
    for row in rows:
        if row.open_time < earliest:
            raise ValueError(f"expected rows ascending from {earliest}, was {row.open_time}")
        if row.open_time - earliest > FARTHEST_MS:
            raise ValueError(f"expected the next minute within 400 days of {earliest}, was {row.open_time}")
        earliest = row.open_time + MINUTE_MS
    return rows

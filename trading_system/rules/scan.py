"""Decides which minutes a backtest may jump over: those whose prices stay strictly inside a band."""

from __future__ import annotations

from trading_system.rules.compiled import compiled
from trading_system.rules.records import Records


@compiled
def next_touch(candles: Records, start: int, end: int, lower: float, upper: float) -> int:
    """Return the first i in [start, end) with low <= lower or high >= upper, else ``end``.

    candles: CANDLE[n]. A gap has no prices and touches nothing. -inf and inf leave a side open.
    """
    for i in range(start, end):
        candle = candles[i]
        if candle["gap"] == 0 and (candle["low"] <= lower or candle["high"] >= upper):
            return i
    return end

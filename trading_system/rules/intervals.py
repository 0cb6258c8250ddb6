"""Decides how candles of a base interval become candles of longer ones, and which intervals there are.

Buckets follow the UTC epoch, weeks begin on Monday. A longer candle closes in the step that ends its bucket, even if
that step is a gap; a bucket of gaps alone has no candle, nor has the incomplete one at the beginning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trading_system.rules.compiled import compiled
from trading_system.rules.grid import Grid
from trading_system.rules.interval_table import INTERVALS, IntervalError, interval_ms, interval_name
from trading_system.rules.records import BUCKET, CANDLE, Records

__all__ = [
    "INTERVALS",
    "IntervalError",
    "LongerCandles",
    "fold",
    "interval_ms",
    "interval_name",
    "longer_candles",
    "origin_of",
    "past_boundary",
    "volume_of",
]

_WEEK = INTERVALS["1w"]
_MONDAY = 4 * INTERVALS["1d"]  # the first Monday after 1970-01-01, a Thursday


@compiled
def past_boundary(time: int, interval: int) -> int:
    """Return how many ms ``time`` lies past the last boundary of ``interval``: 0 on a boundary."""
    shift = _MONDAY if interval == _WEEK else 0
    return (time - shift) % interval


def origin_of(open_times: Sequence[int] | Records, longest: int) -> int:
    """Return the first boundary of ``longest`` (ms) that the steps reach: where detection begins.

    open_times: ascending ms UTC, one per step or row. Raises: IntervalError when they end before a boundary.
    """
    if len(open_times) == 0:
        raise IntervalError("expected at least one candle, was none")
    first, last = int(open_times[0]), int(open_times[-1])
    origin = first + (-(first - (_MONDAY if longest == _WEEK else 0))) % longest
    if origin > last:
        raise IntervalError(
            f"expected candles that reach a boundary of {interval_name(longest)} at {origin}, the last was at {last}; "
            "give more candles or a shorter interval"
        )
    return origin


@compiled
def fold(bucket: Records, candle: Any, base: int, interval: int, step_num: int, step_den: int) -> bool:
    """Add one step of ``base`` ms to the running candle of ``interval`` and tell whether a candle closed with it.

    bucket: BUCKET[1], holds the closed candle until the next step. candle: one CANDLE. Volumes are added as whole
    units of the grid ``step_num / step_den``, because sums of floats differ from the exchange's own candle.
    """
    running = bucket[0]
    time = candle["open_time"]
    if past_boundary(time, interval) == 0:
        running["live"] = 1
        running["open_time"] = time
        running["candles"] = 0
        running["units"] = 0
    if running["live"] == 0:
        return False
    if candle["gap"] == 0:
        if running["candles"] == 0:
            running["open"] = candle["open"]
            running["high"] = candle["high"]
            running["low"] = candle["low"]
        running["high"] = max(running["high"], candle["high"])
        running["low"] = min(running["low"], candle["low"])
        running["close"] = candle["close"]
        running["units"] += math.floor(candle["volume"] * step_den / step_num + 0.5)
        running["candles"] += 1
    return running["candles"] > 0 and past_boundary(time + base, interval) == 0


@compiled
def volume_of(bucket: Records, step_num: int, step_den: int) -> float:
    """Return the volume of the bucket's candle: one multiplication of whole numbers, one division."""
    return float(bucket[0]["units"] * step_num / step_den)


class LongerCandles:
    """The longer candles of one symbol, one base candle at a time, for whoever publishes them."""

    def __init__(self, base: int, longer: Sequence[int], step: Grid) -> None:
        self._base = base
        self._step = step
        for interval in longer:
            if interval <= base or interval % base != 0:
                raise IntervalError(f"expected intervals that {base} ms divides, was {interval} ms")
        self._buckets = [(interval, np.zeros(1, BUCKET)) for interval in sorted(longer, reverse=True)]

    def step(self, candle: Any) -> list[tuple[int, Records]]:
        """Fold one CANDLE (gap or not) and return (interval in ms, CANDLE[1]) of each that closed, longest first."""
        closed = []
        for interval, bucket in self._buckets:
            if fold(bucket, candle, self._base, interval, self._step.num, self._step.den):
                closed.append((interval, self._candle(bucket)))
        return closed

    def _candle(self, bucket: Records) -> Records:
        candle = np.zeros(1, CANDLE)
        for name in ("open_time", "open", "high", "low", "close"):
            candle[name] = bucket[name]
        candle["volume"] = volume_of(bucket, self._step.num, self._step.den)
        return candle


@compiled
def _fold_all(candles: Records, base: int, interval: int, step_num: int, step_den: int, out: Records) -> int:
    bucket = np.zeros(1, BUCKET)
    count = 0
    for n in range(len(candles)):
        if fold(bucket, candles[n], base, interval, step_num, step_den):
            out[count]["open_time"] = bucket[0]["open_time"]
            out[count]["open"] = bucket[0]["open"]
            out[count]["high"] = bucket[0]["high"]
            out[count]["low"] = bucket[0]["low"]
            out[count]["close"] = bucket[0]["close"]
            out[count]["volume"] = volume_of(bucket, step_num, step_den)
            count += 1
    return count


def longer_candles(candles: Records, base: int, interval: int, step: Grid) -> Records:
    """Return all closed candles of ``interval`` ms that ``candles`` (CANDLE[n] of ``base`` ms, gaps as steps) make."""
    out = np.zeros(len(candles) * base // interval + 1, CANDLE)
    return out[: _fold_all(candles, base, interval, step.num, step.den, out)]

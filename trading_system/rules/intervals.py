"""Decides how candles of a base interval become candles of longer ones, and which intervals there are.

Buckets follow the UTC epoch, weeks begin on Monday. A longer candle closes in the step that ends its bucket, even if
that step is a gap; a bucket of gaps alone has no candle, nor has the incomplete one at the beginning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trading_system.rules.compiled import compiled
from trading_system.rules.grid import Grid
from trading_system.rules.interval_table import INTERVALS, IntervalError, interval_ms, interval_name
from trading_system.rules.records import BUCKET, CANDLE, Record, Records

__all__ = [
    "INTERVALS",
    "IntervalError",
    "LongerCandles",
    "fold",
    "fold_many",
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
def fold(bucket: Record, candle: Record, base: int, interval: int, step_num: int, step_den: int) -> bool:
    """Add one step of ``base`` ms to the running candle of ``interval`` and tell whether a candle closed with it.

    bucket: one BUCKET, holds the closed candle until the next step. candle: one CANDLE. Volumes are added as whole
    units of the grid ``step_num / step_den``, because sums of floats differ from the exchange's own candle.
    """
    time = candle["open_time"]
    if bucket["live"] == 0 or time >= bucket["end"]:
        if past_boundary(time, interval) != 0:
            bucket["live"] = 0
            return False
        bucket["live"] = 1
        bucket["open_time"] = time
        bucket["end"] = time + interval
        bucket["candles"] = 0
        bucket["units"] = 0
    if candle["gap"] == 0:
        if bucket["candles"] == 0:
            bucket["open"] = candle["open"]
            bucket["high"] = candle["high"]
            bucket["low"] = candle["low"]
        bucket["high"] = max(bucket["high"], candle["high"])
        bucket["low"] = min(bucket["low"], candle["low"])
        bucket["close"] = candle["close"]
        bucket["units"] += math.floor(candle["volume"] * step_den / step_num + 0.5)
        bucket["candles"] += 1
    return bool(bucket["candles"] > 0 and time + base == bucket["end"])


@compiled
def volume_of(bucket: Record, step_num: int, step_den: int) -> float:
    """Return the volume of the bucket's candle: one multiplication of whole numbers, one division."""
    volume: float = bucket["units"] * step_num / step_den
    return volume


@compiled
def fold_many(
    bucket: Records, candles: Records, base: int, interval: int, step_num: int, step_den: int, out: Records
) -> int:
    """Fold ``candles`` (CANDLE[n]) into ``bucket`` (BUCKET[1]), write what closed to ``out``, return how many."""
    count = 0
    running = bucket[0]
    for n in range(len(candles)):
        if fold(running, candles[n], base, interval, step_num, step_den):
            closed = out[count]
            closed["open_time"] = running["open_time"]
            closed["open"] = running["open"]
            closed["high"] = running["high"]
            closed["low"] = running["low"]
            closed["close"] = running["close"]
            closed["volume"] = volume_of(running, step_num, step_den)
            closed["gap"] = 0
            count += 1
    return count


def longer_candles(candles: Records, base: int, interval: int, step: Grid) -> Records:
    """Return all closed candles of ``interval`` ms that ``candles`` (CANDLE[n] of ``base`` ms, gaps as steps) make."""
    out = np.zeros(len(candles) * base // interval + 1, CANDLE)
    return out[: fold_many(np.zeros(1, BUCKET), candles, base, interval, step.num, step.den, out)]


class LongerCandles:
    """The longer candles of one symbol, one base candle at a time, for whoever publishes them."""

    def __init__(self, base: int, longer: Sequence[int], step: Grid) -> None:
        for interval in longer:
            if interval <= base or interval % base != 0:
                raise IntervalError(f"expected intervals that {base} ms divides, was {interval} ms")
        self._base = base
        self._step = step
        self._out = np.zeros(1, CANDLE)
        self._buckets = [(interval, np.zeros(1, BUCKET)) for interval in sorted(longer, reverse=True)]

    def step(self, candle: Records) -> list[tuple[int, Records]]:
        """Fold one step, CANDLE[1], and return (interval in ms, CANDLE[1]) of each candle it closed, longest first."""
        closed = []
        for interval, bucket in self._buckets:
            if fold_many(bucket, candle, self._base, interval, self._step.num, self._step.den, self._out):
                closed.append((interval, self._out.copy()))
        return closed

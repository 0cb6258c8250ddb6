"""From prices and times to pixels, and the round numbers that label both axes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

_CANDLE_SHARE = 0.42
_PADDING = 0.045
_WIDEST_SLOT = 24.0
_TIME_STEPS_MINUTES = (5, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 7200, 14400, 43200, 129600)
_DAY_MS = 86_400_000


class PriceScale(NamedTuple):
    """A linear price axis: ``high`` is drawn at ``top`` px and ``low`` at ``bottom`` px."""

    low: float
    high: float
    top: float
    bottom: float

    def y(self, price: float) -> float:
        """Return the y of ``price``, outside the axis when the price is."""
        return self.top + (self.high - price) / (self.high - self.low) * (self.bottom - self.top)

    def clamped(self, price: float) -> tuple[float, int]:
        """Return the y of ``price`` kept on the axis, and 1 when it lies above it, -1 below, 0 on it."""
        if price > self.high:
            return self.top, 1
        if price < self.low:
            return self.bottom, -1
        return self.y(price), 0


def price_scale(
    candles_low: float, candles_high: float, levels: Sequence[float], top: float, bottom: float
) -> PriceScale:
    """Return the axis that shows the candles and as many ``levels`` as leave the candles a fair share of the height.

    Levels further away than that are left outside; who draws them marks them with an arrow.
    """
    span = candles_high - candles_low
    if span <= 0:
        # A market that stood still: the levels are all there is to scale by.
        span = max((abs(level - candles_low) for level in levels), default=0.0) or candles_low * 0.01
        candles_low -= span / 2
        candles_high += span / 2
    up = max(0.0, max(levels, default=candles_high) - candles_high)
    down = max(0.0, candles_low - min(levels, default=candles_low))
    room = span / _CANDLE_SHARE - span
    if up + down > room:
        half = room / 2
        up, down = (
            min(up, max(half, room - down)),
            min(down, max(half, room - up)),
        )
    pad = (span + up + down) * _PADDING
    return PriceScale(candles_low - down - pad, candles_high + up + pad, top, bottom)


class TimeScale(NamedTuple):
    """A time axis of equal slots, one a candle: ``open_times`` ascending in ms UTC, ``left`` and ``slot`` in px."""

    open_times: tuple[int, ...]
    interval_ms: int
    left: float
    slot: float

    @property
    def right(self) -> float:
        """The x where the last slot ends."""
        return self.left + self.slot * len(self.open_times)

    def x(self, time: int) -> float:
        """Return the middle of the slot of the candle at ``time``, or beyond the window where ``time`` is beyond it."""
        first, last = self.open_times[0], self.open_times[-1]
        if time < first:
            index = (time - first) / self.interval_ms
        elif time > last:
            index = len(self.open_times) - 1 + (time - last) / self.interval_ms
        else:
            index = bisect_right(self.open_times, time) - 1
        return self.left + (index + 0.5) * self.slot


def time_scale(open_times: Sequence[int], interval_ms: int, left: float, right: float) -> TimeScale:
    """Return the axis that ends at ``right`` px; a few candles get slots of a fair width and room at their left."""
    slot = min((right - left) / len(open_times), _WIDEST_SLOT)
    return TimeScale(tuple(open_times), interval_ms, right - slot * len(open_times), slot)


def round_step(span: float, most: int) -> float:
    """Return the least of 1, 2, 5 times a power of ten of which at most ``most`` fit into ``span``."""
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)


def decimals_of_step(step: float) -> int:
    """Return how many digits after the point a multiple of the round ``step`` needs."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


def round_prices(scale: PriceScale, most: int) -> list[tuple[float, str]]:
    """Return the round prices inside ``scale``, ascending, with their texts."""
    step = round_step(scale.high - scale.low, most)
    decimals = decimals_of_step(step)
    first = math.ceil(scale.low / step)
    last = math.floor(scale.high / step)
    return [(units * step, price_text(units * step, decimals)) for units in range(max(first, 1), last + 1)]


def round_times(
    scale: TimeScale, spacing: float, clock: Callable[[int], str], day: Callable[[int], str]
) -> list[tuple[float, str]]:
    """Return the x and text of round hours (or days) that have a candle and lie ``spacing`` px or more apart.

    ``clock`` and ``day`` put a time (ms UTC) into words.
    """
    minutes = scale.interval_ms / 60_000
    wanted = spacing / scale.slot * minutes
    step_minutes = next((step for step in _TIME_STEPS_MINUTES if step >= wanted), _TIME_STEPS_MINUTES[-1])
    step = step_minutes * 60_000
    days = step >= _DAY_MS
    marks: list[tuple[float, str]] = []
    for time in scale.open_times:
        x = scale.x(time)
        if time % step == 0 and (not marks or x - marks[-1][0] >= spacing * 0.9):
            marks.append((x, day(time) if days else clock(time)))
    return marks


def price_text(price: float, decimals: int) -> str:
    """Return ``price`` with thousands separators and exactly ``decimals`` digits after the point."""
    return f"{price:,.{decimals}f}"


def shared_decimals(prices: Sequence[float], most: int) -> int:
    """Return how many of ``most`` digits after the point at least one of ``prices`` needs."""
    texts = [f"{price:.{most}f}" for price in prices]
    needed = 0
    for text in texts:
        _, _, fraction = text.partition(".")
        needed = max(needed, len(fraction.rstrip("0")))
    return needed

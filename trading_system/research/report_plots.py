"""The report's charts: shapes as SVG that stretches with the page, words as HTML that never does.

A plot is a box whose SVG fills it (strokes keep their width) and whose labels are placed in per cent, so that the same
markup is sharp on a wide screen, on a phone and on paper. Colours are classes of the page; what is drawn is decided by
the caller. All plots run from left to right in every language.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.charts.scales import decimals_of_step, price_text, round_step
from trading_system.rules.account import DAY_MS

Floats = npt.NDArray[np.float64]
Point = tuple[float, float]

WIDTH, HEIGHT = 1000.0, 100.0
"""The units of every plot's drawing; the page decides how large they are."""

MOST_POINTS = 700
_MOST_DAYS_NAMED = 60
_HOUR_MS = 3_600_000
_HOURS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 120, 168)


class Axis(NamedTuple):
    """A linear axis: ``low`` lies at unit 0, ``high`` at unit ``length``; for heights the page's y grows downwards."""

    low: float
    high: float
    length: float

    def at(self, value: float) -> float:
        """Return the unit of ``value``."""
        return (value - self.low) / (self.high - self.low) * self.length

    def down(self, value: float) -> float:
        """Return the unit of ``value`` counted from the top."""
        return self.length - self.at(value)


def axis_of(values: Iterable[float], length: float, margin: float = 0.04) -> Axis:
    """Return the axis that shows all ``values`` (at least one) with ``margin`` of the span at both ends."""
    known = list(values)
    low, high = min(known), max(known)
    span = (high - low) or max(abs(high), 1.0) * 0.02
    return Axis(low - span * margin, high + span * margin, length)


def line(points: Iterable[Point], css: str) -> str:
    """Return a stroke through ``points`` (units)."""
    return f'<path class="{css}" d="{path_of(points)}"/>'


def area(points: Sequence[Point], base: float, css: str) -> str:
    """Return the area between ``points`` and the height ``base`` (units)."""
    if not points:
        return ""
    return f'<path class="{css}" d="{path_of(points)}V{_short(base)}H{_short(points[0][0])}Z"/>'


def path_of(points: Iterable[Point]) -> str:
    """Return the path data that joins ``points``."""
    return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points)


def boxes(rectangles: Iterable[tuple[float, float, float, float]], css: str) -> str:
    """Return all (x, y, width, height) as one path, which is smaller than as many elements."""
    data = "".join(f"M{_short(x)} {_short(y)}h{_short(w)}v{_short(h)}h{_short(-w)}z" for x, y, w, h in rectangles)
    return f'<path class="{css}" d="{data}"/>' if data else ""


def strokes(lines: Iterable[tuple[float, float, float, float]], css: str) -> str:
    """Return all (x1, y1, x2, y2) as one path."""
    data = "".join(f"M{_short(x1)} {_short(y1)}L{_short(x2)} {_short(y2)}" for x1, y1, x2, y2 in lines)
    return f'<path class="{css}" d="{data}"/>' if data else ""


def dots(points: Iterable[Point], css: str) -> str:
    """Return round dots: strokes without length, whose caps stay round however the plot is stretched."""
    data = "".join(f"M{_short(x)} {_short(y)}h0" for x, y in points)
    return f'<path class="dot {css}" d="{data}"/>' if data else ""


def label(x: float, y: float, text: str, css: str = "") -> str:
    """Return ``text`` at a point (units); the class says on which side of it: ``l``, ``r``, ``t``, ``b`` or middle."""
    return (
        f'<span class="{css}" style="left:{_short(x / WIDTH * 100)}%;top:{_short(y / HEIGHT * 100)}%">'
        f"{escape(text)}</span>"
    )


def plot(shapes: Iterable[str], labels: Iterable[str], css: str, title: str) -> str:
    """Return a plot; ``title`` tells what it shows to those who cannot see it."""
    drawing = "".join(shapes)
    return (
        f'<div class="plot {css}"><svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">{drawing}</svg>{"".join(labels)}</div>'
    )


def thinned(times: Floats, values: Floats, most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """Return at most about ``most`` points that keep the first, the last, and the extremes of every stretch."""
    if len(values) <= most:
        return times, values
    kept = {0, len(values) - 1}
    for part in np.array_split(np.arange(len(values)), most // 2):
        stretch = values[part]
        kept |= {int(part[np.argmin(stretch)]), int(part[np.argmax(stretch)])}
    places = np.array(sorted(kept))
    return times[places], values[places]


def stairs(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return a series whose value holds until the next one as the corners of its steps."""
    return np.repeat(times, 2)[1:], np.repeat(values, 2)[:-1]


def value_marks(axis: Axis, most: int, suffix: str = "") -> tuple[list[str], list[str]]:
    """Return the grid lines and labels of the round values of a height axis."""
    step = round_step(axis.high - axis.low, most)
    lines, labels = [], []
    for units in range(math.ceil(axis.low / step), math.floor(axis.high / step) + 1):
        y = axis.down(units * step)
        lines.append((0.0, y, WIDTH, y))
        text = price_text(units * step, decimals_of_step(step)).replace("-", "−")
        labels.append(label(0, y, text + suffix, "y"))
    return [strokes(lines, "grid")], labels


def time_marks(axis: Axis, most: int, months: Sequence[str]) -> list[str]:
    """Return the labels of the round hours, days or months of a time axis (ms UTC); every second one may be left out.

    months: the twelve short names in the page's language.
    """
    span_days = (axis.high - axis.low) / DAY_MS
    if span_days <= _MOST_DAYS_NAMED:
        step = next((hours * _HOUR_MS for hours in _HOURS if span_days * 24 / hours <= most), _HOURS[-1] * _HOUR_MS)
        first, last = math.ceil(axis.low / step), math.floor(axis.high / step)
        instants = [place * step for place in range(first, last + 1)]
        texts = [_clock_or_day(instant, months) for instant in instants]
    else:
        instants = _months(axis, most)
        texts = [_month_text(instant, months, first=n == 0) for n, instant in enumerate(instants)]
    return [
        label(axis.at(instant), HEIGHT, text, "x alt" if n % 2 else "x")
        for n, (instant, text) in enumerate(zip(instants, texts, strict=True))
    ]


def _months(axis: Axis, most: int) -> list[int]:
    """Return the firsts of months on the axis, every n-th of a calendar year."""
    begin, end = (datetime.fromtimestamp(edge / 1000, UTC) for edge in (axis.low, axis.high))
    count = (end.year - begin.year) * 12 + end.month - begin.month + 1
    every = next((n for n in (1, 2, 3, 4, 6, 12) if count / n <= most), 12)
    found = []
    for number in range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month):
        instant = round(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
        if number % every == 0 and axis.low <= instant <= axis.high:
            found.append(instant)
    return found


def _month_text(instant: int, months: Sequence[str], *, first: bool) -> str:
    moment = datetime.fromtimestamp(instant / 1000, UTC)
    month = months[moment.month - 1]
    return f"{month} {moment.year}" if first or moment.month == 1 else month


def _clock_or_day(instant: int, months: Sequence[str]) -> str:
    moment = datetime.fromtimestamp(instant / 1000, UTC)
    return f"{moment.day} {months[moment.month - 1]}" if instant % DAY_MS == 0 else f"{moment.hour:02d}:00"


def _short(number: float) -> str:
    """Return a coordinate with at most two decimals: pages are read over phones."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text

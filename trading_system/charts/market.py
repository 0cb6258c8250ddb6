"""The market in the picture: grid, candles, volume, zones, poles and flags, swings, and the labels of the last three.

The axes are given; a label that finds no free place is dropped, a thing outside the axes is cut at their edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .drawing import Box, Layer, Line, Op, Poly, Rect, Text
from .levels import LevelColumns
from .look import Look, clock_text
from .picture import PictureCandle, PictureFlag, PictureSwing, PictureZone, Segment
from .placement import Page
from .scales import PriceScale, TimeScale, round_prices, round_times
from .theme import faint

GRID_TOP = 160
VOLUME_TOP = 972
VOLUME_BOTTOM = 1056
_TIME_BASELINE = 1085
_LABEL_SIZE = 27
_SMALL_SIZE = 24
_SWING_GAP = 6
_POLE_DASH = (11.0, 6.0)
_LITTLE = 0.2
"""A label beside its thing may cover this share of its own area in candles rather than stand far away."""


class _Label(NamedTuple):
    """The places where a label may stand, and those further away for when the near ones are taken."""

    near: list[Text]
    further: list[Text]


def draw_grid(at: LevelColumns, times: TimeScale, prices: PriceScale, page: Page, look: Look) -> list[Op]:
    """Return the lines at round prices and hours; the label of one that a pill covers is left out."""
    ops: list[Op] = []
    axis = Box(at.pill_left, GRID_TOP, at.pill_right, VOLUME_TOP)
    for price, text in round_prices(prices, 8):
        y = prices.y(price)
        ops.append(Line(0, y, at.right, y, look.theme.grid, Layer.GRID))
        page.place([Text(at.pill_left + 10, y + 9, text, _SMALL_SIZE, look.theme.muted)], 1.0, axis)
    floor = Box(4, VOLUME_BOTTOM, at.right, VOLUME_BOTTOM + 48)
    for x, text in round_times(times, 150, clock_text, look.day):
        ops.append(Line(x, GRID_TOP, x, VOLUME_BOTTOM, look.theme.grid, Layer.GRID))
        page.place([Text(x, _TIME_BASELINE, text, _SMALL_SIZE, look.theme.muted, anchor="middle")], 1.0, floor)
    return ops


def draw_candles(
    candles: tuple[PictureCandle, ...], times: TimeScale, prices: PriceScale, page: Page, look: Look
) -> list[Op]:
    """Return bodies, wicks and volume bars; labels will avoid the candles."""
    ops: list[Op] = []
    body = max(2.0, round(times.slot * 0.72))
    busiest = max(candle.volume for candle in candles)
    for candle in candles:
        x = times.x(candle.open_time)
        colour = look.theme.green if candle.close >= candle.open else look.theme.red
        top, bottom = prices.y(max(candle.open, candle.close)), prices.y(min(candle.open, candle.close))
        high, low = prices.y(candle.high), prices.y(candle.low)
        ops.append(Line(x, high, x, low, colour, Layer.CANDLE, width=2))
        ops.append(Rect(x - body / 2, top, body, max(2.0, bottom - top), colour, Layer.CANDLE))
        page.draw([Box(x - body / 2, high, x + body / 2, max(low, high + 2))])
        if busiest > 0 and candle.volume > 0:
            height = max(1.0, (VOLUME_BOTTOM - VOLUME_TOP) * candle.volume / busiest)
            shade = faint(colour, look.theme.volume_shade)
            ops.append(Rect(x - body / 2, VOLUME_BOTTOM - height, body, height, shade, Layer.VOLUME))
    return ops


def draw_patterns(
    zones: Sequence[PictureZone],
    flags: Sequence[PictureFlag],
    times: TimeScale,
    prices: PriceScale,
    page: Page,
    look: Look,
) -> list[Op]:
    """Return the bands of the order blocks, the poles and flags, and their labels, the labels of the first ones first.

    Everything is drawn before the first label looks for a place, so that no later line runs through it.
    """
    ops: list[Op] = []
    labels: list[_Label] = []
    for zone in zones:
        ops += _zone(zone, times, prices, page, look, labels)
    for flag in flags:
        ops += _flag(flag, times, prices, page, look, labels)
    for label in labels:
        ops += _labelled(label, page, look)
    return ops


def _zone(
    zone: PictureZone, times: TimeScale, prices: PriceScale, page: Page, look: Look, labels: list[_Label]
) -> list[Op]:
    """Return the band of an order block from its candle to the last one; its label belongs outside the candles."""
    top, bottom = max(prices.y(zone.top), prices.top), min(prices.y(zone.bottom), prices.bottom)
    left = max(times.x(zone.time) - times.slot / 2, times.left)
    if bottom <= top or left >= times.right:
        return []
    colour = look.theme.blue if zone.direction > 0 else look.theme.violet
    page.draw([Box(left, top - 2, times.right, top + 2), Box(left, bottom - 2, times.right, bottom + 2)])
    below, above, inside = bottom + 8 + 0.76 * _LABEL_SIZE, top - 10, (top + bottom) / 2 + 0.365 * _LABEL_SIZE
    rows = [below, above] if zone.direction > 0 else [above, below]
    if bottom - top >= _LABEL_SIZE + 8:
        rows.append(inside)
    span = times.right - left
    places = [(left + 8 + span * part / 12, "left") for part in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)]
    # A young block is narrower than its name: then the name ends where the block does, or stands beside it.
    places += [(times.right - 4, "right")]
    further = [(max(times.left, left - 60 * back), "left") for back in (1, 2, 3, 4, 5, 6)]

    def texts(spots: list[tuple[float, str]]) -> list[Text]:
        return [Text(x, y, zone.label, _LABEL_SIZE, colour, bold=True, anchor=end) for y in rows for x, end in spots]

    labels.append(_Label(texts(places), texts(further)))
    return [
        Rect(left, top, times.right - left, bottom - top, faint(colour, look.theme.zone_shade), Layer.ZONE),
        Line(left, top, times.right, top, colour, Layer.ZONE),
        Line(left, bottom, times.right, bottom, colour, Layer.ZONE),
    ]


def _flag(
    flag: PictureFlag, times: TimeScale, prices: PriceScale, page: Page, look: Look, labels: list[_Label]
) -> list[Op]:
    """Return the dashed pole and the two lines of the flag with their light fill."""
    yellow = look.theme.yellow
    up = flag.pole.end_price >= flag.pole.start_price
    ops: list[Op] = []
    pole = _visible(flag.pole, times, prices)
    upper, lower = _visible(flag.upper, times, prices), _visible(flag.lower, times, prices)
    for ends, dash, width in ((pole, _POLE_DASH, 4), (upper, None, 4), (lower, None, 4)):
        if ends is not None:
            ops.append(Line(*ends, yellow, Layer.DRAWING, width=width, dash=dash))
            page.draw(along(ends))
    if upper is not None and lower is not None:
        corners = ((upper[0], upper[1]), (upper[2], upper[3]), (lower[2], lower[3]), (lower[0], lower[1]))
        ops.append(Poly(corners, faint(yellow, look.theme.flag_shade), Layer.ZONE))
    if pole is not None:
        labels.append(_Label(_pole_labels(pole, look), []))
    edge = upper if up else lower
    if edge is not None:
        labels.append(_Label(_flag_labels(edge, look, above=up), []))
    return ops


def draw_swings(
    swings: tuple[PictureSwing, ...], times: TimeScale, prices: PriceScale, page: Page, look: Look
) -> list[Op]:
    """Return a triangle at each swing of the window; its label only where it covers nothing, the newest first."""
    begin, end = times.open_times[0], times.open_times[-1] + times.interval_ms
    shown = sorted((swing for swing in swings if begin <= swing.time < end), key=lambda swing: -swing.time)
    ops: list[Op] = []
    marks: list[tuple[PictureSwing, float, float, int]] = []
    for swing in shown:
        x, away = times.x(swing.time), (-1 if swing.kind == "high" else 1)
        tip = prices.y(swing.price) + away * _SWING_GAP
        if not prices.top - 10 <= tip <= prices.bottom + 10:
            continue
        base = tip + away * 11
        mark = Box(x - 7, min(tip, base), x + 7, max(tip, base))
        if not page.free(mark):
            continue
        ops.append(Poly(((x - 7, base), (x + 7, base), (x, tip)), look.theme.ink, Layer.DRAWING))
        page.draw([mark])
        if swing.label:
            marks.append((swing, x, base, away))
    for swing, x, base, away in marks:
        rise = 0.76 * _SMALL_SIZE if away > 0 else 0.0
        page.place(
            [
                Text(
                    x + dx,
                    base + away * (5 + dy) + rise,
                    look.named("swing", swing.label),
                    _SMALL_SIZE,
                    look.theme.muted,
                    Layer.TEXT,
                    True,
                    "middle",
                )
                for dy in (0, 8, 16)
                for dx in (0, -10, 10, -20, 20)
            ],
            0.06,
        )
    return ops


def _pole_labels(pole: tuple[float, float, float, float], look: Look) -> list[Text]:
    x1, y1, x2, y2 = pole
    labels: list[Text] = []
    for side, anchor in ((-16, "right"), (16, "left")):
        for part in (0.5, 0.6, 0.4, 0.75, 0.25, 0.9):
            for further in (1, 2, 4):
                x = x1 + (x2 - x1) * part + side * further
                y = y1 + (y2 - y1) * part + 9
                labels.append(Text(x, y, look.say("pole"), _LABEL_SIZE, look.theme.yellow, bold=True, anchor=anchor))
    return labels


def _flag_labels(edge: tuple[float, float, float, float], look: Look, *, above: bool) -> list[Text]:
    x1, y1, x2, y2 = edge
    labels: list[Text] = []
    for lift in (12, 26, 44):
        for part in (0.65, 0.5, 0.8, 0.35, 0.95, 0.2):
            x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
            y = y - lift if above else y + lift + 0.76 * _LABEL_SIZE
            labels.append(Text(x, y, look.say("flag"), _LABEL_SIZE, look.theme.yellow, bold=True, anchor="middle"))
    return labels


def _labelled(label: _Label, page: Page, look: Look) -> list[Op]:
    """Place ``label``; where its best place still covers something, a chip under the text keeps it readable."""
    box = page.place(label.near, _LITTLE) or page.place([*label.near, *label.further], 3.0)
    if box is None or page.covered(box) == 0:
        return []
    chip = box.grown(2)
    width, height = chip.right - chip.left, chip.bottom - chip.top
    return [Rect(chip.left, chip.top, width, height, look.theme.chip, Layer.CHIP, radius=6)]


def along(ends: tuple[float, float, float, float]) -> list[Box]:
    """Return small boxes along a line, as what labels avoid."""
    x1, y1, x2, y2 = ends
    pieces = max(1, int(max(abs(x2 - x1), abs(y2 - y1)) / 10))
    points = [(x1 + (x2 - x1) * i / pieces, y1 + (y2 - y1) * i / pieces) for i in range(pieces + 1)]
    return [Box(x - 5, y - 5, x + 5, y + 5) for x, y in points]


def _visible(segment: Segment, times: TimeScale, prices: PriceScale) -> tuple[float, float, float, float] | None:
    """Return the part of ``segment`` inside the axes as (x1, y1, x2, y2), or None (Liang and Barsky's clipping)."""
    x1, y1 = times.x(segment.start_time), prices.y(segment.start_price)
    x2, y2 = times.x(segment.end_time), prices.y(segment.end_price)
    dx, dy = x2 - x1, y2 - y1
    start, end = 0.0, 1.0
    for run, room in ((-dx, x1 - times.left), (dx, times.right - x1), (-dy, y1 - prices.top), (dy, prices.bottom - y1)):
        if run == 0:
            if room < 0:
                return None
        elif run < 0:
            start = max(start, room / run)
        else:
            end = min(end, room / run)
    if start >= end:
        return None
    return x1 + start * dx, y1 + start * dy, x1 + end * dx, y1 + end * dy

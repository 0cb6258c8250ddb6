"""The trade beside the chart: reward and risk boxes, the lines of entry, stop and targets, and their price pills.

Levels that lie too near each other get their rows pushed apart, each tied to its line by a leader; a level outside
the price axis sits at its edge with an arrow that points to where it really is.
"""

from __future__ import annotations

from typing import NamedTuple

from .drawing import SMALLEST_TEXT, Box, Layer, Line, Op, Poly, Rect, Text, centred_baseline
from .frame import WIDTH
from .look import Look
from .picture import AlertPicture
from .placement import Page, spread
from .scales import PriceScale, price_text, shared_decimals
from .theme import faint

_NAME_SIZE = 27
_PILL_HEIGHT = 42
_ROW_GAP = 46
_PILL_MARGIN = 6
_STUB = 26
_LEADER = 16


class Level(NamedTuple):
    """One price of the plan with its name, such as ``TP1  1.0R``, and its price as text."""

    kind: str
    price: float
    name: str
    price_text: str
    colour: str


class LevelColumns(NamedTuple):
    """The two columns right of the candles: the box from ``left`` to ``right``, the pills from ``pill_left`` on."""

    left: float
    right: float
    pill_left: float
    pill_right: float
    pill_size: float


def levels_of(picture: AlertPicture, look: Look, exit_price: float | None = None, exit_colour: str = "") -> list[Level]:
    """Return the levels of ``picture`` from the highest price to the lowest.

    ``exit_price``: where the trade ended; it is a level of its own unless the plan has one there.
    """
    theme = look.theme
    prices = [picture.entry, picture.stop, *(target.price for target in picture.targets)]
    shown = prices if exit_price is None else [*prices, exit_price]
    decimals = shared_decimals(shown, picture.tick_decimals)
    distance = abs(picture.entry - picture.stop) / picture.entry * 100
    stop = look.say("level.stop", percent=f"−{distance:.2f}%")
    levels = [
        Level("entry", picture.entry, look.say("level.entry"), price_text(picture.entry, decimals), theme.ink),
        Level("stop", picture.stop, stop, price_text(picture.stop, decimals), theme.red),
    ]
    for number, target in enumerate(picture.targets, start=1):
        name = look.say("level.target", number=number, r=f"{target.r_multiple:.1f}R")
        levels.append(Level("target", target.price, name, price_text(target.price, decimals), theme.green))
    if exit_price is not None and exit_price not in prices:
        levels.append(Level("exit", exit_price, look.say("level.exit"), price_text(exit_price, decimals), exit_colour))
    return sorted(levels, key=lambda level: -level.price)


def columns_of(levels: list[Level], look: Look) -> LevelColumns:
    """Return the columns, as wide as their widest text asks for."""
    measure = look.measure
    size: float = 29
    while size > SMALLEST_TEXT and max(measure(level.price_text, size, True) for level in levels) > 140:
        size -= 1
    pill = max(max(measure(level.price_text, size, True) for level in levels) + 22, 160)
    names = max(measure(level.name, _NAME_SIZE, True) for level in levels)
    pill_right = WIDTH - _PILL_MARGIN
    pill_left = pill_right - pill
    right = pill_left - 3
    return LevelColumns(right - max(names + _STUB + _LEADER + 15, 191), right, pill_left, pill_right, size)


def axis_only(text: str, look: Look) -> LevelColumns:
    """Return the columns of a chart without a trade: only the axis, wide enough for ``text``."""
    pill_right = WIDTH - _PILL_MARGIN
    pill_left = pill_right - max(look.measure(text, 29, True) + 22, 160)
    return LevelColumns(pill_left - 3, pill_left - 3, pill_left, pill_right, 29)


def draw_levels(
    levels: list[Level], at: LevelColumns, scale: PriceScale, page: Page, look: Look, *, long: bool
) -> list[Op]:
    """Return the lines and pills; their texts are placed on ``page`` and every pill is kept free of others."""
    lines = [scale.clamped(level.price) for level in levels]
    rows = spread([y for y, _ in lines], _ROW_GAP, scale.top, scale.bottom)
    crowded = any(abs(row - y) > 0.5 for row, (y, _) in zip(rows, lines, strict=True))
    ops: list[Op] = []
    for level, (y, beyond), row in zip(levels, lines, rows, strict=True):
        ops += draw_pill(level, at, row, page, look)
        if crowded:
            ops += _tied_line(level, at, y, row, page)
        else:
            ops += _plain_line(level, at, y, page, long=long)
        if beyond:
            ops.append(_arrow(at.left + _STUB / 2 + 2, y, beyond, level.colour))
    return ops


def draw_boxes(picture: AlertPicture, left: float, right: float, scale: PriceScale, look: Look) -> list[Op]:
    """Return the areas of reward and risk between ``left`` and ``right`` px."""
    theme = look.theme
    entry, _ = scale.clamped(picture.entry)
    stop, _ = scale.clamped(picture.stop)
    furthest = max((target.price for target in picture.targets), key=lambda price: abs(price - picture.entry))
    goal, _ = scale.clamped(furthest)
    reward, risk = faint(theme.green, theme.reward_shade), faint(theme.red, theme.risk_shade)
    return [
        Rect(left, min(entry, goal), right - left, abs(goal - entry), reward, Layer.ZONE),
        Rect(left, min(entry, stop), right - left, abs(stop - entry), risk, Layer.ZONE),
    ]


def draw_pill(level: Level, at: LevelColumns, row: float, page: Page, look: Look) -> list[Op]:
    """Return the plate of a price in the axis; its text is placed on ``page`` and the plate kept free of others."""
    box = Box(at.pill_left, row - _PILL_HEIGHT / 2, at.pill_right, row + _PILL_HEIGHT / 2)
    page.put(
        Text(
            (at.pill_left + at.pill_right) / 2,
            centred_baseline(row, at.pill_size),
            level.price_text,
            at.pill_size,
            look.theme.on_pill,
            bold=True,
            anchor="middle",
        )
    )
    page.reserve(box)
    return [Rect(box.left, box.top, box.right - box.left, _PILL_HEIGHT, level.colour, Layer.LEVEL, radius=8)]


def _plain_line(level: Level, at: LevelColumns, y: float, page: Page, *, long: bool) -> list[Op]:
    """Draw a level with room around it: the line over the whole box, its name beside it on the outer side."""
    above = (level.kind == "stop") != long
    baseline = y - 10 if above else y + 10 + 0.73 * _NAME_SIZE
    page.put(Text(at.right - 7, baseline, level.name, _NAME_SIZE, level.colour, bold=True, anchor="right"))
    return [_stroke(level, at.left, at.right, y)]


def _tied_line(level: Level, at: LevelColumns, y: float, row: float, page: Page) -> list[Op]:
    """Draw a level in a crowd: a stub at the true price and a leader to the row of its name and pill."""
    name = Text(at.right - 7, centred_baseline(row, _NAME_SIZE), level.name, _NAME_SIZE, level.colour, bold=True)
    box = page.put(name._replace(anchor="right"))
    if abs(row - y) < 0.5:
        return [_stroke(level, at.left, box.left - 6, y)]
    knee, end = at.left + _STUB, at.left + _STUB + _LEADER
    ops: list[Op] = [
        Line(at.left, y, knee, y, level.colour, Layer.LEVEL, width=3),
        Line(knee, y, end, row, level.colour, Layer.LEVEL, width=2),
    ]
    if box.left - 6 > end:
        ops.append(Line(end, row, box.left - 6, row, level.colour, Layer.LEVEL, width=2))
    return ops


def _stroke(level: Level, left: float, right: float, y: float) -> Line:
    dash = None if level.kind == "entry" else (13.0, 7.0)
    return Line(left, y, right, y, level.colour, Layer.LEVEL, width=3, dash=dash)


def _arrow(x: float, y: float, direction: int, colour: str) -> Poly:
    """Return a triangle inside the axis whose tip points up (1) or down (-1) to a price beyond it."""
    base = y + direction * 20
    return Poly(((x - 9, base), (x + 9, base), (x, base - direction * 16)), colour, Layer.LEVEL)


def draw_dot(x: float, y: float, colour: str, look: Look) -> list[Op]:
    """Return the mark of a fill, or of a waiting entry, with a ring that sets it off from what lies below."""
    ring, core = 10, 7
    return [
        Rect(x - ring, y - ring, 2 * ring, 2 * ring, look.theme.background, Layer.LEVEL, radius=ring),
        Rect(x - core, y - core, 2 * core, 2 * core, colour, Layer.LEVEL, radius=core),
    ]

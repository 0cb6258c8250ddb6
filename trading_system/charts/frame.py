"""What surrounds a chart: title, pill and subtitle above it, tiles and the footer below it.

A language that is read from the right has the subtitle at the right edge and the tiles in the opposite order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .drawing import SMALLEST_TEXT, Layer, Op, Rect, Text, centred_baseline, fitted, text_box
from .look import Look
from .picture import Mode
from .theme import Theme

WIDTH = 1024
HEIGHT = 1280
MARGIN = 31

_TITLE_BASELINE = 66
_SUBTITLE_BASELINE = 131
_PILL_TOP = 18
_PILL_PADDING = 18
_TILE_TOP = 1104
_TILE_HEIGHT = 110
_TILE_GAP = 11
_TILE_PADDING = 18
_FOOTER_BASELINE = 1255


class Pill(NamedTuple):
    """The coloured plate at the top right: one line, or a headline and a smaller line below it."""

    headline: str
    colour: str
    below: str = ""
    width: float = 210


class Tile(NamedTuple):
    """One fact below the chart: its name and its value."""

    name: str
    value: str
    colour: str


def side_colour(side: str, theme: Theme) -> str:
    """Return green for a long, red for a short."""
    return theme.green if side == "long" else theme.red


def header(symbol: str, interval: str, subtitle: str, pill: Pill, look: Look) -> list[Op]:
    """Return the symbol, the interval, the pill and the line below them."""
    theme, measure = look.theme, look.measure
    pill_left = WIDTH - MARGIN - pill.width
    interval_text = Text(0, _TITLE_BASELINE, interval, 40, theme.muted)
    gap = 44
    room = pill_left - MARGIN - measure(interval, interval_text.size, False) - 2 * gap
    shown, size = fitted(symbol, room, 60, measure, bold=True)
    title = Text(MARGIN, _TITLE_BASELINE, shown, size, theme.ink, bold=True)
    # A pill of two lines reaches down beside the subtitle.
    right = pill_left - gap / 2 if pill.below else WIDTH - MARGIN
    line, line_size = fitted(subtitle, right - MARGIN, 34, measure)
    below = Text(MARGIN, _SUBTITLE_BASELINE, line, line_size, theme.muted)
    if look.from_right:
        below = below._replace(x=right, anchor="right")
    return [title, interval_text._replace(x=text_box(title, measure).right + gap), *_pill(pill, look), below]


def _pill(pill: Pill, look: Look) -> list[Op]:
    left, middle = WIDTH - MARGIN - pill.width, WIDTH - MARGIN - pill.width / 2
    room = pill.width - _PILL_PADDING
    height = 124 if pill.below else 64
    headline, size = fitted(pill.headline, room, 42, look.measure, bold=True)
    on_pill = look.theme.on_pill
    centre = _PILL_TOP + (42 if pill.below else height / 2)
    ops: list[Op] = [
        Rect(left, _PILL_TOP, pill.width, height, pill.colour, Layer.CHIP, radius=14),
        Text(middle, centred_baseline(centre, size), headline, size, on_pill, bold=True, anchor="middle"),
    ]
    if pill.below:
        below, size = fitted(pill.below, room, 30, look.measure, bold=True)
        baseline = centred_baseline(_PILL_TOP + 92, size)
        ops.append(Text(middle, baseline, below, size, on_pill, bold=True, anchor="middle"))
    return ops


def ratio_text(rr_net: float) -> str:
    """Return ``1 : 2.0``."""
    return f"1 : {plain_text(rr_net)}"


def plain_text(number: float) -> str:
    """Return ``number`` with two digits after the point at most, one at least."""
    return f"{number:.2f}".removesuffix("0")


def signed_text(number: float, decimals: int) -> str:
    """Return ``number`` with its sign, a true minus; what rounds to zero is +0."""
    text = f"{abs(number):,.{decimals}f}"
    negative = number < 0 and any(digit in text for digit in "123456789")
    return ("−" if negative else "+") + text


def tiles(facts: Sequence[Tile], look: Look) -> list[Op]:
    """Return the tiles in a row, the first one where the language begins to read."""
    ordered = list(reversed(facts)) if look.from_right else list(facts)
    ops: list[Op] = []
    left: float = MARGIN
    for fact, width in zip(ordered, _tile_widths([fact.value for fact in ordered], look), strict=True):
        middle, room = left + width / 2, width - _TILE_PADDING
        name, name_size = fitted(fact.name, room, 25, look.measure)
        value, size = fitted(fact.value, room, 34, look.measure, bold=True)
        ops += [
            Rect(left, _TILE_TOP, width, _TILE_HEIGHT, look.theme.tile, Layer.CHIP, radius=12),
            Text(middle, _TILE_TOP + 34, name, name_size, look.theme.muted, anchor="middle"),
            Text(middle, _TILE_TOP + 86, value, size, fact.colour, bold=True, anchor="middle"),
        ]
        left += width + _TILE_GAP
    return ops


def _tile_widths(values: Sequence[str], look: Look) -> list[float]:
    """Return equal widths, or, when a value needs more, that much taken from the roomier tiles."""
    whole = WIDTH - 2 * MARGIN - _TILE_GAP * (len(values) - 1)
    equal = whole / len(values)
    needed = [look.measure(value, 28, True) + _TILE_PADDING + 8 for value in values]
    if max(needed) <= equal:
        return [equal] * len(values)
    floor = [max(min(need, equal), 120) for need in needed]
    spare = whole - sum(floor)
    wanting = [max(0.0, need - width) for need, width in zip(needed, floor, strict=True)]
    return [width + spare * want / sum(wanting) for width, want in zip(floor, wanting, strict=True)]


def footer(venue: str, time: int, signal_id: str, mode: Mode | None, look: Look) -> list[Op]:
    """Return the venue, the moment (ms UTC), the signal's id where there is one and, on the right, the mode."""
    theme, measure = look.theme, look.measure
    ops: list[Op] = []
    room: float = WIDTH - 2 * MARGIN
    if mode is not None:
        word = look.say(f"mode.{mode}")
        shown = Text(WIDTH - MARGIN, _FOOTER_BASELINE, word, 25, theme.modes[mode], bold=True, anchor="right")
        room = text_box(shown, measure).left - MARGIN - 24
        ops.append(shown)
    facts = f"  ·  {look.moment(time)}" + (f"  ·  {look.isolated('#' + signal_id)}" if signal_id else "")
    # The venue's name gives way, never the time or the id.
    size = 25 if measure(venue + facts, 25, False) <= room else SMALLEST_TEXT
    name, _ = fitted(venue, room - measure(facts, size, False), size, measure)
    return [Text(MARGIN, _FOOTER_BASELINE, look.isolated(name) + facts, size, theme.muted), *ops]

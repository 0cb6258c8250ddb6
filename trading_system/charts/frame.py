"""What surrounds the chart: title, side pill and setup line above it, four tiles and the footer below it."""

from __future__ import annotations

from collections.abc import Sequence

from . import theme
from .advances import MeasureText
from .drawing import SMALLEST_TEXT, Layer, Op, Rect, Text, centred_baseline, fitted, text_box
from .picture import AlertPicture
from .scales import moment_text

WIDTH = 1024
HEIGHT = 1280
MARGIN = 31

_WORDS = {"long": "LONG", "short": "SHORT", "rr": "R:R", "risk": "Risk", "size": "Size", "score": "Score"}
_UNKNOWN = "–"
_TILE_TOP = 1104
_TILE_HEIGHT = 110
_TILE_GAP = 11
_TILE_PADDING = 18


def side_colour(picture: AlertPicture) -> str:
    """Return green for a long, red for a short."""
    return theme.GREEN if picture.side == "long" else theme.RED


def header(picture: AlertPicture, measure: MeasureText) -> list[Op]:
    """Return the symbol, the interval, the side pill and the line that names the setup."""
    pill_width, pill_height, pill_top = 210, 64, 18
    pill_left = WIDTH - MARGIN - pill_width
    interval = Text(0, 66, picture.interval, 40, theme.MUTED)
    interval_width = measure(interval.text, interval.size, False)
    gap = 44
    symbol, size = fitted(picture.symbol, pill_left - MARGIN - interval_width - 2 * gap, 60, measure, bold=True)
    title = Text(MARGIN, 66, symbol, size, theme.WHITE, bold=True)
    setup, setup_size = fitted(picture.setup, WIDTH - 2 * MARGIN, 34, measure)
    return [
        title,
        interval._replace(x=text_box(title, measure).right + gap),
        Rect(pill_left, pill_top, pill_width, pill_height, side_colour(picture), Layer.CHIP, radius=14),
        Text(
            pill_left + pill_width / 2,
            centred_baseline(pill_top + pill_height / 2, 42),
            _WORDS[picture.side],
            42,
            theme.ON_PILL,
            bold=True,
            anchor="middle",
        ),
        Text(MARGIN, 131, setup, setup_size, theme.MUTED),
    ]


def ratio_text(rr_net: float) -> str:
    """Return ``1 : 2.0``."""
    return f"1 : {plain_text(rr_net)}"


def plain_text(number: float) -> str:
    """Return ``number`` with two digits after the point at most, one at least."""
    return f"{number:.2f}".removesuffix("0")


def tiles(picture: AlertPicture, measure: MeasureText) -> list[Op]:
    """Return the four tiles: ratio net of fees, risk, size and score."""
    risk = _UNKNOWN if picture.risk_percent is None else f"{plain_text(picture.risk_percent)}%"
    facts = (
        (_WORDS["rr"], ratio_text(picture.rr_net), theme.WHITE),
        (_WORDS["risk"], risk, theme.RED),
        (_WORDS["size"], picture.quantity or _UNKNOWN, theme.WHITE),
        (_WORDS["score"], f"{picture.score}/100", theme.WHITE),
    )
    ops: list[Op] = []
    left: float = MARGIN
    for (name, value, colour), width in zip(
        facts, _tile_widths([value for _, value, _ in facts], measure), strict=True
    ):
        middle = left + width / 2
        text, size = fitted(value, width - _TILE_PADDING, 34, measure, bold=True)
        ops += [
            Rect(left, _TILE_TOP, width, _TILE_HEIGHT, theme.TILE, Layer.CHIP, radius=12),
            Text(middle, _TILE_TOP + 34, name, 25, theme.MUTED, anchor="middle"),
            Text(middle, _TILE_TOP + 86, text, size, colour, bold=True, anchor="middle"),
        ]
        left += width + _TILE_GAP
    return ops


def _tile_widths(values: Sequence[str], measure: MeasureText) -> list[float]:
    """Return four equal widths, or, when a value needs more, that much taken from the roomier tiles."""
    whole = WIDTH - 2 * MARGIN - _TILE_GAP * (len(values) - 1)
    equal = whole / len(values)
    needed = [measure(value, 28, True) + _TILE_PADDING + 8 for value in values]
    if max(needed) <= equal:
        return [equal] * len(values)
    floor = [min(need, equal) for need in needed]
    floor = [max(width, 120) for width in floor]
    spare = whole - sum(floor)
    wanting = [max(0.0, need - width) for need, width in zip(needed, floor, strict=True)]
    return [width + spare * want / sum(wanting) for width, want in zip(floor, wanting, strict=True)]


def footer(picture: AlertPicture, measure: MeasureText) -> list[Op]:
    """Return the venue, the moment of confirmation, the signal's id and, on the right, the mode."""
    baseline = 1255
    mode = Text(WIDTH - MARGIN, baseline, picture.mode, 25, theme.MODE[picture.mode], bold=True, anchor="right")
    room = text_box(mode, measure).left - MARGIN - 24
    facts = f"  ·  {moment_text(picture.confirmed_at)}  ·  #{picture.signal_id}"
    # The venue's name gives way, never the time or the id.
    size = 25 if measure(picture.venue + facts, 25, False) <= room else SMALLEST_TEXT
    venue, _ = fitted(picture.venue, room - measure(facts, size, False), size, measure)
    return [Text(MARGIN, baseline, venue + facts, size, theme.MUTED), mode]

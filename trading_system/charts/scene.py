"""The alert picture as a list of drawing operations: a pure function of the facts it shows.

It decides the layout (columns, axes, the corner of the why-list) and the order in which labels get their places;
colours and words are ``look``'s, pixels are ``png``'s.
"""

from __future__ import annotations

from .corner import CornerList, prices_beside
from .drawing import Box, Layer, Line, Op, Poly, Rect, Scene, Text
from .frame import HEIGHT, WIDTH, Pill, Tile, footer, header, plain_text, ratio_text, side_colour, tiles
from .levels import columns_of, draw_boxes, draw_dot, draw_levels, levels_of
from .look import Look
from .market import GRID_TOP, VOLUME_TOP, draw_candles, draw_grid, draw_patterns, draw_swings
from .picture import (
    AlertPicture,
    PictureCandle,
    PictureError,
    PictureFlag,
    PictureSwing,
    PictureTarget,
    PictureZone,
    Segment,
)
from .placement import Page
from .scales import TimeScale, time_scale

__all__ = [
    "AlertPicture",
    "Layer",
    "Line",
    "Look",
    "PictureCandle",
    "PictureError",
    "PictureFlag",
    "PictureSwing",
    "PictureTarget",
    "PictureZone",
    "Poly",
    "Rect",
    "Scene",
    "Segment",
    "Text",
    "assembled",
    "scene",
    "watermark",
]

_MOST_CANDLES = 70
_LOW_MARK, _HIGH_MARK = 880, 260
CHART_LEFT = 8.0


def scene(picture: AlertPicture, look: Look | None = None) -> Scene:
    """Return the 1024 x 1280 px picture of one signal.

    ``look``: colours, words and text widths; dark, English and the table of the bundled fonts by default. No two texts
    overlap except that the watermark lies under everything, and none is smaller than 24 px; a label without a free
    place is left out. At most four reasons are listed. Source: the alert picture of the design pages.
    """
    look = look or Look()
    candles = picture.candles[-_MOST_CANDLES:]
    is_long = picture.side == "long"
    levels = levels_of(picture, look)
    at = columns_of(levels, look)
    times = time_scale([candle.open_time for candle in candles], picture.interval_ms, CHART_LEFT, at.left - 4)
    why = CornerList.of(picture.reasons, times.right - 90, look, at_top=is_long)
    prices = prices_beside(candles, [level.price for level in levels], times, why)
    colour = side_colour(picture.side, look.theme)

    page = Page(look.measure, Box(4, GRID_TOP, at.left - 2, VOLUME_TOP - 2))
    ops: list[Op] = [
        *watermark(times, look, low=is_long),
        *header(picture.symbol, picture.interval, picture.setup, Pill(look.say(f"side.{picture.side}"), colour), look),
        *tiles(_facts(picture, look), look),
        *footer(picture.venue, picture.confirmed_at, picture.signal_id, picture.mode, look),
    ]
    ops += draw_boxes(picture, at.left, at.right, prices, look)
    ops += draw_levels(levels, at, prices, page, look, long=is_long)
    ops += draw_dot(at.left, prices.clamped(picture.entry)[0], look.theme.ink, look)
    ops += why.draw([colour] * len(why.lines), page, look)
    ops += draw_grid(at, times, prices, page, look)
    ops += draw_candles(candles, times, prices, page, look)
    flags = () if picture.flag is None else (picture.flag,)
    ops += draw_patterns(picture.zones, flags, times, prices, page, look)
    ops += draw_swings(picture.swings, times, prices, page, look)
    return assembled(ops, page, look)


def assembled(ops: list[Op], page: Page, look: Look) -> Scene:
    """Return ``ops`` and the texts of ``page`` on the background, in drawing order."""
    ground = Rect(0, 0, WIDTH, HEIGHT, look.theme.background, Layer.BACKGROUND)
    whole: list[Op] = [ground, *ops, *page.placed]
    return Scene(WIDTH, HEIGHT, tuple(sorted(whole, key=lambda op: op.layer)))


def watermark(times: TimeScale, look: Look, *, low: bool) -> list[Op]:
    """Return the faint name under the candles, ``low`` or high on the chart: away from the list in the corner."""
    name = look.say("watermark")
    room = max(times.right - 60, 200)
    size = min(92.0, 60 * room / look.measure(name, 60, True))
    y = _LOW_MARK if low else _HIGH_MARK
    return [Text(times.right / 2, y, name, size, look.theme.watermark, Layer.WATERMARK, bold=True, anchor="middle")]


def _facts(picture: AlertPicture, look: Look) -> list[Tile]:
    """Return the ratio net of fees, risk, size and score; what is not known is a dash."""
    ink, unknown = look.theme.ink, look.say("unknown")
    risk = unknown if picture.risk_percent is None else f"{plain_text(picture.risk_percent)}%"
    return [
        Tile(look.say("tile.rr"), ratio_text(picture.rr_net), ink),
        Tile(look.say("tile.risk"), risk, look.theme.red),
        Tile(look.say("tile.size"), picture.quantity or unknown, ink),
        Tile(look.say("tile.score"), f"{picture.score}/100", ink),
    ]

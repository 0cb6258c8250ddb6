"""The picture of a trade that ended: the alert's window continued to the exit, and the path between its fills.

The boxes of reward and risk lie where the trade was open, so that before and after are one chart.
"""

from __future__ import annotations

import math
from itertools import pairwise

from .corner import CornerList, prices_beside
from .drawing import Box, Layer, Line, Op, Scene
from .frame import Pill, Tile, footer, header, plain_text, ratio_text, signed_text, tiles
from .levels import columns_of, draw_boxes, draw_dot, draw_levels, levels_of
from .look import Look, clock_text
from .market import GRID_TOP, VOLUME_TOP, along, draw_candles, draw_grid, draw_patterns, draw_swings
from .picture import ClosedPicture, PictureCandle, PictureFill
from .placement import Page
from .scales import PriceScale, TimeScale, price_text, time_scale
from .scene import CHART_LEFT, assembled, watermark

MOST_CANDLES = 160
_DAY_MS = 86_400_000
_PILL_WIDTH = 270
_LINES = 4


def closed_scene(picture: ClosedPicture, look: Look | None = None) -> Scene:
    """Return the 1024 x 1280 px picture of a closed trade.

    A trade too long for 160 candles has neighbours merged until it fits, which the title says (``15m × 3``). No two
    texts overlap except over the watermark. ``look`` as for ``scene``.
    """
    look = look or Look()
    alert, theme = picture.alert, look.theme
    is_long = alert.side == "long"
    merged = math.ceil(len(picture.candles) / MOST_CANDLES)
    candles = merged_candles(picture.candles, merged)
    interval = alert.interval
    if merged > 1:
        interval = look.say("interval.merged", interval=alert.interval, count=merged)
    last = picture.fills[-1]
    colour = theme.green if picture.r >= 0 else theme.red
    levels = levels_of(alert, look, last.price, colour)
    at = columns_of(levels, look)
    open_times = [candle.open_time for candle in candles]
    times = time_scale(open_times, alert.interval_ms * merged, CHART_LEFT, at.left - 4)
    listed = _listed(picture.fills)
    story = CornerList.of([_line_of(fill, picture, look) for fill in listed], times.right - 90, look, at_top=is_long)
    prices = prices_beside(candles, [level.price for level in levels], times, story)

    page = Page(look.measure, Box(4, GRID_TOP, at.left - 2, VOLUME_TOP - 2))
    setup = look.say("closed.setup", side=look.say(f"side.{alert.side}"), setup=alert.setup)
    pill = Pill(signed_text(picture.r, 2) + "R", colour, picture.money or look.say("unknown"), _PILL_WIDTH)
    ops: list[Op] = [
        *watermark(times, look, low=is_long),
        *header(alert.symbol, interval, setup, pill, look),
        *tiles(_facts(picture, look), look),
        *footer(alert.venue, last.time, alert.signal_id, alert.mode, look),
    ]
    opened = times.x(picture.fills[0].time) - times.slot / 2
    closed = times.x(last.time) + times.slot / 2
    ops += draw_boxes(alert, max(opened, times.left), min(closed, times.right), prices, look)
    ops += draw_levels(levels, at, prices, page, look, long=is_long)
    ops += story.draw([_colour_of(fill, colour, look) for fill in listed], page, look)
    ops += draw_grid(at, times, prices, page, look)
    ops += draw_candles(candles, times, prices, page, look)
    ops += _path(picture, times, prices, page, look, colour)
    flags = () if alert.flag is None else (alert.flag,)
    ops += draw_patterns(alert.zones, flags, times, prices, page, look)
    ops += draw_swings(alert.swings, times, prices, page, look)
    return assembled(ops, page, look)


def merged_candles(candles: tuple[PictureCandle, ...], count: int) -> tuple[PictureCandle, ...]:
    """Return ``candles`` with every ``count`` neighbours as one: first open, extremes, last close, volume added.

    The last one is always whole, so that the exit's candle is not drawn alone; the first may be of fewer.
    """
    if count <= 1:
        return candles
    begin = len(candles) % count
    groups = [candles[:begin]] if begin else []
    groups += [candles[at : at + count] for at in range(begin, len(candles), count)]
    return tuple(
        PictureCandle(
            group[0].open_time,
            group[0].open,
            max(candle.high for candle in group),
            min(candle.low for candle in group),
            group[-1].close,
            math.fsum(candle.volume for candle in group),
        )
        for group in groups
    )


def _path(
    picture: ClosedPicture, times: TimeScale, prices: PriceScale, page: Page, look: Look, colour: str
) -> list[Op]:
    """Return the line from fill to fill with a mark at each, in the result's colour where it closed."""
    points = [(min(times.x(fill.time), times.right), prices.clamped(fill.price)[0]) for fill in picture.fills]
    ops: list[Op] = []
    for (x1, y1), (x2, y2) in pairwise(points):
        ops.append(Line(x1, y1, x2, y2, look.theme.background, Layer.DRAWING, width=8))
        ops.append(Line(x1, y1, x2, y2, look.theme.ink, Layer.DRAWING, width=4))
        page.draw(along((x1, y1, x2, y2)))
    for fill, (x, y) in zip(picture.fills, points, strict=True):
        ops += draw_dot(x, y, _colour_of(fill, colour, look), look)
        page.draw([Box(x - 10, y - 10, x + 10, y + 10)])
    return ops


def _listed(fills: tuple[PictureFill, ...]) -> tuple[PictureFill, ...]:
    """Return the fills that get a line: the entry, and the newest ones where there are too many."""
    return fills if len(fills) <= _LINES else (fills[0], *fills[-(_LINES - 1) :])


def _line_of(fill: PictureFill, picture: ClosedPicture, look: Look) -> str:
    """Return what a fill was, at which price, and when; the day only where the trade went over midnight."""
    first, last = picture.fills[0], picture.fills[-1]
    time = look.isolated(clock_text(fill.time))
    if first.time // _DAY_MS != last.time // _DAY_MS:
        time = f"{look.day(fill.time)} {time}"
    words = {"price": price_text(fill.price, picture.alert.tick_decimals), "time": time}
    if fill.kind == "target":
        words["number"] = str(fill.number)
    return look.say(f"fill.{fill.kind}", **words)


def _colour_of(fill: PictureFill, result: str, look: Look) -> str:
    """Return ink for the entry, green for a target, and the result's colour for what ended the trade otherwise."""
    if fill.kind == "entry":
        return look.theme.ink
    return look.theme.green if fill.kind == "target" else result


def _facts(picture: ClosedPicture, look: Look) -> list[Tile]:
    """Return what was planned and how long it took; what is not known is a dash."""
    alert, ink, unknown = picture.alert, look.theme.ink, look.say("unknown")
    risk = unknown if alert.risk_percent is None else f"{plain_text(alert.risk_percent)}%"
    held = look.span(picture.fills[-1].time - picture.fills[0].time)
    return [
        Tile(look.say("tile.planned"), ratio_text(alert.rr_net), ink),
        Tile(look.say("tile.risk"), risk, look.theme.red),
        Tile(look.say("tile.size"), alert.quantity or unknown, ink),
        Tile(look.say("tile.held"), held, ink),
    ]

"""The market without a trade: candles with their swings, the live order blocks and the flags in sight."""

from __future__ import annotations

from .corner import PRICE_BOTTOM, PRICE_TOP
from .drawing import Box, Layer, Line, Op, Scene
from .frame import Pill, Tile, footer, header, signed_text, tiles
from .levels import Level, axis_only, draw_pill
from .look import Look
from .market import GRID_TOP, VOLUME_TOP, draw_candles, draw_grid, draw_patterns, draw_swings
from .picture import ChartPicture, PictureCandle
from .placement import Page
from .scales import PriceScale, price_scale, price_text, shared_decimals, time_scale
from .scene import CHART_LEFT, assembled, watermark

MOST_CANDLES = 90
_NEAR = 0.5
_PILL_WIDTH = 290


def chart_scene(picture: ChartPicture, look: Look | None = None) -> Scene:
    """Return the 1024 x 1280 px chart of one symbol.

    Zones further from the candles than half of their height are out of sight. No two texts overlap except over the
    watermark; a label without a free place is left out. ``look`` as for ``scene``.
    """
    look = look or Look()
    theme = look.theme
    candles = picture.candles[-MOST_CANDLES:]
    last = candles[-1]
    colour = theme.green if last.close >= last.open else theme.red
    decimals = shared_decimals([price for candle in candles for price in candle[1:5]], picture.tick_decimals)
    close = price_text(last.close, decimals)
    at = axis_only(close, look)
    times = time_scale([candle.open_time for candle in candles], picture.interval_ms, CHART_LEFT, at.left - 4)
    prices = _prices(picture, candles)

    page = Page(look.measure, Box(4, GRID_TOP, at.left - 2, VOLUME_TOP - 2))
    ops: list[Op] = [
        *watermark(times, look, low=True),
        *header(
            picture.symbol, picture.interval, _subtitle(picture, look), Pill(close, colour, width=_PILL_WIDTH), look
        ),
        *tiles(_facts(picture, candles, look), look),
        *footer(picture.venue, picture.at, "", None, look),
    ]
    y = prices.y(last.close)
    ops += draw_pill(Level("close", last.close, "", close, colour), at, y, page, look)
    ops.append(Line(times.left, y, at.right, y, colour, Layer.LEVEL, width=2, dash=(4.0, 6.0)))
    page.draw([Box(times.left, y - 2, at.right, y + 2)])
    ops += draw_grid(at, times, prices, page, look)
    ops += draw_candles(candles, times, prices, page, look)
    # The nearest first: where labels run out of room, those far away go without.
    zones = sorted(picture.zones, key=lambda zone: abs((zone.top + zone.bottom) / 2 - last.close))
    ops += draw_patterns(zones, picture.flags, times, prices, page, look)
    ops += draw_swings(picture.swings, times, prices, page, look)
    return assembled(ops, page, look)


def _prices(picture: ChartPicture, candles: tuple[PictureCandle, ...]) -> PriceScale:
    low, high = min(candle.low for candle in candles), max(candle.high for candle in candles)
    reach = (high - low) * _NEAR
    edges = [edge for zone in picture.zones for edge in (zone.top, zone.bottom)]
    near = [edge for edge in edges if low - reach <= edge <= high + reach]
    return price_scale(low, high, near, PRICE_TOP, PRICE_BOTTOM)


def _subtitle(picture: ChartPicture, look: Look) -> str:
    return look.say("chart.facts", zones=len(picture.zones), flags=len(picture.flags), swings=len(picture.swings))


def _facts(picture: ChartPicture, candles: tuple[PictureCandle, ...], look: Look) -> list[Tile]:
    """Return the change and the range of what is drawn, and how far the nearest live blocks are, in per cent."""
    theme, unknown = look.theme, look.say("unknown")
    close = candles[-1].close
    change = (close / candles[0].open - 1) * 100
    lowest = min(candle.low for candle in candles)
    spread = (max(candle.high for candle in candles) / lowest - 1) * 100
    above = [max(zone.bottom / close - 1, 0.0) * 100 for zone in picture.zones if zone.top > close]
    below = [min(zone.top / close - 1, 0.0) * 100 for zone in picture.zones if zone.bottom < close]
    return [
        Tile(look.say("tile.change"), f"{signed_text(change, 2)}%", theme.green if change >= 0 else theme.red),
        Tile(look.say("tile.range"), f"{spread:.2f}%", theme.ink),
        Tile(look.say("tile.above"), f"{signed_text(min(above), 2)}%" if above else unknown, theme.ink),
        Tile(look.say("tile.below"), f"{signed_text(max(below), 2)}%" if below else unknown, theme.ink),
    ]

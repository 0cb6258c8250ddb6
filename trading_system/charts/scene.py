"""The alert picture as a list of drawing operations: a pure function of the facts it shows.

It decides the layout (columns, axes, the corner of the why-list) and the order in which labels get their places;
colours are ``theme``'s, pixels are ``png``'s.
"""

from __future__ import annotations

from . import theme
from .advances import MeasureText, text_width
from .drawing import Box, Layer, Line, Op, Poly, Rect, Scene, Text, centred_baseline, fitted
from .frame import HEIGHT, MARGIN, WIDTH, footer, header, side_colour, tiles
from .levels import Level, LevelColumns, columns_of, draw_levels, levels_of
from .market import GRID_TOP, VOLUME_TOP, draw_candles, draw_flag, draw_grid, draw_swings, draw_zone
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
from .scales import PriceScale, TimeScale, price_scale

__all__ = [
    "AlertPicture",
    "Layer",
    "Line",
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
    "scene",
]

_WATERMARK = "TRADING SYSTEM"
_MOST_CANDLES = 70
_WIDEST_SLOT = 24.0
_PRICE_TOP = 195.0
_PRICE_BOTTOM = 945.0
_WHY_TOP = 178.0
_WHY_ROW = 42.0
_WHY_SIZE = 29.0
_WHY_INDENT = 34.0
_MOST_REASONS = 4
_WHY_CLEARANCE = 46.0
"""Room for a swing's triangle and label between the why-list and the candle beside it."""


def scene(picture: AlertPicture, measure: MeasureText = text_width) -> Scene:
    """Return the 1024 x 1280 px picture of one signal.

    ``measure``: (text, size px, bold) -> width px, by default the table of the bundled fonts. No two texts overlap
    except that the watermark lies under everything, and none is smaller than 24 px; a label without a free place is
    left out. At most four reasons are listed. Source: the alert picture of the design pages.
    """
    candles = picture.candles[-_MOST_CANDLES:]
    levels = levels_of(picture)
    at = columns_of(levels, measure)
    times = _time_scale(picture, candles, at)
    why = _Why.of(picture, times.right - 90, measure)
    prices = _price_scale(candles, levels, times, why)

    page = Page(measure, Box(4, GRID_TOP, at.left - 2, VOLUME_TOP - 2))
    ops: list[Op] = [
        Rect(0, 0, WIDTH, HEIGHT, theme.BACKGROUND, Layer.BACKGROUND),
        *_watermark(picture, times, measure),
        *header(picture, measure),
        *tiles(picture, measure),
        *footer(picture, measure),
    ]
    ops += draw_levels(picture, levels, at, prices, page)
    ops += why.draw(side_colour(picture), page)
    ops += draw_grid(at, times, prices, page)
    ops += draw_candles(candles, times, prices, page)
    for zone in picture.zones:
        ops += draw_zone(zone, times, prices, page)
    ops += draw_flag(picture, times, prices, page)
    ops += draw_swings(picture, times, prices, page)
    ops += page.placed
    return Scene(WIDTH, HEIGHT, tuple(sorted(ops, key=lambda op: op.layer)))


class _Why:
    """The reasons for the signal, one a line, in the corner that the trade's boxes leave empty."""

    def __init__(self, lines: tuple[tuple[str, float], ...], box: Box, *, at_top: bool) -> None:
        self.lines = lines
        self.box = box
        self.at_top = at_top

    @classmethod
    def of(cls, picture: AlertPicture, width: float, measure: MeasureText) -> _Why:
        """Lay the reasons out: top left for a long, bottom left for a short."""
        fits = [
            fitted(reason, width, _WHY_SIZE, measure) for reason in picture.reasons[:_MOST_REASONS] if reason.strip()
        ]
        size = min((size for _, size in fits), default=_WHY_SIZE)
        widest = max((measure(text, size, False) for text, _ in fits), default=0.0)
        height = _WHY_ROW * len(fits)
        at_top = picture.side == "long"
        top = _WHY_TOP if at_top else _PRICE_BOTTOM + 10 - height
        box = Box(MARGIN, top, MARGIN + _WHY_INDENT + widest, top + height)
        return cls(tuple((text, size) for text, _ in fits), box, at_top=at_top)

    def draw(self, colour: str, page: Page) -> list[Op]:
        """Place the lines on ``page`` and return their dots."""
        ops: list[Op] = []
        for number, (text, size) in enumerate(self.lines):
            middle = self.box.top + _WHY_ROW * (number + 0.5)
            ops.append(Rect(MARGIN + 4, middle - 6, 12, 12, colour, Layer.CHIP, radius=6))
            page.put(Text(MARGIN + _WHY_INDENT, centred_baseline(middle, size), text, size, theme.TEXT))
        if self.lines:
            page.reserve(self.box)
        return ops


def _time_scale(picture: AlertPicture, candles: tuple[PictureCandle, ...], at: LevelColumns) -> TimeScale:
    left, right = 8.0, at.left - 4
    slot = min((right - left) / len(candles), _WIDEST_SLOT)
    open_times = tuple(candle.open_time for candle in candles)
    return TimeScale(open_times, picture.interval_ms, right - slot * len(candles), slot)


def _price_scale(candles: tuple[PictureCandle, ...], levels: list[Level], times: TimeScale, why: _Why) -> PriceScale:
    low, high = min(candle.low for candle in candles), max(candle.high for candle in candles)
    scale = price_scale(low, high, [level.price for level in levels], _PRICE_TOP, _PRICE_BOTTOM)
    beside = [c for c in candles if times.x(c.open_time) - times.slot / 2 < why.box.right + 8]
    if not why.lines or not beside:
        return scale
    # Candles under the why-list are moved out of it by headroom: the axis grows just enough on that side.
    height = scale.bottom - scale.top
    if why.at_top:
        share = (why.box.bottom + _WHY_CLEARANCE - scale.top) / height
        needed = (max(c.high for c in beside) - share * scale.low) / (1 - share)
        return scale._replace(high=max(scale.high, needed))
    share = (scale.bottom - (why.box.top - _WHY_CLEARANCE)) / height
    needed = (min(c.low for c in beside) - share * scale.high) / (1 - share)
    return scale._replace(low=min(scale.low, needed))


def _watermark(picture: AlertPicture, times: TimeScale, measure: MeasureText) -> list[Op]:
    room = max(times.right - 60, 200)
    size = min(92.0, 60 * room / measure(_WATERMARK, 60, True))
    # Away from the why-list: low for a long, high for a short.
    y = 880 if picture.side == "long" else 260
    return [Text(times.right / 2, y, _WATERMARK, size, theme.WATERMARK, Layer.WATERMARK, bold=True, anchor="middle")]

"""The short list of sentences in the corner that the trade's boxes leave empty, and the axis that keeps it free.

It lies top left for a long and bottom left for a short; a language that is read from the right has its dots at the
right of the lines.
"""

from __future__ import annotations

from collections.abc import Sequence

from .drawing import Box, Layer, Op, Rect, Text, centred_baseline, fitted
from .frame import MARGIN
from .look import Look
from .picture import PictureCandle
from .placement import Page
from .scales import PriceScale, TimeScale, price_scale

PRICE_TOP = 195.0
PRICE_BOTTOM = 945.0

_TOP = 178.0
_ROW = 42.0
_SIZE = 29.0
_INDENT = 34.0
_MOST_LINES = 4
_CLEARANCE = 46.0
"""Room for a swing's triangle and label between the list and the candle beside it."""


class CornerList:
    """A few lines of text with a dot each."""

    def __init__(self, lines: tuple[tuple[str, float], ...], box: Box, *, at_top: bool) -> None:
        self.lines = lines
        self.box = box
        self.at_top = at_top

    @classmethod
    def of(cls, sentences: Sequence[str], width: float, look: Look, *, at_top: bool) -> CornerList:
        """Lay out at most four of ``sentences``, none wider than ``width`` px."""
        said = [sentence for sentence in sentences[:_MOST_LINES] if sentence.strip()]
        fits = [fitted(sentence, width, _SIZE, look.measure) for sentence in said]
        size = min((size for _, size in fits), default=_SIZE)
        widest = max((look.measure(text, size, False) for text, _ in fits), default=0.0)
        height = _ROW * len(fits)
        top = _TOP if at_top else PRICE_BOTTOM + 10 - height
        box = Box(MARGIN, top, MARGIN + _INDENT + widest, top + height)
        return cls(tuple((text, size) for text, _ in fits), box, at_top=at_top)

    def draw(self, colours: Sequence[str], page: Page, look: Look) -> list[Op]:
        """Place the lines on ``page`` and return their dots; ``colours`` has one for each line, or more."""
        ops: list[Op] = []
        for number, ((text, size), colour) in enumerate(zip(self.lines, colours, strict=False)):
            middle = self.box.top + _ROW * (number + 0.5)
            baseline = centred_baseline(middle, size)
            if look.from_right:
                dot, right = self.box.right - 16, self.box.right - _INDENT
                page.put(Text(right, baseline, text, size, look.theme.text, anchor="right"))
            else:
                dot = MARGIN + 4
                page.put(Text(MARGIN + _INDENT, baseline, text, size, look.theme.text))
            ops.append(Rect(dot, middle - 6, 12, 12, colour, Layer.CHIP, radius=6))
        if self.lines:
            page.reserve(self.box)
        return ops


def prices_beside(
    candles: Sequence[PictureCandle], levels: Sequence[float], times: TimeScale, corner: CornerList
) -> PriceScale:
    """Return the price axis; candles under the corner are moved out of it by as much headroom as they need."""
    low, high = min(candle.low for candle in candles), max(candle.high for candle in candles)
    scale = price_scale(low, high, levels, PRICE_TOP, PRICE_BOTTOM)
    beside = [c for c in candles if times.x(c.open_time) - times.slot / 2 < corner.box.right + 8]
    if not corner.lines or not beside:
        return scale
    height = scale.bottom - scale.top
    if corner.at_top:
        share = (corner.box.bottom + _CLEARANCE - scale.top) / height
        needed = (max(c.high for c in beside) - share * scale.low) / (1 - share)
        return scale._replace(high=max(scale.high, needed))
    share = (scale.bottom - (corner.box.top - _CLEARANCE)) / height
    needed = (min(c.low for c in beside) - share * scale.high) / (1 - share)
    return scale._replace(low=min(scale.low, needed))

"""The few words a picture is made of: rectangles, lines, polygons and texts, each with a colour and a layer.

A scene is plain data, so that tests compare operations and any back-end (``png``, ``svg``) can draw it.
"""

from __future__ import annotations

import unicodedata
from enum import IntEnum
from typing import NamedTuple

from .advances import MeasureText

SMALLEST_TEXT = 24
"""Nothing smaller is readable when a phone shows 1024 px on a hand's width."""

_ASCENT = 0.76
_DESCENT = 0.24
_FROM_THE_RIGHT = frozenset({"R", "AL"})


class Layer(IntEnum):
    """What covers what: a higher layer is drawn later."""

    BACKGROUND = 0
    WATERMARK = 1
    GRID = 2
    ZONE = 3
    VOLUME = 4
    CANDLE = 5
    DRAWING = 6
    LEVEL = 7
    CHIP = 8
    TEXT = 9


class Box(NamedTuple):
    """An area of the canvas in px; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the shared area in px², 0 when the boxes do not meet."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0

    def within(self, other: Box) -> bool:
        """Tell whether this box lies inside ``other``."""
        inside = self.left >= other.left and self.right <= other.right
        return inside and self.top >= other.top and self.bottom <= other.bottom

    def grown(self, by: float) -> Box:
        """Return the box with ``by`` px more on every side."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)


class Rect(NamedTuple):
    """A filled rectangle; ``radius`` rounds its corners. Colours are #rrggbb or #rrggbbaa."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    layer: Layer
    radius: float = 0


class Line(NamedTuple):
    """A straight stroke; ``dash`` is (on, off) in px, or None for a solid one."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    layer: Layer
    width: float = 2
    dash: tuple[float, float] | None = None


class Poly(NamedTuple):
    """A filled polygon of at least three (x, y) corners."""

    points: tuple[tuple[float, float], ...]
    colour: str
    layer: Layer


class Text(NamedTuple):
    """One line of text; ``y`` is its baseline, ``anchor`` says which end of it ``x`` is: left, middle or right."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    layer: Layer = Layer.TEXT
    bold: bool = False
    anchor: str = "left"


Op = Rect | Line | Poly | Text


class Scene(NamedTuple):
    """A whole picture: its size in px and its operations in drawing order."""

    width: int
    height: int
    ops: tuple[Op, ...]


def text_box(text: Text, measure: MeasureText) -> Box:
    """Return the area that ``text`` covers, ascenders and descenders included."""
    width = measure(text.text, text.size, text.bold)
    left = text.x - width * {"left": 0.0, "middle": 0.5, "right": 1.0}[text.anchor]
    return Box(left, text.y - _ASCENT * text.size, left + width, text.y + _DESCENT * text.size)


def reads_from_the_right(text: str) -> bool:
    """Tell whether ``text`` has a letter of a script that is written from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(character) in _FROM_THE_RIGHT for character in text)


def centred_baseline(centre: float, size: float) -> float:
    """Return the baseline that puts capitals and digits of ``size`` px in the middle of ``centre``."""
    return centre + 0.365 * size


def fitted(text: str, width: float, size: float, measure: MeasureText, bold: bool = False) -> tuple[str, float]:
    """Return ``text`` and the greatest size up to ``size`` at which it is at most ``width`` px wide.

    Never below ``SMALLEST_TEXT``: a text that is still too wide there loses its end to an ellipsis.
    """
    text = " ".join(text.split())
    while size > SMALLEST_TEXT and measure(text, size, bold) > width:
        size -= 1
    if measure(text, size, bold) <= width:
        return text, size
    while text and measure(text + "…", size, bold) > width:
        text = text[:-1].rstrip()
    return text + "…", size

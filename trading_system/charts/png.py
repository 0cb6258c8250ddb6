"""A scene as PNG bytes: straight edges as they are, round and slanted ones smoothed, texts with the bundled fonts.

A thread keeps the fonts that it has opened and shares nothing with others, so pictures may be drawn in any thread.
"""

from __future__ import annotations

import math
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

from .drawing import Line, Poly, Rect, Scene, Text, reads_from_the_right

_FONTS = Path(__file__).parent / "fonts"
_FILES = {False: _FONTS / "DejaVuSans.ttf", True: _FONTS / "DejaVuSans-Bold.ttf"}
_ANCHORS = {"left": "ls", "middle": "ms", "right": "rs"}
_OVERSAMPLING = 4
_MOST_FONTS = 64
_COMPRESSION = 3
_OPAQUE = 255
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EIGHT_BIT_RGB = (8, 2, 0, 0, 0)
_UNFILTERED = b"\0"

_Place = Callable[[float, float], tuple[float, float]]
"""Where a point of the scene lies on the enlarged mask."""


class _Fonts(threading.local):
    """The fonts of one thread by (bold, size): FreeType's faces must not be used by two threads at once."""

    def __init__(self) -> None:
        self.opened: dict[tuple[bool, float, bool], ImageFont.FreeTypeFont] = {}

    def get(self, text: str, size: float, bold: bool) -> ImageFont.FreeTypeFont:
        # Plain letters need no shaping; the basic layout is quicker and keeps to the widths that the scene measured.
        plain = text.isascii()
        key = (bold, size, plain)
        if key not in self.opened:
            if len(self.opened) >= _MOST_FONTS:  # sizes follow the room a text has, so there is no end of them
                self.opened.clear()
            layout = ImageFont.Layout.BASIC if plain else None
            self.opened[key] = ImageFont.truetype(_FILES[bold], size, layout_engine=layout)
        return self.opened[key]


_fonts = _Fonts()


def png(scene: Scene) -> bytes:
    """Return ``scene`` as an RGB PNG of its own size; some tens of ms of one core, half of it compression.

    Raises: FileNotFoundError when the package was installed without its ``fonts`` folder; ShapingError when a text is
    written from right to left and nothing here can shape it.
    """
    return _encoded(raster(scene))


def raster(scene: Scene) -> Image.Image:
    """Return ``scene`` as an RGB image of its own size. Raises: as ``png``."""
    image = Image.new("RGB", (scene.width, scene.height))
    pen = ImageDraw.Draw(image)
    for op in scene.ops:
        if isinstance(op, Rect):
            _rect(image, pen, op)
        elif isinstance(op, Line):
            _line(image, pen, op)
        elif isinstance(op, Poly):
            _poly(image, op)
        else:
            _text(pen, op)
    return image


class ShapingError(RuntimeError):
    """A text needs letters joined and reordered, and the library that does so is missing."""

    def __init__(self) -> None:
        super().__init__(
            "expected FriBiDi for texts that are written from right to left, was a machine without it; install it "
            "(Debian: apt-get install libfribidi0) or choose English"
        )


def shaped_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of ``text`` in px as it will be drawn, its letters joined and reordered: a ``MeasureText``.

    Raises: ShapingError.
    """
    return _fonts.get(text, size, bold).getlength(text, direction=_direction(text))


def _text(pen: ImageDraw.ImageDraw, op: Text) -> None:
    pen.text(
        (op.x, op.y),
        op.text,
        font=_fonts.get(op.text, op.size, op.bold),
        fill=op.colour,
        anchor=_ANCHORS[op.anchor],
        direction=_direction(op.text),
    )


def _direction(text: str) -> str | None:
    """Return rtl for a text that reads from the right, whatever its first letter is; else leave it to the layout."""
    if not reads_from_the_right(text):
        return None
    if not features.check("raqm") or features.version("fribidi") is None:
        raise ShapingError
    return "rtl"


def _rect(image: Image.Image, pen: ImageDraw.ImageDraw, op: Rect) -> None:
    left, top, right, bottom = (_nearest(edge) for edge in (op.x, op.y, op.x + op.width, op.y + op.height))
    if right <= left or bottom <= top:
        return
    colour, alpha = _colour(op.colour)
    if op.radius:

        def shape(brush: ImageDraw.ImageDraw, place: _Place) -> None:
            (x1, y1), (x2, y2) = place(left, top), place(right, bottom)
            # Pillow's corners are inclusive.
            brush.rounded_rectangle((x1, y1, x2 - 1, y2 - 1), op.radius * _OVERSAMPLING, fill=alpha)

        _smooth(image, (left, top, right, bottom), colour, shape)
    elif alpha < _OPAQUE:
        image.paste(colour, (left, top, right, bottom), Image.new("L", (right - left, bottom - top), alpha))
    else:
        pen.rectangle((left, top, right - 1, bottom - 1), fill=colour)


def _line(image: Image.Image, pen: ImageDraw.ImageDraw, op: Line) -> None:
    pieces = [(op.x1, op.y1, op.x2, op.y2)] if op.dash is None else _dashes(op, op.dash)
    if op.x1 == op.x2 or op.y1 == op.y2:
        # Across its direction a stroke is a whole number of px wide wherever it lies.
        width, upright = max(1, _nearest(op.width)), op.y1 != op.y2
        for x1, y1, x2, y2 in pieces:
            left, top = min(x1, x2), min(y1, y2)
            if upright:
                box = Rect(_nearest(left - width / 2), top, width, abs(y2 - y1), op.colour, op.layer)
            else:
                box = Rect(left, _nearest(top - width / 2), abs(x2 - x1), width, op.colour, op.layer)
            _rect(image, pen, box)
        return
    colour, alpha = _colour(op.colour)

    def shape(brush: ImageDraw.ImageDraw, place: _Place) -> None:
        for x1, y1, x2, y2 in pieces:
            brush.line((*place(x1, y1), *place(x2, y2)), fill=alpha, width=max(1, round(op.width * _OVERSAMPLING)))

    xs, ys = (op.x1, op.x2), (op.y1, op.y2)
    reach = (min(xs) - op.width, min(ys) - op.width, max(xs) + op.width, max(ys) + op.width)
    _smooth(image, reach, colour, shape)


def _dashes(op: Line, dash: tuple[float, float]) -> list[tuple[float, float, float, float]]:
    length = math.hypot(op.x2 - op.x1, op.y2 - op.y1)
    on, off = dash
    pieces = []
    for number in range(math.ceil(length / (on + off))):
        start = number * (on + off)
        a, b = start / length, min(start + on, length) / length
        run, rise = op.x2 - op.x1, op.y2 - op.y1
        pieces.append((op.x1 + run * a, op.y1 + rise * a, op.x1 + run * b, op.y1 + rise * b))
    return pieces


def _poly(image: Image.Image, op: Poly) -> None:
    colour, alpha = _colour(op.colour)

    def shape(brush: ImageDraw.ImageDraw, place: _Place) -> None:
        brush.polygon([place(x, y) for x, y in op.points], fill=alpha)

    xs, ys = [x for x, _ in op.points], [y for _, y in op.points]
    _smooth(image, (min(xs), min(ys), max(xs) + 1, max(ys) + 1), colour, shape)


def _smooth(
    image: Image.Image,
    reach: tuple[float, float, float, float],
    colour: str,
    shape: Callable[[ImageDraw.ImageDraw, _Place], None],
) -> None:
    """Paint what ``shape`` draws within ``reach`` with soft edges: as a mask of its own, drawn enlarged and reduced."""
    left, top = max(0, math.floor(reach[0])), max(0, math.floor(reach[1]))
    right, bottom = min(image.width, math.ceil(reach[2])), min(image.height, math.ceil(reach[3]))
    if right <= left or bottom <= top:
        return
    mask = Image.new("L", ((right - left) * _OVERSAMPLING, (bottom - top) * _OVERSAMPLING))
    shape(ImageDraw.Draw(mask), lambda x, y: ((x - left) * _OVERSAMPLING, (y - top) * _OVERSAMPLING))
    image.paste(colour, (left, top, right, bottom), mask.reduce(_OVERSAMPLING))


def _nearest(value: float) -> int:
    """Return the whole px nearest to ``value``; halves go up, so that equal widths stay equal."""
    return math.floor(value + 0.5)


def _colour(colour: str) -> tuple[str, int]:
    """Return #rrggbb and the opacity (0..255) of #rrggbb or #rrggbbaa."""
    return colour[:7], int(colour[7:] or "ff", 16)


def _encoded(image: Image.Image) -> bytes:
    """Return the PNG of an RGB image with its rows unfiltered.

    Flat areas compress no better with filters, and trying five of them for each row takes Pillow's encoder longer than
    everything else here. Source: PNG specification, chunks and filter type 0.
    """
    pixels, row = memoryview(image.tobytes()), image.width * 3
    packer = zlib.compressobj(_COMPRESSION)
    packed = bytearray()
    for at in range(0, len(pixels), row):
        packed += packer.compress(_UNFILTERED)
        packed += packer.compress(pixels[at : at + row])
    packed += packer.flush()
    header = struct.pack(">IIBBBBB", image.width, image.height, *_EIGHT_BIT_RGB)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes | bytearray) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

"""A scene as PNG bytes: shapes are drawn at twice the size and reduced, texts at their own size with the bundled fonts.

Every call opens its own fonts and images, so pictures may be drawn in any thread.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .drawing import Layer, Line, Poly, Rect, Scene, Text

_FONTS = Path(__file__).parent / "fonts"
_FILES = {False: _FONTS / "DejaVuSans.ttf", True: _FONTS / "DejaVuSans-Bold.ttf"}
_ANCHORS = {"left": "ls", "middle": "ms", "right": "rs"}
_OVERSAMPLING = 2
_COMPRESSION = 3

_Fonts = dict[tuple[bool, float], ImageFont.FreeTypeFont]


def png(scene: Scene) -> bytes:
    """Return ``scene`` as an RGB PNG of its own size; tens of ms of one core, half of it the encoder.

    Raises: FileNotFoundError when the package was installed without its ``fonts`` folder.
    """
    fonts: _Fonts = {}
    scale = _OVERSAMPLING
    big = Image.new("RGB", (scene.width * scale, scene.height * scale))
    # Blending is slow on large areas, so it is left to the colours that carry an alpha.
    blending, plain = ImageDraw.Draw(big, "RGBA"), ImageDraw.Draw(big)
    texts: list[Text] = []
    for op in scene.ops:
        brush = blending if len(op.colour) == len("#rrggbbaa") else plain
        if isinstance(op, Rect):
            _rect(brush, op, scale)
        elif isinstance(op, Line):
            _line(brush, op, scale)
        elif isinstance(op, Poly):
            brush.polygon([(x * scale, y * scale) for x, y in op.points], fill=op.colour)
        elif op.layer == Layer.TEXT:
            texts.append(op)
        else:
            _text(brush, op, scale, fonts)
    small = big.reduce(scale)
    pen = ImageDraw.Draw(small)
    for text in texts:
        _text(pen, text, 1, fonts)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()


def _rect(brush: ImageDraw.ImageDraw, op: Rect, scale: int) -> None:
    left, top = round(op.x * scale), round(op.y * scale)
    # Pillow's corners are inclusive; a rectangle of no height would otherwise still paint a row.
    right, bottom = round((op.x + op.width) * scale) - 1, round((op.y + op.height) * scale) - 1
    if right < left or bottom < top:
        return
    if op.radius:
        brush.rounded_rectangle((left, top, right, bottom), op.radius * scale, fill=op.colour)
    else:
        brush.rectangle((left, top, right, bottom), fill=op.colour)


def _line(brush: ImageDraw.ImageDraw, op: Line, scale: int) -> None:
    width = max(1, round(op.width * scale))
    x1, y1, x2, y2 = (value * scale for value in (op.x1, op.y1, op.x2, op.y2))
    if op.dash is None:
        brush.line((x1, y1, x2, y2), fill=op.colour, width=width)
        return
    length = math.hypot(x2 - x1, y2 - y1)
    on, off = op.dash[0] * scale, op.dash[1] * scale
    start = 0.0
    while start < length:
        a, b = start / length, min(start + on, length) / length
        piece = (x1 + (x2 - x1) * a, y1 + (y2 - y1) * a, x1 + (x2 - x1) * b, y1 + (y2 - y1) * b)
        brush.line(piece, fill=op.colour, width=width)
        start += on + off


def _text(brush: ImageDraw.ImageDraw, op: Text, scale: int, fonts: _Fonts) -> None:
    key = (op.bold, op.size * scale)
    if key not in fonts:
        fonts[key] = ImageFont.truetype(_FILES[op.bold], op.size * scale)
    brush.text((op.x * scale, op.y * scale), op.text, font=fonts[key], fill=op.colour, anchor=_ANCHORS[op.anchor])

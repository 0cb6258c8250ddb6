"""A scene as an SVG text: the same operations as ``png`` draws, for pages and papers.

Fonts are asked for by name, since a page cannot count on ours; each text is told how wide it may be, so that labels
laid out for one font do not meet in another.
"""

from __future__ import annotations

from .advances import MeasureText, text_width
from .drawing import Line, Poly, Rect, Scene, Text, reads_from_the_right

FONTS = "'DejaVu Sans',Verdana,'Noto Sans','Noto Sans Arabic',sans-serif"
_ANCHORS = {"left": "start", "middle": "middle", "right": "end"}
# Where a text reads from the right, it starts at its right end.
_MIRRORED = {"left": "end", "middle": "middle", "right": "start"}
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_NO_XML = frozenset(map(chr, (*range(0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)))


def svg(scene: Scene, title: str = "", measure: MeasureText = text_width) -> str:
    """Return ``scene`` as one ``<svg>`` element that scales with its container.

    ``title`` says the picture in words for who cannot see it. ``measure``: the widths that the scene was laid out with.
    """
    size = f'viewBox="0 0 {scene.width} {scene.height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONTS}">']
    if title:
        parts.append(f"<title>{_escaped(title)}</title>")
    for op in scene.ops:
        if isinstance(op, Rect):
            parts.append(_rect(op))
        elif isinstance(op, Line):
            parts.append(_line(op))
        elif isinstance(op, Poly):
            parts.append(_poly(op))
        else:
            parts.append(_text(op, measure))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _rect(op: Rect) -> str:
    if op.width <= 0 or op.height <= 0:
        return ""
    radius = f' rx="{_number(op.radius)}"' if op.radius else ""
    place = f'x="{_number(op.x)}" y="{_number(op.y)}" width="{_number(op.width)}" height="{_number(op.height)}"'
    return f"<rect {place}{radius}{_paint('fill', op.colour)}/>"


def _line(op: Line) -> str:
    dash = f' stroke-dasharray="{_number(op.dash[0])} {_number(op.dash[1])}"' if op.dash else ""
    place = f'x1="{_number(op.x1)}" y1="{_number(op.y1)}" x2="{_number(op.x2)}" y2="{_number(op.y2)}"'
    return f'<line {place}{_paint("stroke", op.colour)} stroke-width="{_number(op.width)}"{dash}/>'


def _poly(op: Poly) -> str:
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in op.points)
    return f'<polygon points="{points}"{_paint("fill", op.colour)}/>'


def _text(op: Text, measure: MeasureText) -> str:
    from_right = reads_from_the_right(op.text)
    anchor = (_MIRRORED if from_right else _ANCHORS)[op.anchor]
    style = ' font-weight="bold"' if op.bold else ""
    if anchor != "start":
        style += f' text-anchor="{anchor}"'
    if from_right:
        style += ' direction="rtl"'  # stretching would pull joined letters apart, so its width is left alone
    elif op.text:
        style += f' textLength="{_number(measure(op.text, op.size, op.bold))}" lengthAdjust="spacingAndGlyphs"'
    place = f'x="{_number(op.x)}" y="{_number(op.y)}" font-size="{_number(op.size)}"'
    return f'<text {place}{style}{_paint("fill", op.colour)} xml:space="preserve">{_escaped(op.text)}</text>'


def _paint(what: str, colour: str) -> str:
    """Return the attributes of a colour #rrggbb or #rrggbbaa; older readers do not know the second form."""
    opacity = int(colour[7:] or "ff", 16) / 255
    faint = f' {what}-opacity="{_number(opacity)}"' if opacity < 1 else ""
    return f' {what}="{colour[:7]}"{faint}'


def _number(value: float) -> str:
    """Return ``value`` with at most two digits after the point."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _escaped(text: str) -> str:
    """Return ``text`` with its markup signs as entities and without the characters that no XML may hold."""
    return "".join(_SPECIAL.get(sign, sign) for sign in text if sign not in _NO_XML)

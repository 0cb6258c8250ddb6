"""Plain messages as Telegram takes them: escaped HTML, and pieces short enough to be sent."""

from __future__ import annotations

import html
import re

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
_CUT = "…"
_PRICE = re.compile(r"(?<=: )\d+(?:\.\d+)?(?=$| )", re.MULTILINE)


def as_html(text: str) -> str:
    """Return ``text`` with everything escaped, its first line bold and its prices (``Entry: 68790``) to be tapped.

    The text's own signs never become tags, so a symbol or an exchange's sentence can hold anything.
    """
    first, line, rest = text.partition("\n")
    marked = _PRICE.sub(lambda found: f"<code>{found[0]}</code>", html.escape(rest, quote=False))
    return f"<b>{html.escape(first, quote=False)}</b>{line}{marked}" if first else marked


def length_of(text: str) -> int:
    """Return a text's length as Telegram counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def sendable(text: str) -> str:
    """Return ``text`` without what no message can hold: lone surrogates and control characters but line breaks."""
    return "".join(one for one in text if one == "\n" or not (ord(one) < 32 or 0xD800 <= ord(one) <= 0xDFFF))


def pieces(text: str, longest: int = LONGEST_TEXT) -> list[str]:
    """Return ``text`` in pieces of at most ``longest`` units, parted between lines wherever a line fits."""
    parts: list[str] = []
    current = ""
    for line in text.split("\n"):
        for piece in _short(line, longest):
            joined = f"{current}\n{piece}" if current else piece
            if current and length_of(joined) > longest:
                parts.append(current)
                current = piece
            else:
                current = joined
    return [*parts, current] if current else parts


def shortened(text: str, longest: int = LONGEST_CAPTION) -> str:
    """Return ``text``, cut at ``longest`` units with a mark where it was longer."""
    return text if length_of(text) <= longest else next(iter(_short(text, longest - 1))) + _CUT


def _short(line: str, longest: int) -> list[str]:
    """Return a line in pieces of at most ``longest`` units; no character is torn."""
    if length_of(line) <= longest:
        return [line]
    parts: list[str] = []
    current: list[str] = []
    units = 0
    for one in line:
        width = 2 if ord(one) > 0xFFFF else 1
        if units + width > longest:
            parts.append("".join(current))
            current, units = [], 0
        current.append(one)
        units += width
    return [*parts, "".join(current)]

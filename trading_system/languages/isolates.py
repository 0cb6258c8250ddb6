"""Keeps what is written from left to right in order inside a text that is read from the right.

Signs, units and Latin letters beside Arabic ones change places unless they stand in an isolate, with no-break spaces
so that a line never ends inside one. Source: Unicode Standard Annex 9, directional isolates.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

ISOLATE, POP = "\u2066", "\u2069"
RIGHT_TO_LEFT = "\u200f"
"""An invisible letter that is read from the right: a line that begins with it is laid out from there."""
OPENING, CLOSING = "⟦", "⟧"
"""How a catalogue shows the two marks, which nobody can see."""

NO_BREAK_SPACE = "\u00a0"
_RUN = re.compile(f"({ISOLATE}[^{POP}]*{POP})")
_PLAIN_NUMBER = re.compile(r"\d[\d.,]*")
_FROM_THE_RIGHT = frozenset({"R", "AL"})
_SIGNS = frozenset("+-−±%#/")


def isolated(text: str, *, space: str = NO_BREAK_SPACE) -> str:
    """Return a run such as ``−1.73%`` or ``BTCUSDT`` in an isolate, with ``space`` for each blank of it.

    A plain number, a text that has letters read from the right, and one without letters, digits or signs (an emoji)
    keep their place without help and come back as they are.
    """
    if ISOLATE in text or _PLAIN_NUMBER.fullmatch(text) or _reads_from_the_right(text):
        return text
    if not any(character.isalnum() or character in _SIGNS for character in text):
        return text
    return ISOLATE + text.replace(" ", space) + POP


def filled(phrase: str, values: Mapping[str, object], *, space: str = NO_BREAK_SPACE) -> str:
    """Return ``phrase``, of a language that is read from the right, with each of ``values`` isolated where it needs it.

    Inside an isolate of the phrase's own the values stand bare. ``space`` stands for each blank inside an isolate: a
    plain one keeps a path or a command such that it can be copied. Raises: KeyError when a value is missing.
    """
    shown = {name: isolated(str(value), space=space) for name, value in values.items()}
    parts = []
    for part in _RUN.split(phrase):
        if part.startswith(ISOLATE):
            parts.append(part.format(**values).replace(" ", space))
        else:
            parts.append(part.format(**shown))
    return "".join(parts)


def with_marks(phrase: str) -> str:
    """Return a catalogue's phrase with the true marks in place of those that can be seen."""
    return phrase.replace(OPENING, ISOLATE).replace(CLOSING, POP)


def _reads_from_the_right(text: str) -> bool:
    return not text.isascii() and any(unicodedata.bidirectional(character) in _FROM_THE_RIGHT for character in text)

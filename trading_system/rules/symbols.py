"""Which texts can be symbols here: what file names, channels, client ids and pictures can all carry unchanged.

A list of symbols may also hold one choice in words, such as "top 200 by volume"; those beside it stay whatever it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_SYMBOL = re.compile("[A-Z0-9_]{1,40}")
_CHOICE = re.compile(r"top (\d+) by volume", re.IGNORECASE)
MOST_CHOSEN = 1_000


class SymbolError(ValueError):
    """A text that cannot be a symbol."""


def is_symbol(name: str) -> bool:
    """Tell whether ``name`` can be a symbol here; a few of the venues' own names are in other scripts."""
    return _SYMBOL.fullmatch(name) is not None


def checked_symbol(name: str) -> str:
    """Return ``name`` if it can be a symbol. Raises: SymbolError; other scripts are refused, never altered."""
    if not is_symbol(name):
        raise SymbolError(
            f"expected a symbol of capital letters and digits (A-Z, 0-9, _) such as BTCUSDT, was {name!r}; "
            "symbols of other scripts cannot be traded here yet"
        )
    return name


class Selection(NamedTuple):
    """The symbols of a line as they are written: ``names``, and how many beside them by volume, 0 for none."""

    names: tuple[str, ...]
    top: int = 0


def selection_of(words: Sequence[str]) -> Selection:
    """Return what ``words`` select. Raises: SymbolError in one sentence."""
    names: list[str] = []
    top = 0
    for word in words:
        choice = _CHOICE.fullmatch(word.strip())
        if choice is None and not is_symbol(word) and ("top" in word.lower() or " " in word):
            raise SymbolError(f'expected a symbol such as BTCUSDT, or "top 200 by volume", was {word!r}; write it so')
        if choice is None:
            names.append(checked_symbol(word))
        elif top or not 1 <= int(choice[1]) <= MOST_CHOSEN:
            raise SymbolError(f'expected one choice such as "top 200 by volume", of 1 to {MOST_CHOSEN}, was {word!r}')
        else:
            top = int(choice[1])
    if len(set(names)) != len(names):
        raise SymbolError(f"expected each symbol once, was {','.join(names)}")
    return Selection(tuple(names), top)

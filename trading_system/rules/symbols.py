"""Which texts can be symbols here: what file names, channels, client ids and pictures can all carry unchanged."""

from __future__ import annotations

import re

_SYMBOL = re.compile("[A-Z0-9_]{1,40}")


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

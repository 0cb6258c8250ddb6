"""What is asked of a venue about its symbols, whatever answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from trading_system.rules.grid import Instrument
from trading_system.venues.errors import VenueError

PASSING = (VenueError, RuntimeError)
"""What keeps a question from its answer for now."""


class SymbolSource(Protocol):
    """Where a symbol is looked up that the line does not trade yet."""

    async def instrument(self, symbol: str) -> Instrument:
        """Return the record of ``symbol``. Raises: NoSuchSymbolError; for what may pass another of ``PASSING``."""

    async def traded(self) -> Mapping[str, Instrument]:
        """Return every symbol that is traded now with its grids. Raises: one of ``PASSING``."""

    async def most_traded(self, count: int) -> Sequence[str]:
        """Return the symbols with the largest 24 h volume in quote currency, the largest first."""

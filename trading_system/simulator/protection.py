"""How long positions were without a stop of their whole size, and whether the market moved meanwhile.

Times are wall time. It measures; what a client should have done about it is the client's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trading_system.rules.matching import OrderType
from trading_system.simulator.books import Book


class ProtectionWatch:
    """Looks at the books at every request and at every move of the market."""

    def __init__(self, books: Mapping[str, Book], wall_ms: Callable[[], int]) -> None:
        self._books = books
        self._wall_ms = wall_ms
        self._bare_since: dict[str, int] = {}
        self._protected: set[str] = set()
        self.waits_ms: list[int] = []
        """For each position, ms from the fill that opened it until a stop of its whole size was live."""
        self.gaps = 0
        """How often a position that had such a stop was without one afterwards."""
        self.bare_moves = 0
        """How often the market was moved while a position had none."""

    def look(self) -> None:
        """See how every position stands now; called when a request is answered and when the market has moved."""
        for symbol, book in self._books.items():
            if not book.position.side:
                self._bare_since.pop(symbol, None)
                self._protected.discard(symbol)
            elif _is_protected(book):
                since = self._bare_since.pop(symbol, None)
                if since is not None and symbol not in self._protected:
                    self.waits_ms.append(self._wall_ms() - since)
                self._protected.add(symbol)
            elif symbol not in self._bare_since:
                self._bare_since[symbol] = self._wall_ms()
                self.gaps += symbol in self._protected

    def before_move(self) -> None:
        """Count the positions that the market is about to meet without a stop."""
        self.bare_moves += len(self._bare_since)

    def said(self) -> dict[str, Any]:
        """Return the three figures by name."""
        return {"waits_ms": self.waits_ms, "gaps": self.gaps, "bare_moves": self.bare_moves}


def _is_protected(book: Book) -> bool:
    """Tell whether one stop, or one exit at market, takes the whole position; smaller ones may not all be reached."""
    position = book.position
    return any(
        order.type in (OrderType.STOP, OrderType.MARKET)
        and order.side == -position.side
        and (order.close_position or order.quantity >= position.held)
        for order in book.open.values()
    )

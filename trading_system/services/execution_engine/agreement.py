"""Lets the venue hold what the books want, and the books answer to what the venue refuses, until both agree."""

from __future__ import annotations

import logging

from trading_system.services.execution_engine.books import Books
from trading_system.services.execution_engine.journal import Journal
from trading_system.services.execution_engine.reconcile import Reconciler

log = logging.getLogger(__name__)

OUTCOMES_A_STEP = 20


class Agreement:
    """Between the books of one account and its venue. ``open`` are the places at which they do not agree yet."""

    def __init__(self, books: Books, journal: Journal, reconciler: Reconciler) -> None:
        """Keep both sides."""
        self._books = books
        self._journal = journal
        self._reconciler = reconciler
        self.open: set[int] = set()

    async def reach(self, place: int, time: int) -> None:
        """Make the venue agree with what should rest for a symbol; ``time`` closes the running step.

        Raises: NoAgreementError; VenueError when the venue cannot be read.
        """
        books = self._books
        symbol = books.terms.instruments[place].symbol
        for _ in range(OUTCOMES_A_STEP):
            outcome = await self._reconciler.reconcile(symbol, books.orders_of(place))
            if outcome.stop_passed or outcome.unprotectable:
                books.unplace(place, self._journal.live(symbol))
                books.leave(place, time)
            elif outcome.entry_refused is not None:
                log.warning("%s: the venue refused the entry: %s", symbol, outcome.entry_refused)
                books.unplace(place, self._journal.live(symbol))
                books.drop_entry(place, "venue_refused")
            elif not outcome.entry_not_placed:
                if outcome.refused or outcome.unsettled:  # not as wanted yet: the next step asks again
                    self.open.add(place)
                else:
                    self.open.discard(place)
                return
        raise NoAgreementError(symbol, OUTCOMES_A_STEP)


class NoAgreementError(RuntimeError):
    """The venue and the account do not come to agree."""

    def __init__(self, symbol: str, attempts: int) -> None:
        super().__init__(
            f"{symbol}: expected the venue to hold the wanted orders, was still different after {attempts} attempts; "
            "the line stops, orders and stops at the venue stay; look at the venue's own order list"
        )

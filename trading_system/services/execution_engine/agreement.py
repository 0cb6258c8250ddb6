"""Lets the venue hold what the books want, and the books answer to what the venue refuses, until both agree."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum, auto

from trading_system.rules.changed_grid import on_grid
from trading_system.rules.client_ids import canonical_id
from trading_system.rules.grid import text_of
from trading_system.rules.matching import Order, Role
from trading_system.rules.trade import Trade
from trading_system.services.execution_engine.books import Books
from trading_system.services.execution_engine.doubts import Doubts
from trading_system.services.execution_engine.journal import LIVE, Journal, State
from trading_system.services.execution_engine.reconcile import Reconciler

log = logging.getLogger(__name__)

OUTCOMES_A_STEP = 20


class Left(Enum):
    """What is left at the venue when no entry may wait."""

    NOTHING = auto()
    POSITIONS = auto()
    UNSETTLED = auto()


class Agreement:
    """Between the books of one account and its venue. ``open`` are the places at which they do not agree yet."""

    def __init__(self, books: Books, journal: Journal, reconciler: Reconciler, doubts: Doubts) -> None:
        """Keep both sides, and who knows on which grids the venue trades."""
        self._doubts = doubts
        self._books = books
        self._journal = journal
        self._reconciler = reconciler
        self.open: set[int] = set()
        self._remainders: set[str] = set()  # orders of which it is said what they leave open

    async def reach(self, place: int, time: int) -> None:
        """Make the venue agree with what should rest for a symbol; ``time`` closes the running step.

        Raises: NoAgreementError; VenueError when the venue cannot be read.
        """
        books = self._books
        symbol = books.terms.instruments[place].symbol
        doubts = True
        for _ in range(OUTCOMES_A_STEP):
            wanted, protection = self._on_the_venues_grid(symbol, place), books.protection_of(place)
            outcome = await self._reconciler.reconcile(symbol, wanted, protection, doubts=doubts)
            if outcome.doubted:
                doubts = await self._doubts.has_new_grid(symbol)  # else there is nothing to doubt: it is asked on
            elif outcome.stop_passed or outcome.unprotectable:
                books.unplace(place, self._journal.live(symbol))
                books.leave(place, time)
            elif outcome.entry_refused is not None:
                log.warning("%s: the venue refused the entry: %s", symbol, outcome.entry_refused)
                self._doubts.about(symbol)
                books.unplace(place, self._journal.live(symbol))
                books.drop_entry(place, "venue_refused")
            elif outcome.entry_filled_late and books.is_entering(place):  # the slot is its trade's, not the new one's
                books.unplace(place, self._journal.live(symbol))
                books.drop_entry(place, "slot_taken")
            elif not outcome.entry_not_placed:
                if outcome.refused or outcome.unsettled or outcome.flat:  # not as wanted yet: the next step asks again
                    self.open.add(place)
                else:
                    self.open.discard(place)
                return
        raise NoAgreementError(symbol, OUTCOMES_A_STEP)

    def _on_the_venues_grid(self, symbol: str, place: int) -> Sequence[Order]:
        """Return what should rest; what does not rest yet is placed on the grids that the venue has by now."""
        orders, changed = self._books.orders_of(place), self._doubts.changed(symbol)
        if changed is None:
            return orders
        live = self._journal.live(symbol)
        wanted = []
        for order in orders:
            if order.role == Role.ENTRY or any(have.is_for(order) for have in live):
                wanted.append(order)
                continue
            placed = on_grid(order, changed)
            if placed.quantity:
                wanted.append(placed)
            if placed.quantity < order.quantity and order.role != Role.TARGET:
                self._say_remainder(symbol, order, placed.quantity)
        return wanted

    def _say_remainder(self, symbol: str, order: Order, covered: float) -> None:
        if order.id not in self._remainders:
            self._remainders.add(order.id)
            log.warning(
                "%s: expected a stop or an exit for %s, was possible for %s only, for the venue has a coarser step by "
                "now; close what remains at the venue by hand",
                symbol,
                text_of(order.quantity),
                text_of(covered),
            )

    def unprotected(self) -> list[str]:
        """Return the symbols of positions whose whole size no stop covers that the venue has acknowledged.

        Where the entry has brought its stop, a position is bare only once that stop, or a later one, has ended.
        """
        books = self._books
        return [
            one.symbol
            for one, slot in zip(books.terms.instruments, books.account.slots, strict=True)
            if slot.trade is not None
            and not slot.trade.waiting
            and not any(
                order.name == "s" and order.state == State.ACKED and order.quantity >= slot.trade.held
                for order in self._journal.live(one.symbol)
            )
            and not (self._reconciler.record.born_protected and not self._has_ended(slot.trade))
        ]

    def _has_ended(self, trade: Trade) -> bool:
        """Tell whether the venue refused or ended the newest stop of ``trade``."""
        newest = self._journal.newest(canonical_id(trade.plan.id, "s"))
        return newest is not None and newest.state not in LIVE

    async def without_entries(self) -> Left:
        """Take back every entry that waits at the venue, whatever the books want. Raises: VenueError."""
        left = Left.NOTHING
        for slot, instrument in zip(self._books.account.slots, self._books.terms.instruments, strict=True):
            if slot.trade is None:
                continue
            outcome = await self._reconciler.reconcile(instrument.symbol, ()) if slot.trade.waiting else None
            if outcome is not None and outcome.unsettled:
                left = Left.UNSETTLED
            elif (outcome is None or outcome.awaited) and left == Left.NOTHING:
                left = Left.POSITIONS  # one that filled first: the fill is on its way and gets its stop
        return left

    def give_up_entry(self, place: int, age_s: float) -> None:
        """Refuse an entry that could not go out in its step because the store was away; one that did go out stays."""
        books = self._books
        if self._journal.newest(books.orders_of(place)[0].id) is not None:
            self.open.add(place)
            return
        books.unplace(place, self._journal.live(books.terms.instruments[place].symbol))
        books.drop_entry(place, "signal_stale", {"age_s": age_s})


class NoAgreementError(RuntimeError):
    """The venue and the account do not come to agree."""

    def __init__(self, symbol: str, attempts: int) -> None:
        super().__init__(
            f"{symbol}: expected the venue to hold the wanted orders, was still different after {attempts} attempts; "
            "the line stops, orders and stops at the venue stay; look at the venue's own order list"
        )

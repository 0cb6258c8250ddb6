"""Makes the venue agree with the orders that should rest: the same on the normal, the restart and the error path.

Which orders should rest is said by ``rules/trade.py``; this file only closes the difference, protection first. Every
order is in the journal before it is sent, is sent once, and a lost answer is resolved by proof (``unknown_orders.py``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from trading_system.rules.matching import Order, Role
from trading_system.venues.clock import Clock
from trading_system.venues.errors import NothingToReduceError, NotTakenError, RefusedError, StopPassedError, VenueError
from trading_system.venues.port import OrderChanged, Venue, VenueOrder, VenueRecord

from .journal import LIVE, UNRESOLVED, Journal, JournalOrder, State
from .points import Point, Reached, unwatched
from .unknown_orders import ENDS, UnknownOrders

log = logging.getLogger(__name__)

ENTRY_WAITS_S = 60.0  # for a venue that wants to be left alone; what it would enter then is no news any more
ATTEMPTS = {Role.ENTRY: 3, Role.TARGET: 3, Role.STOP: 6, Role.EXIT: 6}
CANCEL_ATTEMPTS = 6
MOST_UNKNOWN_STOPS = 4  # stops beside each other whose answers were lost; then the position must be left
UNWRITTEN = "not sent, as the journal's disk takes no more"
ENDED = frozenset({State.REJECTED, State.CANCELLED, State.EXPIRED})
BACK_OFF_S = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass
class Outcome:
    """What the trade must answer to; everything at its default means that the venue agrees."""

    stop_passed: bool = False
    """Price is beyond the stop already: the trade must leave at market."""
    unprotectable: bool = False
    """The venue refused every form of the stop: the trade must leave at market."""
    entry_refused: tuple[int, str] | None = None
    """The venue's code and words; the entry is never sent again, and this is said again when it is still desired."""
    entry_filled_late: bool = False
    """An entry that nobody wants any more has filled: no other one is sent before its fill is booked."""
    entry_not_placed: bool = False
    """The entry is proven not to have arrived; if it is still desired next time, it is sent anew."""
    flat: bool = False
    """A reduce-only order found nothing to reduce and there is no position: the fills that say so are on their way."""
    awaited: tuple[str, ...] = ()
    """Orders that the venue says are filled, and whose fills are not booked yet."""
    refused: tuple[tuple[str, int, str], ...] = ()
    """Targets and exits that the venue keeps refusing: (client id, code, words)."""
    doubts: bool = False
    """Whether the first refusal of anything but an entry ends the call, so that the symbol's record is read again."""
    doubted: bool = False
    """There was such a refusal."""
    unsettled: tuple[str, ...] = ()
    """Orders that should be gone or known and are not yet; the next call goes on with them."""


class _Standing(Enum):
    """How an order that is desired stands after we have done what we could."""

    LIVE = auto()
    FILLED = auto()
    MISSING = auto()


class Reconciler:
    """Makes one venue agree, symbol by symbol; calls for one symbol wait for each other."""

    def __init__(
        self, journal: Journal, venue: Venue, record: VenueRecord, clock: Clock, reached: Reached = unwatched
    ) -> None:
        self._reached = reached
        self._journal = journal
        self._venue = venue
        self._record = record
        self._clock = clock
        self._unknown = UnknownOrders(journal, venue, record, clock)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._refreshed: set[str] = set()
        self.in_flight = 0
        self.answers_lost: list[str] = []  # orders whose sending got no answer in this life

    @property
    def unknown(self) -> int:
        """How many orders wait for proof."""
        return self._journal.unknown

    @property
    def record(self) -> VenueRecord:
        """The constants of the venue."""
        return self._record

    def live_ids(self, symbol: str) -> frozenset[str]:
        """Return the names, without generation, of the orders that the venue has for us."""
        return frozenset(order.canonical for order in self._journal.live(symbol) if order.state == State.ACKED)

    def changed(self, event: OrderChanged) -> bool:
        """Write what the user stream says of an order.

        Returns True when an order of ours ended and we did not know: whoever hears this reconciles the symbol again.
        """
        order = self._journal.order(event.client_id)
        if order is None or order.state not in LIVE:
            return False
        if order.state in UNRESOLVED or event.status in ENDS:
            self._unknown.believe(event.client_id, event)
        return event.status in ENDS

    async def refresh(self, symbol: str) -> None:
        """Find out which acknowledged orders ended unseen, e.g. while the user stream was cut. Raises: VenueError."""
        async with self._turns[symbol]:
            await self._unknown.refresh(symbol)

    async def reconcile(
        self, symbol: str, desired: Sequence[Order], protection: float = 0.0, *, doubts: bool = False
    ) -> Outcome:
        """Make what rests at the venue for ``symbol`` be ``desired``, which is sent in its own order, the stop first.

        protection: the price of the stop of the position that an entry among them opens; a venue may take it along.
        doubts: see ``Outcome``.
        The first call for a symbol also finds out what happened to its orders while nobody looked.
        Raises: VenueError when that, or a position that must be known, cannot be read.
        """
        async with self._turns[symbol]:
            if symbol not in self._refreshed:
                if self._journal.live(symbol):
                    await self._unknown.refresh(symbol)
                    self._reached(Point.DURING_RECONCILE)
                self._refreshed.add(symbol)
            outcome = Outcome(doubts=doubts)
            await self._agree(symbol, desired, protection, outcome)
            return outcome

    async def _agree(self, symbol: str, desired: Sequence[Order], protection: float, outcome: Outcome) -> None:
        is_flat = not desired or desired[0].role == Role.ENTRY
        for stale in self._surplus(symbol, desired):
            # An entry must not fill once nobody wants it, and nothing of an old trade may meet a new position. What
            # is left of an entry that filled in part waits until that part has its stop.
            if is_flat:
                await self._remove(stale, outcome, limit_ms=None)
                outcome.entry_filled_late |= stale.role == Role.ENTRY and stale.client_id in outcome.awaited
        protected = False
        for order in desired:
            if order.role == Role.ENTRY and (outcome.unsettled or outcome.entry_filled_late):
                return
            if order.role == Role.TARGET and not protected:
                continue
            standing = await self._have(symbol, order, protection, outcome)
            self._reached(Point.DURING_RECONCILE)
            if outcome.stop_passed or outcome.unprotectable or outcome.doubted:
                return
            if order.role == Role.STOP:
                protected = standing == _Standing.LIVE
        if is_flat:
            return
        for stale in self._surplus(symbol, desired):
            if stale.role != Role.STOP or protected:  # a stop stays until its successor is live or the position gone
                await self._remove(stale, outcome, limit_ms=self._record.protect_after_ms)

    def _surplus(self, symbol: str, desired: Sequence[Order]) -> list[JournalOrder]:
        """Return the live orders that nobody wants: not desired at all, or a second one where one is desired."""
        live = self._journal.live(symbol)
        kept = {keeper.client_id for order in desired if (keeper := _keeper(live, order)) is not None}
        return [have for have in live if have.client_id not in kept]

    async def _have(self, symbol: str, order: Order, protection: float, outcome: Outcome) -> _Standing:
        """See to it that ``order`` is at the venue."""
        keeper = _keeper(self._journal.live(symbol), order)
        if keeper is not None:
            standing = await self._standing(keeper, outcome)
            if standing != _Standing.MISSING or outcome.entry_not_placed:
                return standing
        newest = self._journal.newest(order.id)
        if newest is not None and newest.is_for(order) and newest.state == State.FILLED:
            outcome.awaited += (newest.client_id,)
            return _Standing.FILLED
        if order.role == Role.ENTRY and newest is not None and newest.state in ENDED:
            outcome.entry_refused = (newest.code, newest.reason)
            return _Standing.MISSING
        for have in self._journal.live(symbol):
            # Another size of the same order goes first, so that both never rest together; a stop is replaced instead.
            if have.canonical == order.id and order.role != Role.STOP:
                await self._remove(have, outcome, limit_ms=None)
                if have.client_id in outcome.awaited:  # it filled whole meanwhile
                    return _Standing.FILLED
        taken_back = self._journal.taken_back(order)
        if taken_back:  # a venue that answers first and decides afterwards
            outcome.flat = await self._is_flat(symbol)
            if outcome.flat:
                return _Standing.MISSING
            await self._clock.sleep(_back_off(taken_back))
        return await self._place(symbol, order, protection, outcome)

    async def _place(self, symbol: str, order: Order, protection: float, outcome: Outcome) -> _Standing:
        """Send ``order``, in new generations until one is live or the venue's answers end it."""
        refusals: list[tuple[str, int, str]] = []
        while len(refusals) < ATTEMPTS[order.role]:
            sent, error = await self._send(symbol, order, protection)
            if isinstance(error, StopPassedError) and order.role != Role.ENTRY:
                outcome.stop_passed = True
                return _Standing.MISSING
            if error is None:
                standing = await self._standing(sent, outcome)
                if standing != _Standing.MISSING or outcome.entry_not_placed:
                    return standing
                sent = self._journal.order(sent.client_id) or sent
                if sent.state in UNRESOLVED and len(self._journal.unresolved(symbol)) >= MOST_UNKNOWN_STOPS:
                    break
                if sent.state not in ENDED:
                    continue
            refusals.append((sent.client_id, sent.code, sent.reason))
            log.warning("%s: the venue refused %s: %s %s", symbol, *refusals[-1])
            outcome.doubted = outcome.doubts and _may_be_of_another_grid(order, error)
            if outcome.doubted:
                return _Standing.MISSING
            if order.role == Role.ENTRY and not (isinstance(error, NotTakenError) and error.wait_s <= ENTRY_WAITS_S):
                break  # after a longer wait the signal would be another one
            if isinstance(error, NothingToReduceError) or order.role == Role.EXIT:
                outcome.flat = await self._is_flat(symbol)
                if outcome.flat:
                    return _Standing.MISSING
            if len(refusals) < ATTEMPTS[order.role]:
                wait = error.wait_s if isinstance(error, NotTakenError) else 0.0
                await self._clock.sleep(max(wait, _back_off(len(refusals))))
        if order.role == Role.STOP:
            outcome.unprotectable = True
        elif order.role == Role.ENTRY:
            outcome.entry_refused = refusals[-1][1:]
        else:
            outcome.refused += (refusals[-1],)
        return _Standing.MISSING

    async def _send(self, symbol: str, order: Order, protection: float) -> tuple[JournalOrder, RefusedError | None]:
        """Write a new generation of ``order`` into the journal, then send it, once."""
        generation = self._journal.generation_for(order.id[2:-1], order.id[-1])
        now = self._clock.wall_ms()
        fence = now + self._unknown.fence_of(order.type)
        meant = self._journal.intend(order, symbol, generation, created_ms=now, fence_at_ms=fence)
        if order.role == Role.ENTRY and self._journal.lost:
            self._journal.refused(meant.client_id, 0, UNWRITTEN)
            return self._journal.order(meant.client_id) or meant, RefusedError(0, UNWRITTEN)
        self._pass(order, Point.AFTER_INTENT, None)
        carried = protection if order.role == Role.ENTRY else 0.0
        wire = VenueOrder(meant.client_id, symbol, order.role, *order[2:6], carried)
        refusal: RefusedError | None = None
        self.in_flight += 1
        try:
            ack = await self._venue.place(wire, now)
            self._pass(order, Point.AFTER_SEND, Point.AFTER_STOP_SEND)
            self._journal.acked(meant.client_id, ack.venue_id)
            self._pass(order, Point.AFTER_ACKNOWLEDGEMENT, Point.AFTER_STOP_ACKNOWLEDGEMENT)
        except RefusedError as error:
            self._journal.refused(meant.client_id, error.code, error.message)
            refusal = error
        except VenueError as error:
            self._journal.unknown_outcome(meant.client_id, str(error))
            self.answers_lost.append(meant.client_id)
        finally:
            self.in_flight -= 1
        return self._journal.order(meant.client_id) or meant, refusal

    def _pass(self, order: Order, entry: Point | None, stop: Point | None) -> None:
        point = {Role.ENTRY: entry, Role.STOP: stop}.get(order.role)
        if point is not None:
            self._reached(point)

    async def _standing(self, order: JournalOrder, outcome: Outcome) -> _Standing:
        """Return how an order of the journal stands, looking it up if its answer was lost."""
        limit = self._record.protect_after_ms if order.role == Role.STOP else None
        if order.state in UNRESOLVED:
            order = await self._unknown.resolve(order, limit_ms=limit)
        if order.state == State.ACKED:
            return _Standing.LIVE
        if order.state == State.FILLED:
            outcome.awaited += (order.client_id,)
            return _Standing.FILLED
        if order.state == State.NOT_PLACED and order.role == Role.ENTRY:
            outcome.entry_not_placed = True
        return _Standing.MISSING

    async def _remove(self, order: JournalOrder, outcome: Outcome, limit_ms: int | None) -> None:
        """Take ``order`` off the venue, or learn how it ended."""
        for attempt in range(CANCEL_ATTEMPTS):
            if order.state in UNRESOLVED:
                order = await self._unknown.resolve(order, limit_ms=limit_ms)
            if order.state == State.FILLED:
                outcome.awaited += (order.client_id,)
            if order.state != State.ACKED:
                break
            if attempt:
                await self._clock.sleep(_back_off(attempt))
            await self._cancel(order)
            order = self._journal.order(order.client_id) or order
        if order.state in LIVE:
            outcome.unsettled += (order.client_id,)

    async def _cancel(self, order: JournalOrder) -> None:
        """Ask once to cancel, and write what came of it."""
        if order.role != Role.ENTRY:
            self._reached(Point.BEFORE_SIBLING_CANCEL)
        self.in_flight += 1
        try:
            await self._venue.cancel(order.symbol, order.client_id, order.type)
            self._journal.settled(order.client_id, State.CANCELLED)
        except NotTakenError as error:
            await self._clock.sleep(error.wait_s)
        except RefusedError as error:
            log.warning("%s: the venue refused to cancel %s: %s", order.symbol, order.client_id, error)
        except VenueError:
            await self._look_again(order)  # gone already, or the answer was lost: what is true of the order now?
        finally:
            self.in_flight -= 1

    async def _look_again(self, order: JournalOrder) -> None:
        try:
            if await self._unknown.look_up(order) is None:
                self._journal.unknown_outcome(order.client_id, "neither to be cancelled nor to be found")
        except VenueError as error:
            log.warning("%s cannot be looked up now (%s)", order.client_id, error)

    async def _is_flat(self, symbol: str) -> bool:
        """Tell whether the venue holds no position; one that cannot be read is not known to be flat."""
        try:
            return (await self._venue.position(symbol)).quantity == 0
        except VenueError as error:
            log.warning("%s: the position cannot be read now (%s)", symbol, error)
            return False


def _keeper(live: Sequence[JournalOrder], order: Order) -> JournalOrder | None:
    """Return the live order that stands for ``order``: one that the venue has acknowledged before one it may have."""
    matching = [have for have in live if have.is_for(order)]
    return min(matching, key=lambda have: have.state != State.ACKED, default=None)


def _may_be_of_another_grid(order: Order, error: RefusedError | None) -> bool:
    """Tell whether a refusal may be about price or size of ``order``: the position, load or market is not why."""
    otherwise = isinstance(error, NothingToReduceError | NotTakenError)
    return error is not None and not otherwise and order.role != Role.ENTRY


def _back_off(refusals: int) -> float:
    return BACK_OFF_S[min(refusals, len(BACK_OFF_S)) - 1]

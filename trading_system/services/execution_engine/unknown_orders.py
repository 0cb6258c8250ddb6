"""Orders whose answer was lost: looked up until the venue's word settles them.

No counter and no timer ends this. NOT_PLACED takes a proof: the request can no longer arrive (its fence has passed),
and after that the venue did not find the order twice, some time apart, has it in no list and has no trade of it.
"""

from __future__ import annotations

import logging

from trading_system.rules.matching import OrderType, Role
from trading_system.venues.clock import Clock
from trading_system.venues.errors import VenueError
from trading_system.venues.port import OrderChanged, OrderState, OrderStatus, Venue, VenueRecord

from .journal import UNRESOLVED, Journal, JournalOrder, State

log = logging.getLogger(__name__)

FIRST_WAIT_MS = 500
LONGEST_WAIT_MS = 10_000

ENDS = {
    OrderStatus.FILLED: State.FILLED,
    OrderStatus.CANCELLED: State.CANCELLED,
    OrderStatus.REJECTED: State.REJECTED,
    OrderStatus.EXPIRED: State.EXPIRED,
}


class UnknownOrders:
    """Looks orders up at one venue and writes into the journal what it says of them."""

    def __init__(self, journal: Journal, venue: Venue, record: VenueRecord, clock: Clock) -> None:
        self._journal = journal
        self._venue = venue
        self._record = record
        self._clock = clock

    def fence_of(self, kind: OrderType) -> int:
        """Return how long after its stamp a request can still arrive or be invisible, in ms."""
        return self._record.algo_fence_ms if kind == OrderType.STOP else self._record.fence_ms

    def believe(self, client_id: str, said: OrderState | OrderChanged) -> None:
        """Write the venue's own word about an order of the journal.

        An entry of which a part had executed when it ended has filled with that part: its trade may still be on its
        way, and until it is booked it is not known whether there is a position.
        """
        status, venue_id = said.status, said.venue_id
        if status in ENDS:
            words = f"the venue says {status}: {said.reason}" if said.reason else f"the venue says {status}"
            order = self._journal.order(client_id)
            in_part = said.filled > 0 and order is not None and order.role == Role.ENTRY
            self._journal.settled(client_id, State.FILLED if in_part else ENDS[status], words)
        else:
            self._journal.acked(client_id, venue_id)

    async def look_up(self, order: JournalOrder) -> OrderState | None:
        """Ask the venue once and write what it says; None when it does not find the order, which proves nothing."""
        found = await self._venue.order(order.symbol, order.client_id, order.type)
        if found is not None:
            self.believe(order.client_id, found)
        return found

    async def resolve(self, order: JournalOrder, *, limit_ms: int | None = None) -> JournalOrder:
        """Look ``order`` up until it is settled, and return it as it stands then.

        limit_ms: give up (the order stays UNKNOWN) after so long, but only once the venue's lists have been read and
        do not hold it; for protection, which must not wait for a long fence.
        """
        if order.state == State.INTENT:
            self._journal.unknown_outcome(order.client_id, order.reason or "no answer is known")
        began = self._clock.wall_ms()
        wait = FIRST_WAIT_MS
        missed_at: int | None = None  # answer time of the first not-found that was asked for after the fence
        while True:
            asked_at = self._clock.wall_ms()
            now = self._current(order)
            if now.state not in UNRESOLVED:
                return now
            try:
                found = await self.look_up(now)
                if found is not None:
                    continue
                if asked_at >= order.fence_at_ms:
                    if missed_at is None:
                        missed_at = self._clock.wall_ms()
                    elif asked_at - missed_at >= self._record.not_found_gap_ms and not await self._is_listed(order):
                        self._prove_absent(order)
                        continue
                if limit_ms is not None and asked_at - began >= limit_ms and not await self._is_listed(order):
                    return self._current(order)
            except VenueError as error:
                log.warning("%s cannot be looked up now (%s); asking again", order.client_id, error)
            moments = [order.fence_at_ms]
            moments += [missed_at + self._record.not_found_gap_ms] if missed_at is not None else []
            moments += [began + limit_ms] if limit_ms is not None else []
            await self._wait(wait, moments)
            wait = min(wait * 2, LONGEST_WAIT_MS)

    async def refresh(self, symbol: str) -> None:
        """Read what rests at the venue and settle acknowledged orders that no longer do.

        For a start and after the user stream was cut: fills are read by the caller, other ends are found here. Where
        none is acknowledged nothing is asked: the list could tell nothing of an order that the venue never confirmed.
        Raises: VenueError when the venue cannot be read; nothing is concluded then.
        """
        if not any(order.state == State.ACKED for order in self._journal.live(symbol)):
            return
        listed = {state.client_id for state in await self._venue.open_orders(symbol)}
        for order in self._journal.live(symbol):
            if order.state != State.ACKED or order.client_id in listed:
                continue
            if await self.look_up(order) is None:
                self._journal.unknown_outcome(order.client_id, "acknowledged, but no longer shown")

    async def _is_listed(self, order: JournalOrder) -> bool:
        """Tell whether the venue's lists or trades know the order that a query did not find."""
        for state in await self._venue.open_orders(order.symbol):
            if state.client_id == order.client_id:
                self.believe(order.client_id, state)
                return True
        for fill in await self._venue.fills(order.symbol, self._journal.unread(order.symbol)):
            if fill.client_id == order.client_id:
                self._journal.settled(order.client_id, State.FILLED, "the venue has a trade of it")
                return True
        return False

    def _prove_absent(self, order: JournalOrder) -> None:
        if order.venue_id:  # it was there once
            self._journal.settled(order.client_id, State.EXPIRED, "the venue no longer knows it, unfilled")
        else:
            self._journal.settled(order.client_id, State.NOT_PLACED, "not found twice after its fence, no trade")

    async def _wait(self, wait: int, moments: list[int]) -> None:
        """Wait ``wait`` ms, but no longer than to the next of the ``moments`` from which on an answer counts."""
        now = self._clock.wall_ms()
        wait = min([wait, *(moment - now for moment in moments if moment > now)])
        await self._clock.sleep(wait / 1000)

    def _current(self, order: JournalOrder) -> JournalOrder:
        now = self._journal.order(order.client_id)
        return order if now is None else now

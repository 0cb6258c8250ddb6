"""What the venue's user stream says, answered in its order: fills are booked, orders that ended are made good.

After every connection what it may have missed is read. As long as the past is done again nothing is answered: fills
wait for their own minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from trading_system.rules.matching import Role
from trading_system.services.execution_engine.agreement import Agreement
from trading_system.services.execution_engine.books import Books
from trading_system.services.execution_engine.held_fills import HeldFills
from trading_system.services.execution_engine.joining import Membership
from trading_system.services.execution_engine.journal import Journal, JournalFill
from trading_system.services.execution_engine.points import Point, Reached
from trading_system.services.execution_engine.reconcile import Reconciler
from trading_system.services.execution_engine.steps import step_close
from trading_system.venues.errors import VenueError
from trading_system.venues.port import OrderChanged, StreamCut, StreamUp, UserEvent, Venue, VenueFill

log = logging.getLogger(__name__)

RETRY_S = 1.0


class VenueEvents:
    """Of one account. ``rejoined``: the past has been done again, and from now on the venue is made to agree.

    ``now`` returns the close of the step that is being played (ms UTC), ``wake`` is called when something waits here.
    """

    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        books: Books,
        held: HeldFills,
        members: Membership,
        reconciler: Reconciler,
        agreement: Agreement,
        *,
        now: Callable[[], int],
        wake: Callable[[], None],
        reached: Reached,
    ) -> None:
        """Keep who hears, and who answers."""
        self._venue = venue
        self._journal = journal
        self._books = books
        self._held = held
        self._members = members
        self._reconciler = reconciler
        self._agreement = agreement
        self._now = now
        self._wake = wake
        self._reached = reached
        self._waiting: deque[UserEvent] = deque()
        self.rejoined = False

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    async def listen(self) -> None:
        """Let every event of the user stream wait for its turn."""
        async for event in self._venue.user_events():
            self._take_in(event)

    async def answer_next(self) -> None:
        """Answer the event that waits longest."""
        await self.answer(self._waiting.popleft())

    async def answer(self, event: UserEvent) -> None:
        """Do what follows from an event. Raises: UnexpectedFillError; NoAgreementError; VenueError."""
        if isinstance(event, VenueFill):
            await self._on_fill(event)
        elif isinstance(event, StreamUp):
            await self._look_around(event)
        elif isinstance(event, OrderChanged):
            if self._reconciler.changed(event) and self.rejoined:  # it ended without our doing
                await self._agreement.reach(self._books.place(event.symbol), self._now())
                if event.filled:  # and its trades may have been missed, not only overtaken
                    asyncio.get_running_loop().call_later(RETRY_S, self._take_in, StreamUp())
        elif isinstance(event, StreamCut):
            log.warning("user stream: %s", event.reason)

    async def rejoin(self, step: int) -> None:
        """Book the fills of the running minute and make the venue agree, unless the past must be done again first.

        The store may have lost steps that an earlier life has acted on. What rested then is gone or filled by now:
        until their last one is closed again nothing is sent, and fills wait for their own minute.
        step: the account's last one.
        """
        if step < self._journal.acted_step or self._held.last_time >= self._now():
            return
        for fill in self._held.take():
            self._book(fill)
        for place in self._members.places():
            await self._agreement.reach(place, self._now())
        self.rejoined = True

    def book_before(self, time: int) -> None:
        """Book the fills that wait and happened before ``time`` (ms UTC)."""
        for fill in self._held.take_before(time):
            self._book(fill)

    def _take_in(self, event: UserEvent) -> None:
        self._waiting.append(event)
        self._wake()

    async def _look_around(self, event: StreamUp) -> None:
        """Read what the user stream may have missed; a read that fails is not empty, so it is tried again."""
        try:
            await self._held.read()
            if not self.rejoined:
                return
            for fill in self._held.take():
                await self._react(fill)
            for place in self._members.places():
                await self._reconciler.refresh(self._books.terms.instruments[place].symbol)
                await self._agreement.reach(place, self._now())
        except VenueError as error:
            log.warning("the venue cannot be read now (%s); asking again", error)
            asyncio.get_running_loop().call_later(RETRY_S, self._take_in, event)

    async def _on_fill(self, fill: VenueFill) -> None:
        new = self._held.hear(fill)
        if new is not None:
            await self._react(new)
        self._held.answered(fill)

    async def _react(self, fill: JournalFill) -> None:
        if not self.rejoined:
            self._held.hold(fill)
        elif self._book(fill):
            await self._agreement.reach(self._books.place(fill.symbol), step_close(fill.time))

    def _book(self, fill: JournalFill) -> bool:
        role = self._books.book(fill)
        if role == Role.ENTRY:
            self._reached(Point.AFTER_ENTRY_FILL)
        return role is not None

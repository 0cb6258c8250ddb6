"""Does what a request asks: the account and the answer in one commit, and then the venue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from trading_system.contracts import SYSTEM_COMMAND
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.symbol_commands import SYMBOL_COMMANDS
from trading_system.services.execution_engine.agreement import Agreement
from trading_system.services.execution_engine.books import Books
from trading_system.services.execution_engine.commands import CommandDesk, Request
from trading_system.services.execution_engine.joining import Membership
from trading_system.services.execution_engine.snapshot import Snapshot
from trading_system.services.room import Letterbox
from trading_system.store.errors import StoreAwayError, StoreError
from trading_system.store.patience import patiently
from trading_system.venues.port import MinuteMarket

log = logging.getLogger(__name__)


class Obedience:
    """One account's way of obeying; whether it can be written down is for ``service.py`` to know."""

    def __init__(
        self,
        letterbox: Letterbox,
        books: Books,
        snapshot: Snapshot,
        desk: CommandDesk,
        agreement: Agreement,
        venue_ms: Callable[[], int] | None,
    ) -> None:
        """Keep all that a command touches."""
        self._letterbox = letterbox
        self._books = books
        self._snapshot = snapshot
        self._desk = desk
        self._agreement = agreement
        self._venue_ms = venue_ms

    def due(self, market: MinuteMarket | None, *, has_just_closed: bool) -> Request | None:
        """Return the request to be acted on now, if one waits.

        A venue that is told its minutes plays the running one as a whole: what a person asks in the middle of it must
        not act on its beginning, and waits for its end. Nothing is lost to who has nothing there and wants nothing, nor
        by what is asked of the symbols, which acts on the closes of minutes alone.
        """
        request = self._desk.next
        if request is None:
            return None
        at_once = market is None or request.command in SYMBOL_COMMANDS or (market.idle and request.command != "take")
        return request if at_once or has_just_closed else None

    async def obey(self, request: Request, step: int) -> None:
        """Act on the request that waits longest, between ``step`` and the next; what led to it is committed.

        A crash before the commit leaves the request unanswered and the account as it was; one after it is made good
        at the next start, when the venue is made to agree.
        Raises: StoreAwayError, with all kept for its next commit; other StoreErrors, with nothing done.
        """
        books, time = self._books, (step + 1) * MINUTE_MS
        before, facts = books.account, list(books.facts)
        reply = request.refusal or books.obey(request.command, request.word.get("arguments", {}), time)
        log.info("%s %d: %s: %s", request.sender, request.number, request.word["command"], reply.sentence)
        try:
            if books.account != before:
                await self._snapshot.within(step, books.kept())
            now_ms = time if self._venue_ms is None else self._venue_ms()
            answer = await patiently(lambda: self._desk.answer(request, reply, now_ms))
            await self._letterbox.store.commit(forced=True)
        except StoreAwayError:  # the venue hears of it when the next step closes, after the commit
            self._agreement.open.update(books.changed_since(before))
            self._desk.close(request)
            raise
        except StoreError:
            books.account, books.facts = before, facts
            raise
        self._desk.close(request)
        for place in books.changed_since(before):
            await self._agreement.reach(place, time)
        await self._letterbox.bus.publish(SYSTEM_COMMAND, answer)

    async def obey_about_symbols(self, request: Request, step: int, members: Membership, flat: Iterable[int]) -> None:
        """Act on a request about the line's symbols: changes and answer in one commit. Raises: StoreError.

        flat: the places with which nothing is open.
        """
        asked = members.ask(request.command, request.word.get("arguments", {}), step, flat)
        log.info("%s %d: %s: %s", request.sender, request.number, request.command, asked.reply.sentence)
        now_ms = (step + 1) * MINUTE_MS if self._venue_ms is None else self._venue_ms()
        try:
            await members.write(asked.changes, step)
            answer = await patiently(lambda: self._desk.answer(request, asked.reply, now_ms))
            await self._letterbox.store.commit(forced=True)
        except StoreAwayError:
            self._desk.close(request)
            raise
        self._desk.close(request)
        await self._letterbox.bus.publish(SYSTEM_COMMAND, answer)

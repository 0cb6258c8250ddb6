"""Writes what closed steps leave: their facts, the snapshot, and the bells, which ring of what is committed alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trading_system.rules.fact_record import pack_fact
from trading_system.rules.facts import Fact
from trading_system.services.execution_engine.books import Books
from trading_system.services.execution_engine.points import Point, Reached
from trading_system.services.execution_engine.snapshot import Snapshot
from trading_system.services.execution_engine.store_watch import StoreWatch
from trading_system.services.room import Letterbox
from trading_system.store.errors import StoreAwayError, StoreError
from trading_system.store.patience import patiently
from trading_system.store.port import Stream


class StepWriter:
    """One account's stream in the store. What the store refuses is said to ``watch``, never raised."""

    def __init__(
        self,
        letterbox: Letterbox,
        stream: Stream,
        books: Books,
        snapshot: Snapshot,
        watch: StoreWatch,
        reached: Reached,
    ) -> None:
        """Keep where to write, and the books that are written down."""
        self._letterbox = letterbox
        self._stream = stream
        self._books = books
        self._snapshot = snapshot
        self._watch = watch
        self._reached = reached
        self._unrung: list[tuple[str, bytes]] = []  # bells of steps that are not committed yet

    async def write(self, step: int, facts: Sequence[Fact], after: int | None) -> bool:
        """Append a step's facts and keep the account as it leaves it; tell whether the facts are rows now."""
        payloads, store = [pack_fact(fact) for fact in facts], self._letterbox.store
        try:
            await patiently(lambda: store.append(self._stream, step, payloads, after=after))
        except StoreError as error:
            self._watch.lose(error)
            return False
        if facts and self._snapshot.is_due(self._books.account):
            self._reached(Point.BETWEEN_OUTPUTS_AND_CHECKPOINT)
        try:
            await self._snapshot.close(step, self._books.account, self._books.booked)
        except StoreError as error:
            self._watch.lose(error)
        return True

    def ring(self, bells: Iterable[tuple[str, bytes]]) -> None:
        """Ring ``bells`` (channel, payload) with the next commit."""
        self._unrung.extend(bells)

    async def commit(self) -> None:
        """Commit the steps closed since the last commit, then ring their bells.

        Quiet steps share a commit; before an order is sent or a fill is booked, what led to it is committed.
        """
        if self._watch.is_missing:
            return
        try:
            await self._letterbox.store.commit()
        except StoreAwayError as error:
            self._watch.miss(error)
            return
        except StoreError as error:
            self._watch.lose(error)
            return
        unrung, self._unrung = self._unrung, []
        for channel, payload in unrung:
            await self._letterbox.bus.publish(channel, payload)

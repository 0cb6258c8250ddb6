"""A line's symbols as its store keeps them: a stream of changes, numbered from 1, that execution alone writes.

Every process reads it in order and learns there, and nowhere else, which symbols its rooms work on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from trading_system.rules.roster import Change, Roster, after, pack_change, unpack_change
from trading_system.services.room import WHOLE_ACCOUNT
from trading_system.store.patience import patiently
from trading_system.store.port import Store, Stream

SYMBOLS = "symbols"


class RosterLog:
    """The changes of one line's symbols; the caller commits."""

    def __init__(self, store: Store, exchange: str) -> None:
        self._store = store
        self._stream = Stream(SYMBOLS, exchange, WHOLE_ACCOUNT)

    async def read(self, roster: Roster) -> Roster:
        """Return ``roster`` after the changes that it does not hold yet. Raises: UnreadableChangeError; StoreError."""
        head = await self._store.head(self._stream)
        if head is None or head <= roster.known:
            return roster
        rows = await self._store.read(self._stream, roster.known, head)
        return after(roster, [unpack_change(row.payload) for row in rows])

    async def append(self, roster: Roster, changes: Sequence[Change]) -> Roster:
        """Write ``changes`` after those that ``roster`` holds, and return it after them. Raises: StoreError."""
        for n, change in enumerate(changes, roster.known + 1):
            payload, before = pack_change(change), n - 1 if n > 1 else None
            await patiently(partial(self._store.append, self._stream, n, [payload], after=before))
        return after(roster, changes)

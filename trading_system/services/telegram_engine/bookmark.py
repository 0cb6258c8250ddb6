"""How far one reader has come in the news, kept in the store, so that a restart neither skips nor repeats a message."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from trading_system.store.patience import patiently
from trading_system.store.port import Row, Store, Stream

BOOKMARK = "bookmark"


class Place(NamedTuple):
    """What a reader is at: ``part`` parts of row (step, n) are done, ``-1`` for n means that nothing of the step is.

    ``flying``: the next part may have been sent already; its answer was not heard.
    """

    step: int
    n: int = -1
    part: int = 0
    flying: bool = False


class Bookmark:
    """One reader's place in one stream."""

    def __init__(self, store: Store, stream: Stream, reader: str) -> None:
        self._store = store
        self.stream = stream
        self._key = f"{'/'.join(stream)} {reader}"
        self._waiting: list[Row] = []
        self._read_to: int | None = None
        self.place = Place(-1)

    async def open(self, *, at_end: bool) -> None:
        """Take up the place of an earlier life; a new reader begins at the end of the stream, or at its beginning."""
        kept = await self._store.document(BOOKMARK, self._key)
        if kept is not None:
            self.place = msgspec.json.decode(kept[1], type=Place)
        else:
            head = await self._store.head(self.stream) if at_end else None
            self.place = Place(-1) if head is None else Place(head + 1)
            await self._keep()
        self._read_to = self.place.step - 1

    async def waiting(self) -> list[Row]:
        """Return the rows that are not done, the oldest first."""
        head = await self._store.head(self.stream)
        if head is not None and (self._read_to is None or head > self._read_to):
            rows = await self._store.read(self.stream, self._read_to, head)
            self._waiting.extend(row for row in rows if self._is_due(row))
            self._read_to = head
        return self._waiting

    async def fly(self) -> None:
        """Write down that the next part is being sent."""
        self.place = self.place._replace(flying=True)
        await self._keep()

    def landed(self) -> None:
        """Take note that the next part was certainly not sent; it is on disk only with the next step forward."""
        self.place = self.place._replace(flying=False)

    async def done(self, rows: int, part: int = 0) -> None:
        """Move past the first ``rows`` waiting rows, or past ``part`` parts of the first one where ``rows`` is 0."""
        row = self._waiting[max(rows - 1, 0)]
        if rows:
            self.place = Place(row.step, row.n)
            del self._waiting[:rows]
        else:
            self.place = Place(row.step, row.n, part)
        await self._keep()

    def _is_due(self, row: Row) -> bool:
        """Tell whether ``row`` is not done, or done in part only."""
        here, done = (row.step, row.n), (self.place.step, self.place.n)
        return here > done or (here == done and self.place.part > 0)

    async def _keep(self) -> None:
        payload = msgspec.json.encode(self.place)
        await patiently(lambda: self._store.put_document(BOOKMARK, self._key, max(self.place.step, 0), payload))
        await patiently(self._store.commit)

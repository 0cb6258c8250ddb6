"""The store in one MongoDB database, on this machine or another, for lines whose services are processes of their own.

What is appended waits in memory until the commit; how a commit is carried out, and what a death leaves, is
``mongo_commit``'s. A reader takes rows up to the head only: what lies above it is not committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from . import mongo_schema
from .errors import HeadMovedError, StoreAwayError, StoreError, StoreReadOnlyError
from .mongo_commit import Committer, Reached
from .mongo_server import DEADLINE_S, MongoServer
from .mongo_words import DOCUMENTS, HEADS, check_payloads, collection_of, document_of, head_of, id_of, name_of, rows_of
from .pending import Batch, Pending
from .port import Document, Row, Stream, check_append

LAST_STEP = 2**63 - 1


def _unwatched(point: str) -> None:
    del point


class MongoStore:
    """A store on a MongoDB server; see ``port.Store``. The first call connects and brings the schema up to date.

    Every call raises StoreAwayError after its deadline; what is appended stays, and the call may be made again.
    To be used from one event loop.
    """

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        deadline_s: float = DEADLINE_S,
        reached: Reached = _unwatched,
    ) -> None:
        """Keep where the database is. ``reached`` hears the points of a commit at which a process may die.

        Raises: StoreFileError when ``url`` names no database.
        """
        self._server = MongoServer(url, deadline_s=deadline_s)
        self._read_only = read_only
        self._committer = Committer(self._server, reached)
        self._pending = Pending()
        self._is_ready = False
        self._opening = asyncio.Lock()
        self._committing = asyncio.Lock()
        self._undecided: Batch | None = None  # a commit whose answer was lost
        self._seen: dict[Stream, int] = {}  # heads as they were read, -1 for none; they only grow

    @property
    def place(self) -> str:
        """Return where the store is, without name and password."""
        return self._server.place

    async def append(self, stream: Stream, step: int, payloads: Sequence[bytes], *, after: int | None) -> None:
        """Keep the rows for the next commit. Nothing else happens between the look at the head and the keeping."""
        check_append(step, after, payloads)
        self._require_writable()
        check_payloads(stream, payloads)
        was = self._pending.head(stream)
        if was is None:
            was = self._committer.head(stream)
            # Where it was read to be, it is taken to be still, and another process may have moved it since this store
            # did: the commit finds out.
            if was is None or was != after:
                was = after if self._seen.get(stream) == (-1 if after is None else after) else await self.head(stream)
        if was != after:
            raise HeadMovedError(stream, after, was)
        self._pending.append(stream, step, payloads, after)

    async def head(self, stream: Stream) -> int | None:
        """Return the last complete step of ``stream``, as this store appended it or as the server has it."""
        await self._ready()
        pending = self._pending.head(stream)
        return await self._committed_head(stream) if pending is None else pending

    async def read(self, stream: Stream, after: int | None, upto: int) -> list[Row]:
        """Return the rows with after < step <= upto, ascending, own uncommitted ones included."""
        await self._ready()
        begin = -1 if after is None else after
        floor, own = self._pending.floor(stream), self._pending.rows(stream, begin, upto)
        if floor is None:
            floor = await self._upto_head(stream, upto)
        upto = min(upto, floor)
        if upto <= begin:
            return own
        rows = collection_of(stream)
        if upto - begin == 1:  # a room that keeps pace reads so, and FerretDB finds it without a scan
            words = await self._server.call(self._server.collection(rows).find_one({"_id": id_of(upto)}))
            return own if words is None else rows_of(stream, words) + own
        after_begin = {"$gt": id_of(begin)} if begin >= 0 else {}
        steps = await self._server.all(rows, {"_id": {**after_begin, "$lte": id_of(upto)}})
        return [row for words in steps for row in rows_of(stream, words)] + own

    async def last(self, stream: Stream, n: int) -> list[Row]:
        """Return the rows of the newest ``n`` steps that have any, ascending."""
        await self._ready()
        floor, (own, missing) = self._pending.floor(stream), self._pending.last(stream, n)
        if floor is None:
            floor = await self._upto_head(stream, LAST_STEP)
        if missing == 0 or floor < 0:
            return own
        steps = await self._server.all(collection_of(stream), {"_id": {"$lte": id_of(floor)}}, newest=missing)
        return [row for words in steps for row in rows_of(stream, words)] + own

    async def put_document(self, kind: str, key: str, step: int, payload: bytes) -> None:
        """Keep the document (kind, key) for the next commit."""
        self._require_writable()
        self._pending.put(kind, Document(key, step, payload))

    async def document(self, kind: str, key: str) -> tuple[int, bytes] | None:
        """Return (step, payload) of a document, or None."""
        await self._ready()
        document = self._pending.document(kind, key)
        if document is None:
            id_ = f"{kind}.{key}"
            words = await self._server.call(self._server.collection(DOCUMENTS).find_one({"_id": id_}))
            self._committer.saw(id_, 0 if words is None else words["version"])
            document = None if words is None else document_of(words)
        return None if document is None else (document.step, document.payload)

    async def documents(self, kind: str) -> list[Document]:
        """Return every document of ``kind`` in the order of their keys."""
        await self._ready()
        own = self._pending.over(kind, ())
        committed = await self._server.all(DOCUMENTS, {"kind": kind})
        merged = {document.key: document for document in (*map(document_of, committed), *own)}
        return sorted(merged.values())

    async def commit(self, *, forced: bool = False) -> None:  # noqa: ARG002 - each one is in the server's journal
        """Carry out what is pending; nothing happens if nothing is.

        Raises: StoreAwayError, with all kept for another attempt; any other StoreError, with all undone.
        """
        await self._ready()
        async with self._committing:
            while self._pending:
                self._undecided = batch = self._undecided or self._pending.batch()
                try:
                    await self._committer.commit(batch)
                except StoreAwayError:
                    raise
                except StoreError:
                    self._undo()
                    raise
                self._undecided = None
                self._pending.settle(batch)

    async def tidy(self) -> None:
        """Do nothing: the server does such work by itself."""

    async def rollback(self) -> None:
        """Forget what is pending. A commit whose answer was lost may stand all the same; the server is asked then."""
        self._server.require_open()
        async with self._committing:
            self._undo()

    async def close(self) -> None:
        """Roll back and let go of the server."""
        self._pending.clear()
        await self._server.close()

    async def _ready(self) -> None:
        """Connect, see what schema lies there, and finish what a death left half done; once."""
        if self._is_ready:
            self._server.require_open()
            return
        async with self._opening:
            if not self._is_ready:
                await self._open()
                self._is_ready = True

    async def _open(self) -> None:
        if self._read_only:
            await mongo_schema.require(self._server)
        else:
            await mongo_schema.climb(self._server)
            await self._committer.finish()

    async def _committed_head(self, stream: Stream) -> int | None:
        words = await self._server.call(self._server.collection(HEADS).find_one({"_id": name_of(stream)}))
        head = head_of(words)
        self._seen[stream] = -1 if head is None else head
        return head

    async def _upto_head(self, stream: Stream, upto: int) -> int:
        """Return ``upto``, or the committed head where that is lower; -1 for a stream that never began."""
        if upto <= self._seen.get(stream, -1):
            return upto
        head = await self._committed_head(stream)
        return -1 if head is None else min(head, upto)

    def _require_writable(self) -> None:
        self._server.require_open()
        if self._read_only:
            raise StoreReadOnlyError(self._server.place)

    def _undo(self) -> None:
        self._pending.clear()
        self._committer.forget()
        self._seen.clear()
        if self._undecided is not None:
            self._undecided, self._is_ready = None, False

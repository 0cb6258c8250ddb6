"""The store of one process that keeps nothing on disk: for tests, trials and research."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from .errors import HeadMovedError, StoreClosedError
from .port import Document, Row, Stream, check_append


class MemoryStore:
    """A store in memory; see ``port.Store``. Committing only forgets how to undo: nothing outlives the process."""

    def __init__(self) -> None:
        self._rows: dict[Stream, list[Row]] = {}
        self._heads: dict[Stream, int] = {}
        self._documents: dict[str, dict[str, Document]] = {}
        self._undo: list[Callable[[], None]] = []
        self._closed = False

    async def append(self, stream: Stream, step: int, payloads: Sequence[bytes], *, after: int | None) -> None:
        """Write the rows and move the head from ``after`` to ``step``."""
        self._require_open()
        check_append(step, after, payloads)
        was = self._heads.get(stream)
        if was != after:
            raise HeadMovedError(stream, after, was)
        rows = self._rows.setdefault(stream, [])
        length = len(rows)

        def undo() -> None:
            del rows[length:]
            if was is None:
                del self._heads[stream]
            else:
                self._heads[stream] = was

        self._undo.append(undo)
        rows.extend(Row(step, n, payload) for n, payload in enumerate(payloads))
        self._heads[stream] = step

    async def head(self, stream: Stream) -> int | None:
        """Return the last complete step of ``stream``."""
        self._require_open()
        return self._heads.get(stream)

    async def read(self, stream: Stream, after: int | None, upto: int) -> list[Row]:
        """Return the rows with after < step <= upto, ascending."""
        self._require_open()
        rows = self._rows.get(stream, [])
        begin = 0 if after is None else bisect_right(rows, after, key=_step_of)
        return rows[begin : bisect_right(rows, upto, key=_step_of)]

    async def last(self, stream: Stream, n: int) -> list[Row]:
        """Return the rows of the newest ``n`` steps that have any, ascending."""
        self._require_open()
        rows = self._rows.get(stream, [])
        steps = [row.step for row in rows if row.n == 0][-n:] if n > 0 else []
        return rows[bisect_left(rows, steps[0], key=_step_of) :] if steps else []

    async def put_document(self, kind: str, key: str, step: int, payload: bytes) -> None:
        """Write the document (kind, key)."""
        self._require_open()
        documents = self._documents.setdefault(kind, {})
        was = documents.get(key)

        def undo() -> None:
            if was is None:
                del documents[key]
            else:
                documents[key] = was

        self._undo.append(undo)
        documents[key] = Document(key, step, payload)

    async def document(self, kind: str, key: str) -> tuple[int, bytes] | None:
        """Return (step, payload) of a document, or None."""
        self._require_open()
        document = self._documents.get(kind, {}).get(key)
        return None if document is None else (document.step, document.payload)

    async def documents(self, kind: str) -> list[Document]:
        """Return every document of ``kind`` in the order of their keys."""
        self._require_open()
        return sorted(self._documents.get(kind, {}).values())

    async def commit(self, *, forced: bool = False) -> None:  # noqa: ARG002 - nothing outlives the process
        """Forget how to undo what was done so far."""
        self._require_open()
        self._undo.clear()

    async def tidy(self) -> None:
        """Do nothing: there is no such work."""

    async def rollback(self) -> None:
        """Undo everything since the last commit, the newest first."""
        self._require_open()
        while self._undo:
            self._undo.pop()()

    async def close(self) -> None:
        """Drop everything."""
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise StoreClosedError("memory://")


def _step_of(row: Row) -> int:
    return row.step

"""What a store was told since its last commit, in memory: own reads see it at once, others after the commit.

So nothing is locked between two commits, and several processes write to one place, each its own streams.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from .port import Document, Row, Stream


class Written(NamedTuple):
    """What one commit adds to a stream: its head goes ``after`` -> ``step``, its ``rows`` lie in between."""

    stream: Stream
    after: int | None
    step: int
    rows: tuple[Row, ...]


class Put(NamedTuple):
    """A document that one commit writes."""

    kind: str
    document: Document


class Batch(NamedTuple):
    """One commit: streams in the order in which they were first written to, then documents."""

    streams: tuple[Written, ...]
    documents: tuple[Put, ...]


class _Tail:
    """The uncommitted end of one stream."""

    def __init__(self, after: int | None) -> None:
        self.after = after
        self.step = -1
        self.rows: list[Row] = []


class Pending:
    """Appended rows, moved heads and documents that are not committed yet."""

    def __init__(self) -> None:
        self._tails: dict[Stream, _Tail] = {}
        self._documents: dict[tuple[str, str], Document] = {}

    def __bool__(self) -> bool:
        return bool(self._tails or self._documents)

    def append(self, stream: Stream, step: int, payloads: Sequence[bytes], after: int | None) -> None:
        """Keep a step whose head has been checked by the store."""
        tail = self._tails.get(stream)
        if tail is None:
            tail = self._tails[stream] = _Tail(after)
        tail.step = step
        if payloads:  # most steps of most streams are empty
            tail.rows += [Row(step, n, payload) for n, payload in enumerate(payloads)]

    def head(self, stream: Stream) -> int | None:
        """Return the stream's uncommitted head, None if nothing of it is pending."""
        tail = self._tails.get(stream)
        return None if tail is None else tail.step

    def floor(self, stream: Stream) -> int | None:
        """Return the committed step on which the stream's pending rows stand; -1 if they begin it, None if none are."""
        tail = self._tails.get(stream)
        if tail is None:
            return None
        return -1 if tail.after is None else tail.after

    def rows(self, stream: Stream, after: int | None, upto: int) -> list[Row]:
        """Return the pending rows with after < step <= upto, ascending."""
        tail = self._tails.get(stream)
        if tail is None:
            return []
        begin = 0 if after is None else bisect_right(tail.rows, after, key=_step_of)
        return tail.rows[begin : bisect_right(tail.rows, upto, key=_step_of)]

    def last(self, stream: Stream, n: int) -> tuple[list[Row], int]:
        """Return the rows of the newest ``n`` pending steps that have any, and how many of the ``n`` are left."""
        tail = self._tails.get(stream)
        if tail is None or n <= 0:
            return [], max(n, 0)
        steps = [row.step for row in tail.rows if row.n == 0][-n:]
        rows = tail.rows[bisect_left(tail.rows, steps[0], key=_step_of) :] if steps else []
        return rows, n - len(steps)

    def put(self, kind: str, document: Document) -> None:
        """Keep a document, over the one before."""
        self._documents[kind, document.key] = document

    def document(self, kind: str, key: str) -> Document | None:
        """Return a pending document."""
        return self._documents.get((kind, key))

    def over(self, kind: str, committed: Sequence[Document]) -> list[Document]:
        """Return the committed documents of ``kind`` with the pending ones laid over them, in the order of keys."""
        merged = {document.key: document for document in committed}
        merged |= {key: document for (of_kind, key), document in self._documents.items() if of_kind == kind}
        return sorted(merged.values())

    def batch(self) -> Batch:
        """Return all that is pending, as one commit."""
        return Batch(
            tuple(Written(stream, tail.after, tail.step, tuple(tail.rows)) for stream, tail in self._tails.items()),
            tuple(Put(kind, document) for (kind, _), document in self._documents.items()),
        )

    def settle(self, batch: Batch) -> None:
        """Forget what ``batch`` has committed; what came after it was made stays pending."""
        for written in batch.streams:
            tail = self._tails[written.stream]
            if tail.step == written.step:
                del self._tails[written.stream]
            else:
                tail.after = written.step
                del tail.rows[: len(written.rows)]
        for put in batch.documents:
            if self._documents[put.kind, put.document.key] is put.document:
                del self._documents[put.kind, put.document.key]

    def clear(self) -> None:
        """Forget everything."""
        self._tails.clear()
        self._documents.clear()


def _step_of(row: Row) -> int:
    return row.step

"""What every store does: append rows to streams, move their heads, keep documents, and undo what was not committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Stream(NamedTuple):
    """One line of facts: what kind, on which exchange, of which symbol; its sequence is the step."""

    kind: str
    exchange: str
    symbol: str


class Row(NamedTuple):
    """The ``n``-th fact (from 0) of a stream in step ``step``."""

    step: int
    n: int
    payload: bytes


class Document(NamedTuple):
    """The newest text of something that is overwritten, and the step at which it was true."""

    key: str
    step: int
    payload: bytes


class Store(Protocol):
    """The letterbox. One writer a stream, any number of readers.

    What is appended is seen by this store at once and by others after ``commit``; ``rollback``, ``close`` and the death
    of the process undo everything since the last commit, over all streams.
    """

    async def append(self, stream: Stream, step: int, payloads: Sequence[bytes], *, after: int | None) -> None:
        """Write the rows (step, 0..) and move the stream's head from ``after`` to ``step``.

        ``after=None`` begins a new stream. Steps between ``after`` and ``step`` are empty by the producer's word, and
        so is ``step`` itself without payloads.
        Raises: HeadMovedError if the head is not ``after``; ValueError if step <= after or step < 0.
        """

    async def head(self, stream: Stream) -> int | None:
        """Return the last step that is written completely, or None for a stream that never began."""

    async def read(self, stream: Stream, after: int | None, upto: int) -> list[Row]:
        """Return the rows with after < step <= upto, ascending; ``after=None`` reads from the beginning."""

    async def last(self, stream: Stream, n: int) -> list[Row]:
        """Return the rows of the newest ``n`` steps that have any, ascending."""

    async def put_document(self, kind: str, key: str, step: int, payload: bytes) -> None:
        """Write the document (kind, key), over the one before."""

    async def document(self, kind: str, key: str) -> tuple[int, bytes] | None:
        """Return (step, payload) of a document, or None if it was never written."""

    async def documents(self, kind: str) -> list[Document]:
        """Return every document of ``kind`` in the order of their keys."""

    async def commit(self, *, forced: bool = False) -> None:
        """Make everything so far durable, as far as this kind of store can, and visible to others.

        forced: also over a power cut, where a commit otherwise is not; slower, for what nobody could say again.
        """

    async def tidy(self) -> None:
        """Do now, while nobody waits, the work that would otherwise fall to a commit that somebody waits for."""

    async def rollback(self) -> None:
        """Undo everything since the last commit."""

    async def close(self) -> None:
        """Roll back and let go of the store; a second call changes nothing."""


def check_append(step: int, after: int | None, payloads: Sequence[bytes]) -> None:
    """Refuse an append that no store may take. Raises: ValueError for the step, TypeError for a payload."""
    if step < 0 or (after is not None and step <= after):
        raise ValueError(f"step of an append: expected one above {-1 if after is None else after}, was {step}")
    for payload in payloads:
        if type(payload) is not bytes:
            raise TypeError(f"payload of an append: expected bytes, was {type(payload).__name__}; serialize it first")

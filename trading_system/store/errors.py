"""What a store can refuse, each with the consequence and the way out; who retries is for the caller to decide."""

from __future__ import annotations

from .port import Stream


class StoreError(Exception):
    """Any failure of a store."""


class HeadMovedError(StoreError):
    """The stream's head is not where the producer left it: somebody else writes this stream. Nothing was written."""

    def __init__(self, stream: Stream, expected: int | None, was: int | None) -> None:
        self.stream = stream
        self.expected = expected
        self.was = was
        super().__init__(
            f"head of {'/'.join(stream)}: expected {_step(expected)}, was {_step(was)}; nothing was written: "
            "another producer writes this stream, stop one of the two and start again from the head"
        )


class DocumentMovedError(StoreError):
    """Another process has written the document since it was read; what is not of a finished commit is undone."""

    def __init__(self, place: str, key: str) -> None:
        self.key = key
        super().__init__(
            f"{place}, document {key}: expected it as it was read, was written by another process since; it was not "
            "overwritten: read it again and decide anew"
        )


class NewerSchemaError(StoreError):
    """The store was written by a later version of this program."""

    def __init__(self, place: str, expected: int, was: int) -> None:
        self.expected = expected
        self.was = was
        super().__init__(
            f"schema of {place}: expected version {expected} or older, was {was}; nothing was read or changed: "
            "install the newer program again (pip install --upgrade trading-system) or open another store"
        )


class StoreFileError(StoreError):
    """The file or the database cannot be opened as a store of this program."""


class StoreAccessError(StoreError):
    """The store's server knows us and refuses us: a wrong name or password, or too few rights."""


class StoreAwayError(StoreError):
    """The store cannot be reached for now. Nothing is undone: ask again, see ``patience.patiently``."""


class StoreReadOnlyError(StoreError):
    """A write to a store that was opened for reading."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: expected a store opened for writing, was opened with mode=ro; leave mode=ro out")


class StoreBusyError(StoreAwayError):
    """Another process held the write lock for longer than the busy timeout; nothing was written."""


class StoreWriteError(StoreError):
    """The disk or the server refused a write; everything since the last commit is undone."""


class StoreDataError(StoreError):
    """What lies in the store is not what this program writes there, or was about to be so."""


class StoreClosedError(StoreError):
    """The store was used after it had been closed."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: expected an open store, was closed; open it again with database.open_store")


def _step(step: int | None) -> str:
    return "a new stream" if step is None else f"step {step}"

"""The store in one SQLite file: one writing connection with one open transaction between commits, readers beside it.

Write-ahead log; with synchronous NORMAL a commit survives the death of the process, and a power cut may take back the
newest commits but never half of one. FULL forces every commit to the disk, for what cannot be derived again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from .errors import (
    HeadMovedError,
    NewerSchemaError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    StoreFileError,
    StoreReadOnlyError,
    StoreWriteError,
)
from .port import Document, Row, Stream, check_append

SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 5_000
WAL_PAGES = 4_000  # 16 MB between two checkpoints: each forces the disk, and a step must not wait for that often

# The step comes before the kind and rows live in the key's own tree: what a step writes lands on one page.
_TABLES = """
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE rows (
    exchange TEXT NOT NULL, symbol TEXT NOT NULL, step INTEGER NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (exchange, symbol, step, kind, n)
) WITHOUT ROWID;
CREATE TABLE heads (
    exchange TEXT NOT NULL, symbol TEXT NOT NULL, kind TEXT NOT NULL, step INTEGER NOT NULL,
    PRIMARY KEY (exchange, symbol, kind)
) WITHOUT ROWID;
CREATE TABLE documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, step INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (kind, key)
)
"""

_HEAD = "SELECT step FROM heads WHERE exchange = ? AND symbol = ? AND kind = ?"
_FIRST_HEAD = "INSERT OR IGNORE INTO heads (exchange, symbol, kind, step) VALUES (?, ?, ?, ?)"
_MOVE_HEAD = "UPDATE heads SET step = ? WHERE exchange = ? AND symbol = ? AND kind = ? AND step = ?"
_SET_HEAD = "UPDATE heads SET step = ? WHERE exchange = ? AND symbol = ? AND kind = ?"
_APPEND = "INSERT INTO rows (exchange, symbol, step, kind, n, payload) VALUES (?, ?, ?, ?, ?, ?)"
_READ = (
    "SELECT step, n, payload FROM rows"
    " WHERE exchange = ? AND symbol = ? AND step > ? AND step <= ? AND kind = ? ORDER BY step, n"
)
_FIRST_OF_LAST = (
    "SELECT step FROM rows WHERE exchange = ? AND symbol = ? AND kind = ? AND n = 0 ORDER BY step DESC LIMIT ?"
)
_PUT_DOCUMENT = (
    "INSERT INTO documents (kind, key, step, payload) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (kind, key) DO UPDATE SET step = excluded.step, payload = excluded.payload"
)
_DOCUMENT = "SELECT step, payload FROM documents WHERE kind = ? AND key = ?"
_DOCUMENTS = "SELECT key, step, payload FROM documents WHERE kind = ? ORDER BY key"
_LAST_STEP = 2**63 - 1


class SqliteStore:
    """A store in a SQLite file; see ``port.Store``. Calls do not leave the event loop: they take microseconds.

    To be used from the thread that made it.
    """

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        read_only: bool = False,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> None:
        """Open ``path``; a writer makes the file, its folder and its tables if they are missing.

        Raises: NewerSchemaError, StoreFileError, StoreBusyError.
        """
        self.path = path
        self._read_only = read_only
        self._closed = False
        self._heads: dict[Stream, int] = {}  # moved in the open transaction
        self._lagging: set[Stream] = set()  # those of them whose table row is still to follow, at the commit
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            mode = "ro" if read_only else "rwc"
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=busy_timeout_ms / 1000,
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._prepare(synchronous)
        except sqlite3.Error as error:
            self._connection.close()
            raise self._busy_or(self._unusable(error), error) from error
        except StoreError:
            self._connection.close()
            raise

    async def append(self, stream: Stream, step: int, payloads: Sequence[bytes], *, after: int | None) -> None:
        """Write the rows and move the head from ``after`` to ``step`` inside the open transaction."""
        check_append(step, after, payloads)
        began = self._begin()
        kind, exchange, symbol = stream
        execute = self._connection.execute
        try:
            if stream in self._heads:  # the transaction keeps every other writer out: only its last move is written
                moved = int(self._heads[stream] == after)
                self._lagging.add(stream)
            elif after is None:
                moved = execute(_FIRST_HEAD, (exchange, symbol, kind, step)).rowcount
            else:
                moved = execute(_MOVE_HEAD, (step, exchange, symbol, kind, after)).rowcount
            if moved == 1:
                self._heads[stream] = step
                for n, payload in enumerate(payloads):
                    execute(_APPEND, (exchange, symbol, step, kind, n, payload))
        except sqlite3.Error as error:
            raise self._undone(error) from error
        if moved != 1:
            was = await self.head(stream)
            if began:  # a producer that is shut out must not keep the lock from the one that is not
                await self.rollback()
            raise HeadMovedError(stream, after, was)

    async def head(self, stream: Stream) -> int | None:
        """Return the last complete step of ``stream``."""
        if stream in self._heads:
            return self._heads[stream]
        rows = self._query(_HEAD, (stream.exchange, stream.symbol, stream.kind))
        return rows[0][0] if rows else None

    async def read(self, stream: Stream, after: int | None, upto: int) -> list[Row]:
        """Return the rows with after < step <= upto, ascending, own uncommitted ones included."""
        begin = -1 if after is None else after
        upto = min(upto, _LAST_STEP)
        rows = self._query(_READ, (stream.exchange, stream.symbol, begin, upto, stream.kind))
        return [Row._make(row) for row in rows]

    async def last(self, stream: Stream, n: int) -> list[Row]:
        """Return the rows of the newest ``n`` steps that have any. Walks back over the symbol's rows of other kinds."""
        if n <= 0:
            return []
        steps = self._query(_FIRST_OF_LAST, (stream.exchange, stream.symbol, stream.kind, n))
        return await self.read(stream, steps[-1][0] - 1, _LAST_STEP) if steps else []

    async def put_document(self, kind: str, key: str, step: int, payload: bytes) -> None:
        """Write the document (kind, key) inside the open transaction."""
        self._begin()
        try:
            self._connection.execute(_PUT_DOCUMENT, (kind, key, step, payload))
        except sqlite3.Error as error:
            raise self._undone(error) from error

    async def document(self, kind: str, key: str) -> tuple[int, bytes] | None:
        """Return (step, payload) of a document, or None."""
        rows = self._query(_DOCUMENT, (kind, key))
        return (rows[0][0], rows[0][1]) if rows else None

    async def documents(self, kind: str) -> list[Document]:
        """Return every document of ``kind`` in the order of their keys."""
        return [Document._make(row) for row in self._query(_DOCUMENTS, (kind,))]

    async def commit(self, *, forced: bool = False) -> None:
        """End the open transaction for good; nothing happens if there is none.

        forced: the write-ahead log, with all commits in it, is on the disk when this returns.
        """
        self._require_open()
        if self._connection.in_transaction:
            try:
                for stream in self._lagging:
                    self._connection.execute(
                        _SET_HEAD, (self._heads[stream], stream.exchange, stream.symbol, stream.kind)
                    )
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._undone(error) from error
            self._forget_heads()
        if forced:
            self._force_log()

    async def rollback(self) -> None:
        """Undo the open transaction; nothing happens if there is none."""
        self._require_open()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._forget_heads()

    async def close(self) -> None:
        """Roll back and close the file."""
        if not self._closed:
            await self.rollback()
            self._closed = True
            self._connection.close()

    def _prepare(self, synchronous: str) -> None:
        execute = self._connection.execute
        version = self._version()
        if self._read_only:
            if version is None:
                raise self._unusable("it is empty")
            return
        if execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise self._unusable("its disk allows no write-ahead log; put it on a local disk")
        execute(f"PRAGMA synchronous = {synchronous}")
        execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        if version is None:
            execute("BEGIN IMMEDIATE")
            if self._version() is None:  # nobody else made the tables while this one waited for the lock
                for table in _TABLES.split(";"):
                    execute(table)
                execute("INSERT INTO schema (version) VALUES (?)", (SCHEMA_VERSION,))
            execute("COMMIT")

    def _version(self) -> int | None:
        """Return the schema's version, or None for an empty file; refuse a file of anybody else."""
        execute = self._connection.execute
        tables = {name for (name,) in execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if not {"schema", "rows", "heads", "documents"} <= tables:
            raise self._unusable("it belongs to another program")
        version = int(execute("SELECT max(version) FROM schema").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise NewerSchemaError(str(self.path), SCHEMA_VERSION, version)
        return version

    def _begin(self) -> bool:
        """Open the transaction if none is open; tell whether this call did."""
        self._require_open()
        if self._connection.in_transaction:
            return False
        if self._read_only:
            raise StoreReadOnlyError(str(self.path))
        try:
            # IMMEDIATE: the wait for another writer happens here, before anything is written.
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._busy_or(StoreWriteError(f"{self.path}: {error}; nothing was written"), error) from error
        return True

    def _query(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        self._require_open()
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._busy_or(self._unusable(error), error) from error

    def _force_log(self) -> None:
        log = self.path.with_name(self.path.name + "-wal")
        try:
            descriptor = os.open(log, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreWriteError(
                f"{log}: expected the disk to keep what is committed, was: {error}; it may be lost in a power cut: "
                "look at the disk"
            ) from error

    def _forget_heads(self) -> None:
        self._heads.clear()
        self._lagging.clear()

    def _require_open(self) -> None:
        if self._closed:
            raise StoreClosedError(str(self.path))

    def _undone(self, error: sqlite3.Error) -> StoreWriteError:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._forget_heads()
        return StoreWriteError(
            f"{self.path}: expected the disk to take a write, was: {error}; all since the last commit is undone: "
            "free the disk, then start again from the head"
        )

    def _unusable(self, reason: object) -> StoreFileError:
        return StoreFileError(
            f"{self.path}: expected a store of this program, was: {reason}; nothing was changed: name another file"
        )

    def _busy_or(self, other: StoreError, error: sqlite3.Error) -> StoreError:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return other
        return StoreBusyError(
            f"{self.path}: expected the write lock in time, was held by another process; nothing was written: "
            "stop the other writer, or give each writer a file of its own"
        )

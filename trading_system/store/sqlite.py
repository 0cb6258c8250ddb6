"""The store in one SQLite file, which several processes may write, each its own streams, and any number may read.

What is appended waits in memory until the commit, which is one short transaction: nobody holds the file's write lock
between two steps.

Write-ahead log; with synchronous NORMAL a commit survives the death of the process, and a power cut may take back the
newest commits but never half of one. FULL forces every commit to the disk, for what cannot be derived again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
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
from .pending import Batch, Pending
from .port import Document, Row, Stream, check_append

BUSY_TIMEOUT_MS = 5_000
BLOCKED_MS = 20  # how long a wait for the write lock may keep everything else in this process waiting
RETRY_S = 0.01
WAL_PAGES = 4_000  # 16 MB between two checkpoints: each forces the disk, and a step must not wait for that often
UNTIDY_ROWS = 1_000  # so many new rows are worth a checkpoint while nobody waits, long before a commit must make one
CACHE_KIB = 16_000  # the last page of each symbol's rows changes every minute: hundreds of them must stay in memory

# The step comes before the kind and rows live in the key's own tree: what a step writes lands on one page.
_FIRST_TABLES = """
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
# What was said, for people and other programs: SELECT closed_at, json FROM facts WHERE kind = 'strategy'
_FACTS = """
CREATE VIEW facts AS
    SELECT datetime(step * 60, 'unixepoch') AS closed_at, exchange, symbol, kind, step, n, CAST(payload AS TEXT) AS json
    FROM rows
"""
_LADDER = (_FIRST_TABLES, _FACTS)
"""What leads from each version of the schema to the next, the empty file being version 0."""
SCHEMA_VERSION = len(_LADDER)

_HEAD = "SELECT step FROM heads WHERE exchange = ? AND symbol = ? AND kind = ?"
_FIRST_HEAD = "INSERT OR IGNORE INTO heads (exchange, symbol, kind, step) VALUES (?, ?, ?, ?)"
_MOVE_HEAD = "UPDATE heads SET step = ? WHERE exchange = ? AND symbol = ? AND kind = ? AND step = ?"
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

    Only a commit that finds another process writing lets others run while it waits. To be used from the thread that
    made it.
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
        self._busy_s = busy_timeout_ms / 1000
        self._pending = Pending()
        self._untidy = 0  # rows written since the log was last folded into the file
        self._heads: dict[Stream, int] = {}  # as this store has committed them; the commit looks whether they are
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
        """Keep the rows for the next commit."""
        check_append(step, after, payloads)
        self._require_writable()
        was = self._pending.head(stream)
        if was is None:
            was = self._heads.get(stream)
            if was is None or was != after:  # another process may have moved it since
                was = self._committed_head(stream)
        if was != after:
            raise HeadMovedError(stream, after, was)
        self._pending.append(stream, step, payloads, after)

    async def head(self, stream: Stream) -> int | None:
        """Return the last complete step of ``stream``."""
        self._require_open()
        pending = self._pending.head(stream)
        return self._committed_head(stream) if pending is None else pending

    async def read(self, stream: Stream, after: int | None, upto: int) -> list[Row]:
        """Return the rows with after < step <= upto, ascending, own uncommitted ones included."""
        self._require_open()
        begin = -1 if after is None else after
        own = self._pending.rows(stream, begin, upto)
        floor = self._pending.floor(stream)
        upto = min(upto, _LAST_STEP if floor is None else floor)
        if upto <= begin:
            return own
        rows = self._query(_READ, (stream.exchange, stream.symbol, begin, upto, stream.kind))
        return [Row._make(row) for row in rows] + own

    async def last(self, stream: Stream, n: int) -> list[Row]:
        """Return the rows of the newest ``n`` steps that have any. Walks back over the symbol's rows of other kinds."""
        self._require_open()
        own, missing = self._pending.last(stream, n)
        if missing == 0:
            return own
        steps = self._query(_FIRST_OF_LAST, (stream.exchange, stream.symbol, stream.kind, missing))
        if not steps:
            return own
        place = (stream.exchange, stream.symbol, steps[-1][0] - 1, _LAST_STEP, stream.kind)
        return [Row._make(row) for row in self._query(_READ, place)] + own

    async def put_document(self, kind: str, key: str, step: int, payload: bytes) -> None:
        """Keep the document (kind, key) for the next commit."""
        self._require_writable()
        self._pending.put(kind, Document(key, step, payload))

    async def document(self, kind: str, key: str) -> tuple[int, bytes] | None:
        """Return (step, payload) of a document, or None."""
        self._require_open()
        document = self._pending.document(kind, key)
        if document is not None:
            return document.step, document.payload
        rows = self._query(_DOCUMENT, (kind, key))
        return (rows[0][0], rows[0][1]) if rows else None

    async def documents(self, kind: str) -> list[Document]:
        """Return every document of ``kind`` in the order of their keys."""
        return self._pending.over(kind, [Document._make(row) for row in self._query(_DOCUMENTS, (kind,))])

    async def commit(self, *, forced: bool = False) -> None:
        """Write what is pending in one transaction; nothing happens if nothing is.

        forced: the write-ahead log, with all commits in it, is on the disk when this returns.
        Raises: StoreBusyError, with all kept for another attempt; HeadMovedError, StoreWriteError, with all undone.
        """
        self._require_open()
        if self._pending and await self._begin():
            self._carry_out()
        if forced:
            self._force_log()

    async def tidy(self) -> None:
        """Fold the write-ahead log into the file, as far as no reader stands in it, if that is worth it.

        One that fails is left to the next commit, which says what is wrong.
        """
        self._require_open()
        if self._untidy >= UNTIDY_ROWS:
            self._untidy = 0
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    async def rollback(self) -> None:
        """Forget what is pending."""
        self._require_open()
        self._forget()

    async def close(self) -> None:
        """Roll back and close the file."""
        if not self._closed:
            await self.rollback()
            self._closed = True
            self._connection.close()

    def _carry_out(self) -> None:
        batch = self._pending.batch()  # from here on nothing else runs in this process
        try:
            is_ours = self._write(batch)
            self._connection.execute("COMMIT" if is_ours else "ROLLBACK")
        except sqlite3.Error as error:
            raise self._undone(error) from error
        if not is_ours:
            self._forget()
            raise self._overtaken(batch)
        self._heads.update({written.stream: written.step for written in batch.streams})
        self._pending.settle(batch)

    def _prepare(self, synchronous: str) -> None:
        execute = self._connection.execute
        version = self._version()
        if self._read_only:
            if version is None:
                raise self._unusable("it is empty")
            return
        if self._journal_mode() != "wal":
            raise self._unusable("its disk allows no write-ahead log; put it on a local disk")
        execute(f"PRAGMA synchronous = {synchronous}")
        execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if version != SCHEMA_VERSION:
            execute("BEGIN IMMEDIATE")
            self._climb(self._version() or 0)  # which another process may have raised in the meantime
            execute("COMMIT")
        execute(f"PRAGMA busy_timeout = {BLOCKED_MS}")

    def _journal_mode(self) -> str:
        """Ask for the write-ahead log. SQLite does not wait where two open a new file at once, so this does."""
        until = time.monotonic() + self._busy_s
        while True:
            try:
                return str(self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= until:
                    raise
            time.sleep(RETRY_S)

    def _climb(self, version: int) -> None:
        """Bring the tables from ``version`` to this program's, inside one transaction."""
        execute = self._connection.execute
        for rung in _LADDER[version:]:
            for statement in rung.split(";"):
                execute(statement)
        execute("DELETE FROM schema")
        execute("INSERT INTO schema (version) VALUES (?)", (SCHEMA_VERSION,))

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

    async def _begin(self) -> bool:
        """Take the write lock, letting others run while it is taken; tell whether there is still something to write."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._busy_s
        while True:
            try:
                # IMMEDIATE: the wait for another writer happens here, before anything is written.
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if not _is_busy(error):
                    raise self._undone(error) from error
                if loop.time() >= until:
                    raise self._busy() from error
                await asyncio.sleep(RETRY_S)
                self._require_open()
                if not self._pending:  # another commit of this process was quicker
                    return False
            else:
                return True

    def _write(self, batch: Batch) -> bool:
        """Write heads, rows and documents; tell whether every head was where this store left it.

        One statement for each kind of thing, not one a stream: a minute of hundreds of symbols is one batch.
        """
        many = self._connection.executemany
        begun: list[tuple[str, str, str, int]] = []
        moved: list[tuple[int, str, str, str, int]] = []
        for (kind, exchange, symbol), after, step, _ in batch.streams:
            if after is None:
                begun.append((exchange, symbol, kind, step))
            else:
                moved.append((step, exchange, symbol, kind, after))
        if many(_FIRST_HEAD, begun).rowcount != len(begun) or many(_MOVE_HEAD, moved).rowcount != len(moved):
            return False
        rows = [
            (exchange, symbol, step, kind, n, payload)
            for (kind, exchange, symbol), _, _, added in batch.streams
            for step, n, payload in added
        ]
        many(_APPEND, rows)
        self._untidy += len(rows)
        many(_PUT_DOCUMENT, [(kind, *document) for kind, document in batch.documents])
        return True

    def _overtaken(self, batch: Batch) -> HeadMovedError:
        """Return which stream of a batch that was shut out another process has moved; heads never go back."""
        heads = [(stream, after, self._committed_head(stream)) for stream, after, _, _ in batch.streams]
        return next(HeadMovedError(stream, after, was) for stream, after, was in heads if was != after)

    def _committed_head(self, stream: Stream) -> int | None:
        rows = self._query(_HEAD, (stream.exchange, stream.symbol, stream.kind))
        return rows[0][0] if rows else None

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

    def _forget(self) -> None:
        self._pending.clear()
        self._heads.clear()

    def _require_open(self) -> None:
        if self._closed:
            raise StoreClosedError(str(self.path))

    def _require_writable(self) -> None:
        self._require_open()
        if self._read_only:
            raise StoreReadOnlyError(str(self.path))

    def _undone(self, error: sqlite3.Error) -> StoreWriteError:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._forget()
        return StoreWriteError(
            f"{self.path}: expected the disk to take a write, was: {error}; all since the last commit is undone: "
            "free the disk, then start again from the head"
        )

    def _unusable(self, reason: object) -> StoreFileError:
        return StoreFileError(
            f"{self.path}: expected a store of this program, was: {reason}; nothing was changed: name another file"
        )

    def _busy_or(self, other: StoreError, error: sqlite3.Error) -> StoreError:
        return self._busy() if _is_busy(error) else other

    def _busy(self) -> StoreBusyError:
        return StoreBusyError(
            f"{self.path}: expected the write lock within {self._busy_s:g} s, was held by another process; nothing is "
            "lost, it is asked again: see which other program has the file open"
        )


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

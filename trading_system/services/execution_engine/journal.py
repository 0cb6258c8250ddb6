"""The journal: every order's intent is here, on the disk, before the order is on the wire, and every fill once.

It remembers and refuses contradictions; what to send and what an answer means is decided elsewhere. One process owns a
journal at a time, and the operating system gives it free when that process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from trading_system.contracts import from_ms
from trading_system.rules.client_ids import client_order_id
from trading_system.rules.matching import Order, OrderType
from trading_system.venues.port import KnownStop, TradePoint, VenueFill

from .journal_records import LIVE, UNRESOLVED, JournalFill, JournalOrder, State

__all__ = [
    "LIVE",
    "UNRESOLVED",
    "Journal",
    "JournalError",
    "JournalFill",
    "JournalInUseError",
    "JournalOrder",
    "NewerJournalError",
    "OtherJournalError",
    "State",
]

log = logging.getLogger(__name__)

T = TypeVar("T")
VERSION = 2
DISK_ERRORS = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR})

_META = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, symbol TEXT NOT NULL,
    side INTEGER NOT NULL, type INTEGER NOT NULL, price REAL NOT NULL, quantity REAL NOT NULL, born INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, fence_at_ms INTEGER NOT NULL, epoch INTEGER NOT NULL,
    state TEXT NOT NULL, venue_id TEXT NOT NULL, code INTEGER NOT NULL, reason TEXT NOT NULL,
    UNIQUE (plan, name, generation)
);
CREATE TABLE IF NOT EXISTS fills (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    symbol TEXT NOT NULL, trade_id TEXT NOT NULL, number INTEGER NOT NULL, client_id TEXT NOT NULL,
    time INTEGER NOT NULL, price REAL NOT NULL, quantity REAL NOT NULL, fee REAL NOT NULL, maker INTEGER NOT NULL,
    UNIQUE (symbol, trade_id)
);
CREATE INDEX IF NOT EXISTS fills_of_order ON fills (client_id);
"""
# Version 1 knew one venue, whose trades are numbered by their ids.
_OUT_OF_THE_WAY = "ALTER TABLE fills RENAME TO fills_1; DROP INDEX fills_of_order"
_FROM_VERSION_1 = """
INSERT INTO fills SELECT seq, symbol, CAST(trade_id AS TEXT), trade_id, client_id, time, price, quantity, fee, maker
    FROM fills_1;
DROP TABLE fills_1
"""
_ORDER_COLUMNS = (
    "seq, client_id, plan, name, generation, symbol, side, type, price, quantity, born, created_ms, fence_at_ms, "
    "epoch, state, venue_id, code, reason"
)
_FILL_COLUMNS = "trade_id, number, client_id, symbol, time, price, quantity, fee, maker"


class JournalError(Exception):
    """The journal cannot do what was asked; nothing was written."""


class JournalInUseError(JournalError):
    """Another process trades with this journal."""


class OtherJournalError(JournalError):
    """The journal of another line, whose orders and fills mean nothing here."""

    def __init__(self, path: Path, kept: int, origin: int) -> None:
        began, begins = from_ms(kept), from_ms(origin)
        super().__init__(
            f"{path}: expected the journal of the line that begins at {begins:%Y-%m-%d %H:%M}, was of one that began "
            f"at {began:%Y-%m-%d %H:%M}; give each line a data folder of its own, or this folder its own store again"
        )


class NewerJournalError(JournalError):
    """The journal was written by a later version of this program."""


class Journal:
    """The journal in one SQLite file, opened for this process alone.

    Every method that writes has fsynced on return, unless it is ``lost``.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the journal at ``path``; orders that were meant but not answered are UNKNOWN from here on.

        Raises: JournalInUseError when another process has it; NewerJournalError; JournalError when the file is broken.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._acted_step = 0
        self._lost = False
        self._lock = _taken(path.with_name(path.name + ".lock"), path)
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            try:
                self._begin()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.DatabaseError as error:
            os.close(self._lock)
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in DISK_ERRORS:
                raise JournalError(
                    f"{path}: expected a disk that takes a write, was: {error}; free the disk, or make the folder "
                    "writable, and start again"
                ) from error
            raise JournalError(
                f"{path}: expected a journal, was something that cannot be read ({error}); restore it from a copy, "
                "or move it away and start with a flat account"
            ) from error
        except BaseException:
            os.close(self._lock)
            raise
        self._closed = False

    @property
    def epoch(self) -> int:
        """How many times this journal has been opened."""
        return self._epoch

    @property
    def unknown(self) -> int:
        """How many orders wait for proof."""
        return sum(order.state in UNRESOLVED for order in self._live.values())

    @property
    def lost(self) -> bool:
        """Tell whether the disk takes no more: what is written from then on ends with this process.

        No entry may be sent then; what makes a position smaller still may, because the venue's lists and trades
        bring it back at the next start.
        """
        return self._lost

    @property
    def acted_step(self) -> int:
        """The newest step that orders were sent or cancelled for, 0 before the first; no later one was acted on."""
        return self._acted_step

    def act_at(self, step: int) -> None:
        """Write that orders are about to be sent or cancelled for ``step``: the store may forget it, the venue not."""
        if step > self._acted_step:
            self._on_disk_or_not(
                lambda: self._db.execute("INSERT OR REPLACE INTO meta VALUES ('acted', ?)", (step,)).close()
            )
            self._acted_step = step

    def intend(self, order: Order, symbol: str, generation: int, *, created_ms: int, fence_at_ms: int) -> JournalOrder:
        """Write that ``order`` is about to be sent, and return it; it is on the disk when this returns.

        created_ms: the local time with which it will be stamped; fence_at_ms: from when on it can no longer arrive.
        Raises: JournalError when this generation was used before.
        """
        plan, name = order.id[2:-1], order.id[-1]
        client_id = client_order_id(plan, name, generation)
        values = (client_id, plan, name, generation, symbol, order.side, int(order.type), order.price, order.quantity)
        rest = (order.born, created_ms, fence_at_ms, self._epoch, State.INTENT, "", 0, "")
        columns = _ORDER_COLUMNS.removeprefix("seq, ")
        try:
            row = self._on_disk_or_not(
                lambda: self._db.execute(
                    f"INSERT INTO orders ({columns}) VALUES ({', '.join('?' * 17)}) RETURNING seq",  # noqa: S608 - own words
                    (*values, *rest),
                ).fetchone()
            )
        except sqlite3.IntegrityError as error:
            raise JournalError(
                f"{client_id}: expected a generation that was never used, was {generation}; use generation_for"
            ) from error
        meant = _order((row[0], *values, *rest))
        self._live[client_id] = meant
        return meant

    def acked(self, client_id: str, venue_id: str) -> None:
        """Write that the venue has the order. One that has ended meanwhile stays ended."""
        order = self._known(client_id)
        state = State.ACKED if order.state in LIVE else order.state
        if (state, venue_id) != (order.state, order.venue_id):
            self._change(order._replace(state=state, venue_id=venue_id))

    def unknown_outcome(self, client_id: str, reason: str) -> None:
        """Write that nobody can tell whether the venue has the order."""
        order = self._known(client_id)
        if order.state in LIVE:
            self._change(order._replace(state=State.UNKNOWN, reason=reason))

    def refused(self, client_id: str, code: int, reason: str) -> None:
        """Write that the venue refused the order by its own word."""
        order = self._known(client_id)
        if order.state in LIVE:
            self._change(order._replace(state=State.REJECTED, code=code, reason=reason))

    def settled(self, client_id: str, state: State, reason: str = "") -> None:
        """Write how the order ended. The first end stands, except that a fill is stronger than any other.

        Raises: JournalError when ``state`` is no end.
        """
        if state in LIVE:
            raise JournalError(f"{client_id}: expected a state in which an order ends, was {state}")
        order = self._known(client_id)
        if order.state in LIVE or (state == State.FILLED and order.state != State.FILLED):
            self._change(order._replace(state=state, reason=reason))

    def fill(self, fill: VenueFill) -> bool:
        """Book a trade; return False if it was booked before. The order is FILLED when its fills are its quantity."""
        return self._on_disk_or_not(lambda: self._fill(fill))

    def _fill(self, fill: VenueFill) -> bool:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            added = self._db.execute(
                f"INSERT INTO fills ({_FILL_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - own words
                "ON CONFLICT (symbol, trade_id) DO NOTHING",
                fill,
            ).rowcount
            order = self.order(fill.client_id) if added else None
            if order is not None:
                (total,) = self._db.execute(
                    "SELECT sum(quantity) FROM fills WHERE client_id = ?", (fill.client_id,)
                ).fetchone()
                # sums of decimals differ in the last digit; half a billionth of an order is no remainder
                if total >= order.quantity * (1 - 1e-9):
                    late = order.state in (State.NOT_PLACED, State.REJECTED)
                    reason = f"filled after {order.state}" if late else order.reason
                    self._write(order._replace(state=State.FILLED, reason=reason))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            raise
        if order is not None:
            self._remember(fill.client_id)
        return bool(added)

    def live(self, symbol: str) -> list[JournalOrder]:
        """Return the orders of ``symbol`` that have not ended, oldest first."""
        return [order for order in self._live.values() if order.symbol == symbol]

    def live_symbols(self) -> set[str]:
        """Return the symbols with an order that has not ended."""
        return {order.symbol for order in self._live.values()}

    def meant_since(self, seq: int) -> tuple[int, set[str]]:
        """Return the number of the newest order, and the symbols of those meant after the ``seq``-th."""
        rows = self._db.execute("SELECT max(seq), symbol FROM orders WHERE seq > ? GROUP BY symbol", (seq,)).fetchall()
        return max((row[0] for row in rows), default=seq), {row[1] for row in rows}

    def unresolved(self, symbol: str) -> list[JournalOrder]:
        """Return the orders of ``symbol`` of which nobody can tell whether the venue has them, oldest first."""
        return [order for order in self.live(symbol) if order.state in UNRESOLVED]

    def order(self, client_id: str) -> JournalOrder | None:
        """Return one order, None if it was never meant."""
        live = self._live.get(client_id)
        if live is not None:
            return live
        return self._one("client_id = ?", (client_id,))

    def newest(self, canonical: str) -> JournalOrder | None:
        """Return the last generation of an order by its name without generation, None if it was never meant."""
        where = "plan = ? AND name = ? ORDER BY generation DESC LIMIT 1"
        return self._one(where, (canonical[2:-1], canonical[-1]))

    def taken_back(self, order: Order) -> int:
        """Return how many of the newest generations of ``order``, as it is now, were rejected after they were taken."""
        rows = self._db.execute(
            f"SELECT {_ORDER_COLUMNS} FROM orders WHERE plan = ? AND name = ? ORDER BY generation DESC LIMIT 10",  # noqa: S608
            (order.id[2:-1], order.id[-1]),
        )
        count = 0
        for known in map(_order, rows):
            if known.state != State.REJECTED or not known.venue_id or not known.is_for(order):
                break
            count += 1
        return count

    def generation_for(self, plan: str, name: str) -> int:
        """Return the first generation of an order of ``plan`` that was never used."""
        row = self._db.execute(
            "SELECT max(generation) FROM orders WHERE plan = ? AND name = ?", (plan, name)
        ).fetchone()
        return 0 if row[0] is None else int(row[0]) + 1

    def stops_without_fill(self, symbol: str) -> list[KnownStop]:
        """Return the stops that were not proven to have ended otherwise and whose fill is not booked, oldest first."""
        rows = self._db.execute(
            "SELECT client_id, price, venue_id FROM orders WHERE symbol = ? AND name = 's' "
            "AND state IN ('INTENT', 'ACKED', 'UNKNOWN', "
            "'FILLED') AND NOT EXISTS (SELECT 1 FROM fills WHERE fills.client_id = orders.client_id) ORDER BY seq",
            (symbol,),
        )
        return [KnownStop(*row) for row in rows]

    def hold_to(self, origin: int) -> None:
        """Belong for good to the line whose history begins at ``origin`` (ms UTC). Raises: OtherJournalError."""
        self._db.execute("INSERT INTO meta VALUES ('origin', ?) ON CONFLICT (key) DO NOTHING", (origin,))
        kept = self._meta("origin")
        if kept != origin:
            raise OtherJournalError(self.path, kept, origin)

    def begin_trades_at(self, symbol: str, point: TradePoint) -> None:
        """Remember that trades of ``symbol`` up to ``point`` were none of ours; a later beginning is ignored."""
        for key, value in ((f"trades:{symbol}", point.number), (f"trades_time:{symbol}", point.time)):
            self._db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO NOTHING", (key, value))

    def unread(self, symbol: str) -> TradePoint:
        """Return from where on trades of ``symbol`` may be unread: those of the last booked match may still come."""
        where = "symbol = ? ORDER BY number DESC LIMIT 1"
        row = self._db.execute(f"SELECT number, time FROM fills WHERE {where}", (symbol,)).fetchone()  # noqa: S608
        begun = self._meta(f"trades:{symbol}")
        if row is not None and row[0] > begun:
            return TradePoint(*row)
        return TradePoint(begun + 1, self._meta(f"trades_time:{symbol}"))

    def as_fill(self, fill: VenueFill) -> JournalFill:
        """Return a trade as it was booked. Raises: JournalError when it was not."""
        where = "symbol = ? AND trade_id = ?"
        row = self._db.execute(
            f"SELECT seq, {_FILL_COLUMNS} FROM fills WHERE {where}",  # noqa: S608 - own words
            (fill.symbol, fill.trade_id),
        ).fetchone()
        if row is None:
            raise JournalError(f"trade {fill.trade_id} of {fill.symbol}: expected it booked, was not; call fill first")
        return _fill(row)

    def fills_since(self, seq: int) -> list[JournalFill]:
        """Return the fills that arrived after the ``seq``-th, in order of arrival."""
        rows = self._db.execute(f"SELECT seq, {_FILL_COLUMNS} FROM fills WHERE seq > ? ORDER BY seq", (seq,))  # noqa: S608
        return [_fill(row) for row in rows]

    def orders_since(self, seq: int) -> list[JournalOrder]:
        """Return the orders meant after the ``seq``-th, as they stand now, in order of intent."""
        rows = self._db.execute(f"SELECT {_ORDER_COLUMNS} FROM orders WHERE seq > ? ORDER BY seq", (seq,))  # noqa: S608
        return [_order(row) for row in rows]

    def close(self) -> None:
        """Close the file and give it free; a second call changes nothing."""
        if not self._closed:
            self._closed = True
            self._db.close()
            os.close(self._lock)

    def _begin(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(_META)
        version = self._meta("version") or VERSION
        if version > VERSION:
            raise NewerJournalError(
                f"{self.path}: expected a journal of version {VERSION} or older, was {version}; install the newer "
                "program again (pip install --upgrade trading-system)"
            )
        before, after = (_OUT_OF_THE_WAY, _FROM_VERSION_1) if version == 1 else ("", "")
        for statement in f"{before};{_SCHEMA};{after}".split(";"):
            self._db.execute(statement)
        self._epoch = self._meta("epoch") + 1
        self._acted_step = self._meta("acted")
        for key, value in (("version", VERSION), ("epoch", self._epoch)):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        # Killed between the intent and the answer: it may have been sent.
        self._db.execute("UPDATE orders SET state = 'UNKNOWN', reason = 'found at a start' WHERE state = 'INTENT'")
        self._db.execute("COMMIT")
        rows = self._db.execute(
            f"SELECT {_ORDER_COLUMNS} FROM orders WHERE state IN ('ACKED', 'UNKNOWN') ORDER BY seq"  # noqa: S608
        )
        self._live = {order.client_id: order for order in map(_order, rows)}

    def _on_disk_or_not(self, write: Callable[[], T]) -> T:
        """Do ``write``; when the disk does not take it, go on in memory and say so once."""
        try:
            return write()
        except sqlite3.OperationalError as error:
            if self._lost or getattr(error, "sqlite_errorcode", 0) & 0xFF not in DISK_ERRORS:
                raise
            memory = sqlite3.connect(":memory:", isolation_level=None)
            self._db.backup(memory)
            self._db.close()
            self._db, self._lost = memory, True
            log.critical(
                "%s: expected a disk that takes a write, was: %s; entries are off, stops and exits are still sent; "
                "free the disk and start the line again",
                self.path,
                error,
            )
            return write()

    def _meta(self, key: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return 0 if row is None else int(row[0])

    def _known(self, client_id: str) -> JournalOrder:
        order = self.order(client_id)
        if order is None:
            raise JournalError(f"{client_id}: expected an order of this journal, was none; intend it first")
        return order

    def _one(self, where: str, values: tuple[str, ...]) -> JournalOrder | None:
        row = self._db.execute(f"SELECT {_ORDER_COLUMNS} FROM orders WHERE {where}", values).fetchone()  # noqa: S608
        return None if row is None else _order(row)

    def _change(self, order: JournalOrder) -> None:
        self._on_disk_or_not(lambda: self._write(order))
        self._remember(order.client_id, order)

    def _write(self, order: JournalOrder) -> None:
        self._db.execute(
            "UPDATE orders SET state = ?, venue_id = ?, code = ?, reason = ? WHERE client_id = ?",
            (order.state, order.venue_id, order.code, order.reason, order.client_id),
        )

    def _remember(self, client_id: str, order: JournalOrder | None = None) -> None:
        """Bring the list of live orders in line with what has just been written."""
        order = order or self._one("client_id = ?", (client_id,))
        if order is not None and order.state in LIVE:
            self._live[client_id] = order
        else:
            self._live.pop(client_id, None)


def _order(row: tuple[object, ...]) -> JournalOrder:
    order = JournalOrder(*row)  # type: ignore[arg-type]
    return order._replace(type=OrderType(order.type), state=State(order.state))


def _fill(row: tuple[object, ...]) -> JournalFill:
    fill = JournalFill(*row)  # type: ignore[arg-type]
    return fill._replace(maker=bool(fill.maker))


def _taken(lock: Path, journal: Path) -> int:
    """Take the lock of ``journal`` for this process and return its descriptor; it is free when the process is gone."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise JournalInUseError(
            f"{journal}: expected a journal that nobody trades with, was in use by process {owner}; stop that one first"
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor

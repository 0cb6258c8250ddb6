"""The folder of a line read from beside it, also while it trades: nothing is written, nothing is locked.

What is made of it for people is decided in ``line_rows.py`` and ``why.py``.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trading_system.app import JOURNAL_FILE, PAPER_FILE, STORE_FILE
from trading_system.contracts import AlertDTO, CandleDTO, RejectionDTO, TradeSignalDTO, to_alert, to_step
from trading_system.database import open_store
from trading_system.line_terms import LINE, roster_of
from trading_system.rules.account import Account, widened
from trading_system.rules.events import Event
from trading_system.rules.fact_record import unpack_fact
from trading_system.rules.facts import Fact
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.roster import Roster, State
from trading_system.rules.words import event_of, swing_of
from trading_system.services.room import ALERTS, EXECUTION, HIGHS_LOWS, STRATEGY, WHOLE_ACCOUNT
from trading_system.services.stored_account import newest_minute, stored_account
from trading_system.store.port import Store, Stream

SERVICES_FOLDER = "line"  # where services that run as processes of their own keep what is theirs
Kind = TypeVar("Kind")


class ViewError(ValueError):
    """A folder in which no line can be looked at, or a symbol that its line does not trade."""


@dataclass(frozen=True, eq=False)
class SymbolView:
    """What the rooms have said of one symbol. ``head``: the last step whose candle is stored, None before the first."""

    symbol: str
    head: int | None
    last: CandleDTO | None
    events: Sequence[Event]
    signals: Sequence[TradeSignalDTO]
    refused: Sequence[RejectionDTO]


@dataclass(frozen=True, eq=False)
class LineView:
    """A line as its store tells it. ``step``: the account's last closed step; ``process``: who trades it now, or None.

    ``is_paper``: its orders never left its process. ``quiet_s``: seconds since its store was written to last, None
    where a server keeps it. ``alerts``: what people were told of its health, the oldest first.
    ``terms`` are the settings with which it began, flat; ``symbols`` and ``instruments``, those that ever joined, are
    in the order of the account's slots.
    """

    folder: Path
    terms: Mapping[str, Any]
    instruments: tuple[Instrument, ...]
    roster: Roster
    step: int | None
    account: Account | None
    facts: Sequence[Fact]
    symbols: Sequence[SymbolView]
    process: int | None
    is_paper: bool
    quiet_s: float | None
    alerts: Sequence[AlertDTO]

    @property
    def traded(self) -> tuple[str, ...]:
        """The symbols that the line still feeds; those that have left are in ``symbols`` too."""
        return tuple(one.symbol for one in self.symbols if self.roster.members[one.symbol].state != State.LEFT)

    @property
    def origin(self) -> int:
        """The instant (ms UTC) at which the line's history begins."""
        return int(self.terms["origin"])

    @property
    def first_signal(self) -> int:
        """The first instant (ms UTC) at which a signal may be given."""
        return self.origin + int(self.terms["plans.warm_up"]) * interval_ms(self.signal_interval)

    @property
    def signal_interval(self) -> str:
        """The interval on which setups are looked for."""
        return str(self.terms["signal_interval"])

    def facts_of(self, kind: type[Kind]) -> list[Kind]:
        """Return the facts of one kind, in the order of their happening."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def of(self, symbol: str) -> SymbolView:
        """Return what is known of ``symbol``. Raises: ViewError when the line does not trade it."""
        for one in self.symbols:
            if one.symbol == symbol:
                return one
        names = " ".join(one.symbol for one in self.symbols)
        raise ViewError(f"{symbol}: expected a symbol of this line, which trades {names}; give one of them")


def newest_line(data_folder: Path) -> Path:
    """Return the folder below ``data_folder`` whose line was written to last. Raises: ViewError without any."""
    runs = data_folder / "runs"
    stores = [*runs.glob(f"*/{STORE_FILE}"), *runs.glob(f"*/run/{STORE_FILE}")]  # a demo keeps its line one deeper
    stores += data_folder.glob(f"{SERVICES_FOLDER}/{STORE_FILE}")
    if not stores:
        raise ViewError(
            f"{runs}: expected the folder of a run, was none; start `trading-system run`, or give its folder "
            "with --store"
        )
    return max(stores, key=_written).parent


async def read_line(folder: Path, database_url: str = "", *, is_paper: bool = False) -> LineView:
    """Read the line in ``folder``, or the one that a server keeps at ``database_url``.

    is_paper: of a line on a server; one in a folder says itself.

    Raises: ViewError when there is none; StoreError when its store cannot be read.
    """
    path = folder / STORE_FILE
    if not database_url and not path.exists():
        raise ViewError(
            f"{folder}: expected the folder of a line with {STORE_FILE} in it, was one without; give the folder that "
            "`trading-system run` printed"
        )
    store = open_store(read_only(database_url) if database_url else store_of(folder))
    try:
        lines = await store.documents(LINE)
        if not lines:
            raise ViewError(f"{folder}: expected a line that has begun, was an empty store; start the run again")
        exchange, terms = lines[0].key, msgspec.json.decode(lines[0].payload)
        account = Stream(EXECUTION, exchange, WHOLE_ACCOUNT)
        step, kept = await stored_account(store, exchange)
        roster = await roster_of(store)  # read after the account: it is at least as new
        if roster is None:
            raise ViewError(f"{folder}: expected a line that has begun, was an empty store; start the run again")
        instruments = roster.instruments
        if kept is not None:
            kept = widened(kept, len(instruments))
        rows = [] if step is None else await store.read(account, None, step)
        return LineView(
            folder,
            terms,
            instruments,
            roster,
            step,
            kept,
            [unpack_fact(row.payload) for row in rows],
            [await _symbol(store, exchange, one.symbol) for one in instruments],
            trader_of(folder / JOURNAL_FILE),
            is_paper if database_url else (folder / PAPER_FILE).exists(),
            None if database_url else max(time.time() - _written(path), 0.0),
            [to_alert(row) for row in await _rows(store, Stream(ALERTS, exchange, WHOLE_ACCOUNT))],
        )
    finally:
        await store.close()


def read_only(database_url: str) -> str:
    """Return a store's URL for reading only."""
    return database_url + ("&" if "?" in database_url else "?") + "mode=ro"


def store_of(folder: Path) -> str:
    """Return the URL by which the store of a line's folder is opened for reading only."""
    return f"sqlite:///{(folder / STORE_FILE).resolve()}?mode=ro"


async def _symbol(store: Store, exchange: str, symbol: str) -> SymbolView:
    events: list[Event] = []
    signals: list[TradeSignalDTO] = []
    refused: list[RejectionDTO] = []
    for row in await _rows(store, Stream(HIGHS_LOWS, exchange, symbol)):
        events.extend(swing_of(swing) for swing in to_step(row).get("swings", ()))
    for row in await _rows(store, Stream(STRATEGY, exchange, symbol)):
        said = to_step(row)
        events.extend(map(event_of, said.get("events", ())))
        signals.extend(said.get("signals", ()))
        refused.extend(said.get("refused", ()))
    head, last = await newest_minute(store, exchange, symbol)
    return SymbolView(symbol, head, last, events, signals, refused)


async def _rows(store: Store, stream: Stream) -> list[bytes]:
    head = await store.head(stream)
    return [] if head is None else [row.payload for row in await store.read(stream, None, head)]


def _written(path: Path) -> float:
    """Return when the store was written to last: its log is newer than itself while the line lives."""
    files = [path, path.with_name(path.name + "-wal")]
    return max(file.stat().st_mtime for file in files if file.exists())


def trader_of(journal: Path) -> int | None:
    """Return the process that trades with ``journal`` now, None when nobody holds its lock.

    The lock is tried for a moment, shared, because the number in the file outlives its process.
    """
    try:
        with journal.with_name(journal.name + ".lock").open(encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0)
    except (OSError, ValueError):
        return None
    return None

"""Fetches minutes month by month: what is kept and sound stays, what is missing comes from the archive, then by REST.

The order of the sources: the archive's month, its days while they are there, REST for the rest. Which are asked at all
is the asker's choice. A month is kept once it is as far as it can be; what was begun when the process died is begun
again. The running minute is never kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from trading_system.research.fetched.archive import DAY_MS, Archived, ArchiveDesk
from trading_system.research.fetched.errors import (
    ArchiveAwayError,
    ArchiveFileError,
    DamagedMonthError,
    FetchedError,
    NoVolumesError,
    SpanError,
    written,
)
from trading_system.research.fetched.minutes import Disagreement, Minutes, Month, disagreement, months_of
from trading_system.research.fetched.rest import minutes_by_rest, oldest_minute
from trading_system.research.fetched.shelf import Part, Shelf, StoredMonth
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.symbols import selection_of
from trading_system.venues.clock import Clock
from trading_system.venues.market_errors import MarketError, NotTradedError, UnknownSymbolError
from trading_system.venues.market_port import PublicMarket, top_by_volume

ARCHIVE, REST = "archive", "rest"
AT_ONCE = 4  # symbols: enough to hide the way to the host, too few to be a burden
SETTLED_MS = 10_000  # REST may lack or change a minute for so long after its end


class Wanted(NamedTuple):
    """What to fetch: from ``first`` to ``until`` (ms UTC, None: as far as there is). ``again``: also what is kept."""

    exchange: str
    symbols: tuple[str, ...]
    first: int
    until: int | None = None
    again: bool = False


class Note(NamedTuple):
    """Something that a person should know: which it is, and the values of its sentence."""

    key: str
    values: Mapping[str, Any]


class Desk(NamedTuple):
    """Where minutes can be had: a source that is not to be asked is None. ``host``: of REST, to be named."""

    archive: ArchiveDesk | None
    market: PublicMarket | None
    host: str
    clock: Clock


class Watch(NamedTuple):
    """Who is told: of each month that is done, and of what a person should know."""

    month: Callable[[], None]
    note: Callable[[Note], None]


class Done(NamedTuple):
    """What came of a fetch: the symbols that have what there is, and the error of each of the others."""

    symbols: tuple[str, ...]
    failed: Mapping[str, Exception]


@dataclass
class _Growing:
    """A month while it is put together: what lies there already, and what comes behind it."""

    month: Month
    until: int
    minutes: Minutes
    parts: list[Part] = field(default_factory=list)

    def add(self, part: Part, minutes: Minutes) -> Disagreement | None:
        """Take what lies behind; return how the rest differs from what was here before."""
        both = min(self.until, part.until)
        shared = disagreement(self.minutes.between(part.first, both), minutes.between(part.first, both))
        if part.until > self.until:
            self.minutes = self.minutes.then(minutes.between(self.until, part.until))
            self.parts.append(part._replace(first=max(part.first, self.until)))
            self.until = part.until
        return shared


async def chosen_symbols(desk: Desk, words: Sequence[str]) -> tuple[str, ...]:
    """Return the symbols that ``words`` select, those chosen by volume behind the others.

    Raises: SymbolError; NoVolumesError; MarketError.
    """
    selection = selection_of(words)
    if not selection.top:
        return selection.names
    if desk.market is None:
        raise NoVolumesError(selection.top)
    return tuple(dict.fromkeys([*selection.names, *await top_by_volume(desk.market, selection.top)]))


async def fetch(shelf: Shelf, desk: Desk, wanted: Wanted, watch: Watch) -> Done:
    """Fetch what ``wanted`` names and ``shelf`` lacks; one symbol that fails stops no other.

    Raises: SpanError; MarketError and ArchiveAwayError when nobody answers; OSError of the disk.
    """
    desk, now = await _now(desk, watch)
    closed = (now - SETTLED_MS) // MINUTE_MS * MINUTE_MS
    until = closed if wanted.until is None else min(closed, wanted.until // MINUTE_MS * MINUTE_MS)
    if wanted.first >= until:
        raise SpanError(wanted.first, until)
    records = await _instruments(desk.market, wanted.symbols)
    failed: dict[str, Exception] = {}
    waiting = iter(wanted.symbols)

    async def work() -> None:
        for symbol in waiting:
            one = _OneSymbol(shelf, desk, wanted, symbol, now, watch)
            try:
                with shelf.alone(wanted.exchange, symbol):
                    await one.fetch(until, records.get(symbol))
            except (FetchedError, MarketError) as error:
                failed[symbol] = error

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(AT_ONCE, len(wanted.symbols))):
                workers.create_task(work())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None  # a full disk is the same for all
    return Done(tuple(one for one in wanted.symbols if one not in failed), failed)


async def _now(desk: Desk, watch: Watch) -> tuple[Desk, int]:
    """Return the exchange's time; without its REST, where the archive can do alone, this machine's."""
    if desk.market is None:
        return desk, desk.clock.wall_ms()
    try:
        return desk, await desk.market.server_time()
    except MarketError as error:
        if desk.archive is None:
            raise
        watch.note(Note("rest_away", {"problem": error}))
        return desk._replace(market=None), desk.clock.wall_ms()


async def _instruments(
    market: PublicMarket | None, symbols: Sequence[str]
) -> Mapping[str, Instrument | UnknownSymbolError]:
    """Return what the exchange says of each symbol, nothing where it is not asked. Raises: MarketError."""
    if market is None:
        return {}
    found: dict[str, Instrument | UnknownSymbolError] = {}
    if len(symbols) > 1:
        found = {one.symbol: one for one in await market.instruments() if one.symbol in set(symbols)}
    for symbol in symbols:
        if symbol not in found:
            try:
                (found[symbol],) = await market.instruments([symbol])
            except UnknownSymbolError as error:
                found[symbol] = error
    return found


class _OneSymbol:
    """The fetch of one symbol."""

    def __init__(self, shelf: Shelf, desk: Desk, wanted: Wanted, symbol: str, now: int, watch: Watch) -> None:
        self._shelf = shelf
        self._archive, self._market, self._host, _ = desk
        self._wanted = wanted
        self._symbol = symbol
        self._now = now
        self._watch = watch
        self._oldest: int | None = None

    async def fetch(self, until: int, record: Instrument | UnknownSymbolError | None) -> None:
        """Fetch the months up to ``until``. Raises: FetchedError, MarketError, OSError."""
        if isinstance(record, Instrument):
            self._shelf.keep_instrument(record)
        elif isinstance(record, NotTradedError):
            self._note("not_traded", problem=record)
        elif record is not None:
            self._market = None
            if self._archive is None:
                raise record
        lacks: int | None = None
        began = False
        for month in months_of(self._wanted.first, until):
            stored = self._stored(month)
            if self._wanted.again or stored is None or stored.until < min(month.end, until):
                if not began and self._market is not None:
                    self._oldest = await oldest_minute(self._market, self._symbol)
                began = True
                stored = await self._month(month, stored, min(month.end, until))
            got = month.start if stored is None else stored.until
            if lacks is None and got < min(month.end, until):
                lacks = got
            self._watch.month()
        if lacks is not None:
            if isinstance(record, UnknownSymbolError) and not self._shelf.months(self._wanted.exchange, self._symbol):
                raise record
            self._note("short", lacks=written(lacks), wanted=written(until))

    def _stored(self, month: Month) -> StoredMonth | None:
        try:
            return self._shelf.read(self._wanted.exchange, self._symbol, month)
        except DamagedMonthError as error:
            self._note("damaged", month=month, problem=error.problem)
            return None

    async def _month(self, month: Month, stored: StoredMonth | None, end: int) -> StoredMonth | None:
        """Return a month that goes on where ``stored`` ends, written also when its last source fails."""
        growing = _Growing(month, month.start, Minutes.none())
        if stored is not None and not self._wanted.again:
            growing = _Growing(month, stored.until, stored.minutes, list(stored.parts))
        before = growing.until if stored is None else stored.until
        made = stored
        try:
            await self._grow(growing, end)
        finally:
            if growing.until > before or (self._wanted.again and growing.until == before):
                made = StoredMonth(month, growing.until, growing.minutes, tuple(growing.parts))
                self._shelf.write(self._wanted.exchange, self._symbol, made)
        return made

    async def _grow(self, growing: _Growing, end: int) -> None:
        if self._oldest is not None and growing.until < self._oldest:
            until = min(growing.month.end, self._oldest // MINUTE_MS * MINUTE_MS)
            self._take(growing, Part(REST, growing.until, until, self._host), Minutes.none())
        if self._archive is not None and growing.until < end:
            await self._from_archive(self._archive, growing)
        if self._market is not None and growing.until < end:
            first = growing.until
            answered = await minutes_by_rest(self._market, self._symbol, first, end, self._now)
            self._take(growing, Part(REST, first, answered.until, self._host), answered.minutes)

    async def _from_archive(self, archive: ArchiveDesk, growing: _Growing) -> None:
        """Take the archive's month, or its days one after the other until one is not there."""
        try:
            if growing.month.end <= self._now:
                found = await archive.month(self._symbol, growing.month)
                if found is not None:
                    self._take_file(growing, found, growing.month.start)
            for day in _days(growing, self._now):
                if day > growing.until:  # the file before ends early: what lies between is not the archive's to deny
                    return
                found = await archive.day(self._symbol, day)
                if found is None:
                    return
                self._take_file(growing, found, day)
        except (ArchiveFileError, ArchiveAwayError) as error:
            if self._market is None:
                raise
            self._note("archive_file", month=growing.month, problem=error)
            if isinstance(error, ArchiveAwayError):
                self._archive = None

    def _take_file(self, growing: _Growing, found: Archived, first: int) -> None:
        # Behind its last row a file proves nothing: months have been published before their last days were in.
        until = int(found.minutes.times[-1]) + MINUTE_MS
        self._take(growing, Part(ARCHIVE, first, until, found.name, found.sha256), found.minutes)

    def _take(self, growing: _Growing, part: Part, minutes: Minutes) -> None:
        differ = growing.add(part, minutes)
        if differ is not None:
            count = differ.changed + differ.only_ours + differ.only_theirs
            self._note("differs", month=growing.month, source=part.name, count=count, first=written(differ.first))

    def _note(self, key: str, **values: Any) -> None:
        self._watch.note(Note(key, {"symbol": self._symbol, **values}))


def _days(growing: _Growing, now: int) -> Iterator[int]:
    """Yield the beginning of each day of the month that is over and not whole yet."""
    for day in range(growing.month.start, growing.month.end, DAY_MS):
        if growing.until < day + DAY_MS <= now:
            yield day


__all__ = ["ARCHIVE", "REST", "Desk", "Done", "Note", "Wanted", "Watch", "chosen_symbols", "fetch"]

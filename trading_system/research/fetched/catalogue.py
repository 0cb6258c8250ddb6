"""What was fetched, symbol by symbol, and whether it is sound: by its checksums, and by what another source states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trading_system.research.fetched.archive import DAY_MS, ArchiveDesk
from trading_system.research.fetched.errors import DamagedMonthError
from trading_system.research.fetched.fetch import ARCHIVE, REST, Desk
from trading_system.research.fetched.minutes import Disagreement, Hole, Minutes, Month, disagreement
from trading_system.research.fetched.rest import minutes_by_rest
from trading_system.research.fetched.shelf import Shelf, StoredMonth
from trading_system.rules.matching import MINUTE_MS


class Kept(NamedTuple):
    """What is kept of one symbol: from ``first`` to ``until`` (ms UTC), of which ``lacking`` months were not fetched.

    ``missing`` counts the minutes that the exchange does not have; ``archive`` and ``rest`` say where the others are
    from; ``damaged`` counts the months that are not what was stored.
    """

    exchange: str
    symbol: str
    first: int
    until: int
    minutes: int
    missing: int
    archive: int
    rest: int
    lacking: int
    damaged: int


class Finding(NamedTuple):
    """One thing about one month that is not as one might expect.

    key: ``gap``, ``damaged``, ``never`` or ``lacking`` (fetched), ``differs``; only a gap is no fault, for the exchange
    does not have it.
    """

    key: str
    exchange: str
    symbol: str
    month: Month
    hole: Hole | None = None
    problem: str = ""
    differs: Disagreement | None = None


def kept(shelf: Shelf, exchange: str | None = None, symbols: Sequence[str] = ()) -> list[Kept]:
    """Return what is kept, sorted; of one exchange and of ``symbols`` only where they are given."""
    return [_kept(shelf, venue, symbol) for venue, symbol in chosen(shelf, exchange, symbols)]


def chosen(shelf: Shelf, exchange: str | None, symbols: Sequence[str]) -> list[tuple[str, str]]:
    """Return (exchange, symbol) of what is kept and meant."""
    return [
        (venue, symbol)
        for venue, symbol in shelf.symbols()
        if exchange in {None, venue} and (not symbols or symbol in symbols)
    ]


def _kept(shelf: Shelf, exchange: str, symbol: str) -> Kept:
    months = shelf.months(exchange, symbol)
    first, until = months[0].start, months[0].start
    minutes = missing = archive = damaged = 0
    for month in months:
        try:
            stored = shelf.read(exchange, symbol, month)
        except DamagedMonthError:
            damaged += 1
            continue
        if stored is None:
            continue
        until = stored.until
        minutes += len(stored.minutes.times)
        missing += sum(hole.missing for hole in stored.holes)
        archive += sum(
            len(stored.minutes.between(part.first, part.until).times) for part in stored.parts if part.source == ARCHIVE
        )
    lacking = len(_lacking(months))
    return Kept(exchange, symbol, first, until, minutes, missing, archive, minutes - archive, lacking, damaged)


def _lacking(months: Sequence[Month]) -> list[Month]:
    """Return the months between the first and the last that are not there."""
    there, lacking, month = set(months), [], months[0]
    while month < months[-1]:
        month = month.next()
        if month not in there:
            lacking.append(month)
    return lacking


def findings(shelf: Shelf, exchange: str, symbol: str, first: int, until: int) -> Iterator[Finding]:
    """Yield what is to be said of the months of a symbol between two instants (ms UTC), in their order."""
    months = shelf.months(exchange, symbol)
    lacking = _lacking(months)
    for month in sorted([*months, *lacking]):
        if month.end <= first or month.start >= until:
            continue
        if month in lacking:
            yield Finding("never", exchange, symbol, month)
            continue
        try:
            stored = shelf.read(exchange, symbol, month)
        except DamagedMonthError as error:
            yield Finding("damaged", exchange, symbol, month, problem=error.problem)
            continue
        if stored is None:
            continue
        for hole in stored.holes:
            yield Finding("gap", exchange, symbol, month, hole=hole)
        if stored.until < month.end and month != months[-1]:
            rest = Hole(stored.until, (month.end - stored.until) // MINUTE_MS)
            yield Finding("lacking", exchange, symbol, month, hole=rest)


async def checked(
    shelf: Shelf, exchange: str, symbol: str, bounds: tuple[int, int], desk: Desk | None
) -> tuple[int, list[Finding]]:
    """Return how many months were looked at, and what was found; beside the source of ``desk`` where one is given.

    Raises: MarketError, ArchiveFileError, ArchiveAwayError.
    """
    first, until = bounds
    found = list(findings(shelf, exchange, symbol, first, until))
    damaged = {one.month for one in found if one.key == "damaged"}
    months = [one for one in shelf.months(exchange, symbol) if one.end > first and one.start < until]
    now = await desk.market.server_time() if desk is not None and desk.market is not None else 0
    for month in months if desk is not None else []:
        stored = shelf.read(exchange, symbol, month) if month not in damaged else None
        if stored is None or desk is None:
            continue
        differs, source = await _beside(desk, symbol, stored, now)
        if differs is not None:
            found.append(Finding("differs", exchange, symbol, month, problem=source, differs=differs))
    return len(months), sorted(found, key=lambda one: one.month)


async def _beside(desk: Desk, symbol: str, stored: StoredMonth, now: int) -> tuple[Disagreement | None, str]:
    """Return how a month differs from what the source states now, as far as it states anything, and the source."""
    start = stored.month.start
    if desk.market is not None:
        answered = await minutes_by_rest(desk.market, symbol, start, stored.until, now)
        theirs, until, source = answered.minutes, answered.until, REST
    else:
        theirs, source = await _archived(desk.archive, symbol, stored), ARCHIVE
        until = int(theirs.times[-1]) + MINUTE_MS if len(theirs.times) else start
    until = min(until, stored.until)
    return disagreement(stored.minutes.between(start, until), theirs.between(start, until)), source


async def _archived(archive: ArchiveDesk | None, symbol: str, stored: StoredMonth) -> Minutes:
    """Return the archive's month, or its days one after the other until one is not there."""
    if archive is None:
        return Minutes.none()
    whole = await archive.month(symbol, stored.month)
    if whole is not None:
        return whole.minutes
    theirs = Minutes.none()
    for day in range(stored.month.start, stored.until, DAY_MS):
        found = await archive.day(symbol, day)
        if found is None:
            break
        theirs = theirs.then(found.minutes)
    return theirs

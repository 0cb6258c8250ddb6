"""An exchange with its archive and its REST, a shelf to put minutes on, and the fetch between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from kline_host import ArchiveHost, zip_of
from public_venue import MINUTE, PublicVenue
from virtual_clock import START_MS, VirtualClock

from trading_system.research.fetched.archive import ArchiveDesk
from trading_system.research.fetched.fetch import Desk, Done, Note, Wanted, Watch, fetch
from trading_system.research.fetched.minutes import Minutes, Month
from trading_system.research.fetched.shelf import Shelf
from trading_system.rules.sequencer import ClosedCandle
from trading_system.venues.kline_archive import KlineArchive
from trading_system.venues.known import MARKETS

DAY = 86_400_000
MOST_ROWS = 1_500  # of one answer, whatever the venue
OCTOBER, NOVEMBER = Month(2023, 10), Month(2023, 11)
TODAY = START_MS // DAY * DAY  # 2023-11-14; its running minute is START_MS


def candle(open_time: int) -> ClosedCandle:
    """The minute of a time: numbers that its neighbours do not have."""
    n = open_time // MINUTE % 1000
    return ClosedCandle(open_time, 2000.1 + n, 2001.0 + n, 1999.0 + n, 2000.5 + n, 12.345)


def candles(first: int, until: int) -> list[ClosedCandle]:
    return [candle(time) for time in range(first, until, MINUTE)]


class QuickClock(VirtualClock):
    """A clock in which waiting takes no time of ours."""

    async def sleep(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)
        await asyncio.sleep(0)


class Venue(PublicVenue):
    """A venue whose prices leap as little as a market's."""

    def rows(self, start: int, end: int) -> list[ClosedCandle]:
        times = range(max(start, self.first), min(end, self.running) + 1, MINUTE)
        times = times[:MOST_ROWS] if start else times
        return [candle(time) for time in times if time not in self.missing]


class House:
    """One exchange. ``notes``: what the fetch said; ``months``: how many months it said were done."""

    def __init__(self, folder: Path, name: str = "binance_usdm") -> None:
        self.name = name
        self.clock = QuickClock()
        self.venue = Venue(name, self.clock, first=OCTOBER.start)
        self.host = ArchiveHost()
        self.shelf = Shelf(folder)
        self.layout = MARKETS[name].archive or KlineArchive("", "none")
        self.notes: list[Note] = []
        self.months = 0

    @asynccontextmanager
    async def open(self, source: str | None = None) -> AsyncIterator[Desk]:
        async with self.host.serving() as address, self.venue.serving() as market, aiohttp.ClientSession() as http:
            archive = ArchiveDesk(http, address, self.layout, self.clock) if MARKETS[self.name].archive else None
            yield Desk(
                archive if source != "rest" else None, market if source != "archive" else None, "rest", self.clock
            )

    async def fetch(
        self,
        first: int,
        until: int | None = None,
        *,
        symbols: Sequence[str] = ("BTCUSDT",),
        source: str | None = None,
        again: bool = False,
    ) -> Done:
        wanted = Wanted(self.name, tuple(symbols), first, until, again)
        async with self.open(source) as desk:
            return await fetch(self.shelf, desk, wanted, Watch(self._month, self.notes.append))

    def _month(self) -> None:
        self.months += 1

    def publish_month(self, month: Month, rows: Sequence[ClosedCandle] | None = None, symbol: str = "BTCUSDT") -> str:
        path = self.layout.month(symbol, month.start)
        self.host.put(path, zip_of(f"{symbol}-1m-{month}", rows or candles(month.start, month.end)))
        return path

    def publish_day(self, start: int, symbol: str = "BTCUSDT") -> str:
        path = self.layout.day(symbol, start)
        self.host.put(path, zip_of(path.rpartition("/")[2][:-4], candles(start, start + DAY)))
        return path

    def kept(self, month: Month, symbol: str = "BTCUSDT") -> Minutes:
        stored = self.shelf.read(self.name, symbol, month)
        assert stored is not None
        return stored.minutes

    def sources(self, month: Month, symbol: str = "BTCUSDT") -> list[tuple[str, int, int]]:
        stored = self.shelf.read(self.name, symbol, month)
        assert stored is not None
        return [(part.source, part.first, part.until) for part in stored.parts]

    def said(self) -> list[str]:
        return [note.key for note in self.notes]


def same(minutes: Minutes, rows: Sequence[ClosedCandle]) -> bool:
    expected = Minutes.of_rows(rows)
    return minutes.times.tolist() == expected.times.tolist() and minutes.values.tolist() == expected.values.tolist()

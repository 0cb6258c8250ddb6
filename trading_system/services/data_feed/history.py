"""Closed minutes by REST, as far as they are proven: the asking behind the rules of ``rules/sequencer.py``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import (
    AGREE_MS,
    GAP_AFTER_MS,
    NEWEST_MS,
    PATIENCE_MS,
    ClosedCandle,
    Page,
    Read,
    Settled,
    settle,
)
from trading_system.venues.market_errors import MarketAwayError, UnknownSymbolError
from trading_system.venues.market_port import ClosedMinutes

log = logging.getLogger(__name__)

SPARE_ROWS = 3  # beyond the missing ones: the running minute, and one that may open meanwhile
STANDING_MS = 60_000  # what trades is asked for so often at most


class Fetched(NamedTuple):
    """Closed minutes in order, and whether another question now would bring more of them."""

    closed: tuple[ClosedCandle, ...]
    more: bool


class History:
    """Asks one market. ``now_ms``: the exchange's time; None where the market's time does not pass by itself.

    There a symbol is missed by what others have closed: that is how far the market has come.
    """

    def __init__(self, market: ClosedMinutes, now_ms: Callable[[], int] | None) -> None:
        self._market = market
        self._now_ms = now_ms
        self._earlier: dict[str, Read] = {}
        self._standing: Mapping[str, bool] = {}
        self._standing_at = 0
        self._lists = 0
        self._unlisted: dict[str, int] = {}  # which list lacked a symbol for the first time
        self.halted: set[str] = set()

    async def closed_from(self, symbol: str, start: int, others_closed: int = 0) -> Fetched:
        """Return what is proven of the minutes from ``start`` (open time, ms UTC) on, as much as one request gives.

        others_closed: the close (ms UTC) of the newest minute of any symbol, by which this one is missed without a
        time. The newest minutes are urgent, and few: a few rows weigh less than a page. Raises: MarketError.
        """
        now = self._now_ms() if self._now_ms is not None else None
        urgent = now is not None and now - start < NEWEST_MS
        most = max(0, now - start) // MINUTE_MS + SPARE_ROWS if now is not None and urgent else 0
        try:
            page = await self._market.minutes(symbol, start, most, urgent=urgent)
        except UnknownSymbolError:
            if start + MINUTE_MS > (others_closed if now is None else now) or await self._trades(symbol, now):
                raise
            page = Page((), start)
        read, earlier = Read(page, now), self._earlier.get(symbol)
        settled = settle(start, read, earlier)
        if settled.unproven_gap is not None and (now is None or settled.unproven_gap + NEWEST_MS <= now):
            again = Read(await self._market.minutes(symbol, start, most, urgent=urgent), now)
            settled = settle(start, again, read)
        if not settled.closed and not page.more and await self._is_halted(symbol, start, now, others_closed):
            settled = settle(start, *[_without_more(page, self._missed_before(symbol, now, others_closed))] * 2)
        self._keep(symbol, start, read, settled)
        return Fetched(settled.closed, page.more and bool(settled.closed))

    def trades_again(self, symbol: str) -> None:
        """Hear that there is a candle of ``symbol``, which may have been halted."""
        if symbol in self.halted:
            log.info("%s trades again", symbol)
            self.halted.discard(symbol)

    def forget(self, symbol: str) -> None:
        """Keep nothing of ``symbol``."""
        self._earlier.pop(symbol, None)
        self.halted.discard(symbol)

    def _keep(self, symbol: str, start: int, read: Read, settled: Settled) -> None:
        """Keep what was not settled for the next read to be compared with, unless the last one is as young."""
        earlier = self._earlier.get(symbol)
        if read.page.more:
            self._earlier.pop(symbol, None)
        elif settled.closed or earlier is None or read.at is None or read.at - (earlier.at or 0) >= AGREE_MS:
            beyond = settled.closed[-1].open_time + MINUTE_MS if settled.closed else start
            rest = tuple(row for row in read.page.rows if row.open_time >= beyond)
            self._earlier[symbol] = Read(read.page._replace(rows=rest), read.at)

    async def _is_halted(self, symbol: str, start: int, now: int | None, others_closed: int) -> bool:
        """Tell whether the venue does not trade ``symbol``; asked when a minute stays away longer than a late close."""
        if start + MINUTE_MS > self._missed_before(symbol, now, others_closed):
            return False
        if await self._trades(symbol, now):
            self.trades_again(symbol)
            return False
        if symbol not in self.halted:
            log.warning("%s: the exchange does not trade it now; its minutes are gaps until it does", symbol)
        self.halted.add(symbol)
        return True

    def _missed_before(self, symbol: str, now: int | None, others_closed: int) -> int:
        """Return the instant by which the close of a minute, if it has one, is no longer merely late."""
        if now is None:
            return others_closed
        return now - (GAP_AFTER_MS if symbol in self.halted else PATIENCE_MS)

    async def _trades(self, symbol: str, now: int | None) -> bool:
        if now is None or now - self._standing_at >= STANDING_MS:
            listed = await self._market.trading()
            if not listed:
                raise MarketAwayError("the list of symbols", "an empty one")
            self._standing, self._standing_at = listed, now or 0
            self._lists += 1
        if symbol in self._standing:
            self._unlisted.pop(symbol, None)
            return self._standing[symbol]
        # One answer may lack what the next one has: only a second list proves that a symbol is gone.
        return self._unlisted.setdefault(symbol, self._lists) == self._lists


def _without_more(page: Page, before: int) -> Read:
    """Return ``page`` as the proof that it is of a symbol which is not traded: until ``before`` no more rows come."""
    return Read(page._replace(proven=max(page.proven, before // MINUTE_MS * MINUTE_MS)), None)

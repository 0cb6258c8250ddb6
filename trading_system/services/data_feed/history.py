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
    settle,
)
from trading_system.venues.market_errors import UnknownSymbolError
from trading_system.venues.market_port import ClosedMinutes

log = logging.getLogger(__name__)

SPARE_ROWS = 3  # beyond the missing ones: the running minute, and one that may open meanwhile
STANDING_MS = 60_000  # what trades is asked for so often at most


class Fetched(NamedTuple):
    """Closed minutes in order, and whether another question now would bring more of them."""

    closed: tuple[ClosedCandle, ...]
    more: bool


class _Earlier(NamedTuple):
    page: Page
    at: int


class History:
    """Asks one market. ``now_ms``: the exchange's time; None where the market's time does not pass by itself."""

    def __init__(self, market: ClosedMinutes, now_ms: Callable[[], int] | None) -> None:
        self._market = market
        self._now_ms = now_ms
        self._earlier: dict[str, _Earlier] = {}
        self._standing: Mapping[str, bool] = {}
        self._standing_at = 0
        self.halted: set[str] = set()

    async def closed_from(self, symbol: str, start: int, *, urgent: bool = False) -> Fetched:
        """Return what is proven of the minutes from ``start`` (open time, ms UTC) on, as much as one request gives.

        Raises: MarketError.
        """
        now = self._now_ms() if self._now_ms is not None else None
        # a few rows weigh less than a page
        most = max(0, now - start) // MINUTE_MS + SPARE_ROWS if now is not None and urgent else 0
        if most > NEWEST_MS // MINUTE_MS:
            most = 0
        try:
            page = await self._market.minutes(symbol, start, most, urgent=urgent)
        except UnknownSymbolError:
            if now is None or await self._trades(symbol, now):
                raise
            page = Page((), start)
        earlier = self._earlier.get(symbol)
        spaced = earlier is None or now is None or now - earlier.at >= AGREE_MS
        settled = settle(start, page, now, earlier.page if earlier is not None and spaced else None)
        if settled.unproven_gap is not None and (now is None or settled.unproven_gap + NEWEST_MS < now):
            again = await self._market.minutes(symbol, start, most, urgent=urgent)
            settled = settle(start, again, now, page)
        if now is not None and not settled.closed and not page.more:
            settled = settle(start, await self._ended(symbol, start, page, now), now, page)
        if page.more:
            self._earlier.pop(symbol, None)
        elif spaced or settled.closed:
            beyond = settled.closed[-1].open_time if settled.closed else start - MINUTE_MS
            rest = page._replace(rows=tuple(row for row in page.rows if row.open_time > beyond))
            self._earlier[symbol] = _Earlier(rest, 0 if now is None else now)
        return Fetched(settled.closed, page.more and bool(settled.closed))

    def forget(self, symbol: str) -> None:
        """Keep nothing of ``symbol``."""
        self._earlier.pop(symbol, None)
        self.halted.discard(symbol)

    async def _ended(self, symbol: str, start: int, page: Page, now: int) -> Page:
        """Return ``page`` with what the venue's word that it does not trade ``symbol`` proves: no newer row will come.

        It is asked when a minute stays away longer than a late close does.
        """
        patience = GAP_AFTER_MS if symbol in self.halted else PATIENCE_MS
        if start + MINUTE_MS + patience > now:
            return page
        if await self._trades(symbol, now):
            if symbol in self.halted:
                log.info("%s trades again", symbol)
            self.halted.discard(symbol)
            return page
        if symbol not in self.halted:
            log.warning("%s: the exchange does not trade it now; its minutes are gaps until it does", symbol)
        self.halted.add(symbol)
        return page._replace(proven=max(page.proven, (now - patience) // MINUTE_MS * MINUTE_MS))

    async def _trades(self, symbol: str, now: int) -> bool:
        if now - self._standing_at >= STANDING_MS:
            self._standing, self._standing_at = await self._market.trading(), now
        return self._standing.get(symbol, False)

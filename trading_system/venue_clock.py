"""The venue's time by this machine's clock: the difference is measured anew now and then, for clocks drift."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from trading_system.venue_access import VenueAccess
from trading_system.venues.clock import SystemClock, clock_offset
from trading_system.venues.market_errors import MarketError

log = logging.getLogger(__name__)

RENEW_S = 600.0


class VenueClock:
    """Tells the venue's time. ``ask``: how to measure the venue's time less this machine's, in ms."""

    def __init__(self, ask: Callable[[], Awaitable[int]], wall_ms: Callable[[], int]) -> None:
        self._ask = ask
        self._wall_ms = wall_ms
        self._offset_ms = 0

    @classmethod
    def of(cls, access: VenueAccess) -> VenueClock:
        """Return one that asks the public market."""
        wall_ms = SystemClock().wall_ms

        async def ask() -> int:
            async with access.open_http() as http:
                return await clock_offset(access.market(http).server_time, wall_ms)

        return cls(ask, wall_ms)

    def now_ms(self) -> int:
        """Return the venue's time in ms UTC, by the newest difference that could be measured."""
        return self._wall_ms() + self._offset_ms

    async def measure(self) -> int:
        """Measure the difference (ms), keep and return it. Raises: what asking raises; then the old one is kept."""
        self._offset_ms = await self._ask()
        return self._offset_ms

    async def keep_right(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Measure every ten minutes until cancelled; a measurement that fails keeps the old difference."""
        while True:
            await sleep(RENEW_S)
            try:
                await self.measure()
            except Exception as error:
                traced = not isinstance(error, MarketError)
                log.warning("the venue's clock cannot be asked, the last answer counts: %s", error, exc_info=traced)

"""Where a line looks up a symbol that joins it: the venue's public market, or the account at a simulated exchange."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from trading_system.public_market import PublicMarket
from trading_system.rules.grid import Instrument
from trading_system.settings import Settings
from trading_system.venues.errors import NoSuchSymbolError
from trading_system.venues.port import Venue


class PublicSource:
    """The public market; fees and maintenance, which are not public, come from the settings."""

    def __init__(self, http: aiohttp.ClientSession, settings: Settings) -> None:
        self._market = PublicMarket(http, settings)

    async def instrument(self, symbol: str) -> Instrument:
        """Return the record of ``symbol``. Raises: NoSuchSymbolError; PublicMarketError."""
        (found,) = await self._market.instruments([symbol])
        return found

    async def most_traded(self, count: int) -> Sequence[str]:
        """Return the symbols with the largest 24 h volume, the largest first. Raises: PublicMarketError."""
        return await self._market.most_traded(count)


class AccountSource:
    """An account at a simulated exchange, whose fees it knows; such an exchange knows no 24 h volumes."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    async def instrument(self, symbol: str) -> Instrument:
        """Return the record of ``symbol``. Raises: VenueError."""
        (found,) = await self._venue.instruments([symbol])
        return found

    async def most_traded(self, count: int) -> Sequence[str]:
        """Refuse. Raises: NoSuchSymbolError."""
        raise NoSuchSymbolError(
            f"expected symbols by name on a simulated exchange, was the top {count} by volume; give their names"
        )

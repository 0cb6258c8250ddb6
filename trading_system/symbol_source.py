"""Where a line looks up a symbol that joins it: the venue's public market, or the account at a simulated exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading_system.rules.grid import Instrument
from trading_system.venues.errors import EndedSymbolError, HaltedSymbolError, NoSuchSymbolError
from trading_system.venues.market_errors import NotTradedError, UnknownSymbolError
from trading_system.venues.market_port import PublicMarket, top_by_volume
from trading_system.venues.port import Venue


class PublicSource:
    """The public market; fees and maintenance, which are not public, come from the settings."""

    def __init__(self, market: PublicMarket) -> None:
        self._market = market

    async def instrument(self, symbol: str) -> Instrument:
        """Return the record of ``symbol``. Raises: NoSuchSymbolError; MarketError."""
        try:
            (found,) = await self._market.instruments([symbol])
        except NotTradedError as error:
            raise (EndedSymbolError if error.for_good else HaltedSymbolError)(str(error)) from error
        except UnknownSymbolError as error:
            raise NoSuchSymbolError(str(error)) from error
        return found

    async def traded(self) -> Mapping[str, Instrument]:
        """Return every symbol that is traded now with its grids. Raises: MarketError."""
        return {one.symbol: one for one in await self._market.instruments()}

    async def most_traded(self, count: int) -> Sequence[str]:
        """Return the symbols with the largest 24 h volume, the largest first. Raises: MarketError."""
        return await top_by_volume(self._market, count)


class AccountSource:
    """An account at a simulated exchange, whose fees it knows; such an exchange knows no 24 h volumes."""

    def __init__(self, venue: Venue, market: PublicMarket) -> None:
        self._venue = venue
        self._market = market

    async def instrument(self, symbol: str) -> Instrument:
        """Return the record of ``symbol``. Raises: VenueError."""
        (found,) = await self._venue.instruments([symbol])
        return found

    async def traded(self) -> Mapping[str, Instrument]:
        """Return every symbol that is traded now with its grids. Raises: MarketError."""
        return {one.symbol: one for one in await self._market.instruments()}

    async def most_traded(self, count: int) -> Sequence[str]:
        """Refuse. Raises: NoSuchSymbolError."""
        raise NoSuchSymbolError(
            f"expected symbols by name on a simulated exchange, was the top {count} by volume; give their names"
        )

"""What everybody may ask a venue about its market, and what follows from the answers for all venues alike.

Each venue has one ``PublicMarket`` behind this port. A method that returns has the venue's word; it waits for the
budget of requests and for the end of a ban, and raises a ``MarketError`` with one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from trading_system.rules.grid import Instrument
from trading_system.rules.sequencer import ClosedCandle, Page, closed_rows


class AccountTerms(NamedTuple):
    """What an instrument's record holds that no venue says in public: fees and the maintenance margin, fractions."""

    taker_fee: float
    maker_fee: float
    maintenance_margin: float


class ClosedMinutes(Protocol):
    """Where minutes can be asked for."""

    async def minutes(self, symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> Page:
        """Return the venue's minutes from ``start`` (open time, ms UTC) on, the running one included.

        most: how many rows at most; 0: as many as are cheapest a request. urgent: before what is not.
        Raises: UnknownSymbolError; another MarketError when the venue gives no answer that can be trusted.
        """

    async def trading(self) -> Mapping[str, bool]:
        """Return every symbol that the venue lists, and whether it trades now. Raises: MarketError."""


class PublicMarket(ClosedMinutes, Protocol):
    """The market of one venue, by its public REST."""

    async def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the records of ``symbols`` in their order; None: of everything that trades against USDT.

        Raises: UnknownSymbolError, NotTradedError; another MarketError when the venue does not answer.
        """

    async def volumes(self) -> Mapping[str, float]:
        """Return what each listed symbol traded in 24 hours, in quote currency. Raises: MarketError."""

    async def running_minute(self, symbol: str) -> int:
        """Return the open time (ms UTC) of the minute that is not closed yet. Raises: MarketError."""

    async def server_time(self) -> int:
        """Return the venue's time, ms UTC. Raises: MarketError."""


async def closed_from(market: ClosedMinutes, symbol: str, start: int) -> list[ClosedCandle]:
    """Return the closed minutes from ``start`` on, gaps named, as many as one request gives. Raises: MarketError."""
    return closed_rows(start, await market.minutes(symbol, start))


async def top_by_volume(market: PublicMarket, count: int) -> tuple[str, ...]:
    """Return the ``count`` symbols that trade against USDT with the greatest 24 h volume, the greatest first.

    Raises: MarketError.
    """
    volumes = await market.volumes()
    traded = [one.symbol for one in await market.instruments()]
    return tuple(sorted(traded, key=lambda symbol: (-volumes.get(symbol, 0.0), symbol))[:count])

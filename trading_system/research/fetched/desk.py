"""Opens the sources of one exchange's minutes, as the settings and the asker want them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trading_system.research.fetched.archive import ArchiveDesk
from trading_system.research.fetched.errors import NoArchiveError, NoSuchExchangeError
from trading_system.research.fetched.fetch import ARCHIVE, REST, Desk
from trading_system.research.fetched.shelf import Shelf
from trading_system.settings import Settings
from trading_system.venues.clock import Clock, SystemClock
from trading_system.venues.known import MARKETS
from trading_system.venues.market_port import AccountTerms
from trading_system.venues.proxy import open_http
from trading_system.venues.rest_budget import RestBudget


def shelf_of(settings: Settings) -> Shelf:
    """Return where fetched minutes lie."""
    return Shelf(settings.data_folder / "candles")


def checked_exchange(name: str) -> str:
    """Return ``name`` if it is an exchange whose minutes can be had. Raises: NoSuchExchangeError."""
    if name not in MARKETS:
        raise NoSuchExchangeError(name, MARKETS)
    return name


@asynccontextmanager
async def open_desk(
    settings: Settings, exchange: str, source: str | None, clock: Clock | None = None
) -> AsyncIterator[Desk]:
    """Open what is asked for minutes of ``exchange``: ``archive``, ``rest``, or both for None.

    Raises: NoArchiveError.
    """
    known = MARKETS[exchange]
    if source == ARCHIVE and known.archive is None:
        raise NoArchiveError(exchange)
    clock = clock or SystemClock()
    rest = (settings.market.rest or known.rest).rstrip("/")
    venue = settings.venue
    terms = AccountTerms(venue.taker_fee, venue.maker_fee, venue.maintenance_margin)
    async with open_http(settings.proxy) as http:
        archive = None
        if known.archive is not None and source != REST:
            archive = ArchiveDesk(http, settings.market.archive or known.archive.host, known.archive, clock)
        market = None
        if source != ARCHIVE:
            market = known.open(http, rest, RestBudget(known.budget, clock), clock, terms)
        yield Desk(archive, market, rest, clock)

"""Where a line's exchange is and how to sign in there: the venue's own hosts, or an exchange on this machine."""

from __future__ import annotations

from typing import NamedTuple

import aiohttp

from trading_system.secret import Secret
from trading_system.settings import Settings
from trading_system.venues.clock import Clock, SystemClock
from trading_system.venues.known import MARKETS, KnownMarket, venue_of
from trading_system.venues.market_port import AccountTerms, PublicMarket
from trading_system.venues.port import PAPER_ACCOUNT, KnownStops, Venue, VenueRecord, answering_at_once
from trading_system.venues.proxy import NO_PROXY, open_http
from trading_system.venues.rest_budget import RestBudget, unmetered


class VenueAccess(NamedTuple):
    """One exchange: base URLs without a path and a trailing slash, keys, and the fences by which it is proven."""

    known: KnownMarket
    http: str
    ws: str
    api_key: Secret
    secret: Secret
    record: VenueRecord
    terms: AccountTerms
    budget: RestBudget  # of everything that this process asks there
    proxy: Secret = NO_PROXY  # through which the market is heard and asked
    paper: bool = False  # orders stay in this process; only the market is heard there, and nothing is signed

    @property
    def market_stream(self) -> str:
        """The URL at which candles are subscribed to."""
        return f"{self.ws}{self.known.path}"

    def open_http(self) -> aiohttp.ClientSession:
        """Return a session for ``market``, which goes the way of the settings."""
        return open_http(self.proxy)

    def market(self, http: aiohttp.ClientSession, clock: Clock | None = None) -> PublicMarket:
        """Return what everybody may ask there. ``clock`` paces the attempts at a question."""
        return self.known.open(http, self.http, self.budget, clock or SystemClock(), self.terms)

    def account(self, clock: Clock | None = None, known_stops: KnownStops | None = None) -> Venue:
        """Return the account behind the venue port.

        Raises: NoAccountError for market data alone; NotLoopbackError for an address beyond this machine.
        """
        return venue_of(self.known.name).account(
            self.http,
            self.ws,
            self.api_key,
            self.secret,
            record=self.record,
            clock=clock or SystemClock(),
            known_stops=known_stops,
            budget=self.budget,
        )


def simulated_access(settings: Settings, http: str, api_key: Secret, secret: Secret) -> VenueAccess:
    """Return the way to an exchange on this machine, which answers at once or never.

    Raises: NoAccountError for an exchange of which only the market is known.
    """
    venue = venue_of(settings.exchange)
    ws = http.replace("http", "ws", 1)
    budget = RestBudget(unmetered(venue.market.budget), SystemClock())
    record = answering_at_once(venue.record)
    return VenueAccess(venue.market, http, ws, api_key, secret, record, _terms_of(settings), budget)


def paper_access(settings: Settings) -> VenueAccess:
    """Return the way to the venue's public market for an account that is kept in this process."""
    known = MARKETS[settings.exchange]
    ws = (settings.market.stream or known.stream).rstrip("/")
    budget = RestBudget(known.budget, SystemClock())
    rest = public_rest(settings)
    nobody = Secret("")
    return VenueAccess(
        known, rest, ws, nobody, nobody, PAPER_ACCOUNT, _terms_of(settings), budget, settings.proxy, paper=True
    )


def public_rest(settings: Settings) -> str:
    """Return the host of the venue's public REST, without a trailing slash."""
    return (settings.market.rest or MARKETS[settings.exchange].rest).rstrip("/")


def _terms_of(settings: Settings) -> AccountTerms:
    venue = settings.venue
    return AccountTerms(venue.taker_fee, venue.maker_fee, venue.maintenance_margin)

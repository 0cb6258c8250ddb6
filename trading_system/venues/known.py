"""The markets that the system knows and the venues where it can have an account, each with its addresses, its constants
and its adapters: the one list of them.

Whoever needs one asks by name; nothing else has a branch for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import aiohttp

from trading_system.secret import Secret
from trading_system.venues.binance import market as binance
from trading_system.venues.binance_usdm import market as binance_usdm
from trading_system.venues.binance_usdm.account import BinanceUsdm
from trading_system.venues.bybit import market as bybit
from trading_system.venues.bybit_linear import market as bybit_linear
from trading_system.venues.bybit_linear.account import BybitLinear
from trading_system.venues.clock import Clock
from trading_system.venues.kline_archive import KlineArchive
from trading_system.venues.market_port import AccountTerms, PublicMarket
from trading_system.venues.port import BINANCE_USDM, BYBIT_LINEAR, KnownStops, Venue, VenueRecord
from trading_system.venues.rest_budget import BudgetTerms, RestBudget


class AccountMaker(Protocol):
    """Opens one account of ours."""

    def __call__(
        self,
        rest_url: str,
        stream_url: str,
        key: Secret,
        secret: Secret,
        *,
        record: VenueRecord,
        clock: Clock,
        known_stops: KnownStops | None = None,
        budget: RestBudget | None = None,
    ) -> Venue:
        """Keep where the exchange is and who we are; nothing is sent yet. ``budget``: shared with the market's side.

        Raises: NotLoopbackError when either address is not on this machine.
        """


class MarketMaker(Protocol):
    """Opens what everybody may ask a venue."""

    def __call__(
        self,
        http: aiohttp.ClientSession,
        base: str,
        budget: RestBudget,
        clock: Clock,
        terms: AccountTerms,
    ) -> PublicMarket:
        """Keep where the venue is; nothing is sent yet."""


class KnownMarket(NamedTuple):
    """One venue's public market. ``rest`` and ``stream`` are its own hosts without a path; ``path``: where candles are.

    Its name is that of ``budget``, the venue's in settings, streams and file names.
    """

    budget: BudgetTerms
    rest: str
    stream: str
    path: str
    open: MarketMaker
    archive: KlineArchive | None = None  # where it publishes minutes as files

    @property
    def name(self) -> str:
        """The name in settings, streams and file names."""
        return self.budget.name


class KnownVenue(NamedTuple):
    """One venue at which a line can have an account."""

    record: VenueRecord
    market: KnownMarket
    account: AccountMaker

    @property
    def name(self) -> str:
        """The name in settings, streams and file names."""
        return self.record.name


_VISION = "https://data.binance.vision"
_BINANCE = KnownMarket(
    binance.SPOT_BUDGET,
    "https://api.binance.com",
    "wss://stream.binance.com:9443",
    "/ws",
    binance.BinanceMarket,
    KlineArchive(_VISION, "data/spot"),
)
_BINANCE_USDM = KnownMarket(
    binance_usdm.USDM_BUDGET,
    "https://fapi.binance.com",
    "wss://fstream.binance.com",
    "/market/ws",
    binance_usdm.BinanceUsdmMarket,
    KlineArchive(_VISION, "data/futures/um"),
)
_BYBIT = KnownMarket(
    bybit.SPOT_BUDGET, "https://api.bybit.com", "wss://stream.bybit.com", "/v5/public/spot", bybit.BybitMarket
)
_BYBIT_LINEAR = KnownMarket(
    bybit_linear.LINEAR_BUDGET,
    "https://api.bybit.com",
    "wss://stream.bybit.com",
    "/v5/public/linear",
    bybit_linear.BybitLinearMarket,
)

MARKETS: Mapping[str, KnownMarket] = {one.name: one for one in (_BINANCE, _BINANCE_USDM, _BYBIT, _BYBIT_LINEAR)}

VENUES: Mapping[str, KnownVenue] = {
    one.name: one
    for one in (
        KnownVenue(BINANCE_USDM, _BINANCE_USDM, BinanceUsdm),
        KnownVenue(BYBIT_LINEAR, _BYBIT_LINEAR, BybitLinear),
    )
}


class NoAccountError(ValueError):
    """A market that is heard and asked, but at which no order can be placed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"exchange: expected one with an account ({', '.join(VENUES)}), was {name}, which has market data only; "
            "set exchange to one of them, or trade on paper with `trading-system run --symbol SYMBOL`"
        )


def venue_of(name: str) -> KnownVenue:
    """Return the venue of the market ``name``. Raises: NoAccountError when only its market is known."""
    if name not in VENUES:
        raise NoAccountError(name)
    return VENUES[name]

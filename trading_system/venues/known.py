"""The venues that the system knows, each with its addresses, its constants and its adapter: the one list of them.

Whoever needs a venue asks by name; nothing else has a branch for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from trading_system.secret import Secret
from trading_system.venues.binance_usdm.account import BinanceUsdm
from trading_system.venues.bybit_linear.account import BybitLinear
from trading_system.venues.clock import Clock
from trading_system.venues.port import BINANCE_USDM, BYBIT_LINEAR, KnownStops, Venue, VenueRecord


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
    ) -> Venue:
        """Keep where the exchange is and who we are; nothing is sent yet.

        Raises: NotLoopbackError when either address is not on this machine.
        """


class KnownVenue(NamedTuple):
    """One venue. ``rest`` and ``stream`` are its own hosts without a path; ``market_path`` is where candles stream."""

    record: VenueRecord
    rest: str
    stream: str
    market_path: str
    account: AccountMaker

    @property
    def name(self) -> str:
        """The name in settings, streams and file names."""
        return self.record.name


VENUES: Mapping[str, KnownVenue] = {
    one.name: one
    for one in (
        KnownVenue(BINANCE_USDM, "https://fapi.binance.com", "wss://fstream.binance.com", "/market/ws", BinanceUsdm),
        KnownVenue(BYBIT_LINEAR, "https://api.bybit.com", "wss://stream.bybit.com", "/v5/public/linear", BybitLinear),
    )
}

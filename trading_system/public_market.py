"""What the venue says to everybody over REST: instruments, the running minute, its clock. Nothing is signed."""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

import aiohttp

from trading_system.rules.grid import Instrument
from trading_system.rules.symbols import is_symbol
from trading_system.settings import Settings
from trading_system.venue_access import public_rest
from trading_system.venues.binance_usdm.rows import (
    BracketRow,
    BracketsRow,
    CommissionRow,
    ExchangeInfo,
    ServerTime,
    VolumeRow,
    decoded,
    finite,
    instrument_of,
)
from trading_system.venues.errors import NoSuchSymbolError, VenueError

Shape = TypeVar("Shape")

DEADLINE_S = 10.0
CLOCK_SAMPLES = 3


class PublicMarketError(RuntimeError):
    """The venue's public endpoints did not answer, or do not know what was asked for."""


class UnknownSymbolError(PublicMarketError, NoSuchSymbolError):
    """A symbol that the venue does not trade."""


class PublicMarket:
    """The public REST of Binance USDT-M at ``settings.market.rest``."""

    def __init__(self, http: aiohttp.ClientSession, settings: Settings) -> None:
        self._http = http
        self._settings = settings
        self._url = public_rest(settings)

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Return the records of ``symbols``; fees and maintenance, which are not public, from the settings.

        Raises: PublicMarketError when the venue does not answer or does not trade a symbol.
        """
        info = await self._get("/fapi/v1/exchangeInfo", {}, ExchangeInfo)
        rows = {row.symbol: row for row in info.symbols}
        venue = self._settings.venue
        rates = CommissionRow(venue.maker_fee, venue.taker_fee)
        found = []
        for symbol in symbols:
            if symbol in rows and rows[symbol].status != "TRADING":
                raise UnknownSymbolError(
                    f"{symbol}: expected a symbol that {self._url} trades, was in the state {rows[symbol].status}; "
                    "choose another one"
                )
            if symbol not in rows:
                near = difflib.get_close_matches(symbol, rows, n=1)
                hint = f"; did you mean {near[0]}?" if near else "; give a symbol that it trades"
                raise UnknownSymbolError(
                    f"{symbol}: expected one of the {len(rows)} symbols of {self._url}, was not{hint}"
                )
            brackets = BracketsRow(symbol, [BracketRow(venue.maintenance_margin)])
            found.append(instrument_of(self._settings.exchange, rows[symbol], rates, brackets))
        return tuple(found)

    async def most_traded(self, count: int) -> list[str]:
        """Return the ``count`` USDT perpetuals that trade with the largest 24 h volume in USDT, the largest first.

        Raises: PublicMarketError when the venue does not answer, or lists fewer.
        """
        info = await self._get("/fapi/v1/exchangeInfo", {}, ExchangeInfo)
        trades = {
            row.symbol
            for row in info.symbols
            if (row.status, row.contract_type, row.quote) == ("TRADING", "PERPETUAL", "USDT") and is_symbol(row.symbol)
        }
        rows = await self._get("/fapi/v1/ticker/24hr", {}, list[VolumeRow])
        volumes = {row.symbol: finite(row.quote_volume) for row in rows if row.symbol in trades}
        if len(volumes) < count:
            raise PublicMarketError(
                f"{self._url}: expected at least {count} USDT perpetuals that trade, was {len(volumes)}; ask for fewer"
            )
        return sorted(volumes, key=lambda symbol: (-volumes[symbol], symbol))[:count]

    async def running_minute(self, symbol: str) -> int:
        """Return the open time (ms UTC) of the minute that is not closed yet. Raises: PublicMarketError."""
        params = {"symbol": symbol, "interval": "1m", "limit": "1"}
        rows = await self._get("/fapi/v1/klines", params, list[list[int | str]])
        if not rows:
            raise PublicMarketError(f"{symbol}: expected the running minute from {self._url}, was no candle at all")
        return int(rows[-1][0])

    async def clock_offset(self) -> int:
        """Return the venue's time less this machine's, in ms: of a few samples the one with the shortest round trip."""
        best: tuple[int, int] | None = None
        for _ in range(CLOCK_SAMPLES):
            before = time.time_ns() // 1_000_000
            said = (await self._get("/fapi/v1/time", {}, ServerTime)).serverTime
            after = time.time_ns() // 1_000_000
            sample = (after - before, said - (before + after) // 2)
            best = sample if best is None else min(best, sample)
        return 0 if best is None else best[1]

    async def _get(self, path: str, params: Mapping[str, str], shape: type[Shape]) -> Shape:
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        try:
            async with self._http.get(f"{self._url}{path}", params=params, timeout=timeout) as answer:
                body = await answer.read()
                problem = f"HTTP {answer.status}: {body[:120]!r}"
                if answer.status == 200:
                    return decoded(body, shape)
        except (aiohttp.ClientError, TimeoutError, VenueError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        raise PublicMarketError(
            f"{self._url}{path}: expected the venue's public answer, was {problem}; look at the network, or give "
            "another host with --set market.rest=URL"
        )

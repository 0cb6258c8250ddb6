"""The public market of Binance by REST: minutes, instruments, volumes and time. Spot, and the ground of USDT-M.

What both word alike stands here once; ``BinanceWire`` holds in what they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from trading_system.rules.sequencer import ClosedCandle, Page
from trading_system.venues.binance.manners import UNKNOWN_SYMBOL, BinanceManners
from trading_system.venues.kline_rows import candle_of, in_order
from trading_system.venues.market_errors import MarketAwayError
from trading_system.venues.public_rest import RefusedQuestionError, json_of
from trading_system.venues.rest_budget import BudgetTerms
from trading_system.venues.rest_market import QUOTE, Listed, RestMarket


class BinanceWire(NamedTuple):
    """One Binance market.

    ``rows_weight``: what a request of so many rows weighs; ``page``: the cheapest number. ``notional``: the filter of
    the least notional and its field. ``contract``: the kind of contract that we trade, None where there are none.
    """

    prefix: str
    page: int
    rows_weight: Callable[[int], int]
    instruments_weight: int
    volumes_weight: int
    notional: tuple[str, str]
    contract: str | None


SPOT = BinanceWire("/api/v3", 1000, lambda _: 2, 20, 80, ("NOTIONAL", "min_notional"), None)
SPOT_BUDGET = BudgetTerms("binance", 6_000, 60_000)


class Filter(msgspec.Struct, rename="camel"):
    """``{"filterType":"PRICE_FILTER","tickSize":"0.10", ...}``."""

    filter_type: str
    tick_size: str = ""
    step_size: str = ""
    notional: str = ""
    min_notional: str = ""


class SymbolRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","status":"TRADING","quoteAsset":"USDT","filters":[...], ...}``.

    The precisions beside the filters are not tick and step.
    """

    symbol: str
    status: str
    filters: list[Filter]
    quote_asset: str = ""
    contract_type: str | None = None


class ExchangeInfo(msgspec.Struct):
    """``{"symbols":[...], ...}``; each row is read alone."""

    symbols: list[msgspec.Raw]


class ServerTime(msgspec.Struct, rename="camel"):
    """``{"serverTime":1620099477465}``."""

    server_time: int


class TickerRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","quoteVolume":"8123456.12", ...}`` of the last 24 hours."""

    symbol: str
    quote_volume: float


NO_FILTER = Filter("")

_klines = json_of(list[list[int | float | str]])
_exchange_info = json_of(ExchangeInfo)
_symbol = json_of(SymbolRow)
_server_time = json_of(ServerTime)
_tickers = json_of(list[TickerRow])


class BinanceMarket(RestMarket):
    """The public market of Binance spot."""

    name = "binance"
    manners = BinanceManners()
    trades = "TRADING"
    ended = frozenset[str]()  # BREAK is said of a halt, of a maintenance and of what is gone alike
    wire = SPOT

    async def minutes(self, symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> Page:
        """Return rows from ``start`` on, oldest first: at most 1000 (spot) or 1500 a request, the running one unmarked.

        Row: ``[openTime, "open", "high", "low", "close", "volume", closeTime, "quoteVolume", trades, "takerBase",
        "takerQuote", "0"]``.
        """
        limit = most or self.wire.page
        rows = await self._minutes(symbol, {"startTime": str(start)}, limit, start, urgent=urgent)
        return Page(rows, rows[-1].open_time if rows else start, len(rows) == limit)

    async def running_minute(self, symbol: str) -> int:
        """Return the open time of the newest row."""
        rows = await self._minutes(symbol, {}, 1, 0, urgent=True)
        if not rows:
            raise MarketAwayError(self._rest.base, f"no candle of {symbol} at all")
        return rows[-1].open_time

    async def volumes(self) -> Mapping[str, float]:
        """Return ``quoteVolume`` of ``ticker/24hr``."""
        rows = await self._get(f"{self.wire.prefix}/ticker/24hr", {}, self.wire.volumes_weight, _tickers)
        return {row.symbol: row.quote_volume for row in rows}

    async def server_time(self) -> int:
        """Return ``serverTime``."""
        return (await self._get(f"{self.wire.prefix}/time", {}, 1, _server_time)).server_time

    async def _minutes(
        self, symbol: str, bounds: Mapping[str, str], limit: int, start: int, *, urgent: bool
    ) -> tuple[ClosedCandle, ...]:
        params = {"symbol": symbol, "interval": "1m", **bounds, "limit": str(limit)}

        def read(body: bytes) -> tuple[ClosedCandle, ...]:
            candles = [candle_of(row) for row in _klines(body)]
            return in_order(candles, start or (candles[0].open_time if candles else 0))

        path, weight = f"{self.wire.prefix}/klines", self.wire.rows_weight(limit)
        return await self._get(path, params, weight, read, symbol=symbol, urgent=urgent)

    async def _listed(self) -> Mapping[str, Listed]:
        path = f"{self.wire.prefix}/exchangeInfo"
        info = await self._get(path, {}, self.wire.instruments_weight, _exchange_info)
        return self._each(info.symbols, _symbol, self._row)

    def _row(self, row: SymbolRow) -> Listed:
        filters = {one.filter_type: one for one in row.filters}
        name, field = self.wire.notional
        return Listed(
            row.status,
            row.quote_asset == QUOTE and row.contract_type == self.wire.contract,
            filters.get("PRICE_FILTER", NO_FILTER).tick_size,
            filters.get("LOT_SIZE", NO_FILTER).step_size,
            getattr(filters.get(name, NO_FILTER), field),
        )

    def _knows_no_symbol(self, refused: RefusedQuestionError) -> bool:
        return refused.code == UNKNOWN_SYMBOL

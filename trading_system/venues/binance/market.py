"""The public market of Binance by REST: minutes, instruments, volumes and time. Spot, and the ground of USDT-M.

What both word alike stands here once; ``BinanceWire`` holds in what they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import aiohttp
import msgspec

from trading_system.rules.grid import GridError, Instrument, grid_of_text
from trading_system.rules.sequencer import ClosedCandle, Page
from trading_system.venues.binance.manners import UNKNOWN_SYMBOL, BinanceManners
from trading_system.venues.clock import Clock
from trading_system.venues.kline_rows import candle_of, in_order
from trading_system.venues.market_errors import MarketAwayError, NotTradedError, UnknownSymbolError
from trading_system.venues.market_port import AccountTerms
from trading_system.venues.public_rest import PublicRest, RefusedQuestionError, json_of
from trading_system.venues.rest_budget import BudgetTerms, RestBudget

Answer = TypeVar("Answer")

QUOTE = "USDT"
TRADING = "TRADING"


class BinanceWire(NamedTuple):
    """One Binance market.

    ``rows_weight``: what a request of so many rows weighs; ``page``: the cheapest number. ``notional``: the filter of
    the least notional and its field. ``contract``: the kind of contract that we trade, None where there are none.
    """

    name: str
    prefix: str
    page: int
    rows_weight: Callable[[int], int]
    instruments_weight: int
    volumes_weight: int
    notional: tuple[str, str]
    contract: str | None


SPOT = BinanceWire("binance", "/api/v3", 1000, lambda _: 2, 20, 80, ("NOTIONAL", "min_notional"), None)
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
    """``{"symbols":[...], ...}``."""

    symbols: list[SymbolRow]


class ServerTime(msgspec.Struct, rename="camel"):
    """``{"serverTime":1620099477465}``."""

    server_time: int


class TickerRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","quoteVolume":"8123456.12", ...}`` of the last 24 hours."""

    symbol: str
    quote_volume: float


_klines = json_of(list[list[int | float | str]])
_exchange_info = json_of(ExchangeInfo)
_server_time = json_of(ServerTime)
_tickers = json_of(list[TickerRow])


class BinanceMarket:
    """The public market of Binance spot at ``base``. ``terms``: fees and maintenance, which are not public."""

    wire = SPOT

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base: str,
        budget: RestBudget,
        clock: Clock,
        terms: AccountTerms,
    ) -> None:
        self._rest = PublicRest(http, base, budget, clock, BinanceManners())
        self._terms = terms

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

    async def trading(self) -> Mapping[str, bool]:
        """Return every listed symbol, True for those with status TRADING."""
        return {row.symbol: row.status == TRADING for row in (await self._info()).values()}

    async def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the records of ``symbols`` by the filters of ``exchangeInfo``."""
        rows = await self._info()
        if symbols is None:
            wanted = [row for row in rows.values() if row.status == TRADING and self._is_ours(row)]
            return tuple(self._instrument(row) for row in wanted)
        for symbol in symbols:
            if symbol not in rows:
                raise UnknownSymbolError(symbol, self._rest.base, rows)
            if rows[symbol].status != TRADING:
                raise NotTradedError(symbol, self._rest.base, rows[symbol].status)
        return tuple(self._instrument(rows[symbol]) for symbol in symbols)

    async def volumes(self) -> Mapping[str, float]:
        """Return ``quoteVolume`` of ``ticker/24hr``."""
        rows = await self._get("ticker/24hr", {}, self.wire.volumes_weight, _tickers)
        return {row.symbol: row.quote_volume for row in rows}

    async def server_time(self) -> int:
        """Return ``serverTime``."""
        return (await self._get("time", {}, 1, _server_time)).server_time

    async def _minutes(
        self, symbol: str, bounds: Mapping[str, str], limit: int, start: int, *, urgent: bool
    ) -> tuple[ClosedCandle, ...]:
        params = {"symbol": symbol, "interval": "1m", **bounds, "limit": str(limit)}

        def read(body: bytes) -> tuple[ClosedCandle, ...]:
            candles = [candle_of(row) for row in _klines(body)]
            return in_order(candles, start or (candles[0].open_time if candles else 0))

        path = f"{self.wire.prefix}/klines"
        try:
            return await self._rest.get(path, params, self.wire.rows_weight(limit), read, urgent=urgent)
        except RefusedQuestionError as error:
            if error.code == UNKNOWN_SYMBOL:
                raise UnknownSymbolError(symbol, self._rest.base) from None
            raise MarketAwayError(f"{self._rest.base}{path}", str(error)) from None

    async def _info(self) -> dict[str, SymbolRow]:
        info = await self._get("exchangeInfo", {}, self.wire.instruments_weight, _exchange_info)
        return {row.symbol: row for row in info.symbols}

    async def _get(self, name: str, params: Mapping[str, str], weight: int, read: Callable[[bytes], Answer]) -> Answer:
        path = f"{self.wire.prefix}/{name}"
        try:
            return await self._rest.get(path, params, weight, read)
        except RefusedQuestionError as error:
            raise MarketAwayError(f"{self._rest.base}{path}", str(error)) from None

    def _is_ours(self, row: SymbolRow) -> bool:
        return row.quote_asset == QUOTE and row.contract_type == self.wire.contract

    def _instrument(self, row: SymbolRow) -> Instrument:
        filters = {one.filter_type: one for one in row.filters}
        name, field = self.wire.notional
        try:
            tick = grid_of_text(filters["PRICE_FILTER"].tick_size)
            step = grid_of_text(filters["LOT_SIZE"].step_size)
            notional = float(getattr(filters[name], field))
        except (KeyError, ValueError, GridError) as error:
            raise MarketAwayError(
                self._rest.base, f"a record of {row.symbol} without tick, step or least notional ({error!r})"
            ) from None
        return Instrument(self.wire.name, row.symbol, tick, step, notional, *self._terms)

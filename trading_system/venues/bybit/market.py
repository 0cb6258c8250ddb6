"""The public market of Bybit v5 by REST: minutes, instruments, volumes and time. Spot, and the ground of linear.

Rows of minutes come newest first and are bounded by a window of time, not by a number of rows from a start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import aiohttp
import msgspec

from trading_system.rules.grid import GridError, Instrument, grid_of_text
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle, Page
from trading_system.venues.bybit.manners import PARAMETER, BybitManners
from trading_system.venues.clock import Clock
from trading_system.venues.kline_rows import candle_of, in_order
from trading_system.venues.market_errors import MarketAwayError, NotTradedError, UnknownSymbolError
from trading_system.venues.market_port import AccountTerms
from trading_system.venues.public_rest import PublicRest, RefusedQuestionError, json_of
from trading_system.venues.rest_budget import BudgetTerms, RestBudget

Row = TypeVar("Row")
Answer = TypeVar("Answer")

QUOTE = "USDT"
TRADING = "Trading"
PAGE = 1000
NO_MORE_PAGES = 1000  # of instruments; a cursor that never ends is a broken answer


class BybitWire(NamedTuple):
    """One category. ``step`` and ``notional`` name the fields of the lot size filter that hold them."""

    name: str
    category: str
    step: str
    notional: str
    contract: str | None  # the kind of contract that we trade, None where there are none


SPOT = BybitWire("bybit", "spot", "base_precision", "min_order_amt", None)
SPOT_BUDGET = BudgetTerms("bybit", 600, 5_000)


class Rows(msgspec.Struct, Generic[Row], rename="camel"):
    """The ``result`` of a listing: ``{"list":[...],"nextPageCursor":""}``."""

    rows: list[Row] = msgspec.field(name="list")
    next_page_cursor: str | None = None


class Listing(msgspec.Struct, Generic[Row]):
    """``{"retCode":0,"result":{...},"time":1688639403423}``; that the code is 0 is seen to before."""

    result: Rows[Row]
    time: int


class LotSize(msgspec.Struct, rename="camel"):
    """``{"qtyStep":"0.001","minNotionalValue":"5"}`` (linear), ``{"basePrecision":..,"minOrderAmt":..}`` (spot)."""

    qty_step: str = ""
    min_notional_value: str = ""
    base_precision: str = ""
    min_order_amt: str = ""


class PriceFilter(msgspec.Struct, rename="camel"):
    """``{"tickSize":"0.10"}``."""

    tick_size: str


class SymbolRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","status":"Trading","quoteCoin":"USDT","priceFilter":{..},"lotSizeFilter":{..}, ...}``."""

    symbol: str
    status: str
    quote_coin: str
    price_filter: PriceFilter
    lot_size_filter: LotSize
    contract_type: str | None = None


class TickerRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","turnover24h":"243765620.65", ...}``."""

    symbol: str
    turnover: float = msgspec.field(name="turnover24h")


class Time(msgspec.Struct):
    """``{"retCode":0,"result":{"timeSecond":"1688639403", ...},"time":1688639403423}``."""

    time: int


_klines = json_of(Listing[list[int | float | str]])
_symbols = json_of(Listing[SymbolRow])
_tickers = json_of(Listing[TickerRow])
_time = json_of(Time)


class BybitMarket:
    """The public market of Bybit spot at ``base``. ``terms``: fees and maintenance, which are not public."""

    wire = SPOT

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base: str,
        budget: RestBudget,
        clock: Clock,
        terms: AccountTerms,
    ) -> None:
        self._rest = PublicRest(http, base, budget, clock, BybitManners())
        self._terms = terms

    async def minutes(self, symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> Page:
        """Return the rows of the window that begins at ``start``, at most 1000 minutes long.

        Row: ``["start", "open", "high", "low", "close", "volume", "turnover"]``, newest first, no close time. A window
        that ends in missing minutes proves them only when the venue has a newer one, which is asked for then.
        """
        span = most or PAGE
        last = start + (span - 1) * MINUTE_MS
        window = {"start": str(start), "end": str(last)}
        rows, venue_ms = await self._minutes(symbol, window, span, start, urgent=urgent)
        newest = rows[-1].open_time if rows else start
        if newest == last:
            return Page(rows, last, more=True)
        if last + MINUTE_MS <= venue_ms and await self._newest(symbol, urgent=urgent) > last:
            return Page(rows, last + MINUTE_MS, more=True)
        return Page(rows, newest)

    async def running_minute(self, symbol: str) -> int:
        """Return the open time of the newest row."""
        newest = await self._newest(symbol, urgent=True)
        if newest < 0:
            raise MarketAwayError(self._rest.base, f"no candle of {symbol} at all")
        return newest

    async def trading(self) -> Mapping[str, bool]:
        """Return every listed symbol, True for those with status Trading."""
        return {row.symbol: row.status == TRADING for row in (await self._info()).values()}

    async def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the records of ``symbols`` by the filters of ``instruments-info``, which comes in pages."""
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
        """Return ``turnover24h`` of ``tickers``."""
        rows = await self._get("tickers", {"category": self.wire.category}, _tickers)
        return {row.symbol: row.turnover for row in rows.result.rows}

    async def server_time(self) -> int:
        """Return ``time`` of the answer."""
        return (await self._get("time", {}, _time)).time

    async def _newest(self, symbol: str, *, urgent: bool) -> int:
        """Return the open time of the venue's newest row, -1 if it has none."""
        rows, _ = await self._minutes(symbol, {}, 1, 0, urgent=urgent)
        return rows[-1].open_time if rows else -1

    async def _minutes(
        self, symbol: str, bounds: Mapping[str, str], limit: int, start: int, *, urgent: bool
    ) -> tuple[tuple[ClosedCandle, ...], int]:
        """Return rows, oldest first, and the venue's time."""
        params = {
            "category": self.wire.category, "symbol": symbol, "interval": "1", **bounds, "limit": str(limit)
        }  # fmt: skip

        def read(body: bytes) -> tuple[tuple[ClosedCandle, ...], int]:
            listing = _klines(body)
            candles = [candle_of(row) for row in reversed(listing.result.rows)]
            return in_order(candles, start or (candles[0].open_time if candles else 0)), listing.time

        path = "/v5/market/kline"
        try:
            return await self._rest.get(path, params, 1, read, urgent=urgent)
        except RefusedQuestionError as error:
            if error.code == PARAMETER and "symbol" in str(error).lower():
                raise UnknownSymbolError(symbol, self._rest.base) from None
            raise MarketAwayError(f"{self._rest.base}{path}", str(error)) from None

    async def _info(self) -> dict[str, SymbolRow]:
        rows: dict[str, SymbolRow] = {}
        cursor = ""
        for _ in range(NO_MORE_PAGES):
            params = {"category": self.wire.category, "limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
            listing = await self._get("instruments-info", params, _symbols)
            rows |= {row.symbol: row for row in listing.result.rows}
            cursor = listing.result.next_page_cursor or ""
            if not cursor:
                return rows
        raise MarketAwayError(self._rest.base, f"instruments without an end, after {NO_MORE_PAGES} pages")

    async def _get(self, name: str, params: Mapping[str, str], read: Callable[[bytes], Answer]) -> Answer:
        path = f"/v5/market/{name}"
        try:
            return await self._rest.get(path, params, 1, read)
        except RefusedQuestionError as error:
            raise MarketAwayError(f"{self._rest.base}{path}", str(error)) from None

    def _is_ours(self, row: SymbolRow) -> bool:
        return row.quote_coin == QUOTE and row.contract_type == self.wire.contract

    def _instrument(self, row: SymbolRow) -> Instrument:
        lots = row.lot_size_filter
        try:
            tick = grid_of_text(row.price_filter.tick_size)
            step = grid_of_text(getattr(lots, self.wire.step))
            notional = float(getattr(lots, self.wire.notional))
        except (ValueError, GridError) as error:
            raise MarketAwayError(
                self._rest.base, f"a record of {row.symbol} without tick, step or least notional ({error!r})"
            ) from None
        return Instrument(self.wire.name, row.symbol, tick, step, notional, *self._terms)

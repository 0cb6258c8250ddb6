"""The public market of Bybit v5 by REST: minutes, instruments, volumes and time. Spot, and the ground of linear.

Rows of minutes come newest first and are bounded by a window of time, not by a number of rows from a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle, Page
from trading_system.venues.bybit.manners import PARAMETER, BybitManners
from trading_system.venues.kline_rows import candle_of, in_order
from trading_system.venues.market_errors import MarketAwayError, UnknownSymbolError
from trading_system.venues.public_rest import RefusedQuestionError, json_of
from trading_system.venues.rest_budget import BudgetTerms
from trading_system.venues.rest_market import QUOTE, Listed, RestMarket, Standing

Row = TypeVar("Row")

PAGE = 1000
ENDED = frozenset({"Delivering", "Closed"})
NO_MORE_PAGES = 1000  # of instruments; a cursor that never ends is a broken answer


class BybitWire(NamedTuple):
    """One category. ``step`` and ``notional`` name the fields of the lot size filter that hold them."""

    category: str
    step: str
    notional: str
    contract: str | None  # the kind of contract that we trade, None where there are none


SPOT = BybitWire("spot", "base_precision", "min_order_amt", None)
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
_symbols = json_of(Listing[msgspec.Raw])
_symbol = json_of(SymbolRow)
_standings = json_of(Listing[Standing])
_tickers = json_of(Listing[TickerRow])
_time = json_of(Time)


class BybitMarket(RestMarket):
    """The public market of Bybit spot."""

    name = "bybit"
    manners = BybitManners()
    trades = "Trading"
    ended = ENDED
    wire = SPOT

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

    async def volumes(self) -> Mapping[str, float]:
        """Return ``turnover24h`` of ``tickers``."""
        rows = await self._get("/v5/market/tickers", {"category": self.wire.category}, 1, _tickers)
        return {row.symbol: row.turnover for row in rows.result.rows}

    async def server_time(self) -> int:
        """Return ``time`` of the answer."""
        return (await self._get("/v5/market/time", {}, 1, _time)).time

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

        return await self._get("/v5/market/kline", params, 1, read, symbol=symbol, urgent=urgent)

    async def _listed(self) -> Mapping[str, Listed]:
        """Return the rows of ``instruments-info``, which comes in pages."""
        rows: dict[str, Listed] = {}
        cursor = ""
        for _ in range(NO_MORE_PAGES):
            params = {"category": self.wire.category, "limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
            listing = await self._get("/v5/market/instruments-info", params, 1, _symbols)
            rows |= self._each(listing.result.rows, _symbol, self._row)
            cursor = listing.result.next_page_cursor or ""
            if not cursor:
                return rows
        raise MarketAwayError(self._rest.base, f"instruments without an end, after {NO_MORE_PAGES} pages")

    async def _unlisted(self, symbol: str) -> str | None:
        """Return the status of a symbol asked for by its name: the list holds only what trades."""
        params = {"category": self.wire.category, "symbol": symbol}
        try:
            listing = await self._get("/v5/market/instruments-info", params, 1, _standings, symbol=symbol)
        except UnknownSymbolError:
            return None
        return next((row.status for row in listing.result.rows if row.symbol == symbol), None)

    def _row(self, row: SymbolRow) -> Listed:
        lots = row.lot_size_filter
        return Listed(
            row.status,
            row.quote_coin == QUOTE and row.contract_type == self.wire.contract,
            row.price_filter.tick_size,
            getattr(lots, self.wire.step),
            getattr(lots, self.wire.notional),
        )

    def _knows_no_symbol(self, refused: RefusedQuestionError) -> bool:
        return refused.code == PARAMETER and "symbol" in str(refused).lower()

"""Binance spot as one wire: the public part of its REST and its market streams. Nobody has an account here.

Rows, frames and manners are those of Binance USDT-M; paths, weights, limits and the list of symbols are its own.
"""

from __future__ import annotations

from trading_system.rules.grid import text_of
from trading_system.simulator.binance_usdm.account_rows import status_of
from trading_system.simulator.binance_usdm.frames import Json, money
from trading_system.simulator.binance_usdm.rest import Access, Endpoint, Params, Rest
from trading_system.simulator.binance_usdm.streams import Streams
from trading_system.simulator.binance_usdm.wire import BinanceUsdmWire
from trading_system.simulator.books import Book

WEIGHT_LIMIT = 6_000
DAY_MINUTES = 1_440


class SpotRest(Rest):
    """Answers what everybody may ask."""

    most_rows = 1_000

    def _endpoints(self) -> dict[tuple[str, str], Endpoint]:
        none = Access.OPEN
        return {
            ("GET", "/api/v3/ping"): Endpoint(none, 1, lambda _: {}),
            ("GET", "/api/v3/time"): Endpoint(none, 1, lambda _: {"serverTime": self._door.wall_ms()}),
            ("GET", "/api/v3/exchangeInfo"): Endpoint(none, 20, self._info),
            ("GET", "/api/v3/klines"): Endpoint(none, 2, self._klines),
            ("GET", "/api/v3/ticker/24hr"): Endpoint(none, 80, self._tickers),
        }

    def _info(self, _: Params) -> Json:
        step = self._exchange.step + 1
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_LIMIT}
        return {
            "timezone": "UTC",
            "serverTime": self._door.wall_ms(),
            "rateLimits": [limit],
            "exchangeFilters": [],
            "symbols": [symbol_row(book, status_of(book, step)) for book in self._exchange.books.values()],
        }

    def _tickers(self, _: Params) -> list[Json]:
        """Return each symbol's day that ends now, as far as it is read."""
        said = []
        for symbol, book in self._exchange.books.items():
            rows = self._exchange.minutes(symbol, None, self._exchange.step, DAY_MINUTES)
            turnover = money(sum(row.volume * row.close for row in rows))
            said.append({"symbol": symbol, "lastPrice": text_of(book.last), "quoteVolume": turnover})
        return said


class SpotStreams(Streams):
    """The market streams, which have no area of their own in the address; there is no user stream."""

    areas = frozenset[str]()
    market_area = ""


class BinanceSpotWire(BinanceUsdmWire):
    """What each member promises is in ``wire_port.Wire``; of orders nobody hears here, as there are none."""

    rest = SpotRest
    streams = SpotStreams


def symbol_row(book: Book, status: str) -> Json:
    """Return one symbol of ``GET /api/v3/exchangeInfo``, with the filters that it shares with nobody else."""
    instrument = book.instrument
    tick, step = text_of(instrument.tick.price(1)), text_of(instrument.step.price(1))
    return {
        "symbol": instrument.symbol,
        "status": status,
        "baseAsset": instrument.symbol.removesuffix("USDT"),
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000000000", "stepSize": step},
            {
                "filterType": "NOTIONAL",
                "minNotional": text_of(instrument.min_notional),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }

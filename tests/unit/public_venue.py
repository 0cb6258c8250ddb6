"""A venue's public REST on loopback, in the wire of four venues, over minutes that a test makes; nothing is guessed.

It counts weight as the venue does and bans whoever spends too much, so that a feed that does not keep to its budget
is found out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from virtual_clock import START_MS, VirtualClock

from trading_system.rules.sequencer import ClosedCandle
from trading_system.venues.known import MARKETS
from trading_system.venues.market_port import AccountTerms, PublicMarket
from trading_system.venues.rest_budget import RestBudget

MINUTE = 60_000
TERMS = AccountTerms(0.0005, 0.0002, 0.004)
BINANCE = ("binance_usdm", "binance")
BYBIT = ("bybit_linear", "bybit")


def candle(open_time: int) -> ClosedCandle:
    """The venue's minute of a time: numbers that only this minute has."""
    n = open_time // MINUTE % 1000
    return ClosedCandle(open_time, 100.1 + n, 101.0 + n, 99.0 + n, 100.5 + n, 12.345)


class PublicVenue:
    """One venue. ``first``: open time of the oldest minute; ``missing``: open times that it does not have.

    ``answers``: what to say, whatever is asked, before the truth. ``asked``: path and parameters of every request.
    """

    def __init__(self, name: str, clock: VirtualClock, first: int = START_MS - 5_000 * MINUTE) -> None:
        self.name = name
        self.clock = clock
        self.first = first
        self.missing: set[int] = set()
        self.symbols = {"BTCUSDT": True, "ETHUSDT": True}
        self.answers: list[web.Response] = []
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.page_of_symbols = 1000
        self.odd_rows: dict[str, dict[str, Any]] = {}  # by symbol, what its row says otherwise
        self.weights: list[tuple[int, int]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query)))
        if self.answers:
            return self.answers.pop(0)
        return self._binance(request) if self.name in BINANCE else self._bybit(request)

    @property
    def running(self) -> int:
        return self.clock.now_ms // MINUTE * MINUTE

    def rows(self, start: int, end: int) -> list[ClosedCandle]:
        times = range(max(start, self.first), min(end, self.running) + 1, MINUTE)
        return [candle(time) for time in times if time not in self.missing]

    def _binance(self, request: web.Request) -> web.Response:
        prefix, spot = ("/api/v3/", True) if self.name == "binance" else ("/fapi/v1/", False)
        asked = request.query
        said: Any
        match request.path.removeprefix(prefix):
            case "klines":
                limit = int(asked.get("limit", 500))
                weight = 2 if spot else 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
                if asked["symbol"] not in self.symbols:
                    return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
                assert limit <= (1000 if spot else 1500)
                found = self.rows(int(asked.get("startTime", 0)), 1 << 60)
                said = [_binance_row(row) for row in (found[:limit] if "startTime" in asked else found[-limit:])]
            case "time":
                weight, said = 1, {"serverTime": self.clock.now_ms}
            case "exchangeInfo":
                weight, said = (
                    (20 if spot else 1),
                    {"symbols": [self._binance_symbol(name) | self.odd_rows.get(name, {}) for name in self.symbols]},
                )
            case "ticker/24hr":
                volumes = [{"symbol": name, "quoteVolume": f"{n}.5"} for n, name in enumerate(self.symbols)]
                weight, said = (80 if spot else 40), volumes
            case _:
                return web.json_response({"code": -5000, "msg": request.path}, status=404)
        used = self._weigh(weight, 60_000)
        if used > (6000 if spot else 2400):
            body = {"code": -1003, "msg": f"Way too many requests; IP banned until {self.clock.now_ms + 120_000}."}
            return web.json_response(body, status=418)
        return web.json_response(said, headers={"X-MBX-USED-WEIGHT-1M": str(used)})

    def _weigh(self, weight: int, window_ms: int) -> int:
        now = self.clock.now_ms
        self.weights.append((now, weight))
        return sum(one for when, one in self.weights if when // window_ms == now // window_ms)

    def _binance_symbol(self, name: str) -> dict[str, Any]:
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001"},
        ]
        extra: dict[str, Any] = {"contractType": "PERPETUAL"}
        if self.name == "binance":
            filters.append({"filterType": "NOTIONAL", "minNotional": "5.00000000"})
            extra = {}
        else:
            filters.append({"filterType": "MIN_NOTIONAL", "notional": "5"})
        status = "TRADING" if self.symbols[name] else "BREAK"
        return {"symbol": name, "status": status, "quoteAsset": "USDT", "filters": filters, "new": {}, **extra}

    def _bybit(self, request: web.Request) -> web.Response:
        asked = request.query
        used = self._weigh(1, 5_000)
        if used > 600:
            return web.Response(status=403, text="<html>access too frequent</html>", content_type="text/html")
        result: dict[str, Any] = {}
        match request.path.removeprefix("/v5/market/"):
            case "kline":
                if asked["symbol"] not in self.symbols:
                    return self._bybit_says(10001, "Not supported symbols")
                limit = int(asked.get("limit", 200))
                assert limit <= 1000
                found = self.rows(int(asked.get("start", 0)), int(asked.get("end", 1 << 60)))
                result = {"list": [_bybit_row(row) for row in found[::-1][:limit]], "symbol": asked["symbol"]}
            case "time":
                result = {"timeSecond": str(self.clock.now_ms // 1000), "timeNano": "0"}
            case "instruments-info":
                begin = int(asked.get("cursor", "0"))
                names = list(self.symbols)[begin : begin + self.page_of_symbols]
                end = begin + self.page_of_symbols
                cursor = str(end) if end < len(self.symbols) else ""
                result = {
                    "list": [self._bybit_symbol(name) | self.odd_rows.get(name, {}) for name in names],
                    "nextPageCursor": cursor,
                }
            case "tickers":
                volumes = [{"symbol": name, "turnover24h": f"{n}.5"} for n, name in enumerate(self.symbols)]
                result = {"list": volumes}
        return self._bybit_says(0, "OK", result)

    def _bybit_says(self, code: int, words: str, result: Mapping[str, Any] | None = None) -> web.Response:
        body = {"retCode": code, "retMsg": words, "result": result or {}, "retExtInfo": {}, "time": self.clock.now_ms}
        return web.json_response(body)

    def _bybit_symbol(self, name: str) -> dict[str, Any]:
        spot = self.name == "bybit"
        lots = {"basePrecision": "0.001", "minOrderAmt": "5"} if spot else {"qtyStep": "0.001", "minNotionalValue": "5"}
        extra = {} if spot else {"contractType": "LinearPerpetual"}
        return {
            "symbol": name,
            "status": "Trading" if self.symbols[name] else "PreLaunch",
            "quoteCoin": "USDT",
            "priceFilter": {"tickSize": "0.10"},
            "lotSizeFilter": lots,
            **extra,
        }

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[PublicMarket]:
        """Serve, and give the market behind it."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        known = MARKETS[self.name]
        async with TestServer(app) as server, aiohttp.ClientSession() as http:
            base = str(server.make_url("")).rstrip("/")
            self.budget = RestBudget(known.budget, self.clock)
            yield known.open(http, base, self.budget, self.clock, TERMS)


def _binance_row(row: ClosedCandle) -> list[Any]:
    close_time = row.open_time + MINUTE - 1
    return [row.open_time, *map(str, row[1:6]), close_time, "0", 7, "0", "0", "0"]


def _bybit_row(row: ClosedCandle) -> list[str]:
    return [*map(str, row[:6]), "0"]


def html(status: int = 200) -> web.Response:
    """What a proxy or a firewall says in the venue's place."""
    return web.Response(status=status, text="<html><body>maintenance</body></html>", content_type="text/html")

"""The account and the market of one process ask a venue out of one purse, and a ban of their address silences both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from trading_system.rules.matching import OrderType, Role
from trading_system.secret import Secret
from trading_system.venues.binance.manners import BinanceManners
from trading_system.venues.bybit.manners import BybitManners
from trading_system.venues.errors import NotTakenError, OutcomeUnknownError
from trading_system.venues.known import VENUES
from trading_system.venues.port import Venue, VenueOrder
from trading_system.venues.public_rest import Manners, PublicRest
from trading_system.venues.rest_budget import RestBudget

BINANCE, BYBIT = "binance_usdm", "bybit_linear"
MANNERS: dict[str, Manners] = {BINANCE: BinanceManners(), BYBIT: BybitManners()}
TIMES = {BINANCE: "/fapi/v1/time", BYBIT: "/v5/market/time"}
ORDER = VenueOrder("tmabcdefghijklmnope00", "BTCUSDT", Role.ENTRY, OrderType.MARKET, 1, 0.0, 0.001)
# what it answers, and for how long it shuts an address out, in seconds
SHUTTING_OUT = [
    (BINANCE, 429, {"code": -1003, "msg": "Too many requests."}, {"Retry-After": "9"}, 9),
    (BINANCE, 418, {"code": -1003, "msg": "Way too many requests; IP banned."}, {"Retry-After": "120"}, 120),
    (BINANCE, 418, "<html>", {}, 120),
    (BYBIT, 403, "<html>access too frequent</html>", {}, 600),
    (BYBIT, 200, {"retCode": 10018, "retMsg": "Exceeded the IP Rate Limit."}, {}, 5),
]
each_ban = pytest.mark.parametrize(("name", "status", "body", "headers", "seconds"), SHUTTING_OUT)


class Clock:
    """Who sleeps is woken at once, at its time; before that it is seen what others may do ``meanwhile``."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_040_000
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    def wall_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        if self.meanwhile is not None:
            await self.meanwhile()
        self.now_ms += round(seconds * 1000)


class Exchange:
    """Answers everything, or shuts everybody out; ``heard`` are the paths and when they were asked for."""

    def __init__(self, name: str) -> None:
        self.clock = Clock()
        self.heard: list[tuple[str, int]] = []
        self.says: web.Response | None = None
        self.known = VENUES[name]
        self.budget = RestBudget(self.known.market.budget, self.clock)
        self.is_binance = name == BINANCE

    async def answer(self, request: web.Request) -> web.Response:
        self.heard.append((request.path, self.clock.now_ms))
        if self.says is not None:
            said, self.says = self.says, None
            return said
        if self.is_binance:
            order = {"orderId": 7, "clientOrderId": "", "symbol": "BTCUSDT", "status": "CANCELED"}
            return web.json_response({"serverTime": self.clock.now_ms, **order})
        result = {"timeNano": str(self.clock.now_ms * 1_000_000), "orderId": "7", "orderLinkId": "", "list": []}
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": result, "time": self.clock.now_ms})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[tuple[Venue, PublicRest]]:
        """Serve; give the account and the market of one process."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        async with TestServer(app) as server, aiohttp.ClientSession() as http:
            base = str(server.make_url("")).rstrip("/")
            key, streams = Secret("key"), base.replace("http", "ws", 1)
            options = {"record": self.known.record, "clock": self.clock, "budget": self.budget}
            account = self.known.account(base, streams, key, key, **options)
            try:
                await account.server_time_offset()
                yield account, PublicRest(http, base, self.budget, self.clock, MANNERS[self.known.name])
            finally:
                await account.close()

    def shuts_out(self, status: int, body: Any, headers: dict[str, str]) -> None:
        """Answer the next request with a ban."""
        made = web.Response(status=status, text=body, headers=headers) if isinstance(body, str) else None
        self.says = made or web.json_response(body, status=status, headers=headers)


@each_ban
async def test_a_ban_that_the_account_hears_silences_account_and_market_until_it_is_over(
    name: str, status: int, body: Any, headers: dict[str, str], seconds: int
) -> None:
    exchange = Exchange(name)
    async with exchange.serving() as (account, market):
        exchange.shuts_out(status, body, headers)
        said = NotTakenError if not isinstance(body, str) or name != "binance_usdm" else OutcomeUnknownError
        with pytest.raises(said):  # without the venue's own code a page proves nothing of the order
            await account.place(ORDER, exchange.clock.now_ms)
        exchange.heard.clear()
        banned_at = exchange.clock.now_ms
        for again in (account.place(ORDER, banned_at), account.position("BTCUSDT"), account.server_time_offset()):
            with pytest.raises(NotTakenError, match="not sent") as left_alone:
                await again
            assert left_alone.value.wait_s == seconds
        assert exchange.heard == []
        await market.get(TIMES[name], {}, 1, bytes)
        assert exchange.heard == [(TIMES[name], banned_at + seconds * 1000)]
        await account.place(ORDER, exchange.clock.now_ms)
        assert len(exchange.heard) == 2


@each_ban
async def test_a_ban_that_the_market_hears_silences_the_account(
    name: str, status: int, body: Any, headers: dict[str, str], seconds: int
) -> None:
    exchange = Exchange(name)
    async with exchange.serving() as (account, market):
        exchange.shuts_out(status, body, headers)
        exchange.heard.clear()
        tried: list[float] = []

        async def meanwhile() -> None:
            for request in (account.place(ORDER, 0), account.cancel("BTCUSDT", ORDER.client_id, OrderType.MARKET)):
                with pytest.raises(NotTakenError, match="not sent") as left_alone:
                    await request
                tried.append(left_alone.value.wait_s)

        exchange.clock.meanwhile = meanwhile
        began = exchange.clock.now_ms
        await market.get(TIMES[name], {}, 1, bytes)
        assert tried == [seconds, seconds]
        assert exchange.heard == [(TIMES[name], began), (TIMES[name], began + seconds * 1000)]


async def test_the_accounts_questions_are_counted_and_binance_is_believed_when_it_counts_more() -> None:
    exchange = Exchange(BINANCE)
    async with exchange.serving() as (account, _):
        before = exchange.budget.spent
        exchange.says = web.json_response([], headers={"X-MBX-USED-WEIGHT-1M": "2399"})
        await account.fills("BTCUSDT")
        assert exchange.budget.spent == before + 5
        began = exchange.clock.now_ms
        await account.place(ORDER, began)
        assert exchange.clock.now_ms == began
        await exchange.budget.take(1, urgent=True)  # the market has nothing left in this minute
        assert exchange.clock.now_ms == began + 60_000


async def test_too_many_orders_of_the_account_are_not_a_ban_of_the_address() -> None:
    exchange = Exchange(BINANCE)
    async with exchange.serving() as (account, _):
        exchange.says = web.json_response({"code": -1015, "msg": "Too many new orders."}, status=429)
        with pytest.raises(NotTakenError):
            await account.place(ORDER, exchange.clock.now_ms)
        await account.cancel("BTCUSDT", ORDER.client_id, OrderType.MARKET)
        assert exchange.heard[-1][0] == "/fapi/v1/order"

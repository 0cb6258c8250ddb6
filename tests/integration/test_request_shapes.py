"""Our requests beside those that ccxt 4.5.90 sends for the same wish: every parameter that both have is equal.

ccxt's are as they were recorded from the unmodified library. What only one side sends, or what we chose otherwise, is
named with each case: nothing else may differ.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from answering_server import answering

from trading_system.rules.matching import OrderType, Role
from trading_system.secret import Secret
from trading_system.venues.clock import SystemClock
from trading_system.venues.errors import VenueError
from trading_system.venues.known import VENUES
from trading_system.venues.port import Venue, VenueOrder

S = "BTCUSDT"
STAMPS = frozenset({"timestamp", "recvWindow", "signature"})


class Case(NamedTuple):
    """One wish: what ccxt sends for it, and in what ours differs."""

    venue: str
    wish: str
    ask: Callable[[Venue], Awaitable[object]]
    sends: str
    theirs: Mapping[str, str]
    only_ours: Mapping[str, str] = {}
    only_theirs: frozenset[str] = frozenset()
    chosen: Mapping[str, str] = {}


def order(client_id: str, role: Role, kind: OrderType, side: int, price: float = 0.0, protection: float = 0.0) -> Any:
    wish = VenueOrder(client_id, S, role, kind, side, price, 0.01, protection)
    return lambda venue: venue.place(wish, time.time_ns() // 1_000_000)


BINANCE, BYBIT = "binance_usdm", "bybit_linear"
RESULT = frozenset({"newOrderRespType"})  # the answer holds no fill any more, so the shortest will do
ONE_WAY = {"positionIdx": "0"}
STOP_OF_POSITION = {"tpslMode": "Full", "slTriggerBy": "LastPrice", "slOrderType": "Market"}
LINEAR = {"symbol": S, "category": "linear"}

CASES = [
    Case(
        BINANCE,
        "leverage",
        lambda venue: venue.set_leverage(S, 5),
        "POST /fapi/v1/leverage",
        {"symbol": S, "leverage": "5"},
    ),
    Case(
        BINANCE,
        "isolated margin",
        lambda venue: venue.set_isolated_margin(S),
        "POST /fapi/v1/marginType",
        {"symbol": S, "marginType": "ISOLATED"},
    ),
    Case(
        BINANCE,
        "market entry",
        order("bot1-entry-001", Role.ENTRY, OrderType.MARKET, 1),
        "POST /fapi/v1/order",
        {
            "symbol": S,
            "side": "BUY",
            "newClientOrderId": "bot1-entry-001",
            "newOrderRespType": "RESULT",
            "type": "MARKET",
            "quantity": "0.01",
        },
        only_theirs=RESULT,
    ),
    Case(
        BINANCE,
        "limit entry",
        order("bot1-lim-001", Role.ENTRY, OrderType.LIMIT, 1, 95000.0),
        "POST /fapi/v1/order",
        {
            "symbol": S,
            "side": "BUY",
            "newClientOrderId": "bot1-lim-001",
            "newOrderRespType": "RESULT",
            "type": "LIMIT",
            "quantity": "0.01",
            "price": "95000",
            "timeInForce": "GTC",
        },
        only_theirs=RESULT,
    ),
    Case(
        BINANCE,
        "stop",
        order("bot1-sl-001", Role.STOP, OrderType.STOP, -1, 98000.0),
        "POST /fapi/v1/algoOrder",
        {
            "symbol": S,
            "side": "SELL",
            "clientAlgoId": "bot1-sl-001",
            "newOrderRespType": "RESULT",
            "type": "STOP_MARKET",
            "quantity": "0.01",
            "triggerPrice": "98000",
            "reduceOnly": "true",
            "workingType": "MARK_PRICE",
            "algoType": "CONDITIONAL",
        },
        only_theirs=RESULT,
        chosen={"workingType": "CONTRACT_PRICE"},  # a stop counts on the price of which candles are made
    ),
    Case(BINANCE, "open orders", lambda venue: venue.open_orders(S), "GET /fapi/v1/openOrders", {"symbol": S}),
    Case(BINANCE, "open stops", lambda venue: venue.open_orders(S), "GET /fapi/v1/openAlgoOrders", {"symbol": S}),
    Case(BINANCE, "position", lambda venue: venue.position(S), "GET /fapi/v3/positionRisk", {}, {"symbol": S}),
    Case(
        BINANCE,
        "order by our id",
        lambda venue: venue.order(S, "bot1-entry-001", OrderType.MARKET),
        "GET /fapi/v1/order",
        {"symbol": S, "origClientOrderId": "bot1-entry-001"},
    ),
    Case(
        BINANCE,
        "stop by our id",
        lambda venue: venue.order(S, "bot1-sl-001", OrderType.STOP),
        "GET /fapi/v1/algoOrder",
        {"symbol": S, "clientAlgoId": "bot1-sl-001"},
        only_theirs=frozenset({"symbol"}),  # the venue's own page names no symbol here
    ),
    Case(
        BINANCE,
        "cancel a stop by our id",
        lambda venue: venue.cancel(S, "bot1-tp-001", OrderType.STOP),
        "DELETE /fapi/v1/algoOrder",
        {"symbol": S, "clientAlgoId": "bot1-tp-001"},
        only_theirs=frozenset({"symbol"}),
    ),
    Case(
        BYBIT,
        "leverage",
        lambda venue: venue.set_leverage(S, 5),
        "POST /v5/position/set-leverage",
        {**LINEAR, "buyLeverage": "5", "sellLeverage": "5"},
    ),
    Case(
        BYBIT,
        "isolated margin",
        lambda venue: venue.set_isolated_margin(S),
        "POST /v5/account/set-margin-mode",
        {"setMarginMode": "ISOLATED_MARGIN"},
    ),
    Case(
        BYBIT,
        "market entry",
        order("bot1-entry-001", Role.ENTRY, OrderType.MARKET, 1),
        "POST /v5/order/create",
        {**LINEAR, "side": "Buy", "orderType": "Market", "orderLinkId": "bot1-entry-001", "qty": "0.01"},
        ONE_WAY,
    ),
    Case(
        BYBIT,
        "market entry with its stop",
        order("bot1-entry-002", Role.ENTRY, OrderType.MARKET, 1, protection=98000.0),
        "POST /v5/order/create",
        {
            **LINEAR,
            "side": "Buy",
            "orderType": "Market",
            "orderLinkId": "bot1-entry-002",
            "qty": "0.01",
            "stopLoss": "98000",
            "takeProfit": "104000",
        },
        ONE_WAY | STOP_OF_POSITION,
        only_theirs=frozenset({"takeProfit"}),  # targets are limits of their own after the fill
    ),
    Case(
        BYBIT,
        "limit",
        order("bot1-lim-001", Role.ENTRY, OrderType.LIMIT, 1, 95000.0),
        "POST /v5/order/create",
        {
            **LINEAR,
            "side": "Buy",
            "orderType": "Limit",
            "timeInForce": "PostOnly",
            "orderLinkId": "bot1-lim-001",
            "price": "95000",
            "qty": "0.01",
        },
        ONE_WAY,
        chosen={"timeInForce": "GTC"},  # an entry may take
    ),
    Case(
        BYBIT,
        "exit",
        order("bot1-sl-001", Role.EXIT, OrderType.MARKET, -1),
        "POST /v5/order/create",
        {
            **LINEAR,
            "side": "Sell",
            "orderType": "Market",
            "orderLinkId": "bot1-sl-001",
            "qty": "0.01",
            "triggerDirection": "2",
            "triggerPrice": "98000",
            "reduceOnly": "true",
        },
        ONE_WAY,
        only_theirs=frozenset({"triggerDirection", "triggerPrice"}),  # no conditional orders: the position has its stop
    ),
    Case(BYBIT, "open orders", lambda venue: venue.open_orders(S), "GET /v5/order/realtime", LINEAR, {"limit": "50"}),
    Case(
        BYBIT,
        "position",
        lambda venue: venue.position(S),
        "GET /v5/position/list",
        {**LINEAR, "limit": "200"},
        only_theirs=frozenset({"limit"}),  # one symbol is one row
    ),
    Case(
        BYBIT,
        "order by our id",
        lambda venue: venue.order(S, "bot1-lim-001", OrderType.LIMIT),
        "GET /v5/order/realtime",
        {**LINEAR, "orderLinkId": "bot1-lim-001"},
    ),
    Case(
        BYBIT,
        "cancel by our id",
        lambda venue: venue.cancel(S, "bot1-tp-001", OrderType.LIMIT),
        "POST /v5/order/cancel",
        {**LINEAR, "orderLinkId": "bot1-tp-001"},
    ),
]


@asynccontextmanager
async def recorder(venue: str) -> AsyncIterator[tuple[Venue, dict[str, dict[str, str]]]]:
    """A server that keeps what it is asked, tells the time, and says nothing of use; and an account there."""
    asked: dict[str, dict[str, str]] = {}

    async def answer(request: web.Request) -> web.Response:
        now = time.time_ns() // 1_000_000
        if request.path.endswith("/time"):
            result = {"timeNano": str(now * 1_000_000)}
            return web.json_response({"serverTime": now, "retCode": 0, "result": result})
        text = await request.text() or request.query_string
        pairs = json.loads(text).items() if text.startswith("{") else parse_qsl(text)
        params = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in pairs}
        asked[f"{request.method} {request.path}"] = params
        if request.path.startswith("/v5/"):
            return web.json_response({"retCode": 0, "result": {"list": []}})
        return web.json_response([] if request.method == "GET" and not request.path.endswith("rder") else {})

    async with answering(answer) as at:
        known = VENUES[venue]
        made = known.account(at.http, at.ws, Secret("k"), Secret("s"), record=known.record, clock=SystemClock())
        try:
            yield made, asked
        finally:
            await made.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.venue}: {case.wish}")
async def test_a_request_is_ccxt_s_parameter_for_parameter(case: Case) -> None:
    async with recorder(case.venue) as (venue, asked):
        with contextlib.suppress(VenueError):  # the recorder says nothing of use
            await case.ask(venue)
    ours = {name: value for name, value in asked[case.sends].items() if name not in STAMPS}
    expected = {name: value for name, value in case.theirs.items() if name not in case.only_theirs}
    assert ours == {**expected, **case.only_ours, **case.chosen}


def test_what_is_said_to_differ_does_differ() -> None:
    for case in CASES:
        assert not set(case.only_ours) & set(case.theirs), case.wish
        assert case.only_theirs <= set(case.theirs), case.wish
        assert all(case.theirs[name] != value for name, value in case.chosen.items()), case.wish

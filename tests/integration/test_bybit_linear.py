"""The Bybit linear adapter over real sockets, against a server that says what the test wants it to say."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from answering_server import answering
from odd_clocks import GatedClock, SkewedClock
from simulated_venue import PLAN, SYMBOL, cid
from wished_orders import sent

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import Order, OrderType, Role
from trading_system.secret import Secret
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.execution_engine.reconcile import Outcome, Reconciler
from trading_system.venues.bybit_linear.account import HELD_BY_POSITION, WEEK_MS, BybitLinear
from trading_system.venues.bybit_linear.user_stream import PING_S
from trading_system.venues.clock import SystemClock
from trading_system.venues.errors import (
    NoSuchOrderError,
    NoSuchSymbolError,
    NothingToReduceError,
    NotTakenError,
    OutcomeUnknownError,
    RefusedError,
    StopPassedError,
    VenueError,
)
from trading_system.venues.port import (
    BYBIT_LINEAR,
    KnownStop,
    OrderChanged,
    OrderState,
    OrderStatus,
    Position,
    StreamCut,
    StreamUp,
    TradePoint,
    UserEvent,
    VenueFill,
    VenueOrder,
    answering_at_once,
)

KEY, SECRET = "canary-key", "canary-secret"
OTHER_TRADE = f"tm{PLAN[::-1]}"


ENTRY = sent("e", OrderType.LIMIT, 1, 0.00001234, 0.001, protection=0.00001)
STOP = sent("s", OrderType.STOP, -1, 95.5)


class Asked(NamedTuple):
    """One request as it came: ``GET /path`` or ``POST /path``, and its parameters."""

    what: str
    params: dict[str, Any]


def signed_text(request: web.Request, sent_text: str) -> str:
    stamp, window = request.headers["X-BAPI-TIMESTAMP"], request.headers["X-BAPI-RECV-WINDOW"]
    return f"{stamp}{KEY}{window}{sent_text}"


class Double:
    """A Bybit that checks signatures, keeps what was asked, and answers each path with what the test has put there.

    A result is answered in the venue's envelope; a ``web.Response`` as it is; None cuts the connection.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.says: dict[str, deque[Any]] = {}
        self.sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.refuses = ""

    def say(self, path: str, *results: Any) -> None:
        self.says.setdefault(path, deque()).extend(results)

    def of(self, path: str) -> list[dict[str, Any]]:
        return [asked.params for asked in self.asked if asked.what.endswith(path)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/v5/private":
            return await self.stream(request)
        text = await request.text() if request.method == "POST" else request.query_string
        if request.path == "/v5/market/time":
            return web.json_response(envelope({"timeNano": str(time.time_ns())}))
        if not request.path.startswith("/v5/market/"):
            assert request.headers["X-BAPI-API-KEY"] == KEY
            expected = hmac.new(SECRET.encode(), signed_text(request, text).encode(), hashlib.sha256).hexdigest()
            assert request.headers["X-BAPI-SIGN"] == expected
        params = json.loads(text) if request.method == "POST" else dict(request.query)
        self.asked.append(Asked(f"{request.method} {request.path}", params))
        waiting = self.says.get(request.path)
        result = waiting.popleft() if waiting else {"list": []}
        if result is None:
            request.transport.abort()  # type: ignore[union-attr]
            return web.Response()
        return result if isinstance(result, web.Response) else web.json_response(envelope(result))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            said = json.loads(message.data)
            if said["op"] == "auth":
                key, expires, signature = said["args"]
                text = f"GET/realtime{expires}"
                right = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
                assert (key, signature) == (KEY, right)
                assert expires > time.time() * 1000
            await self.heard.put(said)
            if said["op"] != "ping":
                no = said["op"] == self.refuses
                await socket.send_json({"success": not no, "ret_msg": "", "op": said["op"], "conn_id": "1"})
            if said["op"] == "subscribe" and not no:
                await self.sockets.put(socket)
        return socket


def envelope(result: Any, code: int = 0, message: str = "OK") -> dict[str, Any]:
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": 1}


def refusal(code: int, message: str, **headers: str) -> web.Response:
    return web.json_response(envelope({}, code, message), headers=headers)


@asynccontextmanager
async def at(double: Double, **options: Any) -> AsyncIterator[BybitLinear]:
    options = {"record": answering_at_once(BYBIT_LINEAR), **options}
    async with answering(double.answer) as server:
        adapter = BybitLinear(server.http, server.ws, Secret(KEY), Secret(SECRET), **options)
        try:
            yield adapter
        finally:
            await adapter.close()


async def place(adapter: BybitLinear, order: VenueOrder) -> str:
    return (await adapter.place(order, time.time_ns() // 1_000_000)).venue_id


def order_row(**changes: Any) -> dict[str, Any]:
    row = {"category": "linear", "symbol": SYMBOL, "orderId": "id-1", "orderLinkId": cid("e"), "orderStatus": "New"}
    return {**row, "cumExecQty": "0", "stopOrderType": "", "triggerPrice": "", "parentOrderLinkId": "", **changes}


def stop_row(price: str = "95.5", status: str = "Untriggered", **changes: Any) -> dict[str, Any]:
    row = {"orderId": "child-1", "orderLinkId": "", "stopOrderType": "StopLoss", "triggerPrice": price}
    return order_row(**{**row, "parentOrderLinkId": cid("e"), "orderStatus": status, **changes})


def trade_row(seq: int = 7, **changes: Any) -> dict[str, Any]:
    row = {"category": "linear", "symbol": SYMBOL, "orderId": "id-1", "orderLinkId": cid("e"), "execType": "Trade"}
    row |= {"execId": f"uuid-{seq}", "execPrice": "100.5", "execQty": "0.1", "execFee": "0.005", "execTime": "5"}
    return {**row, "isMaker": True, "seq": seq, "new": {"field": 1}, **changes}


FILLED = VenueFill("uuid-7", 7, cid("e"), SYMBOL, 5, 100.5, 0.1, 0.005, True)


# --- requests


async def test_orders_are_sent_once_in_their_exact_words(caplog: pytest.LogCaptureFixture) -> None:
    double = Double()
    double.say("/v5/order/create", None, *[{"orderId": f"id-{n}", "orderLinkId": ""} for n in range(3)])
    double.say("/v5/position/trading-stop", {})
    caplog.set_level(logging.DEBUG)
    async with at(double) as adapter:
        with pytest.raises(OutcomeUnknownError) as unknown:
            await place(adapter, ENTRY)
        orders = (
            sent("e", OrderType.MARKET, -1, quantity=2.0, protection=110.0),
            sent("1", OrderType.LIMIT, 1, 90.0, 0.5),
            sent("x", OrderType.MARKET, 1),
        )
        assert [await place(adapter, order) for order in orders] == ["id-0", "id-1", "id-2"]
        assert await place(adapter, STOP) == HELD_BY_POSITION
    common = {"category": "linear", "symbol": SYMBOL, "positionIdx": 0}
    stop = {"tpslMode": "Full", "slTriggerBy": "LastPrice", "slOrderType": "Market"}
    limit = {"orderType": "Limit", "timeInForce": "GTC"}
    buy, sell = {**common, "side": "Buy"}, {**common, "side": "Sell"}
    assert double.asked == [
        Asked(
            "POST /v5/order/create",
            {
                **buy,
                **limit,
                **stop,
                "qty": "0.001",
                "price": "0.00001234",
                "stopLoss": "0.00001",
                "orderLinkId": cid("e"),
            },
        ),
        Asked(
            "POST /v5/order/create",
            {**sell, **stop, "orderType": "Market", "qty": "2", "stopLoss": "110", "orderLinkId": cid("e")},
        ),
        Asked(
            "POST /v5/order/create",
            {**buy, **limit, "qty": "0.5", "price": "90", "reduceOnly": True, "orderLinkId": cid("1")},
        ),
        Asked(
            "POST /v5/order/create",
            {**buy, "orderType": "Market", "qty": "1", "reduceOnly": True, "orderLinkId": cid("x")},
        ),
        Asked("POST /v5/position/trading-stop", {**common, **stop, "stopLoss": "95.5"}),
    ]
    assert unknown.value.__cause__ is None
    assert "canary" not in caplog.text


async def test_the_instrument_is_made_of_filters_our_fees_and_the_lowest_risk_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trading_system.venues.bybit_linear.account.INSTRUMENTS_A_PAGE", 1)
    double = Double()

    def listed(symbol: str) -> dict[str, Any]:
        lot = {"qtyStep": "0.001", "minNotionalValue": "5", "minOrderQty": "0.001"}
        return {"symbol": symbol, "priceFilter": {"tickSize": "0.10"}, "lotSizeFilter": lot}

    double.say(
        "/v5/market/instruments-info",
        {"list": [listed("ETHUSDT")], "nextPageCursor": "a%3Ab"},
        {"list": [listed(SYMBOL)], "nextPageCursor": ""},
    )
    rates = {"takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}
    double.say("/v5/account/fee-rate", {"list": [{"symbol": "ETHUSDT", **rates}, {"symbol": SYMBOL, **rates}]})
    risk = {"symbol": SYMBOL, "initialMargin": "0.01", "maxLeverage": "100.00"}
    double.say(
        "/v5/market/risk-limit",
        {"list": [{**risk, "maintenanceMargin": "0.005", "isLowestRisk": 1}]},
        {"list": [{**risk, "symbol": "ETHUSDT", "initialMargin": "2", "maxLeverage": "50", "maintenanceMargin": "1"}]},
    )
    async with at(double) as adapter:
        (record,) = await adapter.instruments([SYMBOL])
        assert record == Instrument("bybit_linear", SYMBOL, Grid(1, 10), Grid(1, 1000), 5.0, 0.00055, 0.0002, 0.005)
        with pytest.raises(NoSuchSymbolError, match="NOSUCH"):
            await adapter.instruments(["NOSUCH"])
    assert [params.get("cursor") for params in double.of("instruments-info")][:2] == [None, "a:b"]


async def test_mode_leverage_margin_and_position_are_asked_for_and_what_is_so_already_is_fine() -> None:
    double = Double()
    flat = {"symbol": SYMBOL, "side": "", "size": "0", "avgPrice": "", "positionIdx": 0}
    short = {**flat, "side": "Sell", "size": "0.3", "avgPrice": "27464.5"}
    hedge = [{**flat, "positionIdx": 1}, {**flat, "positionIdx": 2}]
    double.say("/v5/position/list", {"list": [flat]}, {"list": hedge}, {"list": [flat]}, {"list": [short]})
    double.say("/v5/position/set-leverage", {}, refusal(110043, "Set leverage has not been modified"))
    double.say("/v5/account/set-margin-mode", refusal(110026, "Cross/isolated margin mode is not modified"))
    async with at(double) as adapter:
        assert await adapter.position_mode_is_one_way(SYMBOL)
        assert not await adapter.position_mode_is_one_way(SYMBOL)
        assert await adapter.position(SYMBOL) == Position(SYMBOL, 0.0, 0.0)
        assert await adapter.position(SYMBOL) == Position(SYMBOL, -0.3, 27464.5)
        await adapter.set_leverage(SYMBOL, 5)
        await adapter.set_leverage(SYMBOL, 5)
        await adapter.set_isolated_margin(SYMBOL)
    both = {"category": "linear", "symbol": SYMBOL, "buyLeverage": "5", "sellLeverage": "5"}
    assert double.of("set-leverage") == [both, both]
    assert double.of("set-margin-mode") == [{"setMarginMode": "ISOLATED_MARGIN"}]


async def test_an_order_is_looked_for_among_the_newest_and_then_in_the_history() -> None:
    double = Double()
    double.say("/v5/order/realtime", {"list": []}, {"list": []}, {"list": [order_row(orderStatus="PartiallyFilled")]})
    done = order_row(orderStatus="Cancelled", cumExecQty="0.4", cancelType="CancelByUser", avgPrice=None)
    double.say("/v5/order/history", {"list": []}, {"list": [done]})
    async with at(double) as adapter:
        assert await adapter.order(SYMBOL, cid("e"), OrderType.LIMIT) is None
        cancelled = OrderState(cid("e"), SYMBOL, "id-1", OrderStatus.CANCELLED, 0.4)
        assert await adapter.order(SYMBOL, cid("e"), OrderType.LIMIT) == cancelled
        state = await adapter.order(SYMBOL, cid("e"), OrderType.LIMIT)
        assert state is not None
        assert state.status == OrderStatus.NEW
    assert double.asked[0].params == {"category": "linear", "symbol": SYMBOL, "orderLinkId": cid("e")}


async def test_a_cancel_is_done_when_the_order_is_seen_cancelled() -> None:
    double = Double()
    double.say("/v5/order/cancel", {}, {}, refusal(110001, "order not exists or too late to cancel"))
    double.say("/v5/order/realtime", {"list": [order_row(orderStatus="Cancelled")]}, {"list": [order_row()]})
    async with at(double) as adapter:
        await adapter.cancel(SYMBOL, cid("e"), OrderType.LIMIT)
        with pytest.raises(OutcomeUnknownError, match="was new afterwards"):
            await adapter.cancel(SYMBOL, cid("e"), OrderType.LIMIT)
        with pytest.raises(NoSuchOrderError):
            await adapter.cancel(SYMBOL, cid("e"), OrderType.LIMIT)
        with pytest.raises(NoSuchOrderError, match="held by its position"):
            await adapter.cancel(SYMBOL, cid("s"), OrderType.STOP)
    assert double.of("order/cancel") == [{"category": "linear", "symbol": SYMBOL, "orderLinkId": cid("e")}] * 3


# --- what an answer says


@pytest.mark.parametrize(
    "answer",
    [
        web.Response,
        lambda: web.Response(status=504),
        lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        lambda: web.Response(text="not JSON"),
        lambda: web.json_response(envelope({"orderLinkId": "without its id"})),
        lambda: refusal(10016, "Internal system error."),
        lambda: refusal(110072, "OrderLinkedID is duplicate"),
    ],
)
async def test_an_answer_that_says_nothing_about_the_order_leaves_it_unknown(answer: Callable[[], Any]) -> None:
    double = Double()
    double.say("/v5/order/create", answer())
    async with at(double) as adapter:
        with pytest.raises(OutcomeUnknownError):
            await place(adapter, ENTRY)


@pytest.mark.parametrize(
    ("order", "answer", "error"),
    [
        (ENTRY, refusal(110007, "ab not enough for new order"), RefusedError),
        (
            STOP,
            refusal(10001, "StopLoss:9 set for Buy position should lower than base_price:8??LastPrice"),
            StopPassedError,
        ),
        (STOP, refusal(10001, "can not set tp/sl/ts for zero position"), NothingToReduceError),
        (sent("x", OrderType.MARKET, -1), refusal(110017, "current position is zero"), NothingToReduceError),
    ],
)
async def test_refusals_come_with_their_own_types(order: VenueOrder, answer: Any, error: type[Exception]) -> None:
    double = Double()
    double.say("/v5/order/create", answer)
    double.say("/v5/position/trading-stop", answer)
    async with at(double) as adapter:
        with pytest.raises(error) as refused:
            await place(adapter, order)
    assert type(refused.value) is error


async def test_a_stop_that_is_there_already_is_there() -> None:
    double = Double()
    double.say("/v5/position/trading-stop", refusal(34040, "not modified"))
    async with at(double) as adapter:
        assert await place(adapter, STOP) == HELD_BY_POSITION


async def test_an_address_that_came_too_often_sends_nothing_for_ten_minutes() -> None:
    double, clock = Double(), SkewedClock()
    double.say("/v5/position/list", web.Response(status=403, text="<html>access too frequent</html>"))
    async with at(double, clock=clock) as adapter:
        for _ in range(2):
            with pytest.raises(NotTakenError) as left_alone:
                await adapter.position(SYMBOL)
            assert 599 < left_alone.value.wait_s <= 600
        with pytest.raises(NotTakenError):
            await place(adapter, STOP)
        assert [asked.what for asked in double.asked] == ["GET /v5/position/list"]
        clock.skew_ms = 600_001
        await adapter.server_time_offset()
        assert await adapter.position(SYMBOL) == Position(SYMBOL, 0.0, 0.0)


async def test_a_path_that_was_asked_too_often_is_left_alone_until_the_venue_s_time_and_others_are_not() -> None:
    double = Double()
    until = {"X-Bapi-Limit-Reset-Timestamp": str(time.time_ns() // 1_000_000 + 5_000)}
    double.say("/v5/order/create", refusal(10006, "Too many visits!", **until))
    async with at(double) as adapter:
        for _ in range(2):
            with pytest.raises(NotTakenError) as left_alone:
                await place(adapter, ENTRY)
            assert 3 < left_alone.value.wait_s <= 5
        await place(adapter, STOP)
        assert [asked.what for asked in double.asked] == ["POST /v5/order/create", "POST /v5/position/trading-stop"]


async def test_a_wrong_clock_costs_an_order_one_refusal_and_a_read_nothing() -> None:
    double = Double()
    late = "invalid request, please check your server timestamp or recv_window param"
    double.say("/v5/order/create", refusal(10002, late), {"orderId": "id-1"})
    double.say("/v5/position/list", refusal(10002, late))
    async with at(double) as adapter:
        with pytest.raises(NotTakenError):
            await place(adapter, ENTRY)
        assert await place(adapter, ENTRY) == "id-1"
        assert (await adapter.position(SYMBOL)).quantity == 0.0


async def test_a_closed_adapter_sends_nothing() -> None:
    double = Double()
    async with at(double) as adapter:
        await adapter.close()
        with pytest.raises(VenueError, match="make a new one"):
            await adapter.position(SYMBOL)
        assert [event async for event in adapter.user_events()] == []
    assert double.asked == []


# --- the stop of a position


async def test_a_stop_is_found_by_its_price_and_what_it_replaced_is_gone() -> None:
    double = Double()
    later = sent("s", OrderType.STOP, -1, 100.5)._replace(client_id=cid("s", "01"))
    double.say("/v5/position/trading-stop", {}, {})
    async with at(double) as adapter:
        await place(adapter, STOP)
        double.say("/v5/order/realtime", *[{"list": [stop_row("95.50")]}] * 2)
        held = OrderState(cid("s"), SYMBOL, "child-1", OrderStatus.NEW)
        assert await adapter.order(SYMBOL, cid("s"), OrderType.STOP) == held
        assert await adapter.open_orders(SYMBOL) == [held]
        await place(adapter, later)
        double.say("/v5/order/realtime", {"list": [stop_row("100.50")]}, {"list": [stop_row("100.50")]})
        state = await adapter.order(SYMBOL, later.client_id, OrderType.STOP)
        assert (state and state.status) == OrderStatus.NEW
        before = await adapter.order(SYMBOL, cid("s"), OrderType.STOP)
        assert before == OrderState(cid("s"), SYMBOL, HELD_BY_POSITION, OrderStatus.CANCELLED)


async def test_a_stop_whose_setting_got_no_answer_is_not_found_before_it_is_seen_and_proves_nothing() -> None:
    double = Double()
    double.say("/v5/position/trading-stop", None)
    async with at(double) as adapter:
        with pytest.raises(OutcomeUnknownError):
            await place(adapter, STOP)
        double.say("/v5/order/realtime", {"list": [stop_row("90")]}, {"list": []})
        assert await adapter.order(SYMBOL, cid("s"), OrderType.STOP) is None
        double.say("/v5/order/realtime", {"list": [stop_row("95.5")]})
        state = await adapter.order(SYMBOL, cid("s"), OrderType.STOP)
        assert (state and state.status) == OrderStatus.NEW


@pytest.mark.parametrize(
    ("word", "status"),
    [("Filled", OrderStatus.FILLED), ("Triggered", OrderStatus.TRIGGERED), ("Deactivated", OrderStatus.CANCELLED)],
)
async def test_a_stop_that_has_ended_is_found_in_the_history(word: str, status: OrderStatus) -> None:
    double = Double()
    double.say("/v5/order/history", {"list": [stop_row("95.5", "Filled", parentOrderLinkId=f"{OTHER_TRADE}e00")]})
    double.say("/v5/order/history", {"list": [stop_row("95.5", word, cumExecQty="1")]})
    async with at(double, known_stops=lambda _: [KnownStop(cid("s"), 95.5, "")]) as adapter:
        assert await adapter.order(SYMBOL, cid("s"), OrderType.STOP) is None  # another trade's stop at that price
        state = await adapter.order(SYMBOL, cid("s"), OrderType.STOP)
        assert state == OrderState(cid("s"), SYMBOL, "child-1", status, 1.0)


async def test_an_entry_whose_answer_was_lost_is_found_and_its_position_gets_its_stop_once(tmp_path: Path) -> None:
    double = Double()
    double.say("/v5/order/create", None)
    double.say("/v5/order/realtime", {"list": [order_row(orderStatus="Filled", cumExecQty="2")]})
    async with at(double) as adapter:
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, adapter, answering_at_once(BYBIT_LINEAR), SystemClock())
        entry = Order(f"tm{PLAN}e", Role.ENTRY, OrderType.MARKET, 1, 0.0, 2.0, 1)
        assert await reconciler.reconcile(SYMBOL, [entry], 95.5) == Outcome(awaited=(cid("e"),))
        assert journal.fill(FILLED._replace(quantity=2.0))
        double.say("/v5/position/trading-stop", None)  # taken or not, nobody knows
        double.say("/v5/order/realtime", {"list": [stop_row()]})
        stop = Order(f"tm{PLAN}s", Role.STOP, OrderType.STOP, -1, 95.5, 2.0, 2)
        assert await reconciler.reconcile(SYMBOL, [stop], 95.5) == Outcome()
        assert [(order.client_id, order.state) for order in journal.orders_since(0)] == [
            (cid("e"), State.FILLED),
            (cid("s"), State.ACKED),
        ]
        journal.close()
    assert len(double.of("create")) == len(double.of("trading-stop")) == 1
    assert double.of("create")[0]["stopLoss"] == "95.5"


async def test_a_stop_is_moved_by_one_request_and_the_journal_ends_the_one_before_it(tmp_path: Path) -> None:
    double = Double()
    double.say("/v5/position/trading-stop", {}, {})
    async with at(double) as adapter:
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, adapter, answering_at_once(BYBIT_LINEAR), SystemClock())
        first = Order(f"tm{PLAN}s", Role.STOP, OrderType.STOP, -1, 95.5, 2.0, 2)
        assert await reconciler.reconcile(SYMBOL, [first]) == Outcome()
        moved = first._replace(price=100.5, quantity=1.0)
        double.say("/v5/order/realtime", {"list": [stop_row("100.5")]}, {"list": []})
        assert await reconciler.reconcile(SYMBOL, [moved]) == Outcome()
        assert [(order.price, order.state) for order in journal.orders_since(0)] == [
            (95.5, State.CANCELLED),
            (100.5, State.ACKED),
        ]
        journal.close()
    assert [params["stopLoss"] for params in double.of("trading-stop")] == ["95.5", "100.5"]


# --- trades


async def test_trades_are_read_newest_first_and_told_oldest_first_each_once() -> None:
    double = Double()
    funding = trade_row(11, execType="Funding", orderLinkId="")
    siblings = [trade_row(9, execId="b"), trade_row(9, execId="a")]
    double.say("/v5/execution/list", {"list": [trade_row(12), funding, *siblings, trade_row(8), trade_row(7)]})
    async with at(double) as adapter:
        fills = await adapter.fills(SYMBOL, TradePoint(8, 0))
    assert [(fill.number, fill.trade_id) for fill in fills] == [(8, "uuid-8"), (9, "a"), (9, "b"), (12, "uuid-12")]
    assert double.asked[0].params == {"category": "linear", "symbol": SYMBOL, "limit": "100"}


async def test_trades_of_longer_ago_than_a_week_are_asked_for_week_by_week() -> None:
    double = Double()
    now = time.time_ns() // 1_000_000
    double.say("/v5/execution/list", {"list": [trade_row(9)]}, {"list": [trade_row(8)]}, {"list": []})
    async with at(double) as adapter:
        fills = await adapter.fills(SYMBOL, TradePoint(5, now - 2 * WEEK_MS - 1_000_000))
    assert [fill.number for fill in fills] == [8, 9]
    spans = [(int(params["startTime"]), int(params["endTime"])) for params in double.of("execution/list")[1:]]
    assert [end - start for start, end in spans[:1]] == [WEEK_MS]
    assert spans[1][1] == spans[0][0]
    assert spans[-1][0] == now - 2 * WEEK_MS - 1_000_000


async def test_where_our_trades_stand_is_the_last_number_and_a_time_before_every_later_one() -> None:
    double = Double()
    double.say("/v5/execution/list", {"list": [trade_row(9)]}, {"list": []})
    async with at(double) as adapter:
        point, none = await adapter.newest_trade(SYMBOL), await adapter.newest_trade(SYMBOL)
    assert (point.number, none.number) == (9, 0)
    assert 50_000 < time.time() * 1000 - none.time < 70_000


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"orderLinkId": "web_1"}, "web_1"),
        ({"execType": "BustTrade", "orderLinkId": ""}, "autoclose-id-1"),
        ({"execType": "AdlTrade", "orderLinkId": ""}, "adl_autoclose"),
        ({"orderLinkId": "", "orderId": "child-1"}, cid("s")),
        ({"orderLinkId": "", "orderId": "elsewhere"}, "unknown-elsewhere"),
    ],
)
async def test_a_trade_has_the_name_of_the_order_that_was_sent(changes: dict[str, Any], name: str) -> None:
    double = Double()
    double.say("/v5/execution/list", {"list": [trade_row(**changes)]})
    if changes.get("orderId") == "child-1":
        double.say("/v5/order/realtime", {"list": []})
        double.say("/v5/order/history", {"list": [stop_row(status="Filled")]})
    async with at(double) as adapter:
        (fill,) = await adapter.fills(SYMBOL)
    assert fill.client_id == name


# --- the private stream


@asynccontextmanager
async def listening(double: Double, **options: Any) -> AsyncIterator[tuple[Any, AsyncIterator[UserEvent]]]:
    async with at(double, **options) as adapter, aclosing(adapter.user_events()) as events, asyncio.timeout(5):
        assert await anext(events) == StreamUp()
        yield adapter, events


def said(topic: str, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "topic": topic, "creationTime": 1, "data": list(rows)}


END = said("order", order_row(orderLinkId="end", orderStatus="Cancelled"))


async def heard(*frames: dict[str, Any], adapter_after: Callable[[Any], Any] | None = None) -> list[UserEvent]:
    """What the adapter says after ``frames``."""
    double, events_said = Double(), []
    async with listening(double) as (adapter, events):
        if adapter_after is not None:
            await adapter_after(adapter)
        socket = await double.sockets.get()
        for frame in (*frames, END):
            await socket.send_json(frame)
        async for event in events:
            if isinstance(event, OrderChanged) and event.client_id == "end":
                return events_said
            events_said.append(event)
    raise AssertionError("the stream ended")


async def test_the_stream_is_opened_by_a_signature_and_hears_orders_and_trades() -> None:
    double = Double()
    async with listening(double):
        asked = [await double.heard.get() for _ in range(3)]
    assert [one["op"] for one in asked] == ["auth", "subscribe", "ping"]
    assert asked[1]["args"] == ["order", "execution"]


async def test_trades_of_one_match_are_two_fills_and_each_is_said_once() -> None:
    rows = (trade_row(7, execId="a"), trade_row(7, execId="b"))
    fills = await heard(said("execution", *rows), said("execution", *rows))
    assert fills == [FILLED._replace(trade_id="a"), FILLED._replace(trade_id="b")]


async def test_other_categories_and_payments_are_not_ours_to_book() -> None:
    spot = trade_row(category="spot", execFee="0.1")
    funding = trade_row(execType="Funding", execQty="3")
    other = order_row(category="spot", orderStatus="PartiallyFilledCanceled")
    frames = (said("execution", spot, funding), said("order", other), said("wallet", {}), {"op": "pong", "args": ["1"]})
    assert await heard(*frames) == []


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("New", OrderStatus.NEW),
        ("Cancelled", OrderStatus.CANCELLED),
        ("Rejected", OrderStatus.REJECTED),
        ("Deactivated", OrderStatus.CANCELLED),
    ],
)
async def test_what_becomes_of_an_order_after_its_answer_is_said(word: str, status: OrderStatus) -> None:
    row = order_row(orderStatus=word, rejectReason="EC_NoError" if word != "Rejected" else "EC_NoEnoughQtyToFill")
    why = "EC_NoEnoughQtyToFill" if word == "Rejected" else ""
    assert await heard(said("order", row)) == [OrderChanged(cid("e"), SYMBOL, status, "id-1", why)]


async def test_how_much_of_an_order_had_executed_when_it_ended_is_said() -> None:
    row = order_row(orderStatus="Cancelled", cumExecQty="0.4")
    (event,) = await heard(said("order", row))
    assert event == OrderChanged(cid("e"), SYMBOL, OrderStatus.CANCELLED, "id-1", filled=0.4)


async def test_a_cancel_of_what_had_executed_in_part_is_not_called_done() -> None:
    double = Double()
    double.say("/v5/order/cancel", {})
    double.say("/v5/order/realtime", {"list": [order_row(orderStatus="Cancelled", cumExecQty="0.4")]})
    async with at(double) as adapter:
        with pytest.raises(OutcomeUnknownError, match=r"after 0\.4 of it had executed"):
            await adapter.cancel(SYMBOL, cid("e"), OrderType.LIMIT)


async def test_that_an_order_filled_its_trades_say() -> None:
    assert await heard(said("order", order_row(orderStatus="Filled"))) == []


async def test_the_stop_that_came_with_the_entry_has_the_name_of_the_trade_s_first_stop() -> None:
    born, fired = said("order", stop_row()), said("order", stop_row(status="Filled"))
    fill = said("execution", trade_row(orderLinkId="", orderId="child-1"))
    assert await heard(born, fired, fill) == [FILLED._replace(client_id=cid("s"))]


async def test_a_moved_stop_has_the_name_of_the_stop_at_its_price() -> None:
    async def move(adapter: BybitLinear) -> None:
        await place(adapter, STOP)
        await place(adapter, sent("s", OrderType.STOP, -1, 100.5)._replace(client_id=cid("s", "01")))

    moved = said("order", stop_row("100.5"))
    ended = said("order", stop_row("100.5", "Deactivated"))
    fill = said("execution", trade_row(orderLinkId="", orderId="child-1"))
    assert await heard(moved, fill, ended, adapter_after=move) == [
        OrderChanged(cid("s", "01"), SYMBOL, OrderStatus.NEW, "child-1"),
        FILLED._replace(client_id=cid("s", "01")),
        OrderChanged(cid("s", "01"), SYMBOL, OrderStatus.CANCELLED, "child-1"),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        json.dumps(said("execution", trade_row()))[:-7],
        json.dumps(said("execution", trade_row(execPrice="Infinity"))),
        json.dumps(said("execution", {"category": "linear"})),
        json.dumps(said("order", order_row(orderStatus="UnheardOf"))),
        json.dumps(said("order", stop_row("not a price"))),
        "[]",
        "\x00",
    ],
)
async def test_a_stream_that_cannot_be_trusted_is_cut_and_opened_again(frame: str) -> None:
    double = Double()
    async with listening(double) as (_, events):
        await (await double.sockets.get()).send_str(frame)
        assert isinstance(await anext(events), StreamCut)
        assert await anext(events) == StreamUp()
        await (await double.sockets.get()).send_json(said("execution", trade_row()))
        assert await anext(events) == FILLED


async def test_a_stream_that_answers_pings_is_kept_and_a_silent_one_is_opened_anew() -> None:
    double, clock = Double(), GatedClock(PING_S)
    async with listening(double, clock=clock) as (_, events):
        socket = await double.sockets.get()
        assert [(await double.heard.get())["op"] for _ in range(3)] == ["auth", "subscribe", "ping"]
        for seq in (7, 8):
            await socket.send_json({"op": "pong", "args": ["1"]})
            await socket.send_json(said("execution", trade_row(seq)))
            assert isinstance(await anext(events), VenueFill)
            clock.gate.release()
            assert (await double.heard.get())["op"] == "ping"
        clock.gate.release()
        assert isinstance(await anext(events), StreamCut)
        assert await anext(events) == StreamUp()


@pytest.mark.parametrize("op", ["auth", "subscribe"])
async def test_a_stream_that_is_refused_is_asked_for_again_until_it_opens(op: str) -> None:
    double = Double()
    double.refuses = op
    async with (
        at(double, clock=GatedClock(PING_S)) as adapter,
        aclosing(adapter.user_events()) as events,
        asyncio.timeout(5),
    ):
        opening = asyncio.ensure_future(anext(events))
        while (await double.heard.get())["op"] != op:
            pass
        assert (await double.heard.get())["op"] == "auth"  # the next attempt
        double.refuses = ""
        assert await opening == StreamUp()


@pytest.mark.shared
async def test_every_recorded_private_frame_is_read_or_ignored(shared_data: Path) -> None:
    paths = sorted((shared_data / "payloads/bybit/ws_private").glob("*.json"))
    frames = [json.loads(path.read_text()) for path in paths]
    events = await heard(*[frame for frame in frames if frame])
    fills = [event for event in events if isinstance(event, VenueFill)]
    assert all(fill.price > 0 and fill.quantity > 0 for fill in fills)
    assert len({(fill.symbol, fill.trade_id) for fill in fills}) == len(fills)
    shared_number = [fill for fill in fills if fill.number == 19371741293]
    assert [fill.quantity for fill in shared_number] == [1.0, 9.0]


async def test_connections_are_closed_with_the_adapter() -> None:
    async with at(Double()) as adapter:
        await adapter.position(SYMBOL)
        session = adapter._rest.session()
        await adapter.close()
        assert session.closed

"""The Binance USDT-M adapter over real sockets: against the local exchange, and against a server that misbehaves."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from answering_server import Handler, answering
from odd_clocks import GatedClock, SkewedClock
from simulated_venue import CALM, KEY, SECRET, SYMBOL, RawClient, cid, next_of, venue
from wished_orders import sent, wanted

from trading_system.rules.matching import OrderType
from trading_system.secret import Secret
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.execution_engine.reconcile import Outcome, Reconciler
from trading_system.simulator.faults import Fault, FaultKind
from trading_system.venues.binance_usdm import account
from trading_system.venues.binance_usdm.account import BinanceUsdm
from trading_system.venues.binance_usdm.user_stream import KEEP_ALIVE_S
from trading_system.venues.errors import (
    NoSuchOrderError,
    NothingToReduceError,
    NotTakenError,
    OutcomeUnknownError,
    RefusedError,
    StopPassedError,
    VenueError,
)
from trading_system.venues.port import (
    BINANCE_USDM,
    KnownStop,
    OrderChanged,
    OrderStatus,
    StreamCut,
    StreamUp,
    TradePoint,
    UserEvent,
    VenueFill,
    VenueOrder,
    answering_at_once,
)

FALL = (100.0, 100.5, 90.0, 91.0)


def adapter_of(client: RawClient, **options: Any) -> BinanceUsdm:
    return BinanceUsdm(
        client.at.http, client.at.ws, Secret(KEY), Secret(SECRET), record=answering_at_once(BINANCE_USDM), **options
    )


@asynccontextmanager
async def trading(
    *rows: Any, clock: SkewedClock | None = None, **options: Any
) -> AsyncIterator[tuple[Any, BinanceUsdm]]:
    async with venue(*rows, **options) as client:
        adapter = adapter_of(client, clock=clock or SkewedClock())
        try:
            yield client, adapter
        finally:
            await adapter.close()


async def place(adapter: BinanceUsdm, order: VenueOrder) -> str:
    return (await adapter.place(order, adapter._clock.wall_ms())).venue_id


async def test_an_order_is_placed_found_listed_and_cancelled_in_either_service() -> None:
    async with trading(CALM) as (_, adapter):
        for order in (sent("e", OrderType.LIMIT, 1, 90.0), sent("s", OrderType.STOP, -1, 80.0)):
            venue_id = await place(adapter, order)
            state = await adapter.order(SYMBOL, order.client_id, order.type)
            assert state is not None
            assert (state.client_id, state.venue_id, state.status) == (order.client_id, venue_id, OrderStatus.NEW)
            assert await adapter.open_orders(SYMBOL) == [state]
            await adapter.cancel(SYMBOL, order.client_id, order.type)
            assert await adapter.open_orders(SYMBOL) == []
            after = await adapter.order(SYMBOL, order.client_id, order.type)
            assert after is not None
            assert after.status == OrderStatus.CANCELLED
            with pytest.raises(NoSuchOrderError):
                await adapter.cancel(SYMBOL, order.client_id, order.type)


async def test_refusals_come_with_their_own_types_and_the_venue_s_words() -> None:
    async with trading(CALM) as (_, adapter):
        with pytest.raises(StopPassedError) as passed:
            await place(adapter, sent("s", OrderType.STOP, -1, 120.0))
        assert passed.value.code == -2021
        with pytest.raises(NothingToReduceError):
            await place(adapter, sent("x", OrderType.MARKET, -1))
        with pytest.raises(RefusedError) as margin:
            await place(adapter, sent("e", OrderType.MARKET, 1, quantity=1_000_000.0))
        assert margin.value.code == -2019


async def stopped_out(client: RawClient, adapter: BinanceUsdm) -> None:
    await place(adapter, sent("e", OrderType.MARKET, 1))
    await client.server.advance()
    await place(adapter, sent("s", OrderType.STOP, -1, 95.0))
    await client.server.advance()
    await client.server.advance()


async def test_fills_are_read_by_rest_under_the_names_that_were_sent_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(account, "TRADES_A_PAGE", 1)
    async with trading(CALM, FALL) as (client, adapter):
        await stopped_out(client, adapter)
        fills = await adapter.fills(SYMBOL)
        assert [fill.client_id for fill in fills] == [cid("e"), cid("s")]
        assert await adapter.fills(SYMBOL, TradePoint(fills[1].number, 0)) == fills[1:]
        assert (await adapter.newest_trade(SYMBOL)).number == fills[1].number


async def test_after_a_restart_the_journal_s_stops_name_the_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(CALM, FALL) as (client, adapter):
        await stopped_out(client, adapter)
        knowing = adapter_of(client, known_stops=lambda _: [KnownStop(cid("s", gen), 95.0, "") for gen in ("00", "07")])
        forgetful = adapter_of(client)
        try:
            assert [fill.client_id for fill in await knowing.fills(SYMBOL)] == [cid("e"), cid("s")]
            assert next(fill.client_id for fill in await forgetful.fills(SYMBOL)) == cid("e")
            assert cid("s") not in [fill.client_id for fill in await forgetful.fills(SYMBOL)]
        finally:
            await knowing.close()
            await forgetful.close()


async def test_a_triggered_stop_is_reported_as_filled() -> None:
    async with trading(CALM, FALL) as (client, adapter):
        await stopped_out(client, adapter)
        state = await adapter.order(SYMBOL, cid("s"), OrderType.STOP)
        assert state is not None
        assert (state.status, state.filled) == (OrderStatus.FILLED, 1.0)
        assert state.child_id not in ("", state.venue_id)


async def test_a_corrupted_signature_is_refused_and_the_stop_is_sent_under_a_new_name(tmp_path: Path) -> None:
    faults = (Fault(FaultKind.REFUSED_SIGNATURE, nth=1),)
    async with trading(CALM, faults=faults) as (_, adapter):
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, adapter, answering_at_once(BINANCE_USDM), SkewedClock())
        assert await reconciler.reconcile(SYMBOL, [wanted("s", OrderType.STOP, -1, 80.0, 1.0, 1)]) == Outcome()
        assert [(order.state, order.code) for order in journal.orders_since(0)] == [
            (State.REJECTED, -1022),
            (State.ACKED, 0),
        ]
        journal.close()


async def test_a_clock_that_jumps_costs_an_order_one_refusal_and_a_read_nothing() -> None:
    clock = SkewedClock()
    async with trading(CALM, clock=clock) as (_, adapter):
        await adapter.position(SYMBOL)
        clock.skew_ms = 60_000
        with pytest.raises(NotTakenError) as refused:
            await place(adapter, sent("e", OrderType.LIMIT, 1, 90.0))
        assert refused.value.code == -1021
        assert await adapter.order(SYMBOL, cid("e"), OrderType.LIMIT) is None
        await place(adapter, sent("e", OrderType.LIMIT, 1, 90.0))
        clock.skew_ms = -60_000
        assert len(await adapter.open_orders(SYMBOL)) == 1


async def test_a_cut_user_stream_says_so_and_the_lost_fill_is_read_by_rest() -> None:
    faults = (Fault(FaultKind.USER_CUT, nth=2),)
    async with trading(CALM, faults=faults) as (client, adapter):
        async with aclosing(adapter.user_events()) as events:
            assert await anext(events) == StreamUp()
            await place(adapter, sent("e", OrderType.MARKET, 1))
            await client.server.advance()
            assert await next_of(events, StreamCut)
            assert await next_of(events, StreamUp) == StreamUp()
        assert [fill.client_id for fill in await adapter.fills(SYMBOL)] == [cid("e")]


@asynccontextmanager
async def misbehaving(handler: Handler, **options: Any) -> AsyncIterator[BinanceUsdm]:
    """An exchange that tells the time, and for everything else does what ``handler`` says."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/fapi/v1/time":
            return web.json_response({"serverTime": time.time_ns() // 1_000_000})
        return await handler(request)

    async with answering(answer) as at:
        adapter = BinanceUsdm(at.http, at.ws, Secret("canary-key"), Secret("canary-secret"), **options)
        try:
            yield adapter
        finally:
            await adapter.close()


ENTRY = sent("e", OrderType.LIMIT, 1, 0.00001234, 0.001)


async def test_a_cancel_of_what_had_executed_in_part_is_not_called_done() -> None:
    async def cancelled(_: web.Request) -> web.Response:
        row = {"orderId": 7, "symbol": SYMBOL, "status": "CANCELED", "clientOrderId": cid("e"), "executedQty": "0.4"}
        return web.json_response(row)

    async with misbehaving(cancelled) as adapter:
        with pytest.raises(OutcomeUnknownError, match=r"after 0\.4 of it had executed"):
            await adapter.cancel(SYMBOL, cid("e"), OrderType.LIMIT)


async def test_an_order_is_sent_once_in_its_exact_words(caplog: pytest.LogCaptureFixture) -> None:
    bodies: list[str] = []

    async def never_answer(request: web.Request) -> web.Response:
        bodies.append(f"{request.method} {request.path} {await request.text()}")
        request.transport.abort()  # type: ignore[union-attr]
        return web.Response()

    caplog.set_level(logging.DEBUG)
    async with misbehaving(never_answer) as adapter:
        now = time.time_ns() // 1_000_000
        offset = await adapter.server_time_offset()
        with pytest.raises(OutcomeUnknownError) as unknown:
            await adapter.place(ENTRY, now)
        with pytest.raises(OutcomeUnknownError):
            await adapter.place(sent("s", OrderType.STOP, -1, 95.5), now)
    entry_body, stop_body = (body.partition("&signature=")[0] for body in bodies)
    stamp = f"recvWindow=3000&timestamp={now + offset}"
    assert entry_body == (
        "POST /fapi/v1/order symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=0.00001234&quantity=0.001"
        f"&newClientOrderId={cid('e')}&{stamp}"
    )
    assert stop_body == (
        "POST /fapi/v1/algoOrder symbol=BTCUSDT&side=SELL&algoType=CONDITIONAL&type=STOP_MARKET&quantity=1"
        f"&triggerPrice=95.5&workingType=CONTRACT_PRICE&reduceOnly=true&clientAlgoId={cid('s')}&{stamp}"
    )
    assert "signature" not in str(unknown.value)
    assert unknown.value.__cause__ is None
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, "Unknown error, please check your request or try again later."),
        (504, ""),
        (302, "elsewhere"),
        (200, "not JSON"),
        (200, '{"orderId":"one"}'),
        (400, '{"code":-1007,"msg":"Timeout waiting for response from backend server."}'),
    ],
)
async def test_an_answer_that_says_nothing_about_the_order_leaves_it_unknown(status: int, body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "http://127.0.0.1:1/"})

    async with misbehaving(answer) as adapter:
        with pytest.raises(OutcomeUnknownError):
            await place(adapter, ENTRY)


async def test_no_answer_in_time_leaves_the_order_unknown() -> None:
    gate = asyncio.Event()

    async def wait_for_ever(_: web.Request) -> web.Response:
        await gate.wait()
        return web.Response()

    async with misbehaving(wait_for_ever, timeout_s=0.05) as adapter:
        with pytest.raises(OutcomeUnknownError, match="was no answer in time"):
            await place(adapter, ENTRY)
        gate.set()


async def test_a_ban_says_how_long_it_lasts() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"code": -1003, "msg": "Too many requests."}, status=429, headers={"Retry-After": "9"})

    async with misbehaving(answer) as adapter:
        with pytest.raises(NotTakenError) as refused:
            await place(adapter, ENTRY)
    assert refused.value.wait_s == 9.0


async def test_a_closed_adapter_sends_nothing() -> None:
    async def answer(_: web.Request) -> web.Response:
        raise AssertionError("nothing should arrive")

    async with misbehaving(answer) as adapter:
        await adapter.close()
        with pytest.raises(VenueError, match="make a new one"):
            await adapter.position(SYMBOL)
        assert [event async for event in adapter.user_events()] == []


class Streaming:
    """A server of the user stream: gives keys, and sends what the test writes into the socket that opened last."""

    def __init__(self) -> None:
        self.keys = 0
        self.kept_alive = asyncio.Event()
        self.keep_alive_status = 200
        self.sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.path.startswith("/private") or request.headers["X-MBX-APIKEY"] == "canary-key"
        if request.path == "/fapi/v1/listenKey":
            if request.method == "PUT":
                self.kept_alive.set()
                body = {"code": -1125, "msg": "This listenKey does not exist."} if self.keep_alive_status != 200 else {}
                return web.json_response(body, status=self.keep_alive_status)
            self.keys += 1
            return web.json_response({"listenKey": f"key{self.keys}"})
        if request.path == "/private/ws":
            assert request.query["listenKey"] == f"key{self.keys}"
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await self.sockets.put(socket)
            async for _ in socket:
                pass
            return socket
        return web.json_response({"code": -2013, "msg": "Order does not exist."}, status=400)


TRADE = {
    "s": SYMBOL,
    "c": cid("e"),
    "x": "TRADE",
    "X": "FILLED",
    "i": 7,
    "l": "0.1",
    "L": "100.5",
    "n": "0.005",
    "N": "USDT",
    "T": 5,
    "t": 70,
    "m": True,
    "new": {"field": 1},
}
FILLED = VenueFill("70", 70, cid("e"), SYMBOL, 5, 100.5, 0.1, 0.005, True)


def update(**changes: Any) -> dict[str, Any]:
    return {"e": "ORDER_TRADE_UPDATE", "E": "6", "T": 5, "o": {**TRADE, **changes}}


def algo(**changes: Any) -> dict[str, Any]:
    facts = {"caid": cid("s"), "aid": 9, "s": SYMBOL, "X": "NEW", "ai": "", "aq": "0"}
    return {"e": "ALGO_UPDATE", "E": 6, "T": 5, "o": {**facts, **changes}}


async def heard(*frames: dict[str, Any]) -> list[UserEvent]:
    """Return what the stream says of ``frames``."""
    server = Streaming()
    end = OrderChanged("end", SYMBOL, OrderStatus.NEW, "1")
    async with misbehaving(server.answer) as adapter, aclosing(adapter.user_events()) as events, asyncio.timeout(5):
        assert await anext(events) == StreamUp()
        socket = await server.sockets.get()
        for frame in (*frames, algo(caid="end", aid=1)):
            await socket.send_json(frame)
        said = []
        while (event := await anext(events)) != end:
            said.append(event)
        return said


async def test_a_trade_is_said_once_however_often_the_stream_repeats_it() -> None:
    lite = {"e": "TRADE_LITE", "s": SYMBOL, "c": cid("e"), "l": "0.1", "L": "100.5", "t": 70, "i": 7}
    wrapped = {"stream": "key1", "data": update()}
    assert await heard(lite, update(), update(), wrapped, {"e": "ACCOUNT_UPDATE", "a": {}}) == [FILLED]


async def test_the_fill_of_a_triggered_stop_is_joined_by_the_id_that_the_stop_reports() -> None:
    frames = [
        algo(),
        algo(X="TRIGGERING"),
        algo(X="TRIGGERED", ai="88"),
        update(c="venue-made", i=88, x="NEW", X="NEW", t=0, l="0"),
        update(c="venue-made", i=88),
        algo(X="FINISHED", ai="88", aq="0.1"),
    ]
    said = await heard(*frames)
    statuses = [event.status for event in said if isinstance(event, OrderChanged)]
    assert statuses == [OrderStatus.NEW, OrderStatus.TRIGGERED, OrderStatus.TRIGGERED, OrderStatus.FILLED]
    assert [event for event in said if isinstance(event, VenueFill)] == [FILLED._replace(client_id=cid("s"))]


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (update(x="CANCELED", X="CANCELED", t=0, l="0"), OrderStatus.CANCELLED),
        (update(x="EXPIRED", X="EXPIRED", t=0, l="0"), OrderStatus.EXPIRED),
        (update(x="NEW", X="NEW", t=0, l="0"), OrderStatus.NEW),
        (algo(X="CANCELED"), OrderStatus.CANCELLED),
        (algo(X="EXPIRED"), OrderStatus.EXPIRED),
        (algo(X="REJECTED"), OrderStatus.REJECTED),
        (algo(X="FINISHED", ai="88", aq="0"), OrderStatus.CANCELLED),
    ],
)
async def test_every_other_change_of_an_order_is_said(frame: dict[str, Any], status: OrderStatus) -> None:
    (event,) = await heard(frame)
    assert isinstance(event, OrderChanged)
    assert event.status == status


async def test_a_liquidation_keeps_the_exchange_s_own_name() -> None:
    begun = update(c="autoclose-1", x="CALCULATED", X="NEW", t=0, l="0", n=None)
    done = update(c="autoclose-1", x="CALCULATED")
    assert await heard(begun, done) == [FILLED._replace(client_id="autoclose-1")]


@pytest.mark.parametrize(
    "frame",
    [
        '{"e":"listenKeyExpired","E":"1736996475556","listenKey":"key1"}',
        json.dumps(update())[:-7],
        json.dumps(update(L="Infinity")),
        json.dumps(update(n=None)),
        json.dumps(update(x="NEW", X="UNHEARD_OF", l="0")),
        '{"e":"ORDER_TRADE_UPDATE","o":{}}',
        "[]",
        "\x00",
    ],
)
async def test_a_stream_that_cannot_be_trusted_is_cut_and_opened_with_a_new_key(frame: str) -> None:
    server = Streaming()
    async with misbehaving(server.answer) as adapter, aclosing(adapter.user_events()) as events, asyncio.timeout(5):
        assert await anext(events) == StreamUp()
        await (await server.sockets.get()).send_str(frame)
        assert isinstance(await anext(events), StreamCut)
        assert await anext(events) == StreamUp()
        assert server.keys == 2
        await (await server.sockets.get()).send_json(update())
        assert await anext(events) == FILLED


async def test_the_key_is_kept_alive_and_a_lost_key_is_replaced() -> None:
    server, clock = Streaming(), GatedClock(KEEP_ALIVE_S)
    async with (
        misbehaving(server.answer, clock=clock) as adapter,
        aclosing(adapter.user_events()) as events,
        asyncio.timeout(5),
    ):
        assert await anext(events) == StreamUp()
        following = asyncio.ensure_future(anext(events))
        clock.gate.release()
        await server.kept_alive.wait()
        assert not following.done()
        server.keep_alive_status = 400
        clock.gate.release()
        assert isinstance(await following, StreamCut)
        assert await anext(events) == StreamUp()
        assert server.keys == 2


async def test_the_stream_is_opened_again_and_again_until_it_opens() -> None:
    server = Streaming()
    failures = [3]

    async def not_yet(request: web.Request) -> web.StreamResponse:
        if failures[0]:
            failures[0] -= 1
            return web.Response(status=503)
        return await server.answer(request)

    async with (
        misbehaving(not_yet, clock=GatedClock(KEEP_ALIVE_S)) as adapter,
        aclosing(adapter.user_events()) as events,
    ):
        async with asyncio.timeout(5):
            assert await anext(events) == StreamUp()
    assert failures == [0]


@pytest.mark.shared
async def test_every_recorded_user_frame_is_read_or_ignored(shared_data: Path) -> None:
    paths = sorted((shared_data / "payloads/binance_futures/ws_private").glob("*.json"))
    # an expired key and a delivery, which comes without its fee, end the stream; see the test above
    ends = ("listenKeyExpired", "delivery")
    frames = [json.loads(path.read_text()) for path in paths if not any(word in path.name for word in ends)]
    assert frames
    said = await heard(*frames)
    fills = [event for event in said if isinstance(event, VenueFill)]
    assert all(fill.price > 0 and fill.quantity > 0 for fill in fills)
    assert len({(fill.symbol, fill.trade_id) for fill in fills}) == len(fills)
    assert any(fill.fee < 0 for fill in fills)  # a maker's rebate


async def test_connections_are_closed_with_the_adapter() -> None:
    async with trading(CALM) as (_, adapter):
        await adapter.position(SYMBOL)
        session = adapter._session
        await adapter.close()
        assert isinstance(session, aiohttp.ClientSession)
        assert session.closed

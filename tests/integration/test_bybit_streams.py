"""What goes over the sockets of the simulated Bybit: acknowledgements, candles, tickers, and the private topics."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from bybit_venue import LINEAR, bybit, control, frames, signature
from simulated_venue import CALM, KEY, START, SYMBOL, cid, frame

from trading_system.simulator.bybit_linear import streams
from trading_system.simulator.bybit_linear.wire import BybitWire
from trading_system.simulator.faults import Fault, FaultKind
from trading_system.simulator.wire_port import UserFrame

FLAT = (100.0, 100.0, 100.0, 100.0)
FALL = (100.0, 100.0, 90.0, 92.0)
KLINE, TICKER = f"kline.1.{SYMBOL}", f"tickers.{SYMBOL}"


# --- public


async def test_a_closed_candle_follows_a_running_one() -> None:
    async with bybit((100.0, 102.0, 98.0, 101.5), CALM) as client:
        ws = await client.market(KLINE)
        await client.server.advance()
        running, closed = await frame(ws), await frame(ws)
        assert (running["topic"], running["type"]) == (KLINE, "snapshot")
        assert (running["data"][0]["confirm"], running["data"][0]["close"]) == (False, "102")
        close = (START + 1) * 60_000
        assert closed["ts"] == close
        assert closed["data"] == [
            {
                "start": close - 60_000,
                "end": close - 1,
                "interval": "1",
                "open": "100",
                "close": "101.5",
                "high": "102",
                "low": "98",
                "volume": "2.5",
                "turnover": "253.75000000",
                "confirm": True,
                "timestamp": close,
            }
        ]


async def test_a_ticker_follows_each_close() -> None:
    async with bybit((100.0, 102.0, 98.0, 101.5), CALM) as client:
        ws = await client.market(TICKER)
        await client.server.advance()
        said = await frame(ws)
        assert (said["topic"], said["data"]["lastPrice"], said["data"]["markPrice"]) == (TICKER, "101.5", "101.5")


async def test_acknowledgements_name_their_request_and_unknown_keys_are_ignored() -> None:
    async with bybit(CALM, CALM) as client:
        ws = await client.market()
        told = await control(ws, "subscribe", KLINE, req_id=7, callerMethodName="watchOHLCV")
        assert (told["success"], told["ret_msg"], told["op"], told["req_id"]) == (True, "", "subscribe", "7")
        assert told["conn_id"]
        assert (await control(ws, "subscribe", KLINE))["success"]  # twice is once
        await client.server.advance()
        assert [await frame(ws) for _ in range(2)]
        pong = await control(ws, "ping", req_id="p")
        assert (pong["success"], pong["ret_msg"], pong["op"], pong["req_id"]) == (True, "pong", "ping", "p")
        assert (await control(ws, "unsubscribe", KLINE))["success"]
        await client.server.advance()
        assert (await control(ws, "ping"))["op"] == "ping"  # and no candle before it


@pytest.mark.parametrize(
    "topics",
    [["kline.1.NOPE"], ["kline.7.BTCUSDT"], ["kline.1.BTCUSDT", "nonsense"], [7], ["tickers."], ["system.status"]],
)
async def test_one_topic_that_cannot_be_heard_spoils_its_request(topics: list[Any]) -> None:
    async with bybit(CALM, CALM) as client:
        ws = await client.market()
        told = await control(ws, "subscribe", *topics, req_id="1")
        assert (told["success"], told["op"], told["req_id"]) == (False, "subscribe", "1")
        assert told["ret_msg"]
        await client.server.advance()
        assert (await control(ws, "ping"))["op"] == "ping"


@pytest.mark.parametrize("message", ["nonsense", "[]", "{}", '{"op":"fly"}', '{"op":"subscribe","args":"all"}'])
async def test_a_control_message_that_makes_no_sense_is_refused(message: str) -> None:
    async with bybit(CALM) as client:
        for ws in (await client.market(), await client.private()):
            await ws.send_str(message)
            assert (await frame(ws))["success"] is False


async def test_the_topics_of_a_connection_have_a_longest_length() -> None:
    symbols = tuple(f"S{number:09d}USDT" for number in range(1_000))
    async with bybit(CALM, symbols=symbols) as client:
        ws = await client.market()
        topics = [f"kline.1.{symbol}" for symbol in symbols]  # 22 characters each
        assert not (await control(ws, "subscribe", *topics))["success"]
        assert (await control(ws, "subscribe", *topics[:954]))["success"]
        assert not (await control(ws, "subscribe", topics[954]))["success"]


async def test_the_spot_address_has_its_own_words_and_no_contract() -> None:
    async with bybit(CALM) as client:
        ws = await client.market(path="/v5/public/spot")
        assert "Invalid symbol" in (await control(ws, "subscribe", KLINE))["ret_msg"]
    async with bybit(CALM, CALM, venue="bybit") as client:
        ws = await client.market(path="/v5/public/spot")
        told = await control(ws, "subscribe", KLINE)
        assert (told["success"], told["ret_msg"]) == (True, "subscribe")
        assert "args size" in (await control(ws, "subscribe", *[KLINE] * 11))["ret_msg"]
        await client.server.advance()
        assert (await frame(ws))["topic"] == KLINE
        assert (await client.session.get(f"{client.at.http}/v5/private")).status == 404


@pytest.mark.parametrize("path", ["/v5/public/moon", "/v5/public/", "/v5/nothing", "/ws"])
async def test_addresses_that_do_not_exist_are_not_opened(path: str) -> None:
    async with bybit(CALM) as client:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        async with client.session.get(client.at.http + path, headers=headers) as answer:
            assert answer.status == 404


async def test_only_the_status_address_hears_of_a_shutdown() -> None:
    faults = (Fault(FaultKind.SHUTDOWN, at_step=START + 1, steps=1),)
    async with bybit(CALM, CALM, CALM, faults=faults) as client:
        status = await client.market("system.status", path="/v5/public/misc/status")
        market = await client.market(KLINE)
        await client.server.advance()
        said = await frame(status)
        assert (said["topic"], said["data"][0]["state"]) == ("system.status", "scheduled")
        assert [(await frame(market))["topic"] for _ in range(2)] == [KLINE, KLINE]
        await client.server.advance()
        assert [(await frame(market))["topic"] for _ in range(2)] == [KLINE, KLINE]
        assert (await market.receive(timeout=5)).data is None


async def test_a_connection_on_which_nothing_is_said_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "IDLE_S", 0.05)
    async with bybit(CALM) as client:
        for ws in (await client.market(), await client.private()):
            assert (await ws.receive(timeout=5)).data == 1000


@pytest.mark.parametrize(
    ("kind", "confirmed"),
    [
        (FaultKind.DUPLICATED_CLOSE, [1, 1, 2]),
        (FaultKind.MISSING_CLOSE, [2]),
        (FaultKind.UNCLOSED_ONLY, [2]),
        (FaultKind.LATE_CLOSE, [1, 2]),
        (FaultKind.SWAPPED_CLOSE, [2, 1]),
    ],
)
async def test_a_close_goes_wrong_as_it_is_scripted(kind: FaultKind, confirmed: list[int]) -> None:
    async with bybit(CALM, CALM, faults=(Fault(kind, at_step=START + 1),)) as client:
        ws = await client.market(KLINE)
        await client.server.advance()
        await client.server.advance()
        await ws.send_json({"op": "ping"})
        closed = []
        while (said := await frame(ws)).get("op") != "ping":
            (candle,) = said["data"]
            if candle["confirm"]:
                closed.append(candle["start"] // 60_000 + 1 - START)
        assert closed == confirmed


async def test_a_damaged_close_is_no_json() -> None:
    async with bybit(CALM, faults=(Fault(FaultKind.CORRUPTED_FRAME, at_step=START + 1),)) as client:
        ws = await client.market(KLINE)
        await client.server.advance()
        await frame(ws)
        with pytest.raises(json.JSONDecodeError):
            await frame(ws)


async def test_a_silent_connection_acknowledges_and_brings_nothing() -> None:
    faults = (Fault(FaultKind.SILENT_SUBSCRIPTION, at_step=START + 1),)
    async with bybit(CALM, CALM, CALM, faults=faults) as client:
        await client.server.advance()
        ws = await client.market(KLINE)
        await client.server.advance()
        assert (await control(ws, "ping"))["op"] == "ping"


# --- private


@pytest.mark.parametrize("wrong", ["key", "expiry", "signature", "nothing"])
async def test_the_private_socket_opens_only_to_a_fresh_signature(wrong: str) -> None:
    async with bybit(CALM) as client:
        ws = await client.session.ws_connect(f"{client.at.ws}/v5/private")
        told = await control(ws, "subscribe", "order")
        assert (told["success"], told["ret_msg"]) == (False, "Request not authorized")
        expires = int(time.time() * 1000) + (-1 if wrong == "expiry" else 10_000)
        args = ["other" if wrong == "key" else KEY, expires, signature(f"GET/realtime{expires}")]
        if wrong == "signature":
            args[2] = "0" * 64
        told = await control(ws, "auth", *([] if wrong == "nothing" else args))
        assert (told["op"], told["success"]) == ("auth", False)
        assert client.server.state()["user_sockets"] == 0


async def test_private_topics_are_known_in_two_forms_that_do_not_mix() -> None:
    async with bybit(FLAT, CALM) as client:
        ws = await client.private()
        assert client.server.state()["user_sockets"] == 1
        assert not (await control(ws, "subscribe", "order", "wallet.linear"))["success"]
        assert not (await control(ws, "subscribe", "greeks"))["success"]
        assert (await control(ws, "subscribe", "order.linear", "execution.fast.linear"))["success"]
        pong = await control(ws, "ping", req_id="1")
        assert (pong["op"], len(pong["args"]), pong["req_id"]) == ("pong", 1, "1")
        await client.order("Buy")
        await client.server.advance()
        assert [topic for topic, _ in await frames(ws, 3)] == ["order", "order", "execution.fast"]


async def test_a_trade_is_told_on_all_topics_in_its_order() -> None:
    async with bybit(FLAT, FALL, CALM) as client:
        ws = await client.private("order", "execution", "position", "wallet")
        await client.order("Buy", stopLoss="95")
        told = await frames(ws, 2)
        assert [topic for topic, _ in told] == ["order", "position"]  # said at every order, though nothing changed
        assert (told[0][1]["orderStatus"], told[0][1]["stopLoss"]) == ("New", "95")
        await client.server.advance()
        told = await frames(ws, 6)
        assert [topic for topic, _ in told] == ["order", "position", "position", "wallet", "order", "execution"]
        stop, position, entry, trade = told[0][1], told[2][1], told[4][1], told[5][1]
        assert (stop["orderStatus"], stop["parentOrderLinkId"]) == ("Untriggered", cid("e"))
        assert (position["side"], position["size"], position["stopLoss"]) == ("Buy", "1", "95")
        assert (entry["orderStatus"], entry["cumExecQty"], entry["cumExecFee"]) == ("Filled", "1", "0.05005000")
        assert (trade["execPrice"], trade["seq"], trade["orderId"]) == ("100.1", 1, entry["orderId"])
        await client.server.advance(START + 2)
        told = [each for each in await frames(ws, 6) if each[0] in {"order", "execution"}]
        assert [row.get("orderStatus", row.get("execType")) for _, row in told] == ["Triggered", "Filled", "Trade"]
        assert {row["orderId"] for _, row in told} == {stop["orderId"]}
        assert told[-1][1]["closedSize"] == "1"


async def test_an_order_is_answered_before_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, send = asyncio.Event(), BybitWire.send_event

    async def send_later(wire: BybitWire, event: UserFrame) -> None:
        await answered.wait()
        await send(wire, event)

    monkeypatch.setattr(BybitWire, "send_event", send_later)
    async with bybit(CALM) as client:
        ws = await client.private("order")
        async with asyncio.timeout(5):
            assert (await client.order("Buy", "Limit", price="97")).code == 0
        assert not client.server.quiet()["quiet"]
        answered.set()
        assert (await frame(ws))["data"][0]["orderStatus"] == "New"


async def test_a_rejection_comes_after_the_acknowledgement() -> None:
    async with bybit(CALM, faults=(Fault(FaultKind.REJECTED_ORDER, nth=1),)) as client:
        ws = await client.private("order")
        assert (await client.order("Buy")).code == 0
        ((_, row),) = await frames(ws, 1)
        assert (row["orderStatus"], row["rejectReason"], row["orderLinkId"]) == ("Rejected", "EC_Others", cid("e"))


async def test_a_stop_that_is_passed_when_the_entry_fills_is_told_as_rejected() -> None:
    async with bybit((90.0, 90.0, 90.0, 90.0), CALM) as client:
        ws = await client.private("order")
        await client.order("Buy", stopLoss="95")
        await client.server.advance()
        told = [row for _, row in await frames(ws, 3)]
        assert [(row["stopOrderType"], row["orderStatus"]) for row in told] == [
            ("", "New"),
            ("StopLoss", "Rejected"),
            ("", "Filled"),
        ]
        assert await client.open_orders() == []


async def test_a_funding_is_told_as_an_execution() -> None:
    due = (START + 1) * 60_000
    async with bybit(FLAT, CALM, funding={SYMBOL: {due: 0.001}}) as client:
        ws = await client.private("execution", "wallet")
        await client.order("Buy")
        await client.server.advance()
        await client.server.advance(START + 1)
        told = await frames(ws, 4)
        assert [topic for topic, _ in told] == ["wallet", "execution", "execution", "wallet"]
        assert (told[2][1]["execType"], told[2][1]["execFee"]) == ("Funding", "0.10000000")
        assert told[3][1]["coin"][0]["walletBalance"] == "9999.84995000"


async def test_changes_and_cancels_are_told() -> None:
    async with bybit(CALM) as client:
        ws = await client.private("order")
        await client.order("Buy", "Limit", price="97")
        await client.post("/v5/order/amend", **LINEAR, orderLinkId=cid("e"), price="96")
        await client.post("/v5/order/cancel", **LINEAR, orderLinkId=cid("e"))
        told = [(row["orderStatus"], row["price"], row["cancelType"]) for _, row in await frames(ws, 3)]
        assert told == [
            ("New", "97", "UNKNOWN"),
            ("New", "96", "UNKNOWN"),
            ("Cancelled", "96", "CancelByUser"),
        ]


async def test_the_private_socket_can_be_cut_and_opened_again() -> None:
    faults = (Fault(FaultKind.USER_CUT, nth=1),)
    async with bybit(FLAT, CALM, faults=faults) as client:
        ws = await client.private("order")
        await client.order("Buy")
        assert (await ws.receive(timeout=5)).data is None
        ws = await client.private("order", "execution")
        await client.server.advance()
        assert [topic for topic, _ in await frames(ws, 2)] == ["order", "execution"]
        assert client.server.wire["user_events"] == 2

"""Each fault of the simulated venue: it happens once, at its place, is counted, and leaves the market right."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from simulated_venue import CALM, START, RawClient, cid, frame, venue

from trading_system.simulator.faults import Fault, FaultError, FaultKind, FaultScript, read_faults
from trading_system.simulator.server import _is_loopback

MINUTES = ((100.0, 101.0, 99.0, 100.5), (100.5, 102.0, 100.0, 101.0), CALM)


async def closes(ws: aiohttp.ClientWebSocketResponse, count: int) -> list[int]:
    """Return which minutes the next closed candles speak of, as steps from START."""
    said: list[int] = []
    while len(said) < count:
        candle = (await frame(ws))["k"]
        if candle["x"]:
            said.append(candle["t"] // 60_000 + 1 - START)
    return said


async def closes_under(*faults: Fault, count: int) -> list[int]:
    async with venue(*MINUTES, faults=faults) as client:
        ws = await client.market_stream()
        await client.server.advance(START + 3)
        said = await closes(ws, count)
        assert dict(client.server.faults.fired) == {fault.kind.value: 1 for fault in faults}
        assert not client.server.faults.waiting
        _, rows = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=4)
        assert [row[4] for row in rows] == ["100.5", "101", "100", "100"]
        return said


async def test_without_faults_each_minute_closes_once() -> None:
    assert await closes_under(count=3) == [1, 2, 3]


async def test_a_close_can_come_twice() -> None:
    assert await closes_under(Fault(FaultKind.DUPLICATED_CLOSE, at_step=START + 2), count=4) == [1, 2, 2, 3]


async def test_a_close_can_be_missing() -> None:
    assert await closes_under(Fault(FaultKind.MISSING_CLOSE, START + 2, "BTCUSDT"), count=2) == [1, 3]


async def test_a_close_can_come_with_the_next_steps_frames() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.LATE_CLOSE, at_step=START + 2),)) as client:
        ws = await client.market_stream()
        await client.server.advance()
        await client.server.advance()
        assert client.server.wire["frames"] == 3
        await client.server.advance()
        assert await closes(ws, 3) == [1, 2, 3]


async def test_a_late_close_does_not_slip_out_with_another_symbol_of_its_own_step() -> None:
    fault = Fault(FaultKind.LATE_CLOSE, START + 1, "BTCUSDT")
    async with venue(*MINUTES, faults=(fault,), symbols=("BTCUSDT", "ETHUSDT")) as client:
        await client.market_stream("/market/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m")
        await client.server.advance()
        assert client.server.wire["frames"] == 3


async def test_a_frame_can_be_damaged_while_rest_stays_right() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.CORRUPTED_FRAME, at_step=START + 1),)) as client:
        ws = await client.market_stream()
        await client.server.advance()
        assert (await frame(ws))["k"]["x"] is False
        with pytest.raises(ValueError, match=r"control character|Expecting|delimiter|Unterminated"):
            await frame(ws)
        _, rows = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=2)
        assert rows[0][4] == "100.5"


async def test_the_market_stream_can_be_cut_without_a_word() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.CUT, at_step=START + 1),)) as client:
        ws = await client.market_stream()
        await client.server.advance()
        while not (message := await ws.receive()).type.name.startswith("CLOS"):
            pass
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}
        again = await client.market_stream()
        await client.server.advance()
        assert await closes(again, 1) == [2]


async def test_the_user_stream_can_be_cut_in_front_of_an_event() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.USER_CUT, nth=3),)) as client:
        ws = await client.user_stream()
        await client.order("BUY", "MARKET")
        await client.server.advance()
        kinds = []
        while (message := await ws.receive()).type == aiohttp.WSMsgType.TEXT:
            kinds.append(message.json()["e"])
        assert len(kinds) <= 2
        assert client.server.state()["user_sockets"] == 0
        again = await client.user_stream()
        assert client.server.state()["user_sockets"] == 1
        _, (trade,) = await client.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
        assert trade["id"] == 1
        await client.stop("SELL", "95")
        assert (await frame(again))["e"] == "ALGO_UPDATE"


async def test_the_user_stream_can_be_cut_after_a_step() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.USER_CUT, at_step=START + 1),)) as client:
        await client.user_stream()
        await client.server.advance()
        assert client.server.state()["user_sockets"] == 0


async def lost_answer(client: RawClient) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.order("BUY", "LIMIT", price="90")


async def test_an_order_can_be_accepted_and_its_answer_lost() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.LOST_ANSWER, nth=2),)) as client:
        ws = await client.user_stream()
        await client.order("BUY", "LIMIT", newClientOrderId="first", price="91")
        await lost_answer(client)
        named = {"symbol": "BTCUSDT", "origClientOrderId": cid("e")}
        _, found = await client.signed("GET", "/fapi/v1/order", **named)
        assert (found["status"], found["price"]) == ("NEW", "90")
        assert [(await frame(ws))["o"]["c"] for _ in range(2)] == ["first", cid("e")]
        assert (await client.order("BUY", "LIMIT", newClientOrderId="third", price="92"))[0] == 200
        assert client.server.faults.fired == {"lost_answer": 1}


async def test_a_stops_answer_can_be_lost_too() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.LOST_ANSWER, nth=1),)) as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.stop("SELL", "95")
        _, rows = await client.signed("GET", "/fapi/v1/openAlgoOrders", symbol="BTCUSDT")
        assert [row["clientAlgoId"] for row in rows] == [cid("s")]


async def test_a_signature_can_be_damaged_on_the_way() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.REFUSED_SIGNATURE, nth=2),)) as client:
        assert (await client.order("BUY", "LIMIT", newClientOrderId="first", price="90"))[0] == 200
        status, said = await client.order("BUY", "LIMIT", price="90")
        assert (status, said["code"]) == (400, -1022)
        assert (await client.order("BUY", "LIMIT", price="90"))[0] == 200
        assert len(client.server.exchange.orders) == 2


async def test_an_order_can_be_rejected() -> None:
    fault = Fault(FaultKind.REJECTED_ORDER, nth=1, code=-4400, message="Trading is restricted.")
    async with venue(*MINUTES, faults=(fault,)) as client:
        assert await client.order("BUY", "LIMIT", price="90") == (400, {"code": -4400, "msg": "Trading is restricted."})
        assert not client.server.exchange.orders


def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"kind": "cut", "at_step": 5}, {"kind": "lost_answer", "nth": 2}]')
    assert read_faults(file) == [Fault(FaultKind.CUT, at_step=5), Fault(FaultKind.LOST_ANSWER, nth=2)]
    for text in ('[{"kind": "earthquake"}]', '[{"kind": "cut", "at": 5}]', "nothing"):
        file.write_text(text)
        with pytest.raises(FaultError, match="mend the file"):
            read_faults(file)


@pytest.mark.parametrize(
    "fault", [Fault(FaultKind.CUT, nth=1), Fault(FaultKind.LOST_ANSWER, 1), Fault(FaultKind.USER_CUT)]
)
def test_a_fault_without_its_place_is_refused(fault: Fault) -> None:
    with pytest.raises(FaultError, match="expected"):
        FaultScript([fault])


def test_only_loopback_may_move_the_market() -> None:
    assert [_is_loopback(at) for at in ("127.0.0.1", "::1", "192.168.1.7", "venue", None)] == [True, True, *[False] * 3]

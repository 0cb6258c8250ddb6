"""Each fault of the simulated venue: it happens once, at its place, is counted, and leaves the market right."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from simulated_venue import CALM, START, RawClient, cid, frame, venue

from trading_system.simulator.drawn_faults import DRAWABLE, Draw, drawn
from trading_system.simulator.fault_file import read_faults
from trading_system.simulator.faults import Fault, FaultError, FaultKind, FaultScript
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
    assert read_faults(file, 1, 1_440, ["BTCUSDT"]) == [
        Fault(FaultKind.CUT, at_step=5),
        Fault(FaultKind.LOST_ANSWER, nth=2),
    ]
    for text in ('[{"kind": "earthquake"}]', '[{"kind": "cut", "at": 5}]', "nothing"):
        file.write_text(text)
        with pytest.raises(FaultError, match="mend the file"):
            read_faults(file, 1, 1_440, ["BTCUSDT"])


@pytest.mark.parametrize(
    "fault", [Fault(FaultKind.CUT, nth=1), Fault(FaultKind.LOST_ANSWER, 1), Fault(FaultKind.USER_CUT)]
)
def test_a_fault_without_its_place_is_refused(fault: Fault) -> None:
    with pytest.raises(FaultError, match="expected"):
        FaultScript([fault])


def test_only_loopback_may_move_the_market() -> None:
    assert [_is_loopback(at) for at in ("127.0.0.1", "::1", "192.168.1.7", "venue", None)] == [True, True, *[False] * 3]


async def flags_under(*faults: Fault, count: int) -> list[tuple[int, bool, str]]:
    """Return the next frames as (minute, closed, close)."""
    async with venue(*MINUTES, faults=faults) as client:
        ws = await client.market_stream()
        for _ in MINUTES:
            await client.server.advance()
        said = [(await frame(ws))["k"] for _ in range(count)]
        return [(candle["t"] // 60_000 + 1 - START, candle["x"], candle["c"]) for candle in said]


async def test_two_closes_can_come_in_the_wrong_order() -> None:
    assert await closes_under(Fault(FaultKind.SWAPPED_CLOSE, at_step=START + 1), count=3) == [2, 1, 3]


async def test_a_close_can_be_late_by_several_steps() -> None:
    assert await closes_under(Fault(FaultKind.LATE_CLOSE, at_step=START + 1, steps=2), count=3) == [2, 1, 3]


async def test_a_close_can_come_twice_with_other_numbers() -> None:
    said = await flags_under(Fault(FaultKind.CHANGED_CLOSE, at_step=START + 1), count=3)
    assert said[1:] == [(1, True, "100.5"), (1, True, "100")]


async def test_a_minute_can_end_without_its_closed_flag() -> None:
    said = await flags_under(Fault(FaultKind.UNCLOSED_ONLY, at_step=START + 1), count=3)
    assert [closed for minute, closed, _ in said if minute == 1] == [False, False]


async def test_the_market_can_end_with_a_close_code() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.CLOSED, at_step=START + 1, code=1008),)) as client:
        ws = await client.market_stream()
        await client.server.advance()
        await frame(ws)
        await frame(ws)
        assert (await ws.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        assert ws.close_code == 1008


async def test_a_half_open_line_takes_bytes_and_brings_nothing() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.HALF_OPEN, at_step=START + 1),)) as client:
        ws = await client.market_stream()
        await client.server.advance()
        await frame(ws)
        await frame(ws)
        await client.server.advance(START + 3)
        await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.05)
        fresh = await client.market_stream()
        await fresh.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
        assert (await frame(fresh))["id"] == 9


async def test_a_server_says_that_it_leaves_and_leaves_a_step_later() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.SHUTDOWN, at_step=START + 1),)) as client:
        ws = await client.market_stream()
        await client.server.advance()
        said = [await frame(ws) for _ in range(3)]
        assert said[2]["e"] == "serverShutdown"
        await client.server.advance()
        assert (await frame(ws))["k"]["x"] is False
        assert (await frame(ws))["k"]["x"] is True
        assert (await ws.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}


async def test_a_new_connection_can_be_acknowledged_and_stay_silent() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.SILENT_SUBSCRIPTION, at_step=START + 1),)) as client:
        await client.market_stream()
        await client.server.advance()
        before = client.server.wire["frames"]
        deaf = await client.market_stream()
        await deaf.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
        assert (await frame(deaf))["result"] == ["btcusdt@kline_1m"]
        await client.server.advance()
        assert client.server.wire["frames"] == before


async def test_a_lag_holds_the_frames_back_whatever_is_asked_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    late = asyncio.Event()
    async with venue(*MINUTES, faults=(Fault(FaultKind.STREAM_LAG, at_step=START + 1, ms=500),)) as client:
        ws = await client.market_stream()
        await client.server.advance()
        before = client.server.wire["frames"]
        monkeypatch.setattr("trading_system.simulator.server.asyncio", SimpleNamespace(sleep=lambda _: late.wait()))
        advancing = asyncio.create_task(client.server.advance())
        _, rows = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=2)
        assert rows[0][0] == (START + 1) * 60_000
        assert client.server.wire["frames"] == before
        late.set()
        await advancing
        assert await closes(ws, 2) == [1, 2]


async def rows_under(fault: Fault) -> list[list[str]]:
    async with venue(*MINUTES, faults=(fault,)) as client:
        await client.server.advance()
        await client.server.advance()
        _, first = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=3)
        _, second = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=3)
        assert [row[0] // 60_000 - START for row in second] == [0, 1, 2]
        return [[str(row[0] // 60_000 - START), row[5]] for row in first]


async def test_candles_by_rest_can_be_stale_holed_empty_or_other_than_the_streams_for_one_request() -> None:
    assert await rows_under(Fault(FaultKind.STALE_REST, nth=1)) == [["0", "2.5"], ["1", "0"]]
    assert await rows_under(Fault(FaultKind.MISSING_ROW, nth=1)) == [["0", "2.5"], ["2", "0"]]
    assert await rows_under(Fault(FaultKind.EMPTY_REST, at_step=START + 2)) == []
    assert await rows_under(Fault(FaultKind.CHANGED_REST, nth=1)) == [["0", "5"], ["1", "5"], ["2", "0"]]


async def status_of(client: RawClient) -> tuple[int, str, str | None]:
    async with client.session.get(client.at.http + "/fapi/v1/time") as answer:
        return answer.status, await answer.text(), answer.headers.get("Retry-After")


async def test_a_limit_becomes_a_ban_for_who_asks_on_and_the_ban_has_an_end() -> None:
    now = [1_700_000_000_000]
    async with venue(
        *MINUTES, faults=(Fault(FaultKind.RATE_LIMITED, nth=2, ms=30_000),), wall_ms=lambda: now[0]
    ) as client:
        assert (await status_of(client))[0] == 200
        status, text, wait = await status_of(client)
        assert (status, wait) == (429, "30")
        status, text, wait = await status_of(client)
        assert status == 418
        assert f"banned until {1_700_000_030_000}" in text
        assert client.server.state()["asked_in_ban"] == 1
        now[0] += 30_000
        assert (await status_of(client))[0] == 200


async def test_a_venue_can_be_away_or_answer_with_a_page() -> None:
    faults = (
        Fault(FaultKind.MAINTENANCE, nth=1, count=2),
        Fault(FaultKind.HTML, nth=3),
        Fault(FaultKind.FORBIDDEN, 0, nth=4),
    )
    async with venue(*MINUTES, faults=faults) as client:
        said = [await status_of(client) for _ in range(4)]
    assert [status for status, *_ in said] == [503, 503, 200, 403]
    assert said[2][1].startswith("<html>")


async def test_the_venues_clock_can_jump_and_drift() -> None:
    now = 1_700_000_000_000
    faults = (Fault(FaultKind.CLOCK_JUMP, START + 1, ms=-5_000), Fault(FaultKind.CLOCK_DRIFT, START + 1, ms=7))
    async with venue(*MINUTES, faults=faults, wall_ms=lambda: now) as client:
        times = []
        for _ in range(3):
            await client.server.advance()
            times.append((await client.request("GET", "/fapi/v1/time"))[1]["serverTime"] - now)
    assert times == [-5_000, -4_993, -4_986]


async def standing_of(client: RawClient) -> dict[str, str]:
    _, info = await client.request("GET", "/fapi/v1/exchangeInfo")
    return {row["symbol"]: row["status"] for row in info["symbols"]}


async def test_a_delisted_symbol_is_settled_at_its_last_price_and_its_orders_end() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.DELISTED, START + 2, "BTCUSDT"),)) as client:
        await client.order("BUY", "MARKET")
        await client.server.advance(START + 1)
        await client.stop("SELL", "95")
        await client.order("SELL", "LIMIT", "1", price="120")
        ws = await client.user_stream()
        await client.server.advance(START + 2)
        assert client.server.exchange.standing()[:2] == (START + 2, 1)
        await client.server.advance(START + 3)
        events = [await frame(ws) for _ in range(4)]
        settled, *ended = [said["o"] for said in events if said["e"] != "ACCOUNT_UPDATE"]
        assert (settled["c"], settled["S"], settled["x"], settled["L"]) == (
            "settlement_autoclose-4",
            "SELL",
            "TRADE",
            "101",
        )
        assert [(one["s"], one["X"]) for one in ended] == [("BTCUSDT", "CANCELED")] * 2
        assert settled["T"] == (START + 2) * 60_000
        assert await standing_of(client) == {"BTCUSDT": "SETTLING"}
        assert (await client.order("BUY", "MARKET"))[1]["code"] == -4140
        _, rows = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=2)
        assert [row[0] // 60_000 - START for row in rows] == [0, 1]
        state = client.server.state()
        assert (state["positions"], state["open_orders"]) == (0, 0)


async def test_a_halted_symbol_has_no_minutes_and_takes_no_order_until_it_trades_again() -> None:
    faults = (Fault(FaultKind.HALTED, START + 1, "BTCUSDT"),)
    async with venue(*MINUTES, faults=faults, symbols=("BTCUSDT", "ETHUSDT")) as client:
        await client.server.advance()
        assert await standing_of(client) == {"BTCUSDT": "BREAK", "ETHUSDT": "TRADING"}
        assert (await client.order("BUY", "MARKET"))[1]["code"] == -4140
        await client.server.advance()
        assert await standing_of(client) == {"BTCUSDT": "TRADING", "ETHUSDT": "TRADING"}
        await client.server.advance()
        _, rows = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=3)
        assert [row[0] // 60_000 - START for row in rows] == [0, 2, 3]
        assert (await client.order("BUY", "MARKET"))[0] == 200


async def test_a_tick_can_become_coarser() -> None:
    async with venue(*MINUTES, faults=(Fault(FaultKind.NEW_TICK, START + 1, "BTCUSDT", factor=5),)) as client:
        await client.server.advance()
        assert (await client.order("BUY", "LIMIT", price="99.1"))[1]["code"] == -4014
        assert (await client.order("BUY", "LIMIT", price="99.5"))[0] == 200


def test_a_fault_of_a_symbol_names_it() -> None:
    with pytest.raises(FaultError, match="expected the symbol"):
        FaultScript([Fault(FaultKind.HALTED, at_step=1)])


def test_the_same_seed_draws_the_same_faults_and_each_kind_in_time(tmp_path: Path) -> None:
    faults = drawn(Draw(seed=7, per_day=400), 1_000, 2_439, ["BTCUSDT", "ETHUSDT"])
    assert faults == drawn(Draw(seed=7, per_day=400), 1_000, 2_439, ["BTCUSDT", "ETHUSDT"])
    assert faults != drawn(Draw(seed=8, per_day=400), 1_000, 2_439, ["BTCUSDT", "ETHUSDT"])
    assert len(faults) == 400
    assert {fault.kind for fault in faults} == set(DRAWABLE)
    assert all(1_000 <= fault.at_step <= 2_439 for fault in faults)
    FaultScript(faults)
    file = tmp_path / "faults.json"
    file.write_text('{"seed": 7, "per_day": 20, "kinds": ["cut"]}')
    assert {fault.kind for fault in read_faults(file, 1, 1_440, ["BTCUSDT"])} == {FaultKind.CUT}

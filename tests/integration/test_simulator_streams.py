"""The simulated venue's streams over real sockets: grammar, candles, the user's events, the control plane."""

from __future__ import annotations

import aiohttp
import pytest
from simulated_venue import CALM, START, RawClient, cid, frame, venue

RISE = (100.0, 106.0, 99.0, 105.0)
FALL = (105.0, 105.0, 90.0, 92.0)


async def everything(ws: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    """Return the next events of a user stream in short."""
    said = []
    for _ in range(count):
        event = await frame(ws)
        body = event.get("o", {})
        said.append(" ".join([event["e"], *(str(body[name]) for name in ("x", "X") if name in body)]))
    return said


async def test_a_closed_candle_follows_a_running_one() -> None:
    async with venue(RISE) as client:
        ws = await client.market_stream()
        await client.server.advance()
        running, closed = await frame(ws), await frame(ws)
        assert (running["k"]["x"], closed["k"]["x"]) == (False, True)
        assert running["k"]["t"] == closed["k"]["t"] == START * 60_000
        assert [closed["k"][name] for name in "ohlcv"] == ["100", "106", "99", "105", "2.5"]
        assert closed["E"] == (START + 1) * 60_000
        assert running["E"] < closed["E"]
        assert (closed["k"]["T"], closed["k"]["i"], closed["s"]) == (START * 60_000 + 59_999, "1m", "BTCUSDT")


async def test_several_symbols_close_in_their_order() -> None:
    async with venue(CALM, symbols=("ETHUSDT", "BTCUSDT")) as client:
        ws = await client.market_stream("/market/stream?streams=ethusdt@kline_1m/btcusdt@kline_1m")
        await client.server.advance()
        frames = [await frame(ws) for _ in range(4)]
        assert [each["stream"] for each in frames] == ["btcusdt@kline_1m"] * 2 + ["ethusdt@kline_1m"] * 2
        assert [each["data"]["k"]["x"] for each in frames] == [False, True] * 2


async def test_subscriptions_are_made_listed_and_taken_back() -> None:
    async with venue(CALM) as client:
        ws = await client.market_stream("/market/ws/0")
        await ws.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 1, "unknown": "ignored"})
        assert await frame(ws) == {"result": None, "id": 1}
        await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
        assert await frame(ws) == {"result": ["btcusdt@kline_1m"], "id": 2}
        await ws.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 3})
        assert await frame(ws) == {"result": None, "id": 3}
        await client.server.advance()
        assert client.server.wire["frames"] == 0


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ('{"method":"SUBSCRIBE","params":["no stream at all"],"id":7}', 7),
        ('{"method":"SUBSCRIBE","params":"btcusdt@kline_1m","id":7}', 7),
        ('{"method":"DANCE","id":7}', 7),
        ('{"method":"SUBSCRIBE","params":[],"id":-1}', None),
        ("[]", None),
        ("{", None),
    ],
)
async def test_a_control_message_that_makes_no_sense_is_refused(message: str, number: int | None) -> None:
    async with venue(CALM) as client:
        ws = await client.market_stream("/market/ws")
        await ws.send_str(message)
        said = await frame(ws)
        assert (said["error"]["code"], said["id"]) == (2, number)


@pytest.mark.parametrize("path", ["/ws", "/stream", "/public/ws", "/public/stream"])
async def test_retired_addresses_acknowledge_and_stay_silent(path: str) -> None:
    async with venue(CALM) as client:
        ws = await client.market_stream(path)
        await ws.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 1})
        assert await frame(ws) == {"result": None, "id": 1}
        await client.server.advance()
        await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
        assert (await frame(ws))["id"] == 2  # nothing came in between
        assert client.server.wire["frames"] == 0


async def test_a_gap_sends_nothing() -> None:
    async with venue(None, CALM) as client:
        ws = await client.market_stream()
        await client.server.advance()
        assert client.server.wire["frames"] == 0
        await client.server.advance()
        assert (await frame(ws))["k"]["t"] == (START + 1) * 60_000


@pytest.mark.parametrize("path", ["/private/ws?listenKey=nobody", "/private/ws/nobody", "/elsewhere/ws", "/market/no"])
async def test_addresses_and_keys_that_do_not_exist_are_shut(path: str) -> None:
    async with venue(CALM) as client:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.session.ws_connect(client.at.ws + path)


async def test_the_user_stream_can_be_opened_in_three_ways_and_filtered() -> None:
    async with venue(CALM) as client:
        _, said = await client.request("POST", "/fapi/v1/listenKey")
        key = said["listenKey"]
        plain = await client.session.ws_connect(f"{client.at.ws}/private/ws/{key}")
        combined = await client.session.ws_connect(f"{client.at.ws}/private/stream?streams={key}")
        only = await client.session.ws_connect(f"{client.at.ws}/private/ws?listenKey={key}&events=ALGO_UPDATE")
        await client.order("BUY", "LIMIT", price="90")
        await client.stop("SELL", "80")
        assert (await frame(plain))["e"] == "ORDER_TRADE_UPDATE"
        assert (await frame(combined))["data"]["e"] == "ORDER_TRADE_UPDATE"
        assert (await frame(only))["e"] == "ALGO_UPDATE"


async def bracket(client: RawClient) -> None:
    """Play one long trade: market entry, first target, the stop moved to break-even, and that stop."""
    await client.order("BUY", "MARKET", quantity="2")
    assert await client.server.advance() == (START, 1, False)
    await client.stop("SELL", "95", quantity="2")
    await client.order("SELL", "LIMIT", "1", price="104")
    await client.order("SELL", "LIMIT", "2", price="120")
    assert await client.server.advance() == (START, 2, False)
    await client.stop("SELL", "100.1", clientAlgoId=cid("s", "01"))
    await client.signed("DELETE", "/fapi/v1/algoOrder", clientAlgoId=cid("s"))
    assert await client.server.advance() == (START + 1, 2, False)
    assert await client.server.advance() == (START + 1, 3, False)
    await client.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=cid("2"))
    assert await client.server.advance() == (START + 2, 3, True)


async def test_a_bracket_played_over_the_wire_fills_as_worked_by_hand() -> None:
    async with venue(RISE, FALL) as client:
        ws = await client.user_stream()
        await bracket(client)
        # entry at the open, a tick worse; half at its target; the rest at break-even, a tick worse
        assert client.server.exchange.fingerprint_lines() == [
            f"entry|{cid('e', '')}|{START * 60_000}|100.1|2|0.1001",
            f"target|{cid('1', '')}|{START * 60_000 + 30_000}|104|1|0.0208",
            f"stop|{cid('s', '')}|{START * 60_000 + 75_000}|100|1|0.05",
        ]
        assert await everything(ws, 16) == [
            "ORDER_TRADE_UPDATE NEW NEW",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE FILLED",
            "ALGO_UPDATE NEW",
            "ORDER_TRADE_UPDATE NEW NEW",
            "ORDER_TRADE_UPDATE NEW NEW",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE FILLED",
            "ALGO_UPDATE NEW",
            "ALGO_UPDATE CANCELED",
            "ALGO_UPDATE TRIGGERED",
            "ORDER_TRADE_UPDATE NEW NEW",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE FILLED",
            "ALGO_UPDATE FINISHED",
            "ORDER_TRADE_UPDATE CANCELED CANCELED",
        ]
        assert client.server.exchange.available() == client.server.exchange.wallet


async def test_a_triggered_stop_is_joined_by_the_number_of_its_order() -> None:
    async with venue(RISE, FALL) as client:
        ws = await client.user_stream()
        await bracket(client)
        events = [await frame(ws) for _ in range(16)]
        triggered = next(each["o"] for each in events if each["e"] == "ALGO_UPDATE" and each["o"]["X"] == "TRIGGERED")
        fill = [each["o"] for each in events if each["e"] == "ORDER_TRADE_UPDATE"][-2]
        assert (triggered["caid"], triggered["ai"]) == (cid("s", "01"), str(fill["i"]))
        assert fill["c"] != triggered["caid"]
        assert (fill["x"], fill["X"], fill["L"], fill["l"], fill["n"], fill["m"]) == (
            "TRADE",
            "FILLED",
            "100",
            "1",
            "0.05000000",
            False,
        )
        assert fill["t"] == 3
        assert fill["T"] == START * 60_000 + 75_000
        _, row = await client.signed("GET", "/fapi/v1/algoOrder", clientAlgoId=cid("s", "01"))
        assert (row["algoStatus"], row["actualOrderId"]) == ("FINISHED", str(fill["i"]))
        assert (row["actualPrice"], row["actualQty"]) == ("100", "1")
        status, said = await client.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=cid("s", "01"))
        assert (status, said["code"]) == (400, -2013)
        _, order = await client.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=fill["i"])
        assert (order["status"], order["avgPrice"], order["executedQty"]) == ("FILLED", "100", "1")


async def test_the_control_plane_answers_as_the_calls_do() -> None:
    async with venue(CALM, CALM, CALM, CALM) as client:
        status, said = await client.request("POST", "/_sim/advance")
        assert (status, said) == (200, {"step": START + 1, "trade": 0, "done": False})
        async with client.session.post(f"{client.at.http}/_sim/advance", json={"until": START + 3}) as answer:
            assert await answer.json() == client.server.exchange.standing()._asdict()
        await client.order("BUY", "MARKET")
        await client.request("POST", "/_sim/advance")
        for name, view in (
            ("quiet", client.server.quiet),
            ("trades", client.server.trades),
            ("state", client.server.state),
        ):
            assert (await client.request("GET", f"/_sim/{name}")) == (200, view())
        assert client.server.quiet()["quiet"]
        assert client.server.trades()["trades"][0]["clientOrderId"] == cid("e")
        assert client.server.state()["wire"] == {"frames": 0, "signed_requests": 1, "user_events": 0}
        async with client.session.post(f"{client.at.http}/_sim/advance", json={"until": "soon"}) as answer:
            assert answer.status == 400
        assert (await client.request("GET", "/_sim/else"))[0] == 404


async def test_everything_on_the_wire_is_counted() -> None:
    async with venue(RISE, FALL) as client:
        user, market = await client.user_stream(), await client.market_stream()
        await bracket(client)
        assert client.server.wire == {"frames": 4, "signed_requests": 7, "user_events": 16}
        assert len([await frame(user) for _ in range(16)]) + len([await frame(market) for _ in range(4)]) == 20


async def test_a_stretch_played_at_once_shows_only_its_last_minute_running() -> None:
    async with venue(CALM, CALM, CALM) as client:
        await client.market_stream()
        await client.server.advance(START + 3)
        assert client.server.wire["frames"] == 3 + 1

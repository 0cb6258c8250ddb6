"""Each rule of the simulated venue's REST interface, over a real socket."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from simulated_venue import CALM, SECRET, START, cid, venue

from trading_system.rules.grid import Grid
from trading_system.simulator.binance_usdm.refusal_codes import CodedRefusalError
from trading_system.simulator.binance_usdm.signatures import Door, signature_of

FALL = (100.0, 100.0, 90.0, 92.0)


async def test_public_answers_need_no_key() -> None:
    async with venue(CALM) as client:
        assert await client.request("GET", "/fapi/v1/ping", key=None) == (200, {})
        _, said = await client.request("GET", "/fapi/v1/time", key=None)
        assert abs(said["serverTime"] - time.time() * 1000) < 5000
        status, said = await client.request("GET", "/fapi/v1/nothing", key=None)
        assert (status, said["code"]) == (404, -5000)


async def test_the_exchange_information_is_the_instrument() -> None:
    async with venue(CALM, tick=Grid(1, 20)) as client:
        _, said = await client.request("GET", "/fapi/v1/exchangeInfo", key=None)
        (symbol,) = said["symbols"]
        filters = {each["filterType"]: each for each in symbol["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == "0.05"
        assert filters["LOT_SIZE"]["stepSize"] == "0.001"
        assert filters["MIN_NOTIONAL"]["notional"] == "5"
        assert symbol["maintMarginPercent"] == "0.4"
        assert {each["rateLimitType"] for each in said["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS"}
        _, rates = await client.signed("GET", "/fapi/v1/commissionRate", symbol="BTCUSDT")
        assert (rates["makerCommissionRate"], rates["takerCommissionRate"]) == ("0.0002", "0.0005")
        _, brackets = await client.signed("GET", "/fapi/v1/leverageBracket")
        assert brackets[0]["brackets"][0]["maintMarginRatio"] == 0.004


async def test_klines_ascend_and_end_with_the_running_minute() -> None:
    async with venue((100.0, 102.0, 98.0, 101.5), None, CALM) as client:
        await client.server.advance(START + 1)
        path = "/fapi/v1/klines"
        _, rows = await client.request("GET", path, symbol="BTCUSDT", interval="1m")
        assert [row[0] // 60_000 - START for row in rows] == [-3, -2, -1, 0, 1]
        assert rows[-2][1:6] == ["100", "102", "98", "101.5", "2.5"]
        assert rows[-2][6] == rows[-2][0] + 59_999
        assert rows[-1][1:6] == ["101.5", "101.5", "101.5", "101.5", "0"]
        _, rows = await client.request("GET", path, symbol="BTCUSDT", interval="1m", limit=2)
        assert [row[0] // 60_000 - START for row in rows] == [0, 1]
        since = (START - 3) * 60_000 + 1
        _, rows = await client.request("GET", path, symbol="BTCUSDT", interval="1m", limit=2, startTime=since)
        assert [row[0] // 60_000 - START for row in rows] == [-2, -1]
        _, rows = await client.request("GET", path, symbol="BTCUSDT", interval="1m", endTime=since)
        assert [row[0] // 60_000 - START for row in rows] == [-3]


async def test_a_gap_has_no_row_once_it_is_over() -> None:
    async with venue(None, CALM) as client:
        await client.server.advance(START + 2)
        _, rows = await client.request("GET", "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=3)
        assert [row[0] // 60_000 - START for row in rows] == [-1, 1, 2]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": "NOPE", "interval": "1m"}, -1121),
        ({"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ({"symbol": "BTCUSDT"}, -1102),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": 1501}, -1130),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "many"}, -1102),
    ],
)
async def test_klines_refuse_what_they_cannot_answer(params: dict[str, object], code: int) -> None:
    async with venue(CALM) as client:
        status, said = await client.request("GET", "/fapi/v1/klines", key=None, **params)
        assert (status, said["code"]) == (400, code)


async def test_weights_add_up_in_the_header() -> None:
    async with venue(CALM, wall_ms=lambda: 1_000_000) as client:
        used = []
        for limit in (99, 499, 1000, 1500):
            url = f"{client.at.http}/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit={limit}"
            async with client.session.get(url) as answer:
                used.append(int(answer.headers["X-MBX-USED-WEIGHT-1M"]))
        assert used == [1, 3, 8, 18]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"timestamp": int(time.time() * 1000) - 60_000}, 400, -1021),
        ({"timestamp": int(time.time() * 1000) + 600_000}, 400, -1021),
        ({"recvWindow": 60_001}, 400, -1131),
        ({"timestamp": ""}, 400, -1102),
    ],
)
async def test_a_request_out_of_its_time_is_refused(changes: dict[str, object], status: int, code: int) -> None:
    async with venue(CALM) as client:
        answered, said = await client.signed("GET", "/fapi/v3/balance", **changes)
        assert (answered, said["code"]) == (status, code)


async def test_a_request_without_its_key_or_signature_is_refused() -> None:
    async with venue(CALM) as client:
        now = int(time.time() * 1000)
        for key, params, status, code in (
            (None, {"timestamp": now, "signature": "0" * 64}, 401, -2014),
            ("another", {"timestamp": now, "signature": "0" * 64}, 401, -2015),
            ("test-key", {"timestamp": now, "signature": "0" * 64}, 400, -1022),
            ("test-key", {"timestamp": now}, 400, -1102),
        ):
            answered, said = await client.request("GET", "/fapi/v3/balance", key=key, **params)
            assert (answered, said["code"]) == (status, code)
        assert client.server.wire["signed_requests"] == 0


def test_the_signature_covers_query_and_body_in_the_order_sent() -> None:
    door = Door("key", SECRET, lambda: 1_000_000)
    query, body = "symbol=BTCUSDT&timestamp=1000000", "quantity=1"
    sign = signature_of(SECRET, query + body)
    door.check_signed(query, f"{body}&signature={sign}")
    with pytest.raises(CodedRefusalError, match="-1022"):
        door.check_signed(query, f"quantity=2&signature={sign}")


@pytest.mark.shared
def test_the_venues_own_signature_vector_holds(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "expected/signing/vectors.json").read_text())
    mine = [each for each in vectors if each["exchange"] == "binance"]
    assert mine
    for each in mine:
        assert signature_of(each["secret"], each["payload"]) == each["signature"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": "1e3"}, -1102),
        ({"price": "90.01"}, -4014),
        ({"price": "90.001"}, -1111),
        ({"price": "-1"}, -4001),
        ({"quantity": "0.05"}, -4164),
        ({"quantity": "600"}, -2019),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "with space"}, -4015),
        ({"side": "HOLD"}, -1117),
        ({"positionSide": "LONG"}, -4061),
        ({"timeInForce": "FOK"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"reduceOnly": "true"}, -2022),
        ({"symbol": "NOPE"}, -1121),
    ],
)
async def test_an_order_that_breaks_a_rule_gets_the_venues_code(params: dict[str, str], code: int) -> None:
    async with venue(CALM) as client:
        status, said = await client.order("BUY", "LIMIT", **{"price": "90", **params})
        assert (status, said["code"]) == (400, code)
        assert not client.server.exchange.orders


async def test_a_number_between_two_spacings_is_refused_even_with_few_decimals() -> None:
    async with venue(CALM, tick=Grid(1, 20), step=Grid(1, 200)) as client:
        assert (await client.order("BUY", "LIMIT", price="90.01"))[1]["code"] == -4014
        assert (await client.order("BUY", "LIMIT", price="90.05", quantity="1.001"))[1]["code"] == -4023
        assert (await client.order("BUY", "LIMIT", price="90.05", quantity="1.005"))[0] == 200


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"triggerPrice": "100"}, -2021),
        ({"triggerPrice": "90.01"}, -4014),
        ({"type": "TRAILING_STOP_MARKET"}, -1116),
        ({"algoType": "VP"}, -1130),
        ({"workingType": "MARK_PRICE"}, -1130),
        ({"closePosition": "true"}, -4137),
        ({"clientAlgoId": "ü"}, -4015),
    ],
)
async def test_a_stop_that_breaks_a_rule_gets_the_venues_code(params: dict[str, str], code: int) -> None:
    async with venue(CALM) as client:
        status, said = await client.stop("SELL", "90", **params)
        assert (status, said["code"]) == (400, code)


async def test_keys_that_the_venue_does_not_know_are_ignored() -> None:
    async with venue(CALM) as client:
        status, said = await client.order("BUY", "LIMIT", price="90", stopLoss="{'triggerPrice': 80}")
        assert status == 200
        assert said["status"] == "NEW"
        assert "avgPrice" not in said
        assert "cumQuote" not in said


async def test_a_client_id_is_taken_only_while_its_order_is_open() -> None:
    async with venue(CALM) as client:
        assert (await client.order("BUY", "LIMIT", price="90"))[0] == 200
        assert (await client.order("BUY", "LIMIT", price="90"))[1]["code"] == -4116
        _, said = await client.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=cid("e"))
        assert said["status"] == "CANCELED"
        _, again = await client.order("BUY", "LIMIT", price="91")
        _, found = await client.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=cid("e"))
        assert (found["orderId"], found["price"]) == (again["orderId"], "91")


async def test_the_two_order_services_do_not_see_each_other() -> None:
    async with venue(CALM) as client:
        _, order = await client.order("BUY", "LIMIT", price="90")
        _, stop = await client.stop("SELL", "90")
        for path, found in (("/fapi/v1/openOrders", order["orderId"]), ("/fapi/v1/openAlgoOrders", stop["algoId"])):
            _, rows = await client.signed("GET", path, symbol="BTCUSDT")
            assert [row.get("orderId", row.get("algoId")) for row in rows] == [found]
        for method, code in (("GET", -2013), ("DELETE", -2011)):
            _, said = await client.signed(method, "/fapi/v1/order", symbol="BTCUSDT", orderId=stop["algoId"])
            assert said["code"] == code
            _, said = await client.signed(method, "/fapi/v1/algoOrder", algoId=order["orderId"])
            assert said["code"] == code
        _, said = await client.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
        assert said["code"] == 200
        assert (await client.signed("GET", "/fapi/v1/openOrders"))[1] == []
        assert len((await client.signed("GET", "/fapi/v1/openAlgoOrders"))[1]) == 1
        await client.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
        assert (await client.signed("GET", "/fapi/v1/openAlgoOrders"))[1] == []


async def test_a_stop_is_asked_for_and_cancelled_by_its_own_id() -> None:
    async with venue(CALM) as client:
        _, stop = await client.stop("SELL", "90")
        assert (stop["algoStatus"], stop["triggerPrice"], stop["reduceOnly"]) == ("NEW", "90", True)
        assert (await client.stop("SELL", "89"))[1]["code"] == -4116
        _, row = await client.signed("GET", "/fapi/v1/algoOrder", clientAlgoId=cid("s"))
        assert (row["algoId"], row["actualOrderId"]) == (stop["algoId"], "")
        _, said = await client.signed("DELETE", "/fapi/v1/algoOrder", clientAlgoId=cid("s"))
        assert said == {"algoId": stop["algoId"], "clientAlgoId": cid("s"), "code": "200", "msg": "success"}
        assert (await client.signed("DELETE", "/fapi/v1/algoOrder", clientAlgoId=cid("s")))[1]["code"] == -2011
        _, row = await client.signed("GET", "/fapi/v1/algoOrder", algoId=stop["algoId"])
        assert row["algoStatus"] == "CANCELED"


async def test_a_second_stop_for_the_whole_position_is_refused() -> None:
    async with venue(CALM) as client:
        named = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "algoType": "CONDITIONAL"}
        whole = {**named, "closePosition": "true", "triggerPrice": "90"}
        assert (await client.signed("POST", "/fapi/v1/algoOrder", **whole))[0] == 200
        assert (await client.signed("POST", "/fapi/v1/algoOrder", **whole))[1]["code"] == -4130


async def test_account_answers_follow_the_trade() -> None:
    async with venue(CALM, FALL) as client:
        assert (await client.signed("GET", "/fapi/v3/positionRisk"))[1] == []
        await client.order("BUY", "MARKET", quantity="2")
        _, summary = await client.signed("GET", "/fapi/v3/account")
        assert summary["availableBalance"] == "9960.00000000"  # 2 at the last price of 100, a fifth of it as margin
        await client.server.advance()
        _, (position,) = await client.signed("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")
        assert (position["positionAmt"], position["entryPrice"]) == ("2", "100.1")
        assert position["liquidationPrice"] == "80.5"
        assert "leverage" not in position
        _, (balance,) = await client.signed("GET", "/fapi/v3/balance")
        assert balance["balance"] == "9999.89990000"
        _, (trade,) = await client.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
        assert (trade["price"], trade["qty"], trade["commission"], trade["maker"]) == (
            "100.1",
            "2",
            "0.10010000",
            False,
        )
        assert trade["time"] == START * 60_000
        for params, count in (({"fromId": 2}, 0), ({"fromId": 1}, 1), ({"startTime": trade["time"] + 1}, 0)):
            _, rows = await client.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", **params)
            assert len(rows) == count


async def test_settings_that_already_hold_are_told_so() -> None:
    async with venue(CALM) as client:
        _, said = await client.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)
        assert said["leverage"] == 7
        _, (config,) = await client.signed("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT")
        assert (config["leverage"], config["marginType"]) == (7, "ISOLATED")
        path = "/fapi/v1/marginType"
        assert (await client.signed("POST", path, symbol="BTCUSDT", marginType="ISOLATED"))[1]["code"] == -4046
        assert (await client.signed("POST", path, symbol="BTCUSDT", marginType="CROSSED"))[1]["code"] == -1130
        path = "/fapi/v1/positionSide/dual"
        assert (await client.signed("GET", path))[1] == {"dualSidePosition": False}
        assert (await client.signed("POST", path, dualSidePosition="false"))[1]["code"] == -4059
        assert (await client.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=0))[1]["code"] == -4028
        _, said = await client.signed("GET", "/sapi/v1/account/apiRestrictions")
        assert said["enableWithdrawals"] is False


async def test_a_listen_key_lives_until_it_is_closed() -> None:
    async with venue(CALM) as client:
        path = "/fapi/v1/listenKey"
        assert (await client.request("PUT", path))[1]["code"] == -1125
        _, first = await client.request("POST", path)
        assert (await client.request("POST", path))[1] == first
        assert (await client.request("PUT", path))[1] == first
        assert (await client.request("DELETE", path)) == (200, {})
        assert (await client.request("PUT", path))[1]["code"] == -1125
        assert (await client.request("POST", path))[1] != first
        assert (await client.request("POST", path, key=None))[0] == 401

"""Each rule of the simulated Bybit's REST interface, over a real socket."""

from __future__ import annotations

import json
import time
from typing import Any

import aiohttp
import pytest
from bybit_venue import LINEAR, bybit, signature
from simulated_venue import CALM, KEY, START, SYMBOL, cid

from trading_system.rules.grid import Grid
from trading_system.simulator.faults import Fault, FaultKind

FLAT = (100.0, 100.0, 100.0, 100.0)
FALL = (100.0, 100.0, 90.0, 92.0)
RISE = (100.0, 112.0, 100.0, 110.0)


# --- what everybody may ask


async def test_the_time_is_the_venue_s_clock() -> None:
    async with bybit(CALM, wall_ms=lambda: 0) as client:
        async with client.session.get(f"{client.at.http}/v5/market/time") as answer:
            body = await answer.json()
        nothing = {"timeSecond": "0", "timeNano": "0"}
        assert body == {"retCode": 0, "retMsg": "OK", "result": nothing, "retExtInfo": {}, "time": 0}


async def test_an_instrument_is_the_record_that_the_exchange_was_made_of() -> None:
    async with bybit(CALM, tick=Grid(1, 20), symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT")) as client:
        code, _, result, _ = await client.ask("/v5/market/instruments-info", category="linear", symbol="BTCUSDT")
        (row,) = result["list"]
        assert (code, row["status"], row["baseCoin"], row["contractType"]) == (0, "Trading", "BTC", "LinearPerpetual")
        assert row["priceFilter"]["tickSize"] == "0.05"
        assert (row["lotSizeFilter"]["qtyStep"], row["lotSizeFilter"]["minNotionalValue"]) == ("0.001", "5")
        fees = await client.get("/v5/account/fee-rate", **LINEAR)
        assert fees["list"] == [{"symbol": SYMBOL, "takerFeeRate": "0.0005", "makerFeeRate": "0.0002"}]
        _, _, risks, _ = await client.ask("/v5/market/risk-limit", **LINEAR)
        assert (risks["list"][0]["maintenanceMargin"], risks["list"][0]["isLowestRisk"]) == ("0.004", 1)


async def test_instruments_come_page_by_page() -> None:
    async with bybit(CALM, symbols=("AUSDT", "BUSDT", "CUSDT")) as client:
        found, cursor = [], ""
        while not found or cursor:
            _, _, page, _ = await client.ask("/v5/market/instruments-info", category="linear", limit=2, cursor=cursor)
            found += [row["symbol"] for row in page["list"]]
            cursor = page["nextPageCursor"]
        assert found == ["AUSDT", "BUSDT", "CUSDT"]
        for other in ({"category": "spot"}, {"category": "linear", "status": "PreLaunch"}, {"category": "option"}):
            assert (await client.ask("/v5/market/instruments-info", **other)).result["list"] == []


async def test_a_delisted_instrument_is_shown_only_to_who_asks_for_it() -> None:
    async with bybit(CALM, CALM, faults=(Fault(FaultKind.DELISTED, START + 1, SYMBOL),)) as client:
        await client.server.advance()
        assert (await client.ask("/v5/market/instruments-info", category="linear")).result["list"] == []
        (row,) = (await client.ask("/v5/market/instruments-info", **LINEAR)).result["list"]
        assert row["status"] == "Closed"
        assert (await client.order("Buy")).code == 110074


async def test_a_settlement_is_a_trade_without_an_order_and_ends_what_waits() -> None:
    async with bybit(CALM, CALM, faults=(Fault(FaultKind.DELISTED, START + 1, SYMBOL),)) as client:
        await client.order("Buy", stopLoss="95")
        await client.server.advance(START + 1)
        await client.server.advance(START + 1)
        await client.server.advance(START + 2)
        trades = (await client.get("/v5/execution/list", **LINEAR))["list"]
        assert [(row["execType"], row["createType"]) for row in trades] == [
            ("Delivery", "CreateBySettle"),
            ("Trade", "CreateByUser"),
        ]
        assert (trades[0]["side"], trades[0]["execPrice"], trades[0]["orderLinkId"]) == ("Sell", "100", "")
        stop = next(row for row in (await client.get("/v5/order/history", **LINEAR))["list"] if row["stopOrderType"])
        assert (stop["orderStatus"], stop["cancelType"]) == ("Cancelled", "CancelBySettle")


async def test_candles_descend_and_begin_with_the_running_minute() -> None:
    async with bybit((100.0, 102.0, 98.0, 101.5), None, CALM) as client:
        await client.server.advance(START + 1)

        async def steps(**params: Any) -> list[int]:
            _, _, result, _ = await client.ask("/v5/market/kline", **LINEAR, interval="1", **params)
            return [int(row[0]) // 60_000 - START for row in result["list"]]

        _, _, result, _ = await client.ask("/v5/market/kline", **LINEAR, interval="1")
        assert result["list"][0][1:6] == ["101.5", "101.5", "101.5", "101.5", "0"]
        assert result["list"][1] == [str(START * 60_000), "100", "102", "98", "101.5", "2.5", "253.75000000"]
        since, until = (START - 3) * 60_000 + 1, (START - 1) * 60_000
        assert await steps() == [1, 0, -1, -2, -3]
        assert await steps(limit=2) == [1, 0]
        assert await steps(limit=2, start=since) == [-1, -2]
        assert await steps(end=until) == [-1, -2, -3]
        assert await steps(start=since, end=until, limit=1) == [-1]


async def test_a_ticker_has_one_price_for_last_mark_and_index() -> None:
    async with bybit((100.0, 104.0, 98.0, 102.0), CALM, symbols=("AUSDT", "BUSDT")) as client:
        await client.server.advance()
        _, _, result, _ = await client.ask("/v5/market/tickers", category="linear")
        assert [row["symbol"] for row in result["list"]] == ["AUSDT", "BUSDT"]
        row = result["list"][0]
        assert {row[name] for name in ("lastPrice", "markPrice", "indexPrice", "bid1Price", "ask1Price")} == {"102"}
        assert (row["highPrice24h"], row["lowPrice24h"], row["price24hPcnt"]) == ("104", "98", "0.020000")


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("kline", {"symbol": SYMBOL, "interval": "1"}),
        ("kline", {**LINEAR, "interval": "7"}),
        ("kline", {**LINEAR, "symbol": "NOPE", "interval": "1"}),
        ("kline", {**LINEAR, "interval": "1", "limit": "many"}),
        ("kline", {"category": "spot", "symbol": SYMBOL, "interval": "1"}),
        ("instruments-info", {"category": "linear", "cursor": "elsewhere"}),
        ("tickers", {"category": "nonsense"}),
        ("tickers", {"category": "linear", "symbol": "NOPE"}),
        ("funding/history", {"category": "linear"}),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_the_envelope(path: str, params: dict[str, str]) -> None:
    async with bybit(CALM) as client:
        assert (await client.ask(f"/v5/market/{path}", **params)).code == 10001


async def test_a_path_that_does_not_exist_and_a_question_with_a_body_are_turned_away() -> None:
    async with bybit(CALM) as client:
        async with client.session.get(f"{client.at.http}/v5/nothing") as answer:
            assert answer.status == 404
        async with client.session.get(f"{client.at.http}/v5/market/time", data="{}") as answer:
            assert answer.status == 403


async def test_the_limits_are_counted_in_the_headers() -> None:
    now = 1_000_000
    async with bybit(CALM, wall_ms=lambda: now) as client:
        left = []
        for _ in range(3):
            async with client.session.get(f"{client.at.http}/v5/market/time") as answer:
                left.append(int(answer.headers["X-Bapi-Limit-Status"]))
                assert (answer.headers["X-Bapi-Limit"], answer.headers["X-Bapi-Limit-Reset-Timestamp"]) == (
                    "600",
                    "1005000",
                )
        assert left == [599, 598, 597]
        now += 5_000
        async with client.session.get(f"{client.at.http}/v5/market/time") as answer:
            assert answer.headers["X-Bapi-Limit-Status"] == "599"


async def test_a_limit_that_is_broken_is_a_code_first_and_a_ban_for_who_asks_on() -> None:
    async with bybit(CALM, faults=(Fault(FaultKind.RATE_LIMITED, nth=1, ms=60_000),)) as client:
        async with client.session.get(f"{client.at.http}/v5/market/time") as answer:
            assert (answer.status, (await answer.json())["retCode"]) == (200, 10006)
            assert int(answer.headers["X-Bapi-Limit-Reset-Timestamp"]) > time.time() * 1000 + 50_000
        async with client.session.get(f"{client.at.http}/v5/market/time") as answer:
            assert (answer.status, answer.content_type) == (403, "text/html")


# --- who is let in


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"X-BAPI-TIMESTAMP": str(int(time.time() * 1000) - 3_600_000)}, 10002),
        ({"X-BAPI-TIMESTAMP": str(int(time.time() * 1000) + 3_600_000)}, 10002),
        ({"X-BAPI-TIMESTAMP": "now"}, 10001),
        ({"X-BAPI-API-KEY": "another"}, 10003),
        ({"X-BAPI-API-KEY": ""}, 10003),
        ({"X-BAPI-SIGN": "0" * 64}, 10004),
        ({"X-BAPI-SIGN": ""}, 10004),
        ({"X-BAPI-RECV-WINDOW": ""}, 0),
    ],
)
async def test_a_request_is_let_in_by_key_time_and_signature(changes: dict[str, str], code: int) -> None:
    async with bybit(CALM) as client:
        for method, path in (("GET", "/v5/account/info"), ("POST", "/v5/order/cancel-all")):
            assert (await client.signed(method, path, changes, **LINEAR)).code == code
        assert client.server.wire["signed_requests"] == (0 if code else 2)


async def test_a_scripted_signature_fault_is_one_refusal() -> None:
    async with bybit(CALM, faults=(Fault(FaultKind.REFUSED_SIGNATURE, nth=2),)) as client:
        codes = [(await client.signed("GET", "/v5/account/info")).code for _ in range(3)]
        assert codes == [0, 10004, 0]


@pytest.mark.parametrize("body", ["nonsense", "[]", '{"category":"linear","symbol":["BTCUSDT"]}', '{"symbol":{}}'])
async def test_a_body_that_is_no_plain_object_is_refused(body: str) -> None:
    async with bybit(CALM) as client:
        stamp = str(int(time.time() * 1000))
        headers = {"X-BAPI-API-KEY": KEY, "X-BAPI-TIMESTAMP": stamp, "X-BAPI-SIGN": signature(f"{stamp}{KEY}{body}")}
        async with client.session.post(f"{client.at.http}/v5/order/create", data=body, headers=headers) as answer:
            assert (await answer.json())["retCode"] == 10001


# --- the account


async def test_the_account_is_unified_isolated_and_one_way() -> None:
    async with bybit(CALM) as client:
        key = await client.get("/v5/user/query-api")
        assert (key["uta"], key["permissions"]["Wallet"]) == (1, [])
        info = await client.get("/v5/account/info")
        assert (info["marginMode"], info["unifiedMarginStatus"]) == ("ISOLATED_MARGIN", 5)
        assert (await client.get("/v5/asset/coin/query-info"))["rows"] == []
        for mode, code in (("ISOLATED_MARGIN", 0), ("PORTFOLIO_MARGIN", 3400045)):
            assert (await client.post("/v5/account/set-margin-mode", setMarginMode=mode, leverage=5)).code == code
        for number, code in ((0, 110025), (3, 110029)):
            assert (await client.post("/v5/position/switch-mode", **LINEAR, mode=number)).code == code


@pytest.mark.parametrize(
    ("buy", "sell", "code"),
    [
        ("5", "5", 110043),
        ("10", "10", 0),
        ("10.00", "10", 0),
        ("7.5", "7.5", 10001),
        ("5", "6", 10001),
        ("101", "101", 110013),
        ("0", "0", 10001),
    ],
)
async def test_leverage_is_one_whole_number(buy: str, sell: str, code: int) -> None:
    async with bybit(CALM) as client:
        answer = await client.post("/v5/position/set-leverage", **LINEAR, buyLeverage=buy, sellLeverage=sell)
        assert answer.code == code
        assert (await client.position())["leverage"] == ("5" if code else "10")


async def test_the_leverage_of_a_position_is_not_lowered() -> None:
    async with bybit(FLAT, FLAT) as client:
        await client.order("Buy")
        await client.server.advance()
        answer = await client.post("/v5/position/set-leverage", **LINEAR, buyLeverage="2", sellLeverage="2")
        assert answer.code == 110012


async def test_wallet_and_position_say_what_is_held() -> None:
    async with bybit(FLAT, (100.0, 104.0, 100.0, 104.0), CALM) as client:
        empty = await client.position()
        assert (empty["side"], empty["size"], empty["avgPrice"], empty["stopLoss"]) == ("", "0", "0", "0")
        held = (await client.get("/v5/position/list", category="linear", settleCoin="USDT"))["list"]
        assert held == []
        await client.order("Buy", stopLoss="95", takeProfit="110")
        await client.server.advance()
        await client.server.advance(START + 2)
        row = await client.position()
        kept = ("side", "size", "avgPrice", "markPrice", "stopLoss", "takeProfit", "leverage", "positionIdx")
        assert [row[name] for name in kept] == ["Buy", "1", "100.1", "104", "95", "110", "5", 0]
        assert (row["unrealisedPnl"], row["cumRealisedPnl"]) == ("3.90000000", "-0.05005000")
        wallet = (await client.get("/v5/account/wallet-balance", accountType="UNIFIED"))["list"][0]
        assert (wallet["totalWalletBalance"], wallet["totalEquity"]) == ("9999.94995000", "10003.84995000")
        assert wallet["totalAvailableBalance"] == "9979.92995000"
        assert wallet["coin"][0]["coin"] == "USDT"
        assert (await client.signed("GET", "/v5/account/wallet-balance", accountType="SPOT")).code == 10001
        assert (await client.signed("GET", "/v5/position/list", category="linear")).code == 10001


# --- orders


async def test_an_order_is_acknowledged_found_listed_and_cancelled() -> None:
    async with bybit(CALM) as client:
        code, _, ack, _ = await client.order("Buy", "Limit", price="97")
        assert (code, ack["orderLinkId"]) == (0, cid("e"))
        (row,) = await client.open_orders()
        kept = ("orderId", "orderStatus", "price", "qty", "leavesQty", "timeInForce", "orderType", "stopOrderType")
        assert [row[name] for name in kept] == [ack["orderId"], "New", "97", "1", "1", "GTC", "Limit", ""]
        assert await client.open_orders(symbol="", orderLinkId=cid("e")) == [row]
        assert (await client.post("/v5/order/cancel", **LINEAR, orderLinkId=cid("e"))).result == ack
        assert await client.open_orders() == []
        (ended,) = await client.open_orders(openOnly=1)
        assert (ended["orderStatus"], ended["cancelType"]) == ("Cancelled", "CancelByUser")
        assert (await client.get("/v5/order/history", **LINEAR, orderStatus="Cancelled"))["list"] == [ended]
        assert (await client.get("/v5/order/history", **LINEAR, orderStatus="Filled"))["list"] == []
        assert (await client.post("/v5/order/cancel", **LINEAR, orderLinkId=cid("e"))).code == 110001
        assert (await client.post("/v5/order/cancel", **LINEAR, orderId="uuid-7")).code == 110001
        assert (await client.post("/v5/order/cancel", **LINEAR)).code == 10001


async def test_a_name_is_never_taken_twice_also_not_after_its_order() -> None:
    async with bybit(CALM) as client:
        await client.order("Buy", "Limit", price="97")
        assert (await client.order("Buy", "Limit", price="97")).code == 110072
        await client.post("/v5/order/cancel-all", **LINEAR)
        assert (await client.order("Buy", "Limit", price="97")).code == 110072
        trigger = {"triggerPrice": "90", "triggerDirection": 2, "reduceOnly": False}
        assert (await client.order("Sell", "Market", "e", **trigger)).code == 110072


async def test_an_order_without_a_name_has_none() -> None:
    async with bybit(FLAT, CALM) as client:
        assert (await client.order("Buy", orderLinkId="")).result["orderLinkId"] == ""
        await client.server.advance()
        (trade,) = await client.trades()
        assert trade["orderLinkId"] == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"category": "spot"}, 10001),
        ({"symbol": "NOPE"}, 10001),
        ({"side": "BUY"}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"qty": "0.0001"}, 10001),
        ({"qty": "0"}, 10001),
        ({"qty": "-1"}, 10001),
        ({"qty": ""}, 10001),
        ({"qty": "0.001"}, 110094),
        ({"qty": "1000"}, 110007),
        ({"positionIdx": 1}, 10001),
        ({"orderType": "Limit"}, 10001),
        ({"orderType": "Limit", "price": "99.95"}, 10001),
        ({"orderType": "Limit", "price": "99", "timeInForce": "FOK"}, 10001),
        ({"orderLinkId": "a" * 37}, 10001),
        ({"orderLinkId": "with space"}, 10001),
        ({"reduceOnly": True}, 110017),
        ({"reduceOnly": "maybe"}, 10001),
        ({"qty": "0", "reduceOnly": True, "closeOnTrigger": True}, 110017),
        ({"stopLoss": "101"}, 10001),
        ({"takeProfit": "99"}, 10001),
        ({"stopLoss": "95", "reduceOnly": True}, 10001),
        ({"stopLoss": "95", "tpslMode": "Partial"}, 10001),
        ({"stopLoss": "95", "slOrderType": "Limit"}, 10001),
        ({"stopLoss": "95", "slTriggerBy": "Moon"}, 10001),
        ({"triggerPrice": "99"}, 10001),
        ({"triggerPrice": "99", "triggerDirection": 1}, 110092),
        ({"triggerPrice": "101", "triggerDirection": 2}, 110093),
        ({"triggerPrice": "101", "triggerDirection": 1, "orderType": "Limit", "price": "101"}, 10001),
        ({"triggerPrice": "101", "triggerDirection": 1, "triggerBy": "Moon"}, 10001),
    ],
)
async def test_an_order_that_breaks_a_rule_is_refused_with_the_code_of_that_rule(
    changes: dict[str, Any], code: int
) -> None:
    async with bybit(CALM) as client:
        answer = await client.order("Buy", **changes)
        assert (answer.code, answer.result) == (code, {})
        assert await client.open_orders() == []
        assert not client.server.exchange.orders


async def test_a_wrong_stop_is_refused_in_the_words_that_clients_know() -> None:
    async with bybit(FLAT, CALM) as client:
        assert "base_price" in (await client.order("Buy", stopLoss="101")).message
        assert "zero position" in (await client.stop_at("95")).message
        await client.order("Buy")
        await client.server.advance()
        code, message, *_ = await client.stop_at("101")
        assert (code, message) == (
            10001,
            "StopLoss:1010000 set for Buy position should lower than base_price??LastPrice",
        )


async def test_an_order_is_changed() -> None:
    async with bybit(CALM) as client:
        await client.order("Buy", "Limit", price="97")
        amend = {**LINEAR, "orderLinkId": cid("e")}
        assert (await client.post("/v5/order/amend", **amend, price="96.5", qty="2")).code == 0
        (row,) = await client.open_orders()
        assert (row["price"], row["qty"]) == ("96.5", "2")
        assert (await client.post("/v5/order/amend", **amend, price="96.5")).code == 10001
        assert (await client.post("/v5/order/amend", **amend, qty="1000")).code == 110007
        await client.order("Sell", "Market", "s", reduceOnly=True, triggerPrice="95", triggerDirection=2)
        stop = {**LINEAR, "orderLinkId": cid("s")}
        assert (await client.post("/v5/order/amend", **stop, triggerPrice="96")).code == 0
        assert (await client.post("/v5/order/amend", **stop, triggerPrice="110")).code == 110093
        assert (await client.open_orders(orderFilter="StopOrder"))[0]["triggerPrice"] == "96"
        assert (await client.post("/v5/order/amend", **LINEAR, orderLinkId="other")).code == 110001


async def test_lists_are_paged_newest_first_and_filtered() -> None:
    async with bybit(CALM, symbols=("BTCUSDT", "ETHUSDT")) as client:
        for number in range(5):
            await client.order("Buy", "Limit", price="97", orderLinkId=f"name-{number}")
        await client.order("Sell", "Market", "s", reduceOnly=True, triggerPrice="95", triggerDirection=2)
        path, found, cursor = "/v5/order/realtime", [], ""
        while not found or cursor:
            page = await client.get(path, **LINEAR, limit=2, **({"cursor": cursor} if cursor else {}))
            found += [row["orderLinkId"] for row in page["list"]]
            cursor = page["nextPageCursor"]
        assert found == [cid("s"), "name-4", "name-3", "name-2", "name-1", "name-0"]
        assert len(await client.open_orders(orderFilter="Order")) == 5
        assert [row["orderLinkId"] for row in await client.open_orders(orderFilter="StopOrder")] == [cid("s")]
        everywhere = (await client.get(path, category="linear", settleCoin="USDT", limit=50))["list"]
        assert len(everywhere) == 6
        assert (await client.get(path, category="linear", baseCoin="ETH"))["list"] == []
        assert (await client.signed("GET", path, category="linear")).code == 10001
        assert (await client.signed("GET", path, **LINEAR, orderFilter="tpslOrder")).code == 10001
        answer = await client.post("/v5/order/cancel-all", **LINEAR, orderFilter="Order")
        assert (len(answer.result["list"]), answer.result["success"]) == (5, "1")
        assert [row["orderLinkId"] for row in await client.open_orders()] == [cid("s")]


async def test_other_categories_hold_nothing_and_take_nothing() -> None:
    async with bybit(FLAT, CALM) as client:
        await client.order("Buy")
        await client.server.advance()
        for path in ("/v5/position/list", "/v5/order/realtime", "/v5/order/history", "/v5/execution/list"):
            asked = {"symbol": SYMBOL, "orderLinkId": cid("e")}
            assert (await client.get(path, category="inverse", **asked))["list"] == []
            assert (await client.signed("GET", path, category="moon", **asked)).code == 10001
        assert (await client.get("/v5/account/fee-rate", category="spot"))["list"] == []
        for path in ("/v5/order/create", "/v5/order/cancel-all", "/v5/order/amend", "/v5/position/trading-stop"):
            assert (await client.post(path, category="inverse", symbol=SYMBOL)).code == 10001


async def test_a_batch_says_of_each_order_what_came_of_it() -> None:
    async with bybit(CALM) as client:
        good = {"symbol": SYMBOL, "side": "Buy", "orderType": "Limit", "qty": "1", "price": "95", "orderLinkId": "b-1"}
        stop = {"symbol": SYMBOL, "side": "Sell", "orderType": "Market", "qty": "1", "triggerPrice": "98"}
        stop |= {"triggerDirection": 2, "reduceOnly": True}
        answer = await client.post("/v5/order/create-batch", category="linear", request=[good, stop, good])
        assert [row["orderLinkId"] for row in answer.result["list"]] == ["b-1", "", "b-1"]
        assert [each["code"] for each in answer.beside["list"]] == [0, 0, 110072]
        assert len(await client.open_orders()) == 2
        for wrong in ([], [good] * 21, "all", [["nonsense"]]):
            assert (await client.post("/v5/order/create-batch", category="linear", request=wrong)).code == 10001


async def test_ten_conditional_orders_wait_and_no_more() -> None:
    async with bybit(CALM) as client:
        wait = {"triggerPrice": "95", "triggerDirection": 2, "reduceOnly": True}
        codes = [(await client.order("Sell", "Market", "s", **wait, orderLinkId=f"s-{n}")).code for n in range(11)]
        assert codes == [0] * 10 + [110009]


# --- trades


async def test_a_bracket_of_an_attached_stop_and_a_target_is_played_and_told() -> None:
    async with bybit(FLAT, RISE, FALL, CALM) as client:
        _, _, ack, _ = await client.order("Buy", qty="2", stopLoss="95", tpslMode="Full")
        await client.server.advance()
        (stop,) = await client.open_orders()
        told = ("orderLinkId", "parentOrderLinkId", "orderStatus", "stopOrderType", "createType", "triggerPrice")
        assert [stop[name] for name in told] == [
            "",
            cid("e"),
            "Untriggered",
            "StopLoss",
            "CreateByStopLoss",
            "95",
        ]
        assert (stop["qty"], stop["side"], stop["reduceOnly"], stop["closeOnTrigger"], stop["triggerDirection"]) == (
            "2",
            "Sell",
            True,
            True,
            2,
        )
        assert (await client.order("Sell", "Limit", "1", price="105")).code == 0
        await client.server.advance(START + 2)
        (stop,) = await client.open_orders()
        assert (stop["qty"], stop["triggerPrice"]) == ("1", "95")  # it is as large as the position
        assert (await client.stop_at("100")).code == 0
        assert (await client.stop_at("100")).code == 34040
        await client.server.advance(START + 3)
        trades = await client.trades()
        kept = ("orderLinkId", "execPrice", "execQty", "execFee", "isMaker", "stopOrderType", "closedSize", "execType")
        assert [[row[name] for name in kept] for row in trades] == [
            ["", "99.9", "1", "0.04995000", False, "StopLoss", "1", "Trade"],
            [cid("1"), "105", "1", "0.02100000", True, "UNKNOWN", "1", "Trade"],
            [cid("e"), "100.1", "2", "0.10010000", False, "UNKNOWN", "0", "Trade"],
        ]
        assert [row["seq"] for row in trades] == [3, 2, 1]
        assert len({row["execId"] for row in trades}) == 3
        assert trades[0]["orderId"] == stop["orderId"]
        assert trades[-1]["orderId"] == ack["orderId"]
        (ended,) = (await client.get("/v5/order/history", **LINEAR, orderId=stop["orderId"]))["list"]
        assert (ended["orderStatus"], ended["avgPrice"], ended["cumExecFee"]) == ("Filled", "99.9", "0.04995000")
        assert ended["parentOrderLinkId"] == cid("e")
        assert await client.open_orders() == []


async def test_what_belongs_to_a_position_goes_with_it() -> None:
    async with bybit(FLAT, RISE, CALM) as client:
        await client.order("Buy", stopLoss="95", takeProfit="105")
        await client.server.advance()
        kinds = {row["stopOrderType"]: row["triggerDirection"] for row in await client.open_orders()}
        assert kinds == {"StopLoss": 2, "TakeProfit": 1}
        await client.server.advance(START + 2)
        assert await client.open_orders() == []
        ended = (await client.get("/v5/order/history", **LINEAR))["list"]
        assert {row["stopOrderType"]: (row["orderStatus"], row["cancelType"]) for row in ended} == {
            "": ("Filled", "UNKNOWN"),
            "TakeProfit": ("Filled", "UNKNOWN"),
            "StopLoss": ("Cancelled", "CancelByTpSlTsClear"),
        }


async def test_the_stop_and_the_target_of_a_position_are_set_moved_and_taken_away() -> None:
    async with bybit(FLAT, CALM) as client:
        await client.order("Buy")
        await client.server.advance()
        assert (await client.stop_at("95", takeProfit="110")).code == 0
        assert {row["triggerPrice"] for row in await client.open_orders()} == {"95", "110"}
        assert (await client.stop_at("96", takeProfit="0")).code == 0
        (row,) = await client.open_orders()
        assert (row["triggerPrice"], row["parentOrderLinkId"]) == ("96", cid("e"))
        assert (await client.stop_at("95", takeProfit="99")).code == 10001
        assert [row["triggerPrice"] for row in await client.open_orders()] == ["96"]  # all of it or nothing
        assert (await client.stop_at("0")).code == 0
        assert await client.open_orders() == []
        for wrong in ({"trailingStop": "5"}, {"tpslMode": "Partial"}, {"positionIdx": 2}, {"stopLoss": "95.05"}):
            assert (await client.stop_at("95", **wrong)).code == 10001
        assert (await client.stop_at("", tpslMode="Full")).code == 34040


async def test_a_conditional_order_keeps_its_id_when_it_triggers() -> None:
    async with bybit(FLAT, FALL, CALM) as client:
        await client.order("Buy")
        await client.server.advance()
        wait = {"triggerPrice": "95", "triggerDirection": 2, "triggerBy": "MarkPrice"}
        _, _, ack, _ = await client.order("Sell", "Market", "s", **wait)
        (row,) = await client.open_orders()
        assert (row["orderStatus"], row["stopOrderType"], row["qty"]) == ("Untriggered", "Stop", "1")
        await client.server.advance(START + 2)
        (row,) = await client.open_orders(orderLinkId=cid("s"))
        assert (row["orderId"], row["orderStatus"], row["avgPrice"]) == (ack["orderId"], "Filled", "94.9")
        (trade,) = await client.trades(orderLinkId=cid("s"))
        assert (trade["orderId"], trade["stopOrderType"]) == (ack["orderId"], "Stop")
        assert await client.trades(orderLinkId="other") == []


async def test_an_exit_of_size_zero_closes_the_position_whatever_its_size() -> None:
    async with bybit(FLAT, FLAT, CALM) as client:
        await client.order("Buy", qty="2.5")
        await client.server.advance()
        whole = {"qty": "0", "reduceOnly": True, "closeOnTrigger": True}
        assert (await client.order("Sell", "Market", "x", **whole)).code == 0
        await client.server.advance(START + 2)
        assert (await client.trades())[0]["execQty"] == "2.5"
        assert (await client.position())["side"] == ""


async def test_trades_are_found_by_time_kind_and_page() -> None:
    async with bybit(FLAT, FLAT, FLAT, CALM) as client:
        for number in range(3):
            await client.order("Buy", orderLinkId=f"e-{number}")
            await client.server.advance()
            await client.server.advance(START + number + 1)
        second = (START + 1) * 60_000
        assert [row["orderLinkId"] for row in await client.trades(startTime=second)] == ["e-2", "e-1"]
        assert [row["orderLinkId"] for row in await client.trades(endTime=second)] == ["e-1", "e-0"]
        assert await client.trades(execType="Funding") == []
        page = await client.get("/v5/execution/list", **LINEAR, limit=2)
        rest = await client.get("/v5/execution/list", **LINEAR, limit=2, cursor=page["nextPageCursor"])
        names = [row["orderLinkId"] for row in page["list"] + rest["list"]]
        assert (names, rest["nextPageCursor"]) == (["e-2", "e-1", "e-0"], "")


async def test_a_liquidation_is_a_bust_trade_without_a_name() -> None:
    async with bybit(FLAT, (100.0, 100.0, 50.0, 60.0), CALM) as client:
        await client.order("Buy")
        await client.server.advance()
        await client.server.advance(START + 2)
        bust, _ = await client.trades()
        assert (bust["execType"], bust["orderLinkId"], bust["createType"]) == (
            "BustTrade",
            "",
            "CreateByTakeOver_PassThrough",
        )
        (order,) = (await client.get("/v5/order/history", **LINEAR, orderId=bust["orderId"]))["list"]
        assert (order["orderStatus"], order["createType"]) == ("Filled", "CreateByTakeOver_PassThrough")


async def test_fundings_are_executions_and_a_history_of_rates() -> None:
    due = (START + 1) * 60_000
    async with bybit(FLAT, CALM, funding={SYMBOL: {due: 0.001, due + 60_000: 0.002}}) as client:
        await client.order("Buy")
        await client.server.advance()
        await client.server.advance(START + 1)
        paid, entry = await client.trades()
        assert (paid["execType"], paid["execFee"], paid["feeRate"], paid["execTime"]) == (
            "Funding",
            "0.10000000",
            "0.001",
            str(due),
        )
        assert entry["execType"] == "Trade"
        assert [row["execType"] for row in await client.trades(execType="Funding")] == ["Funding"]
        _, _, rates, _ = await client.ask("/v5/market/funding/history", **LINEAR)
        assert rates["list"] == [{"symbol": SYMBOL, "fundingRate": "0.001", "fundingRateTimestamp": str(due)}]


# --- faults


async def test_an_answer_can_be_lost_though_the_order_was_taken() -> None:
    faults = (Fault(FaultKind.LOST_ANSWER, nth=1), Fault(FaultKind.LOST_ANSWER, nth=2))
    async with bybit(FLAT, CALM, faults=faults) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.order("Buy")
        assert len(await client.open_orders()) == 1
        await client.server.advance()
        with pytest.raises(aiohttp.ClientError):
            await client.stop_at("95")
        assert [row["triggerPrice"] for row in await client.open_orders()] == ["95"]


@pytest.mark.parametrize(("code", "message"), [(110007, "ab not enough for new order"), (110003, "out of range")])
async def test_an_order_can_be_rejected_with_any_code(code: int, message: str) -> None:
    fault = Fault(FaultKind.REJECTED_ORDER, nth=1, code=code, message=message)
    async with bybit(CALM, faults=(fault,)) as client:
        assert (await client.order("Buy"))[:2] == (code, message)
        assert (await client.get("/v5/order/history", **LINEAR))["list"] == []


async def test_an_order_can_be_rejected_after_it_was_acknowledged() -> None:
    async with bybit(CALM, faults=(Fault(FaultKind.REJECTED_ORDER, nth=1),)) as client:
        code, _, ack, _ = await client.order("Buy")
        (row,) = await client.open_orders(orderId=ack["orderId"])
        assert (code, row["orderStatus"], row["rejectReason"]) == (0, "Rejected", "EC_Others")


async def test_a_post_only_order_that_would_take_is_rejected_afterwards_and_one_that_rests_is_a_maker() -> None:
    async with bybit((97.0, 98.0, 96.0, 97.0), CALM) as client:
        _, _, ack, _ = await client.order("Buy", "Limit", price="100", timeInForce="PostOnly", orderLinkId="p-1")
        (row,) = await client.open_orders(orderId=ack["orderId"])
        assert (row["orderStatus"], row["rejectReason"]) == ("Rejected", "EC_PostOnlyWillTakeLiquidity")
        await client.order("Buy", "Limit", price="98", timeInForce="PostOnly")
        assert (await client.open_orders())[0]["timeInForce"] == "PostOnly"
        await client.server.advance()
        (trade,) = await client.trades()
        assert (trade["execPrice"], trade["isMaker"]) == ("98", True)


async def test_a_spot_venue_has_a_market_and_no_account() -> None:
    async with bybit(CALM, venue="bybit") as client:
        (row,) = (await client.ask("/v5/market/instruments-info", category="spot")).result["list"]
        assert (row["priceFilter"]["tickSize"], row["lotSizeFilter"]["basePrecision"]) == ("0.1", "0.001")
        rows = (await client.ask("/v5/market/kline", category="spot", symbol=SYMBOL, interval="1")).result["list"]
        assert len(rows) == 4
        assert (await client.ask("/v5/market/kline", **LINEAR, interval="1")).code == 10001
        async with client.session.post(f"{client.at.http}/v5/order/create", data=json.dumps(LINEAR)) as answer:
            assert answer.status == 404

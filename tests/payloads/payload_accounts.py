"""What our two trading accounts understand: frames of their private streams, and the rows of their REST."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

import aiohttp
from payload_checks import Checks, Reader, numbers
from payload_files import Payload
from payload_markets import Canned

from trading_system.rules.matching import OrderType
from trading_system.secret import Secret
from trading_system.venues.answers import decoded
from trading_system.venues.binance_usdm import rows as usdm
from trading_system.venues.binance_usdm import user_stream as usdm_stream
from trading_system.venues.binance_usdm.account import BinanceUsdm
from trading_system.venues.binance_usdm.stop_children import StopChildren
from trading_system.venues.bybit_linear import outcomes as bybit_outcomes
from trading_system.venues.bybit_linear import rows as bybit
from trading_system.venues.bybit_linear import user_stream as bybit_stream
from trading_system.venues.bybit_linear.position_stops import PositionStops
from trading_system.venues.clock import SystemClock
from trading_system.venues.outcomes import Meaning, meaning_of
from trading_system.venues.port import OrderChanged, OrderStatus, StreamCut, StreamUp, UserEvent, VenueFill

STANDINGS = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.NEW,
    "TRIGGERING": OrderStatus.TRIGGERED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
    "New": OrderStatus.NEW,
    "Untriggered": OrderStatus.NEW,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
}
GRANTED = ('{"success":true,"op":"auth"}', '{"success":true,"op":"subscribe","req_id":"1"}')


class Wire:
    """The other end of a socket that says ``frames`` and ends. ``sent``: what was said to it."""

    close_code = None

    def __init__(self, *frames: str) -> None:
        self._frames = deque(frames)
        self.sent: list[Any] = []

    async def send_str(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def receive(self, **_: float) -> aiohttp.WSMessage:
        await asyncio.sleep(0)  # whoever pings has its turn
        if not self._frames:
            return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)
        return aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, self._frames.popleft(), None)

    async def close(self) -> None:
        """Nothing is open."""


async def heard(payload: Payload) -> tuple[list[UserEvent], Wire]:
    """Return what an account's stream makes of one frame, and the socket it came from; orders keep their names."""
    frame = payload.raw.decode()
    wire = Wire(frame) if payload.venue == "binance_futures" else Wire(*GRANTED, frame)
    opened: list[bool] = []

    async def connect(*_: str) -> Any:
        opened.append(True)
        return wire

    async def nothing() -> Any:
        return ["key", 1, "signature"]

    async def named(symbol: str, order_id: str, client_id: str) -> str:
        return client_id

    async def named_trade(row: bybit.ExecutionRow) -> str:
        return row.own_name

    stream: Any
    if payload.venue == "binance_futures":
        door = usdm_stream.Door(connect, nothing, nothing, named, lambda: bool(opened))
        stream = usdm_stream.UserStream(door, StopChildren(None), SystemClock())
    else:
        signed = bybit_stream.Door(connect, nothing, named_trade, lambda: bool(opened))
        stream = bybit_stream.UserStream(signed, PositionStops(), SystemClock())
    async with asyncio.timeout(5):
        events = [event async for event in stream.events()]
    assert events[0] == StreamUp()
    return events[1:], wire


async def said_nothing(payload: Payload, checks: Checks) -> None:
    """A frame is passed over in silence."""
    events, _ = await heard(payload)
    checks.nothing(events[:-1])
    assert events[-1] == StreamCut("the socket ended with None")


def ends(because: str) -> Reader:
    """A frame ends the stream, for a reason in whose words ``because`` stands: what it hides is read by REST."""

    async def read(payload: Payload, checks: Checks) -> None:
        ((reason,),), _ = await heard(payload)
        assert because in reason, reason
        checks.count += 1

    return read


def _inside(payload: Payload) -> Any:
    """Return an event without what a combined stream wraps around it."""
    said = payload.said
    return said.get("data", said)


async def usdm_order(payload: Payload, checks: Checks) -> None:
    """A trade is a fill, everything else a changed order; a liquidation that begins without a quantity is neither."""
    facts = _inside(payload)["o"]
    events, _ = await heard(payload)
    if facts["x"] in {"TRADE", "CALCULATED"} and float(facts["l"]) > 0:
        price, quantity, fee = numbers(facts["L"], facts["l"], facts["n"])
        fill = (str(facts["t"]), facts["t"], facts["c"], facts["s"], facts["T"], price, quantity, fee, facts["m"])
        checks.same(events[0], VenueFill(*fill))
    elif facts["x"] in {"TRADE", "CALCULATED"}:
        checks.nothing(events[:-1])
    else:
        changed = OrderChanged(facts["c"], facts["s"], STANDINGS[facts["X"]], str(facts["i"]))
        checks.same(events[0], changed)


async def usdm_stop(payload: Payload, checks: Checks) -> None:
    """A changed stop; a finished one was filled if its own order traded, else cancelled."""
    facts = _inside(payload)["o"]
    finished = OrderStatus.FILLED if float(facts.get("aq", 0)) else OrderStatus.CANCELLED
    standing = finished if facts["X"] == "FINISHED" else STANDINGS[facts["X"]]
    (event, _), _ = await heard(payload)
    checks.same(event, OrderChanged(facts["caid"], facts["s"], standing, str(facts["aid"])))


async def bybit_orders(payload: Payload, checks: Checks) -> None:
    """Orders of ours that did not fill; a position's stop has no name of ours here, other categories no business."""
    events, _ = await heard(payload)
    expected = []
    for row in payload.said["data"]:
        named = row.get("orderLinkId") and row.get("stopOrderType") != "StopLoss"
        if row["category"] == "linear" and named and row["orderStatus"] != "Filled":
            why = row["rejectReason"] if row["orderStatus"] == "Rejected" else ""
            order = (row["orderLinkId"], row["symbol"], STANDINGS[row["orderStatus"]], row["orderId"], why)
            expected.append(OrderChanged(*order))
    if expected:
        checks.same(events[:-1], expected)
    else:
        checks.nothing(events[:-1])


async def bybit_trades(payload: Payload, checks: Checks) -> None:
    """Fills of linear contracts, each with the venue's own number; the thin rows of ``execution.fast`` are unasked."""
    events, _ = await heard(payload)
    expected = []
    for row in payload.said["data"]:
        if row["category"] != "linear" or row["execType"] not in {"Trade", "AdlTrade", "BustTrade"}:
            continue
        name = {"AdlTrade": "adl_autoclose", "BustTrade": f"autoclose-{row['orderId']}"}.get(row["execType"])
        price, quantity, fee = numbers(row["execPrice"], row["execQty"], row["execFee"])
        named = (row["execId"], row["seq"], name or row["orderLinkId"], row["symbol"], int(row["execTime"]))
        expected.append(VenueFill(*named, price, quantity, fee, row["isMaker"]))
    if expected:
        checks.same(events[:-1], expected)
    else:
        checks.nothing(events[:-1])


async def bybit_opening(payload: Payload, checks: Checks) -> None:
    """Our requests at the private socket have the words of another client's."""
    said = payload.said
    _, wire = await heard(payload._replace(lines=(b'{"op":"pong"}',)))
    ours = next(one for one in wire.sent if one["op"] == said["op"])
    checks.same(ours["op"], said["op"])
    assert set(ours) <= {*said, "req_id"}, said
    checks.same(len(ours.get("args", ())), len(said.get("args", ())))  # key, expiry and signature


async def bybit_granted(payload: Payload, checks: Checks) -> None:
    """Another client's yes opens our stream as well."""
    frame = decoded(payload.raw, bybit.Frame)
    checks.same((frame.op, frame.success), ("auth", payload.said["success"]))


def _as_list(payload: Payload) -> bytes:
    """Return an answer as a list also where it is about one thing alone."""
    return payload.raw if isinstance(payload.said, list) else b"[%b]" % payload.raw


async def usdm_rows(payload: Payload, checks: Checks) -> None:
    """Orders."""
    said = payload.said if isinstance(payload.said, list) else [payload.said]
    for row, one in zip(decoded(_as_list(payload), list[usdm.OrderRow]), said, strict=True):
        state = row.state()
        checks.same((state.client_id, state.symbol), (one["clientOrderId"], one["symbol"]))
        checks.same((state.venue_id, state.status), (str(one["orderId"]), STANDINGS[one["status"]]))
        checks.same(state.filled, float(one["executedQty"]))


async def usdm_stops(payload: Payload, checks: Checks) -> None:
    """Stops; what a finished one became is asked of its own order."""
    said = payload.said if isinstance(payload.said, list) else [payload.said]
    for row, one in zip(decoded(_as_list(payload), list[usdm.StopRow]), said, strict=True):
        checks.same((str(row.algo_id), row.symbol), (str(one["algoId"]), one["symbol"]))
        child = one.get("actualOrderId", "")
        checks.same(row.child_id(), "" if child == "0" else child)
        if row.algo_status in STANDINGS:
            state = row.state(None)
            checks.same((state.client_id, state.status), (one["clientAlgoId"], STANDINGS[one["algoStatus"]]))


async def usdm_acknowledged(payload: Payload, checks: Checks) -> None:
    """The venue's number of what it took."""
    said = payload.said
    if "algoId" in said:
        checks.same(decoded(payload.raw, usdm.AckedStop).algo_id, said["algoId"])
    else:
        checks.same(decoded(payload.raw, usdm.AckedOrder).order_id, said["orderId"])


async def usdm_accepted(payload: Payload, checks: Checks) -> None:
    """The account takes the answer for a yes; nothing in it is needed."""
    http = Canned(payload.raw)
    secret = Secret("secret")
    account = BinanceUsdm("http://127.0.0.1:1", "ws://127.0.0.1:1", Secret("key"), secret)
    account._session, account._offset = http, 0
    method, path = payload.kind.split(" ")
    match path:
        case "/fapi/v1/leverage":
            await account.set_leverage("BTCUSDT", 21)
        case "/fapi/v1/marginType":
            await account.set_isolated_margin("BTCUSDT")
        case "/fapi/v1/algoOrder":
            await account.cancel("BTCUSDT", "name", OrderType.STOP)
        case _:
            await account.cancel("BTCUSDT", "name", OrderType.LIMIT)
    checks.same(http.asked, [(method, path)])


async def usdm_trades(payload: Payload, checks: Checks) -> None:
    """Trades of ours."""
    for row, one in zip(decoded(payload.raw, list[usdm.TradeRow]), payload.said, strict=True):
        price, quantity, fee = numbers(one["price"], one["qty"], one["commission"])
        fill = (str(one["id"]), one["id"], "name", one["symbol"], one["time"], price, quantity, fee, one["maker"])
        checks.same(row.fill("name"), VenueFill(*fill))
        checks.same(row.order_id, one["orderId"])


async def usdm_positions(payload: Payload, checks: Checks) -> None:
    """Positions."""
    for row, one in zip(decoded(payload.raw, list[usdm.PositionRow]), payload.said, strict=True):
        checks.same(row.symbol, one["symbol"])
        checks.same((row.position_amt, row.entry_price), numbers(one["positionAmt"], one["entryPrice"]))
        held = usdm.position_of(row.symbol, [row])
        checks.same(held.quantity, float(one["positionAmt"]))


async def usdm_terms(payload: Payload, checks: Checks) -> None:
    """Small answers, by the fields that they have: fees, margins of brackets, the position mode, the stream's key."""
    said = payload.said
    if "commissionRate" in payload.kind:
        fees = decoded(payload.raw, usdm.CommissionRow)
        ours = (fees.maker_commission_rate, fees.taker_commission_rate)
        checks.same(ours, numbers(said["makerCommissionRate"], said["takerCommissionRate"]))
    elif "leverageBracket" in payload.kind:
        for row, one in zip(decoded(payload.raw, list[usdm.BracketsRow]), said, strict=True):
            checks.same(row.symbol, one["symbol"])
            margins = [bracket.maint_margin_ratio for bracket in row.brackets]
            checks.same(margins, [bracket["maintMarginRatio"] for bracket in one["brackets"]])
    elif "positionSide" in payload.kind:
        mode = decoded(payload.raw, usdm.PositionMode)
        checks.same(mode.dualSidePosition, said["dualSidePosition"])
    else:
        checks.same(decoded(payload.raw, usdm.ListenKey).listenKey, said["listenKey"])


async def bybit_accepted(payload: Payload, checks: Checks) -> None:
    """The envelope says yes; of an order its number is kept."""
    said = payload.said
    envelope = decoded(payload.raw, bybit.Envelope)
    checks.same((envelope.ret_code, envelope.ret_msg), (said["retCode"], said["retMsg"]))
    meaning = meaning_of(200, envelope.ret_code, envelope.ret_msg, bybit_outcomes.TABLE)
    checks.same(meaning, Meaning.DONE)
    if "orderId" in said["result"]:
        checks.same(decoded(envelope.result, bybit.AckedOrder).order_id, said["result"]["orderId"])


async def bybit_rows(payload: Payload, checks: Checks) -> None:
    """Orders, of which those of other categories keep their own names."""
    result = decoded(payload.raw, bybit.Envelope).result
    page = decoded(result, bybit.Page[bybit.OrderRow])
    for row, one in zip(page.rows, payload.said["result"]["list"], strict=True):
        state = row.state(row.order_link_id)
        checks.same((state.client_id, state.symbol), (one["orderLinkId"], one["symbol"]))
        checks.same((state.venue_id, state.status), (one["orderId"], STANDINGS[one["orderStatus"]]))
        checks.same((state.filled, row.stop_order_type), (float(one["cumExecQty"]), one["stopOrderType"]))
    checks.same(page.next_page_cursor, payload.said["result"].get("nextPageCursor"))


async def bybit_executions(payload: Payload, checks: Checks) -> None:
    """Trades of ours."""
    result = decoded(payload.raw, bybit.Envelope).result
    page = decoded(result, bybit.Page[bybit.ExecutionRow])
    for row, one in zip(page.rows, payload.said["result"]["list"], strict=True):
        named = (one["execId"], one["seq"], "name", one["symbol"], int(one["execTime"]))
        values = numbers(one["execPrice"], one["execQty"], one["execFee"])
        checks.same(row.fill("name"), VenueFill(*named, *values, one["isMaker"]))


async def bybit_positions(payload: Payload, checks: Checks) -> None:
    """Positions, short ones below zero."""
    result = decoded(payload.raw, bybit.Envelope).result
    page = decoded(result, bybit.Page[bybit.PositionRow])
    for row, one in zip(page.rows, payload.said["result"]["list"], strict=True):
        side = {"Buy": 1, "Sell": -1}.get(one["side"], 0)
        held = bybit.position_of(row.symbol, [row])
        checks.same((row.symbol, row.position_idx), (one["symbol"], one["positionIdx"]))
        checks.same(held.quantity, side * float(one["size"]))
        if side:
            checks.same(held.entry_price, float(one["avgPrice"]))


async def bybit_fees(payload: Payload, checks: Checks) -> None:
    """Fees."""
    result = decoded(payload.raw, bybit.Envelope).result
    for row, one in zip(decoded(result, bybit.Page[bybit.FeeRow]).rows, payload.said["result"]["list"], strict=True):
        ours = (row.symbol, row.taker_fee_rate, row.maker_fee_rate)
        checks.same(ours, (one["symbol"], *numbers(one["takerFeeRate"], one["makerFeeRate"])))


async def bybit_margins(payload: Payload, checks: Checks) -> None:
    """Maintenance margins, as parts of one whatever unit the answer has."""
    result = decoded(payload.raw, bybit.Envelope).result
    for row, one in zip(decoded(result, bybit.Page[bybit.RiskRow]).rows, payload.said["result"]["list"], strict=True):
        checks.same((row.symbol, row.is_lowest_risk), (one["symbol"], one["isLowestRisk"]))
        unit = float(one["initialMargin"]) * float(one["maxLeverage"])
        checks.same(round(row.maintenance() * unit, 12), float(one["maintenanceMargin"]))

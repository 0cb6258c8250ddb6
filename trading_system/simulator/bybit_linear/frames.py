"""The shapes of Bybit v5 on the wire for candles, orders and trades. It decides nothing."""

from __future__ import annotations

from typing import Any

from trading_system.rules.grid import Grid, text_of
from trading_system.rules.matching import MINUTE_MS, OrderType, Role
from trading_system.simulator.bybit_linear import names
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import LIQUIDATED, Funding, Trade, VenueOrder
from trading_system.simulator.tape import Row

Json = dict[str, Any]


def kline_frame(symbol: str, row: Row, *, closed: bool, step: Grid) -> str:
    """Return the payload of one kline topic of 1m.

    The running one is a truthful moment of the same minute, when price stood at its high: whoever takes it for a
    closed candle has a wrong candle.
    """
    if closed:
        event, low, close, volume = row.open_time + MINUTE_MS, row.low, row.close, row.volume
    else:
        event, low, close = row.open_time + MINUTE_MS // 2, row.open, row.high
        volume = step.price(step.units(row.volume) // 2)
    return (
        f'{{"topic":"kline.1.{symbol}","data":[{{"start":{row.open_time},"end":{row.open_time + MINUTE_MS - 1},'
        f'"interval":"1","open":"{text_of(row.open)}","close":"{text_of(close)}","high":"{text_of(row.high)}",'
        f'"low":"{text_of(low)}","volume":"{text_of(volume)}","turnover":"{money(volume * close)}",'
        f'"confirm":{"true" if closed else "false"},"timestamp":{event}}}],"ts":{event},"type":"snapshot"}}'
    )


def kline_row(row: Row) -> list[str]:
    """Return one row of ``GET /v5/market/kline``."""
    prices = (text_of(row.open), text_of(row.high), text_of(row.low), text_of(row.close), text_of(row.volume))
    return [str(row.open_time), *prices, money(row.volume * row.close)]


def order_row(order: VenueOrder, exchange: Exchange) -> Json:
    """Return an order as a query and the ``order`` topic show it."""
    asked = exchange.orders[order.parent] if order.parent else order
    quantity = _quantity(order, exchange)
    left = quantity if order.open else 0.0
    carries = bool(asked.stop or asked.target)
    return {
        "category": "linear",
        "symbol": order.symbol,
        "orderId": names.id_of(order),
        "orderLinkId": names.link_of(asked),
        "parentOrderLinkId": _parent_link(asked, exchange),
        "blockTradeId": "",
        "side": names.SIDES[order.side],
        "positionIdx": 0,
        "orderStatus": names.status_of(order),
        "createType": names.creator_of(asked, _role(order, asked)),
        "cancelType": _why_cancelled(asked, exchange),
        "rejectReason": _why_rejected(order),
        "timeInForce": _duration(order),
        "isLeverage": "",
        "price": text_of(order.price) if order.type == OrderType.LIMIT else "",
        "qty": text_of(quantity),
        "avgPrice": text_of(order.average) if order.filled else "",
        "leavesQty": text_of(left),
        "leavesValue": text_of(left * order.price),
        "cumExecQty": text_of(order.filled),
        "cumExecValue": text_of(order.filled * order.average),
        "cumExecFee": money(order.fee),
        "cumFeeDetail": {"USDT": money(order.fee)} if order.filled else {},
        "orderType": names.KINDS[order.type],
        "stopOrderType": names.stop_kind(asked),
        "orderIv": "",
        "triggerPrice": text_of(asked.price) if asked.algo else "",
        "takeProfit": text_of(asked.target) if asked.target else "",
        "stopLoss": text_of(asked.stop) if asked.stop else "",
        "tpslMode": "Full" if carries or asked.entry else "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "tpTriggerBy": "LastPrice" if asked.target else "",
        "slTriggerBy": "LastPrice" if asked.stop else "",
        "triggerDirection": names.direction_of(asked),
        "triggerBy": "LastPrice" if asked.algo else "",
        "lastPriceOnCreated": "",
        "reduceOnly": asked.reduce_only or asked.close_position,
        "closeOnTrigger": asked.close_position,
        "placeType": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "feeCurrency": "",
        "createdTime": str(asked.created),
        "updatedTime": str(order.updated),
    }


def execution_row(trade: Trade, exchange: Exchange) -> Json:
    """Return a trade as ``GET /v5/execution/list`` and the ``execution`` topic show it."""
    order = exchange.orders[trade.order]
    asked = exchange.orders[order.parent] if order.parent else order
    instrument = exchange.books[trade.symbol].instrument
    return {
        "category": "linear",
        "symbol": trade.symbol,
        "orderId": names.id_of(order),
        "orderLinkId": names.link_of(asked),
        "parentOrderLinkId": _parent_link(asked, exchange),
        "side": names.SIDES[trade.side],
        "orderPrice": text_of(order.price),
        "orderQty": text_of(order.quantity),
        "leavesQty": "0",
        "orderType": names.KINDS[order.type],
        "stopOrderType": names.stop_kind(asked) or "UNKNOWN",
        "createType": names.creator_of(asked, trade.role),
        "execFee": money(trade.fee),
        "execId": names.execution_id(trade),
        "execPrice": text_of(trade.price),
        "execQty": text_of(trade.quantity),
        "execType": _kind_of(trade),
        "execValue": money(trade.price * trade.quantity),
        "execTime": str(trade.time),
        "feeCurrency": "USDT",
        "isLeverage": "0",
        "isMaker": trade.maker,
        "feeRate": text_of(instrument.maker_fee if trade.maker else instrument.taker_fee),
        "tradeIv": "",
        "markIv": "",
        "markPrice": text_of(trade.price),
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": text_of(trade.closed),
        "execPnl": money(trade.realised),
        "marketUnit": "",
        "seq": trade.id,
    }


def fast_execution_row(trade: Trade, exchange: Exchange) -> Json:
    """Return a trade as the ``execution.fast`` topic shows it."""
    row = execution_row(trade, exchange)
    kept = ("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "orderLinkId", "side")
    return {**{name: row[name] for name in kept}, "execTime": row["execTime"], "seq": row["seq"]}


def funding_row(funding: Funding) -> Json:
    """Return a funding as an execution: what was paid is its fee, and what it was paid for its size."""
    return {
        "category": "linear",
        "symbol": funding.symbol,
        "orderId": names.execution_id(funding),
        "orderLinkId": "",
        "parentOrderLinkId": "",
        "side": names.SIDES[funding.side],
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "createType": "",
        "execFee": money(funding.paid),
        "execId": names.execution_id(funding),
        "execPrice": text_of(funding.price),
        "execQty": text_of(funding.quantity),
        "execType": "Funding",
        "execValue": money(funding.price * funding.quantity),
        "execTime": str(funding.time),
        "feeCurrency": "USDT",
        "isLeverage": "0",
        "isMaker": False,
        "feeRate": text_of(funding.rate),
        "tradeIv": "",
        "markIv": "",
        "markPrice": text_of(funding.price),
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": "0",
        "execPnl": "0",
        "marketUnit": "",
        "seq": funding.trade,
    }


def money(value: float) -> str:
    """Return an amount of quote currency with its eight decimals."""
    return f"{value:.8f}"


def _quantity(order: VenueOrder, exchange: Exchange) -> float:
    """Return an order's size; what closes the whole position has the position's."""
    return exchange.books[order.symbol].position.held if order.close_position and order.open else order.quantity


def _parent_link(order: VenueOrder, exchange: Exchange) -> str:
    return names.link_of(exchange.orders[order.entry]) if order.entry else ""


def _role(order: VenueOrder, asked: VenueOrder) -> Role:
    """Return what an order is there for; the exchange's own, which ends a position, has its name from it."""
    return Role.LIQUIDATION if order.client_id == f"{LIQUIDATED}{order.number}" else asked.role


def _kind_of(trade: Trade) -> str:
    if trade.settles:
        return "Delivery"
    return "BustTrade" if trade.role == Role.LIQUIDATION else "Trade"


def _why_cancelled(order: VenueOrder, exchange: Exchange) -> str:
    if order.status == "EXPIRED":
        return "CancelByReduceOnly"
    if order.status != "CANCELED":
        return "UNKNOWN"
    ended = exchange.books[order.symbol].ended_after
    if ended is not None and order.updated >= ended * MINUTE_MS:
        return "CancelBySettle"
    return "CancelByTpSlTsClear" if order.entry else "CancelByUser"


def _why_rejected(order: VenueOrder) -> str:
    if order.status != "REJECTED":
        return "EC_NoError"
    return "EC_PostOnlyWillTakeLiquidity" if order.post_only else "EC_Others"


def _duration(order: VenueOrder) -> str:
    if order.type != OrderType.LIMIT:
        return "IOC"
    return "PostOnly" if order.post_only else "GTC"

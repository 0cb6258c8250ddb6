"""The shapes of Bybit v5 on the wire for candles, orders, trades, positions and the wallet. It decides nothing."""

from __future__ import annotations

from typing import Any

from trading_system.rules.grid import Grid, text_of
from trading_system.rules.matching import MINUTE_MS, OrderType
from trading_system.simulator.books import Book
from trading_system.simulator.bybit_linear import names
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import Trade, VenueOrder
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
        f'"low":"{text_of(low)}","volume":"{text_of(volume)}","turnover":"{volume * close:.8f}",'
        f'"confirm":{"true" if closed else "false"},"timestamp":{event}}}],"ts":{event},"type":"snapshot"}}'
    )


def kline_row(row: Row) -> list[str]:
    """Return one row of ``GET /v5/market/kline``."""
    prices = (text_of(row.open), text_of(row.high), text_of(row.low), text_of(row.close), text_of(row.volume))
    return [str(row.open_time), *prices, f"{row.volume * row.close:.8f}"]


def order_row(order: VenueOrder, exchange: Exchange) -> Json:
    """Return an order as a query and the ``order`` topic show it."""
    entry = exchange.orders[order.entry] if order.entry else None
    parent = exchange.orders[order.parent] if order.parent else None
    asked = parent or order
    conditional = asked.algo
    quantity = _quantity(order, exchange)
    return {
        "orderId": names.id_of(order),
        "orderLinkId": asked.client_id,
        "parentOrderLinkId": _parent_link(asked, exchange),
        "blockTradeId": "",
        "symbol": order.symbol,
        "price": text_of(order.price) if order.type == OrderType.LIMIT else "",
        "qty": text_of(quantity),
        "side": names.SIDES[order.side],
        "isLeverage": "",
        "positionIdx": 0,
        "orderStatus": names.status_of(order),
        "createType": "CreateByStopLoss" if entry else "CreateByUser",
        "cancelType": "CancelByUser" if order.status == "CANCELED" else "UNKNOWN",
        "rejectReason": "EC_NoEnoughQtyToFill" if order.status == "REJECTED" else "EC_NoError",
        "avgPrice": text_of(order.average) if order.filled else "",
        "leavesQty": text_of(quantity if order.open else 0.0),
        "leavesValue": "0",
        "cumExecQty": text_of(order.filled),
        "cumExecValue": text_of(order.filled * order.average),
        "cumExecFee": "0",
        "timeInForce": "GTC" if order.type == OrderType.LIMIT else "IOC",
        "orderType": names.KINDS[order.type],
        "stopOrderType": names.stop_kind(asked),
        "orderIv": "",
        "triggerPrice": text_of(asked.price) if conditional else "",
        "takeProfit": "",
        "stopLoss": text_of(order.stop) if order.stop else "",
        "tpslMode": "Full" if order.stop or entry else "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "tpTriggerBy": "",
        "slTriggerBy": "LastPrice" if order.stop else "",
        "triggerDirection": (1 if asked.side > 0 else 2) if conditional else 0,
        "triggerBy": "LastPrice" if conditional else "",
        "lastPriceOnCreated": "",
        "reduceOnly": order.reduce_only or order.close_position,
        "closeOnTrigger": order.close_position,
        "placeType": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": str(order.created),
        "updatedTime": str(order.updated),
        "category": "linear",
    }


def execution_row(trade: Trade, exchange: Exchange) -> Json:
    """Return a trade as ``GET /v5/execution/list`` and the ``execution`` topic show it."""
    order = exchange.orders[trade.order]
    asked = exchange.orders[order.parent] if order.parent else order
    closes = trade.realised != 0.0 or trade.role.name != "ENTRY"
    return {
        "symbol": trade.symbol,
        "orderId": names.id_of(order),
        "orderLinkId": asked.client_id,
        "parentOrderLinkId": _parent_link(asked, exchange),
        "side": names.SIDES[trade.side],
        "orderPrice": text_of(order.price),
        "orderQty": text_of(order.quantity),
        "leavesQty": "0",
        "orderType": names.KINDS[order.type],
        "stopOrderType": names.stop_kind(asked) or "UNKNOWN",
        "createType": "CreateByStopLoss" if asked.entry else "CreateByUser",
        "execFee": f"{trade.fee:.8f}",
        "execId": names.execution_id(trade),
        "execPrice": text_of(trade.price),
        "execQty": text_of(trade.quantity),
        "execType": "BustTrade" if trade.role.name == "LIQUIDATION" else "Trade",
        "execValue": f"{trade.price * trade.quantity:.8f}",
        "execTime": str(trade.time),
        "feeCurrency": "USDT",
        "isMaker": trade.maker,
        "feeRate": text_of(round(trade.fee / (trade.price * trade.quantity), 10)),
        "tradeIv": "",
        "markIv": "",
        "markPrice": text_of(trade.price),
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": text_of(trade.quantity) if closes else "0",
        "execPnl": f"{trade.realised:.8f}",
        "seq": trade.id,
        "category": "linear",
    }


def position_row(book: Book) -> Json:
    """Return a position as ``GET /v5/position/list`` and the ``position`` topic show it; flat ones have no side."""
    position, stop = book.position, book.position_stop
    return {
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": "1000000000",
        "symbol": book.instrument.symbol,
        "side": names.SIDES.get(position.side, ""),
        "size": text_of(position.held),
        "avgPrice": text_of(position.entry),
        "entryPrice": text_of(position.entry),
        "positionValue": f"{position.entry * position.held:.8f}",
        "tradeMode": 1,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 0,
        "leverage": str(book.leverage),
        "positionBalance": f"{book.initial_margin:.8f}",
        "markPrice": text_of(book.last),
        "liqPrice": text_of(book.liquidation) if position.side else "",
        "bustPrice": "",
        "positionMM": f"{book.maintenance:.8f}",
        "positionIM": f"{book.initial_margin:.8f}",
        "tpslMode": "Full",
        "takeProfit": "",
        "stopLoss": "" if stop is None else text_of(stop.price),
        "trailingStop": "0",
        "unrealisedPnl": f"{book.unrealised:.8f}",
        "curRealisedPnl": "0",
        "cumRealisedPnl": "0",
        "seq": position.changed,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": str(position.changed),
        "updatedTime": str(position.changed),
        "category": "linear",
    }


def wallet_row(exchange: Exchange) -> Json:
    """Return the account as ``GET /v5/account/wallet-balance`` and the ``wallet`` topic show it."""
    books = exchange.books.values()
    profit = sum(book.unrealised for book in books)
    wallet, equity, free = (
        f"{value:.8f}" for value in (exchange.wallet, exchange.wallet + profit, exchange.available())
    )
    held = sum(book.initial_margin for book in books)
    waiting = sum(book.margin for book in books) - held
    coin = {
        "coin": "USDT",
        "equity": equity,
        "usdValue": equity,
        "walletBalance": wallet,
        "availableToWithdraw": free,
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": f"{waiting:.8f}",
        "totalPositionIM": f"{held:.8f}",
        "totalPositionMM": f"{sum(book.maintenance for book in books):.8f}",
        "unrealisedPnl": f"{profit:.8f}",
        "cumRealisedPnl": "0",
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "locked": "0",
        "spotHedgingQty": "0",
    }
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": "0",
        "accountMMRate": "0",
        "totalEquity": equity,
        "totalWalletBalance": wallet,
        "totalMarginBalance": equity,
        "totalAvailableBalance": free,
        "totalPerpUPL": f"{profit:.8f}",
        "totalInitialMargin": f"{held + waiting:.8f}",
        "totalMaintenanceMargin": coin["totalPositionMM"],
        "coin": [coin],
    }


def _quantity(order: VenueOrder, exchange: Exchange) -> float:
    """Return an order's size; a stop that belongs to the position has the position's."""
    return exchange.books[order.symbol].position.held if order.close_position and order.open else order.quantity


def _parent_link(order: VenueOrder, exchange: Exchange) -> str:
    return exchange.orders[order.entry].client_id if order.entry else ""

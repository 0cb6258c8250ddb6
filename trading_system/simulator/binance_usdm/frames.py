"""The shapes of Binance USDT-M on the wire for candles, orders, trades and their events. It decides nothing."""

from __future__ import annotations

from typing import Any

from trading_system.rules.grid import Grid, text_of
from trading_system.rules.matching import MINUTE_MS, OrderType
from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.tape import Row

Json = dict[str, Any]
_KINDS = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_MARKET",
    OrderType.TOUCH: "TAKE_PROFIT_MARKET",
}


def money(value: float) -> str:
    """Return an amount of quote currency with its eight decimals."""
    return f"{value:.8f}"


def side_name(side: int) -> str:
    """Return BUY or SELL."""
    return "BUY" if side > 0 else "SELL"


def kline_frame(symbol: str, row: Row, *, closed: bool, step: Grid) -> str:
    """Return the payload of one kline event of 1m.

    The running one is a truthful moment of the same minute, when price stood at its high: whoever takes it for a
    closed candle has a wrong candle. A minute has one trade, whose number is the minute's; one without volume has none,
    which the venue says as a count of 0 and numbers of -1.
    """
    if closed:
        event, low, close, volume = row.open_time + MINUTE_MS, row.low, row.close, row.volume
    else:
        event, low, close = row.open_time + MINUTE_MS // 2, row.open, row.high
        volume = step.price(step.units(row.volume) // 2)
    traded = volume > 0
    trade = row.open_time // MINUTE_MS if traded else -1
    return (
        f'{{"e":"kline","E":{event},"s":"{symbol}","k":{{"t":{row.open_time},"T":{row.open_time + MINUTE_MS - 1},'
        f'"s":"{symbol}","i":"1m","f":{trade},"L":{trade},"o":"{text_of(row.open)}","c":"{text_of(close)}",'
        f'"h":"{text_of(row.high)}","l":"{text_of(low)}","v":"{text_of(volume)}","n":{int(traded)},'
        f'"x":{"true" if closed else "false"},"q":"{volume * close:.8f}","V":"0","Q":"0","B":"0"}}}}'
    )


def shutdown_notice(now: int, *, combined: bool) -> bytes:
    """Return the notice that this server goes away; ``now`` in ms UTC."""
    said = f'{{"e":"serverShutdown","E":{now}}}'
    return (f'{{"stream":"!serverShutdown","data":{said}}}' if combined else said).encode()


def kline_row(row: Row) -> list[Any]:
    """Return one row of ``GET /fapi/v1/klines``."""
    prices = (text_of(row.open), text_of(row.high), text_of(row.low), text_of(row.close), text_of(row.volume))
    turnover = money(row.volume * row.close)
    return [
        row.open_time,
        *prices,
        row.open_time + MINUTE_MS - 1,
        turnover,
        1 if row.volume else 0,
        "0",
        "0",
        "0",
    ]


def order_ack(order: VenueOrder) -> Json:
    """Return the answer to a new or cancelled order; it has no average price and no cumulated quote amount."""
    kind = _KINDS[order.type]
    return {
        "orderId": order.number,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": text_of(order.price),
        "origQty": text_of(order.quantity),
        "executedQty": text_of(order.filled),
        "cumQty": text_of(order.filled),
        "timeInForce": _duration(order),
        "type": kind,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": side_name(order.side),
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "updateTime": order.updated,
    }


def order_row(order: VenueOrder) -> Json:
    """Return an order as a query shows it."""
    quote = text_of(order.average * order.filled)
    return {**order_ack(order), "avgPrice": text_of(order.average), "cumQuote": quote, "time": order.created}


def algo_ack(order: VenueOrder) -> Json:
    """Return the answer to a new conditional order."""
    return {
        "algoId": order.number,
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": _KINDS[order.type],
        "symbol": order.symbol,
        "side": side_name(order.side),
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": text_of(order.quantity),
        "algoStatus": order.status,
        "triggerPrice": text_of(order.price),
        "price": "0.00",
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": False,
        "reduceOnly": order.reduce_only or order.close_position,
        "activatePrice": "",
        "callbackRate": "",
        "createTime": order.created,
        "updateTime": order.updated,
        "triggerTime": order.updated if order.child else 0,
        "goodTillDate": 0,
    }


def algo_row(order: VenueOrder) -> Json:
    """Return a conditional order as a query shows it; ``actualOrderId`` is the order that it became."""
    became: Json = {"actualOrderId": "", "actualPrice": "0.00000"}
    if order.child:
        became = {
            "actualOrderId": str(order.child),
            "actualPrice": text_of(order.average),
            "actualQty": text_of(order.filled),
            "actualType": "MARKET",
        }
    return {**algo_ack(order), **became}


def trade_row(trade: Trade) -> Json:
    """Return one row of ``GET /fapi/v1/userTrades``."""
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order,
        "side": side_name(trade.side),
        "price": text_of(trade.price),
        "qty": text_of(trade.quantity),
        "realizedPnl": money(trade.realised),
        "quoteQty": money(trade.price * trade.quantity),
        "commission": money(trade.fee),
        "commissionAsset": "USDT",
        "time": trade.time,
        "positionSide": "BOTH",
        "buyer": trade.side > 0,
        "maker": trade.maker,
    }


def order_event(order: VenueOrder, execution: str, trade: Trade | None, now: int) -> Json:
    """Return an ORDER_TRADE_UPDATE; ``T`` of a trade is the time of the fill, ``E`` never goes back."""
    time = now if trade is None else trade.time
    kind = _KINDS[order.type]
    said: Json = {
        "s": order.symbol,
        "c": order.client_id,
        "S": side_name(order.side),
        "o": kind,
        "f": _duration(order),
        "q": text_of(order.quantity),
        "p": text_of(order.price),
        "ap": text_of(order.average),
        "sp": "0",
        "x": execution,
        "X": order.status,
        "i": order.number,
        "l": "0" if trade is None else text_of(trade.quantity),
        "z": text_of(order.filled),
        "L": "0" if trade is None else text_of(trade.price),
        "n": "0" if trade is None else money(trade.fee),
        "N": "USDT",
        "T": time,
        "t": 0 if trade is None else trade.id,
        "b": "0",
        "a": "0",
        "m": trade is not None and trade.maker,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": kind,
        "ps": "BOTH",
        "cp": False,
        "rp": "0" if trade is None else money(trade.realised),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
        "er": "0",
    }
    return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": time, "o": said}


def algo_event(order: VenueOrder, now: int) -> Json:
    """Return an ALGO_UPDATE; ``ai`` names the order that a triggered one became."""
    said: Json = {
        "caid": order.client_id,
        "aid": order.number,
        "at": "CONDITIONAL",
        "o": _KINDS[order.type],
        "s": order.symbol,
        "S": side_name(order.side),
        "ps": "BOTH",
        "f": "GTC",
        "q": text_of(order.quantity),
        "X": order.status,
        "ai": str(order.child) if order.child else "",
        "ap": text_of(order.average),
        "aq": text_of(order.filled),
        "act": "MARKET" if order.child else "0",
        "tp": text_of(order.price),
        "p": "0",
        "V": "EXPIRE_MAKER",
        "wt": "CONTRACT_PRICE",
        "pm": "NONE",
        "cp": order.close_position,
        "pP": False,
        "R": order.reduce_only,
        "tt": order.updated if order.child else 0,
        "gtd": 0,
    }
    return {"e": "ALGO_UPDATE", "T": order.updated, "E": now, "o": said}


def _duration(order: VenueOrder) -> str:
    return "GTX" if order.post_only else "GTC"

"""Reads an order request off the wire and holds its texts against the instrument's filters.

What depends on the market or the account (margin, reduce-only, a trigger already passed) is the exchange's to refuse.
"""

from __future__ import annotations

import re

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import OrderType
from trading_system.simulator.bybit_linear.names import FALL, RISE
from trading_system.simulator.bybit_linear.parameters import Params, flag, required, text
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import OrderRequest

_LINK_ID = re.compile(r"[0-9A-Za-z_-]{0,36}")
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_SIDES = {"Buy": 1, "Sell": -1}
_DIRECTIONS = {str(RISE): RISE, str(FALL): FALL}
_TRIGGERS = frozenset({"", "LastPrice", "MarkPrice", "IndexPrice"})  # here all of them are the last price
_NOTHING = frozenset({"", "0"})


def read_order(params: Params, exchange: Exchange) -> OrderRequest:
    """Return the request of ``POST /v5/order/create``: market, limit, or market at a trigger; what it carries as well.

    Raises: CodedRefusalError with the code of the first rule that a parameter breaks.
    """
    instrument = exchange.book(required(params, "symbol")).instrument
    side, kind = _side(params), required(params, "orderType")
    if kind not in {"Market", "Limit"}:
        raise CodedRefusalError(10001, "orderType invalid")
    reduce, close = flag(params, "reduceOnly"), flag(params, "closeOnTrigger")
    whole = reduce and close and text(params, "qty") == "0"  # all of the position, whatever it is then
    request = OrderRequest(
        symbol=instrument.symbol,
        side=side,
        type=OrderType.MARKET,
        quantity=0.0 if whole else quantity(required(params, "qty"), instrument),
        client_id=link_id(params),
        reduce_only=reduce and not whole,
        close_position=whole,
        stop=position_price(params, "stopLoss", "sl", instrument),
        target=position_price(params, "takeProfit", "tp", instrument),
    )
    if reduce and (request.stop or request.target):
        raise CodedRefusalError(10001, "takeProfit and stopLoss cannot be set with reduceOnly")
    if text(params, "triggerPrice") not in _NOTHING:
        return _conditional(params, request, instrument)
    duration = text(params, "timeInForce") or "GTC"
    if kind == "Market":
        return request
    if duration not in {"GTC", "PostOnly"}:
        raise CodedRefusalError(10001, "timeInForce: GTC and PostOnly are the only ones that are played here")
    at = price(required(params, "price"), "price", instrument)
    return request._replace(type=OrderType.LIMIT, price=at, post_only=duration == "PostOnly")


def link_id(params: Params) -> str:
    """Return ``orderLinkId``, "" without one. Raises: CodedRefusalError 10001 when it is not of the agreed shape."""
    value = text(params, "orderLinkId")
    if not _LINK_ID.fullmatch(value):
        raise CodedRefusalError(10001, "orderLinkId must be at most 36 of 0-9 A-Z a-z _ -")
    return value


def price(value: str, name: str, instrument: Instrument) -> float:
    """Return a price on the instrument's grid. Raises: CodedRefusalError 10001."""
    return _on_grid(value, instrument.tick, name)


def quantity(value: str, instrument: Instrument) -> float:
    """Return a size on the instrument's grid. Raises: CodedRefusalError 10001."""
    return _on_grid(value, instrument.step, "qty")


def position_price(params: Params, name: str, prefix: str, instrument: Instrument) -> float:
    """Return the price of a stop or target of the whole position, 0.0 without one.

    prefix: with which the names of its further parameters begin. Raises: CodedRefusalError 10001.
    """
    value = text(params, name)
    if value in _NOTHING:
        return 0.0
    if text(params, "tpslMode") not in {"", "Full"} or text(params, f"{prefix}OrderType") not in {"", "Market"}:
        raise CodedRefusalError(10001, f"{name}: tpslMode Full at market is the only one that is played here")
    if text(params, f"{prefix}TriggerBy") not in _TRIGGERS:
        raise CodedRefusalError(10001, f"{prefix}TriggerBy invalid")
    return price(value, name, instrument)


def _conditional(params: Params, request: OrderRequest, instrument: Instrument) -> OrderRequest:
    if params["orderType"] != "Market":
        raise CodedRefusalError(10001, "a limit order at a trigger is not played here")
    direction = _DIRECTIONS.get(text(params, "triggerDirection"))
    if direction is None:
        raise CodedRefusalError(10001, "triggerDirection invalid")
    if text(params, "triggerBy") not in _TRIGGERS:
        raise CodedRefusalError(10001, "triggerBy invalid")
    kind = OrderType.STOP if (request.side > 0) == (direction == RISE) else OrderType.TOUCH
    at = price(text(params, "triggerPrice"), "triggerPrice", instrument)
    return request._replace(type=kind, price=at, algo=True)


def _side(params: Params) -> int:
    side = _SIDES.get(required(params, "side"))
    if side is None:
        raise CodedRefusalError(10001, "side invalid")
    if text(params, "positionIdx") not in _NOTHING:
        raise CodedRefusalError(10001, "position idx not match position mode")
    return side


def _on_grid(value: str, grid: Grid, name: str) -> float:
    if not _NUMBER.fullmatch(value) or float(value) <= 0:
        raise CodedRefusalError(10001, f"{name} invalid")
    if not grid.holds(float(value)):
        raise CodedRefusalError(10001, f"{name} is not on its step")
    return float(value)

"""Reads an order request off the wire and holds its texts against the instrument's filters.

What depends on the market or the account (margin, reduce-only, a trigger already passed) is the exchange's to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import OrderType
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import OrderRequest

_LINK_ID = re.compile(r"[0-9A-Za-z_-]{0,36}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_SIDES = {"Buy": 1, "Sell": -1}
_TRUTH = {True: True, False: False, "true": True, "false": False}
RISE, FALL = 1, 2

Params = Mapping[str, Any]


def read_order(params: Params, exchange: Exchange) -> OrderRequest:
    """Return the request of ``POST /v5/order/create``: market, limit, or market at a trigger; a stop may be attached.

    Raises: CodedRefusalError with the code of the first rule that a parameter breaks.
    """
    require_linear(params)
    instrument = exchange.book(required(params, "symbol")).instrument
    side, kind = _side(params), required(params, "orderType")
    if kind not in {"Market", "Limit"}:
        raise CodedRefusalError(10001, "orderType invalid")
    trigger = params.get("triggerPrice", "")
    reduce, close = flag(params, "reduceOnly"), flag(params, "closeOnTrigger")
    carried = _carried_stop(params, instrument, reduces=reduce)
    whole = reduce and close and str(params.get("qty", "")) == "0"  # all of the position, whatever it is then
    request = OrderRequest(
        symbol=instrument.symbol,
        side=side,
        type=OrderType.MARKET,
        quantity=0.0 if whole else _quantity(required(params, "qty"), instrument),
        client_id=link_id(params),
        reduce_only=reduce and not whole,
        close_position=whole,
        stop=carried,
    )
    if trigger:
        if kind != "Market":
            raise CodedRefusalError(10001, "a limit order at a trigger is not played here")
        if params.get("triggerDirection") not in ({RISE, "1"} if side > 0 else {FALL, "2"}):
            raise CodedRefusalError(10001, "triggerDirection: only stops are played here, which buy on a rise")
        if params.get("triggerBy", "LastPrice") != "LastPrice":
            raise CodedRefusalError(10001, "triggerBy: there is no mark price in this market")
        at = price(trigger, "triggerPrice", instrument)
        return request._replace(type=OrderType.STOP, price=at, algo=True, stop=0.0)
    if kind == "Market":
        return request
    if params.get("timeInForce", "GTC") != "GTC":
        raise CodedRefusalError(10001, "timeInForce: GTC is the only one that is played here")
    return request._replace(type=OrderType.LIMIT, price=price(required(params, "price"), "price", instrument))


def required(params: Params, name: str) -> str:
    """Return a parameter that must be there. Raises: CodedRefusalError 10001 when it is missing or empty."""
    value = params.get(name, "")
    if value in ("", None):
        raise CodedRefusalError(10001, f"{name} is required")
    return str(value)


def require_linear(params: Params) -> None:
    """Raises: CodedRefusalError 10001 unless ``category`` is the one that is traded here."""
    if required(params, "category") != "linear":
        raise CodedRefusalError(10001, "category: linear is the only one that is traded here")


def link_id(params: Params) -> str:
    """Return ``orderLinkId``, "" without one. Raises: CodedRefusalError 10001 when it is not of the agreed shape."""
    value = str(params.get("orderLinkId", ""))
    if not _LINK_ID.fullmatch(value):
        raise CodedRefusalError(10001, "orderLinkId must be at most 36 of 0-9 A-Z a-z _ -")
    return value


def price(text: str, name: str, instrument: Instrument) -> float:
    """Return a price on the instrument's grid. Raises: CodedRefusalError 10001."""
    return _on_grid(_number(text, name), instrument.tick, name)


def flag(params: Params, name: str) -> bool:
    """Return a truth value that may come as a word. Raises: CodedRefusalError 10001."""
    value = _TRUTH.get(params.get(name, False))
    if value is None:
        raise CodedRefusalError(10001, f"{name} invalid")
    return value


def _carried_stop(params: Params, instrument: Instrument, *, reduces: bool) -> float:
    """Return the price of the stop that an entry carries, 0.0 without one."""
    if params.get("takeProfit", "") not in ("", "0"):
        raise CodedRefusalError(10001, "takeProfit: only an attached stopLoss is played here")
    text = str(params.get("stopLoss", ""))
    if text in ("", "0"):
        return 0.0
    if reduces:
        raise CodedRefusalError(10001, "stopLoss cannot be set with reduceOnly")
    if params.get("tpslMode", "Full") != "Full" or params.get("slOrderType", "Market") != "Market":
        raise CodedRefusalError(10001, "tpslMode Full with slOrderType Market is the only one that is played here")
    if params.get("slTriggerBy", "LastPrice") != "LastPrice":
        raise CodedRefusalError(10001, "slTriggerBy: there is no mark price in this market")
    return price(text, "stopLoss", instrument)


def _side(params: Params) -> int:
    side = _SIDES.get(required(params, "side"))
    if side is None:
        raise CodedRefusalError(10001, "side invalid")
    if str(params.get("positionIdx", 0)) != "0":
        raise CodedRefusalError(10001, "position idx not match position mode")
    return side


def _quantity(text: str, instrument: Instrument) -> float:
    return _on_grid(_number(text, "qty"), instrument.step, "qty")


def _number(text: str, name: str) -> float:
    if not _NUMBER.fullmatch(text) or float(text) <= 0:
        raise CodedRefusalError(10001, f"{name} invalid")
    return float(text)


def _on_grid(value: float, grid: Grid, name: str) -> float:
    if not grid.holds(value):
        raise CodedRefusalError(10001, f"{name} is not on its step")
    return value

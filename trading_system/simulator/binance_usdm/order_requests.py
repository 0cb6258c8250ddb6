"""Reads an order request off the wire and holds its texts against the instrument's filters.

What depends on the market or the account (margin, reduce-only, a trigger already passed) is the exchange's to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import OrderType
from trading_system.simulator.binance_usdm.account_rows import decimals
from trading_system.simulator.binance_usdm.refusal_codes import CodedRefusalError
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import OrderRequest

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_MOVED_TO_ALGO = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
_SIDES = {"BUY": 1, "SELL": -1}
_TRIGGERED = {"STOP_MARKET": OrderType.STOP, "TAKE_PROFIT_MARKET": OrderType.TOUCH}


def read_order(params: Mapping[str, str], exchange: Exchange) -> OrderRequest:
    """Return the request of ``POST /fapi/v1/order``: LIMIT (GTC, or GTX, which is post-only) or MARKET.

    Raises: CodedRefusalError with the code of the first rule that a parameter breaks.
    """
    instrument = exchange.book(required(params, "symbol")).instrument
    kind = required(params, "type")
    if kind in _MOVED_TO_ALGO:
        raise CodedRefusalError(-4120)
    if kind not in {"LIMIT", "MARKET"}:
        raise CodedRefusalError(-1116)
    price = 0.0
    if kind == "LIMIT":
        if required(params, "timeInForce") not in {"GTC", "GTX"}:
            raise CodedRefusalError(-1115)  # the only ones that this venue plays
        price = _price(required(params, "price"), "price", instrument)
    return OrderRequest(
        symbol=instrument.symbol,
        side=_side(params),
        type=OrderType.LIMIT if kind == "LIMIT" else OrderType.MARKET,
        quantity=_quantity(required(params, "quantity"), instrument),
        price=price,
        client_id=_client_id(params.get("newClientOrderId", "")),
        reduce_only=_flag(params, "reduceOnly"),
        post_only=kind == "LIMIT" and params["timeInForce"] == "GTX",
    )


def read_algo(params: Mapping[str, str], exchange: Exchange) -> OrderRequest:
    """Return the request of ``POST /fapi/v1/algoOrder``: a market order at a trigger of the last price.

    Raises: CodedRefusalError with the code of the first rule that a parameter breaks.
    """
    instrument = exchange.book(required(params, "symbol")).instrument
    if required(params, "algoType") != "CONDITIONAL":
        raise CodedRefusalError(-1130, "algoType")
    kind = _TRIGGERED.get(required(params, "type"))
    if kind is None:
        raise CodedRefusalError(-1116)
    if params.get("workingType", "CONTRACT_PRICE") != "CONTRACT_PRICE":
        raise CodedRefusalError(-1130, "workingType")  # there is no mark price in this market
    close, reduce = _flag(params, "closePosition"), _flag(params, "reduceOnly")
    if close and "quantity" in params:
        raise CodedRefusalError(-4137)
    if close and "reduceOnly" in params:
        raise CodedRefusalError(-4138)
    return OrderRequest(
        symbol=instrument.symbol,
        side=_side(params),
        type=kind,
        quantity=0.0 if close else _quantity(required(params, "quantity"), instrument),
        price=_price(required(params, "triggerPrice"), "triggerPrice", instrument),
        client_id=_client_id(params.get("clientAlgoId", "")),
        reduce_only=reduce,
        algo=True,
        close_position=close,
    )


def required(params: Mapping[str, str], name: str) -> str:
    """Return a parameter that must be there. Raises: CodedRefusalError -1102 when it is missing or empty."""
    value = params.get(name, "")
    if not value:
        raise CodedRefusalError(-1102, name)
    return value


def whole(params: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number, or ``default`` when it was not sent. Raises: CodedRefusalError -1102 when it is none."""
    value = params.get(name, "")
    if not value:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise CodedRefusalError(-1102, name)
    return int(value)


def _side(params: Mapping[str, str]) -> int:
    side = _SIDES.get(required(params, "side"))
    if side is None:
        raise CodedRefusalError(-1117)
    if params.get("positionSide", "BOTH") != "BOTH":
        raise CodedRefusalError(-4061)
    return side


def _client_id(value: str) -> str:
    if value and not _CLIENT_ID.fullmatch(value):
        raise CodedRefusalError(-4015)
    return value


def _flag(params: Mapping[str, str], name: str) -> bool:
    value = params.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise CodedRefusalError(-1130, name)
    return value == "true"


def _price(text: str, name: str, instrument: Instrument) -> float:
    value = _number(text, name, decimals(instrument.tick) + 1)
    if value <= 0:
        raise CodedRefusalError(-4001)
    return _on_grid(value, instrument.tick, -4014)


def _quantity(text: str, instrument: Instrument) -> float:
    value = _number(text, "quantity", decimals(instrument.step))
    if value <= 0:
        raise CodedRefusalError(-4003)
    return _on_grid(value, instrument.step, -4023)


def _number(text: str, name: str, precision: int) -> float:
    if not _NUMBER.fullmatch(text):
        raise CodedRefusalError(-1102, name)
    places = text.partition(".")[2].rstrip("0")
    if len(places) > precision:
        raise CodedRefusalError(-1111)
    return float(text)


def _on_grid(value: float, grid: Grid, code: int) -> float:
    if not grid.holds(value):
        raise CodedRefusalError(code)
    return value

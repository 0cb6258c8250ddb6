"""The account's facts as the messages that other services hear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trading_system.contracts import (
    OrderDTO,
    PositionDTO,
    from_ms,
    order_updated_channel,
    position_updated_channel,
    serialize,
    signal_rejected_channel,
)
from trading_system.rules.facts import Closed, Fact, Fill, Placed
from trading_system.rules.matching import Order, OrderType
from trading_system.rules.risk import Rejection
from trading_system.rules.words import rejection_dto

PREFIX = 2  # "tm" before the signal's id in an order's name
SIGNAL_ID = 16


def bells_of(facts: Iterable[Fact], exchange: str, orders: Mapping[str, Order]) -> list[tuple[str, bytes]]:
    """Return a channel and a payload for each fact that others listen to; ``orders`` by their names."""
    bells: list[tuple[str, bytes]] = []
    for fact in facts:
        if isinstance(fact, Placed):
            word = order_dto(fact.order, fact.symbol, exchange, "new")
            bells.append((order_updated_channel(fact.symbol), serialize(word)))
        elif isinstance(fact, Fill):
            word = order_dto(orders[fact.id], fact.symbol, exchange, "filled")
            word["filled"] = fact.quantity
            word["average_price"] = fact.price
            bells.append((order_updated_channel(fact.symbol), serialize(word)))
        elif isinstance(fact, Closed):
            bells.append((position_updated_channel(fact.symbol), serialize(_closed(fact, exchange))))
        elif isinstance(fact, Rejection):
            bells.append((signal_rejected_channel(fact.plan.symbol), serialize(rejection_dto(fact))))
    return bells


def order_dto(order: Order, symbol: str, exchange: str, status: str) -> OrderDTO:
    """Return an order as the message that others hear; its client id is without the generation."""
    word: OrderDTO = {
        "client_id": order.id,
        "exchange": exchange,
        "symbol": symbol,
        "side": "buy" if order.side > 0 else "sell",
        "type": order.type.name.lower(),
        "quantity": order.quantity,
        "reduce_only": order.reduce_only,
        "status": status,
        "filled": 0.0,
        "signal_id": order.id[PREFIX : PREFIX + SIGNAL_ID],
        "role": order.id[-1],
    }
    if order.type == OrderType.STOP:
        word["trigger_price"] = order.price
    elif order.type == OrderType.LIMIT:
        word["price"] = order.price
    return word


def _closed(closed: Closed, exchange: str) -> PositionDTO:
    trade = closed.trade
    return {
        "exchange": exchange,
        "symbol": closed.symbol,
        "side": "long" if trade.plan.side > 0 else "short",
        "quantity": 0.0,
        "entry_price": trade.entry_price,
        "time": from_ms(closed.time),
        "protected": True,
        "signal_id": trade.plan.id,
        "r": closed.r,
        "realized": closed.earned,
    }

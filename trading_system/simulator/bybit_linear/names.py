"""How this venue names orders, trades, sides and statuses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trading_system.rules.matching import OrderType
from trading_system.simulator.orders import Trade, VenueOrder

SIDES = {1: "Buy", -1: "Sell"}
KINDS = {OrderType.MARKET: "Market", OrderType.LIMIT: "Limit", OrderType.STOP: "Market"}
_ORDER_ID = re.compile(r"([0-9a-f]{8})-0000-4000-8000-00000000000a")
_STATUSES: Mapping[str, str] = {
    "NEW": "New",
    "FILLED": "Filled",
    "FINISHED": "Filled",
    "CANCELED": "Cancelled",
    "EXPIRED": "Cancelled",
    "TRIGGERED": "Triggered",
    "REJECTED": "Rejected",
}


def order_id(number: int) -> str:
    """Return the UUID under which the order ``number`` of the exchange goes."""
    return f"{number:08x}-0000-4000-8000-00000000000a"


def order_number(id_: str) -> int:
    """Return the number behind an order's UUID, 0 when it is none of ours."""
    match = _ORDER_ID.fullmatch(id_)
    return int(match[1], 16) if match else 0


def id_of(order: VenueOrder) -> str:
    """Return an order's UUID; what a conditional order became keeps the one of the conditional order."""
    return order_id(order.parent or order.number)


def execution_id(trade: Trade) -> str:
    """Return the UUID of a trade."""
    return f"{trade.id:08x}-0000-4000-8000-00000000000e"


def status_of(order: VenueOrder) -> str:
    """Return an order's status; a conditional one that waits is untriggered."""
    return "Untriggered" if order.algo and order.open else _STATUSES[order.status]


def stop_kind(order: VenueOrder) -> str:
    """Return ``stopOrderType``: of the position's own stop, of a conditional order, or none."""
    if order.entry:
        return "StopLoss"
    return "Stop" if order.algo else ""

"""How this venue names orders, trades, sides, kinds and statuses."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

from trading_system.rules.matching import OrderType, Role
from trading_system.simulator.orders import LIQUIDATED, SETTLED, Funding, Trade, VenueOrder

SIDES = {1: "Buy", -1: "Sell"}
KINDS = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP: "Market",
    OrderType.TOUCH: "Market",
}
RISE, FALL = 1, 2
_EXECUTIONS = uuid.UUID("00000000-0000-4000-8000-00000000000e")
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
_OF_POSITION = {OrderType.STOP: "StopLoss", OrderType.TOUCH: "TakeProfit"}


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


def link_of(order: VenueOrder) -> str:
    """Return ``orderLinkId``: the name that an order was sent with, "" when the exchange had to name it."""
    own = {f"{name}{order.number}" for name in ("sim-", LIQUIDATED, SETTLED)}
    return "" if order.client_id in own else order.client_id


def execution_id(of: Trade | Funding) -> str:
    """Return the UUID of a trade or a funding: always the same one, in no order, as the venue's are."""
    name = f"{of.symbol} {of.time}" if isinstance(of, Funding) else str(of.id)
    return str(uuid.uuid5(_EXECUTIONS, name))


def status_of(order: VenueOrder) -> str:
    """Return an order's status; a conditional one that waits is untriggered."""
    return "Untriggered" if order.algo and order.open else _STATUSES[order.status]


def stop_kind(order: VenueOrder) -> str:
    """Return ``stopOrderType``: of what belongs to the position, of a conditional order, or none."""
    if order.entry:
        return _OF_POSITION[order.type]
    return "Stop" if order.algo else ""


def creator_of(order: VenueOrder, role: Role) -> str:
    """Return ``createType``: who made an order that is there for ``role``."""
    if role == Role.LIQUIDATION:
        return "CreateByTakeOver_PassThrough"
    if order.client_id.startswith(SETTLED):
        return "CreateBySettle"
    return f"CreateBy{_OF_POSITION[order.type]}" if order.entry else "CreateByUser"


def direction_of(order: VenueOrder) -> int:
    """Return ``triggerDirection``: whether a conditional order waits for a rise or a fall, 0 for another one."""
    if not order.algo:
        return 0
    return RISE if (order.side > 0) == (order.type == OrderType.STOP) else FALL

"""Orders as the tests wish them: as they are sent to a venue, and as the journal and the reconciler know them."""

from __future__ import annotations

from simulated_venue import PLAN, SYMBOL, cid

from trading_system.rules.matching import Order, OrderType, Role
from trading_system.venues.port import VenueOrder

ROLES = {"e": Role.ENTRY, "s": Role.STOP, "x": Role.EXIT}


def sent(
    name: str, kind: OrderType, side: int, price: float = 0.0, quantity: float = 1.0, protection: float = 0.0
) -> VenueOrder:
    return VenueOrder(cid(name), SYMBOL, ROLES.get(name, Role.TARGET), kind, side, price, quantity, protection)


def wanted(name: str, kind: OrderType, side: int, price: float, quantity: float, born: int) -> Order:
    return Order(f"tm{PLAN}{name}", ROLES.get(name, Role.TARGET), kind, side, price, quantity, born)

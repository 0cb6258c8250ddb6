"""What the journal knows of an order and of a fill, as values; how it keeps them is ``journal.py``'s."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from trading_system.rules.matching import Order, OrderType, Role

_ROLES = {"e": Role.ENTRY, "s": Role.STOP, "x": Role.EXIT}


class State(StrEnum):
    """Where an order stands as far as we know. UNKNOWN ends by the venue's word only, never by a timer."""

    INTENT = "INTENT"
    ACKED = "ACKED"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    NOT_PLACED = "NOT_PLACED"


LIVE = frozenset({State.INTENT, State.ACKED, State.UNKNOWN})
UNRESOLVED = frozenset({State.INTENT, State.UNKNOWN})


class JournalOrder(NamedTuple):
    """One order that was meant to be sent. ``name`` is its role letter (e s x 1-9); ``code`` a refusal's number."""

    seq: int
    client_id: str
    plan: str
    name: str
    generation: int
    symbol: str
    side: int
    type: OrderType
    price: float
    quantity: float
    born: int
    created_ms: int
    fence_at_ms: int
    epoch: int
    state: State
    venue_id: str
    code: int
    reason: str

    @property
    def role(self) -> Role:
        """What the order is for."""
        return _ROLES.get(self.name, Role.TARGET)

    @property
    def canonical(self) -> str:
        """The order's name without its generation."""
        return self.client_id[:-2]

    def is_for(self, order: Order) -> bool:
        """Tell whether this is ``order``, word for word."""
        mine = (self.canonical, self.type, self.side, self.price, self.quantity)
        return mine == (order.id, order.type, order.side, order.price, order.quantity)


class Booked(NamedTuple):
    """Up to where a symbol's trades are in the account: their highest number, and the ids of those that have it."""

    number: int = -1
    trade_ids: tuple[str, ...] = ()

    def has(self, fill: JournalFill) -> bool:
        """Tell whether ``fill`` is in the account."""
        return fill.number < self.number or fill.trade_id in self.trade_ids

    def and_also(self, fill: JournalFill) -> Booked:
        """Return this with ``fill`` in the account."""
        if fill.number > self.number:
            return Booked(fill.number, (fill.trade_id,))
        if fill.number == self.number and fill.trade_id not in self.trade_ids:
            return Booked(self.number, (*self.trade_ids, fill.trade_id))
        return self


NONE_BOOKED = Booked()


class JournalFill(NamedTuple):
    """A trade as it was booked, see ``VenueFill``; ``seq`` is its number of arrival, by which readers go on."""

    seq: int
    trade_id: str
    number: int
    client_id: str
    symbol: str
    time: int
    price: float
    quantity: float
    fee: float
    maker: bool

"""The orders, trades and positions that the simulated venue keeps; what fills them is decided in `exchange.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from trading_system.rules.grid import Grid, q8
from trading_system.rules.matching import Order, OrderType, Role

LIQUIDATED, SETTLED = "autoclose-", "settlement_autoclose-"
"""With these begin the names of the orders by which the venue itself ends a position."""


class OrderRequest(NamedTuple):
    """One order as asked for, its numbers already on the instrument's grids.

    ``price`` is the limit or the trigger (0.0 at market); ``quantity`` is 0.0 only with ``close_position``. ``algo``
    says that it came to the service of conditional orders. ``stop`` and ``target`` are the prices of a stop and a touch
    that an entry carries and that its position will have, 0.0 without. ``post_only``: it rests or is not taken.
    """

    symbol: str
    side: int
    type: OrderType
    quantity: float
    price: float = 0.0
    client_id: str = ""
    reduce_only: bool = False
    algo: bool = False
    close_position: bool = False
    stop: float = 0.0
    target: float = 0.0
    post_only: bool = False


@dataclass(slots=True)
class VenueOrder:
    """One order in the venue's books. It changes in place; only the exchange writes it.

    ``number`` is its orderId, or algoId, and its place in the order of arrival over both services. ``child`` is the
    orderId that a triggered algo order became, ``parent`` the algoId that an order came from. ``stop`` and ``target``
    are the prices that an entry carries; ``entry`` is, of a stop or touch that a position has by itself, the order that
    opened it. ``amended`` is its place in the order of arrival since it was changed, 0 when it was not. ``fee`` is what
    its fill cost. Times are ms UTC.
    """

    number: int
    client_id: str
    symbol: str
    side: int
    type: OrderType
    price: float
    quantity: float
    reduce_only: bool
    algo: bool
    close_position: bool
    created: int
    updated: int
    status: str = "NEW"
    filled: float = 0.0
    average: float = 0.0
    child: int = 0
    parent: int = 0
    stop: float = 0.0
    entry: int = 0
    target: float = 0.0
    post_only: bool = False
    amended: int = 0
    fee: float = 0.0

    @property
    def open(self) -> bool:
        """Tell whether it can still fill."""
        return self.status == "NEW"

    @property
    def role(self) -> Role:
        """What the order is for, as far as the wire tells."""
        if not (self.reduce_only or self.close_position):
            return Role.ENTRY
        if self.type == OrderType.STOP:
            return Role.STOP
        return Role.EXIT if self.type == OrderType.MARKET else Role.TARGET

    def at_market(self, held: float) -> Order:
        """Return the order as matching sees it; a reduce-only one takes no more than the position ``held``."""
        quantity = self.quantity
        if self.close_position:
            quantity = held
        elif self.reduce_only:
            quantity = min(quantity, held)
        born = 0 if self.post_only else self.amended or self.number  # what is post-only never arrives, it rests
        return Order(str(self.number), self.role, self.type, self.side, self.price, quantity, born)


class Trade(NamedTuple):
    """One execution: ``id`` counts over all symbols, ``order`` is the orderId, money is in quote currency.

    ``closed`` is how much of it made a position smaller.
    """

    id: int
    order: int
    client_id: str
    symbol: str
    side: int
    role: Role
    price: float
    quantity: float
    fee: float
    realised: float
    maker: bool
    time: int
    closed: float = 0.0

    @property
    def settles(self) -> bool:
        """Whether the venue took the position away, as its symbol is traded no more."""
        return self.client_id.startswith(SETTLED)


class Funding(NamedTuple):
    """What a position paid (negative: got) at a funding time, ms UTC, for the ``quantity`` that it had on ``side``.

    ``trade`` is the id of the account's last trade before it, 0 when there was none.
    """

    symbol: str
    time: int
    trade: int
    rate: float
    side: int
    quantity: float
    price: float
    paid: float


@dataclass(slots=True)
class Position:
    """The net position of one symbol: ``side`` 1, -1 or 0, ``units`` in steps, ``entry`` the average price."""

    step: Grid
    side: int = 0
    units: int = 0
    entry: float = 0.0
    changed: int = 0

    @property
    def held(self) -> float:
        """The size, without sign."""
        return self.step.price(self.units)

    def take(self, side: int, quantity: float, price: float, time: int) -> float:
        """Book a fill and return the profit it realised; what exceeds an opposite position opens the other side."""
        units = self.step.units(quantity)
        self.changed = time
        if self.side == side:
            self.entry = (self.entry * self.units + price * units) / (self.units + units)
            self.units += units
            return 0.0
        closing = min(units, self.units)
        realised = q8(self.side * (price - self.entry) * self.step.price(closing)) if closing else 0.0
        self.units -= closing
        if units > closing:
            self.side, self.units, self.entry = side, units - closing, price
        elif self.units == 0:
            self.side, self.entry = 0, 0.0
        return realised

"""Every order that the simulated venue took, under its number and under the name that it was sent with."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from trading_system.rules.matching import OrderType
from trading_system.simulator.orders import OrderRequest, VenueOrder


class OrderRegister:
    """``orders`` by number; ``number`` is the newest that was given. The plain and the conditional ones share them."""

    def __init__(self) -> None:
        """Begin without an order."""
        self.orders: dict[int, VenueOrder] = {}
        self.number = 0
        self._by_client: dict[tuple[bool, str], int] = {}

    def next_number(self) -> int:
        """Give out a number: an order's place in the order of arrival."""
        self.number += 1
        return self.number

    def take(self, request: OrderRequest, now: int, status: str) -> VenueOrder:
        """Write down an order as it was asked for, at ``now`` (ms UTC)."""
        number = self.next_number()
        client_id = request.client_id or f"sim-{number}"
        wish = (client_id, request.symbol, request.side, request.type, request.price, request.quantity)
        flags = (request.reduce_only, request.algo, request.close_position)
        order = VenueOrder(number, *wish, *flags, now, now, status)
        order.stop, order.target, order.post_only = request.stop, request.target, request.post_only
        return self._written(order)

    def child(self, symbol: str, name: str, side: int, quantity: float, time: int) -> VenueOrder:
        """Write down a market order that the venue itself makes; ``name`` begins its client id."""
        number = self.next_number()
        wish = (f"{name}{number}", symbol, side, OrderType.MARKET, 0.0, quantity)
        return self._written(VenueOrder(number, *wish, False, False, False, time, time))

    def of_position(self, symbol: str, side: int, kind: OrderType, price: float, entry: int, now: int) -> VenueOrder:
        """Write down a stop or a touch of the position that the order ``entry`` opened; it has no name."""
        number = self.next_number()
        order = VenueOrder(number, "", symbol, side, kind, price, 0.0, False, True, True, now, now, entry=entry)
        self.orders[number] = order
        return order

    def find(self, *, algo: bool, number: int = 0, client_id: str = "") -> VenueOrder | None:
        """Return an order by number, or the newest one with the client id; None when the service has none such."""
        order = self.orders.get(number or self._by_client.get((algo, client_id), 0))
        return order if order is not None and order.algo == algo else None

    def keep(self, needed: Collection[int]) -> None:
        """Forget every order that has ended and is not ``needed``."""
        self._hold(order for number, order in self.orders.items() if order.open or number in needed)

    def restore(self, orders: Iterable[VenueOrder], number: int) -> None:
        """Hold ``orders`` instead of those that there were, as an earlier life knew them up to ``number``."""
        self.number = number
        # in the order of their numbers, so that the newest order of an id is the one that is found by it
        self._hold(sorted(orders, key=lambda order: order.number))

    def _written(self, order: VenueOrder) -> VenueOrder:
        self.orders[order.number] = order
        self._by_client[order.algo, order.client_id] = order.number
        return order

    def _hold(self, orders: Iterable[VenueOrder]) -> None:
        self.orders = {order.number: order for order in orders}
        self._by_client = {
            (order.algo, order.client_id): order.number for order in self.orders.values() if order.client_id
        }

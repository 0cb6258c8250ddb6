"""Who is told what happens at the simulated venue, in the order in which it happens."""

from __future__ import annotations

from typing import Protocol

from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.tape import Row


class Listener(Protocol):
    """Who is told what happens, in order. ``now`` is market time in ms UTC."""

    def minute_closed(self, step: int, symbol: str, row: Row) -> None:
        """Hear that a minute with prices is over."""

    def order_changed(self, order: VenueOrder, execution: str, trade: Trade | None, now: int) -> None:
        """Hear of an order: NEW, TRADE, CANCELED, EXPIRED, or CALCULATED for a liquidation."""

    def algo_changed(self, order: VenueOrder, now: int) -> None:
        """Hear of a conditional order; its status says what happened."""

    def account_changed(self, symbol: str, reason: str, now: int) -> None:
        """Hear that the wallet and the position of ``symbol`` changed."""


class Deaf:
    """A listener that lets everything pass."""

    def minute_closed(self, step: int, symbol: str, row: Row) -> None:
        """Ignore it."""

    def order_changed(self, order: VenueOrder, execution: str, trade: Trade | None, now: int) -> None:
        """Ignore it."""

    def algo_changed(self, order: VenueOrder, now: int) -> None:
        """Ignore it."""

    def account_changed(self, symbol: str, reason: str, now: int) -> None:
        """Ignore it."""

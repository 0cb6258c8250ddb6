"""Orders of an open trade that were planned on one grid and must be placed on another one."""

from __future__ import annotations

from trading_system.rules.grid import Instrument
from trading_system.rules.matching import Order


def has_other_grid(before: Instrument, now: Instrument) -> bool:
    """Tell whether prices or sizes of a symbol are on another grid now."""
    return (before.tick, before.step) != (now.tick, now.step)


def on_grid(order: Order, now: Instrument) -> Order:
    """Return ``order``, which makes a position smaller, with its price and its size on the grids of ``now``.

    A sell rounds its price down and a buy up: so a stop is never nearer to the price than planned, and a target never
    farther. The size rounds down, for no order may ask for more than there is: 0.0 when no order can be that small.
    """
    price = now.tick.floor(order.price) if order.side < 0 else now.tick.ceil(order.price)
    return order._replace(price=price, quantity=now.step.floor(order.quantity))

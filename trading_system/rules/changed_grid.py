"""Orders of an open trade that were planned on one price grid and must be placed on another one."""

from __future__ import annotations

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import Order


def has_other_grid(before: Instrument, now: Instrument) -> bool:
    """Tell whether prices or sizes of a symbol are on another grid now."""
    return (before.tick, before.step) != (now.tick, now.step)


def on_tick(order: Order, tick: Grid) -> Order:
    """Return ``order``, which makes a position smaller, with its price on ``tick``.

    A sell rounds down and a buy up: so a stop is never nearer to the price than planned, and a target never farther.
    """
    price = tick.floor(order.price) if order.side < 0 else tick.ceil(order.price)
    return order._replace(price=price)

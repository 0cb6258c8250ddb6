"""The life of one trade: what it answers to a fill, and which orders should rest for it now.

A trade waits for its entry, holds a position between a stop and its targets, and ends. It knows neither the venue nor
the account: a backtest hands its orders to ``matching.py``, the execution engine makes the venue agree with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trading_system.rules.grid import Grid, Instrument, q8
from trading_system.rules.matching import MINUTE_MS, OrderType, Role
from trading_system.rules.trade_plan import Plan, Target

FLOAT_NOISE = 1e-12  # relative; a quotient this near to the grid lies on it


class Want(NamedTuple):
    """An order that should rest now. ``name`` is unique within the trade: e, s, x, or the target's digit."""

    name: str
    role: Role
    type: OrderType
    side: int
    price: float
    quantity: float


class Trade(NamedTuple):
    """One plan that took its symbol's slot.

    ``quantity`` is what the entry asks for, or what it brought; ``slices`` what each target sells of it (0.0 once
    filled, or joined to its neighbour); ``held`` is the position's size, 0.0 while the entry waits. ``exit`` says why a
    market exit is wanted, "" if it is not.
    ``risk`` is the money that a stop-out costs as planned, fees included; ``earned`` is realised profit less fees.
    """

    plan: Plan
    quantity: float
    slices: tuple[float, ...]
    risk: float
    stop: float
    held: float = 0.0
    entry_price: float = 0.0
    opened_at: int = -1
    exit: str = ""
    earned: float = 0.0

    @property
    def leave_at(self) -> int:
        """The instant from which the trade leaves at market, counted from the open of the minute of its entry."""
        return self.opened_at - self.opened_at % MINUTE_MS + self.plan.time_stop

    @property
    def waiting(self) -> bool:
        """Tell whether the entry has not filled yet."""
        return self.opened_at < 0


def slices_of(quantity: float, targets: Sequence[Target], step: Grid, min_notional: float) -> tuple[float, ...]:
    """Share ``quantity`` among the targets: floored to the step, the last takes the rest.

    A slice worth less than the venue's minimum joins the next target, the last one the one before it: a slice that
    the venue would refuse must not leave a part of the position without a target.
    """
    total = step.units(quantity)
    # a weight is a decimal such as 0.3; the tiny addition undoes its binary error before the floor
    units = [int(total * target.weight + 1e-9) for target in targets]
    units[-1] = total - sum(units[:-1])
    for i in range(len(units) - 1):
        if step.price(units[i]) * targets[i].price < min_notional:
            units[i + 1] += units[i]
            units[i] = 0
    last = len(units) - 1
    while last > 0 and step.price(units[last]) * targets[last].price < min_notional:
        before = max((i for i in range(last) if units[i]), default=None)
        if before is None:
            break
        units[before] += units[last]
        units[last] = 0
        last = before
    return tuple(step.price(count) for count in units)


def wanted_orders(trade: Trade) -> tuple[Want, ...]:
    """Return the orders that should rest for ``trade``, protection first."""
    plan = trade.plan
    if trade.waiting:
        kind = OrderType.MARKET if plan.entry_type == "market" else OrderType.LIMIT
        price = 0.0 if kind == OrderType.MARKET else plan.entry
        return (Want("e", Role.ENTRY, kind, plan.side, price, trade.quantity),)
    stop = Want("s", Role.STOP, OrderType.STOP, -plan.side, trade.stop, trade.held)
    leave = Want("x", Role.EXIT, OrderType.MARKET, -plan.side, 0.0, trade.held)
    if trade.exit == "stop_passed":
        return (leave,)
    if trade.exit:
        return (stop, leave)
    targets = (
        Want(str(i + 1), Role.TARGET, OrderType.LIMIT, -plan.side, target.price, quantity)
        for i, (target, quantity) in enumerate(zip(plan.targets, trade.slices, strict=True))
        if quantity > 0
    )
    return (stop, *targets)


def entered(trade: Trade, price: float, quantity: float, time: int, fee: float, instrument: Instrument) -> Trade:
    """Return the trade after ``quantity`` of its entry filled at ``price``.

    A part is a trade of that size: its stop must cover it at once, what is missing of the entry is taken back, and a
    part that fills all the same is added.
    """
    if trade.waiting and quantity == trade.quantity:
        return trade._replace(held=quantity, entry_price=price, opened_at=time, earned=-fee)
    step, targets = instrument.step, trade.plan.targets
    held = step.price(step.units(trade.held) + step.units(quantity))
    whole = quantity if trade.waiting else step.price(step.units(trade.quantity) + step.units(quantity))
    if trade.waiting or trade.held == trade.quantity:
        slices = slices_of(whole, targets, step, instrument.min_notional)
    else:  # a target has filled already: the last one takes what is added
        slices = (*trade.slices[:-1], step.price(step.units(trade.slices[-1]) + step.units(quantity)))
    return trade._replace(
        quantity=whole,
        slices=slices,
        risk=trade.risk / trade.quantity * whole,
        held=held,
        entry_price=(trade.entry_price * trade.held + price * quantity) / (trade.held + quantity),
        opened_at=time if trade.waiting else trade.opened_at,
        earned=trade.earned - fee,
    )


def reduced(trade: Trade, name: str, price: float, quantity: float, fee: float, step: Grid) -> Trade:
    """Return the trade after the order ``name`` took ``quantity`` off the position.

    After the first target the stop goes to break-even, the price at which the entry filled.
    """
    gain = realised(trade, price, quantity)
    held = step.price(step.units(trade.held) - step.units(quantity))
    trade = trade._replace(held=held, earned=trade.earned + gain - fee)
    if not name.isdigit():
        return trade
    rest = max(step.units(trade.slices[int(name) - 1]) - step.units(quantity), 0)
    slices = tuple(step.price(rest) if str(i + 1) == name else left for i, left in enumerate(trade.slices))
    side = trade.plan.side
    break_even = max(trade.stop, trade.entry_price) if side > 0 else min(trade.stop, trade.entry_price)
    return trade._replace(slices=slices, stop=break_even)


def realised(trade: Trade, price: float, quantity: float) -> float:
    """Return the profit of taking ``quantity`` off at ``price``, before fees, in quote currency."""
    return q8(trade.plan.side * (price - trade.entry_price) * quantity)


def leaving(trade: Trade, reason: str) -> Trade:
    """Return the trade wanting to leave at market, e.g. because its stop is already passed."""
    return trade if trade.exit else trade._replace(exit=reason)


def liquidation_price(side: int, entry: float, leverage: float, instrument: Instrument) -> float:
    """Return the price at which an isolated position is liquidated, on the side of the earlier liquidation."""
    rate = instrument.maintenance_margin
    edge = entry * (1 - side / leverage) / (1 - side * rate)
    near = instrument.tick.price(instrument.tick.units(edge))
    if abs(near - edge) <= FLOAT_NOISE * edge:
        return near
    return instrument.tick.ceil(edge) if side > 0 else instrument.tick.floor(edge)


def open_risk(trade: Trade, instrument: Instrument) -> float:
    """Return what a stop-out of ``trade`` from its entry would cost now, fees included, never less than zero."""
    entry = trade.plan.entry if trade.waiting else trade.entry_price
    size = trade.quantity if trade.waiting else trade.held
    loss = (entry - trade.stop) * trade.plan.side + instrument.taker_fee * (entry + trade.stop)
    return max(loss, 0.0) * size

"""What the market does to resting orders inside one minute.

A minute is a path of straight lines, open -> first extreme -> second extreme -> close. This file decides which order
the path meets next and at what price it fills. It knows nothing of trades or money: who reacts to a fill, and how, is
decided elsewhere, and the reaction's orders are handed back before the walk goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from trading_system.rules.grid import Grid

MINUTE_MS = 60_000
LEG_MS = 15_000  # a fill's stamp: the minute's start plus a quarter for each leg begun; it orders and prints


FLOAT_NOISE = 1e-9  # relative; sums of prices nearer than this are equal


class Role(IntEnum):
    """What an order is for. At one price the smaller role fills first."""

    LIQUIDATION = 0
    STOP = 1
    EXIT = 2
    TARGET = 3
    ENTRY = 4


class OrderType(IntEnum):
    """How an order wants to fill.

    ``STOP`` and ``TOUCH`` wait for their price and are market orders from then on: a stop for a price that is worse
    than the present one, a touch for a better one.
    """

    MARKET = 0
    LIMIT = 1
    STOP = 2
    TOUCH = 3


_FOR_A_BETTER_PRICE = frozenset({OrderType.LIMIT, OrderType.TOUCH})
_AT_THE_TRIGGER = frozenset({OrderType.STOP, OrderType.TOUCH})


class Minute(NamedTuple):
    """One minute of one symbol. A minute that the exchange does not have carries ``gap`` and no prices.

    The ``close`` of a gap may be the last price there was; nothing fills at it.
    """

    open_time: int
    open: float
    high: float
    low: float
    close: float
    gap: bool = False


class Order(NamedTuple):
    """An order at the market. ``side`` is 1 to buy, -1 to sell; ``price`` is the limit or the trigger, 0.0 at market.

    ``born`` counts intents: of two orders that meet the path at one price in one role, the smaller is the older.
    """

    id: str
    role: Role
    type: OrderType
    side: int
    price: float
    quantity: float
    born: int

    @property
    def reduce_only(self) -> bool:
        """Every order but an entry may only make a position smaller."""
        return self.role != Role.ENTRY


class FillRules(NamedTuple):
    """How unkind the market is: ticks of slippage, when a limit counts as filled, which extreme comes first."""

    slippage_ticks: int = 1
    limit_fill: str = "through"  # "through" = one tick beyond the limit, "touch" = at the limit
    walk: str = "unkind"  # "unkind" = the extreme against us first, "nearest" = the one nearer to the open first


class Walk(NamedTuple):
    """Where the path stands. ``seen`` is the youngest order that an earlier point has already looked at."""

    minute: Minute
    seen: int
    leg: int
    price: float
    corners: tuple[float, float, float] | None


class Match(NamedTuple):
    """One order met by the path: its fill price, whether it rested there (maker), and the time it is stamped with."""

    order: Order
    price: float
    maker: bool
    time: int


def start_walk(minute: Minute, seen: int) -> Walk:
    """Stand at the open of ``minute``; orders younger than ``seen`` arrive there, older ones rested before."""
    return Walk(minute, seen, 0, minute.open, None)


def is_passed(side: int, trigger: float, price: float) -> bool:
    """Tell whether a stop order of ``side`` with ``trigger`` would fire at once at ``price``."""
    return price >= trigger if side > 0 else price <= trigger


def next_match(
    walk: Walk, orders: Sequence[Order], holding: int, tick: Grid, rules: FillRules
) -> tuple[Walk, Match | None]:
    """Follow the path to the next fill, or to the close when nothing more fills.

    walk: where the path stands. orders: everything at the market now (a liquidation is one of them). holding: 1 long,
    -1 short, 0 flat. Returns the new standing and the fill, or the close of the minute and None. The caller removes
    the filled order, lets the trade react, and calls again with the orders as they are then.
    """
    if walk.minute.gap:
        return walk, None
    if not orders:
        return _at_close(walk), None
    here = _first(order for order in orders if _fills_here(order, walk, tick, rules))
    if here is not None:
        return walk, _match(here, walk, tick, rules)
    corners = walk.corners or _corners(walk.minute, _lean(orders, holding), rules)
    walk = Walk(walk.minute, _youngest(orders, walk.seen), max(walk.leg, 1), walk.price, corners)
    while walk.leg <= 3:
        met = _first_on_leg(orders, walk, corners, tick, rules)
        if met is not None:
            order, price = met
            walk = walk._replace(price=price)
            return walk, _match(order, walk, tick, rules)
        walk = walk._replace(leg=walk.leg + 1, price=corners[walk.leg - 1])
    return walk, None


def meeting_price(order: Order, tick: Grid, rules: FillRules) -> float:
    """Return the price at which the path meets a resting order: at its trigger, a limit one tick through."""
    if order.type in _AT_THE_TRIGGER or rules.limit_fill == "touch":
        return order.price
    return tick.shift(order.price, -order.side)


def meets_falling(order: Order) -> bool:
    """Tell whether a falling price meets the order: a buy limit, a buy at a touch, or a sell stop."""
    return (order.side > 0) == (order.type in _FOR_A_BETTER_PRICE)


def _at_close(walk: Walk) -> Walk:
    return Walk(walk.minute, walk.seen, 4, walk.minute.close, walk.corners)


def _youngest(orders: Sequence[Order], seen: int) -> int:
    return max(seen, *(order.born for order in orders))


def _lean(orders: Sequence[Order], holding: int) -> int:
    """Return which extreme comes first: 1 the high, -1 the low, 0 when nothing can fill."""
    if holding:
        return -holding
    for order in orders:
        if order.role == Role.ENTRY:
            return order.side
    return 0


def _corners(minute: Minute, lean: int, rules: FillRules) -> tuple[float, float, float]:
    high_first = lean > 0
    if rules.walk == "nearest":
        high_first = minute.high + minute.low - 2 * minute.open <= FLOAT_NOISE * minute.open  # a tie: the high
    if high_first:
        return minute.high, minute.low, minute.close
    return minute.low, minute.high, minute.close


def _first(orders: Iterable[Order]) -> Order | None:
    return min(orders, key=lambda order: (order.role, order.born), default=None)


def _fills_here(order: Order, walk: Walk, tick: Grid, rules: FillRules) -> bool:
    """Tell whether the order fills at the very point where the path stands."""
    if order.born > walk.seen:  # it arrives here
        if order.type == OrderType.MARKET:
            return True
        if order.type == OrderType.STOP:
            return is_passed(order.side, order.price, walk.price)
        return walk.price <= order.price if order.side > 0 else walk.price >= order.price
    if order.type == OrderType.MARKET:
        return True
    meeting = meeting_price(order, tick, rules)  # the jump to the open meets everything it passes
    return walk.price <= meeting if meets_falling(order) else walk.price >= meeting


def _first_on_leg(
    orders: Sequence[Order], walk: Walk, corners: tuple[float, float, float], tick: Grid, rules: FillRules
) -> tuple[Order, float] | None:
    """Return the order that the rest of this leg meets first, and where."""
    start = (walk.minute.open, *corners)[walk.leg - 1]
    end = corners[walk.leg - 1]
    if start == end:
        return None
    falling = end < start
    best: tuple[float, int, int] | None = None
    found: tuple[Order, float] | None = None
    for order in orders:
        if meets_falling(order) != falling:
            continue
        meeting = meeting_price(order, tick, rules)
        ahead = end <= meeting <= walk.price if falling else walk.price <= meeting <= end
        rank = (-meeting if falling else meeting, int(order.role), order.born)
        if ahead and (best is None or rank < best):
            best, found = rank, (order, meeting)
    return found


def _match(order: Order, walk: Walk, tick: Grid, rules: FillRules) -> Match:
    time = walk.minute.open_time + LEG_MS * walk.leg
    if order.type == OrderType.LIMIT:
        if order.born <= walk.seen:
            return Match(order, order.price, True, time)
        slipped = _slipped(order.side, walk.price, tick, rules)
        price = min(order.price, slipped) if order.side > 0 else max(order.price, slipped)
        return Match(order, price, False, time)
    return Match(order, _slipped(order.side, walk.price, tick, rules), False, time)


def _slipped(side: int, price: float, tick: Grid, rules: FillRules) -> float:
    """Return ``price`` moved against us by the slippage, on the grid."""
    snapped = tick.ceil(price) if side > 0 else tick.floor(price)
    return tick.shift(snapped, side * rules.slippage_ticks)

"""What happens to an account, as frozen facts in the order of their happening.

They are what a backtest returns, what execution stores, and what everything that is shown is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trading_system.rules.matching import Order, Role
from trading_system.rules.risk import Rejection
from trading_system.rules.trade import Trade
from trading_system.rules.trade_plan import Plan


class Placed(NamedTuple):
    """An order began to rest in the step that closes at ``time``."""

    time: int
    symbol: str
    order: Order


class Fill(NamedTuple):
    """An order filled whole. ``id`` is the client order id without its generation, ``name`` the order's role letter."""

    time: int
    symbol: str
    id: str
    name: str
    role: Role
    price: float
    quantity: float
    fee: float


class Withdrawn(NamedTuple):
    """A waiting entry was taken back at ``time``, for the reason ``rule``."""

    time: int
    symbol: str
    plan: str
    rule: str


class Closed(NamedTuple):
    """A trade ended. ``earned`` is what it brought after fees; ``r`` is that in units of the risk planned."""

    time: int
    symbol: str
    trade: Trade
    reason: str
    earned: float
    r: float


class Funded(NamedTuple):
    """Funding paid (positive) or received (negative) on an open position."""

    time: int
    symbol: str
    paid: float


class EquityPoint(NamedTuple):
    """The account marked at the closes of the step that ends at ``time``."""

    time: int
    equity: float


class Halted(NamedTuple):
    """A limit of the whole account switched entries off."""

    time: int
    rule: str


class Paused(NamedTuple):
    """A person switched entries off."""

    time: int


class Resumed(NamedTuple):
    """A person switched entries on again; falls are counted from ``peak`` now."""

    time: int
    peak: float


class Offered(NamedTuple):
    """The account would take ``plan``; it waits for a person to take or to skip it."""

    time: int
    symbol: str
    plan: Plan


class Declined(NamedTuple):
    """An offer ended without being taken, for the reason ``rule`` out of ``DECLINES``."""

    time: int
    symbol: str
    plan: str
    rule: str


Fact = (
    Placed
    | Fill
    | Withdrawn
    | Closed
    | Funded
    | EquityPoint
    | Halted
    | Rejection
    | Paused
    | Resumed
    | Offered
    | Declined
)

WITHDRAWALS: Mapping[str, str] = {
    "expired": "the entry did not fill in its time",
    "missed": "price reached the first target before the entry filled",
    "zone_gone": "price went through the order block, or the block expired",
    "opposite_choch": "the structure turned against the plan",
    "day_loss": "today's loss reached the daily limit",
    "drawdown_stop": "the account fell from its peak by the drawdown limit",
    "paused": "a person switched entries off",
    "by_hand": "a person closed the symbol",
    "symbol_leaves": "the symbol leaves the line",
    "symbol_unseen": "the symbol's minutes did not come, and the account went on without them",
}

DECLINES: Mapping[str, str] = {
    "expired": "nobody took the offer in its time",
    "missed": "price reached the first target before the offer was taken",
    "stop_reached": "price reached the stop before the offer was taken",
    "zone_gone": WITHDRAWALS["zone_gone"],
    "opposite_choch": WITHDRAWALS["opposite_choch"],
    "day_loss": WITHDRAWALS["day_loss"],
    "drawdown_stop": WITHDRAWALS["drawdown_stop"],
    "symbol_leaves": WITHDRAWALS["symbol_leaves"],
    "symbol_unseen": WITHDRAWALS["symbol_unseen"],
    "skipped": "a person declined the offer",
}

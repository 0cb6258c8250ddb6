"""What an account holds at given prices: quantity, profit so far, R and cover. All that shows a position asks here.

Pure: an account and prices in, frozen rows out. Unrealised profit is before the fees of leaving, as equity is marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trading_system.rules.account import Account
from trading_system.rules.matching import Order, Role
from trading_system.rules.trade import Trade


class Holding(NamedTuple):
    """One symbol's slot that is not empty. ``last``: its last price, None while there was none.

    ``covered``: the account wants a stop for the whole position to rest; whether the venue took it, execution says.
    """

    symbol: str
    trade: Trade
    last: float | None
    covered: bool

    @property
    def waiting(self) -> bool:
        """Tell whether this is an entry that has not filled yet."""
        return self.trade.waiting

    @property
    def side(self) -> int:
        """1 for long, -1 for short."""
        return self.trade.plan.side

    @property
    def quantity(self) -> float:
        """What is held, or what the entry would bring, in base currency."""
        return self.trade.quantity if self.waiting else self.trade.held

    @property
    def entry(self) -> float:
        """The price of the fill, or of the waiting entry."""
        return self.trade.plan.entry if self.waiting else self.trade.entry_price

    @property
    def since(self) -> int:
        """When the position was opened, or the entry's signal confirmed, in ms UTC."""
        return self.trade.plan.confirmed_at if self.waiting else self.trade.opened_at

    @property
    def targets(self) -> tuple[float, ...]:
        """The prices of the targets that are still to come."""
        pairs = zip(self.trade.plan.targets, self.trade.slices, strict=True)
        return tuple(target.price for target, left in pairs if left > 0)

    @property
    def unrealised(self) -> float | None:
        """Profit at the last price in quote currency; None while the entry waits or without a price."""
        if self.waiting or self.last is None:
            return None
        return self.side * (self.last - self.trade.entry_price) * self.trade.held

    @property
    def r(self) -> float | None:
        """Unrealised profit and what was earned already, in units of the planned risk; None where that is None."""
        gain = self.unrealised
        return None if gain is None else (gain + self.trade.earned) / self.trade.risk


def holdings(account: Account, symbols: Sequence[str], closes: Mapping[str, float]) -> tuple[Holding, ...]:
    """Return what the slots hold; ``symbols`` in the order of the slots, ``closes`` their last prices where known."""
    return tuple(
        Holding(symbol, slot.trade, closes.get(symbol), _covers(slot.orders, slot.trade))
        for slot, symbol in zip(account.slots, symbols, strict=True)
        if slot.trade is not None
    )


def equity_at(account: Account, held: Sequence[Holding]) -> float | None:
    """Return wallet and unrealised profits, as the account marks them; None if an open position has no price."""
    equity = account.wallet
    for one in held:
        if not one.waiting:
            gain = one.unrealised
            if gain is None:
                return None
            equity += gain
    return equity


def _covers(orders: Sequence[Order], trade: Trade) -> bool:
    return not trade.waiting and any(one.role == Role.STOP and one.quantity >= trade.held for one in orders)

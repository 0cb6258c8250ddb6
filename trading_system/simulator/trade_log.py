"""The trades of the simulated account, oldest first, and which order of the account each of them belongs to."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from trading_system.rules.matching import OrderType, Role
from trading_system.simulator.fingerprint import exit_of, stop_of
from trading_system.simulator.orders import Trade, VenueOrder


class TradeLog:
    """``kept`` are the trades from the first that is not forgotten on; ``forgotten``: how many there were before."""

    def __init__(self) -> None:
        """Begin without a trade."""
        self.kept: list[Trade] = []
        self.forgotten = 0

    @property
    def newest(self) -> int:
        """The id of the newest trade, 0 before the first."""
        return self.forgotten + len(self.kept)

    def entry_before(self, symbol: str, before: int | None = None) -> Trade | None:
        """Return the newest trade that opened a position in ``symbol``, of those with an id below ``before``."""
        entries = (each for each in reversed(self.kept) if each.symbol == symbol and each.role == Role.ENTRY)
        return next((each for each in entries if before is None or each.id < before), None)

    def owner(self, trade: Trade, orders: Mapping[int, VenueOrder]) -> str:
        """Return the client id that a trade belongs to; the venue's own ending of a position to the entry it ends."""
        if trade.settles or trade.role == Role.LIQUIDATION:
            entry = self.entry_before(trade.symbol, trade.id)
            opened = "" if entry is None else self.owner(entry, orders)
            return exit_of(opened) if trade.settles else opened
        parent = orders[trade.order].parent
        if not parent:
            return trade.client_id
        asked = orders[parent]
        if not asked.entry:
            return asked.client_id
        return stop_of(orders[asked.entry].client_id) if asked.type == OrderType.STOP else ""

    def forget(self, kept: int, held: Collection[str]) -> None:
        """Let go of all but the newest ``kept``, and of what these or the positions in ``held`` symbols need."""
        newest = self.kept[-kept:]
        ends = [trade for trade in newest if trade.settles or trade.role == Role.LIQUIDATION]
        opened = [self.entry_before(trade.symbol, trade.id) for trade in ends]
        opened += [self.entry_before(symbol) for symbol in held]
        first = min(trade.id for trade in (*newest, *opened) if trade is not None)
        self.kept, self.forgotten = self.kept[first - 1 - self.forgotten :], first - 1

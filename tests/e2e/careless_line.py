"""The program with one law broken: an order is sent first and journaled when its answer is known. A control."""

from __future__ import annotations

from collections.abc import Callable

import trading_system.app
from trading_system.cli import main
from trading_system.rules.client_ids import client_order_id
from trading_system.rules.matching import Order
from trading_system.services.execution_engine.journal import Journal, JournalOrder, State


class LateJournal(Journal):
    """Keeps an intent in memory until the venue has answered."""

    _meant: dict[str, Callable[[], JournalOrder]] = {}  # noqa: RUF012  one journal a process

    def intend(self, order: Order, symbol: str, generation: int, *, created_ms: int, fence_at_ms: int) -> JournalOrder:
        plan, name = order.id[2:-1], order.id[-1]
        client_id = client_order_id(plan, name, generation)
        self._meant[client_id] = lambda: super(LateJournal, self).intend(
            order, symbol, generation, created_ms=created_ms, fence_at_ms=fence_at_ms
        )
        wish = (client_id, plan, name, generation, symbol, order.side, order.type, order.price, order.quantity)
        return JournalOrder(0, *wish, order.born, created_ms, fence_at_ms, self.epoch, State.INTENT, "", 0, "")

    def acked(self, client_id: str, venue_id: str) -> None:
        self._write_down(client_id)
        super().acked(client_id, venue_id)

    def refused(self, client_id: str, code: int, reason: str) -> None:
        self._write_down(client_id)
        super().refused(client_id, code, reason)

    def unknown_outcome(self, client_id: str, reason: str) -> None:
        self._write_down(client_id)
        super().unknown_outcome(client_id, reason)

    def _write_down(self, client_id: str) -> None:
        meant = self._meant.pop(client_id, None)
        if meant is not None:
            meant()


if __name__ == "__main__":
    trading_system.app.Journal = LateJournal  # type: ignore[misc]
    main()

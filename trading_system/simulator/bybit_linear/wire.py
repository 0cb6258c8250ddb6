"""Bybit v5 as one wire: its REST, its public and private sockets, and the shapes of what happens to the account.

A conditional order and what it becomes are one order here: its id stays, and its trigger is a change of status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from trading_system.simulator.bybit_linear import account_rows, frames
from trading_system.simulator.bybit_linear.rest import Rest
from trading_system.simulator.bybit_linear.signatures import Door
from trading_system.simulator.bybit_linear.streams import Streams
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.wire_port import Account, UserFrame, Wire

FUNDING = "FUNDING_FEE"


class BybitWire(Wire):
    """What each member promises is in ``wire_port.Wire``.

    ``category``: what the exchange trades, ``linear`` or ``spot``; spot has a market here and no account.
    """

    def __init__(
        self,
        category: str,
        exchange: Exchange,
        account: Account,
        faults: FaultScript,
        wall_ms: Callable[[], int],
        is_silent: Callable[[], bool],
    ) -> None:
        door = Door(account.api_key, account.secret, wall_ms)
        streams = Streams(exchange, category, door, faults, is_silent)
        super().__init__(Rest(exchange, category, door, faults), streams)
        self._exchange = exchange
        self._said = 0

    @property
    def answers_first(self) -> bool:
        """Return True: an order is acknowledged, and then it is said what became of it."""
        return True

    def order_frames(self, order: VenueOrder, execution: str, trade: Trade | None, now: int) -> Iterable[UserFrame]:
        """Return the order as it is now, and its execution, or else the position, which is said at every change."""
        if order.parent and trade is None:
            return ()  # that a conditional order became this one was said when it triggered
        del execution
        settles = trade is not None and trade.settles  # which is a trade, and the order of nobody
        said = [] if settles else [self._frame("order", frames.order_row(order, self._exchange), now)]
        if trade is None:
            return [*said, self._position_frame(order.symbol, now)]
        said.append(self._frame("execution", frames.execution_row(trade, self._exchange), now))
        said.append(self._frame("execution.fast", frames.fast_execution_row(trade, self._exchange), now))
        return said

    def algo_frames(self, order: VenueOrder, now: int) -> Iterable[UserFrame]:
        """Return the conditional order as it is now; its fill is that of the order which it became."""
        if order.status == "FINISHED":
            return ()
        said = self._frame("order", frames.order_row(order, self._exchange), now)
        return (said, self._position_frame(order.symbol, now))

    def account_frames(self, symbol: str, reason: str, now: int) -> Iterable[UserFrame]:
        """Return the position and the wallet as they are now, behind the funding that changed them."""
        said = [
            self._position_frame(symbol, now),
            self._frame("wallet", account_rows.wallet_row(self._exchange), now),
        ]
        if reason != FUNDING:
            return said
        return [self._frame("execution", frames.funding_row(self._exchange.funded[-1]), now), *said]

    def trade_row(self, trade: Trade) -> dict[str, Any]:
        """Return a row of ``GET /v5/execution/list``."""
        return frames.execution_row(trade, self._exchange)

    def _position_frame(self, symbol: str, now: int) -> UserFrame:
        row = account_rows.position_row(self._exchange.books[symbol], self._exchange)
        return self._frame("position", row, now)

    def _frame(self, topic: str, row: dict[str, Any], now: int) -> UserFrame:
        self._said += 1
        said = {"id": f"sim-{self._said}", "topic": topic, "creationTime": now, "data": [row]}
        return UserFrame(topic, msgspec.json.encode(said))

"""Bybit v5 as one wire: its REST, its public and private sockets, and the shapes of what happens to the account.

A conditional order and what it becomes are one order here: its id stays, and its trigger is a change of status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from trading_system.simulator.bybit_linear import account_rows, frames
from trading_system.simulator.bybit_linear.rest import Rest
from trading_system.simulator.bybit_linear.signatures import Door
from trading_system.simulator.bybit_linear.streams import Streams
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.minute_frames import Shown
from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.sockets import Socket
from trading_system.simulator.wire_port import Account, Answer, Request, Trouble, UserFrame

FUNDING = "FUNDING_FEE"


class BybitWire:
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
        self._exchange = exchange
        self._rest = Rest(exchange, category, door, faults)
        self._streams = Streams(exchange, category, door, faults, is_silent)
        self._said = 0

    @property
    def answers_first(self) -> bool:
        """Return True: an order is acknowledged, and then it is said what became of it."""
        return True

    @property
    def frames(self) -> int:
        """How many market frames were handed to a socket."""
        return self._streams.frames

    @property
    def user_events(self) -> int:
        """How many user events were handed to a socket."""
        return self._streams.user_events

    @property
    def signed_requests(self) -> int:
        """How many requests passed the door with a signature."""
        return self._rest.signed_requests

    @property
    def user_sockets(self) -> int:
        """How many connections hear the private topics."""
        return self._streams.user_sockets

    @property
    def unsent(self) -> int:
        """Bytes that wait for a slow listener."""
        return self._streams.unsent

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request."""
        return self._rest.answer(request)

    def trouble(self, trouble: Trouble) -> Answer:
        """Return what a request meets that is not answered."""
        return self._rest.trouble(trouble)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one WebSocket connection until it ends."""
        return await self._streams.serve(request)

    async def show(self, shown: Shown) -> None:
        """Send one kline frame to everyone who subscribed to it."""
        await self._streams.show(shown)

    async def send_event(self, frame: UserFrame) -> None:
        """Send one private event to everyone who was let in and wants its topic."""
        await self._streams.send_event(frame.kind, frame.text)

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

    def market_sockets(self) -> Sequence[Socket]:
        """Return all connections that hear the market."""
        return self._streams.market_sockets()

    def shutdown_notice(self, socket: Socket) -> bytes | None:
        """Return what the status topic says of a maintenance; a market connection ends without a word."""
        if not self._streams.hears_status(socket):
            return None
        row = {"id": "sim", "title": "maintenance", "state": "scheduled", "begin": str(self._exchange.now)}
        row |= {"end": "", "href": ""}
        said = {"topic": "system.status", "ts": self._exchange.now, "data": [row]}
        return msgspec.json.encode(said)

    def cut_user(self) -> None:
        """Break all private connections off."""
        self._streams.cut_user()

    async def close(self) -> None:
        """Say good-bye on all connections."""
        await self._streams.close()

    def _position_frame(self, symbol: str, now: int) -> UserFrame:
        row = account_rows.position_row(self._exchange.books[symbol], self._exchange)
        return self._frame("position", row, now)

    def _frame(self, topic: str, row: dict[str, Any], now: int) -> UserFrame:
        self._said += 1
        said = {"id": f"sim-{self._said}", "topic": topic, "creationTime": now, "data": [row]}
        return UserFrame(topic, msgspec.json.encode(said))

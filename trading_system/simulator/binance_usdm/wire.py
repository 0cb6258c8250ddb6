"""Binance USDT-M as one wire: its REST, its market and user sockets, and the shapes of what happens to the account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from trading_system.simulator.binance_usdm import account_rows, frames
from trading_system.simulator.binance_usdm.listen_keys import ListenKeys
from trading_system.simulator.binance_usdm.rest import Rest
from trading_system.simulator.binance_usdm.signatures import Door
from trading_system.simulator.binance_usdm.streams import Streams
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.minute_frames import Shown
from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.sockets import Socket
from trading_system.simulator.wire_port import Account, Answer, Request, Trouble, UserFrame


class BinanceUsdmWire:
    """What each member promises is in ``wire_port.Wire``."""

    def __init__(
        self,
        exchange: Exchange,
        account: Account,
        faults: FaultScript,
        wall_ms: Callable[[], int],
        is_silent: Callable[[], bool],
    ) -> None:
        keys = ListenKeys(wall_ms)
        self._exchange = exchange
        self._rest = Rest(exchange, Door(account.api_key, account.secret, wall_ms), faults, keys)
        self._streams = Streams(faults, keys, is_silent)

    @property
    def answers_first(self) -> bool:
        """Return False: an event may be there before its answer."""
        return False

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
        """How many connections hear the user stream."""
        return self._streams.user_sockets

    @property
    def unsent(self) -> int:
        """Bytes that wait for a slow listener."""
        return self._streams.unsent

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request."""
        return self._rest.answer(request)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one WebSocket connection until it ends."""
        return await self._streams.serve(request)

    def trouble(self, trouble: Trouble) -> Answer:
        """Return what a request meets that is not answered."""
        return self._rest.trouble(trouble)

    async def show(self, shown: Shown) -> None:
        """Send one kline event to everyone who subscribed to it."""
        await self._streams.show(shown, self._exchange.books[shown.symbol].instrument.step)

    async def send_event(self, frame: UserFrame) -> None:
        """Send one user event to everyone who holds the key and wants its kind."""
        await self._streams.send_event(frame.kind, frame.text)

    def order_frames(self, order: VenueOrder, execution: str, trade: Trade | None, now: int) -> Iterable[UserFrame]:
        """Return an ORDER_TRADE_UPDATE."""
        return (_frame(frames.order_event(order, execution, trade, now)),)

    def algo_frames(self, order: VenueOrder, now: int) -> Iterable[UserFrame]:
        """Return an ALGO_UPDATE."""
        return (_frame(frames.algo_event(order, now)),)

    def account_frames(self, symbol: str, reason: str, now: int) -> Iterable[UserFrame]:
        """Return an ACCOUNT_UPDATE."""
        return (_frame(account_rows.account_event(self._exchange, symbol, reason, now)),)

    def trade_row(self, trade: Trade) -> dict[str, Any]:
        """Return a row of ``GET /fapi/v1/userTrades``."""
        return frames.trade_row(trade)

    def market_sockets(self) -> Sequence[Socket]:
        """Return all connections that hear the market."""
        return self._streams.market_sockets()

    def shutdown_notice(self, socket: Socket) -> bytes:
        """Return ``serverShutdown``, wrapped where the connection wraps."""
        return frames.shutdown_notice(self._exchange.now, combined=self._streams.is_combined(socket))

    def cut_user(self) -> None:
        """Break all user connections off."""
        self._streams.cut_user()

    async def close(self) -> None:
        """Say good-bye on all connections."""
        await self._streams.close()


def _frame(event: dict[str, Any]) -> UserFrame:
    return UserFrame(event["e"], msgspec.json.encode(event))

"""The private stream of Bybit: a socket, a signature that opens it, and frames turned into our own events."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple

import aiohttp
import msgspec

from trading_system.venues.answers import decoded, finite, status_of
from trading_system.venues.bybit_linear.position_stops import PositionStops
from trading_system.venues.bybit_linear.rows import LINEAR, STATUSES, ExecutionRow, Frame, OrderRow
from trading_system.venues.clock import Clock
from trading_system.venues.errors import VenueError
from trading_system.venues.kept_stream import TEXTS, KeptStream
from trading_system.venues.port import OrderChanged, OrderStatus, UserEvent, VenueFill

log = logging.getLogger(__name__)

PING_S = 20.0
ANSWER_S = 10.0
TOPICS = ("order", "execution")
PING = {"op": "ping"}


class Door(NamedTuple):
    """What the stream needs from the adapter around it."""

    connect: Callable[[], Awaitable[aiohttp.ClientWebSocketResponse]]
    signed: Callable[[], Awaitable[list[str | int]]]
    """-> key, expiry, signature"""
    name_of_trade: Callable[[ExecutionRow], Awaitable[str]]
    is_closed: Callable[[], bool]


class NotOpenedError(VenueError):
    """The venue did not let us listen."""


class UserStream(KeptStream):
    """One reader of the private stream, from its first connection until the door is closed."""

    def __init__(self, door: Door, stops: PositionStops, clock: Clock) -> None:
        super().__init__(door.is_closed, clock)
        self._door = door
        self._stops = stops
        self._heard = False  # anything since the last ping

    async def _opened(self) -> aiohttp.ClientWebSocketResponse:
        arguments = await self._door.signed()
        socket = await self._door.connect()
        try:
            for request in (
                {"op": "auth", "args": arguments},
                {"req_id": "1", "op": "subscribe", "args": list(TOPICS)},
            ):
                await socket.send_str(msgspec.json.encode(request).decode())
                await self._granted(socket, str(request["op"]))
        except BaseException:
            await socket.close()
            raise
        return socket

    async def _granted(self, socket: aiohttp.ClientWebSocketResponse, op: str) -> None:
        """Wait for the venue's yes to ``op``; what it tells meanwhile is read by REST afterwards."""
        while True:
            message = await socket.receive(timeout=ANSWER_S)
            if message.type not in TEXTS:
                raise NotOpenedError(f"{op}: expected an answer, was the end of the socket ({socket.close_code})")
            said = decoded(message.data, Frame)
            if said.op != op:
                continue
            if not said.success:
                raise NotOpenedError(f"{op}: expected a yes, was {said.ret_msg!r}")
            return

    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Ping as the venue wants it, and end a socket on which nothing comes back."""
        self._heard = True
        while self._heard:
            self._heard = False
            with contextlib.suppress(ConnectionError):  # the reader hears of it
                await socket.send_str(msgspec.json.encode(PING).decode())
            await self._clock.sleep(PING_S)
        log.warning("the user stream is silent; connecting anew")
        await socket.close()

    async def _read(self, data: bytes | str) -> Sequence[UserEvent]:
        self._heard = True
        frame = decoded(data, Frame)
        if frame.topic == "order":
            return list(self._orders(decoded(frame.data, list[OrderRow])))
        if frame.topic == "execution":
            rows = decoded(frame.data, list[ExecutionRow])
            fills = [await self._fill(row) for row in rows if row.is_fill and row.exec_id not in self._said]
            return [fill for fill in fills if fill is not None]
        return []  # answers to our pings

    def _orders(self, rows: list[OrderRow]) -> Iterator[UserEvent]:
        """Say how orders of ours stand; that they filled, their trades say."""
        for row in rows:
            if row.category != LINEAR:
                continue
            name = self._stops.name_of(row) if row.is_stop else row.order_link_id
            status = status_of(STATUSES, row.order_status)
            if name and status != OrderStatus.FILLED:
                yield OrderChanged(name, row.symbol, status, row.order_id, row.why, finite(row.cum_exec_qty))

    async def _fill(self, row: ExecutionRow) -> VenueFill | None:
        fill = row.fill(await self._door.name_of_trade(row))
        if row.exec_id in self._said:  # said while its name was looked up
            return None
        self._said.add(row.exec_id)
        return fill

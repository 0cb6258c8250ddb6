"""The private stream of Bybit: a socket, a signature that opens it, and frames turned into our own events.

It keeps itself connected and says when it broke. What happened while it was broken is read by REST, by whoever hears
``StreamUp``; a frame that cannot be read breaks the stream for the same reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import NamedTuple

import aiohttp
import msgspec

from trading_system.venues.bybit_linear.position_stops import PositionStops
from trading_system.venues.bybit_linear.rows import LINEAR, ExecutionRow, Frame, OrderRow, decoded, status_of
from trading_system.venues.clock import Clock
from trading_system.venues.errors import VenueError
from trading_system.venues.port import OrderChanged, OrderStatus, StreamCut, StreamUp, UserEvent, VenueFill

log = logging.getLogger(__name__)

PING_S = 20.0
LONGEST_WAIT_S = 10.0
ANSWER_S = 10.0
REMEMBERED_TRADES = 10_000
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


class UserStream:
    """One reader of the private stream, from its first connection until it is stopped."""

    def __init__(self, door: Door, stops: PositionStops, clock: Clock) -> None:
        self._door = door
        self._stops = stops
        self._clock = clock
        self._heard = False  # anything since the last ping
        self._seen: set[str] = set()
        self._order_seen: deque[str] = deque()

    async def events(self) -> AsyncGenerator[UserEvent, None]:
        """Return events until the door is closed; ``StreamCut`` at a break, ``StreamUp`` when connected (again)."""
        wait = 0.0
        while not self._door.is_closed():
            reason = ""
            try:
                socket = await self._opened()
            except (VenueError, aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("the user stream cannot be opened (%s); trying again", type(error).__name__)
                await self._clock.sleep(max(wait, 0.5))
                wait = min(max(wait, 0.5) * 2, LONGEST_WAIT_S)
                continue
            keeper = asyncio.create_task(self._keep_alive(socket))
            try:
                yield StreamUp()
                while True:
                    message = await socket.receive()
                    if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                        reason = f"the socket ended with {socket.close_code}"
                        break
                    wait, self._heard = 0.0, True
                    for event in await self._read(message.data):
                        yield event
            except (VenueError, aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}"
            finally:
                keeper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await keeper
                await socket.close()
            yield StreamCut(reason)
            await self._clock.sleep(wait)
            wait = min(max(wait, 0.25) * 2, LONGEST_WAIT_S)

    async def _opened(self) -> aiohttp.ClientWebSocketResponse:
        """Return a socket on which the venue tells us of our orders and trades. Raises: VenueError, TimeoutError."""
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
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
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

    async def _read(self, data: bytes | str) -> list[UserEvent]:
        """Return what one frame says, nothing for the kinds of frame that we do not use."""
        frame = decoded(data, Frame)
        if frame.topic == "order":
            return list(self._orders(decoded(frame.data, list[OrderRow])))
        if frame.topic == "execution":
            rows = decoded(frame.data, list[ExecutionRow])
            fills = [await self._fill(row) for row in rows if row.is_fill and row.exec_id not in self._seen]
            return [fill for fill in fills if fill is not None]
        return []  # answers to our pings

    def _orders(self, rows: list[OrderRow]) -> Iterator[UserEvent]:
        """Say how orders of ours stand; that they filled, their trades say."""
        for row in rows:
            if row.category != LINEAR:
                continue
            name = self._stops.name_of(row) if row.is_stop else row.order_link_id
            status = status_of(row.order_status)
            if name and status != OrderStatus.FILLED:
                yield OrderChanged(name, row.symbol, status, row.order_id, row.why)

    async def _fill(self, row: ExecutionRow) -> VenueFill | None:
        fill = row.fill(await self._door.name_of_trade(row))
        if row.exec_id in self._seen:  # said while its name was looked up
            return None
        self._seen.add(row.exec_id)
        self._order_seen.append(row.exec_id)
        if len(self._order_seen) > REMEMBERED_TRADES:
            self._seen.discard(self._order_seen.popleft())
        return fill

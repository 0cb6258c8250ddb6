"""The user stream of Binance USDT-M: a key, a socket that the key opens, and frames turned into our own events.

It keeps itself connected and says when it broke. What happened while it was broken is read by REST, by whoever hears
``StreamUp``; a frame that cannot be read breaks the stream for the same reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import NamedTuple

import aiohttp

from trading_system.venues.binance_usdm.rows import (
    FINISHED,
    STATUSES,
    STOP_STATUSES,
    AlgoUpdate,
    Head,
    OrderTradeUpdate,
    StopFacts,
    TradeFacts,
    decoded,
    finite,
    status_of,
)
from trading_system.venues.binance_usdm.stop_children import StopChildren
from trading_system.venues.clock import Clock
from trading_system.venues.errors import OutcomeUnknownError, VenueError
from trading_system.venues.port import OrderChanged, OrderStatus, StreamCut, StreamUp, UserEvent, VenueFill

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 25 * 60  # a key lives for sixty minutes
HEARTBEAT_S = 20.0
LONGEST_WAIT_S = 10.0
REMEMBERED_TRADES = 10_000
FILLING = ("TRADE", "CALCULATED")  # CALCULATED: the exchange's own closing of a position


class Door(NamedTuple):
    """What the stream needs from the adapter around it."""

    connect: Callable[[str], Awaitable[aiohttp.ClientWebSocketResponse]]
    new_key: Callable[[], Awaitable[str]]
    keep_alive: Callable[[], Awaitable[None]]
    name_of_order: Callable[[str, str, str], Awaitable[str]]
    """(symbol, the venue's order id, the venue's client id) -> our name of it"""
    is_closed: Callable[[], bool]


class KeyExpiredError(VenueError):
    """The key that opened the stream is no longer valid; the socket stays open and silent."""


class UserStream:
    """One reader of the user stream, from its first connection until it is stopped."""

    def __init__(self, door: Door, children: StopChildren, clock: Clock) -> None:
        self._door = door
        self._children = children
        self._clock = clock
        self._seen: set[tuple[str, int]] = set()
        self._order_seen: deque[tuple[str, int]] = deque()

    async def events(self) -> AsyncGenerator[UserEvent, None]:
        """Return events until the door is closed; ``StreamCut`` at a break, ``StreamUp`` when connected (again)."""
        wait = 0.0
        while not self._door.is_closed():
            reason = ""
            try:
                key = await self._door.new_key()
                socket = await self._door.connect(key)
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
                    wait = 0.0
                    event = await self._read(message.data)
                    if event is not None:
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

    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await self._clock.sleep(KEEP_ALIVE_S)
            try:
                await self._door.keep_alive()
            except VenueError as error:
                log.warning("the user stream's key is not kept alive (%s); taking a new one", error)
                await socket.close()
                return

    async def _read(self, data: bytes | str) -> UserEvent | None:
        """Return what one frame says, None for the kinds of frame that we do not use."""
        head = decoded(data, Head)
        if not head.e and bytes(head.data):
            return await self._read(bytes(head.data))
        if head.e == "ORDER_TRADE_UPDATE":
            return await self._order(decoded(data, OrderTradeUpdate).o)
        if head.e == "ALGO_UPDATE":
            return self._stop(decoded(data, AlgoUpdate).o)
        if head.e == "listenKeyExpired":
            raise KeyExpiredError("the stream's key has expired")
        return None  # TRADE_LITE repeats a fill without its fee; balances are our own ledger's business

    async def _order(self, facts: TradeFacts) -> UserEvent | None:
        filled = facts.x in FILLING and facts.l > 0
        if filled and (facts.s, facts.t) in self._seen:
            return None
        order_id = str(facts.i)
        name = await self._door.name_of_order(facts.s, order_id, facts.c)
        if not filled:
            if facts.x in FILLING or (facts.x == "NEW" and name != facts.c):
                return None  # a liquidation that begins, or a stop's own order: the stop's event has said so
            return OrderChanged(name, facts.s, status_of(STATUSES, facts.X), order_id)
        if facts.n is None:
            raise OutcomeUnknownError(f"trade {facts.t} comes without its fee")
        price, quantity, fee = finite(facts.L), finite(facts.l), finite(facts.n)
        self._remember(facts.s, facts.t)  # last: a trade that could not be read is not one that was said
        return VenueFill(str(facts.t), facts.t, name, facts.s, facts.T, price, quantity, fee, facts.m)

    def _stop(self, facts: StopFacts) -> UserEvent:
        if facts.ai and facts.ai != "0":
            self._children.learn(facts.ai, facts.caid)
        if facts.X == FINISHED:
            status = OrderStatus.FILLED if facts.aq > 0 else OrderStatus.CANCELLED
        else:
            status = status_of(STOP_STATUSES, facts.X)
        return OrderChanged(facts.caid, facts.s, status, str(facts.aid))

    def _remember(self, symbol: str, trade_id: int) -> None:
        self._seen.add((symbol, trade_id))
        self._order_seen.append((symbol, trade_id))
        if len(self._order_seen) > REMEMBERED_TRADES:
            self._seen.discard(self._order_seen.popleft())

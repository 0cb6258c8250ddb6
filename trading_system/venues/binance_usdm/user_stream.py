"""The user stream of Binance USDT-M: a key, a socket that the key opens, and frames turned into our own events."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import aiohttp

from trading_system.venues.answers import decoded, finite, status_of
from trading_system.venues.binance_usdm.rows import (
    FINISHED,
    STATUSES,
    STOP_STATUSES,
    AlgoUpdate,
    Head,
    OrderTradeUpdate,
    StopFacts,
    TradeFacts,
)
from trading_system.venues.binance_usdm.stop_children import StopChildren
from trading_system.venues.clock import Clock
from trading_system.venues.errors import OutcomeUnknownError, VenueError
from trading_system.venues.kept_stream import KeptStream
from trading_system.venues.port import OrderChanged, OrderStatus, UserEvent, VenueFill

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 25 * 60  # a key lives for sixty minutes
HEARTBEAT_S = 20.0
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


class UserStream(KeptStream):
    """One reader of the user stream, from its first connection until the door is closed."""

    def __init__(self, door: Door, children: StopChildren, clock: Clock) -> None:
        super().__init__(door.is_closed, clock)
        self._door = door
        self._children = children

    async def _opened(self) -> aiohttp.ClientWebSocketResponse:
        return await self._door.connect(await self._door.new_key())

    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await self._clock.sleep(KEEP_ALIVE_S)
            try:
                await self._door.keep_alive()
            except VenueError as error:
                log.warning("the user stream's key is not kept alive (%s); taking a new one", error)
                await socket.close()
                return

    async def _read(self, data: bytes | str) -> Sequence[UserEvent]:
        head = decoded(data, Head)
        if not head.e and bytes(head.data):
            return await self._read(bytes(head.data))
        if head.e == "ORDER_TRADE_UPDATE":
            event = await self._order(decoded(data, OrderTradeUpdate).o)
            return () if event is None else (event,)
        if head.e == "ALGO_UPDATE":
            return (self._stop(decoded(data, AlgoUpdate).o),)
        if head.e == "listenKeyExpired":
            raise KeyExpiredError("the stream's key has expired")
        return ()  # TRADE_LITE repeats a fill without its fee; balances are our own ledger's business

    async def _order(self, facts: TradeFacts) -> UserEvent | None:
        filled = facts.x in FILLING and facts.l > 0
        if filled and (facts.s, facts.t) in self._said:
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
        self._said.add((facts.s, facts.t))  # last: a trade that could not be read is not one that was said
        return VenueFill(str(facts.t), facts.t, name, facts.s, facts.T, price, quantity, fee, facts.m)

    def _stop(self, facts: StopFacts) -> UserEvent:
        if facts.ai and facts.ai != "0":
            self._children.learn(facts.ai, facts.caid)
        if facts.X == FINISHED:
            status = OrderStatus.FILLED if facts.aq > 0 else OrderStatus.CANCELLED
        else:
            status = status_of(STOP_STATUSES, facts.X)
        return OrderChanged(facts.caid, facts.s, status, str(facts.aid))

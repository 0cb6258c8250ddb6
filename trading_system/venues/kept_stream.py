"""A user stream that keeps itself connected and says when it broke; its socket and its frames are each venue's own.

What happened while it was broken is read by REST, by whoever hears ``StreamUp``; a frame that cannot be read breaks the
stream for the same reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence

import aiohttp

from trading_system.venues.clock import Clock
from trading_system.venues.errors import VenueError
from trading_system.venues.lasting_trouble import LastingTrouble
from trading_system.venues.network_trouble import network_trouble
from trading_system.venues.port import StreamCut, StreamUp, UserEvent

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 10.0
REMEMBERED_TRADES = 10_000
TEXTS = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


class SaidTrades:
    """Which trades were said, as far back as a stream may repeat one."""

    def __init__(self) -> None:
        self._trades: set[Hashable] = set()
        self._oldest_first: deque[Hashable] = deque()

    def __contains__(self, trade: Hashable) -> bool:
        return trade in self._trades

    def add(self, trade: Hashable) -> None:
        """Remember ``trade``, which was not said before."""
        self._trades.add(trade)
        self._oldest_first.append(trade)
        if len(self._oldest_first) > REMEMBERED_TRADES:
            self._trades.discard(self._oldest_first.popleft())


class KeptStream(ABC):
    """One reader of a user stream, from its first connection until ``is_closed``."""

    def __init__(self, is_closed: Callable[[], bool], clock: Clock) -> None:
        self._is_closed = is_closed
        self._clock = clock
        self._said = SaidTrades()

    async def events(self) -> AsyncGenerator[UserEvent, None]:
        """Return events until the stream is closed; ``StreamCut`` at a break, ``StreamUp`` when connected (again)."""
        wait, closed = 0.0, LastingTrouble()
        while not self._is_closed():
            reason = ""
            try:
                socket = await self._opened()
            except (VenueError, aiohttp.ClientError, OSError, TimeoutError) as error:
                if line := closed.again(f"the user stream cannot be opened ({network_trouble(error)}); trying again"):
                    log.warning("%s", line)
                await self._clock.sleep(max(wait, 0.5))
                wait = min(max(wait, 0.5) * 2, LONGEST_WAIT_S)
                continue
            if closed.over():
                log.warning("the user stream is open again")
            keeper = asyncio.create_task(self._keep_alive(socket))
            try:
                yield StreamUp()
                while True:
                    message = await socket.receive()
                    if message.type not in TEXTS:
                        reason = f"the socket ended with {socket.close_code}"
                        break
                    wait = 0.0
                    for event in await self._read(message.data):
                        yield event
            except (VenueError, aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = network_trouble(error)
            finally:
                keeper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await keeper
                await socket.close()
            yield StreamCut(reason)
            await self._clock.sleep(wait)
            wait = min(max(wait, 0.25) * 2, LONGEST_WAIT_S)

    @abstractmethod
    async def _opened(self) -> aiohttp.ClientWebSocketResponse:
        """Return a socket on which the venue tells us of our orders and trades. Raises: VenueError, TimeoutError."""

    @abstractmethod
    async def _keep_alive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Do what keeps ``socket`` open, and close it when that fails."""

    @abstractmethod
    async def _read(self, data: bytes | str) -> Sequence[UserEvent]:
        """Return what one frame says, nothing for the kinds of frame that we do not use. Raises: VenueError."""

"""What comes from a Redis server: one connection that hears every channel, proven alive by the bus's own heartbeat."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Final

from redis.asyncio.connection import AbstractConnection

from .ending import ended
from .errors import BusRefusedError
from .port import LARGEST_PAYLOAD, Listener
from .redis_link import LINK_ERRORS, Link, within

log = logging.getLogger(__name__)

LONGEST_BACKLOG: Final = 1_024
LARGEST_BACKLOG: Final = 8 * LARGEST_PAYLOAD
LAST_WORDS_S: Final = 10.0  # for a listener that is in the middle of something when it is cancelled
_MESSAGES_A_TURN = 64


class RedisSubscription:
    """A listener's place on a channel, with a task of its own: a slow listener delays no other."""

    def __init__(self, listening: Listening, channel: bytes, listener: Listener, counts: Counter[str]) -> None:
        self.channel = channel
        self._listening = listening
        self._listener = listener
        self._counts = counts
        self._backlog: deque[bytes] = deque()
        self._size = 0
        self._behind = False
        self._active = True
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._deliver(), name=f"hears {channel.decode()}")

    def hear(self, payload: bytes) -> None:
        """Queue a message for the listener; the oldest gives way where there is no room."""
        self._backlog.append(payload)
        self._size += len(payload)
        while len(self._backlog) > LONGEST_BACKLOG or self._size > LARGEST_BACKLOG:
            self._size -= len(self._backlog.popleft())
            self._counts["overflowed"] += 1
            if not self._behind:
                log.warning("a listener of %s is too slow: its oldest messages are dropped", self.channel.decode())
            self._behind = True
        self._wake.set()

    async def cancel(self) -> None:
        """Stop hearing the channel; what the listener is doing now is waited for, at most ``LAST_WORDS_S``."""
        self._active = False
        self._wake.set()
        await self._listening.remove(self)
        if self._task is asyncio.current_task():
            return
        await asyncio.wait([self._task], timeout=LAST_WORDS_S)
        await ended([self._task])

    async def _deliver(self) -> None:
        while self._active:
            await self._wake.wait()
            self._wake.clear()
            while self._backlog and self._active:
                payload = self._backlog.popleft()
                self._size -= len(payload)
                try:
                    await self._listener(payload)
                except Exception:
                    self._counts["failed"] += 1
                    log.exception("a listener of %s failed; the others go on", self.channel.decode())
            self._behind = False


class RedisSubscriptions:
    """One listener's places on several channels."""

    def __init__(self, places: Sequence[RedisSubscription]) -> None:
        self._places = places

    async def cancel(self) -> None:
        """Stop hearing all of them."""
        for place in self._places:
            await place.cancel()


class Listening:
    """The hearing half of a RedisBus; ``run`` and ``beat`` are its tasks."""

    def __init__(
        self,
        link: Link,
        counts: Counter[str],
        own: str,
        ring: Callable[[str, bytes], None],
        *,
        deadline_s: float,
        beat_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Keep how to hear. own: the private channel of the heartbeat, rung through ``ring`` every ``beat_s``."""
        self._link = link
        self._counts = counts
        self._own = own
        self._ring = ring
        self._deadline_s = deadline_s
        self._beat_s = beat_s
        self._sleep = sleep
        self._places: dict[bytes, tuple[RedisSubscription, ...]] = {}
        self._confirmed: dict[bytes, asyncio.Event] = {}
        self._refused: BusRefusedError | None = None
        self._entered = False  # the server has let us in once: what it refuses later is an outage
        self._connection: AbstractConnection | None = None

    @property
    def places(self) -> list[RedisSubscription]:
        """Every subscription that is not cancelled."""
        return [place for places in self._places.values() for place in places]

    async def add(self, channel: bytes, listener: Listener) -> RedisSubscription:
        """Let ``listener`` hear ``channel``; returns when the server has confirmed it or a deadline is over.

        Raises: BusRefusedError when the server does not let this client in.
        """
        place = RedisSubscription(self, channel, listener, self._counts)
        known = channel in self._places
        self._places[channel] = (*self._places.get(channel, ()), place)
        confirmed = self._confirmed.setdefault(channel, asyncio.Event())
        if not known:
            await self._say("SUBSCRIBE", channel)
        if self._link.failure is None:
            with suppress(TimeoutError):
                async with within(self._deadline_s):
                    await confirmed.wait()
        if self._refused is not None:
            await place.cancel()
            raise self._refused
        return place

    async def remove(self, place: RedisSubscription) -> None:
        """Take ``place`` off its channel; nothing happens if it is off already."""
        left = tuple(other for other in self._places.get(place.channel, ()) if other is not place)
        if left:
            self._places[place.channel] = left
        elif self._places.pop(place.channel, None) is not None:
            del self._confirmed[place.channel]
            await self._say("UNSUBSCRIBE", place.channel)

    async def run(self) -> None:
        """Hear, for as long as the bus is open; after a cut every channel is subscribed anew."""
        while True:
            try:
                connection = await self._link.open()
                await self._hear(connection)
            except LINK_ERRORS as error:
                self._after(self._link.failed(error))
            except Exception as error:  # what nobody foresaw must not leave the bus deaf
                log.exception("the bus, listening, failed; it connects anew")
                self._after(self._link.failed(error))
            finally:
                self._connection = None
                await self._link.drop()
            await self._link.pause()

    async def beat(self) -> None:
        """Ring the own channel again and again, for as long as the bus is open."""
        while True:
            await self._sleep(self._beat_s)
            if self._connection is not None:
                self._ring(self._own, b"beat")

    async def _hear(self, connection: AbstractConnection) -> None:
        own = self._own.encode()
        self._connection = connection
        async with within(self._deadline_s):
            await connection.send_command("SUBSCRIBE", own, *self._places, check_health=False)
        self._ring(self._own, b"beat")
        # Only the bus's own message proves the whole way there and back; without it the connection is made anew.
        while True:
            async with within(self._beat_s + self._deadline_s):
                await self._hear_itself(connection, own)

    async def _hear_itself(self, connection: AbstractConnection, own: bytes) -> None:
        """Hand round what comes, up to the next message of this bus to itself."""
        for turn in count(1):
            kind, channel, payload = await connection.read_response(timeout=math.inf, disconnect_on_error=False)
            if kind == b"message" and channel == own:
                return
            if kind == b"message":
                self._hand_round(channel, payload)
            elif kind == b"subscribe":
                self._confirm(channel)
            if turn % _MESSAGES_A_TURN == 0:  # what is buffered already comes without a pause
                await asyncio.sleep(0)

    def _hand_round(self, channel: bytes, payload: bytes) -> None:
        self._counts["heard"] += 1
        if len(payload) > LARGEST_PAYLOAD:
            if not self._counts["too_large"]:
                log.warning(
                    "%s: a message of %d bytes is dropped; more are only counted", channel.decode(), len(payload)
                )
            self._counts["too_large"] += 1
            return
        for place in self._places.get(channel, ()):
            place.hear(payload)

    def _confirm(self, channel: bytes) -> None:
        self._entered = True
        self._refused = None
        self._link.works()
        if channel in self._confirmed:
            self._confirmed[channel].set()

    def _after(self, failure: Exception) -> None:
        """Count a cut, and let those who wait for a confirmation go on."""
        self._counts["cuts"] += self._entered
        if isinstance(failure, BusRefusedError) and not self._entered:
            self._refused = failure
        for confirmed in self._confirmed.values():
            confirmed.set()

    async def _say(self, word: str, channel: bytes) -> None:
        """Tell the server about one channel; where that fails, the next connection tells it about all."""
        connection = self._connection
        if connection is None or not connection.is_connected:
            return
        try:
            async with within(self._deadline_s):
                await connection.send_command(word, channel, check_health=False)
        except LINK_ERRORS as error:
            log.debug("%s of %s failed (%s)", word, channel.decode(), error)

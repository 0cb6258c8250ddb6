"""The bus between processes: Redis Pub/Sub as the doorbell, plain keys of the same server as the cache.

A server that is away, hangs or is replaced delays no caller: rings go into a queue that one task empties, and every
call has a deadline. A ring may be lost, late, or forged by whoever may speak to the server; what counts is in the
store.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

from .ending import ended
from .errors import BusClosedError, BusUnreachableError
from .port import LARGEST_PAYLOAD, Listener, Message, WaveListener
from .redis_link import Address, Link
from .redis_listening import Listening, RedisSubscription, RedisSubscriptions
from .redis_sending import Sending

log = logging.getLogger(__name__)


class RedisBus:
    """A bus on a Redis server; see ``port.Bus``. One connection sends, one listens; both are made on first use.

    ``counts``: rung and lost messages, those heard, ``cuts`` of the listening connection, messages ``too_large``,
    those that ``overflowed`` a slow listener's backlog, commands that the server ``refused``, listeners that
    ``failed``.
    """

    leaves_process: bool = True

    def __init__(
        self,
        url: str,
        *,
        deadline_s: float = 2.0,
        beat_s: float = 5.0,
        pauses_s: tuple[float, float] = (0.1, 5.0),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep how to reach the server; ``?prefix=NAME`` in ``url`` parts two lines on one server.

        deadline_s: of every call. beat_s: how often the bus rings itself. pauses_s: the first and the longest pause
        between two attempts to connect. sleep, monotonic: the clock.
        Raises: ValueError for a URL that cannot be used, in words that do not repeat it.
        """
        address = Address(url)
        self._prefix = address.prefix
        self._deadline_s = deadline_s
        self._counts: Counter[str] = Counter()
        self._out = Link("the bus, sending", address, deadline_s=deadline_s, pauses_s=pauses_s, sleep=sleep)
        self._in = Link("the bus, listening", address, deadline_s=deadline_s, pauses_s=pauses_s, sleep=sleep)
        self._sending = Sending(self._out, self._counts, deadline_s=deadline_s, monotonic=monotonic)
        self._listening = Listening(
            self._in,
            self._counts,
            f"{self._prefix}System_Bus:{uuid.uuid4().hex}",
            self._ring_itself,
            deadline_s=deadline_s,
            beat_s=beat_s,
            sleep=sleep,
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    @property
    def counts(self) -> Mapping[str, int]:
        """How often what has happened since the bus was opened."""
        return self._counts

    @property
    def trouble(self) -> str:
        """One sentence while the server is away or refuses, otherwise empty."""
        return self._out.trouble or self._in.trouble

    async def connect(self) -> None:
        """Reach the server; one that is away is tried again in the background. Raises: BusRefusedError."""
        try:
            await self._ask("PING")
        except BusUnreachableError as error:
            log.warning("starting without the bus: what it would say is read from the store; %s", error)

    async def publish(self, channel: str, payload: bytes) -> None:
        """Queue ``payload`` for ``channel``; one beyond the largest payload is dropped and counted."""
        self._open_for(f"publish on {channel}")
        if len(payload) > LARGEST_PAYLOAD:
            self._counts["too_large"] += 1
            self._counts["lost"] += 1
            log.error("%s: a message of %d bytes is too large for the bus and is not rung", channel, len(payload))
            return
        self._send()
        self._sending.ring(self._prefix + channel, payload)

    async def subscribe(self, channel: str, listener: Listener) -> RedisSubscription:
        """Let ``listener`` hear ``channel``; the same listener may subscribe twice and then hears twice."""
        self._open_for(f"subscribe to {channel}")
        self._send()  # the heartbeat goes out on the sending side
        await self._sending.flush()  # what was rung before must not be heard by who comes after
        self._task("bus:listening", self._listening.run)
        self._task("bus:beat", self._listening.beat)
        return await self._listening.add((self._prefix + channel).encode(), listener)

    async def publish_many(self, messages: Sequence[Message]) -> None:
        """Queue every message; they go out together."""
        for channel, payload in messages:
            await self.publish(channel, payload)

    def is_heard(self, channel: str) -> bool:
        """Return True: who listens in other processes is not known here."""
        del channel
        return True

    async def subscribe_many(self, channels: Sequence[str], listener: WaveListener) -> RedisSubscriptions:
        """Let ``listener`` hear ``channels``; what comes over the network comes one message at a time."""
        return RedisSubscriptions([await self.subscribe(channel, _alone(channel, listener)) for channel in channels])

    async def put_newest(self, key: str, order: int, payload: bytes, ttl_s: float) -> None:
        """Queue ``payload`` for ``key``; the server keeps it unless a living fact of a greater order is there."""
        self._open_for(f"keep {key}")
        if not 0 < ttl_s < math.inf:
            raise ValueError(f"the time to live of {key}: expected seconds above 0, was {ttl_s}")
        self._send()
        self._sending.keep(self._prefix + key, order, payload, ttl_s)

    async def newest(self, key: str) -> bytes | None:
        """Return what is kept under ``key`` and still alive; what is larger than any fact of ours is none."""
        self._open_for(f"read {key}")
        kept = await self._ask("GETRANGE", self._prefix + key, "0", str(LARGEST_PAYLOAD))
        if kept is not None and len(kept) > LARGEST_PAYLOAD:
            self._counts["too_large"] += 1
            return None
        return kept or None

    async def close(self) -> None:
        """Send what is queued if the server takes it within the deadline, cancel every subscription, disconnect."""
        if self._closed:
            return
        self._closed = True
        for place in self._listening.places:
            await place.cancel()
        if self._tasks:
            await self._sending.flush()
        await ended(self._tasks.values())

    async def _ask(self, *words: str) -> bytes | None:
        self._open_for("ask the server")
        self._send()
        return await self._sending.ask(*words)

    def _ring_itself(self, channel: str, payload: bytes) -> None:
        # While nothing can be sent a beat would only push out what others must hear.
        if self._out.failure is None:
            self._sending.ring(channel, payload)

    def _open_for(self, action: str) -> None:
        if self._closed:
            raise BusClosedError(action)

    def _send(self) -> None:
        self._task("bus:sending", self._sending.run)

    def _task(self, name: str, run: Callable[[], Coroutine[None, None, None]]) -> None:
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(run(), name=name)


def _alone(channel: str, listener: WaveListener) -> Listener:
    async def hear(payload: bytes) -> None:
        await listener(((channel, payload),))

    return hear

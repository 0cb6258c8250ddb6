"""The bus of one process: a message is a straight call of each listener, the cache a dictionary."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .errors import BusClosedError
from .port import Listener, Message, WaveListener

log = logging.getLogger(__name__)


class _Kept(NamedTuple):
    order: int
    payload: bytes
    ends_at: float


class MemorySubscription:
    """A listener's place on some channels of a MemoryBus."""

    def __init__(self, bus: MemoryBus, channels: Sequence[str], listener: WaveListener) -> None:
        self.channels = channels
        self.listener = listener
        self.active = True
        self._bus = bus

    async def cancel(self) -> None:
        """Stop hearing, at once even if a message is being handed round."""
        self._bus.forget(self)


class MemoryBus:
    """A bus inside one process; see ``port.Bus``.

    ``publish`` returns when every listener has finished, in the order of their subscription, so a chain of services
    runs as one call. A listener that subscribes others during a message lets them hear the next one.
    """

    leaves_process: bool = False
    trouble: str = ""  # there is no server that could be away

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Keep ``monotonic``, the clock in seconds that ends what is kept in the cache."""
        self._monotonic = monotonic
        # Tuples: a wave walks the listeners of its own moment, whatever they subscribe or cancel meanwhile.
        self._places: dict[str, tuple[MemorySubscription, ...]] = {}
        self._kept: dict[str, _Kept] = {}
        self._counts: Counter[str] = Counter()
        self._closed = False

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages were rung and how many listeners failed."""
        return self._counts

    async def connect(self) -> None:
        """Do nothing: there is no server to reach."""

    async def publish(self, channel: str, payload: bytes) -> None:
        """Hand ``payload`` to each listener of ``channel``, one after the other."""
        await self.publish_many(((channel, payload),))

    async def publish_many(self, messages: Sequence[Message]) -> None:
        """Hand each listener what is meant for it, all at once and in order, one listener after the other."""
        if self._closed:
            raise BusClosedError(f"publish on {messages[0][0]}" if messages else "publish")
        self._counts["rung"] += len(messages)
        heard: dict[MemorySubscription, list[Message]] = {}
        for message in messages:
            for place in self._places.get(message[0], ()):
                heard.setdefault(place, []).append(message)
        for place, wave in heard.items():
            if not place.active:
                continue
            try:
                await place.listener(wave)
            except Exception:
                self._counts["failed"] += 1
                log.exception("a listener of %s failed; the others go on", wave[0][0])

    def is_heard(self, channel: str) -> bool:
        """Return whether ``channel`` has a listener."""
        return channel in self._places

    async def subscribe(self, channel: str, listener: Listener) -> MemorySubscription:
        """Let ``listener`` hear ``channel``; the same listener may subscribe twice and then hears twice."""

        async def hear(wave: Sequence[Message]) -> None:
            for _, payload in wave:
                if not place.active:
                    return
                try:
                    await listener(payload)
                except Exception:
                    self._counts["failed"] += 1
                    log.exception("a listener of %s failed; the others go on", channel)

        place = await self.subscribe_many((channel,), hear)
        return place

    async def subscribe_many(self, channels: Sequence[str], listener: WaveListener) -> MemorySubscription:
        """Let ``listener`` hear ``channels``, each wave in one call."""
        if self._closed:
            raise BusClosedError(f"subscribe to {', '.join(channels[:3])}")
        place = MemorySubscription(self, tuple(channels), listener)
        for channel in place.channels:
            self._places[channel] = (*self._places.get(channel, ()), place)
        return place

    async def put_newest(self, key: str, order: int, payload: bytes, ttl_s: float) -> None:
        """Keep ``payload`` under ``key`` unless a living fact of a greater order is there."""
        if self._closed:
            raise BusClosedError(f"keep {key}")
        if not 0 < ttl_s < math.inf:
            raise ValueError(f"the time to live of {key}: expected seconds above 0, was {ttl_s}")
        now = self._monotonic()
        kept = self._kept.get(key)
        if kept is None or kept.order <= order or kept.ends_at <= now:
            self._kept[key] = _Kept(order, payload, now + ttl_s)

    async def newest(self, key: str) -> bytes | None:
        """Return what is kept under ``key`` and still alive."""
        if self._closed:
            raise BusClosedError(f"read {key}")
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.ends_at <= self._monotonic():
            del self._kept[key]
            return None
        return kept.payload or None

    async def close(self) -> None:
        """Cancel every subscription and drop the cache."""
        self._closed = True
        for places in self._places.values():
            for place in places:
                place.active = False
        self._places.clear()
        self._kept.clear()

    def forget(self, place: MemorySubscription) -> None:
        """Take ``place`` off its channels; nothing happens if it is off already."""
        place.active = False
        for channel in place.channels:
            left = tuple(other for other in self._places.get(channel, ()) if other is not place)
            if left:
                self._places[channel] = left
            else:
                self._places.pop(channel, None)

"""Says every few seconds how the services of this process are: on ``System_Health``, and under each one's cache key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from trading_system.bus.port import Bus
from trading_system.contracts import (
    SERVICES,
    SYSTEM_HEALTH,
    ContractError,
    HealthDTO,
    from_ms,
    health_key,
    serialize,
    to_health,
)
from trading_system.redaction import PROCESS
from trading_system.services.vital_signs import BAD_BELLS, NEVER_S, STOOD, Vitals

log = logging.getLogger(__name__)

KEPT_S = NEVER_S  # so long a service that died can be read in the cache, with its age
LONGEST_SENTENCE = 300
DROPPED = ("too_large", "overflowed", "refused")
"""What the bus of a process counts of messages that had no effect."""


class Beating(Protocol):
    """What a service must tell of itself; asking must cost no time and may not wait for anything."""

    name: str

    @property
    def failure(self) -> Exception | None:
        """What ended the service, None while it works."""

    def health(self) -> Vitals:
        """Return step, numbers and what the service waits for."""


def dropped(bus: Bus) -> int:
    """Return how many messages had no effect because they were too large, too many, or refused by the server."""
    return sum(bus.counts.get(name, 0) for name in DROPPED)


async def heartbeats(bus: Bus) -> dict[str, HealthDTO]:
    """Return the newest heartbeat of each service that has one. Raises: BusServerError."""
    signs: dict[str, HealthDTO] = {}
    for service in SERVICES:
        payload = await bus.newest(health_key(service))
        try:
            if payload is not None:
                signs[service] = to_health(payload)
        except ContractError as error:
            log.warning("%s holds no heartbeat: %s", health_key(service), error)
    return signs


class Heartbeat:
    """The heartbeats of one process. A bus that is away costs heartbeats, never a service."""

    def __init__(
        self,
        bus: Bus,
        services: Sequence[Beating],
        now_ms: Callable[[], int],
        *,
        every_s: float = 5.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Keep whom to ask: a list that may grow while services are opened, so that a long start is heard too.

        now_ms: this machine's time in ms UTC, which never runs backwards.
        """
        self._bus = bus
        self._services = services
        self._now_ms = now_ms
        self._every_s = every_s
        self._sleep = sleep
        self._moved: dict[str, tuple[int | None, int]] = {}  # the last step of each service, and since when it stands
        self._away = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Say the first heartbeats, and go on until ``stop``."""
        await self.beat()
        self._task = asyncio.create_task(self._go_on(), name="heartbeat")

    async def stop(self) -> None:
        """Fall silent; a second call changes nothing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def beat(self) -> None:
        """Say how every service is, once."""
        for service in self._services:
            word = self._word(service)
            payload = serialize(word)
            try:
                await self._bus.put_newest(health_key(service.name), self._order(word), payload, KEPT_S)
                await self._bus.publish(SYSTEM_HEALTH, payload)
            except Exception:
                if not self._away:
                    log.warning("heartbeats cannot be said now", exc_info=True)
                self._away = True
            else:
                self._away = False

    def _word(self, service: Beating) -> HealthDTO:
        now = self._now_ms()
        vitals, failure = service.health(), service.failure
        step, since = self._moved.get(service.name, (None, now))
        if vitals.step != step:
            since = now
        self._moved[service.name] = (vitals.step, since)
        progress = {**vitals.progress, STOOD: (now - since) / 1000}
        if service is self._services[0] and (count := dropped(self._bus)):  # one bus, hence one who says it
            refused = progress.get(BAD_BELLS, 0)
            progress[BAD_BELLS] = count + (refused if isinstance(refused, int) else 0)
        word: HealthDTO = {
            "service": service.name,
            "status": vitals.status if failure is None else "failed",
            "time": from_ms(now),
            "progress": progress,
            "detail": vitals.waits_for if failure is None else sentence_of(failure),
        }
        if vitals.step is not None:
            word["step"] = vitals.step
        return word

    def _order(self, word: HealthDTO) -> int:
        return round(word["time"].timestamp() * 1000)

    async def _go_on(self) -> None:
        while True:
            await self._sleep(self._every_s)
            await self.beat()


def sentence_of(failure: Exception) -> str:
    """Return a failure in one short line without secrets."""
    text = PROCESS(" ".join(f"{type(failure).__name__}: {failure}".split()))
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 3] + "..."

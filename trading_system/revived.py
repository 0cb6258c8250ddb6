"""A service that only tells of trading, kept alive beside it: one that failed is opened anew; trading never waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

from trading_system.services.heartbeat import Beating
from trading_system.services.vital_signs import Vitals

log = logging.getLogger(__name__)

LOOK_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0


class Life(Beating, Protocol):
    """One life of the service; what ends it is on the stack that it was made with."""

    async def start(self) -> None:
        """Begin to work. Raises: what keeps it from that."""


class Revived:
    """One service, life after life. ``failure``: why there is none now; the heartbeat says it as the service's own."""

    def __init__(
        self,
        name: str,
        make: Callable[[AsyncExitStack], Life],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Keep how a life is made: ``make`` puts onto the stack what ends it. sleep: the clock of looks and pauses."""
        self.name = name
        self._make = make
        self._sleep = sleep
        self._stack = AsyncExitStack()
        self._life: Life | None = None
        self._unborn: Exception | None = None  # why the newest life could not begin
        self._task: asyncio.Task[None] | None = None

    @property
    def failure(self) -> Exception | None:
        """Why the service does nothing now, None while it works."""
        return self._unborn or (None if self._life is None else self._life.failure)

    def health(self) -> Vitals:
        """Return the signs of the present life."""
        return Vitals(None, {}, "line", "waiting") if self._life is None else self._life.health()

    async def start(self) -> None:
        """Begin the first life, and see to it that others follow. Raises: what keeps the first one from its work."""
        await self._begin()
        self._task = asyncio.create_task(self._keep_alive(), name=f"{self.name}:lives")

    async def stop(self) -> None:
        """End the present life, the last one; a second call changes nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._stack.aclose()

    async def _begin(self) -> None:
        self._life = self._make(self._stack)
        await self._life.start()
        self._unborn = None

    async def _keep_alive(self) -> None:
        pause, worked_s = FIRST_PAUSE_S, 0.0
        while True:
            if self.failure is None:
                await self._sleep(LOOK_S)
                worked_s += LOOK_S
                continue
            if worked_s > LONGEST_PAUSE_S:
                pause = FIRST_PAUSE_S
            log.warning("%s begins again in %.0f s: %s", self.name, pause, self.failure)
            await self._sleep(pause)
            pause, worked_s = min(pause * 2, LONGEST_PAUSE_S), 0.0
            try:
                await self._stack.aclose()
            except Exception:
                log.warning("the failed life of %s did not end well", self.name, exc_info=True)
            try:
                await self._begin()
            except Exception as error:
                log.warning("%s cannot begin", self.name, exc_info=True)
                self._unborn = error

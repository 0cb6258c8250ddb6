"""A clock that moves only when everybody waits: the next sleeper is woken at its time, at once."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
START_MS = 1_700_000_040_000  # a whole minute
SETTLED_AFTER = 50  # turns of the loop in which nobody went to sleep
DEAD_AFTER = 10_000  # ... and nobody sleeps


class VirtualClock:
    """The time of a test, ms UTC."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms
        self._sleepers: list[tuple[int, int, asyncio.Event]] = []
        self._count = 0

    def wall_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.now_ms + round(seconds * 1000), self._count, woken))
        await woken.wait()

    async def run(self, work: Coroutine[Any, Any, Result], settled_after: int = SETTLED_AFTER) -> Result:
        """Do ``work`` to its end, moving the clock on whenever nothing else happens."""
        task = asyncio.ensure_future(work)
        while not task.done():
            count, quiet = self._count, 0
            while quiet < (settled_after if self._sleepers else DEAD_AFTER) and not task.done():
                await asyncio.sleep(0)
                quiet = quiet + 1 if self._count == count else 0
                count = self._count
            if not task.done():
                assert self._sleepers, "everybody waits, and nobody for the clock"
                self.now_ms, _, woken = heapq.heappop(self._sleepers)
                woken.set()
        return task.result()

"""The wall clock of execution, and what it differs by from a venue's: signatures, fences and back-off read them.

No trading decision does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

SAMPLES = 5


class Clock(Protocol):
    """The time that passes here, and waiting in it. Tests hand in one whose time they move themselves."""

    def wall_ms(self) -> int:
        """Return the time of this machine in ms UTC; it never runs backwards while the process lives."""

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds``."""


class SystemClock:
    """The machine's clock, read once and then carried on by the monotonic one, so that a step of the clock is unseen.

    What the machine's clock is off by is measured against the venue's, see ``Venue.server_time_offset``.
    """

    def __init__(self) -> None:
        self._origin_ns = time.time_ns() - time.monotonic_ns()

    def wall_ms(self) -> int:
        """Return the time of this machine in ms UTC."""
        return (self._origin_ns + time.monotonic_ns()) // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds``."""
        await asyncio.sleep(seconds)


def machine_ms() -> int:
    """Return what the machine's clock says, in ms UTC: it goes on while the machine sleeps, and can be set."""
    return time.time_ns() // 1_000_000


async def clock_offset(server_time: Callable[[], Awaitable[int]], wall_ms: Callable[[], int]) -> int:
    """Return the venue's time less this machine's, in ms: of a few samples the one with the shortest round trip.

    server_time: asks the venue for its time, ms UTC; what it raises is raised here.
    """
    samples = []
    for _ in range(SAMPLES):
        before = wall_ms()
        said = await server_time()
        after = wall_ms()
        samples.append((after - before, said - (before + after) // 2))
    return min(samples)[1]

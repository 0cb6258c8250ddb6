"""The wall clock of execution: signatures, fences and back-off read it; no trading decision does."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


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

"""The machine's clock where a test needs it wrong, or needs to say when a wait is over."""

from __future__ import annotations

import asyncio

from trading_system.venues.clock import SystemClock


class SkewedClock(SystemClock):
    """Wrong by ``skew_ms``; waiting is real."""

    def __init__(self, skew_ms: int = 0) -> None:
        super().__init__()
        self.skew_ms = skew_ms

    def wall_ms(self) -> int:
        return super().wall_ms() + self.skew_ms


class GatedClock(SystemClock):
    """A wait of ``gated_s`` ends when the test opens the gate; other waits do not wait."""

    def __init__(self, gated_s: float) -> None:
        super().__init__()
        self.gate = asyncio.Semaphore(0)
        self._gated_s = gated_s

    async def sleep(self, seconds: float) -> None:
        if seconds == self._gated_s:
            await self.gate.acquire()
        await asyncio.sleep(0)

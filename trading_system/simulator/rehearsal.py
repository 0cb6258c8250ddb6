"""The market that goes on by itself: recorded minutes, moved to the present and played at a speed of their own.

A rehearsal for people and for other people's bots, which know no lockstep: nothing waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from trading_system.rules.matching import MINUTE_MS
from trading_system.simulator.server import SimulatorServer

SHOWN_EVERY_S = 2.0


class MarketClock:
    """The venue's time, which begins at ``start_ms`` (ms UTC) and passes ``speed`` times as fast as ``wall_ms``."""

    def __init__(self, start_ms: int, speed: float, wall_ms: Callable[[], int]) -> None:
        self._start_ms = start_ms
        self._speed = speed
        self._wall_ms = wall_ms
        self._began = wall_ms()

    def now_ms(self) -> int:
        """Return the venue's time in ms UTC."""
        return self._start_ms + round((self._wall_ms() - self._began) * self._speed)

    def seconds_until(self, time_ms: int) -> float:
        """Return how long this machine has to wait until the venue's clock shows ``time_ms``."""
        return max(0.0, (time_ms - self.now_ms()) / 1000 / self._speed)


async def play_on(
    server: SimulatorServer, clock: MarketClock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Close each minute when the venue's clock says so, to the end of the market; what rests fills in it then.

    Until then the running minute is shown now and then, at the price before it: nothing of it is told early.
    """
    while not server.exchange.standing().done:
        step = server.exchange.standing().step + 1
        while wait_s := clock.seconds_until(step * MINUTE_MS):
            await server.show_running()
            await sleep(min(wait_s, SHOWN_EVERY_S))
        while server.exchange.standing().step < step:
            await server.advance(step)

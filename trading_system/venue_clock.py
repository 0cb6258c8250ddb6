"""The venue's time by this machine's clocks: the difference is measured anew now and then, and after a jump at once.

Time is carried on from the last measurement by a clock that counts what passes while this machine runs. It does not
count sleep, so it is held against the machine's own clock, which does: where the two part, one of them is wrong, and
only the venue can say which.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from trading_system.venue_access import VenueAccess
from trading_system.venues.clock import SystemClock, clock_offset, machine_ms
from trading_system.venues.market_errors import MarketError

log = logging.getLogger(__name__)

LOOK_S = 1.0
RENEW_MS = 600_000
AGAIN_MS = 10_000  # after a question without an answer
JUMP_MS = 1_000  # what a clock that is set gently, or read a moment later than the other, stays below


class VenueClock:
    """Tells the venue's time, and by how much this machine's clock is off.

    ask: how to measure the venue's time less ``carried_ms``, in ms. carried_ms: a clock that never steps, and may stand
    still while the machine sleeps. machine_ms: the clock of the machine. banned_ms: for how long the venue must not be
    asked.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[int]],
        carried_ms: Callable[[], int],
        machine_ms: Callable[[], int],
        banned_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._ask = ask
        self._carried_ms = carried_ms
        self._machine_ms = machine_ms
        self._banned_ms = banned_ms
        self._offset_ms = 0
        self._apart_ms = self._machine_ms() - self._carried_ms()  # of the two clocks, when the offset was measured
        self._due = self._carried_ms()
        self._is_answered = False  # the newest question was

    @classmethod
    def of(cls, access: VenueAccess) -> VenueClock:
        """Return one that asks the public market."""
        carried_ms = SystemClock().wall_ms

        async def ask() -> int:
            async with access.open_http() as http:
                return await clock_offset(access.market(http).server_time, carried_ms)

        return cls(ask, carried_ms, machine_ms, lambda: access.budget.banned_ms)

    def now_ms(self) -> int:
        """Return the venue's time in ms UTC, by the newest difference that could be measured."""
        return self._carried_ms() + self._offset_ms

    def latest_ms(self) -> int:
        """Return the latest that it may be at the venue, in ms UTC: nothing is younger than by this.

        After a jump, until the difference is measured again, it is the later of what both clocks say.
        """
        return self.now_ms() + max(self._jump_ms(), 0)

    @property
    def off_ms(self) -> int | None:
        """The venue's time less that of the machine's clock, in ms; None while nobody knows."""
        return self._offset_ms - self._apart_ms if self._is_answered and not self._has_jumped() else None

    async def measure(self) -> int:
        """Measure the difference (ms), keep and return it. Raises: what asking raises; then the old one is kept."""
        apart_ms = (
            self._machine_ms() - self._carried_ms()
        )  # before asking: a jump meanwhile is one still to be measured
        self._offset_ms = await self._ask()
        self._apart_ms = apart_ms
        self._due = self._carried_ms() + RENEW_MS
        self._is_answered = True
        return self._offset_ms

    async def keep_right(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Measure every ten minutes, and as soon as the clocks have parted, until cancelled.

        A measurement that fails keeps the old difference and is soon tried again; a ban is waited out.
        """
        while True:
            if self._is_due() and not self._banned_ms():
                await self._renew()
            await sleep(LOOK_S)

    def _is_due(self) -> bool:
        return self._carried_ms() >= self._due or (self._is_answered and self._has_jumped())

    async def _renew(self) -> None:
        if self._is_answered and self._has_jumped():
            seconds = self._jump_ms() / 1000
            log.warning("the machine's clock went %+.1f s against the time that passed; asking the venue", seconds)
        try:
            await self.measure()
        except Exception as error:
            if self._is_answered:
                traced = not isinstance(error, MarketError)
                log.warning("the venue's clock cannot be asked, the last answer counts: %s", error, exc_info=traced)
            self._is_answered = False
            self._due = self._carried_ms() + AGAIN_MS

    def _jump_ms(self) -> int:
        """Return how much further the machine's clock has gone than the carried one, since the last measurement."""
        return self._machine_ms() - self._carried_ms() - self._apart_ms

    def _has_jumped(self) -> bool:
        return abs(self._jump_ms()) > JUMP_MS

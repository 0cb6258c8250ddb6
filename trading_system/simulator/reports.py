"""What a line in lockstep says of itself, so that the market knows when it may go on."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from trading_system.simulator.exchange import Advanced


class Report(NamedTuple):
    """How far a line has come.

    step: the last step that it has closed. trade: the last trade that it has booked. open: orders whose answer it waits
    for or does not know. until: the step through to which the market may play at once, None: not beyond the next fill.
    """

    step: int
    trade: int
    open: int
    until: int | None

    def has_handled(self, standing: Advanced) -> bool:
        """Tell whether all that the market has said is handled, with nothing of the line's own still open."""
        return self.step >= standing.step and self.trade >= standing.trade and not self.open


class Reports:
    """The newest report of the one line that trades here, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self.newest: Report | None = None
        self._came = asyncio.Event()

    def take(self, report: Report) -> None:
        """Keep a report and wake whoever waits for it."""
        self.count += 1
        self.newest = report
        self._came.set()
        self._came = asyncio.Event()

    async def after(self, count: int, patience_s: float | None = None) -> Report | None:
        """Return the newest report as soon as there were more than ``count``, None when ``patience_s`` is over first.

        A ``count`` from before a restart of this exchange, greater than any here, is answered at once.
        """
        try:
            async with asyncio.timeout(patience_s):
                while self.count == count:
                    await self._came.wait()
        except TimeoutError:
            return None
        return self.newest

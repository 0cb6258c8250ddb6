"""The history that a line lacks at its start: many symbols side by side, oldest first, within the venue's budget.

No symbol may run ahead of the account, which steps when all have brought a minute: all are fetched for one stretch of
time, and what was fetched is handed on minute by minute while the next stretch is asked for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple

from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle
from trading_system.services.data_feed.history import Fetched, History
from trading_system.venues.market_errors import MarketError

log = logging.getLogger(__name__)

AT_ONCE = 16
STRETCH_MS = 500 * MINUTE_MS
Minute = Sequence[tuple[str, ClosedCandle]]
"""What closed together: symbols and their candles of one open time."""


class _Stretch(NamedTuple):
    """What came of one stretch. ``whole_to``: all that lies before this open time is there, None for everything."""

    closed: Mapping[str, tuple[ClosedCandle, ...]]
    whole_to: int | None


class WarmUp:
    """One warm-up. ``failed``: the symbols that were left out, each with its last error."""

    def __init__(self, history: History, starts: Mapping[str, int]) -> None:
        """Keep for which symbols to ask, and from which open time (ms UTC) on each."""
        self._history = history
        self._starts = dict(starts)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.failed: dict[str, MarketError] = {}

    async def minutes(self) -> AsyncGenerator[Minute, None]:
        """Yield every minute up to now in order.

        Raises: MarketError when no symbol at all could be asked for.
        """
        asked = len(self._starts)
        waiting: dict[int, list[tuple[str, ClosedCandle]]] = {}  # by open time: what lies beyond the slowest symbol
        fetching = asyncio.create_task(self._stretch(), name="warm_up")
        try:
            while fetched := await fetching:
                fetching = asyncio.create_task(self._stretch(), name="warm_up")
                for symbol, candles in fetched.closed.items():
                    for candle in candles:
                        waiting.setdefault(candle.open_time, []).append((symbol, candle))
                for open_time in sorted(
                    time for time in waiting if fetched.whole_to is None or time < fetched.whole_to
                ):
                    yield waiting.pop(open_time)
            if asked and len(self.failed) == asked:
                raise next(iter(self.failed.values()))
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _stretch(self) -> _Stretch | None:
        """Fetch once for every symbol that is not far before the one farthest behind; None when all are there."""
        if not self._starts:
            return None
        horizon = min(self._starts.values()) + STRETCH_MS
        symbols = [symbol for symbol, start in self._starts.items() if start < horizon]
        async with asyncio.TaskGroup() as group:
            asking = {symbol: group.create_task(self._fetch(symbol)) for symbol in symbols}
        closed: dict[str, tuple[ClosedCandle, ...]] = {}
        for symbol, task in asking.items():
            got = task.result()
            if got is not None:
                closed[symbol] = got.closed
            if got is None or not got.more:
                del self._starts[symbol]
            else:
                self._starts[symbol] = got.closed[-1].open_time + MINUTE_MS
        return _Stretch(closed, min(self._starts.values(), default=None))

    async def _fetch(self, symbol: str) -> Fetched | None:
        async with self._turns:
            try:
                return await self._history.closed_from(symbol, self._starts[symbol])
            except MarketError as error:
                log.warning("%s is left behind for now: %s", symbol, error)
                self.failed[symbol] = error
                return None

"""A paper line as ``run --symbol ...`` builds it, with all its services, on a venue that is another process."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from measure import live_venue
from measure.markets import START_MS

from trading_system.app import Line
from trading_system.paper_run import paper_line
from trading_system.rules.matching import MINUTE_MS
from trading_system.settings import Settings

READY_S = 120.0


class LiveLine:
    """The line in this process and its venue in another; to be entered."""

    line: Line
    _venue: Process

    def __init__(self, settings: Settings, folder: Path, symbols: int, minutes: int, upto: int) -> None:
        """Make neither yet; the venue's first ``upto`` of ``minutes`` minutes are over when the line starts."""
        self._settings = settings
        self._folder = folder
        self._wanted = (symbols, minutes, upto)
        self._step = START_MS // MINUTE_MS + upto
        self._closed = time.monotonic()
        self._committed = 0.0
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start both, and wait until the line has closed the market's last minute."""
        try:
            await self._open()
        except BaseException:
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop both, the line first."""
        await self._opened.aclose()

    async def close(self) -> float:
        """Close a minute; return the seconds from its first frame's leaving to the last commit of what follows of it."""
        self._step, self._closed = self._step + 1, time.monotonic()
        self._say(b"close\n")
        await self._quiet()
        return self._committed - float(await self._heard())

    async def _open(self) -> None:
        symbols = self._wanted[0]
        self._venue = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "measure.live_venue",
            *map(str, self._wanted),
            stdin=PIPE,
            stdout=PIPE,
            cwd=Path(live_venue.__file__).parents[1],
        )
        self._opened.push_async_callback(self._end_venue)
        async with asyncio.timeout(READY_S):
            rest, stream = (await self._heard()).split()
        market = self._settings.market.model_copy(update={"rest": rest, "stream": stream})
        settings = self._settings.model_copy(update={"market": market})
        names = [f"C{n:03d}USDT" for n in range(symbols)]
        made = await paper_line(names, settings, self._folder, alerts="PAPER", venue_ms=self._venue_ms)
        self.line = made.line
        self._opened.push_async_callback(self.line.stop)
        await self.line.start()
        self._watch(self.line.letterbox.store)
        await self._quiet()
        while not self.line.feed.counts["subscribed"]:
            await asyncio.sleep(0.01)

    def _watch(self, store: Any) -> None:
        """Note when the line's store has committed last."""
        commit = store.commit

        async def noted(*, forced: bool = False) -> None:
            await commit(forced=forced)
            self._committed = time.monotonic()

        store.commit = noted

    def _venue_ms(self) -> int:
        """Return the venue's time, whose minutes are as short as they are closed, and stand still when they are long."""
        return self._step * MINUTE_MS + min(round((time.monotonic() - self._closed) * 1000), MINUTE_MS - 1)

    def _say(self, order: bytes) -> None:
        assert self._venue.stdin is not None
        self._venue.stdin.write(order)

    async def _heard(self) -> str:
        assert self._venue.stdout is not None
        return (await self._venue.stdout.readline()).decode()

    async def _end_venue(self) -> None:
        assert self._venue.stdin is not None
        self._venue.stdin.close()
        await self._venue.wait()

    async def _quiet(self) -> None:
        """Wait until the account has closed the venue's last minute. Raises: the failure of a part."""
        execution = self.line.execution
        while execution.progress.step < self._step:
            execution.moved.clear()
            if self.line.failure is not None:
                raise self.line.failure
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await execution.moved.wait()

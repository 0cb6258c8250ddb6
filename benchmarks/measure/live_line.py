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
from measure.figures import Took
from measure.markets import START_MS
from trading_system.app import Line
from trading_system.paper_run import paper_line
from trading_system.rules.matching import MINUTE_MS
from trading_system.settings import Settings
from trading_system.venue_clock import VenueClock

READY_S = 120.0


class LiveLine:
    """The line in this process and its venue in another; to be entered."""

    line: Line

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

    async def close(self) -> Took:
        """Close a minute; return what it took from when its first frame leaves to the last commit of what follows."""
        cpu = time.process_time()
        self._step, self._closed = self._step + 1, time.monotonic()
        self._orders.write(b"close\n")
        await self._quiet()
        cpu = time.process_time() - cpu
        return Took((self._committed - float(await self._heard())) * 1e3, cpu * 1e3)

    async def _open(self) -> None:
        symbols = self._wanted[0]
        venue = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "measure.live_venue",
            *map(str, self._wanted),
            stdin=PIPE,
            stdout=PIPE,
            cwd=Path(live_venue.__file__).parents[1],
        )
        self._orders, self._answers = _pipes(venue)
        self._opened.push_async_callback(venue.wait)
        self._opened.callback(self._orders.close)
        async with asyncio.timeout(READY_S):
            rest, stream = (await self._heard()).split()
        market = self._settings.market.model_copy(update={"rest": rest, "stream": stream})
        settings = self._settings.model_copy(update={"market": market})
        names = [f"C{n:03d}USDT" for n in range(symbols)]
        made = await paper_line(
            names,
            settings,
            self._folder,
            alerts="PAPER",
            clock=VenueClock(_nothing_off, self._venue_ms, self._venue_ms),
        )
        self.line = made.line
        self._opened.push_async_callback(self.line.stop)
        await self.line.start()
        self._watch(self.line.letterbox.store)
        await self._quiet()

    def _watch(self, store: Any) -> None:
        """Note when the line's store has committed last."""
        commit = store.commit

        async def noted(*, forced: bool = False) -> None:
            await commit(forced=forced)
            self._committed = time.monotonic()

        store.commit = noted

    def _venue_ms(self) -> int:
        """Return the venue's time: a minute is over when it is told to be, and not before."""
        return self._step * MINUTE_MS + min(round((time.monotonic() - self._closed) * 1000), MINUTE_MS - 1)

    async def _heard(self) -> str:
        return (await self._answers.readline()).decode()

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


async def _nothing_off() -> int:
    return 0


def _pipes(process: Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("expected a venue with both pipes, was one without; start it with stdin and stdout piped")
    return process.stdin, process.stdout

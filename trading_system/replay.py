"""The conductor of lockstep: the market stands still until the line is quiet, then it is told to go on.

So cuts, lost answers, kills and slow machines cost wall time and change no trade. The line is in this process, or it
reports to the exchange from another one, and the conductor hears those reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp

from trading_system.app import Line
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.services.execution_engine.service import ExecutionEngine
from trading_system.simulator.exchange import Advanced
from trading_system.simulator.reports import Report, Reports
from trading_system.simulator.server import SimulatorServer

STALLED_AFTER_S = 60.0
LOOK_S = 0.5
ANY_STEP = 2**62
PATIENCE_S = 20.0  # of one question for the next report


class Market(Protocol):
    """A market that moves only when it is told to."""

    async def advance(self, until: int | None) -> Advanced:
        """Play to the next fill or the end of a step, or through to step ``until``."""

    async def standing(self) -> Advanced:
        """Tell where the market stands, without moving it."""


class Follower(Protocol):
    """The line that trades on the market."""

    async def quiet(self, standing: Advanced) -> Report:
        """Wait until the line has handled all that the market has said, and nothing of its own is open."""


class LocalMarket:
    """The simulator in this process, called directly."""

    def __init__(self, server: SimulatorServer) -> None:
        self._server = server

    async def advance(self, until: int | None) -> Advanced:
        """Play on."""
        return await self._server.advance(until)

    async def standing(self) -> Advanced:
        """Tell where the market stands."""
        return self._server.exchange.standing()


class RemoteMarket:
    """The simulator in another process, called over its control plane."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._url = f"{base_url}/_sim"

    async def advance(self, until: int | None) -> Advanced:
        """Play on. Raises: aiohttp.ClientError when the simulator is gone."""
        async with self._http.post(f"{self._url}/advance", json={"until": until}) as answer:
            answer.raise_for_status()
            return Advanced(**await answer.json())

    async def standing(self) -> Advanced:
        """Tell where the market stands. Raises: aiohttp.ClientError when the simulator is gone."""
        async with self._http.get(f"{self._url}/state") as answer:
            answer.raise_for_status()
            state = await answer.json()
            return Advanced(state["step"], state["trade"], state["done"])


class LocalLine:
    """The line in this process, looked at directly."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def quiet(self, standing: Advanced) -> Report:
        """Wait for the line.

        Raises: LineFailedError with the part's failure as its cause; StalledError when the line stays behind.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STALLED_AFTER_S
        engine = self._line.execution
        while True:
            engine.moved.clear()
            if engine.store_lost is not None:
                require_alive(self._line)
            report = report_of(engine, self._line.settings.signal_interval)
            if report.has_handled(standing):
                return report
            require_alive(self._line)
            if loop.time() > deadline:
                raise StalledError(
                    f"expected step {standing.step} and trade {standing.trade} handled, was {engine.progress} "
                    f"after {STALLED_AFTER_S:.0f} s; start the run again, it resumes from its folder"
                )
            await _moved(engine)


class ReportingLine:
    """A line in another process that reports to the exchange in this one; however long it is away, it is waited for."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def quiet(self, standing: Advanced) -> Report:
        """Wait for the line."""
        while True:
            count, report = self._reports.count, self._reports.newest
            if report is not None and report.has_handled(standing):
                return report
            await self._reports.after(count)


class RemoteLine:
    """A line that reports to an exchange in a third process, over whose control plane it is heard here."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._url = f"{base_url}/_sim/report"
        self._count = -1

    async def quiet(self, standing: Advanced) -> Report:
        """Wait for the line. Raises: aiohttp.ClientError when the simulator is gone."""
        while True:
            params = {"after": str(self._count), "patience": str(PATIENCE_S)}
            async with self._http.get(self._url, params=params) as answer:
                answer.raise_for_status()
                said = await answer.json()
            self._count = said["count"]
            if said["report"] is not None:
                report = Report(**said["report"])
                if report.has_handled(standing):
                    self._count = -1  # the same report may be the answer to the market's next word, too
                    return report


class StalledError(RuntimeError):
    """The line did not become quiet."""


class LineFailedError(RuntimeError):
    """A part of the line failed."""


async def conduct(line: Follower, market: Market, progress: Callable[[int], None] = lambda _: None) -> Advanced:
    """Play the market to its end in lockstep with ``line``; ``progress`` gets each closed step.

    Raises: what ``line`` and ``market`` raise.
    """
    standing = await market.standing()
    while True:
        report = await line.quiet(standing)
        progress(standing.step)
        if standing.done:
            return standing
        standing = await market.advance(report.until)


def report_of(engine: ExecutionEngine, signal_interval: str) -> Report:
    """Return how far ``engine`` has come: while its account is empty, nothing can happen before a signal's close.

    One that lost its store closes no step: the market waits only until it has answered every trade.
    """
    step, trade, in_flight, unknown = engine.progress
    if engine.store_lost is not None:
        return Report(ANY_STEP, trade, in_flight + unknown, None)
    minutes = interval_ms(signal_interval) // MINUTE_MS
    until = (step // minutes + 1) * minutes if engine.idle else None
    return Report(step, trade, in_flight + unknown, until)


async def report_moves(
    engine: ExecutionEngine,
    signal_interval: str,
    http: aiohttp.ClientSession,
    base_url: str,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Report every move of ``engine`` to the exchange at ``base_url`` until its market is over and handled.

    ``alive`` raises when a part of the line has failed. Raises: aiohttp.ClientError when the exchange is gone.
    """
    while True:
        engine.moved.clear()
        if engine.store_lost is not None:
            alive()
        report = report_of(engine, signal_interval)
        async with http.post(f"{base_url}/_sim/report", json=report._asdict()) as answer:
            answer.raise_for_status()
            standing = Advanced(**await answer.json())
        if standing.done and report.has_handled(standing):
            return
        alive()
        await _moved(engine)


def require_alive(line: Line) -> None:
    """Raise a part's failure as the line's own. Raises: LineFailedError with the part's failure as its cause."""
    failure = line.failure
    if failure is not None:
        raise LineFailedError(
            f"the line failed at step {line.execution.progress.step}: {failure}; start it again, it resumes from "
            f"{line.folder}"
        ) from failure


def require_whole(line: Line) -> None:
    """Raise for a line that lost its store and whose market ended all the same. Raises: LineFailedError."""
    if line.execution.store_lost is not None:
        raise LineFailedError(
            f"the line closed no step after {line.execution.progress.step}, as its store took no more; free the disk "
            f"and start it again, it resumes from {line.folder}"
        )


async def _moved(engine: Any) -> None:
    """Wait until ``engine`` has moved, or for a moment: what resolves itself and what fails rings no bell."""
    try:
        async with asyncio.timeout(LOOK_S):
            await engine.moved.wait()
    except TimeoutError:
        pass

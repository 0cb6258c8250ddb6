"""The conductor of lockstep: the market stands still until the line is quiet, then it is told to go on.

So cuts, lost answers, kills and slow machines cost wall time and change no trade.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import aiohttp

from trading_system.app import Line
from trading_system.rules.intervals import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.simulator.exchange import Advanced
from trading_system.simulator.server import SimulatorServer

STALLED_AFTER_S = 60.0
LOOK_S = 0.5


class Market(Protocol):
    """A market that moves only when it is told to."""

    async def advance(self, until: int | None) -> Advanced:
        """Play to the next fill or the end of a step, or through to step ``until``."""

    async def standing(self) -> Advanced:
        """Tell where the market stands, without moving it."""


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


class StalledError(RuntimeError):
    """The line did not become quiet."""


class LineFailedError(RuntimeError):
    """A part of the line failed."""


async def conduct(line: Line, market: Market, progress: Callable[[int], None] = lambda _: None) -> Advanced:
    """Play the market to its end in lockstep with ``line``; ``progress`` gets each closed step.

    Raises: LineFailedError with the part's failure as its cause; StalledError when the line stays behind.
    """
    look = asyncio.create_task(_look_in(line), name="conductor")
    minutes = interval_ms(line.settings.signal_interval) // MINUTE_MS
    try:
        standing = await market.standing()
        while True:
            await quiet(line, standing)
            progress(standing.step)
            if standing.done:
                return standing
            until = (standing.step // minutes + 1) * minutes if line.execution.idle else None
            standing = await market.advance(until)
    finally:
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)


async def quiet(line: Line, standing: Advanced) -> None:
    """Wait until the line has handled all that the market has said, and nothing of its own is open."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STALLED_AFTER_S
    moved = line.execution.moved
    while True:
        moved.clear()
        progress = line.execution.progress
        if (
            progress.step >= standing.step
            and progress.trade >= standing.trade
            and not progress.in_flight
            and not progress.unknown
        ):
            return
        failure = line.failure
        if failure is not None:
            raise LineFailedError(f"the line failed at step {progress.step}: {failure}") from failure
        if loop.time() > deadline:
            raise StalledError(
                f"expected step {standing.step} and trade {standing.trade} handled, was {progress} "
                f"after {STALLED_AFTER_S:.0f} s; start the run again, it resumes from its folder"
            )
        await moved.wait()


async def _look_in(line: Line) -> None:
    """Let the conductor look again now and then: a failure rings no bell."""
    while True:
        await asyncio.sleep(LOOK_S)
        line.execution.moved.set()

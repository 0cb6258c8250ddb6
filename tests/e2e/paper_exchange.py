"""The simulated exchange in the part of a venue's public feed, and a paper line that hears nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from small_markets import small_market, small_settings

from trading_system.app import Line
from trading_system.paper_run import paper_line, paper_run
from trading_system.replay import LocalLine, LocalMarket, conduct
from trading_system.research.candle_inputs import CandleInputs
from trading_system.research.parity import compare
from trading_system.research.runs import Run, run_backtest, write
from trading_system.research.stored_candles import read_stored
from trading_system.settings import Settings
from trading_system.simulated_run import REPLAY_PACE, simulator_of
from trading_system.simulator.server import SimulatorServer
from trading_system.stored_run import run_of
from trading_system.venue_clock import VenueClock


def clock_by(venue_ms: Callable[[], int]) -> VenueClock:
    """A clock by which it is ``venue_ms()`` at the venue."""

    async def right() -> int:
        return 0

    return VenueClock(right, venue_ms, venue_ms)


class PublicFeed:
    """An exchange on loopback whose account nobody uses: what trades is the paper account of the line."""

    def __init__(self, inputs: CandleInputs | None = None, *overrides: str) -> None:
        self._base = small_settings(*overrides)
        self._overrides = overrides
        self.inputs = inputs or small_market(self._base)
        self.server: SimulatorServer = simulator_of(self.inputs, self._base)

    async def open(self) -> None:
        addresses = await self.server.start()
        self.settings: Settings = small_settings(
            f"market.rest={addresses.http}", f"market.stream={addresses.ws}", *self._overrides
        )

    async def line(self, folder: Path, clock: VenueClock | None = None) -> Line:
        """A line whose clock stands at 0, so that no signal is old, unless a test gives another."""
        symbols = [one.symbol for one in self.inputs.instruments]
        clock = clock or clock_by(lambda: 0)
        found = await paper_line(symbols, self.settings, folder, pace=REPLAY_PACE, clock=clock)
        return found.line

    async def trade(self, line: Line) -> Run:
        """Trade to the end of the market; whatever stops it, the line is closed as a dying process would leave it."""
        try:
            await line.start()
            await conduct(LocalLine(line), LocalMarket(self.server))
            return paper_run(await run_of(line), line, 0.0)
        finally:
            await line.stop()


async def assert_equal_to_its_backtest(folder: Path, run: Run) -> Run:
    """Write a paper run and the backtest of what it stored, and hold them against each other."""
    write(folder, run)
    stored = await read_stored(folder)
    tested = run_backtest(stored.inputs, stored.settings, late=stored.late)
    beside = folder.with_name(folder.name + "-backtest")
    write(beside, tested)
    difference = compare(folder, beside).difference
    assert difference is None, difference.sentence()
    assert run.summary["fingerprint"] == tested.summary["fingerprint"]
    assert run.summary["equity_final"] == tested.summary["equity_final"]
    return tested

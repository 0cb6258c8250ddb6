"""How long a step of the whole line takes in one process: exchange, socket, rooms, store and orders in lockstep.

The simulated exchange runs in the same process, so its work is in the figures; alerts are off.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from measure.figures import Figure
from measure.markets import minutes_of, real_minutes
from results import report

from trading_system.settings import settings_with
from trading_system.simulated_run import run_replay

WARM_UP_CANDLES = 100
MINUTES = 9_000
RUNS = 3
BUDGET_MS = 0.6


class Mark(NamedTuple):
    """A moment at which the line was quiet: the step closed by then, the wall's clock and processor time in s."""

    step: int
    wall: float
    cpu: float


class Trial(NamedTuple):
    """One run: when it began, and every moment at which it was quiet."""

    began: Mark
    quiet: list[Mark]
    summary: dict[str, Any]


def main() -> None:
    """Measure and print."""
    logging.disable(logging.WARNING)
    source = real_minutes("BINANCEUSDM_BTCUSDT_1m.csv.gz")
    settings = settings_with([f"warm_up={WARM_UP_CANDLES}"], signal_interval="15m")
    inputs = minutes_of(source, settings, MINUTES)
    trials = [trial(inputs, settings) for _ in range(RUNS)]
    warm_up = trials[0].quiet[0].step - trials[0].began.step
    steps = trials[0].quiet[-1].step - trials[0].quiet[0].step
    summary = trials[0].summary
    counts = (
        f"warm-up {warm_up:,} steps; {summary['signals']} signals, {summary['orders']} orders, "
        f"{summary['fills']} fills, {summary['wire']['signed_requests']} signed requests"
    )
    report(
        f"Lockstep over {steps:,} minutes of {source.name}, memory bus and SQLite, exchange included",
        [
            Figure("start, and warm-up by REST", "ms/step wall", [per_step(t.began, t.quiet[0]).wall for t in trials]),
            Figure("start, and warm-up by REST", "ms/step cpu", [per_step(t.began, t.quiet[0]).cpu for t in trials]),
            Figure("a step of the line", "ms/step wall", [whole(one).wall for one in trials], BUDGET_MS),
            Figure("a step of the line", "ms/step cpu", [whole(one).cpu for one in trials], BUDGET_MS),
            Figure("of these: flat, many in a stretch", "ms/step cpu", [among(one, single=False) for one in trials]),
            Figure("of these: one at a time, with orders", "ms/step cpu", [among(one, single=True) for one in trials]),
        ],
        [counts],
    )


def trial(inputs: Any, settings: Any) -> Trial:
    """Run the line once in a folder that is gone afterwards."""
    quiet: list[Mark] = []
    began = mark(inputs.origin // 60_000)
    with tempfile.TemporaryDirectory() as folder:
        run = asyncio.run(
            run_replay(inputs, settings, Path(folder, "run"), stepped=lambda step: quiet.append(mark(step)))
        )
    return Trial(began, quiet, run.summary)


def mark(step: int) -> Mark:
    """Return this moment."""
    return Mark(step, time.perf_counter(), time.process_time())


def per_step(first: Mark, last: Mark) -> Mark:
    """Return what a step took between two moments, in ms."""
    steps = last.step - first.step
    return Mark(steps, (last.wall - first.wall) / steps * 1e3, (last.cpu - first.cpu) / steps * 1e3)


def whole(one: Trial) -> Mark:
    """Return what a step of the lockstep took in ms, from the end of the warm-up to the end of the market."""
    return per_step(one.quiet[0], one.quiet[-1])


def among(one: Trial, *, single: bool) -> float:
    """Return the processor time in ms of a step that was advanced alone, or of one among many.

    A step that is interrupted by a fill counts with those alone: its minute takes several advances.
    """
    steps, cpu = 0, 0.0
    for first, last in zip(one.quiet, one.quiet[1:], strict=False):
        if (last.step - first.step <= 1) is single:
            steps += last.step - first.step
            cpu += last.cpu - first.cpu
    return cpu / max(steps, 1) * 1e3


if __name__ == "__main__":
    main()

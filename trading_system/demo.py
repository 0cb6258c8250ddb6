"""The main job, offline: seven days of a seeded synthetic market through the whole line, then the same as a backtest.

On the way the feed is cut once and one order answer is lost, on purpose.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from trading_system.console import print_summary, progress, say
from trading_system.research.candle_inputs import CandleInputs, inputs_of
from trading_system.research.parity import Comparison, compare
from trading_system.research.runs import Run, run_backtest, write
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.settings import Settings
from trading_system.simulated_run import run_replay
from trading_system.simulator.faults import Fault, FaultKind, FaultScript
from trading_system.simulator.market import DEMO_SYMBOLS, market_hash, synthetic_candles

SEED = 20
DAYS = 7
START_MS = 1_736_121_600_000  # Monday 2025-01-06 00:00 UTC, a boundary of every interval
DAY_MINUTES = 1_440
CUT_AFTER_MINUTES = 2_000
LOST_ANSWER = 5  # which order request loses its answer


class Demo(NamedTuple):
    """What the demo came to: both runs, and how they compare."""

    run: Run
    backtest: Run
    comparison: Comparison

    @property
    def passed(self) -> bool:
        """Tell whether everything is equal and there was something to compare."""
        return self.comparison.difference is None and self.run.summary["trades"] > 1


def demo_inputs(settings: Settings, seed: int, days: int) -> tuple[CandleInputs, str]:
    """Return the demo's market, warm-up and ``days`` days, and the hash of its candles."""
    warm_up = settings.plans.warm_up * interval_ms(settings.signal_interval) // MINUTE_MS
    minutes = warm_up + days * DAY_MINUTES
    venue = settings.venue
    candles = {
        one.symbol: synthetic_candles(seed, one.symbol, START_MS, minutes, one.tick, one.step, one.start_price)
        for one in DEMO_SYMBOLS
    }
    instruments = [
        Instrument(
            settings.exchange,
            one.symbol,
            one.tick,
            one.step,
            venue.min_notional,
            venue.taker_fee,
            venue.maker_fee,
            venue.maintenance_margin,
        )
        for one in DEMO_SYMBOLS
    ]
    return inputs_of(instruments, candles, settings), market_hash(candles.values())


def run_demo(settings: Settings, folder: Path, *, seed: int = SEED, days: int = DAYS, alerts: bool = True) -> Demo:
    """Run the line over the demo market with its two faults, then the backtest, and compare them in ``folder``."""
    say(f"Making a synthetic market from seed {seed}: {len(DEMO_SYMBOLS)} symbols, {days} days after the warm-up ...")
    inputs, digest = demo_inputs(settings, seed, days)
    say(f"market {digest}")
    first = settings.plans.warm_up * interval_ms(settings.signal_interval) // MINUTE_MS
    start = inputs.origin // MINUTE_MS + first
    faults = FaultScript(
        [
            Fault(FaultKind.CUT, at_step=start + min(CUT_AFTER_MINUTES, days * DAY_MINUTES // 2)),
            Fault(FaultKind.LOST_ANSWER, nth=LOST_ANSWER),
        ]
    )
    symbols = len(inputs.instruments)
    with (
        progress("fetching the warm-up by REST", first * symbols) as warmed,
        progress("trading in lockstep", days * DAY_MINUTES) as stepped,
    ):
        run = asyncio.run(
            run_replay(
                inputs,
                settings,
                folder / "run",
                faults=faults,
                alerts="DEMO" if alerts else None,
                warmed=warmed,
                stepped=lambda step: stepped(step - start),
            )
        )
    write(folder / "run", run)
    _say_recoveries(run)
    print_summary(run.summary, folder / "run")
    say("Running the same candles through the backtest ...")
    tested = run_backtest(inputs, settings)
    write(folder / "backtest", tested)
    return Demo(run, tested, compare(folder / "run", folder / "backtest"))


def _say_recoveries(run: Run) -> None:
    """Say what was broken on purpose and how the line got over it."""
    recovered = run.summary["recovered"]
    say(
        f"The feed was cut {run.summary['faults'].get('cut', 0)} time on purpose: it came back and fetched "
        f"{recovered['minutes_repaired']} minutes again by REST; none is missing."
    )
    for order in recovered["answers_lost"]:
        say(
            f"The answer to order {order} was lost on purpose: it counted as unknown, was not sent again, and the "
            "exchange proved by its id that it had arrived."
        )


def say_verdict(demo: Demo) -> None:
    """Say whether the live line and the backtest are the same."""
    difference = demo.comparison.difference
    if difference is not None:
        say(f"NOT EQUAL: {difference.sentence()}")
        return
    counted = ", ".join(f"{count:,} {what}" for what, count in demo.comparison.counts.items())
    say(f"Equal to the backtest, to the last digit: {counted}.")
    if not demo.passed:
        say(f"But there were only {demo.run.summary['trades']} trades, which proves too little.")

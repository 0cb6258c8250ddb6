"""The main job, offline: seven days of a seeded synthetic market through the whole line, then the same as a backtest.

On the way the feed is cut once and one order answer is lost, on purpose.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from trading_system.console import print_summary, progress, say
from trading_system.languages.sentences import said_in
from trading_system.languages.speech import Speech
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
from trading_system.terminal_words import counts_text, terminal_in

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
    speech = terminal_in(settings.language)
    counted = {
        "symbols": speech.counted("demo.symbols", len(DEMO_SYMBOLS)),
        "days": speech.counted("demo.days", days),
    }
    say(speech.say("demo.market", seed=seed, **counted))
    inputs, digest = demo_inputs(settings, seed, days)
    say(speech.say("demo.digest", digest=digest))
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
        progress("progress.warm_up", first * symbols, speech) as warmed,
        progress("progress.lockstep", days * DAY_MINUTES, speech) as stepped,
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
    _say_recoveries(run, speech)
    print_summary(run.summary, folder / "run", speech)
    say(speech.say("demo.backtest"))
    tested = run_backtest(inputs, settings)
    write(folder / "backtest", tested)
    return Demo(run, tested, compare(folder / "run", folder / "backtest"))


def _say_recoveries(run: Run, speech: Speech) -> None:
    """Say what was broken on purpose and how the line got over it."""
    recovered = run.summary["recovered"]
    times = speech.counted("demo.cut.times", run.summary["faults"].get("cut", 0))
    minutes = speech.counted("demo.cut.minutes", recovered["minutes_repaired"])
    say(speech.say("demo.cut", times=times, minutes=minutes))
    for order in recovered["answers_lost"]:
        say(speech.say("demo.lost", order=order))


def say_verdict(demo: Demo, speech: Speech) -> None:
    """Say whether the live line and the backtest are the same."""
    difference = demo.comparison.difference
    if difference is not None:
        say(speech.say("demo.different", difference=said_in(difference.sentence(), speech.language)))
        return
    say(speech.say("demo.equal", counts=counts_text(demo.comparison.counts, speech)))
    if not demo.passed:
        say(speech.counted("demo.few", demo.run.summary["trades"]))

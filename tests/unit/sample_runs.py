"""A small backtest of the synthetic market as a record, and as the folder of a finished run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from sample_trades import DAY, MINUTE, START

from trading_system.research.backtest import Series, backtest
from trading_system.research.run_folder import RunRecord, write_run
from trading_system.rules.account import Terms
from trading_system.rules.facts import Closed, EquityPoint, Fact, Fill, Placed
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import FillRules
from trading_system.rules.risk import RiskRules
from trading_system.rules.signals import SignalRules
from trading_system.rules.trade_plan import PlanRules
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles


@cache
def record_of() -> RunRecord:
    """Return two symbols traded for two days."""
    start = START - START % (7 * DAY)
    series = []
    for one in DEMO_SYMBOLS[:2]:
        candles = synthetic_candles(4, one.symbol, start, 2880, one.tick, one.step, one.start_price)
        instrument = Instrument("binance_usdm", one.symbol, one.tick, one.step, 5.0, 0.0005, 0.0002, 0.004)
        series.append(Series(instrument, candles))
    rules = [SignalRules(PlanRules(min_rr=0.5), "5m", 5 * MINUTE, start, 50)] * 2
    terms = Terms(tuple(one.instrument for one in series), RiskRules(), FillRules())
    found = backtest(series, terms, rules, higher="1h", overrides={}, equity=10_000.0)
    return RunRecord(
        symbols=[one.instrument.symbol for one in series],
        candles=[one.candles for one in series],
        events=[event for events in found.events for event in events],
        orders=_only(found.facts, Placed),
        fills=_only(found.facts, Fill),
        equity=_only(found.facts, EquityPoint),
        trades=_only(found.facts, Closed),
        refused=[{"rule": refusal.rule} for refusal in found.refusals],
    )


def run_in(folder: Path, **summary: Any) -> Path:
    """Write the record as a finished run into ``folder`` and return it."""
    write_run(folder, record_of(), summary)
    return folder


def _only(facts: list[Fact], kind: Any) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]

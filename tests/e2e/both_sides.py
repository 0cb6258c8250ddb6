"""The same market through the whole line and through the backtest, and what must be equal of the two."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from trading_system.research.candle_inputs import CandleInputs
from trading_system.research.parity import Comparison, compare
from trading_system.research.runs import Run, run_backtest, write
from trading_system.settings import Settings
from trading_system.simulated_run import run_replay
from trading_system.simulator.faults import Fault, FaultScript


class Both(NamedTuple):
    """One market traded twice, with the folders that were compared."""

    line: Run
    backtest: Run
    comparison: Comparison
    folder: Path

    def assert_equal(self) -> None:
        difference = self.comparison.difference
        assert difference is None, difference.sentence()
        assert self.line.summary["fingerprint"] == self.backtest.summary["fingerprint"]
        assert self.line.summary["equity_final"] == self.backtest.summary["equity_final"]
        wire = self.line.summary["wire"]
        assert min(wire["frames"], wire["signed_requests"], wire["user_events"]) > 0


def trade_line(
    inputs: CandleInputs, settings: Settings, folder: Path, faults: Iterable[Fault] | FaultScript = ()
) -> Run:
    """Run the line over the wire and write its folder."""
    script = faults if isinstance(faults, FaultScript) else FaultScript(faults)
    run = asyncio.run(run_replay(inputs, settings, folder, faults=script))
    write(folder, run)
    return run


def trade_both(
    inputs: CandleInputs, settings: Settings, folder: Path, faults: Iterable[Fault] | FaultScript = ()
) -> Both:
    """Run the line and the backtest, and compare them."""
    line = trade_line(inputs, settings, folder / "line", faults)
    backtest = run_backtest(inputs, settings)
    write(folder / "backtest", backtest)
    return Both(line, backtest, compare(folder / "line", folder / "backtest"), folder)


class JournalRow(NamedTuple):
    """What the journal file says of one order."""

    client_id: str
    name: str  # e entry, s stop, x exit, 1-9 targets
    plan: str
    state: str
    code: int


def journal_of(folder: Path) -> list[JournalRow]:
    """Return the orders of a run's journal, oldest first."""
    with sqlite3.connect(folder / "journal.db") as journal:
        rows = journal.execute("SELECT client_id, name, plan, state, code FROM orders ORDER BY seq").fetchall()
    journal.close()
    return [JournalRow(*row) for row in rows]


def assert_each_signal_entered_once(folder: Path) -> None:
    """No client id twice, one live entry a plan, and every filled entry got a stop."""
    rows = journal_of(folder)
    assert len({row.client_id for row in rows}) == len(rows)
    entries = Counter(row.plan for row in rows if row.name == "e" and row.state in ("FILLED", "ACKED", "CANCELLED"))
    assert max(entries.values(), default=1) == 1
    filled = {row.plan for row in rows if row.name == "e" and row.state == "FILLED"}
    protected = {
        row.plan for row in rows if row.name in "sx" and row.state in ("FILLED", "CANCELLED", "ACKED", "EXPIRED")
    }
    assert filled <= protected

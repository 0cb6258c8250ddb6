"""The commands that read a line's folder: status, positions, signals, trades and why, from beside it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from both_sides import trade_line
from commands import Command
from rich.console import Console
from small_markets import SMALL_WARM_UP, small_market, small_settings

from trading_system.console_line import print_positions, print_trades
from trading_system.research.line_rows import positions_of, status_of, waits_for
from trading_system.research.line_view import LineView, ViewError, newest_line, read_line
from trading_system.rules.facts import Closed, Placed
from trading_system.rules.trade import entered
from trading_system.services.execution_engine.journal import Journal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data") / "runs" / "line"
    settings = small_settings()
    trade_line(small_market(settings), settings, place)
    return place


@pytest.fixture(scope="module")
def view(folder: Path) -> LineView:
    return asyncio.run(read_line(folder))


def summary_of(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return said


def test_the_funnel_counts_what_the_summary_of_the_run_counts(command: Command, folder: Path) -> None:
    summary = summary_of(folder)
    told = command("why", "BTCUSDT", "--store", folder, "--json")
    (funnel,) = json.loads(told.out)["symbols"]
    assert told.code == 0
    assert told.err == ""
    for key in ("signals", "trades", "won"):
        assert funnel[key] == summary[key]
    refused = [*funnel["refused"], *funnel["refused_by_account"]]
    assert {row["rule"]: row["count"] for row in refused} == summary["refused_by"]
    assert funnel["candidates"] == funnel["signals"] + sum(row["count"] for row in funnel["refused"])
    with_numbers = next(row for row in refused if row["rule"] == "rr_too_low")
    assert with_numbers["newest"]["numbers"]["min_rr"] == 0.3


def test_every_signal_has_an_outcome_and_every_trade_is_one_of_them(command: Command, folder: Path) -> None:
    signals = json.loads(command("signals", "--store", folder, "--json", "--last", "0").out)["signals"]
    trades = json.loads(command("trades", "--store", folder, "--json", "--last", "0").out)["trades"]
    assert len(signals) == summary_of(folder)["signals"]
    assert [row["time"] for row in signals] == sorted((row["time"] for row in signals), reverse=True)
    closed = {row["signal"]: row for row in signals if row["outcome"] == "closed"}
    assert set(closed) == {row["signal"] for row in trades}
    assert all(row["fees"] > 0 for row in trades)
    assert sum(row["earned"] for row in trades) == pytest.approx(summary_of(folder)["equity_final"] - 10_000.0)


def test_the_status_of_a_line_that_nobody_trades_asks_for_a_start(command: Command, folder: Path) -> None:
    told = command("status", "--store", folder)
    assert told.code == 0
    assert "no process trades this line" in told.out
    assert "\x1b" not in told.out
    assert all(line == line.rstrip() for line in told.out.splitlines())


def test_the_newest_line_is_taken_when_no_folder_is_named(folder: Path, tmp_path: Path) -> None:
    assert newest_line(folder.parents[1]) == folder
    with pytest.raises(ViewError, match="expected the folder of a run, was none"):
        newest_line(tmp_path)


def test_a_folder_without_a_line_and_a_symbol_that_it_does_not_trade_are_named(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    told = command("status", "--store", tmp_path)
    assert told.code == 2
    assert "expected the folder of a line with store.db in it" in told.err
    told = command("why", "DOGEUSDT", "--store", folder)
    assert told.code == 2
    assert "expected a symbol of this line, which trades BTCUSDT" in told.err


def test_reading_leaves_the_folder_as_it_was(command: Command, folder: Path) -> None:
    before = (folder / "store.db").read_bytes()
    for words in ("status", "positions", "signals", "trades", "why"):
        assert command(words, "--store", folder).code == 0
    assert (folder / "store.db").read_bytes() == before


def test_a_line_that_trades_says_what_it_waits_for(view: LineView, folder: Path) -> None:
    journal = Journal(folder / "journal.db")
    try:
        running = asyncio.run(read_line(folder))
    finally:
        journal.close()
    assert running.process is not None
    assert waits_for(running).startswith("the 5m candles that close at ")
    young = changed(running, step=running.origin // 60_000 + 100)
    assert waits_for(young) == f"the end of its warm-up: 100 of {SMALL_WARM_UP} minutes"
    assert waits_for(changed(running, step=None)) == "the first candles of its history"
    assert running.account is not None
    locked = changed(running, account=running.account._replace(drawdown_locked=True))
    assert "the drawdown stop has switched entries off" in waits_for(locked)
    assert status_of(locked)["entries_off"] == ["drawdown_stop"]
    silent = changed(running, quiet_s=600.0)
    assert waits_for(silent).startswith("the venue, of which nothing was heard for 10 minutes; the 5m candles")
    assert status_of(running)["mode"] == "simulated"
    assert waits_for(view).startswith("a start")


def test_a_position_is_shown_with_its_stop_its_targets_and_its_r(view: LineView) -> None:
    closed = view.facts_of(Closed)[0]
    entry = next(fact for fact in view.facts_of(Placed) if closed.trade.plan.id in fact.order.id)
    plan = closed.trade.plan
    waiting = closed.trade._replace(opened_at=-1, held=0.0, stop=plan.stop, exit="", slices=(entry.order.quantity,))
    waiting = waiting._replace(plan=plan._replace(targets=plan.targets[:1]))
    account = view.account
    assert account is not None
    held = entered(waiting, plan.entry, waiting.quantity, closed.trade.opened_at, 1.0, view.instruments[0])
    for trade, state in ((waiting, "waiting"), (held, "open")):
        slot = account.slots[0]._replace(trade=trade)
        (row,) = positions_of(changed(view, account=account._replace(slots=(slot,))))
        assert row["state"] == state
        assert row["stop"] == plan.stop
        assert row["targets"] == [plan.targets[0].price]
    last = view.symbols[0].last
    assert last is not None
    gain = plan.side * (last["close"] - plan.entry) * held.held
    assert row["open"] == gain
    assert row["r"] == (gain - 1.0) / held.risk


def test_a_terminal_gets_colours(view: LineView) -> None:
    screen = Console(force_terminal=True, color_system="standard", width=120)
    rows = [{"opened_at": "a", "closed_at": "b", "symbol": "S", "pattern": "flag", "side": "long", "reason": "stop"}]
    numbers = {"quantity": 1.0, "entry": 2.0, "fees": 0.1, "earned": -1.0, "r": -1.0}
    with screen.capture() as printed:
        print_trades([{**rows[0], **numbers}], screen)
        print_positions([], screen)
    assert "\x1b[31m" in printed.get()
    assert "no position, no waiting entry" in printed.get()


def changed(view: LineView, **values: Any) -> LineView:
    return LineView(**{**vars(view), **values})

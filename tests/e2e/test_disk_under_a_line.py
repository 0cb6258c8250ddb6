"""The disk fills up under a line that holds a position: its exits are sent, it says so, and a restart ends whole."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_sides import assert_each_signal_entered_once
from commands import Told, assert_refused
from program import (
    AS_ANY_USER,
    COMMAND,
    PATIENCE_S,
    ExchangeProcess,
    exchange_process,
    line_words,
    program,
    started,
)
from small_markets import QUICK, SMALL, small_market, small_settings, write_candles

from trading_system.research.parity import compare
from trading_system.research.runs import Run, run_backtest, write
from trading_system.services.execution_engine.points import KILL_AT

pytestmark = pytest.mark.slow

FULL_DISK_LINE = [sys.executable, str(Path(__file__).with_name("full_disk_line.py"))]
SETTINGS = (*QUICK, *SMALL)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    rows = small_market(small_settings()).candles["BTCUSDT"]
    with exchange_process(write_candles(tmp_path / "market.csv", rows), SETTINGS, tmp_path) as process:
        yield process


@pytest.mark.parametrize("full", ["store", "all"])
def test_a_disk_that_fills_up_ends_the_entries_and_not_the_exits_and_a_restart_equals_the_backtest(
    exchange: ExchangeProcess, tmp_path: Path, full: str
) -> None:
    backtest = backtest_into(tmp_path)
    words = line_words(exchange.url, Path("line"), SETTINGS)

    line = started(*words, cwd=tmp_path, extra={KILL_AT: full}, command=FULL_DISK_LINE)
    out, err = line.communicate(timeout=PATIENCE_S)

    assert line.returncode == 2, err
    assert out == ""
    assert not (tmp_path / "line" / "summary.json").exists()
    said = [sentence for sentence in err.splitlines() if not sentence.startswith("WARNING")]
    assert len([one for one in said if "entries are off, stops and exits are still sent" in one]) == len(said) - 1
    assert said[-1].startswith("error: the line failed at step ")
    assert "expected the disk to take a write" in said[-1]
    assert said[-1].endswith("start it again, it resumes from line")
    assert "Traceback" not in err
    # The targets and the stop at break-even went out after the disk was full, and closed the position.
    assert Counter(name[-3] for name in exchange.orders()) == Counter(
        placed.order.id[-1] for placed in backtest.record.orders
    )
    state = exchange.state()
    assert (state["positions"], state["open_orders"]) == (0, 0)

    assert_ends_like(backtest, words, tmp_path)


def test_a_folder_that_is_closed_under_a_line_ends_no_trade_and_is_one_sentence(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    words = line_words(exchange.url, Path("line"), SETTINGS)
    command = [*AS_ANY_USER, *FULL_DISK_LINE]

    line = started(*words, cwd=tmp_path, extra={KILL_AT: "folder"}, command=command)
    out, err = line.communicate(timeout=PATIENCE_S)

    assert_refused(Told(line.returncode, out, err), ": expected a place that this user may use", "ls -ld")
    state = exchange.state()
    assert (state["positions"], state["open_orders"]) == (0, 0)
    (tmp_path / "line").chmod(0o700)
    assert_ends_like(backtest_into(tmp_path), words, tmp_path)


def test_a_start_in_a_read_only_folder_is_one_sentence_and_leaves_the_stop_at_the_exchange(
    exchange: ExchangeProcess, tmp_path: Path
) -> None:
    words = line_words(exchange.url, Path("line"), SETTINGS)
    line = started(*words, cwd=tmp_path, extra={KILL_AT: "after_stop_acknowledgement:2"})
    line.communicate(timeout=PATIENCE_S)
    before = exchange.state()
    assert before["positions"] == 1
    files = list((tmp_path / "line").iterdir())
    for file in files:
        file.chmod(0o400)
    (tmp_path / "line").chmod(0o500)

    done = program(*words, cwd=tmp_path, command=[*AS_ANY_USER, *COMMAND])

    assert_refused(Told(done.returncode, done.stdout, done.stderr), "line/", "expected", "was")
    assert exchange.state()["open_orders"] == before["open_orders"]
    (tmp_path / "line").chmod(0o700)
    for file in files:
        file.chmod(0o600)
    assert_ends_like(backtest_into(tmp_path), words, tmp_path)


def backtest_into(folder: Path) -> Run:
    settings = small_settings()
    backtest = run_backtest(small_market(settings), settings)
    write(folder / "backtest", backtest)
    return backtest


def assert_ends_like(backtest: Run, words: list[str], folder: Path) -> None:
    done = program(*words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fingerprint"] == backtest.summary["fingerprint"]
    difference = compare(folder / "line", folder / "backtest").difference
    assert difference is None, difference.sentence()
    assert_each_signal_entered_once(folder / "line")

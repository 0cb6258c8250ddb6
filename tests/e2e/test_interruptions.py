"""Ctrl-C at any moment: one line, exit code 130, nothing half-written, and the next start goes on."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from both_sides import assert_each_signal_entered_once
from commands import SET
from program import PATIENCE_S, exchange_process, line_words, program, started
from small_markets import QUICK, SMALL, small_market, small_settings, write_candles

from trading_system.research.parity import compare
from trading_system.research.runs import run_backtest, write

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, str(Path(__file__).with_name("interrupted_program.py"))]
SAID = "interrupted; what was not finished leaves no summary, start it again"
BACKTEST = ("backtest", "--candles", "candles.csv", "--symbol", "BTCUSDT", "--out", "out", "--json", *SET)


@pytest.mark.parametrize(
    "module",
    [
        "typer",
        "trading_system.settings",
        "numba",
        "trading_system.rules.detection",
        "trading_system.console",
    ],
)
def test_a_backtest_interrupted_while_it_begins_or_ends_is_one_line_and_can_be_made_again(
    tmp_path: Path, rows: list[str], module: str
) -> None:
    (tmp_path / "candles.csv").write_text("\n".join(rows) + "\n")
    stopped = program(*BACKTEST, cwd=tmp_path, extra={"INTERRUPT_AT": f"import:{module}"}, command=PROGRAM)
    assert (stopped.returncode, stopped.stdout) == (130, ""), stopped.stderr
    assert stopped.stderr.strip() == SAID
    again = program(*BACKTEST, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["trades"] == 2
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    "moment", ["after_slot:1", "after_send:1", "after_entry_fill:2", "before_sibling_cancel:1", "during_reconcile:3"]
)
def test_a_line_interrupted_at_a_point_of_an_order_goes_on_and_equals_the_backtest(tmp_path: Path, moment: str) -> None:
    settings = small_settings()
    market = small_market(settings)
    write(tmp_path / "backtest", run_backtest(market, settings))
    file = write_candles(tmp_path / "market.csv", market.candles["BTCUSDT"])
    with exchange_process(file, (*QUICK, *SMALL), tmp_path) as exchange:
        words = line_words(exchange.url, Path("line"), (*QUICK, *SMALL))
        stopped = program(*words, cwd=tmp_path, extra={"INTERRUPT_AT": f"point:{moment}"}, command=PROGRAM)
        assert (stopped.returncode, stopped.stdout) == (130, ""), stopped.stderr
        assert [line for line in stopped.stderr.splitlines() if not line.startswith("WARNING")] == [SAID]
        assert not (tmp_path / "line" / "summary.json").exists()
        done = program(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    difference = compare(tmp_path / "line", tmp_path / "backtest").difference
    assert difference is None, difference.sentence()
    assert_each_signal_entered_once(tmp_path / "line")


def test_an_exchange_is_ended_by_an_interruption_without_a_traceback(tmp_path: Path) -> None:
    settings = small_settings()
    file = write_candles(tmp_path / "market.csv", small_market(settings).candles["BTCUSDT"])
    served = started("exchange", "--replay", file, "--symbol", "BTCUSDT", *SET, cwd=tmp_path)
    assert served.stdout is not None
    assert served.stdout.readline().startswith("http://127.0.0.1:")
    served.send_signal(signal.SIGINT)
    _, err = served.communicate(timeout=PATIENCE_S)
    assert served.returncode == 130
    assert err.strip() == SAID

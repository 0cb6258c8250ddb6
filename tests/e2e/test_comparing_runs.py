"""The controls of the parity claim: what is changed on one side is found, and named at its step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from both_sides import trade_line
from small_markets import MINUTE, small_market, small_settings
from typer.testing import CliRunner

from trading_system.cli.group import app
from trading_system.research.parity import compare
from trading_system.research.run_folder import COMPARED
from trading_system.research.runs import run_backtest, write


@pytest.fixture(scope="module")
def backtest_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = small_settings()
    folder = tmp_path_factory.mktemp("backtest")
    write(folder, run_backtest(small_market(settings), settings))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("minute", [12, 600, 779])
def test_one_tick_changed_in_one_candle_of_the_line_is_named_at_that_candle(
    backtest_folder: Path, tmp_path: Path, minute: int
) -> None:
    settings = small_settings()
    changed = small_market(settings)
    tick = changed.instruments[0].tick
    row = changed.candles["BTCUSDT"][minute]
    row["high"] = tick.price(tick.units(float(row["high"])) + 1)
    trade_line(changed, settings, tmp_path)

    told = CliRunner().invoke(app, ["compare", str(tmp_path), str(backtest_folder)])

    step = changed.origin // MINUTE + minute + 1
    assert told.exit_code == 1
    assert told.stdout.startswith(f"different at step {step}, candles: {step}|BTCUSDT|")
    assert len(told.stdout.splitlines()) == 1


def test_a_run_equals_itself_and_compare_says_how_much_was_compared(backtest_folder: Path) -> None:
    told = CliRunner().invoke(app, ["compare", str(backtest_folder), str(backtest_folder)])

    assert told.exit_code == 0
    assert told.stdout.startswith("equal: 780 candles, ")


def change_last_digit(lines: list[str]) -> None:
    middle = len(lines) // 2
    lines[middle] = lines[middle][:-1] + ("x" if lines[middle][-1] != "x" else "y")


def change_event(lines: list[str]) -> None:
    event = json.loads(lines[-1])
    event["confirmed_at"] += 1
    lines[-1] = json.dumps(event)


def drop_last(lines: list[str]) -> None:
    lines.pop()


CHANGES: dict[str, Callable[[list[str]], None]] = {
    "candles.csv": change_last_digit,
    "events.jsonl": change_event,
    "orders.csv": change_last_digit,
    "fills.csv": drop_last,
    "equity.csv": change_last_digit,
}


@pytest.mark.parametrize("file", CHANGES)
def test_a_change_in_any_compared_file_is_named_with_its_step(backtest_folder: Path, tmp_path: Path, file: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(backtest_folder, copy)
    lines = (copy / file).read_text().splitlines()
    before = list(lines)
    CHANGES[file](lines)
    (copy / file).write_text("".join(f"{line}\n" for line in lines))
    at = next(n for n, line in enumerate(before) if n == len(lines) or lines[n] != line)
    step = json.loads(before[at])["step"] if file == "events.jsonl" else int(before[at].partition("|")[0])

    told = CliRunner().invoke(app, ["compare", "--json", str(backtest_folder), str(copy)])

    assert told.exit_code == 1
    difference = json.loads(told.stdout)["difference"]
    assert (difference["step"], difference["file"]) == (step, file)
    assert difference["first"] == before[at]


def test_every_compared_file_has_its_control() -> None:
    assert set(CHANGES) == set(COMPARED)


def test_the_earliest_step_is_named_when_several_files_differ(backtest_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(backtest_folder, copy)
    for file in ("candles.csv", "fills.csv"):
        lines = (copy / file).read_text().splitlines()
        lines[-1] += "0"
        (copy / file).write_text("".join(f"{line}\n" for line in lines))

    difference = compare(backtest_folder, copy).difference

    assert difference is not None
    assert difference.file == "fills.csv"  # the last fill is older than the last minute


def test_an_unfinished_folder_is_refused_in_one_sentence(backtest_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(backtest_folder, copy)
    (copy / "summary.json").unlink()

    with pytest.raises(ValueError, match=r"expected the folder of a finished run \(with summary.json\), was none"):
        compare(backtest_folder, copy)

"""What a run leaves behind: canonical lines, sorted files, and a summary that only a whole run has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sample_runs import record_of, run_in

from trading_system.research.run_folder import (
    CANDLES,
    COMPARED,
    EVENTS,
    REFUSED,
    SUMMARY,
    TRADES,
    UNFINISHED,
    FolderError,
    RunRecord,
    canonical_line,
    earlier_run,
    event_lines,
    fill_line,
    fingerprint,
    order_line,
    write_run,
)
from trading_system.rules.facts import Fill, Placed
from trading_system.rules.matching import Order, OrderType, Role


def test_a_fill_is_one_line_with_the_venues_own_texts() -> None:
    fill = Fill(1_700_000_015_000, "BTCUSDT", "tmabcs", "s", Role.STOP, 0.00001, 1000.0, 5e-06)
    assert fill_line(fill) == "stop|tmabcs|1700000015000|0.00001|1000|0.000005"
    assert canonical_line("entry", "a", 1, 100.0, 0.1 + 0.2, -0.5) == "entry|a|1|100|0.30000000000000004|-0.5"


def test_a_fingerprint_is_the_hash_of_the_lines_in_their_order() -> None:
    assert fingerprint(["a", "b"]) == hashlib.sha256(b"a\nb").hexdigest()
    assert fingerprint(["a", "b"]) != fingerprint(["b", "a"])
    assert fingerprint([]) == hashlib.sha256(b"").hexdigest()


def test_an_order_is_one_line() -> None:
    order = Order("tmabcs", Role.STOP, OrderType.STOP, -1, 99.5, 0.25, 7)
    assert order_line(Placed(600_000, "BTCUSDT", order)) == "10|BTCUSDT|tmabcs|stop|stop|sell|99.5|0.25"


def test_every_file_is_written_and_each_compared_line_begins_with_a_step_in_order(tmp_path: Path) -> None:
    run_in(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*COMPARED, TRADES, REFUSED, SUMMARY}
    for name in COMPARED:
        lines = (tmp_path / name).read_text().splitlines()
        steps = [json.loads(line)["step"] if name == EVENTS else int(line.partition("|")[0]) for line in lines]
        assert steps == sorted(steps)
        assert steps


def test_candles_alternate_between_the_symbols_step_by_step(tmp_path: Path) -> None:
    run_in(tmp_path)
    symbols = [line.split("|")[1] for line in (tmp_path / CANDLES).read_text().splitlines()]
    assert symbols == ["BTCUSDT", "ETHUSDT"] * (len(symbols) // 2)


def test_the_same_events_in_another_order_of_rooms_give_the_same_lines() -> None:
    events = list(record_of().events)
    place = {"BTCUSDT": 0, "ETHUSDT": 1}
    swings_first = sorted(events, key=lambda event: not event.kind.startswith("swing_"))
    assert event_lines(swings_first, place) == event_lines(events, place)


def test_a_run_that_breaks_off_leaves_no_summary_and_no_older_one(tmp_path: Path) -> None:
    run_in(tmp_path, kind="first")

    def breaks_off() -> Iterator[Any]:
        yield {"rule": "x"}
        raise KeyboardInterrupt

    broken: RunRecord = replace(record_of(), refused=breaks_off())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path, broken, {"kind": "second"})
    assert not (tmp_path / SUMMARY).exists()


def test_the_summary_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_run(tmp_path, record_of(), {"kind": object()})
    assert not (tmp_path / SUMMARY).exists()
    run_in(tmp_path, kind="again")
    assert json.loads((tmp_path / SUMMARY).read_text()) == {"kind": "again"}
    assert not list(tmp_path.glob("*.part"))


def test_a_trade_is_told_for_people(tmp_path: Path) -> None:
    run_in(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / TRADES).read_text().splitlines()]
    assert rows
    for row, closed in zip(rows, record_of().trades, strict=True):
        assert (row["symbol"], row["reason"], row["r"]) == (closed.symbol, closed.reason, closed.r)
        assert row["side"] in ("long", "short")


def test_a_backtest_replaces_a_backtest_and_a_line_goes_on_in_its_own_folder(tmp_path: Path) -> None:
    assert earlier_run(tmp_path / "new", backtest=True) is None
    run_in(tmp_path / "old", kind="backtest")
    earlier = earlier_run(tmp_path / "old", backtest=True)
    assert earlier is not None
    assert earlier["kind"] == "backtest"
    run_in(tmp_path / "line", kind="run")
    (tmp_path / "line" / "store.db").touch()
    assert earlier_run(tmp_path / "line", backtest=False) is None


def test_what_a_run_left_unfinished_may_be_replaced(tmp_path: Path) -> None:
    run_in(tmp_path, kind="backtest")
    (tmp_path / SUMMARY).unlink()
    (tmp_path / UNFINISHED).touch()
    assert earlier_run(tmp_path, backtest=True) is None


OTHERS = {
    "somebody's candles": ("candles.csv", "mine", "was one with candles.csv that no run has written"),
    "somebody's summary": ("summary.json", "[1]", "was one with summary.json that no run has written"),
    "a broken summary": ("summary.json", "{", "was one with summary.json that no run has written"),
}


@pytest.mark.parametrize("backtest", [True, False])
@pytest.mark.parametrize("case", OTHERS)
def test_files_that_no_run_has_written_are_never_replaced(tmp_path: Path, case: str, *, backtest: bool) -> None:
    name, text, sentence = OTHERS[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(FolderError, match=sentence):
        earlier_run(tmp_path, backtest=backtest)


def test_a_backtest_and_a_line_do_not_share_a_folder(tmp_path: Path) -> None:
    run_in(tmp_path / "backtest", kind="backtest")
    with pytest.raises(FolderError, match="or one of a line, was the folder of a backtest; give another --out"):
        earlier_run(tmp_path / "backtest", backtest=False)
    run_in(tmp_path / "run", kind="run")
    with pytest.raises(FolderError, match="or one of a backtest, was the folder of a run; give another --out"):
        earlier_run(tmp_path / "run", backtest=True)
    (tmp_path / "run" / "store.db").touch()
    with pytest.raises(FolderError, match="or one of a backtest, was the folder of a line; give another --out"):
        earlier_run(tmp_path / "run", backtest=True)

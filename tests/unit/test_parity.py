"""Two run folders are walked side by side: equal, or the first step in which they differ is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sample_runs import record_of, run_in

from trading_system.research.parity import CompareError, Difference, compare, summary_of
from trading_system.research.run_folder import CANDLES, EQUITY, EVENTS, FILLS, ORDERS, SUMMARY


def pair(tmp_path: Path) -> tuple[Path, Path]:
    return run_in(tmp_path / "first"), run_in(tmp_path / "second")


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in change(lines)))


def difference_of(first: Path, second: Path) -> Difference:
    found = compare(first, second).difference
    assert found is not None
    return found


def step_of(line: str) -> int:
    return int(line.partition("|")[0])


def test_two_runs_of_the_same_are_equal_and_counted(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    found = compare(first, second)
    assert found.difference is None
    record = record_of()
    assert found.counts == {
        "candles": sum(map(len, record.candles)),
        "events": len(record.events),
        "orders": len(record.orders),
        "fills": len(record.fills),
        "equity": len(record.equity),
    }
    assert min(found.counts.values()) > 1


@pytest.mark.parametrize("file", [CANDLES, ORDERS, FILLS, EQUITY])
def test_one_changed_line_is_named_with_both_sides(tmp_path: Path, file: str) -> None:
    first, second = pair(tmp_path)
    edit(second / file, lambda lines: [*lines[:-1], lines[-1] + "1"])
    last = (first / file).read_text().splitlines()[-1]
    assert difference_of(first, second) == (step_of(last), file, last, last + "1")


def test_one_changed_event_is_named_by_the_step_in_which_it_became_known(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    edit(second / EVENTS, lambda lines: [lines[0].replace('"price": ', '"price": 9'), *lines[1:]])
    found = difference_of(first, second)
    assert found.file == EVENTS
    assert found.step == min(event.confirmed_at for event in record_of().events) // 60_000


@pytest.mark.parametrize("file", [CANDLES, EVENTS, ORDERS, FILLS, EQUITY])
def test_what_one_side_lacks_is_nothing_on_that_side(tmp_path: Path, file: str) -> None:
    first, second = pair(tmp_path)
    edit(second / file, lambda lines: lines[:-1])
    found = difference_of(first, second)
    assert found.second is None
    assert found.sentence() == f"step {found.step}, {file.partition('.')[0]}: {found.first} != nothing"
    assert difference_of(second, first).sentence().endswith(f": nothing != {found.first}")


def test_the_earliest_step_is_named_and_of_one_step_what_comes_first(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    for file in (EQUITY, ORDERS):
        edit(second / file, lambda lines: [*lines[:-1], lines[-1] + "9"])
    edit(second / FILLS, lambda lines: [lines[0] + "9", *lines[1:]])
    assert difference_of(first, second).file == FILLS
    fill_step = difference_of(first, second).step
    edit(second / CANDLES, lambda lines: [line + "9" if step_of(line) == fill_step else line for line in lines])
    assert difference_of(first, second).file == CANDLES


@pytest.mark.parametrize("missing", ["first", "second"])
def test_a_folder_without_a_summary_is_no_finished_run(tmp_path: Path, missing: str) -> None:
    first, second = pair(tmp_path)
    (tmp_path / missing / SUMMARY).unlink()
    with pytest.raises(CompareError, match=rf"{missing}: expected the folder of a finished run"):
        compare(first, second)


def test_a_folder_that_lost_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    (second / FILLS).unlink()
    with pytest.raises(CompareError, match=r"second: expected fills\.csv"):
        compare(first, second)


def test_a_line_that_no_run_wrote_is_refused_in_one_sentence(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    (second / EQUITY).write_text("nonsense\n")
    with pytest.raises(CompareError, match=r"equity\.csv: expected a line that begins with its step"):
        compare(first, second)


def test_the_summary_is_read_back(tmp_path: Path) -> None:
    assert summary_of(run_in(tmp_path, fingerprint="abc"))["fingerprint"] == "abc"

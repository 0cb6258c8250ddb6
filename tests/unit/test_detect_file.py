"""Every event of a candle file as a line: flat, in the order in which it became known, refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sample_files import MONDAY, market, write_candles, write_rows

from trading_system.research.detect_file import events_of_file
from trading_system.research.history import HistoryError
from trading_system.rules.interval_table import IntervalError
from trading_system.rules.parameters import ParameterError
from trading_system.settings import Settings, SettingsError, settings_with

HOUR = 3_600_000
KINDS = {
    *("swing_high", "swing_low", "bos", "choch"),
    *("ob_formed", "ob_touched", "ob_mitigated", "ob_invalidated", "ob_expired"),
    *("flag_pole", "flag_consolidating", "flag_breakout", "flag_failed", "flag_expired", "flag_superseded"),
}


@pytest.fixture(autouse=True)
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows_of(
    path: Path, *overrides: str, interval: str | None = None, symbol: str | None = None
) -> list[dict[str, Any]]:
    settings: Settings = settings_with(overrides)
    lines = list(events_of_file(path, settings, interval, symbol))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    return write_candles(tmp_path / "BTCUSDT.csv", market(minutes=4000))


def test_each_line_is_one_event_with_its_times_direction_and_prices(candles: Path) -> None:
    rows = rows_of(candles)
    assert {row["kind"] for row in rows} <= KINDS
    assert {"swing_high", "bos", "ob_formed", "ob_touched", "flag_pole"} <= {row["kind"] for row in rows}
    ids = {row["id"] for row in rows}
    assert len(ids) == len(rows)
    for row in rows:
        assert row["direction"] in (1, -1)
        assert MONDAY <= row["time"] < row["confirmed_at"]
        assert row.get("ref", row["id"]) in ids
        assert row.get("replaces", row["id"]) in ids
        if row["kind"] in ("ob_touched", "ob_mitigated", "flag_breakout"):
            assert "ref" in row
    assert [row["confirmed_at"] for row in rows] == sorted(row["confirmed_at"] for row in rows)
    assert all(isinstance(row["price"], float) for row in rows if row["kind"].startswith("swing_"))


def test_without_an_interval_the_files_own_candles_are_read(candles: Path) -> None:
    assert {row["interval"] for row in rows_of(candles)} == {"1m"}


def test_with_an_interval_the_candles_are_folded_first(candles: Path) -> None:
    rows = rows_of(candles, interval="15m")
    assert {row["interval"] for row in rows} == {"15m"}
    assert all(row["confirmed_at"] % 900_000 == 0 for row in rows)
    assert 0 < len(rows) < len(rows_of(candles))


def test_detection_keys_reach_the_rules(candles: Path) -> None:
    few = rows_of(candles, "swings.left=50", "swings.right=50")
    assert sum(row["kind"] == "swing_high" for row in few) < 60
    with pytest.raises(SettingsError, match=r"did you mean swings\.left"):
        rows_of(candles, "swings.lefft=3")


def test_any_interval_of_file_and_any_market_is_read(tmp_path: Path) -> None:
    rows = [(10.0, 11.0, 9.0, 10.0, 1.0)] * 10 + [(10.0, 20.0, 9.0, 10.0, 1.0)] + [(10.0, 11.0, 9.0, 10.0, 1.0)] * 10
    (found, *_) = [row for row in rows_of(write_rows(tmp_path / "gold.csv", rows, HOUR)) if row["price"] == 20.0]
    assert (found["kind"], found["symbol"], found["interval"]) == ("swing_high", "gold", "1h")
    assert (found["time"], found["confirmed_at"]) == (MONDAY + 10 * HOUR, MONDAY + 16 * HOUR)


def test_a_shorter_interval_than_the_files_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "h.csv", [(10.0, 11.0, 9.0, 10.0, 1.0)] * 20, HOUR)
    with pytest.raises(ParameterError, match="expected intervals that divide one another"):
        rows_of(path, interval="15m")


def test_an_unknown_interval_is_refused_by_name(candles: Path) -> None:
    with pytest.raises(IntervalError, match="was '7m'"):
        rows_of(candles, interval="7m")


def test_a_dirty_file_gives_no_event_at_all(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "bad.csv", [(10.0, 11.0, 9.0, 10.0, 1.0)] * 20 + [(10.0, 9.0, 11.0, 10.0, 1.0)])
    with pytest.raises(HistoryError, match="row 22"):
        rows_of(path)

"""--from and --to: how they are written and which candles they keep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_system.research.history import Gap, HistoryError, load_candles
from trading_system.research.history_bounds import BoundError, bound_ms

START = 1_740_000_000_000
MINUTE = 60_000


@pytest.fixture
def ten_minutes(tmp_path: Path) -> Path:
    """Minutes 0 to 9 without 3, 4 and 7; minute 9 alone has a price of three decimals."""
    path = tmp_path / "candles.csv"
    lines = ["open_time,open,high,low,close,volume"]
    for minute in (0, 1, 2, 5, 6, 8, 9):
        price = "10.125" if minute == 9 else "10"
        lines.append(f"{START + MINUTE * minute},{price},{price},{price},{price},1")
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("first", "last", "kept"),
    [
        (None, None, [0, 1, 2, 5, 6, 8, 9]),
        (1, None, [1, 2, 5, 6, 8, 9]),
        (None, 7, [0, 1, 2, 5, 6]),
        (2, 6, [2, 5]),
        (2, 6.5, [2, 5]),
        (0.5, 2, [1]),
        (3, 6, [5]),
    ],
)
def test_candles_open_at_or_after_the_first_bound_and_are_closed_at_the_last(
    first: float | None, last: float | None, kept: list[int], ten_minutes: Path
) -> None:
    bounds = [None if bound is None else START + int(MINUTE * bound) for bound in (first, last)]
    history = load_candles(ten_minutes, first=bounds[0], last=bounds[1])
    real = history.candles[history.candles["gap"] == 0]
    assert ((real["open_time"] - START) // MINUTE).tolist() == kept
    assert history.rows == len(kept)
    assert len(history.candles) == kept[-1] - kept[0] + 1


def test_only_gaps_between_the_bounds_are_reported(ten_minutes: Path) -> None:
    history = load_candles(ten_minutes, first=START + 2 * MINUTE, last=START + 7 * MINUTE)
    assert history.gaps == (Gap(START + 2 * MINUTE, 2),)


def test_bounds_do_not_change_the_grid_of_the_market(ten_minutes: Path) -> None:
    assert load_candles(ten_minutes, last=START + 3 * MINUTE).price_decimals == 3


@pytest.mark.parametrize(("first", "last"), [(20, None), (None, 0), (3, 5), (5, 2)])
def test_bounds_without_a_candle_are_refused_with_the_span_of_the_file(
    first: int | None, last: int | None, ten_minutes: Path
) -> None:
    bounds = [None if bound is None else START + MINUTE * bound for bound in (first, last)]
    with pytest.raises(HistoryError, match="was candles from 2025-02-19T21:20:00Z to 2025-02-19T21:30:00Z; move"):
        load_candles(ten_minutes, first=bounds[0], last=bounds[1])


def test_a_bad_row_outside_the_bounds_is_refused_all_the_same(ten_minutes: Path) -> None:
    ten_minutes.write_text(ten_minutes.read_text() + f"\n{START + 10 * MINUTE},10,9,10,10,1\n")
    with pytest.raises(HistoryError, match="row 9"):
        load_candles(ten_minutes, last=START + 3 * MINUTE)


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/St_Johns"])
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("host_zone")
@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-01-01", 1_735_689_600_000),
        ("2025-01-01T00:01", 1_735_689_660_000),
        ("2025-01-01 00:01:30", 1_735_689_690_000),
        ("2025-01-01T00:01:00Z", 1_735_689_660_000),
        (" 2025-01-01T05:30:00+05:30 ", 1_735_689_600_000),
    ],
)
def test_a_bound_is_utc_whatever_the_zone_of_the_host(text: str, ms: int) -> None:
    assert bound_ms(text) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "01.02.2025", "1735689600000", "2025-02-30"])
def test_a_bound_that_is_no_date_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        BoundError, match=r"--from .*expected a date or a date with a time in UTC.*2025-01-31T12:30:00Z"
    ):
        bound_ms(text, "--from")

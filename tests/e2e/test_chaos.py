"""The line killed at each named point, and again in the recovery, ends like the backtest; a careless one is found out.

`make chaos` plays the single kills too and prints how long positions stood without a stop.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from chaos import CASES, Case, Ground, play, prepare
from program import program

from trading_system.services.execution_engine.points import KILL_AT, KillPointError, Point, killer
from trading_system.venues.known import VENUES

CARELESS = [sys.executable, str(Path(__file__).with_name("careless_line.py"))]
TWICE = [case for case in CASES if len(case.deaths) > 1]


Grounds = Callable[[str], Ground]


@pytest.fixture(scope="module")
def ground_at(tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    """The ground at a venue, made once."""
    return cache(lambda venue: prepare(tmp_path_factory.mktemp("ground"), venue))


@pytest.mark.slow
@pytest.mark.parametrize("venue", sorted(VENUES))
@pytest.mark.parametrize("case", TWICE, ids=lambda case: case.point)
def test_a_line_killed_at_a_point_and_again_in_the_recovery_ends_like_the_backtest(
    ground_at: Grounds, tmp_path: Path, case: Case, venue: str
) -> None:
    played = play(case.deaths, ground_at(venue), tmp_path / "play")
    if VENUES[venue].record.born_protected:
        assert not any(played.waits_ms)
    else:
        assert len(played.waits_ms) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("venue", "point"),
    [
        *[(venue, Point.AFTER_SEND) for venue in sorted(VENUES)],
        ("binance_usdm", Point.AFTER_STOP_SEND),  # a stop that belongs to a position has no name to be found out by
    ],
)
def test_a_journal_written_after_the_send_is_found_out(
    ground_at: Grounds, tmp_path: Path, venue: str, point: Point
) -> None:
    with pytest.raises(AssertionError, match="expected every order in the journal before it is sent"):
        play([point], ground_at(venue), tmp_path / "play", command=CARELESS)


def test_every_point_is_killed_at_once_and_twice() -> None:
    assert [case.point for case in CASES] == [*Point, *Point]
    assert {(case.point, len(case.deaths)) for case in CASES} == {(point, n) for point in Point for n in (1, 2)}


@pytest.mark.parametrize("wish", ["", "lunch", "after_send:", "after_send:0", "after_send:-1", "after_send:²", "x:1:2"])
def test_a_death_at_no_point_is_refused_in_one_sentence(wish: str) -> None:
    with pytest.raises(KillPointError, match="expected POINT or POINT:NTH with one of after_slot"):
        killer(wish)


def test_a_run_that_is_not_on_a_simulator_refuses_to_be_killed(ground_at: Grounds, tmp_path: Path) -> None:
    words = ("run", "--replay", ground_at("binance_usdm").candles, "--symbol", "BTCUSDT", "--out", tmp_path / "out")
    done = program(*words, cwd=tmp_path, extra={KILL_AT: Point.AFTER_SEND})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{KILL_AT}: expected it unset" in done.stderr
    assert not (tmp_path / "out").exists()

"""What goes wrong on the wire costs wall time and changes no trade; what the exchange refuses ends safely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from both_sides import assert_each_signal_entered_once, journal_of, trade_both, trade_line
from small_markets import one_market, quick_settings

from trading_system.research.parity import compare
from trading_system.research.run_folder import step_of_fill
from trading_system.rules.matching import Role
from trading_system.runs import run_backtest, write
from trading_system.simulator.faults import Fault, FaultKind, FaultScript

SETTINGS = quick_settings


class Moments(NamedTuple):
    """Steps of the market at which it hurts most: the first entry fills, and the trade ends."""

    entry: int
    end: int


def moments() -> Moments:
    settings = SETTINGS()
    run = run_backtest(one_market(settings), settings)
    entry = next(fill for fill in run.record.fills if fill.role == Role.ENTRY)
    return Moments(step_of_fill(entry), run.record.trades[0].time // 60_000)


Faults = Callable[[Moments], list[Fault]]

# Each fault once while flat, once in the very step in which an entry fills, and once with the trade open.
AT_THE_WORST_STEPS: Faults = lambda at: []  # noqa: E731


def each_step(kind: FaultKind) -> Faults:
    def faults(at: Moments) -> list[Fault]:
        return [Fault(kind, at_step=step) for step in (at.entry - 1, at.entry, at.entry + 1, at.end)]

    return faults


def each_order(kind: FaultKind, count: int) -> Faults:
    return lambda _: [Fault(kind, nth=n) for n in range(1, count + 1)]


def each_event(count: int) -> Faults:
    return lambda _: [Fault(FaultKind.USER_CUT, nth=n) for n in range(2, count, 3)]


CASES: dict[str, Faults] = {
    "the feed is cut": each_step(FaultKind.CUT),
    "a close comes twice": each_step(FaultKind.DUPLICATED_CLOSE),
    "a close comes late": each_step(FaultKind.LATE_CLOSE),
    "a close never comes": each_step(FaultKind.MISSING_CLOSE),
    "the user stream is cut between steps": each_step(FaultKind.USER_CUT),
    "the user stream is cut in front of events": each_event(16),
    "answers to accepted orders are lost": each_order(FaultKind.LOST_ANSWER, 5),
    "everything at once": lambda at: [
        Fault(FaultKind.CUT, at_step=at.entry),
        Fault(FaultKind.MISSING_CLOSE, at_step=at.entry + 1),
        Fault(FaultKind.USER_CUT, nth=3),
        Fault(FaultKind.LOST_ANSWER, nth=2),
        Fault(FaultKind.USER_CUT, at_step=at.end),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_fault_on_the_wire_changes_no_trade(tmp_path: Path, case: str) -> None:
    settings = SETTINGS()
    faults = CASES[case](moments())

    both = trade_both(one_market(settings), settings, tmp_path, faults)

    both.assert_equal()
    assert both.line.summary["trades"] >= 2
    assert sum(both.line.summary["faults"].values()) == len(faults)
    assert_each_signal_entered_once(tmp_path / "line")


@pytest.mark.slow
def test_a_damaged_frame_is_refused_counted_and_repaired(tmp_path: Path) -> None:
    settings = SETTINGS()
    at = moments()
    faults = [Fault(FaultKind.CORRUPTED_FRAME, at_step=step) for step in (at.entry, at.entry + 2)]

    both = trade_both(one_market(settings), settings, tmp_path, faults)

    both.assert_equal()
    assert both.line.summary["recovered"]["bad_frames"] == 2
    assert both.line.summary["recovered"]["minutes_repaired"] >= 2


@pytest.mark.slow
def test_lost_answers_are_named_in_the_summary(tmp_path: Path) -> None:
    settings = SETTINGS()

    line = trade_line(one_market(settings), settings, tmp_path, [Fault(FaultKind.LOST_ANSWER, nth=2)])

    assert len(line.summary["recovered"]["answers_lost"]) == 1
    assert line.summary["recovered"]["answers_lost"][0] == journal_of(tmp_path)[1].client_id


class CountingScript(FaultScript):
    """A script without faults that remembers which signed request each order request was."""

    def __init__(self) -> None:
        super().__init__()
        self.signed_at: list[int] = []

    def on_order_request(self) -> Fault | None:
        self.signed_at.append(self._signed_requests)
        return super().on_order_request()

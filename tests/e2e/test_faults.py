"""What goes wrong on the wire costs wall time and changes no trade; what the exchange refuses ends safely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from both_sides import assert_each_signal_entered_once, journal_of, trade_both, trade_line
from small_markets import made_market, quick_settings, small_market, small_settings

from trading_system.research.run_folder import step_of_fill
from trading_system.research.runs import run_backtest
from trading_system.rules.matching import Role
from trading_system.services.execution_engine.reconcile import ATTEMPTS
from trading_system.settings import Settings
from trading_system.simulator.faults import CLOSE_FAULTS, Fault, FaultKind, FaultScript

BY_STEP = frozenset({*CLOSE_FAULTS, FaultKind.CUT, FaultKind.USER_CUT})


class Moments(NamedTuple):
    """Steps of the market at which it hurts most: the first entry fills, and the trade ends."""

    entry: int
    end: int


def moments(settings: Settings) -> Moments:
    run = run_backtest(small_market(settings), settings)
    entry = next(fill for fill in run.record.fills if fill.role == Role.ENTRY)
    return Moments(step_of_fill(entry), run.record.trades[0].time // 60_000)


Faults = Callable[[Moments], list[Fault]]


def each_step(kind: FaultKind) -> Faults:
    """The fault while flat, in the very step in which an entry fills, with the trade open, and at its end."""

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
def test_a_fault_on_the_wire_changes_no_trade(tmp_path: Path, case: str, venue: str) -> None:
    settings = small_settings(f"exchange={venue}")
    faults = CASES[case](moments(settings))

    both = trade_both(small_market(settings), settings, tmp_path, faults)

    both.assert_equal()
    assert both.line.summary["trades"] >= 2
    assert sum(both.line.summary["faults"].values()) == len(faults)
    assert_each_signal_entered_once(tmp_path / "line")


@pytest.mark.slow
def test_a_damaged_frame_is_refused_counted_and_repaired(tmp_path: Path) -> None:
    settings = small_settings()
    at = moments(settings)
    faults = [Fault(FaultKind.CORRUPTED_FRAME, at_step=step) for step in (at.entry, at.entry + 2)]

    both = trade_both(small_market(settings), settings, tmp_path, faults)

    both.assert_equal()
    assert both.line.summary["recovered"]["bad_frames"] == 2
    assert both.line.summary["recovered"]["minutes_repaired"] >= 2


@pytest.mark.slow
def test_lost_answers_are_named_in_the_summary(tmp_path: Path) -> None:
    settings = small_settings()

    line = trade_line(small_market(settings), settings, tmp_path, [Fault(FaultKind.LOST_ANSWER, nth=2)])

    assert len(line.summary["recovered"]["answers_lost"]) == 1
    assert line.summary["recovered"]["answers_lost"][0] == journal_of(tmp_path)[1].client_id


class RefusedOrders(FaultScript):
    """Damages signatures of one role's orders on their way; what is sent is the newest intent of the journal."""

    def __init__(self, folder: Path, name: str, times: int = 1) -> None:
        super().__init__()
        self._folder = folder
        self._name = name
        self._times = times
        self.hit: list[str] = []

    def on_signed_request(self) -> bool:
        if len(self.hit) == self._times:
            return False
        newest = journal_of(self._folder)[-1:]
        if not newest or (newest[0].name, newest[0].state) != (self._name, "INTENT"):
            return False
        self.hit.append(newest[0].client_id)
        return True


def assert_nothing_is_left_open(folder: Path) -> None:
    assert {row.state for row in journal_of(folder)}.isdisjoint({"INTENT", "UNKNOWN", "ACKED"})


@pytest.mark.slow
def test_an_entry_whose_signature_is_refused_frees_its_slot_and_the_line_goes_on(tmp_path: Path, venue: str) -> None:
    settings = small_settings(f"exchange={venue}")
    script = RefusedOrders(tmp_path / "line", "e")

    both = trade_both(small_market(settings), settings, tmp_path, script)

    refused = next(row for row in journal_of(tmp_path / "line") if row.client_id == script.hit[0])
    assert refused.state == "REJECTED"
    assert refused.code in (-1022, 10004)
    assert both.line.summary["refused_by"]["venue_refused"] == 1
    assert both.line.summary["trades"] == both.backtest.summary["trades"] - 1
    assert_nothing_is_left_open(tmp_path / "line")
    difference = both.comparison.difference
    assert difference is not None
    assert script.hit[0][:-2] in (difference.second or "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s", "1", "2"])
def test_a_protecting_order_whose_signature_is_refused_is_placed_in_its_next_generation(
    tmp_path: Path, name: str, venue: str
) -> None:
    settings = small_settings(f"exchange={venue}")
    script = RefusedOrders(tmp_path / "line", name)

    both = trade_both(small_market(settings), settings, tmp_path, script)

    both.assert_equal()
    generations = [row for row in journal_of(tmp_path / "line") if row.client_id[:-2] == script.hit[0][:-2]]
    assert (generations[0].client_id, generations[0].state) == (script.hit[0], "REJECTED")
    assert generations[1].state in ("FILLED", "CANCELLED")
    assert_nothing_is_left_open(tmp_path / "line")


@pytest.mark.slow
def test_an_exit_whose_signature_is_refused_leaves_with_its_next_generation(tmp_path: Path, venue: str) -> None:
    settings = quick_settings(f"exchange={venue}", "warm_up=85")
    script = RefusedOrders(tmp_path / "line", "x")

    both = trade_both(made_market(settings, 4, ["BTCUSDT"], 725), settings, tmp_path, script)

    both.assert_equal()
    assert [closed.reason for closed in both.line.record.trades] == ["time_stop"]
    assert len(script.hit) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_storm_over_three_symbols_changes_no_trade(tmp_path: Path, seed: int, venue: str) -> None:
    settings = quick_settings(f"exchange={venue}", "min_rr=1", "warm_up=60")
    inputs = made_market(settings, 3, ["BTCUSDT", "ETHUSDT", "SOLUSDT"], 900)
    first, last = inputs.origin // 60_000 + 301, inputs.origin // 60_000 + inputs.minutes
    draw = np.random.Generator(np.random.PCG64(seed))
    by_step = [FaultKind(kind) for kind in sorted(BY_STEP)]
    steps = sorted(draw.choice(np.arange(first, last), 24, replace=False).tolist())
    orders = sorted(draw.choice(np.arange(1, 24), 6, replace=False).tolist())
    events = sorted(draw.choice(np.arange(1, 40), 4, replace=False).tolist())
    faults = [Fault(by_step[int(draw.integers(len(by_step)))], at_step=step) for step in steps]
    faults += [Fault(FaultKind.LOST_ANSWER, nth=nth) for nth in orders]
    faults += [Fault(FaultKind.USER_CUT, nth=nth) for nth in events]

    both = trade_both(inputs, settings, tmp_path, faults)

    both.assert_equal()
    assert both.line.summary["trades"] >= 3
    assert sum(both.line.summary["faults"].values()) >= 24


@pytest.mark.slow
def test_a_trade_whose_stop_is_refused_every_time_leaves_at_market(tmp_path: Path, venue: str) -> None:
    settings = small_settings(f"exchange={venue}")
    refusals = ATTEMPTS[Role.STOP] + 1  # after the first one the record is read again
    script = RefusedOrders(tmp_path, "s", refusals)

    line = trade_line(small_market(settings), settings, tmp_path, script)

    first, second = line.record.trades
    assert len(script.hit) == refusals
    assert line.record.fills[1].role == Role.EXIT
    assert line.record.fills[1].time == line.record.fills[0].time
    assert second.trade.plan.id != first.trade.plan.id
    assert_nothing_is_left_open(tmp_path)

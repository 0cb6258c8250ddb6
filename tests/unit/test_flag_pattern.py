from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from detection_fold import MINUTE, candles_of, events, facts_of, random_walk
from detector_cases import FLAGS

from trading_system.rules.events import Event
from trading_system.rules.flag_pattern import fit
from trading_system.rules.records import HISTORY, Records, Source

PLAIN: dict[str, Any] = {"flags.source": "close", "flags.order": 3}
COMPAT: dict[str, Any] = {
    "flags.ties": "all",
    "flags.first_index": 4,
    "flags.max_retrace": 0.75,
    "flags.min_flag_bars": 0,
    "flags.require_progress": 0,
    "flags.eval_offset": 1,
    "flags.tol": 1e-5,
    "flags.min_pole_atr": 0,
    "flags.max_flag_bars": 400,
}


def flags_of(candles: Records, **settings: Any) -> list[tuple[int, str, int, int, Event]]:
    return [fact for fact in facts_of(events(candles, **settings)) if fact[1].startswith("flag")]


@pytest.mark.parametrize("name", FLAGS)
def test_a_case_worked_by_hand_gives_its_flags(name: str) -> None:
    case = FLAGS[name]
    found = flags_of(candles_of([(c, c, c, c, 1) for c in case.closes]), **PLAIN, **(COMPAT if case.compat else {}))
    found = found[: len(case.expected)] if case.compat else found
    assert [fact[:4] for fact in found] == [fact[:4] for fact in case.expected]
    for (*_, event), (*_, numbers) in zip(found, case.expected, strict=True):
        for key, expected in numbers.items():
            if key == "base":
                assert event.values["base_time"] == expected * MINUTE
            elif isinstance(expected, str):
                assert event.values[key] == expected
            else:
                assert event.values[key] == pytest.approx(expected, abs=1e-5)


def test_every_later_event_refers_to_its_pole_and_a_flag_ends_once() -> None:
    found = [fact[4] for fact in flags_of(random_walk(12, 6000), **{"flags.order": 4})]
    poles = {event.id: [] for event in found if event.kind == "flag_pole"}  # type: dict[str, list[str]]
    for event in found:
        if event.kind != "flag_pole":
            assert event.ref is not None
            poles[event.ref].append(event.kind)
    ends = {"flag_breakout", "flag_failed", "flag_expired", "flag_superseded"}
    for kinds in poles.values():
        assert sum(kind in ends for kind in kinds) <= 1
        assert not set(kinds[:-1]) & ends
    assert {kind for kinds in poles.values() for kind in kinds} == {"flag_consolidating", *ends}


def test_no_close_before_the_breakout_lies_beyond_the_lines() -> None:
    candles = random_walk(13, 6000, tick=0.25)
    logs = [math.log(close) for close in candles["close"]]
    breakouts = [fact for fact in flags_of(candles, **{"flags.order": 4}) if fact[1] == "flag_breakout"]
    assert len(breakouts) > 5
    for at, _, side, tip, event in breakouts:
        values = {name: float(value) for name, value in event.values.items() if not isinstance(value, str)}
        for k in range(tip, at):
            assert logs[k] <= values["resist_intercept"] + values["resist_slope"] * (k - tip) + 1e-12
            assert logs[k] >= values["support_intercept"] + values["support_slope"] * (k - tip) - 1e-12
        line = "resist" if side > 0 else "support"
        assert side * logs[at] > side * (values[f"{line}_intercept"] + values[f"{line}_slope"] * (at - tip))
        assert values[f"{line}_end"] == pytest.approx(
            math.exp(values[f"{line}_intercept"] + values[f"{line}_slope"] * (at - tip))
        )
        assert values["width"] == at - tip >= 5
        flag = candles[tip + 1 : at + 1]
        assert values["extreme"] == (flag["low"].min() if side > 0 else flag["high"].max())
        assert values["tip_price"] == candles[tip]["high" if side > 0 else "low"]


def test_a_line_has_the_least_squares_of_all_lines_that_keep_the_closes_on_one_side() -> None:
    chance = np.random.default_rng(5)
    for _ in range(30):
        closes = 100 + np.cumsum(chance.normal(0, 1, 12))
        history = np.zeros(16, HISTORY)
        history["close"][:12] = closes
        resist, at_tip, *_ = fit(history, 0, 12, Source.CLOSE.value, 0.0)
        pivot = int(np.argmin(np.abs(at_tip + resist * np.arange(12) - closes)))

        def squares(slope: float, pivot: int = pivot, closes: Any = closes) -> float:
            line = closes[pivot] + slope * (np.arange(12) - pivot)
            return float(((line - closes) ** 2).sum()) if (line >= closes - 1e-9).all() else math.inf

        best = squares(resist)
        assert best < math.inf
        assert all(squares(resist + change) >= best - 1e-9 for change in np.linspace(-1, 1, 201))


def test_a_weak_pole_gets_no_flag() -> None:
    case = FLAGS["bull flag"]
    candles = candles_of([(c, c, c, c, 1) for c in case.closes])
    kinds = [fact[1] for fact in flags_of(candles, **PLAIN, **{"flags.min_pole_atr": 20})]
    assert kinds == ["flag_pole"]


def test_a_new_pole_supersedes_the_pending_one() -> None:
    found = flags_of(random_walk(14, 6000), **{"flags.order": 3, "flags.max_retrace": 5.0, "flags.max_width_ratio": 50})
    kinds = [fact[1] for fact in found]
    for n, kind in enumerate(kinds):
        if kind == "flag_superseded":
            assert kinds[n + 1] == "flag_pole"
            assert found[n][2] == found[n + 1][2]
    assert "flag_superseded" in kinds

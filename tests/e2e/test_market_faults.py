"""Whatever the market's feed and REST do wrong, the line ends as its backtest; and without its rule it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fault_trials import Grounds, grounds_of
from market_faults import CASES, VENUES, Case, harm_without_rule, miss_no_rule, recovery_s

pytestmark = pytest.mark.slow

SLOWEST_S = 10.0
LATE = 1_000_000  # some step
# Of each rule the case that takes it away for the longest time.
LONGEST_WITHOUT = {
    case.rule.name: case
    for case in sorted(CASES, key=lambda case: min(one.at_step for one in case.faults(LATE)), reverse=True)
}.values()


@pytest.fixture(scope="module", params=VENUES)
def grounds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    return grounds_of(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_costs_time_and_changes_nothing(
    case: Case, grounds: Grounds, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    took = recovery_s(case, grounds, tmp_path / "run")
    record_property("recovery_s", took)
    assert took < SLOWEST_S


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_without_its_rule_the_fault_does_harm(case: Case, grounds: Grounds, tmp_path: Path) -> None:
    harm_without_rule(case, grounds, tmp_path / "run")


@pytest.mark.parametrize("case", LONGEST_WITHOUT, ids=lambda case: case.rule.name)
def test_without_a_fault_no_rule_is_missed(case: Case, grounds: Grounds, tmp_path: Path) -> None:
    miss_no_rule(case, grounds, tmp_path / "run")

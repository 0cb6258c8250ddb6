"""Whatever the market's feed and REST do wrong, the line ends as its backtest; and without its rule it does not."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest
from fault_trials import Grounds, WrongError, grounds_of
from market_faults import CASES, RULES, VENUES, Case, Rule, recovery_s

from trading_system.replay import LineFailedError, StalledError
from trading_system.simulator.faults import Fault, FaultKind

pytestmark = pytest.mark.slow

SLOWEST_S = 10.0


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
    with pytest.raises((WrongError, StalledError, LineFailedError)) as harmed:
        recovery_s(case, grounds, tmp_path / "run", ruled=False)
    # a rule that was taken away by a mistake in its replacement would prove nothing
    assert not isinstance(harmed.value.__cause__, TypeError | AttributeError | NameError)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_without_a_fault_no_rule_is_missed(rule: Rule, grounds: Grounds, tmp_path: Path) -> None:
    """A control that does harm by itself would prove nothing of the fault that it is played with."""
    nothing = Case(0, "nothing", lambda at: [Fault(FaultKind.CLOCK_JUMP, at, ms=0)], rule, attrgetter("two"))
    recovery_s(nothing, grounds, tmp_path / "run", ruled=False)

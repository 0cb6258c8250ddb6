"""Whatever the market's feed and REST do wrong, the line ends as its backtest; and without its rule it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fault_trials import Grounds, WrongError, grounds_of
from market_faults import CASES, VENUES, Case, recovery_s

from trading_system.replay import LineFailedError, StalledError

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
    with case.rule.off(), pytest.raises((WrongError, StalledError, LineFailedError)) as harmed:
        recovery_s(case, grounds, tmp_path / "run")
    # a rule that was taken away by a mistake in its replacement would prove nothing
    assert not isinstance(harmed.value.__cause__, TypeError | AttributeError | NameError)

"""Two hundred symbols on one line, six of them trading at a time: what the line did is what the backtest does.

Three days here, and half a day over each venue's wire; the month is ``python benchmarks/many_symbols.py --month``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from market_faults import VENUES
from measure.crowd import crowd, line_settings
from measure.parity import beside_its_backtest

from trading_system.research.parity import compare
from trading_system.research.runs import run_backtest, write
from trading_system.settings import settings_with
from trading_system.simulated_run import run_replay

pytestmark = pytest.mark.slow


async def test_a_line_of_two_hundred_symbols_with_six_trades_at_a_time_equals_its_backtest(tmp_path: Path) -> None:
    found = await beside_its_backtest(line_settings(), 200, 3, tmp_path)
    assert found.differs == ()
    assert found.fingerprints[0] == found.fingerprints[1]
    assert found.most == 6
    assert found.fills > 20
    assert found.events > 1_000


@pytest.mark.parametrize("venue", VENUES)
async def test_two_hundred_symbols_over_the_wire_equal_their_backtest(venue: str, tmp_path: Path) -> None:
    wishes = ["warm_up=20", "account.max_positions=6", "account.open_risk_pct=6", f"exchange={venue}"]
    settings = settings_with(wishes)
    market = crowd(settings, 200, 720)
    expected = run_backtest(market, settings)
    write(tmp_path / "backtest", expected)
    write(tmp_path / "line", await run_replay(market, settings, tmp_path / "line"))
    assert compare(tmp_path / "line", tmp_path / "backtest").difference is None
    assert len(expected.record.orders) > 30
    assert expected.record.fills

"""Two hundred symbols on one line, six of them trading at a time: what the line did is what the backtest does."""

from __future__ import annotations

from pathlib import Path

import pytest
from measure.crowd import CrowdLine, crowd

from trading_system.bus.memory import MemoryBus
from trading_system.research.parity import compare
from trading_system.research.runs import run_backtest, write
from trading_system.settings import settings_with
from trading_system.store.sqlite import SqliteStore

SYMBOLS = 200
DAYS = 3
DAY = 1_440
WARM_UP = 720


@pytest.mark.slow
async def test_a_line_of_two_hundred_symbols_with_six_trades_at_a_time_equals_its_backtest(tmp_path: Path) -> None:
    settings = settings_with(["warm_up=20", "account.max_positions=6", "account.open_risk_pct=6"])
    inputs = crowd(settings, SYMBOLS, DAYS * DAY)
    store = SqliteStore(tmp_path / "store.db")
    most = 0
    async with CrowdLine(inputs, settings, tmp_path, store, MemoryBus(), upto=WARM_UP) as line:
        while line.market.upto < inputs.minutes:
            await line.play(line.market.upto + 1)
            most = max(most, sum(slot.trade is not None for slot in line.execution.account.slots))
        run = await line.run()
    expected = run_backtest(inputs, settings)
    write(tmp_path / "run", run)
    write(tmp_path / "backtest", expected)
    found = compare(tmp_path / "run", tmp_path / "backtest")
    assert found.difference is None
    assert most == 6
    assert run.summary["fingerprint"] == expected.summary["fingerprint"]
    assert found.counts["fills"] > 20

"""A line whose store is a server: the same trades as the backtest, also when that server hangs and cuts and refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from both_sides import assert_each_signal_entered_once
from fault_proxy import FaultProxy
from mongo_server import MongoServer, running
from small_markets import small_market, small_settings

from trading_system.research.parity import compare
from trading_system.research.runs import run_backtest, write
from trading_system.simulated_run import run_replay
from trading_system.store.mongo import MongoStore


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    with running(tmp_path_factory.mktemp("mongo")) as made:
        yield made


@pytest.mark.slow
async def test_a_line_whose_store_comes_and_goes_trades_like_the_backtest(
    tmp_path: Path, server: MongoServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("trading_system.store.mongo.MongoStore", partial(MongoStore, deadline_s=0.5))
    async with FaultProxy(server.port) as proxy:
        settings = small_settings(f"database_url={server.url()}".replace(str(server.port), str(proxy.port), 1))
        market = small_market(settings)
        write(tmp_path / "backtest", run_backtest(market, settings))
        steps, pending = 0, set()

        async def refuse() -> None:
            await proxy.refuse()
            await asyncio.sleep(0.7)
            await proxy.accept()

        def trouble(step: int) -> None:
            nonlocal steps
            del step
            steps += 1
            if steps % 15 == 1:
                proxy.cut()
            elif steps % 15 == 6:
                proxy.hang()
                asyncio.get_running_loop().call_later(0.7, lambda: (proxy.cut(), proxy.pass_on()))
            elif steps % 15 == 11:
                pending.add(asyncio.create_task(refuse()))

        run = await run_replay(market, settings, tmp_path / "line", stepped=trouble)
        await asyncio.gather(*pending)
    write(tmp_path / "line", run)
    difference = compare(tmp_path / "line", tmp_path / "backtest").difference
    assert difference is None, difference.sentence()
    assert_each_signal_entered_once(tmp_path / "line")
    assert steps > 15
    assert any("entries are off while the store is away" in record.getMessage() for record in caplog.records)

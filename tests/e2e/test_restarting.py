"""A line that is started again on its folder goes on with the line that it holds, and with no other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from conducted import conducted
from small_markets import made_market, small_market, small_settings

from trading_system.line_terms import OtherLineError
from trading_system.research.candle_inputs import InputError
from trading_system.services.execution_engine.journal import JournalInUseError
from trading_system.settings import Settings
from trading_system.simulated_run import run_simulator, simulator_of


@pytest.fixture
def settings() -> Settings:
    return small_settings()


@pytest.fixture
async def exchange(settings: Settings) -> AsyncIterator[str]:
    async with conducted(simulator_of(small_market(settings), settings)) as url:
        yield url


@pytest.mark.slow
async def test_a_finished_line_started_again_says_the_same_and_one_of_other_terms_is_refused(
    exchange: str, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "line"
    first = await run_simulator(exchange, ["BTCUSDT"], settings, folder)

    again = await run_simulator(exchange, ["BTCUSDT"], settings, folder)

    for key in ("fingerprint", "equity_final", "orders", "fills", "trades", "signals"):
        assert again.summary[key] == first.summary[key]
    for other, name in (
        (small_settings("min_rr=2"), r"plans.min_rr 0.3, with which this line began, was 2.0"),
        (small_settings("swings.left=3"), r"swings.left None, with which this line began, was 3"),
        (small_settings("equity=500"), r"account.equity"),
        (small_settings("signal_interval=15m", "higher_interval=1h"), r"signal_interval '5m'"),
    ):
        with pytest.raises(OtherLineError, match=name):
            await run_simulator(exchange, ["BTCUSDT"], other, folder)
    with pytest.raises(InputError, match=r"the line that made the 5 trades of this exchange, was a new one"):
        await run_simulator(exchange, ["BTCUSDT"], settings, tmp_path / "new")


async def test_a_symbol_that_the_exchange_has_let_go_since_keeps_no_line_from_starting(
    settings: Settings, tmp_path: Path
) -> None:
    symbols = ["ADAUSDT", "BTCUSDT"]
    server = simulator_of(made_market(settings, 3, symbols, 780), settings)
    async with conducted(server) as url:
        first = await run_simulator(url, symbols, settings, tmp_path / "line")
        assert not server.exchange.books["ADAUSDT"].position.side
        server.exchange.delist("ADAUSDT")
        again = await run_simulator(url, symbols, settings, tmp_path / "line")
    assert again.summary["fingerprint"] == first.summary["fingerprint"]


@pytest.mark.parametrize("same_folder", [True, False], ids=["on its folder", "in a folder of its own"])
async def test_a_second_line_on_the_account_of_a_living_one_refuses_to_start(
    exchange: str, settings: Settings, tmp_path: Path, same_folder: bool
) -> None:
    folder = tmp_path / "line"
    async with aiohttp.ClientSession() as http:
        living = asyncio.create_task(run_simulator(exchange, ["BTCUSDT"], settings, folder))
        try:
            while not (await (await http.get(f"{exchange}/_sim/state")).json())["user_sockets"]:
                assert not living.done()
            if same_folder:
                with pytest.raises(JournalInUseError, match=rf"was in use by process {os.getpid()}; stop that one"):
                    await run_simulator(exchange, ["BTCUSDT"], settings, folder)
            else:
                with pytest.raises(InputError, match=r"was one that another line listens to; stop that line"):
                    await run_simulator(exchange, ["BTCUSDT"], settings, tmp_path / "other")
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)

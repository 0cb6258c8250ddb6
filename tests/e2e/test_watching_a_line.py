"""A line that stopped while it held a position: the watch, the read commands and the account tell the same numbers."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from both_sides import trade_line
from paper_exchange import PublicFeed
from prometheus_client.parser import text_string_to_metric_families
from sample_line import until
from small_markets import MINUTE, SMALL_SEED, START_MS, made_market, small_market, small_settings

from trading_system.bus.memory import MemoryBus
from trading_system.cli import main
from trading_system.database import open_store
from trading_system.replay import LocalLine, LocalMarket, conduct
from trading_system.research.line_rows import held_by
from trading_system.research.line_view import LineView, read_line
from trading_system.research.runs import run_backtest
from trading_system.rules.facts import Fill
from trading_system.rules.matching import Role
from trading_system.services.monitoring_engine.metrics import LineCollector
from trading_system.services.monitoring_engine.service import MonitoringEngine
from trading_system.services.monitoring_engine.view import View
from trading_system.services.room import Letterbox
from trading_system.settings import Settings

pytestmark = pytest.mark.slow


def minutes_until_held(settings: Settings) -> int:
    """Return after how many minutes of the small market a position is held at a close on which equity is marked."""
    fills = [fill for fill in run_backtest(small_market(settings), settings).record.fills if isinstance(fill, Fill)]
    entry = next(fill for fill in fills if fill.role == Role.ENTRY)
    leaving = next(fill for fill in fills if fill.role != Role.ENTRY)
    marked = ((entry.time - START_MS) // (5 * MINUTE) + 1) * 5
    assert START_MS + marked * MINUTE < leaving.time
    return int(marked)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data") / "line"
    settings = small_settings()
    trade_line(made_market(settings, SMALL_SEED, ["BTCUSDT"], minutes_until_held(settings)), settings, place)
    return place


async def watched(folder: Path, view: LineView) -> tuple[View, dict[str, Any]]:
    """Return what the watch sees of a line's folder, and its metrics without labels."""
    store = open_store(f"sqlite:///{(folder / 'store.db').resolve()}")
    origin = view.origin // MINUTE
    engine = MonitoringEngine(
        Letterbox(store, MemoryBus()), "binance_usdm", {"BTCUSDT": origin}, lambda: START_MS, expected=()
    )
    try:
        await engine.start()
        await engine.poll()
        assert engine.failure is None
        samples = {sample.name: sample.value for one in LineCollector(engine).collect() for sample in one.samples}
        assert engine.view is not None
        return engine.view, samples
    finally:
        await engine.stop()
        await store.close()


def test_the_watch_the_commands_and_the_account_tell_the_same_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(command: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["trading-system", command, "--json", "--store", str(folder)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return json.loads(capsys.readouterr().out)

    line = asyncio.run(read_line(folder))
    view, samples = asyncio.run(watched(folder, line))
    account = line.account
    assert account is not None
    (slot,) = account.slots
    assert slot.trade is not None
    assert not slot.trade.waiting
    (one,) = view.open_positions
    assert (one,) == held_by(line)
    (row,) = told("positions")["positions"]
    own = slot.trade.plan.side * (slot.close - slot.trade.entry_price) * slot.trade.held
    assert row["open"] == one.unrealised == samples["trading_position_unrealised_quote"] == own
    assert row["r"] == one.r == samples["trading_position_r"]
    assert row["last"] == one.last == samples["trading_position_last_price"]
    assert row["stop"] == slot.trade.stop == samples["trading_position_stop_price"]
    assert (row["quantity"], row["covered"], view.protected(one)) == (slot.trade.held, True, True)
    status = told("status")
    assert status["equity"] == view.equity == account.equity == account.wallet + own == samples["trading_equity_quote"]
    assert status["alerts"] == []
    assert status["services"] == []
    assert samples["trading_account_step"] == line.step
    assert samples["trading_fills_total"] == 1


async def test_a_paper_line_is_watched_from_inside_its_process_and_serves_its_metrics(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    feed = PublicFeed(None, f"monitoring.port={port}", "monitoring.heartbeat=0.1")
    await feed.open()
    line = await feed.line(tmp_path / "paper")
    try:
        await line.start()
        await conduct(LocalLine(line), LocalMarket(feed.server))
        account = line.execution.account

        async def is_seen() -> bool:
            await line.monitoring.poll()
            view = line.monitoring.view
            if view is None or "execution_engine" not in view.health:
                return False
            return view.step == line.execution.progress.step == view.health["execution_engine"].get("step")

        await until(is_seen)
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
            text = await answer.text()
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert samples["trading_equity_quote",] == account.equity
        assert samples["trading_trades_closed_total", "stop"] + samples["trading_trades_closed_total", "target"] == 2
        services = ("data_feed", "indicator_engine", "strategy_engine", "execution_engine")
        assert [samples["trading_service_up", name] for name in services] == [1, 1, 1, 1]
        assert [samples["trading_service_lag_steps", name] for name in services] == [0, 0, 0, 0]
        assert samples["trading_service_step", "execution_engine"] == line.execution.progress.step
        assert line.failure is None
    finally:
        await line.stop()
        await feed.server.stop()

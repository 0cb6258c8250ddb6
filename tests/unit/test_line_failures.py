"""Whose failure is the line's: what only tells of trading never ends trading, and alone it does not stay dead."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from sample_line import until
from sample_trades import instrument_of

from trading_system.app import Line, Pace
from trading_system.services.execution_engine.service import ExecutionEngine
from trading_system.services.monitoring_engine.service import MonitoringEngine
from trading_system.services.roster_log import RosterLog
from trading_system.services.telegram_engine.service import TelegramEngine
from trading_system.settings import Settings, settings_with
from trading_system.store.errors import StoreError
from trading_system.store.memory import MemoryStore
from trading_system.venue_access import paper_access


class Part:
    """What is asked of a service that has failed or not."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    async def poll(self) -> None:
        """See nothing."""


class Execution(Part, ExecutionEngine):
    """An execution engine that never trades; what it loses is written down."""

    def __init__(self) -> None:
        Part.__init__(self)
        self.lost: list[StoreError] = []
        self.rounds = 0

    def lose_store(self, error: StoreError) -> None:
        self.lost.append(error)

    async def catch_up(self) -> None:
        """Have nothing to do; a round more is over."""
        self.rounds += 1


def line_of(folder: Path) -> Line:
    access = paper_access(settings_with(["market.rest=http://127.0.0.1:1", "market.stream=ws://127.0.0.1:1"]))
    return Line(folder, Settings(), [instrument_of("BTCUSDT")], 0, access, Pace(poll_s=0.0))


def test_a_failed_watch_is_the_line_s_failure_only_where_nothing_is_traded(tmp_path: Path) -> None:
    failure = StoreError("the head moved")
    line = line_of(tmp_path)
    line._watches.append(cast("MonitoringEngine", Part(failure)))
    assert line.failure is failure
    execution = Execution()
    line._rooms.append(execution)
    assert line.failure is None
    execution.failure = ArithmeticError("the sums do not add up")
    assert line.failure is execution.failure


async def test_a_failed_watch_loses_execution_no_store_but_a_failed_room_does(tmp_path: Path) -> None:
    line, execution = line_of(tmp_path), Execution()
    line._roster_log = RosterLog(MemoryStore(), "binance_usdm")
    line._watches.append(cast("MonitoringEngine", Part(StoreError("the head moved"))))
    line._rooms.append(execution)
    polling = asyncio.create_task(line._poll())
    await until(lambda: execution.rounds > 2)
    assert execution.lost == []
    execution.failure = StoreError("the disk is full")
    await polling
    assert execution.lost == [execution.failure]


def test_a_dead_telegram_engine_is_the_failure_of_a_process_without_trading(tmp_path: Path) -> None:
    line = line_of(tmp_path)
    telegram = Part()
    line._tellers.append(cast("TelegramEngine", telegram))
    assert line.failure is None
    telegram.failure = StoreError("the disk is full")
    assert line.failure is telegram.failure

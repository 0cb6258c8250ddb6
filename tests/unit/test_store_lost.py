"""A line whose store takes no more, as those see it who let the market go on or begin its next life."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trading_system.replay import LineFailedError, report_of, require_whole
from trading_system.service_run import _is_store_back, _require_alive
from trading_system.services.execution_engine.service import Progress
from trading_system.simulator.exchange import Advanced
from trading_system.store.errors import StoreWriteError
from trading_system.store.memory import MemoryStore

LOST = StoreWriteError("store.db: expected the disk to take a write, was: full")


def line_of(lost: StoreWriteError | None, store: Any = None, *, open_orders: int = 0) -> Any:
    engine = SimpleNamespace(store_lost=lost, progress=Progress(7, 3, open_orders, 0), idle=False)
    letterbox = SimpleNamespace(store=store or MemoryStore())
    return SimpleNamespace(execution=engine, letterbox=letterbox, failure=None, folder=Path("line"))


class FullStore(MemoryStore):
    async def commit(self) -> None:
        raise LOST


def test_the_market_waits_for_every_trade_and_for_no_step_of_a_line_that_closes_none() -> None:
    report = report_of(line_of(LOST).execution, "15m")
    assert report.has_handled(Advanced(99, 3, False))
    assert not report.has_handled(Advanced(99, 4, False))
    assert report.until is None
    assert not report_of(line_of(LOST, open_orders=1).execution, "15m").has_handled(Advanced(99, 3, False))
    assert not report_of(line_of(None).execution, "15m").has_handled(Advanced(99, 3, False))


def test_a_market_that_ends_over_a_lost_store_is_no_finished_run() -> None:
    require_whole(line_of(None))
    with pytest.raises(LineFailedError, match="closed no step after 7, as its store took no more; free the disk"):
        require_whole(line_of(LOST))


async def test_a_service_looks_whether_the_store_that_it_lost_takes_a_write_again() -> None:
    assert not await _is_store_back(line_of(None))
    assert not await _is_store_back(line_of(LOST, FullStore()))
    assert await _is_store_back(line_of(LOST))


def test_a_life_of_exits_alone_ends_when_a_whole_one_is_asked_for() -> None:
    _require_alive(line_of(LOST))
    _require_alive(line_of(None), whole=True)
    with pytest.raises(LineFailedError, match="expected the disk to take a write") as ended:
        _require_alive(line_of(LOST), whole=True)
    assert ended.value.__cause__ is LOST

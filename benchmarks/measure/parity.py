"""A line of many symbols beside its backtest: the same candles, events, orders, fills and equity, or what differs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from measure.crowd import CrowdLine, crowd
from trading_system.bus.memory import MemoryBus
from trading_system.research.run_folder import RunRecord, fill_line, fingerprint
from trading_system.research.runs import run_backtest
from trading_system.settings import Settings
from trading_system.store.sqlite import SqliteStore

DAY = 1_440
WARM_UP = 720  # minutes of history; the rest closes one by one


class Parity(NamedTuple):
    """What a line and its backtest did. ``differs``: the kinds of facts in which they are not equal.

    most: how many trades were open or waiting at once; line_s, backtest_s: what each took.
    """

    differs: tuple[str, ...]
    fingerprints: tuple[str, str]
    fills: int
    events: int
    most: int
    line_s: float
    backtest_s: float


async def beside_its_backtest(settings: Settings, symbols: int, days: int, folder: Path) -> Parity:
    """Trade the synthetic market of ``symbols`` symbols for ``days`` days in a line, and in a backtest."""
    inputs = crowd(settings, symbols, days * DAY)
    most = 0
    began = time.perf_counter()
    async with CrowdLine(inputs, settings, folder, SqliteStore(folder / "store.db"), MemoryBus(), upto=WARM_UP) as line:
        while line.market.upto < inputs.minutes:
            await line.play(line.market.upto + 1)
            most = max(most, sum(slot.trade is not None for slot in line.execution.account.slots))
        line_s = time.perf_counter() - began
        record = (await line.run()).record
    began = time.perf_counter()
    expected = run_backtest(inputs, settings).record
    backtest_s = time.perf_counter() - began
    prints = (fingerprint(map(fill_line, record.fills)), fingerprint(map(fill_line, expected.fills)))
    counts = (len(record.fills), len(record.events), most)
    return Parity(_differing(record, expected), prints, *counts, line_s, backtest_s)


def _differing(one: RunRecord, other: RunRecord) -> tuple[str, ...]:
    equal = {
        "candles": all(np.array_equal(a, b) for a, b in zip(one.candles, other.candles, strict=True)),
        "events": _in_order(one) == _in_order(other),
        "orders": one.orders == other.orders,
        "fills": one.fills == other.fills,
        "equity": one.equity == other.equity,
    }
    return tuple(kind for kind, is_equal in equal.items() if not is_equal)


def _in_order(record: RunRecord) -> list[object]:
    """Return the events in the order of their time; a run's folder has them so as well."""
    return sorted(record.events, key=lambda event: (event.confirmed_at, event.symbol, event.id))

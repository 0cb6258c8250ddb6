"""The power fails right after a commit that was forced to the disk: the store, which is not, loses what it likes."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from both_sides import assert_each_signal_entered_once
from conducted import conducted
from small_markets import small_market, small_settings

from trading_system.app import JOURNAL_FILE, STORE_FILE
from trading_system.replay import LineFailedError
from trading_system.research.parity import compare
from trading_system.research.runs import run_backtest, write
from trading_system.rules.matching import Order
from trading_system.services.execution_engine.journal import Journal, JournalOrder
from trading_system.simulated_run import run_simulator, simulator_of
from trading_system.venues.port import VenueFill


class PowerCutError(Exception):
    """The machine stands still from here on."""


class Mains:
    """Cuts the power at a chosen commit of each life, and says what the disks hold then."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._left = 0
        self._stores: list[bytes] = []  # states of the store in this life, each of which a cut may bring back
        self._journal = b""
        self.cuts = 0
        self.losses = 0

    def on(self) -> None:
        """Begin a life; it ends at its third commit at the earliest, so that lives come forward."""
        self._left = self._chance.randint(3, 6)
        self._stores = [self._stored()]

    def synced(self, journal: bytes) -> None:
        """Take note of a commit that is on the disk."""
        self._stores.append(self._stored())
        self._journal = journal
        self._left -= 1
        if not self._left:
            raise PowerCutError

    def cut(self) -> None:
        """Leave in the folder what the disks held at the cut."""
        kept = self._chance.choice(self._stores)
        self.losses += kept != self._stores[-1]
        self.cuts += 1
        for name, content in ((STORE_FILE, kept), (JOURNAL_FILE, self._journal)):
            for each in self._folder.glob(f"{name}*"):
                each.unlink()
            if content:
                (self._folder / name).write_bytes(content)

    def _stored(self) -> bytes:
        path = self._folder / STORE_FILE
        if not path.exists():
            return b""
        with closing(sqlite3.connect(path)) as reader:
            return reader.serialize()


def journal_on(mains: Mains) -> type[Journal]:
    class MainsJournal(Journal):
        """Tells the mains of every commit."""

        def intend(
            self, order: Order, symbol: str, generation: int, *, created_ms: int, fence_at_ms: int
        ) -> JournalOrder:
            meant = super().intend(order, symbol, generation, created_ms=created_ms, fence_at_ms=fence_at_ms)
            mains.synced(self._db.serialize())
            return meant

        def act_at(self, step: int) -> None:
            super().act_at(step)
            mains.synced(self._db.serialize())

        def fill(self, fill: VenueFill) -> bool:
            booked = super().fill(fill)
            mains.synced(self._db.serialize())
            return booked

        def _change(self, order: JournalOrder) -> None:
            super()._change(order)
            mains.synced(self._db.serialize())

    return MainsJournal


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_power_cuts_lose_what_was_not_synced_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    settings = small_settings()
    market = small_market(settings)
    write(tmp_path / "backtest", run_backtest(market, settings))
    folder = tmp_path / "line"
    mains = Mains(folder, seed)
    monkeypatch.setattr("trading_system.app.Journal", journal_on(mains))
    server = simulator_of(market, settings)
    async with conducted(server) as url:
        while True:
            mains.on()
            try:
                run = await run_simulator(url, ["BTCUSDT"], settings, folder)
                break
            except (LineFailedError, PowerCutError):
                mains.cut()
    write(folder, run)

    assert mains.cuts >= 4
    assert mains.losses > 0
    difference = compare(folder, tmp_path / "backtest").difference
    assert difference is None, difference.sentence()
    assert_each_signal_entered_once(folder)
    protection = server.state()["protection"]
    assert protection["gaps"] == protection["bare_moves"] == 0

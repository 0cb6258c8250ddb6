"""A disk that takes no more: nothing new is entered, stops and exits are still sent, and one sentence says so."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_venue import fill_of, stop
from sample_desk import Desk
from sample_line import until
from sample_trades import START, instrument_of, plan_at

from trading_system.rules.matching import FillRules
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.room import Letterbox
from trading_system.simulator.paper_venue import PaperStateError, PaperVenue
from trading_system.store.errors import StoreWriteError
from trading_system.store.port import Store

PLAN = plan_at(START)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    await made.live()
    yield made
    await made.die()


def fill_the_disk(desk: Desk) -> None:
    """Let nothing be written to the journal's file any more."""
    desk.journal._db.execute("PRAGMA query_only = 1")


def sentences(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]


async def test_an_entry_is_not_sent_when_its_intent_cannot_be_written(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    fill_the_disk(desk)
    await desk.minute(101.0, plans=[PLAN])
    assert desk.venue.requests("place") == []
    assert desk.execution.idle
    (said,) = sentences(caplog)
    assert said.endswith("entries are off, stops and exits are still sent; free the disk and start the line again")


async def test_a_position_gets_its_stop_and_its_targets_although_the_journal_cannot_be_written(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill_the_disk(desk)
    await desk.fill("e", 100.0)
    assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}
    await desk.fill("1", 104.0)
    assert desk.prices() == {"s": (100.0, 25.0), "2": (108.0, 25.0)}
    assert len(sentences(caplog)) == 1


async def test_a_restart_takes_up_what_the_journal_could_not_be_told(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill_the_disk(desk)
    await desk.fill("e", 100.0)
    await desk.minute(101.0, 100.5)
    await desk.die()
    await desk.live()
    assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}
    assert not desk.journal.lost
    assert set(desk.states().values()) == {State.FILLED, State.ACKED}


class FullStore:
    """A store whose disk is full: it can be read, and commits nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self) -> None:
        raise StoreWriteError("store.db: expected the disk to take a write, was: database or disk is full")


def fill_the_disk_of_the_store(desk: Desk) -> None:
    full: Any = FullStore(desk.store)
    desk.execution._letterbox = desk.execution._writer._letterbox = Letterbox(full, desk.bus)


async def test_a_store_that_takes_no_more_ends_the_entries_and_not_the_exits(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill_the_disk_of_the_store(desk)
    await desk.fill("e", 100.0)
    assert desk.execution.store_lost is not None
    await until(lambda: set(desk.prices()) == {"s", "1", "2"})
    await desk.fill("1", 104.0)
    await until(lambda: desk.prices() == {"s": (100.0, 25.0), "2": (108.0, 25.0)})
    (said,) = sentences(caplog)
    assert said.startswith("entries are off, stops and exits are still sent: store.db: expected the disk")


async def test_a_store_that_takes_no_more_is_the_end_once_the_position_is_closed(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill_the_disk_of_the_store(desk)
    await desk.fill("e", 100.0)
    await desk.fill("1", 104.0)
    assert desk.execution.failure is None
    with pytest.raises(StoreWriteError):
        await desk.fill("s", 100.0)
    assert desk.prices() == {}


async def test_an_entry_that_waits_is_taken_back_when_the_store_takes_no_more(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    assert set(desk.prices()) == {"e"}
    desk.execution.lose_store(StoreWriteError("full"))
    await until(lambda: desk.execution.failure is not None)
    assert desk.prices() == {}


async def test_an_entry_that_fills_before_it_can_be_taken_back_gets_its_stop(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    filled = desk.trade("e", 100.0)  # at the venue, and not heard of yet
    desk.execution.lose_store(StoreWriteError("full"))
    await until(lambda: bool(desk.venue.requests("cancel")) and not desk.execution._wake.is_set())
    assert desk.execution.failure is None
    desk.venue.push(filled)
    await until(lambda: set(desk.prices()) == {"s", "1", "2"})


async def test_an_entry_is_not_sent_when_what_led_to_it_cannot_be_stored(desk: Desk) -> None:
    await desk.minute(101.0)
    fill_the_disk_of_the_store(desk)
    with pytest.raises(StoreWriteError):
        await desk.minute(101.0, plans=[PLAN])
    assert desk.venue.requests("place") == []


def test_a_disk_that_is_full_keeps_what_was_written_and_memory_keeps_the_rest(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal._db.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size instead: it grows no more
    meant = []
    while not journal.lost:
        meant.append(journal.intend(stop(), "BTCUSDT", len(meant), created_ms=1, fence_at_ms=2).client_id)
    assert journal.fill(fill_of(stop(), 7))
    assert [order.client_id for order in journal.orders_since(0)] == meant
    journal.close()
    again = Journal(tmp_path / "journal.db")
    assert [order.client_id for order in again.orders_since(0)] == meant[:-1]
    assert again.fills_since(0) == []
    again.close()


def test_a_paper_account_that_cannot_be_kept_says_what_mends_it(tmp_path: Path) -> None:
    account = PaperVenue(tmp_path / "gone" / "paper.json", [instrument_of()], 1, FillRules(), leverage=5, equity=1e4)
    with pytest.raises(PaperStateError, match=r"paper.json: expected a disk that takes a write, was: No such file"):
        account._keep()


def test_a_journal_is_not_begun_on_a_full_disk(tmp_path: Path) -> None:
    begun = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from trading_system.services.execution_engine.journal import Journal, JournalError
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
        try:
            Journal(Path("journal.db"))
        except JournalError as error:
            sys.exit(str(error))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", begun],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("journal.db: expected a disk that takes a write, was: ")

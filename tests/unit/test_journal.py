"""The journal: what is on the disk when, what a kill leaves, and who may open it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from fake_venue import OTHER_PLAN, PLAN, START_MS, client_id, entry, fill_of, leave, stop, target
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_system.rules.matching import Role
from trading_system.services.execution_engine.journal import (
    Journal,
    JournalError,
    JournalFill,
    JournalInUseError,
    JournalOrder,
    NewerJournalError,
    OtherJournalError,
    State,
)
from trading_system.services.execution_engine.journal_records import Booked
from trading_system.venues.port import KnownStop, TradePoint


def meant(journal: Journal, order=None, generation: int = 0, symbol: str = "BTCUSDT") -> JournalOrder:  # type: ignore[no-untyped-def]
    return journal.intend(order or entry(), symbol, generation, created_ms=START_MS, fence_at_ms=START_MS + 50)


@pytest.fixture
def journal(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()


def test_an_intent_can_be_read_by_another_connection_as_soon_as_it_was_written(journal: Journal) -> None:
    meant(journal)
    other = sqlite3.connect(journal.path)
    rows = other.execute("SELECT client_id, state, price, quantity, fence_at_ms FROM orders").fetchall()
    other.close()
    assert rows == [(client_id("e"), "INTENT", 100.0, 2.0, START_MS + 50)]


def test_every_commit_is_synced_to_the_disk(journal: Journal) -> None:
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_order_knows_its_plan_its_role_and_its_name(journal: Journal) -> None:
    orders = [meant(journal, one) for one in (entry(), stop(), target(3), leave())]
    assert [order.role for order in orders] == [Role.ENTRY, Role.STOP, Role.TARGET, Role.EXIT]
    assert [order.name for order in orders] == ["e", "s", "3", "x"]
    assert {order.plan for order in orders} == {PLAN}
    assert orders[2].canonical == target(3).id
    assert orders[2].is_for(target(3))
    assert not orders[2].is_for(target(3, quantity=0.5))


def test_a_generation_is_used_once(journal: Journal) -> None:
    assert journal.generation_for(PLAN, "s") == 0
    meant(journal, stop(), 0)
    assert journal.generation_for(PLAN, "s") == 1
    assert journal.generation_for(PLAN, "e") == 0
    assert journal.generation_for(OTHER_PLAN, "s") == 0
    with pytest.raises(JournalError, match="never used"):
        meant(journal, stop(), 0)
    meant(journal, stop(), 1)
    assert journal.newest(stop().id).generation == 1  # type: ignore[union-attr]


def test_live_orders_are_those_that_have_not_ended(journal: Journal) -> None:
    for number, state in enumerate(State):
        meant(journal, stop(), number)
        name = client_id("s", number)
        if state == State.ACKED:
            journal.acked(name, "1")
        elif state == State.UNKNOWN:
            journal.unknown_outcome(name, "lost")
        elif state != State.INTENT:
            journal.settled(name, state)
    meant(journal, stop(plan=OTHER_PLAN), symbol="ETHUSDT")
    assert [order.state for order in journal.live("BTCUSDT")] == [State.INTENT, State.ACKED, State.UNKNOWN]
    assert [order.state for order in journal.unresolved("BTCUSDT")] == [State.INTENT, State.UNKNOWN]
    assert journal.unknown == 3


def test_an_order_that_has_ended_does_not_live_again(journal: Journal) -> None:
    meant(journal)
    journal.settled(client_id("e"), State.CANCELLED, "first")
    journal.acked(client_id("e"), "7")
    journal.unknown_outcome(client_id("e"), "late")
    journal.refused(client_id("e"), -1, "late")
    journal.settled(client_id("e"), State.EXPIRED, "late")
    order = journal.order(client_id("e"))
    assert order is not None
    assert (order.state, order.venue_id, order.reason) == (State.CANCELLED, "7", "first")


def test_a_fill_is_booked_once_and_ends_its_order(journal: Journal) -> None:
    meant(journal)
    fill = fill_of(entry(), 5)
    assert journal.fill(fill)
    assert not journal.fill(fill)
    assert journal.order(client_id("e")).state == State.FILLED  # type: ignore[union-attr]
    assert journal.live("BTCUSDT") == []
    assert [booked[1:] for booked in journal.fills_since(0)] == [tuple(fill)]
    assert journal.as_fill(fill).maker is False
    assert journal.fills_since(journal.as_fill(fill).seq) == []


def test_an_order_lives_until_its_fills_are_its_quantity(journal: Journal) -> None:
    order = entry(quantity=0.3)
    meant(journal, order)
    journal.acked(client_id("e"), "1")
    journal.fill(fill_of(order, 1, quantity=0.1))
    journal.fill(fill_of(order, 2, quantity=0.1))
    assert journal.order(client_id("e")).state == State.ACKED  # type: ignore[union-attr]
    journal.fill(fill_of(order, 3, quantity=0.1))
    assert journal.order(client_id("e")).state == State.FILLED  # type: ignore[union-attr]


def test_a_fill_is_stronger_than_any_other_end_and_leaves_a_trace(journal: Journal) -> None:
    meant(journal)
    journal.settled(client_id("e"), State.NOT_PLACED, "proof")
    journal.fill(fill_of(entry(), 1))
    order = journal.order(client_id("e"))
    assert order is not None
    assert (order.state, order.reason) == (State.FILLED, "filled after NOT_PLACED")


def test_a_trade_that_is_not_ours_is_booked_too(journal: Journal) -> None:
    fill = fill_of(entry(), 1)._replace(client_id="autoclose-1")
    assert journal.fill(fill)
    assert journal.as_fill(fill).client_id == "autoclose-1"
    with pytest.raises(JournalError, match="expected it booked"):
        journal.as_fill(fill_of(entry(), 2))


def test_trades_are_read_on_from_the_last_one_booked(journal: Journal) -> None:
    assert journal.unread("BTCUSDT") == TradePoint(1, 0)
    journal.begin_trades_at("BTCUSDT", TradePoint(40, 7))
    journal.begin_trades_at("BTCUSDT", TradePoint(90, 8))
    assert journal.unread("BTCUSDT") == TradePoint(41, 7)
    journal.fill(fill_of(entry(), 41))
    assert journal.unread("BTCUSDT") == TradePoint(41, START_MS)  # its siblings may still be to come
    assert journal.unread("ETHUSDT") == TradePoint(1, 0)


def test_trades_of_one_match_share_their_number_and_are_told_apart_by_their_ids(journal: Journal) -> None:
    first = fill_of(entry(), 41, quantity=0.5)
    second = first._replace(trade_id="e0cbe81d-0f18-5866-9415-cf319b5dab3b")
    assert [journal.fill(fill) for fill in (first, second, first)] == [True, True, False]
    one, other = journal.fills_since(0)
    booked = Booked().and_also(one)
    assert booked.has(one)
    assert not booked.has(other)
    assert booked.and_also(other).has(other)


def test_a_journal_of_the_first_version_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    meant(journal)
    journal.close()
    old = sqlite3.connect(path)
    old.executescript(
        """
        DROP TABLE fills;
        CREATE TABLE fills (seq INTEGER PRIMARY KEY AUTOINCREMENT, symbol TEXT NOT NULL, trade_id INTEGER NOT NULL,
            client_id TEXT NOT NULL, time INTEGER NOT NULL, price REAL NOT NULL, quantity REAL NOT NULL,
            fee REAL NOT NULL, maker INTEGER NOT NULL, UNIQUE (symbol, trade_id));
        CREATE INDEX fills_of_order ON fills (client_id);
        UPDATE meta SET value = 1 WHERE key = 'version';
        """
    )
    old.execute("INSERT INTO fills VALUES (3, 'BTCUSDT', 41, ?, 5, 100.0, 2.0, 0.1, 1)", (client_id("e"),))
    old.commit()
    old.close()
    for _ in range(2):
        journal = Journal(path)
        assert journal.fills_since(0) == [JournalFill(3, "41", 41, client_id("e"), "BTCUSDT", 5, 100.0, 2.0, 0.1, True)]
        assert not journal.fill(fill_of(entry(), 41))
        journal.close()


def test_a_stop_is_remembered_until_its_fill_is_booked(journal: Journal) -> None:
    for generation in range(3):
        meant(journal, stop(), generation)
    meant(journal, target())
    journal.settled(client_id("s", 0), State.CANCELLED)
    journal.settled(client_id("s", 1), State.FILLED)
    assert [one.client_id for one in journal.stops_without_fill("BTCUSDT")] == [client_id("s", 1), client_id("s", 2)]
    journal.fill(fill_of(stop(), 1, generation=1))
    assert journal.stops_without_fill("BTCUSDT") == [KnownStop(client_id("s", 2), 95.0, "")]


def test_only_an_end_settles_an_order(journal: Journal) -> None:
    meant(journal)
    with pytest.raises(JournalError, match="in which an order ends"):
        journal.settled(client_id("e"), State.ACKED)
    with pytest.raises(JournalError, match="intend it first"):
        journal.acked(client_id("s"), "1")


def test_orders_come_back_in_the_order_of_their_intents(journal: Journal) -> None:
    first = meant(journal, entry())
    second = meant(journal, stop())
    journal.acked(client_id("e"), "1")
    assert [order.client_id for order in journal.orders_since(0)] == [client_id("e"), client_id("s")]
    assert journal.orders_since(first.seq) == [second]


def test_an_intent_found_at_a_start_is_unknown_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = Journal(path)
    meant(first, entry())
    meant(first, stop())
    first.acked(client_id("s"), "8")
    meant(first, target())
    first.settled(client_id("1"), State.CANCELLED)
    first.close()
    first.close()
    second = Journal(path)
    states = [(order.name, order.state, order.venue_id) for order in second.orders_since(0)]
    assert states == [("e", State.UNKNOWN, ""), ("s", State.ACKED, "8"), ("1", State.CANCELLED, "")]
    assert [order.name for order in second.live("BTCUSDT")] == ["e", "s"]
    assert (first.epoch, second.epoch) == (1, 2)
    second.close()


def test_a_second_opener_is_refused_in_one_sentence(journal: Journal) -> None:
    with pytest.raises(JournalInUseError, match=rf"was in use by process {os.getpid()}; stop that one first"):
        Journal(journal.path)
    meant(journal)  # the first one still works


def test_a_killed_process_leaves_its_intents_and_frees_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from fake_venue import entry\n"
        "from trading_system.services.execution_engine.journal import Journal\n"
        "Journal(Path(sys.argv[1])).intend(entry(), 'BTCUSDT', 0, created_ms=1, fence_at_ms=2)\n"
        "print('meant', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"meant\n"
        with pytest.raises(JournalInUseError, match=f"process {child.pid}"):
            Journal(path)
        child.send_signal(signal.SIGKILL)
        child.wait()
    journal = Journal(path)
    assert [order.state for order in journal.live("BTCUSDT")] == [State.UNKNOWN]
    journal.close()


def test_a_journal_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    edited = sqlite3.connect(path)
    edited.execute("UPDATE meta SET value = 99 WHERE key = 'version'")
    edited.commit()
    edited.close()
    for _ in range(2):  # the refusal gives the lock back
        with pytest.raises(NewerJournalError, match="expected a journal of version 2 or older, was 99"):
            Journal(path)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(JournalError, match="expected a journal"):
        Journal(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["acked", "unknown", "refused", "fill", *State]), st.integers(0, 3))))
def test_what_is_remembered_is_what_is_written(tmp_path_factory, acts) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    journal = Journal(path)
    for generation in range(4):
        meant(journal, stop(), generation)
    for act, generation in acts:
        name = client_id("s", generation)
        if act == "acked":
            journal.acked(name, "1")
        elif act == "unknown":
            journal.unknown_outcome(name, "lost")
        elif act == "refused":
            journal.refused(name, -1, "no")
        elif act == "fill":
            journal.fill(fill_of(stop(), generation, generation))
        elif act not in (State.INTENT, State.ACKED, State.UNKNOWN):
            journal.settled(name, State(act))
    written = [order for order in journal.orders_since(0) if order.state in ("INTENT", "ACKED", "UNKNOWN")]
    assert sorted(journal.live("BTCUSDT")) == written
    journal.close()


def test_a_journal_belongs_to_one_line_for_good(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.hold_to(1_700_000_000_000)
    journal.hold_to(1_700_000_000_000)
    journal.close()
    again = Journal(tmp_path / "journal.db")
    with pytest.raises(
        OtherJournalError, match=r"was of one that began at 2023-11-14 22:13; give each line a data folder"
    ):
        again.hold_to(1_700_000_060_000)
    again.close()

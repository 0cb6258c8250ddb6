"""What is asked of the venue after the user stream was cut: all that can have changed, and nothing of quiet symbols."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_venue import PLAN, FakeVenue, VirtualClock
from sample_desk import ORIGIN, Desk
from sample_line import until
from sample_trades import MINUTE, START, plan_at

from trading_system.rules.matching import Order, OrderType, Role
from trading_system.services.execution_engine.held_fills import SHOWN_LATE_S, HeldFills
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.venues.errors import OutcomeUnknownError
from trading_system.venues.port import VenueFill

SYMBOLS = [f"S{n:03d}USDT" for n in range(199)]
FIRST, SECOND = SYMBOLS[:2]


def asked(venue: FakeVenue, word: str) -> list[str]:
    return [entry.split()[1] for entry in venue.log if entry.split()[0] == word]


async def test_of_two_hundred_symbols_only_those_that_trade_are_asked_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path, others=SYMBOLS)
    await desk.live()
    await desk.say("BTCUSDT", 101.0, plans=[plan_at((ORIGIN + 1) * MINUTE)])
    for symbol in SYMBOLS:
        await desk.say(symbol, 101.0)
    await until(lambda: desk.execution.progress.step == ORIGIN + 1)
    desk.step += 1
    await desk.fill("e", 100.0)
    desk.venue.log.clear()
    await desk.cut_and_reconnect()
    assert asked(desk.venue, "fills") == ["BTCUSDT"]
    assert asked(desk.venue, "list") == ["BTCUSDT"]
    assert len(desk.venue.log) == 2
    desk.trade("s", 98.0)  # while nobody listens
    await desk.cut_and_reconnect()
    await until(lambda: desk.execution.idle)
    await desk.die()
    desk.venue.log.clear()
    await desk.live()
    assert len(asked(desk.venue, "fills")) >= 200  # the first reading of a life trusts no journal
    await desk.die()


class Reader:
    """Trades of two symbols, read anew whenever a test wants, with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.venue = FakeVenue(VirtualClock())
        self.journal = Journal(folder / "journal.db")
        self.trading: set[str] = set()
        self.now_s = 0.0
        self.held = HeldFills(self.venue, self.journal, [FIRST, SECOND], lambda: self.trading, lambda: self.now_s)

    async def asked(self) -> list[str]:
        self.venue.log.clear()
        self.now_s += 2 * SHOWN_LATE_S
        await self.held.read()
        return asked(self.venue, "fills")

    def order(self) -> str:
        order = Order(f"tm{PLAN}e", Role.ENTRY, OrderType.LIMIT, 1, 100.0, 1.0, 1)
        return self.journal.intend(order, SECOND, 0, created_ms=0, fence_at_ms=0).client_id


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    made = Reader(tmp_path)
    assert await made.asked() == [FIRST, SECOND]
    assert await made.asked() == []
    yield made
    made.journal.close()


async def test_an_order_that_came_and_went_between_two_readings_is_asked_for(reader: Reader) -> None:
    client_id = reader.order()
    reader.journal.acked(client_id, "1")
    reader.journal.settled(client_id, State.CANCELLED)
    assert await reader.asked() == [SECOND]
    assert await reader.asked() == []


async def test_an_order_that_was_open_at_the_last_reading_is_asked_for_once_it_has_ended(reader: Reader) -> None:
    client_id = reader.order()
    reader.journal.acked(client_id, "1")
    assert await reader.asked() == [SECOND]
    assert await reader.asked() == [SECOND]
    reader.journal.settled(client_id, State.EXPIRED)
    assert await reader.asked() == [SECOND]
    assert await reader.asked() == []


async def test_a_position_without_an_order_is_asked_for(reader: Reader) -> None:
    reader.trading.add(FIRST)
    assert await reader.asked() == [FIRST]
    reader.trading.clear()
    assert await reader.asked() == [FIRST]
    assert await reader.asked() == []


async def test_a_trade_that_the_venue_shows_late_is_found(reader: Reader) -> None:
    client_id = reader.order()
    reader.journal.acked(client_id, "1")
    reader.journal.settled(client_id, State.FILLED)
    assert await reader.asked() == [SECOND]
    reader.venue.trades.append(VenueFill("7", 7, client_id, SECOND, START, 100.0, 1.0, 0.0, False))
    reader.now_s += SHOWN_LATE_S / 2
    await reader.held.read()
    assert [fill.trade_id for fill in reader.held.take()] == ["7"]


async def test_what_could_not_be_read_is_asked_for_again(reader: Reader) -> None:
    reader.journal.settled(reader.order(), State.CANCELLED)
    reader.venue.reads.append(OutcomeUnknownError("no answer"))
    with pytest.raises(OutcomeUnknownError):
        await reader.held.read()
    assert await reader.asked() == [SECOND]

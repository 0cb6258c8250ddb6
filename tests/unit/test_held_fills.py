"""Trades that wait for the books: in which order, whatever the venue numbers them by."""

from __future__ import annotations

from pathlib import Path

from fake_venue import START_MS, FakeVenue, VirtualClock, entry, fill_of

from trading_system.services.execution_engine.held_fills import HeldFills
from trading_system.services.execution_engine.journal import Journal


async def test_trades_of_two_symbols_wait_in_the_order_of_their_minutes_though_one_is_numbered_far_higher(
    tmp_path: Path,
) -> None:
    venue, journal = FakeVenue(VirtualClock()), Journal(tmp_path / "journal.db")
    early = fill_of(entry(), 9_000_000)._replace(time=START_MS)
    late = [
        fill_of(entry(), number)._replace(symbol="ETHUSDT", client_id="web", time=START_MS + 120_000 - number)
        for number in (4, 5)
    ]
    venue.trades = [early, *late]
    held = HeldFills(venue, journal, ["ETHUSDT", "BTCUSDT"], set)
    held.recall({})
    await held.read()
    assert [fill.number for fill in held.take_before(START_MS + 60_000)] == [9_000_000]
    assert [fill.number for fill in held.take()] == [4, 5]  # within a symbol the venue's number counts
    journal.close()

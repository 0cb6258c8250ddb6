"""Highs and lows: the swings of the same fold, said with the candles of their step, and the same after a restart."""

from __future__ import annotations

import pytest
from sample_files import market
from sample_line import ORIGIN, TERMS, History, ListeningBus, demo_instruments, feed_of, indicator_of, rows_of

from trading_system.contracts import hl_updated_channel, last_hl_key, to_high_low, to_step
from trading_system.research.detect import detect
from trading_system.services.room import HIGHS_LOWS, Letterbox
from trading_system.store.memory import MemoryStore

INSTRUMENTS = demo_instruments("BTCUSDT")
MINUTES = 600


async def live(store: MemoryStore, bus: ListeningBus, upto: int = MINUTES) -> None:
    letterbox = Letterbox(store, bus)
    room = indicator_of(letterbox, INSTRUMENTS)
    await room.start()
    feed = feed_of(letterbox, INSTRUMENTS, History({"BTCUSDT": market(minutes=MINUTES)}, upto))
    await feed.start()
    await feed.stop()
    await room.stop()
    assert room.failure is None


@pytest.fixture
async def whole() -> tuple[MemoryStore, ListeningBus]:
    store, bus = MemoryStore(), ListeningBus()
    await live(store, bus)
    return store, bus


async def test_the_swings_said_are_those_that_detection_finds_in_the_same_candles(
    whole: tuple[MemoryStore, ListeningBus],
) -> None:
    _, rows = await rows_of(whole[0], HIGHS_LOWS, "BTCUSDT")
    said = [swing["id"] for row in rows for swing in to_step(row.payload)["swings"]]
    walk = market(minutes=MINUTES)
    found = detect(walk, INSTRUMENTS[0], base="1m", signal="5m", higher="1h", overrides=TERMS.overrides)
    assert said == [event.id for event in found if event.kind.startswith("swing_")]
    assert len(said) > 10


async def test_a_step_without_a_swing_rings_but_costs_no_row(whole: tuple[MemoryStore, ListeningBus]) -> None:
    store, bus = whole
    head, rows = await rows_of(store, HIGHS_LOWS, "BTCUSDT")
    rung = [to_step(payload) for channel, payload in bus.rung if channel == hl_updated_channel("BTCUSDT")]
    assert head == ORIGIN + MINUTES
    assert [word["step"] for word in rung] == list(range(ORIGIN + 1, ORIGIN + MINUTES + 1))
    assert [row.step for row in rows] == [word["step"] for word in rung if word["swings"]]
    assert 0 < len(rows) < MINUTES / 5


async def test_a_step_says_its_candles_longest_first(whole: tuple[MemoryStore, ListeningBus]) -> None:
    rung = [to_step(payload) for channel, payload in whole[1].rung if channel == hl_updated_channel("BTCUSDT")]
    intervals = [[candle["interval"] for candle in word["candles"]] for word in rung[:60]]
    assert intervals[0] == ["1m"]
    assert intervals[4] == ["5m", "1m"]
    assert intervals[59] == ["1h", "5m", "1m"]


async def test_the_newest_swing_is_kept_for_whoever_asks(whole: tuple[MemoryStore, ListeningBus]) -> None:
    store, bus = whole
    newest = await bus.newest(last_hl_key("BTCUSDT"))
    _, rows = await rows_of(store, HIGHS_LOWS, "BTCUSDT")
    assert newest is not None
    assert to_high_low(newest) == to_step(rows[-1].payload)["swings"][-1]


@pytest.mark.parametrize("cut", [1, 59, 60, 333])
async def test_a_restart_anywhere_says_the_same(whole: tuple[MemoryStore, ListeningBus], cut: int) -> None:
    store = MemoryStore()
    await live(store, ListeningBus(), cut)
    await live(store, ListeningBus())
    assert await rows_of(store, HIGHS_LOWS, "BTCUSDT") == await rows_of(whole[0], HIGHS_LOWS, "BTCUSDT")

"""The strategy: blocks, flags and signals of the same fold as research, said once, and checked against the swings."""

from __future__ import annotations

from typing import Any

import pytest
from sample_files import market
from sample_line import (
    EXCHANGE,
    ORIGIN,
    TERMS,
    History,
    ListeningBus,
    demo_instruments,
    feed_of,
    indicator_of,
    rows_of,
    strategy_of,
)

from trading_system.contracts import (
    StepDTO,
    hl_updated_channel,
    serialize,
    strategy_step_channel,
    to_signal,
    to_step,
    trade_signal_channel,
)
from trading_system.research.detect import detect
from trading_system.services.room import HIGHS_LOWS, STRATEGY, Letterbox
from trading_system.services.strategy_engine.service import DivergenceError
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream

INSTRUMENTS = demo_instruments("BTCUSDT")
MINUTES = 900
Line = tuple[MemoryStore, ListeningBus]


async def live(store: MemoryStore, bus: ListeningBus, upto: int = MINUTES) -> None:
    letterbox = Letterbox(store, bus)
    rooms = (strategy_of(letterbox, INSTRUMENTS), indicator_of(letterbox, INSTRUMENTS))
    for room in rooms:
        await room.start()
    candles = market(minutes=MINUTES)
    candles["gap"][600:603] = 1
    feed = feed_of(letterbox, INSTRUMENTS, History({"BTCUSDT": candles}, upto))
    await feed.start()
    await feed.stop()
    for room in rooms:
        await room.stop()
        assert room.failure is None


@pytest.fixture
async def whole() -> Line:
    store, bus = MemoryStore(), ListeningBus()
    await live(store, bus)
    return store, bus


async def said_by(line: Line) -> list[StepDTO]:
    _, rows = await rows_of(line[0], STRATEGY, "BTCUSDT")
    return [to_step(row.payload) for row in rows]


async def test_the_events_said_are_those_that_research_finds(whole: Line) -> None:
    candles = market(minutes=MINUTES)
    candles["gap"][600:603] = 1
    found = detect(candles, INSTRUMENTS[0], base="1m", signal="5m", higher="1h", overrides=TERMS.overrides)
    said = [event["id"] for word in await said_by(whole) for event in word["events"]]
    assert said == [event.id for event in found if not event.kind.startswith("swing_")]
    assert len(said) > 20


async def test_every_candidate_is_a_signal_or_a_refusal(whole: Line) -> None:
    words = await said_by(whole)
    candidates = [
        event["kind"]
        for word in words
        for event in word["events"]
        if event["kind"] in ("ob_formed", "flag_breakout") and event["interval"] == "5m"
    ]
    signals = [signal for word in words for signal in word["signals"]]
    refused = [refusal for word in words for refusal in word["refused"]]
    assert len(signals) + len(refused) == len(candidates)
    assert signals
    assert {refusal["rule"] for refusal in refused} >= {"warm_up"}


async def test_each_signal_is_also_rung_alone_after_its_step(whole: Line) -> None:
    store_words = await said_by(whole)
    signals = [signal for word in store_words for signal in word["signals"]]
    channels = [channel for channel, _ in whole[1].rung]
    alone = [to_signal(payload) for channel, payload in whole[1].rung if channel == trade_signal_channel("BTCUSDT")]
    assert alone == signals
    first = channels.index(trade_signal_channel("BTCUSDT"))
    assert channels[first - 1] == strategy_step_channel("BTCUSDT")


async def test_a_quiet_step_rings_but_costs_no_row(whole: Line) -> None:
    store, bus = whole
    head, rows = await rows_of(store, STRATEGY, "BTCUSDT")
    rung = [to_step(payload) for channel, payload in bus.rung if channel == strategy_step_channel("BTCUSDT")]
    assert head == ORIGIN + MINUTES
    # the gap before which no bell rang is read from the store and said as a step as well
    assert [word["step"] for word in rung] == list(range(ORIGIN + 1, ORIGIN + MINUTES + 1))
    assert [word["step"] - ORIGIN for word in rung if word.get("gap")] == [601, 602, 603]
    assert [row.step for row in rows] == [word["step"] for word in rung if "events" in word]


@pytest.mark.parametrize("cut", [1, 299, 300, 602, 777])
async def test_a_restart_anywhere_says_the_same(whole: Line, cut: int) -> None:
    store = MemoryStore()
    await live(store, ListeningBus(), cut)
    await live(store, ListeningBus())
    assert await rows_of(store, STRATEGY, "BTCUSDT") == await rows_of(whole[0], STRATEGY, "BTCUSDT")


async def test_swings_of_another_program_stop_the_room(whole: Line) -> None:
    store, bus = MemoryStore(), ListeningBus()
    room = strategy_of(Letterbox(store, bus), INSTRUMENTS)
    await room.start()
    swing: Any = next(
        to_step(payload)["swings"][0]
        for channel, payload in whole[1].rung
        if channel == hl_updated_channel("BTCUSDT") and to_step(payload)["swings"]
    )
    first = next(to_step(p) for channel, p in whole[1].rung if channel == hl_updated_channel("BTCUSDT"))
    word = serialize({**first, "swings": [swing]})
    await store.append(Stream(HIGHS_LOWS, EXCHANGE, "BTCUSDT"), ORIGIN + 1, [word], after=None)
    await bus.publish(hl_updated_channel("BTCUSDT"), word)
    assert isinstance(room.failure, DivergenceError)
    assert f"BTCUSDT step {ORIGIN + 1}: expected the swings [], was ['{swing['id']}']" in str(room.failure)
    assert await rows_of(store, STRATEGY, "BTCUSDT") == (None, [])

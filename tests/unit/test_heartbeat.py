"""Heartbeats: what the services say of themselves, and that nothing which ails the bus ends a service."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from fake_venue import START_MS, VirtualClock
from sample_desk import Desk
from sample_files import market
from sample_line import (
    ORIGIN,
    History,
    ListeningBus,
    Socket,
    candle_event,
    demo_instruments,
    feed_of,
    indicator_of,
    until,
)
from sample_trades import plan_at

from trading_system.contracts import SYSTEM_HEALTH, HealthDTO, from_ms, health_key, to_health
from trading_system.redaction import PROCESS
from trading_system.secret import Secret
from trading_system.services import room as room_skeleton
from trading_system.services.execution_engine.journal import State
from trading_system.services.heartbeat import KEPT_S, Heartbeat
from trading_system.services.room import Letterbox, Wave
from trading_system.services.vital_signs import Vitals
from trading_system.store.errors import StoreAwayError
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream
from trading_system.venues.market_errors import MarketAwayError


class Worker:
    """A service that is as a test says."""

    name = "strategy_engine"

    def __init__(self) -> None:
        self.step: int | None = None
        self.failure: Exception | None = None

    def health(self) -> Vitals:
        return Vitals(self.step, {"behind": 0}, "next_step")


def said(bus: ListeningBus) -> list[HealthDTO]:
    return [to_health(payload) for channel, payload in bus.rung if channel == SYSTEM_HEALTH]


async def test_a_heartbeat_is_rung_and_kept_with_the_seconds_for_which_the_step_stood_still() -> None:
    clock, bus, worker = VirtualClock(), ListeningBus(), Worker()
    beating = Heartbeat(bus, [worker], clock.wall_ms)
    await beating.beat()
    for step, seconds in ((7, 3.0), (7, 5.0), (8, 1.0)):
        worker.step = step
        await clock.sleep(seconds)
        await beating.beat()
    assert [(word.get("step"), word["progress"]["stood_s"]) for word in said(bus)] == [
        (None, 0.0),
        (7, 0.0),
        (7, 5.0),
        (8, 0.0),
    ]
    kept = await bus.newest(health_key("strategy_engine"))
    assert kept is not None
    assert to_health(kept) == said(bus)[-1]
    assert said(bus)[-1] == {
        "service": "strategy_engine",
        "status": "ok",
        "time": from_ms(START_MS + 9_000),
        "step": 8,
        "progress": {"behind": 0, "stood_s": 0.0},
        "detail": "next_step",
    }


async def test_what_the_bus_drops_or_refuses_is_said_by_one_service_of_the_process_with_what_it_refused_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, bus, first = VirtualClock(), ListeningBus(), Worker()
    second = Worker()
    monkeypatch.setattr(first, "health", lambda: Vitals(None, {"bad_bells": 2}, "next_step"))
    beating = Heartbeat(bus, [first, second], clock.wall_ms)
    bus._counts.update(too_large=3, overflowed=10, refused=100, cuts=1_000)
    await beating.beat()
    assert [word["progress"].get("bad_bells") for word in said(bus)] == [115, None]


async def test_it_beats_every_few_seconds_until_it_is_stopped() -> None:
    clock, bus = VirtualClock(), ListeningBus()
    beating = Heartbeat(bus, [Worker()], clock.wall_ms, every_s=4.0, sleep=clock.sleep)
    await beating.start()
    await until(lambda: len(said(bus)) >= 4)
    await beating.stop()
    await beating.stop()
    count = len(said(bus))
    assert [word["time"] for word in said(bus)[:3]] == [from_ms(START_MS + n * 4_000) for n in range(3)]
    assert set(clock.sleeps) == {4.0}
    await asyncio.sleep(0)
    assert len(said(bus)) == count


async def test_a_failure_is_told_in_one_line_without_secrets() -> None:
    clock, bus, worker = VirtualClock(), ListeningBus(), Worker()
    PROCESS.hide([Secret("a-very-secret-word")])
    worker.failure = ValueError("refused by\n a-very-secret-word " + "x" * 400)
    await Heartbeat(bus, [worker], clock.wall_ms).beat()
    (word,) = said(bus)
    assert word["status"] == "failed"
    assert word["detail"].startswith("ValueError: refused by *** xxx")
    assert len(word["detail"]) == 300


async def test_a_bus_that_is_away_costs_heartbeats_only_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, worker = VirtualClock(), Worker()

    class Absent(ListeningBus):
        async def put_newest(self, key: str, order: int, payload: bytes, ttl_s: float) -> None:
            assert ttl_s == KEPT_S
            if self.away:
                raise OSError("nobody there")
            await super().put_newest(key, order, payload, ttl_s)

        away = True

    bus = Absent()
    beating = Heartbeat(bus, [worker], clock.wall_ms)
    with caplog.at_level(logging.WARNING):
        await beating.beat()
        await beating.beat()
    assert len(caplog.records) == 1
    bus.away = False
    await beating.beat()
    assert len(said(bus)) == 1


async def test_a_room_tells_its_step_by_how_much_it_is_behind_and_that_the_store_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_: Stream) -> int | None:
        raise StoreAwayError("the store is away")

    instruments = demo_instruments("BTCUSDT")
    store, bus = MemoryStore(), ListeningBus(leaves_process=True)
    history = History({"BTCUSDT": market("BTCUSDT", 90)})
    feed = feed_of(Letterbox(store, bus), instruments, history)
    room = indicator_of(Letterbox(store, bus), instruments)
    assert room.health() == Vitals(None, {}, "first_step", "waiting")
    await room.start()
    assert room.health().status == "waiting"
    bus.hears = lambda _: False
    await feed.start()
    assert room.health().step is None
    seen = []
    handle = room.handle
    monkeypatch.setattr(room_skeleton, "STRETCH", 10)  # steps that are handled together

    async def looked_at(wave: Wave) -> None:
        seen.append(room.health())
        await handle(wave)

    room.handle = looked_at  # type: ignore[method-assign, assignment]
    await room.catch_up()
    assert seen[1] == Vitals(ORIGIN + 10, {"behind": 80, "bad_bells": 0}, "next_step", "behind")
    assert room.health() == Vitals(ORIGIN + 90, {"behind": 0, "bad_bells": 0}, "next_step", "ok")
    with monkeypatch.context() as patched:
        patched.setattr(store, "head", away)
        with pytest.raises(StoreAwayError):
            await room.catch_up()
    assert (room.health().waits_for, room.health().status) == ("store", "waiting")
    await room.catch_up()
    assert room.health().status == "ok"
    await room.stop()
    await feed.stop()


async def test_the_feed_says_which_of_the_exchange_s_doors_it_waits_for() -> None:
    candles = {"BTCUSDT": market("BTCUSDT", 30)}
    history, socket = History(candles, upto=20), Socket()
    feed = feed_of(Letterbox(MemoryStore(), ListeningBus()), demo_instruments("BTCUSDT"), history, socket)
    assert (feed.health().waits_for, feed.health().step) == ("history", None)
    await feed.start()
    assert (feed.health().waits_for, feed.health().status, feed.health().step) == ("socket", "waiting", ORIGIN + 20)
    socket.say(("subscribed", 1))
    await until(lambda: feed.health().waits_for == "next_minute")
    assert feed.health().status == "ok"
    for _ in range(10):  # its question after what was missed is answered
        await asyncio.sleep(0)
    history.failures = [MarketAwayError("http://x", "nothing")]
    socket.say(("cut", "reset by peer"), ("subscribed", 1))
    await until(lambda: feed.health().waits_for == "history")
    assert feed.health().progress["cut"] == 1
    socket.say(("subscribed", 1), candle_event("BTCUSDT", candles["BTCUSDT"][20]))
    await until(lambda: feed.health().step == ORIGIN + 21 and feed.health().waits_for == "next_minute")
    assert feed.health().status == "ok"
    socket.say(("cut", "reset by peer"))
    await until(lambda: feed.health().waits_for == "socket")
    await feed.stop()


async def test_a_position_that_was_born_with_its_stop_is_bare_only_once_that_stop_has_ended(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.record = desk.record._replace(born_protected=True)
    await desk.live()
    await desk.minute(101.0, plans=[plan_at((desk.step + 1) * 60_000)])
    await desk.fill("e", 100.0)
    stop = next(order for order in desk.journal.live("BTCUSDT") if order.name == "s")
    desk.journal.unknown_outcome(stop.client_id, "cut")
    assert desk.execution.health().progress["unprotected"] == ""
    desk.journal.settled(stop.client_id, State.CANCELLED)
    assert desk.execution.health().progress["unprotected"] == "BTCUSDT"
    await desk.die()


async def test_execution_names_the_position_whose_stop_does_not_rest_at_the_venue(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    assert desk.execution.health().waits_for == "first_step"
    await desk.minute(101.0, plans=[plan_at((desk.step + 1) * 60_000)])
    vitals = desk.execution.health()
    assert (vitals.step, vitals.waits_for, vitals.status) == (desk.step, "next_step", "ok")
    numbers = {"behind": 0, "bad_bells": 0, "in_flight": 0, "unknown": 0}
    assert vitals.progress == {**numbers, "unprotected": "", "awaits": "", "unseen": ""}
    await desk.fill("e", 100.0)
    assert desk.execution.health().progress["unprotected"] == ""
    stop = next(order for order in desk.journal.live("BTCUSDT") if order.name == "s")
    desk.journal.unknown_outcome(stop.client_id, "cut")
    vitals = desk.execution.health()
    assert (vitals.progress["unprotected"], vitals.progress["unknown"]) == ("BTCUSDT", 1)
    assert (vitals.status, vitals.waits_for) == ("waiting", "venue")
    await desk.die()

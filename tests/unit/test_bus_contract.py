from __future__ import annotations

import asyncio
import logging

import bus_suite
import pytest

from trading_system.bus import Bus
from trading_system.bus.memory import MemoryBus, MemorySubscription


@pytest.mark.parametrize("make", [MemoryBus])
@pytest.mark.parametrize("rule", bus_suite.RULES, ids=lambda rule: rule.__name__)
async def test_every_bus_keeps_the_contract(make: bus_suite.MakeBus, rule: bus_suite.Rule) -> None:
    await rule(make)


def test_the_suite_misses_no_rule_that_is_written_in_it() -> None:
    written = {name for name, item in vars(bus_suite).items() if callable(item) and name.islower()}
    assert written == {rule.__name__ for rule in bus_suite.RULES}


def test_the_bus_of_one_process_does_not_leave_it() -> None:
    bus: Bus = MemoryBus()
    assert bus.leaves_process is False


async def test_publishing_returns_when_every_listener_is_done_in_order_of_subscription() -> None:
    bus = MemoryBus()
    done: list[str] = []

    async def slow(payload: bytes) -> None:
        await asyncio.sleep(0)
        done.append("slow")

    async def quick(payload: bytes) -> None:
        done.append("quick")

    await bus.subscribe("c", slow)
    await bus.subscribe("c", quick)
    await bus.publish("c", b"x")
    assert done == ["slow", "quick"]


async def test_a_listener_error_is_logged_with_its_channel(caplog: pytest.LogCaptureFixture) -> None:
    bus = MemoryBus()

    async def failing(payload: bytes) -> None:
        raise RuntimeError("no room")

    await bus.subscribe("BTCUSDT_Close_Candle", failing)
    with caplog.at_level(logging.ERROR):
        await bus.publish("BTCUSDT_Close_Candle", b"x")
    assert "BTCUSDT_Close_Candle" in caplog.text
    assert "no room" in caplog.text


async def test_a_cancelled_task_is_not_taken_for_a_failing_listener() -> None:
    bus = MemoryBus()

    async def cancelled(payload: bytes) -> None:
        raise asyncio.CancelledError

    await bus.subscribe("c", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await bus.publish("c", b"x")


async def test_a_listener_cancelled_by_an_earlier_one_does_not_hear_the_message_any_more() -> None:
    bus = MemoryBus()
    heard: list[bytes] = []
    places: list[MemorySubscription] = []

    async def cancelling(payload: bytes) -> None:
        await places[0].cancel()

    async def late(payload: bytes) -> None:
        heard.append(payload)

    await bus.subscribe("c", cancelling)
    places.append(await bus.subscribe("c", late))
    await bus.publish("c", b"x")
    assert heard == []


async def test_a_listener_that_joins_during_a_message_hears_the_next_one() -> None:
    bus = MemoryBus()
    heard: list[bytes] = []

    async def late(payload: bytes) -> None:
        heard.append(payload)

    async def inviting(payload: bytes) -> None:
        if payload == b"1":
            await bus.subscribe("c", late)

    await bus.subscribe("c", inviting)
    await bus.publish("c", b"1")
    await bus.publish("c", b"2")
    assert heard == [b"2"]


async def test_a_fact_is_forgotten_when_its_time_is_over_and_an_older_one_may_then_be_kept() -> None:
    now = [0.0]
    bus = MemoryBus(monotonic=lambda: now[0])
    await bus.put_newest("k", 5, b"five", 10.0)
    now[0] = 9.999
    assert await bus.newest("k") == b"five"
    now[0] = 10.0
    assert await bus.newest("k") is None
    await bus.put_newest("k", 4, b"four", 10.0)
    assert await bus.newest("k") == b"four"

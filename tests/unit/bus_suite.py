"""What every bus keeps, as checks that take a maker of buses; ``RULES`` holds them all.

A bus between processes delivers later than ``publish`` returns, so the checks wait for what must come, and prove that
something does not come by the message behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import pytest

from trading_system.bus import Bus, BusClosedError

MakeBus = Callable[[], Bus]
LONGEST_WAIT_S = 5.0


class Ear:
    """A listener that remembers what it heard and can be waited for."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._changed = asyncio.Condition()

    async def __call__(self, payload: bytes) -> None:
        async with self._changed:
            self.heard.append(payload)
            self._changed.notify_all()

    async def hears(self, *payloads: bytes) -> None:
        async with asyncio.timeout(LONGEST_WAIT_S), self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= len(payloads))
        assert self.heard == list(payloads)


async def every_listener_of_a_channel_hears_every_message_in_order(make: MakeBus) -> None:
    bus = make()
    one, two = Ear(), Ear()
    await bus.subscribe("BTCUSDT_Close_Candle", one)
    await bus.subscribe("BTCUSDT_Close_Candle", two)
    messages = [b"%d" % n for n in range(50)]
    for message in messages:
        await bus.publish("BTCUSDT_Close_Candle", message)
    await one.hears(*messages)
    await two.hears(*messages)
    await bus.close()


async def one_listener_hears_several_channels_in_the_order_of_their_bells(make: MakeBus) -> None:
    bus = make()
    both, ear = Ear(), Ear()

    async def hear(messages: Sequence[tuple[str, bytes]]) -> None:
        for channel, payload in messages:
            await both(channel.encode() + payload)

    place = await bus.subscribe_many(["A", "B"], hear)
    await bus.subscribe("end", ear)
    await bus.publish_many([("A", b"1"), ("C", b"no one's"), ("A", b"2")])
    await both.hears(b"A1", b"A2")
    await place.cancel()
    await bus.publish_many([("B", b"3"), ("end", b"x")])
    await ear.hears(b"x")
    await both.hears(b"A1", b"A2")
    await bus.close()


async def a_listener_hears_its_own_channel_only(make: MakeBus) -> None:
    bus = make()
    ear = Ear()
    await bus.subscribe("BTCUSDT_Close_Candle", ear)
    await bus.publish("ETHUSDT_Close_Candle", b"other symbol")
    await bus.publish("BTCUSDT_HL_Updated", b"other news")
    await bus.publish("BTCUSDT_Close_Candle", b"mine")
    await ear.hears(b"mine")
    await bus.close()


async def a_message_without_listeners_is_no_error(make: MakeBus) -> None:
    bus = make()
    await bus.publish("BTCUSDT_Close_Candle", b"nobody")
    ear = Ear()
    await bus.subscribe("BTCUSDT_Close_Candle", ear)
    await bus.publish("BTCUSDT_Close_Candle", b"now")
    await ear.hears(b"now")
    await bus.close()


async def a_channel_with_a_listener_is_heard(make: MakeBus) -> None:
    bus = make()
    subscription = await bus.subscribe("c", Ear())
    assert bus.is_heard("c")
    await subscription.cancel()
    assert bus.is_heard("c") is bus.leaves_process  # others may listen, of whom nobody here can know
    await bus.close()


async def an_error_in_one_listener_stops_no_other_and_no_later_message(make: MakeBus) -> None:
    bus = make()
    before, after = Ear(), Ear()
    failures: list[bytes] = []

    async def failing(payload: bytes) -> None:
        failures.append(payload)
        raise RuntimeError("this listener always fails")

    logging.getLogger("trading_system.bus").setLevel(logging.CRITICAL)
    try:
        await bus.subscribe("c", before)
        await bus.subscribe("c", failing)
        await bus.subscribe("c", after)
        await bus.publish("c", b"1")
        await bus.publish("c", b"2")
        await before.hears(b"1", b"2")
        await after.hears(b"1", b"2")
    finally:
        logging.getLogger("trading_system.bus").setLevel(logging.NOTSET)
    assert failures == [b"1", b"2"]
    await bus.close()


async def a_cancelled_subscription_hears_nothing_more(make: MakeBus) -> None:
    bus = make()
    gone, stays = Ear(), Ear()
    subscription = await bus.subscribe("c", gone)
    await bus.subscribe("c", stays)
    await bus.publish("c", b"1")
    await gone.hears(b"1")
    await subscription.cancel()
    await subscription.cancel()
    await bus.publish("c", b"2")
    await stays.hears(b"1", b"2")
    assert gone.heard == [b"1"]
    await bus.close()


async def a_listener_may_publish_and_subscribe(make: MakeBus) -> None:
    bus = make()
    end = Ear()

    async def passing_on(payload: bytes) -> None:
        await bus.publish("second", payload + b" passed on")

    await bus.subscribe("first", passing_on)
    await bus.subscribe("second", end)
    await bus.publish("first", b"x")
    await end.hears(b"x passed on")
    await bus.close()


async def the_newest_fact_is_kept_and_an_older_one_never_replaces_it(make: MakeBus) -> None:
    bus = make()
    assert await bus.newest("BTCUSDT_Last_Candle") is None
    await bus.put_newest("BTCUSDT_Last_Candle", 9, b"nine", 60)
    await bus.put_newest("BTCUSDT_Last_Candle", 8, b"eight", 60)
    assert await bus.newest("BTCUSDT_Last_Candle") == b"nine"
    await bus.put_newest("BTCUSDT_Last_Candle", 9, b"nine again", 60)
    assert await bus.newest("BTCUSDT_Last_Candle") == b"nine again"
    await bus.put_newest("BTCUSDT_Last_Candle", 10, b"ten", 60)
    assert await bus.newest("BTCUSDT_Last_Candle") == b"ten"
    assert await bus.newest("ETHUSDT_Last_Candle") is None
    await bus.close()


async def an_empty_payload_says_that_there_is_no_such_fact_now(make: MakeBus) -> None:
    bus = make()
    await bus.put_newest("BTCUSDT_Position", 3, b"held", 60)
    await bus.put_newest("BTCUSDT_Position", 4, b"", 60)
    assert await bus.newest("BTCUSDT_Position") is None
    await bus.put_newest("BTCUSDT_Position", 3, b"held", 60)
    assert await bus.newest("BTCUSDT_Position") is None
    await bus.put_newest("BTCUSDT_Position", 5, b"held again", 60)
    assert await bus.newest("BTCUSDT_Position") == b"held again"
    await bus.close()


async def a_fact_that_may_live_for_no_time_is_refused(make: MakeBus) -> None:
    bus = make()
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="expected seconds above 0"):
            await bus.put_newest("k", 1, b"x", seconds)
    assert await bus.newest("k") is None
    await bus.close()


async def a_closed_bus_says_so(make: MakeBus) -> None:
    bus = make()
    ear = Ear()
    subscription = await bus.subscribe("c", ear)
    await bus.close()
    await bus.close()
    await subscription.cancel()
    with pytest.raises(BusClosedError, match="open another"):
        await bus.publish("c", b"x")
    with pytest.raises(BusClosedError):
        await bus.subscribe("c", ear)
    with pytest.raises(BusClosedError):
        await bus.newest("k")
    assert ear.heard == []


Rule = Callable[[MakeBus], Awaitable[None]]
RULES: tuple[Rule, ...] = (
    every_listener_of_a_channel_hears_every_message_in_order,
    one_listener_hears_several_channels_in_the_order_of_their_bells,
    a_listener_hears_its_own_channel_only,
    a_message_without_listeners_is_no_error,
    a_channel_with_a_listener_is_heard,
    an_error_in_one_listener_stops_no_other_and_no_later_message,
    a_cancelled_subscription_hears_nothing_more,
    a_listener_may_publish_and_subscribe,
    the_newest_fact_is_kept_and_an_older_one_never_replaces_it,
    an_empty_payload_says_that_there_is_no_such_fact_now,
    a_fact_that_may_live_for_no_time_is_refused,
    a_closed_bus_says_so,
)

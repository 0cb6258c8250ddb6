"""Rooms that meet on a real Redis server: what strangers say there moves nothing, and the cache is plain keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from bus_suite import Ear
from redis_server import RedisServer
from sample_line import EXCHANGE, ORIGIN, demo_instruments, indicator_of, strategy_of

from trading_system.bus.redis import RedisBus
from trading_system.contracts import candle_close_channel, hl_updated_channel, serialize, to_candle
from trading_system.rules.records import CANDLE
from trading_system.rules.words import candle_dto
from trading_system.services.indicator_engine.service import IndicatorEngine
from trading_system.services.room import CANDLES, Letterbox
from trading_system.services.strategy_engine.service import StrategyEngine
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream

SYMBOL = "BTCUSDT"
INSTRUMENTS = demo_instruments(SYMBOL)
PATIENCE_S = 20.0
LARGEST_QUERY = 3_000_000


class Party:
    """Two rooms and a producer that share a store and meet on the server."""

    def __init__(self, url: str) -> None:
        self.buses = [RedisBus(url, deadline_s=0.5, beat_s=0.2, pauses_s=(0.01, 0.1)) for _ in range(3)]
        self.store = MemoryStore()
        producer, one, two = (Letterbox(self.store, bus) for bus in self.buses)
        self.producer = producer
        self.indicator: IndicatorEngine = indicator_of(one, INSTRUMENTS)
        self.strategy: StrategyEngine = strategy_of(two, INSTRUMENTS)
        self.step = ORIGIN

    async def start(self) -> None:
        await self.strategy.start()
        await self.indicator.start()

    async def stop(self) -> None:
        await self.strategy.stop()
        await self.indicator.stop()
        for bus in self.buses:
            await bus.close()

    async def minute(self) -> None:
        """Store a closed minute and ring it."""
        after, self.step = self.step, self.step + 1
        payload = minute_of(self.step)
        head = None if after == ORIGIN else after
        bells = [(candle_close_channel(SYMBOL), payload)]
        await self.producer.post(Stream(CANDLES, EXCHANGE, SYMBOL), self.step, [payload], after=head, bells=bells)

    async def heads(self) -> tuple[int | None, int | None]:
        streams = (self.indicator.output(SYMBOL), self.strategy.output(SYMBOL))
        return (await self.store.head(streams[0]), await self.store.head(streams[1]))

    async def arrive(self) -> None:
        """Wait until both rooms have handled all that is stored."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.heads() != (self.step, self.step):  # noqa: ASYNC110  heads have no event
                await asyncio.sleep(0.01)

    async def arrive_in_spite_of_losses(self) -> None:
        """Wait likewise, and read the store now and then as the line does."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.heads() != (self.step, self.step):
                for room in (self.indicator, self.strategy):
                    await room.catch_up()
                await asyncio.sleep(0.02)


def minute_of(step: int) -> bytes:
    record = np.zeros(1, CANDLE)
    record[0] = ((step - 1) * 60_000, 100.0, 101.0, 99.0, 100.5, 1.0, 0)
    return serialize(candle_dto(record[0], EXCHANGE, SYMBOL, 60_000))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  counts have no event
            await asyncio.sleep(0.005)


@pytest.fixture
async def party(redis_server: RedisServer) -> AsyncIterator[Party]:
    made = Party(redis_server.url)
    await made.start()
    yield made
    await made.stop()


async def test_rooms_meet_on_the_server_and_what_they_keep_is_json_under_plain_keys(
    party: Party, redis_server: RedisServer
) -> None:
    for _ in range(5):
        await party.minute()
        await party.arrive()
    feed_bus = party.producer.bus
    await feed_bus.put_newest("BTCUSDT_Last_Candle", party.step, minute_of(party.step), 600)
    assert await feed_bus.newest("BTCUSDT_Last_Candle") is not None
    said = await asyncio.to_thread(redis_server.cli, "GET", "BTCUSDT_Last_Candle")
    assert json.loads(said)["close"] == 100.5
    assert to_candle(said)["symbol"] == SYMBOL


async def test_strangers_move_nothing(party: Party, redis_server: RedisServer) -> None:
    await party.minute()
    await party.arrive()
    stranger = RedisBus(redis_server.url)
    ahead = minute_of(party.step + 5_000)
    step = {"exchange": EXCHANGE, "symbol": SYMBOL, "step": party.step + 1, "candles": [], "gap": True}
    for channel, payload in (
        (candle_close_channel(SYMBOL), b"[" * 500_000),
        (candle_close_channel(SYMBOL), b"{}"),
        (candle_close_channel(SYMBOL), b"\xff\x00"),
        (candle_close_channel(SYMBOL), ahead),
        (candle_close_channel(SYMBOL), minute_of(party.step + 1)),
        (hl_updated_channel(SYMBOL), b'{"step":' * 100_000),
        (hl_updated_channel(SYMBOL), serialize(step)),
    ):
        await stranger.publish(channel, payload)
    script = "redis.call('PUBLISH', ARGV[1], string.rep('x', ARGV[2]))"
    words = ("EVAL", script, "0", candle_close_channel(SYMBOL), str(LARGEST_QUERY))
    await asyncio.to_thread(redis_server.cli, *words)
    await until(lambda: party.indicator.counts["bad_bells"] == 3 and party.strategy.counts["bad_bells"] == 1)
    await until(lambda: party.buses[1].counts["too_large"] == 1)
    assert await party.heads() == (party.step, party.step)
    assert [room.failure for room in (party.indicator, party.strategy)] == [None, None]
    assert [bus.counts["failed"] for bus in party.buses] == [0, 0, 0]
    await party.minute()
    await party.arrive()
    await stranger.close()


async def test_a_server_that_is_killed_between_two_minutes_costs_time_and_no_step(
    party: Party, redis_server: RedisServer
) -> None:
    await party.minute()
    await party.arrive()
    redis_server.kill()
    for _ in range(20):
        await party.minute()
    await asyncio.to_thread(redis_server.start)
    await party.arrive_in_spite_of_losses()
    ear = Ear()
    await party.producer.bus.subscribe(candle_close_channel(SYMBOL), ear)
    await asyncio.to_thread(redis_server.cli, "CLIENT", "KILL", "TYPE", "pubsub")
    for _ in range(5):
        await party.minute()
        await party.arrive_in_spite_of_losses()
    assert await party.heads() == (ORIGIN + 26, ORIGIN + 26)

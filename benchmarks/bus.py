"""How fast the bus is: from a ring to whoever hears it, and how many rings a second, in memory and over Redis.

A Redis server is started for it (Debian's redis-server); plain redis-py, one awaited PUBLISH after the other, stands
beside it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from measure.figures import Figure
from results import report

from trading_system.bus import Bus
from trading_system.bus.memory import MemoryBus
from trading_system.bus.redis import RedisBus

sys.path.append(str(Path(__file__).parents[1] / "tests" / "servers"))
from redis_server import RedisServer

RUNS = 5
SINGLE = 1_000
BURST = 4_000  # as many as may wait while the server is slow
CHANNEL = "BTCUSDT_Close_Candle"
PAYLOAD = (
    b'{"symbol":"BTCUSDT","open_time":"2024-05-01T00:00:00Z","open":1.0,"high":2.0,"low":1.0,"close":1.5}' + b" " * 100
)

Ring = Callable[[bytes], Awaitable[Any]]


class Ear:
    """Counts what it hears and says when it was enough."""

    def __init__(self) -> None:
        self.heard = 0
        self._wanted = 0
        self._enough = asyncio.Event()

    async def __call__(self, payload: bytes) -> None:
        del payload
        self.heard += 1
        if self.heard >= self._wanted:
            self._enough.set()

    def want(self, more: int) -> None:
        self._wanted = self.heard + more
        self._enough.clear()

    async def enough(self) -> None:
        await self._enough.wait()


async def one_by_one(ring: Ring, ear: Ear) -> float:
    """Return the median time in microseconds from a ring to its being heard, one at a time."""
    spent = []
    for _ in range(SINGLE):
        ear.want(1)
        began = time.perf_counter()
        await ring(PAYLOAD)
        await ear.enough()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e6


async def in_a_burst(ring: Ring, ear: Ear) -> float:
    """Return thousands of messages heard a second when they are rung as fast as possible."""
    ear.want(BURST)
    began = time.perf_counter()
    for _ in range(BURST):
        await ring(PAYLOAD)
    await ear.enough()
    return BURST / (time.perf_counter() - began) / 1e3


async def returning(ring: Ring, ear: Ear) -> float:
    """Return the median time in microseconds for which a ring holds up its caller."""
    spent = []
    ear.want(SINGLE)
    for _ in range(SINGLE):
        began = time.perf_counter()
        await ring(PAYLOAD)
        spent.append(time.perf_counter() - began)
    await ear.enough()
    return statistics.median(spent) * 1e6


async def measured(name: str, ring: Ring, ear: Ear) -> list[Figure]:
    works = (
        ("ring to heard", "us", one_by_one),
        ("the caller waits", "us", returning),
        ("burst", "1000 msg/s", in_a_burst),
    )
    return [Figure(f"{name}: {work}", unit, [await call(ring, ear) for _ in range(RUNS)]) for work, unit, call in works]


async def of_bus(name: str, bus: Bus) -> list[Figure]:
    ear = Ear()
    await bus.subscribe(CHANNEL, ear)
    figures = await measured(name, lambda payload: bus.publish(CHANNEL, payload), ear)
    await bus.close()
    return figures


async def of_plain(url: str) -> list[Figure]:
    """Measure redis-py as its manual shows it: a client that publishes, a PubSub that listens."""
    from redis.asyncio import Redis

    client, listener, ear = Redis.from_url(url), Redis.from_url(url), Ear()
    heard = listener.pubsub(ignore_subscribe_messages=True)
    await heard.subscribe(CHANNEL)

    async def listen() -> None:
        async for message in heard.listen():
            await ear(message["data"])

    task = asyncio.create_task(listen())
    figures = await measured("plain redis-py", lambda payload: client.publish(CHANNEL, payload), ear)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await heard.aclose()
    await client.aclose()
    await listener.aclose()
    return figures


async def cached(name: str, bus: Bus) -> list[Figure]:
    """Measure the cache: a fact kept and read back, one at a time."""
    values = []
    for run in range(RUNS):
        spent = []
        for n in range(SINGLE):
            began = time.perf_counter()
            await bus.put_newest("BTCUSDT_Last_Candle", run * SINGLE + n, PAYLOAD, 60.0)
            await bus.newest("BTCUSDT_Last_Candle")
            spent.append(time.perf_counter() - began)
        values.append(statistics.median(spent) * 1e6)
    await bus.close()
    return [Figure(f"{name}: kept and read back", "us", values)]


async def measure(url: str) -> list[Figure]:
    return [
        *await of_bus("memory", MemoryBus()),
        *await cached("memory", MemoryBus()),
        *await of_bus("redis", RedisBus(url)),
        *await cached("redis", RedisBus(url)),
        *await of_plain(url),
    ]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            figures = asyncio.run(measure(server.url))
        finally:
            server.stop()
    report(f"The bus, messages of {len(PAYLOAD)} bytes, publisher and listener in one process", figures)


if __name__ == "__main__":
    main()

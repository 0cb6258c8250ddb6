"""How long a committed step takes in each store, and what the MongoDB driver takes for one bare insert beside it.

FerretDB stands in for MongoDB: its reads scan whole collections, so only small collections are measured, and no speed
of MongoDB is claimed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from measure.figures import Figure
from pymongo import AsyncMongoClient
from results import report

from trading_system.store import Store, Stream
from trading_system.store.memory import MemoryStore
from trading_system.store.mongo import MongoStore
from trading_system.store.sqlite import SqliteStore

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "servers"))
from mongo_server import running

STEPS = 300
RUNS = 3
STREAMS = [Stream(kind, "binance_usdm", "BTCUSDT") for kind in ("one", "two", "three", "execution")]
PAYLOAD = b'{"exchange":"binance_usdm","symbol":"BTCUSDT","close":101.5,"filling":"' + b"x" * 320 + b'"}'


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        numbers = iter(range(1_000))

        def sqlite() -> Store:
            return SqliteStore(Path(folder, f"{next(numbers)}.db"))

        makers: dict[str, Callable[[], Store]] = {
            "memory": MemoryStore,
            "sqlite": sqlite,
            "mongo (FerretDB)": lambda: MongoStore(server.url()),
        }
        figures = []
        for name, make in makers.items():
            for work, step in (("one stream", one_stream), ("four streams, a document", whole_step)):
                values = [asyncio.run(ms_a_step(make, step)) for _ in range(RUNS)]
                figures.append(Figure(f"{name}: {work}", "ms/commit", values))
        bare = [asyncio.run(bare_insert(server.url())) for _ in range(RUNS)]
        figures.append(Figure("the driver alone: one insert", "ms/insert", bare))
    report(f"A committed step, {STEPS} in a row", figures)


async def ms_a_step(make: Callable[[], Store], step: Callable[[Store, int], Awaitable[None]]) -> float:
    """Return what a committed step takes in ms, the first one left out: it makes the tables."""
    store = make()
    try:
        await step(store, 1)
        began = time.perf_counter()
        for number in range(2, STEPS + 2):
            await step(store, number)
        return (time.perf_counter() - began) / STEPS * 1e3
    finally:
        await store.close()


async def one_stream(store: Store, step: int) -> None:
    """A service's step: its row, its head."""
    await store.append(STREAMS[0], step, [PAYLOAD], after=step - 1 if step > 1 else None)
    await store.commit()


async def whole_step(store: Store, step: int) -> None:
    """A step of all services in one process, with the account's snapshot."""
    for stream in STREAMS:
        await store.append(stream, step, [PAYLOAD], after=step - 1 if step > 1 else None)
    await store.put_document("snapshot", "account", step, PAYLOAD)
    await store.commit()


async def bare_insert(url: str) -> float:
    """Return what the driver takes in ms to insert one document."""
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(url, w="majority", journal=True)
    collection = client.get_default_database()["bare"]
    try:
        await collection.insert_one({"_id": 1, "payload": PAYLOAD.decode()})
        began = time.perf_counter()
        for number in range(2, STEPS + 2):
            await collection.insert_one({"_id": number, "payload": PAYLOAD.decode()})
        return (time.perf_counter() - began) / STEPS * 1e3
    finally:
        await client.close()


if __name__ == "__main__":
    main()

"""Whether the servers that the settings name answer now; nothing is written there."""

from __future__ import annotations

import asyncio

from trading_system.bus.errors import BusServerError
from trading_system.database import DatabaseUrlError
from trading_system.store.errors import StoreError

DEADLINE_S = 2.0


def trouble_of_store(url: str) -> str:
    """Return one sentence on why the MongoDB server at ``url`` cannot be used, empty when it answers."""
    from trading_system.store.mongo_server import MongoServer, split_mode  # noqa: PLC0415  the driver is an extra

    async def ask() -> None:
        server = MongoServer(split_mode(url)[0], deadline_s=DEADLINE_S)
        try:
            await server.names()
        finally:
            await server.close()

    try:
        asyncio.run(ask())
    except StoreError as error:
        return str(error)
    return ""


def trouble_of_bus(url: str) -> str:
    """Return one sentence on why the Redis server at ``url`` cannot be used, empty when it answers."""
    try:
        from trading_system.bus.redis import RedisBus  # noqa: PLC0415  the library is an extra
    except ImportError as error:
        return str(DatabaseUrlError("BUS_URL", "the redis library (pip install 'trading-system[redis]')", str(error)))

    async def ask() -> None:
        bus = RedisBus(url, deadline_s=DEADLINE_S)
        try:
            await bus.newest("System_Health")
        finally:
            await bus.close()

    try:
        asyncio.run(ask())
    except (BusServerError, ValueError) as error:
        return str(error)
    return ""

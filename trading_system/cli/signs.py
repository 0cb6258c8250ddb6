"""The services' newest heartbeats and facts, as the commands that show them ask for them."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from trading_system.cli.said import say

if TYPE_CHECKING:
    from trading_system.contracts import HealthDTO
    from trading_system.research.line_rows import Market
    from trading_system.research.line_view import LineView
    from trading_system.settings import Settings


def services_now(settings: "Settings") -> list[dict[str, Any]]:
    """Return a row for each service; none where all services share one process. A bus that is away is said."""
    from trading_system.bus.errors import BusServerError
    from trading_system.research.service_rows import service_rows
    from trading_system.terms import limits_of

    if settings.bus_url.startswith("memory:"):
        return []
    try:
        signs = signs_now(settings)
    except BusServerError as error:
        say(str(error))
        return []
    return service_rows(signs, time.time_ns() // 1_000_000, limits_of(settings))


def signs_now(settings: "Settings") -> "dict[str, HealthDTO]":
    """Return the newest heartbeat of each service that has one. Raises: BusServerError, DatabaseUrlError."""
    from trading_system.database import open_bus
    from trading_system.services.heartbeat import heartbeats

    async def asked() -> "dict[str, HealthDTO]":
        bus = open_bus(settings.bus_url)
        try:
            return await heartbeats(bus)
        finally:
            await bus.close()

    return asyncio.run(asked())


def newest_now(view: "LineView", settings: "Settings", bus_url: str, database_url: str) -> "Market":
    """Return a line's newest prices, order blocks and equity: from the cache of the bus, else from the line's store.

    database_url: the server that keeps the line, "" for a line in its folder. Raises: StoreError, DatabaseUrlError.
    """
    from trading_system.database import open_bus, open_store
    from trading_system.research.line_rows import Market
    from trading_system.research.line_view import read_only, store_of
    from trading_system.research.newest_rows import newest_rows
    from trading_system.services.newest import Newest
    from trading_system.services.room import Letterbox
    from trading_system.terms import terms_of

    async def asked() -> Market:
        store = open_store(read_only(database_url) if database_url else store_of(view.folder))
        bus = open_bus(bus_url)
        try:
            newest = Newest(Letterbox(store, bus), terms_of(settings, view.instruments))
            symbols, step = view.traded, view.step or 0
            return Market(await newest_rows(newest, symbols, step), await newest.account(step))
        finally:
            await bus.close()
            await store.close()

    return asyncio.run(asked())

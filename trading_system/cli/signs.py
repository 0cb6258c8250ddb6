"""The services' newest heartbeats, as the commands that show them ask for them."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from trading_system.cli.said import say

if TYPE_CHECKING:
    from trading_system.contracts import HealthDTO
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

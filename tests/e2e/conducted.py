"""A simulated exchange in this process that goes on whenever the line that reports to it is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trading_system.replay import LocalMarket, ReportingLine, conduct
from trading_system.simulator.server import SimulatorServer


@asynccontextmanager
async def conducted(server: SimulatorServer) -> AsyncIterator[str]:
    """Serve and conduct as long as the block lasts; gives the address."""
    addresses = await server.start()
    conductor = asyncio.create_task(conduct(ReportingLine(server.reports), LocalMarket(server)), name="conductor")
    try:
        yield addresses.http
    finally:
        conductor.cancel()
        (ended,) = await asyncio.gather(conductor, return_exceptions=True)
        await server.stop()
        if isinstance(ended, Exception):
            raise ended

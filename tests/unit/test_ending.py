"""A task that swallows its cancellation is cancelled again."""

from __future__ import annotations

import asyncio
import contextlib

from trading_system.bus.ending import ended


async def test_a_task_that_swallows_a_cancellation_ends_all_the_same() -> None:
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await ended([task], again_s=0.01)
    assert swallowed.is_set()
    assert task.cancelled()

"""What execution takes in of its inbox: each request once, whatever the store does in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from trading_system.bus.memory import MemoryBus
from trading_system.services.execution_engine.commands import CommandDesk
from trading_system.services.inbox import Inbox
from trading_system.services.room import Letterbox
from trading_system.store.errors import StoreAwayError
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Row, Stream

EXCHANGE = "binance_usdm"


class SlowStore(MemoryStore):
    """Lets others go on before every answer, and is away for one read."""

    away = False

    async def head(self, stream: Stream) -> int | None:
        await asyncio.sleep(0)
        return await super().head(stream)

    async def read(self, stream: Stream, after: int | None, upto: int) -> list[Row]:
        await asyncio.sleep(0)
        if self.away:
            self.away = False
            raise StoreAwayError("away for a moment")
        return await super().read(stream, after, upto)

    async def last(self, stream: Stream, n: int) -> Sequence[Row]:  # type: ignore[override]
        await asyncio.sleep(0)
        return await super().last(stream, n)


async def asked() -> SlowStore:
    store = SlowStore()
    await Inbox(Letterbox(store, MemoryBus()), EXCHANGE, "cli", wall_ms=lambda: 0).ask("panic")
    return store


async def test_a_request_is_taken_in_although_the_store_was_away_at_the_first_look() -> None:
    store = await asked()
    desk = CommandDesk(store, EXCHANGE, None)
    store.away = True
    with pytest.raises(StoreAwayError):
        await desk.look()
    assert desk.next is None
    await desk.look()
    assert desk.next is not None
    assert desk.next.command == "panic"


async def test_two_looks_at_once_take_a_request_in_once() -> None:
    desk = CommandDesk(await asked(), EXCHANGE, None)
    await asyncio.gather(desk.look(), desk.look())
    request = desk.next
    assert request is not None
    assert request.command == "panic"
    desk.close(request)
    assert desk.next is None

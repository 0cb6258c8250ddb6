"""The newest facts: in the cache after every step, out of the store where the cache has none, never before an order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from sample_desk import EXCHANGE, Desk
from sample_files import market
from sample_line import ORIGIN, History, demo_instruments, feed_of, indicator_of, strategy_of
from sample_trades import START, plan_at

from trading_system.bus import BusUnreachableError
from trading_system.bus.memory import MemoryBus
from trading_system.contracts import (
    ACCOUNT_KEY,
    last_candle_key,
    last_hl_key,
    nearest_order_block_key,
    position_key,
    to_account,
    to_ms,
    to_position,
)
from trading_system.rules.account import Terms
from trading_system.rules.matching import FillRules
from trading_system.rules.risk import RiskRules
from trading_system.services.newest import Newest
from trading_system.services.room import Letterbox
from trading_system.store.memory import MemoryStore

SYMBOL = "BTCUSDT"
MINUTES = 1_200
INSTRUMENTS = demo_instruments(SYMBOL)
TERMS = Terms(INSTRUMENTS, RiskRules(), FillRules())
SIDES: tuple[Literal["long", "short"], ...] = ("long", "short")
KEYS = (last_candle_key(SYMBOL), last_hl_key(SYMBOL), *(nearest_order_block_key(SYMBOL, side) for side in SIDES))


class AwayBus(MemoryBus):
    """A bus whose server is away for whoever asks."""

    async def newest(self, key: str) -> bytes | None:
        raise BusUnreachableError("redis://127.0.0.1:1", f"nobody there to ask for {key}")


async def lived(store: MemoryStore, bus: MemoryBus, minutes: int = MINUTES) -> None:
    """Let a feed and the two engines live through a market and stop."""
    letterbox = Letterbox(store, bus)
    rooms = (strategy_of(letterbox, INSTRUMENTS), indicator_of(letterbox, INSTRUMENTS))
    for room in rooms:
        await room.start()
    feed = feed_of(letterbox, INSTRUMENTS, History({SYMBOL: market(SYMBOL, minutes)}))
    await feed.start()
    await feed.stop()
    assert [room.failure for room in rooms] == [None, None]


async def kept(bus: MemoryBus) -> dict[str, bytes | None]:
    return {key: await bus.newest(key) for key in KEYS}


async def test_the_cache_and_the_store_tell_the_same_of_the_market() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await lived(store, bus)
    cached, stored = Newest(Letterbox(store, bus), TERMS), Newest(Letterbox(store, MemoryBus()), TERMS)
    assert await bus.newest(KEYS[0]) is not None
    candle = await cached.candle(SYMBOL)
    assert candle is not None
    assert to_ms(candle["open_time"]) // 60_000 + 1 == ORIGIN + MINUTES
    assert candle == await stored.candle(SYMBOL)
    swing = await cached.high_low(SYMBOL)
    assert swing is not None
    assert swing == await stored.high_low(SYMBOL)
    blocks = [await cached.order_block(SYMBOL, side) for side in SIDES]
    assert any(blocks)
    assert blocks == [await stored.order_block(SYMBOL, side) for side in SIDES]


async def test_a_start_rebuilds_the_cache_from_the_store() -> None:
    store, bus, emptied = MemoryStore(), MemoryBus(), MemoryBus()
    await lived(store, bus)
    await lived(store, emptied)  # the exchange has nothing new
    assert await kept(emptied) == await kept(bus)
    assert any((await kept(emptied)).values())


async def test_before_the_first_candle_there_is_nothing() -> None:
    newest = Newest(Letterbox(MemoryStore(), MemoryBus()), TERMS)
    assert await newest.candle(SYMBOL) is None
    assert await newest.high_low(SYMBOL) is None
    assert await newest.order_block(SYMBOL, "long") is None
    assert await newest.position(SYMBOL) is None
    assert await newest.account() is None


@pytest.mark.parametrize("forged", [b"{", b"[]", b"[" * 100_000, b"\xff", b'{"symbol":"BTCUSDT"}', b"null"])
async def test_what_is_forged_in_the_cache_is_read_from_the_store(forged: bytes) -> None:
    store, bus = MemoryStore(), MemoryBus()
    await lived(store, bus, 300)
    true = await Newest(Letterbox(store, bus), TERMS).candle(SYMBOL)
    assert true is not None
    await bus.put_newest(last_candle_key(SYMBOL), 2**52, forged, 60)
    assert await Newest(Letterbox(store, bus), TERMS).candle(SYMBOL) == true
    assert await Newest(Letterbox(store, AwayBus()), TERMS).candle(SYMBOL) == true


# --- the account


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    await made.live()
    yield made
    await made.die()


def newest_of(desk: Desk, bus: MemoryBus) -> Newest:
    return Newest(Letterbox(desk.store, bus), Terms((desk.instrument,), RiskRules(), FillRules()))


async def test_a_position_and_the_account_are_kept_until_the_position_is_closed(desk: Desk) -> None:
    key = position_key(desk.instrument.symbol)
    account = to_account(await desk.bus.newest(ACCOUNT_KEY) or b"")
    assert (account["equity"], account["positions"], account["waiting"]) == (10_000.0, [], [])
    await desk.minute(101.0, plans=[plan_at(START)])
    account = to_account(await desk.bus.newest(ACCOUNT_KEY) or b"")
    assert (account["waiting"], account["open_risk"]) == ([desk.instrument.symbol], pytest.approx(100.0, abs=5))
    assert await desk.bus.newest(key) is None  # what waits is no position
    await desk.fill("e", 100.0)
    await desk.minute(101.0, 100.5)
    position = to_position(await desk.bus.newest(key) or b"")
    assert (position["quantity"], position["entry_price"], position["protected"]) == (50.0, 100.0, True)
    assert position["unrealized"] == 25.0
    account = to_account(await desk.bus.newest(ACCOUNT_KEY) or b"")
    assert account["equity"] == account["wallet"] + 25.0
    assert account["positions"] == [desk.instrument.symbol]
    from_store = newest_of(desk, MemoryBus())
    assert await from_store.position(desk.instrument.symbol) == position
    assert await from_store.account() == account
    await desk.fill("s", 98.0)
    await desk.minute(98.0)
    assert await desk.bus.newest(key) is None
    assert await newest_of(desk, desk.bus).position(desk.instrument.symbol) is None
    account = to_account(await desk.bus.newest(ACCOUNT_KEY) or b"")
    assert (account["positions"], account["day_result"]) == ([], account["wallet"] - 10_000.0)
    assert account["day_result"] < 0


async def test_the_cache_is_written_after_the_orders_of_its_step(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    async def put_newest(key: str, order: int, payload: bytes, ttl_s: float) -> None:
        if key == ACCOUNT_KEY:
            seen.append((order, len(desk.venue.requests("place"))))

    monkeypatch.setattr(desk.bus, "put_newest", put_newest)
    await desk.minute(101.0, plans=[plan_at(START)])
    assert seen
    assert seen[0] == (desk.step, 1)


async def test_a_restart_says_the_account_again(desk: Desk) -> None:
    await desk.minute(101.0, plans=[plan_at(START)])
    await desk.fill("e", 100.0)
    await desk.minute(101.0, 100.5)
    before = await desk.bus.newest(ACCOUNT_KEY), await desk.bus.newest(position_key(desk.instrument.symbol))
    await desk.die()
    desk.bus = type(desk.bus)()
    await desk.live()
    assert (await desk.bus.newest(ACCOUNT_KEY), await desk.bus.newest(position_key(desk.instrument.symbol))) == before
    assert to_account(before[0] or b"")["exchange"] == EXCHANGE

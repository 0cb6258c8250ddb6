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
    from_ms,
    last_candle_key,
    last_hl_key,
    nearest_order_block_key,
    position_key,
    serialize,
    to_account,
    to_candle,
    to_ms,
    to_order_block,
    to_position,
)
from trading_system.research.newest_rows import newest_rows
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


class CountingBus(MemoryBus):
    """A bus that writes down which keys were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def newest(self, key: str) -> bytes | None:
        self.asked.append(key)
        return await super().newest(key)


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


async def test_what_the_cache_holds_is_read_in_one_call_a_fact_and_costs_the_store_nothing() -> None:
    store, bus = MemoryStore(), CountingBus()
    await lived(store, bus)
    empty = Newest(Letterbox(MemoryStore(), bus), TERMS)  # a store that could not answer
    sides = [side for side in SIDES if await bus.newest(nearest_order_block_key(SYMBOL, side))]
    bus.asked.clear()
    assert await empty.candle(SYMBOL, ORIGIN + MINUTES) is not None
    assert await empty.high_low(SYMBOL) is not None
    assert all([await empty.order_block(SYMBOL, side) for side in sides])
    assert sides
    assert bus.asked == [*KEYS[:2], *(nearest_order_block_key(SYMBOL, side) for side in sides)]


async def test_a_minute_kept_before_the_step_that_is_known_is_late_and_the_store_is_asked() -> None:
    store, early, bus = MemoryStore(), MemoryBus(), MemoryBus()
    await lived(MemoryStore(), early, 300)
    await lived(store, MemoryBus())
    await bus.put_newest(KEYS[0], 2**52, await early.newest(KEYS[0]) or b"", 60)
    newest = Newest(Letterbox(store, bus), TERMS)
    late, true = await newest.candle(SYMBOL), await newest.candle(SYMBOL, ORIGIN + MINUTES)
    assert late is not None
    assert true is not None
    assert to_ms(late["open_time"]) < to_ms(true["open_time"])
    assert true == await Newest(Letterbox(store, MemoryBus()), TERMS).candle(SYMBOL)


@pytest.mark.parametrize("changed", [{"symbol": "ETHUSDT"}, {"exchange": "other"}, {"interval": "1h"}])
async def test_a_minute_of_another_line_is_not_shown(changed: dict[str, str]) -> None:
    store, bus = MemoryStore(), MemoryBus()
    await lived(store, bus, 300)
    true = to_candle(await bus.newest(KEYS[0]) or b"")
    await bus.put_newest(KEYS[0], 2**52, serialize({**true, "close": true["low"], **changed}), 60)
    assert await Newest(Letterbox(store, bus), TERMS).candle(SYMBOL) == true


@pytest.mark.parametrize(
    "changed", [{"symbol": "ETHUSDT"}, {"exchange": "other"}, {"direction": 0}, {"state": "expired"}]
)
async def test_a_block_of_another_line_or_side_or_one_that_has_ended_is_not_shown(changed: dict[str, object]) -> None:
    store, bus = MemoryStore(), MemoryBus()
    await lived(store, bus)
    side, *_ = [one for one in SIDES if await bus.newest(nearest_order_block_key(SYMBOL, one))]
    key = nearest_order_block_key(SYMBOL, side)
    true = to_order_block(await bus.newest(key) or b"")
    forged = {**true, "bottom": true["bottom"] / 2, **changed}
    if "direction" in changed:
        forged["direction"] = -true["direction"]
    await bus.put_newest(key, 2**52, serialize(forged), 60)
    assert await Newest(Letterbox(store, bus), TERMS).order_block(SYMBOL, side) == true


async def test_the_rows_of_a_status_say_the_minute_of_their_price() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await lived(store, bus)
    rows = await newest_rows(Newest(Letterbox(store, bus), TERMS), [SYMBOL], ORIGIN + MINUTES)
    assert rows == await newest_rows(Newest(Letterbox(store, AwayBus()), TERMS), [SYMBOL], ORIGIN + MINUTES)
    (row,) = rows
    assert row["last_minute"] == from_ms((ORIGIN + MINUTES) * 60_000).strftime("%Y-%m-%d %H:%M")
    assert row["last"] == to_candle(await bus.newest(KEYS[0]) or b"")["close"]
    assert set(row["long_block"] or row["short_block"]) == {"bottom", "top", "interval", "state"}
    nothing = await newest_rows(Newest(Letterbox(MemoryStore(), MemoryBus()), TERMS), [SYMBOL], 0)
    assert nothing == [{"symbol": SYMBOL, "last": None, "last_minute": None, "long_block": None, "short_block": None}]


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


async def test_an_account_of_an_earlier_step_or_another_line_is_read_from_the_store(desk: Desk) -> None:
    await desk.minute(101.0)
    true = await newest_of(desk, MemoryBus()).account()
    assert true is not None
    for changed in ({"step": desk.step - 1}, {"exchange": "other"}):
        await desk.bus.put_newest(ACCOUNT_KEY, 2**52, serialize({**true, "equity": 1.0, **changed}), 60)
        assert await newest_of(desk, desk.bus).account(desk.step) == true
    await desk.bus.put_newest(ACCOUNT_KEY, 2**52, serialize({**true, "equity": 1.0}), 60)
    told = await newest_of(desk, desk.bus).account(desk.step)
    assert told is not None
    assert told["equity"] == 1.0

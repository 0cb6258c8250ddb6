"""The second law: a bell that is lost costs time, never an event; a bell that is forged moves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest
from sample_files import market
from sample_line import (
    EXCHANGE,
    ORIGIN,
    History,
    ListeningBus,
    demo_instruments,
    feed_of,
    indicator_of,
    rows_of,
    strategy_of,
)

from trading_system.contracts import (
    hl_updated_channel,
    serialize,
    strategy_step_channel,
    to_step,
    trade_signal_channel,
)
from trading_system.rules.records import Records
from trading_system.services.indicator_engine.service import IndicatorEngine
from trading_system.services.room import CANDLES, HIGHS_LOWS, STRATEGY, Letterbox, Post
from trading_system.services.strategy_engine.service import StrategyEngine
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Row, Store, Stream
from trading_system.store.sqlite import SqliteStore

SYMBOLS = ("BTCUSDT", "ETHUSDT")
KINDS = (CANDLES, HIGHS_LOWS, STRATEGY)
MINUTES = 800
Streams = dict[tuple[str, str], tuple[int | None, list[Row]]]


def walks() -> dict[str, Records]:
    """Return two markets with gaps, one of them a whole hour at the end of longer candles."""
    candles = {symbol: market(symbol, MINUTES) for symbol in SYMBOLS}
    for missing in (slice(178, 183), slice(400, 401), slice(540, 660), slice(MINUTES - 3, MINUTES)):
        for name in ("open", "high", "low", "close", "volume"):
            candles["ETHUSDT"][name][missing] = 0.0
        candles["ETHUSDT"]["gap"][missing] = 1
    return candles


@pytest.fixture(params=["memory", "sqlite"])
async def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Store]]:
    made: list[Store] = []

    def make() -> Store:
        store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / f"{len(made)}.db")
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()


async def play(store: Store, bus: ListeningBus, *, catch_up: bool = True, deaf: bool = False) -> Streams:
    """Let a line of three rooms live through the market, catching up now and then and once at the end."""
    letterbox = Letterbox(store, bus)
    instruments = demo_instruments(*SYMBOLS)
    rooms = (strategy_of(letterbox, instruments), indicator_of(letterbox, instruments))
    if deaf:
        for room in rooms:
            room._catch_up = _stay_behind  # type: ignore[method-assign]
    for room in rooms:
        await room.start()
    history = History(walks(), rows_a_call=400)
    feed = feed_of(letterbox, instruments, history)

    async def minutes(symbol: str, *given: int, ask: Callable[..., object] = history.minutes, **more: bool) -> object:
        if catch_up:
            for room in reversed(rooms):
                await room.catch_up()
        return await ask(symbol, *given, **more)  # type: ignore[misc]

    history.minutes = minutes  # type: ignore[method-assign, assignment]
    await feed.start()
    await feed.stop()
    if catch_up:
        for room in reversed(rooms):
            await room.catch_up()
    assert [room.failure for room in rooms] == [None, None]
    return {(kind, symbol): await rows_of(store, kind, symbol) for kind in KINDS for symbol in SYMBOLS}


async def _stay_behind(symbol: str) -> None:
    del symbol


_LOSSLESS: list[Streams] = []


async def lossless() -> Streams:
    """Return the streams of a line that heard every bell; every store must give the same."""
    if not _LOSSLESS:
        _LOSSLESS.append(await play(MemoryStore(), ListeningBus()))
    return _LOSSLESS[0]


def loses(seed: int, share: float = 0.3) -> Callable[[str], bool]:
    random = Random(seed)
    return lambda _: random.random() >= share


@pytest.mark.parametrize(("seed", "leaves_process"), [(1, False), (2, False), (3, True)])
async def test_after_catching_up_lost_bells_have_changed_nothing(
    new_store: Callable[[], Store], seed: int, leaves_process: bool
) -> None:
    whole = await lossless()
    lossy = await play(new_store(), ListeningBus(loses(seed), leaves_process=leaves_process))
    assert lossy == whole
    for kind in KINDS:
        head, rows = whole[kind, "ETHUSDT"]
        assert head == ORIGIN + MINUTES
        assert len(rows) > 10
    assert any(to_step(row.payload).get("signals") for row in whole[STRATEGY, "BTCUSDT"][1])


async def test_a_line_that_hears_nothing_at_all_reads_everything(new_store: Callable[[], Store]) -> None:
    assert await play(new_store(), ListeningBus(lambda _: False)) == await lossless()


async def test_without_catching_up_the_same_losses_do_lose() -> None:
    whole = await lossless()
    lossy = await play(MemoryStore(), ListeningBus(loses(1)), catch_up=False, deaf=True)
    for symbol in SYMBOLS:
        assert lossy[CANDLES, symbol] == whole[CANDLES, symbol]
        assert (lossy[STRATEGY, symbol][0] or 0) < ORIGIN + MINUTES
        assert lossy[STRATEGY, symbol][1] != whole[STRATEGY, symbol][1]


async def test_a_bell_in_the_middle_makes_up_for_those_that_were_lost_before() -> None:
    deaf_until = {"left": 400}

    def hears(_: str) -> bool:
        deaf_until["left"] -= 1
        return deaf_until["left"] < 0

    whole = await lossless()
    assert await play(MemoryStore(), ListeningBus(hears)) == whole


async def test_what_is_rung_is_in_the_store_already() -> None:
    store = MemoryStore()
    bus = ListeningBus()
    instruments = demo_instruments("BTCUSDT")
    letterbox = Letterbox(store, bus)
    seen: list[bool] = []

    async def hear_step(payload: bytes) -> None:
        step = to_step(payload)["step"]
        head, rows = await rows_of(store, HIGHS_LOWS, "BTCUSDT")
        stored = any(row.payload == payload for row in rows)
        seen.append(head == step and stored == bool(to_step(payload).get("swings")))

    await bus.subscribe(hl_updated_channel("BTCUSDT"), hear_step)
    room = indicator_of(letterbox, instruments)
    await room.start()
    feed = feed_of(letterbox, instruments, History({"BTCUSDT": market(minutes=300)}))
    await feed.start()
    await feed.stop()
    assert len(seen) == 300
    assert all(seen)


class CommittedStore(MemoryStore):
    """A store that counts its commits."""

    commits = 0

    async def commit(self) -> None:
        self.commits += 1
        await super().commit()


async def test_a_bell_that_leaves_the_process_rings_after_a_commit() -> None:
    for leaves_process, commits in ((True, 60), (False, 0)):
        store, bus = CommittedStore(), ListeningBus(leaves_process=leaves_process)
        feed = feed_of(Letterbox(store, bus), demo_instruments("BTCUSDT"), History({"BTCUSDT": market(minutes=60)}))
        await feed.start()
        await feed.stop()
        assert store.commits == commits


async def test_a_wave_is_one_commit_and_no_bell_of_it_rings_before_all_of_it_is_stored() -> None:
    store, bus = CommittedStore(), ListeningBus(leaves_process=True)
    seen: list[tuple[str, int, list[int | None]]] = []

    async def hear(payload: bytes) -> None:
        heads = [(await rows_of(store, CANDLES, symbol))[0] for symbol in SYMBOLS]
        seen.append((payload.decode(), store.commits, heads))

    await bus.subscribe("closed", hear)
    posts = [
        Post(Stream(CANDLES, EXCHANGE, symbol), 7, [b"row"], None, [("closed", symbol.encode())]) for symbol in SYMBOLS
    ]
    await Letterbox(store, bus).post_many(posts)
    assert seen == [(symbol, 1, [7, 7]) for symbol in SYMBOLS]


async def test_a_forged_bell_of_another_process_says_nothing_that_is_not_stored() -> None:
    store, bus = MemoryStore(), ListeningBus(leaves_process=True)
    letterbox, instruments = Letterbox(store, bus), demo_instruments("BTCUSDT")
    rooms: tuple[StrategyEngine, IndicatorEngine] = (
        strategy_of(letterbox, instruments),
        indicator_of(letterbox, instruments),
    )
    for room in rooms:
        await room.start()
    forged = {"exchange": EXCHANGE, "symbol": "BTCUSDT", "step": ORIGIN + 1, "candles": [], "gap": True}
    for channel in (hl_updated_channel("BTCUSDT"), strategy_step_channel("BTCUSDT"), trade_signal_channel("BTCUSDT")):
        await bus.publish(channel, serialize(forged))
    assert await rows_of(store, STRATEGY, "BTCUSDT") == (None, [])
    assert [room.failure for room in rooms] == [None, None]

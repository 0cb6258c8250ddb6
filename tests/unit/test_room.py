"""The skeleton of a room: each step once and in order, whatever the bells do, and a failed room stays failed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sample_line import until
from sample_trades import instrument_of

from trading_system.bus.memory import MemoryBus
from trading_system.contracts import candle_close_channel, from_ms, serialize
from trading_system.services.room import CANDLES, STRETCH, Letterbox, Post, Room, RoomFailedError, StepInput, Wave
from trading_system.store.errors import HeadMovedError
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream

MINUTE = 60_000
ORIGIN = 30_000_000
EXCHANGE = "binance_usdm"
OUT = "echo"


class Echo(Room):
    """A room that says which steps it handled, with how many candles, and fails at ``breaks_at``."""

    target = OUT

    def __init__(self, letterbox: Letterbox, *symbols: str) -> None:
        super().__init__(letterbox, EXCHANGE, dict.fromkeys(symbols or ("BTCUSDT",), ORIGIN))
        self.handled: list[tuple[str, int, int, bool]] = []
        self.rebuilt: list[int] = []
        self.breaks_at = 0

    def channel(self, symbol: str) -> str:
        return candle_close_channel(symbol)

    def rebuild(self, symbol: str, said: StepInput) -> None:
        assert symbol in self._checkpoints
        self.rebuilt.append(said.step - ORIGIN)

    async def handle(self, wave: Wave) -> None:
        for symbol, said in wave:
            if said.step - ORIGIN == self.breaks_at:
                raise ArithmeticError("cannot")
            self.handled.append((symbol, said.step - ORIGIN, len(said.candles), said.minute is None))
            post = Post(self.stream(OUT, symbol), said.step, [b"x"], self.after(symbol, said.step), [])
            await self._letterbox.post_many([post])


class Desk:
    """A store, a bus and a producer of candles."""

    def __init__(self) -> None:
        self.store, self.bus = MemoryStore(), MemoryBus()
        self.letterbox = Letterbox(self.store, self.bus)

    async def store_minutes(self, *numbers: int, symbol: str = "BTCUSDT", gaps: tuple[int, ...] = ()) -> None:
        stream = Stream(CANDLES, EXCHANGE, symbol)
        for number in numbers:
            head = await self.store.head(stream)
            payloads = [] if number in gaps else [candle(number, symbol)]
            await self.store.append(stream, ORIGIN + number, payloads, after=head)

    async def ring(self, *numbers: int, symbol: str = "BTCUSDT") -> None:
        for number in numbers:
            await self.bus.publish(candle_close_channel(symbol), candle(number, symbol))

    async def room(self, *symbols: str) -> Echo:
        room = Echo(self.letterbox, *symbols)
        await room.start()
        return room


def candle(number: int, symbol: str = "BTCUSDT", minutes: int = 1) -> bytes:
    """Return the candle of ``minutes`` that closes in step ``number`` after the origin."""
    close = from_ms((ORIGIN + number) * MINUTE)
    word = {"symbol": symbol, "open_time": close - timedelta(minutes=minutes), "open": 1.0, "high": 2.0, "low": 1.0}
    return serialize({**word, "close": 2.0, "volume": 1.0, "interval": f"{minutes}m", "exchange": EXCHANGE})


def steps(room: Echo) -> list[int]:
    return [step for _, step, _, _ in room.handled]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_bell_brings_its_step(desk: Desk) -> None:
    room = await desk.room()
    for number in (1, 2):
        await desk.store_minutes(number)
        await desk.ring(number)
    assert steps(room) == [1, 2]
    assert await desk.store.head(Stream(OUT, EXCHANGE, "BTCUSDT")) == ORIGIN + 2


async def test_bells_in_any_order_and_twice_bring_each_step_once(desk: Desk) -> None:
    room = await desk.room()
    await desk.store_minutes(1, 2, 3, 4)
    await desk.ring(3, 1, 4, 4, 2, 3)
    assert steps(room) == [1, 2, 3, 4]


async def test_a_bell_ahead_of_the_store_is_not_believed(desk: Desk) -> None:
    room = await desk.room()
    await desk.store_minutes(1)
    await desk.ring(3)
    assert steps(room) == [1]


async def test_minutes_that_the_exchange_does_not_have_are_steps(desk: Desk) -> None:
    room = await desk.room()
    await desk.store_minutes(1, 2, 3, 4, gaps=(2, 3))
    await desk.ring(4)
    assert [(step, gap) for _, step, _, gap in room.handled] == [(1, False), (2, True), (3, True), (4, False)]


async def test_catching_up_reads_what_no_bell_brought_and_again_changes_nothing(desk: Desk) -> None:
    room = await desk.room()
    await desk.store_minutes(1, 2, 3)
    await room.catch_up()
    await room.catch_up()
    assert steps(room) == [1, 2, 3]


async def test_a_room_that_starts_late_handles_what_came_before_it(desk: Desk) -> None:
    await desk.store_minutes(1, 2, 3)
    room = await desk.room()
    assert (steps(room), room.rebuilt) == ([1, 2, 3], [])


async def test_a_restart_folds_the_steps_of_the_earlier_life_and_says_nothing_twice(desk: Desk) -> None:
    first = await desk.room()
    await desk.store_minutes(1, 2)
    await desk.ring(2)
    await first.stop()
    await desk.store_minutes(3)
    second = await desk.room()
    assert (second.rebuilt, steps(second)) == ([1, 2], [3])
    await desk.store_minutes(4)
    await desk.ring(4)
    assert (steps(first), steps(second)) == ([1, 2], [3, 4])


async def test_a_room_that_stopped_hears_nothing(desk: Desk) -> None:
    room = await desk.room()
    await room.stop()
    await room.stop()
    await desk.store_minutes(1)
    await desk.ring(1)
    assert room.handled == []


async def test_symbols_go_on_without_each_other(desk: Desk) -> None:
    room = await desk.room("BTCUSDT", "ETHUSDT")
    await desk.store_minutes(1, symbol="ETHUSDT")
    await desk.ring(1, symbol="ETHUSDT")
    await desk.store_minutes(1, 2)
    await desk.ring(2)
    assert [(symbol, step) for symbol, step, _, _ in room.handled] == [("ETHUSDT", 1), ("BTCUSDT", 1), ("BTCUSDT", 2)]


async def test_a_symbol_that_is_added_is_caught_up_and_heard_while_the_others_go_on(desk: Desk) -> None:
    room = await desk.room("BTCUSDT")
    await desk.store_minutes(1, 2, 3, 4, 5)
    await desk.store_minutes(1, 2, 3, symbol="ETHUSDT")
    await room.add(instrument_of("ETHUSDT"), ORIGIN)
    await desk.ring(1, 2, 3, 4, 5)
    assert [one[:2] for one in room.handled] == [("BTCUSDT", number) for number in (1, 2, 3, 4, 5)]
    assert room.health().step == ORIGIN + 5  # a symbol that is still on its way holds nobody up
    await room.catch_up()
    await desk.store_minutes(4, symbol="ETHUSDT")
    await desk.ring(4, symbol="ETHUSDT")
    assert [one[1] for one in room.handled if one[0] == "ETHUSDT"] == [1, 2, 3, 4]


async def test_a_symbol_that_is_removed_is_heard_no_more_and_comes_back_where_it_ended(desk: Desk) -> None:
    room = await desk.room("BTCUSDT", "ETHUSDT")
    await desk.store_minutes(1, symbol="ETHUSDT")
    await desk.ring(1, symbol="ETHUSDT")
    await room.remove("ETHUSDT")
    await room.remove("ETHUSDT")
    await desk.store_minutes(2, symbol="ETHUSDT")
    await desk.ring(2, symbol="ETHUSDT")
    await desk.store_minutes(1)
    await desk.ring(1)
    await room.catch_up()
    assert [one[:2] for one in room.handled] == [("ETHUSDT", 1), ("BTCUSDT", 1)]
    await room.add(instrument_of("ETHUSDT"), ORIGIN)
    await room.catch_up()
    assert room.rebuilt == [1]
    assert room.handled[-1][:2] == ("ETHUSDT", 2)


async def test_longer_candles_join_the_minute_with_which_they_close(desk: Desk) -> None:
    room = await desk.room()
    await desk.store_minutes(1)
    for payload in (candle(1, minutes=15), candle(1, minutes=5), candle(1)):
        await desk.bus.publish(candle_close_channel("BTCUSDT"), payload)
    assert room.handled == [("BTCUSDT", 1, 3, False)]


async def test_a_longer_candle_whose_own_minute_never_rang_joins_no_later_minute(desk: Desk) -> None:
    room = await desk.room()
    await desk.store_minutes(1)
    await desk.bus.publish(candle_close_channel("BTCUSDT"), candle(1, minutes=5))
    await room.catch_up()
    await desk.store_minutes(2)
    await desk.ring(2)
    assert room.handled == [("BTCUSDT", 1, 1, False), ("BTCUSDT", 2, 1, False)]


async def test_a_room_that_failed_stays_failed_and_keeps_its_first_error(desk: Desk) -> None:
    room = await desk.room()
    room.breaks_at = 2
    await desk.store_minutes(1, 2, 3)
    with pytest.raises(ArithmeticError):
        await room.catch_up()
    room.breaks_at = 0
    with pytest.raises(RoomFailedError, match="Echo failed and handles nothing more") as caught:
        await room.catch_up()
    await desk.ring(3)
    assert isinstance(room.failure, ArithmeticError)
    assert caught.value.__cause__ is room.failure
    assert steps(room) == [1]


async def test_an_error_heard_from_a_bell_reaches_no_other_listener_but_is_kept(desk: Desk, caplog: Any) -> None:
    broken, sound = await desk.room(), await desk.room()
    sound._letterbox = Letterbox(MemoryStore(), desk.bus)
    broken.breaks_at = 1
    await desk.store_minutes(1)
    await desk.ring(1)
    assert isinstance(broken.failure, ArithmeticError)
    assert (steps(sound), sound.failure) == ([1], None)
    assert "the others go on" in caplog.text


async def test_a_second_producer_is_shut_out_and_fails_for_good(desk: Desk) -> None:
    first, second = await desk.room(), await desk.room()
    await desk.store_minutes(1)
    await first.catch_up()
    with pytest.raises(HeadMovedError, match=f"expected a new stream, was step {ORIGIN + 1}"):
        await second.catch_up()
    assert isinstance(second.failure, HeadMovedError)
    await desk.store_minutes(2)
    await first.catch_up()
    assert (await desk.store.head(Stream(OUT, EXCHANGE, "BTCUSDT")), first.failure) == (ORIGIN + 2, None)


async def test_what_is_no_candle_is_refused_and_the_room_goes_on(desk: Desk) -> None:
    room = await desk.room()
    await desk.bus.publish(candle_close_channel("BTCUSDT"), b"nonsense")
    await desk.store_minutes(1)
    await desk.ring(1)
    assert (steps(room), room.failure) == ([1], None)


async def test_a_step_that_was_cut_short_is_never_begun_a_second_time_in_this_life(desk: Desk) -> None:
    class Waiting(Echo):
        async def handle(self, wave: Wave) -> None:
            await super().handle(wave)
            await asyncio.Event().wait()

    room = Waiting(desk.letterbox)
    await room.start()
    await desk.store_minutes(1)
    handling = asyncio.create_task(room.catch_up())
    await until(lambda: bool(room.handled))
    handling.cancel()
    await asyncio.gather(handling, return_exceptions=True)
    with pytest.raises(RoomFailedError, match="start the line again"):
        await room.catch_up()
    assert steps(room) == [1]


# --- what strangers say on a bus between processes

NONSENSE = [
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b"x" * 5_000_000,
    b'{"symbol":"BTCUSDT"}',
]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("leaves_process", [False, True])
async def test_a_bell_that_is_none_is_counted_and_moves_nothing(
    desk: Desk, nonsense: bytes, leaves_process: bool
) -> None:
    desk.bus.leaves_process = leaves_process
    room = await desk.room()
    await desk.bus.publish(candle_close_channel("BTCUSDT"), nonsense)
    await desk.bus.publish(candle_close_channel("BTCUSDT"), nonsense)
    assert (room.handled, room.failure, room.counts["bad_bells"]) == ([], None, 2)
    assert desk.bus.counts["failed"] == 0
    await desk.store_minutes(1)
    await desk.ring(1)
    assert steps(room) == [1]


async def test_forged_bells_of_a_bus_between_processes_move_nothing_and_are_not_hoarded(desk: Desk) -> None:
    desk.bus.leaves_process = True
    room = await desk.room()
    for number in (1, 2, 10_000_000):
        await desk.bus.publish(candle_close_channel("BTCUSDT"), candle(number))
        await desk.bus.publish(candle_close_channel("BTCUSDT"), candle(number, minutes=15))
    assert room.handled == []
    assert room._longer["BTCUSDT"] == []
    await desk.store_minutes(1, 2)
    await desk.bus.publish(candle_close_channel("BTCUSDT"), candle(10_000_000))
    assert steps(room) == [1, 2]


# --- waves


class Waves(Echo):
    """A room that remembers how many steps came together."""

    def __init__(self, letterbox: Letterbox, *symbols: str) -> None:
        super().__init__(letterbox, *symbols)
        self.sizes: list[int] = []

    async def handle(self, wave: Wave) -> None:
        self.sizes.append(len(wave))
        await super().handle(wave)


def posts(*numbers: int, symbol: str = "BTCUSDT") -> list[Post]:
    stream, channel = Stream(CANDLES, EXCHANGE, symbol), candle_close_channel(symbol)
    payloads = {number: candle(number, symbol) for number in numbers}
    return [
        Post(stream, ORIGIN + n, [word], ORIGIN + n - 1 if n > 1 else None, [(channel, word)])
        for n, word in payloads.items()
    ]


async def test_what_is_posted_together_is_handled_together(desk: Desk) -> None:
    room = Waves(desk.letterbox, "BTCUSDT", "ETHUSDT")
    await room.start()
    await desk.letterbox.post_many([*posts(1, 2), *posts(1, symbol="ETHUSDT")])
    assert room.sizes == [3]
    assert [(symbol, step) for symbol, step, _, _ in room.handled] == [("BTCUSDT", 1), ("BTCUSDT", 2), ("ETHUSDT", 1)]


async def test_a_symbol_of_a_wave_that_missed_a_bell_is_read_from_the_store_and_the_others_are_not(desk: Desk) -> None:
    room = Waves(desk.letterbox, "BTCUSDT", "ETHUSDT")
    await room.start()
    await desk.store_minutes(1)
    await desk.letterbox.post_many([*posts(2), *posts(1, symbol="ETHUSDT")])
    assert [(symbol, step) for symbol, step, _, _ in room.handled] == [("ETHUSDT", 1), ("BTCUSDT", 1), ("BTCUSDT", 2)]


async def test_nonsense_in_a_wave_is_counted_and_keeps_nobody_from_the_rest(desk: Desk) -> None:
    room = await desk.room("BTCUSDT", "ETHUSDT")
    await desk.store_minutes(1)
    await desk.store_minutes(1, symbol="ETHUSDT")
    messages = [(candle_close_channel("BTCUSDT"), b"{"), (candle_close_channel("ETHUSDT"), candle(1, "ETHUSDT"))]
    await desk.bus.publish_many(messages)
    assert (room.handled, room.counts["bad_bells"]) == ([("ETHUSDT", 1, 1, False)], 1)


async def test_bells_of_another_process_that_ring_during_work_are_one_commit(desk: Desk) -> None:
    desk.bus.leaves_process = True
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    room = Waves(desk.letterbox, *symbols)
    await room.start()
    for symbol in symbols:
        await desk.store_minutes(1, symbol=symbol)
    async with room._lock:
        hearing = [asyncio.create_task(desk.ring(1, symbol=symbol)) for symbol in symbols]
        await until(lambda: len(room._rung) == len(symbols))
    await asyncio.gather(*hearing)
    assert room.sizes == [3]


async def test_a_long_absence_is_read_in_stretches(desk: Desk) -> None:
    await desk.store_minutes(*range(1, STRETCH + 11))
    room = Waves(desk.letterbox)
    await room.start()
    assert room.sizes == [STRETCH, 10]
    assert steps(room) == list(range(1, STRETCH + 11))

"""The feed: every minute once, in order, stored before it rings; holes are asked for, corrections kept beside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from sample_files import MONDAY, market
from sample_line import (
    EXCHANGE,
    INTERVALS,
    MINUTE,
    ORIGIN,
    History,
    ListeningBus,
    Socket,
    candle_event,
    demo_instruments,
    feed_of,
    origins_of,
    rows_of,
    until,
)

from trading_system.contracts import candle_close_channel, last_candle_key, real_time_channel, to_candle
from trading_system.rules.intervals import longer_candles
from trading_system.rules.records import Records
from trading_system.rules.words import candle_record
from trading_system.services.data_feed.service import CORRECTIONS, DataFeed
from trading_system.services.room import CANDLES, Letterbox
from trading_system.store.errors import StoreError
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream
from trading_system.venues.market_errors import MarketAwayError, UnknownSymbolError
from trading_system.venues.public_rest import Ban

DAY = 1440 * MINUTE
WEEK = 7 * DAY
INSTRUMENTS = demo_instruments("BTCUSDT", "ETHUSDT")
BTC = INSTRUMENTS[0]


class Desk:
    """A feed over a memory store, its exchange and its socket."""

    def __init__(self, minutes: int = 240, *symbols: str, upto: int | None = None) -> None:
        self.instruments = demo_instruments(*(symbols or ("BTCUSDT",)))
        self.candles = {one.symbol: market(one.symbol, minutes) for one in self.instruments}
        self.store, self.bus = MemoryStore(), ListeningBus()
        self.history = History(self.candles, upto)
        self.begin()

    def begin(self) -> None:
        self.socket = Socket()
        self.feed = feed_of(Letterbox(self.store, self.bus), self.instruments, self.history, self.socket)

    async def steps(self, symbol: str = "BTCUSDT", interval: str = "1m") -> list[int]:
        _, rows = await rows_of(self.store, CANDLES, symbol)
        return [row.step - ORIGIN for row in rows if to_candle(row.payload)["interval"] == interval]

    async def head(self, symbol: str = "BTCUSDT") -> int:
        head, _ = await rows_of(self.store, CANDLES, symbol)
        return (head or ORIGIN) - ORIGIN

    def say(self, *numbers: int, symbol: str = "BTCUSDT", **changed: float) -> None:
        for number in numbers:
            row = self.candles[symbol][number].copy()
            for name, value in changed.items():
                row[name] = value
            self.socket.say(candle_event(symbol, row))

    def run(self, number: int, close: float) -> None:
        self.socket.say(("running", "BTCUSDT", MONDAY + number * MINUTE, 1.0, 2.0, 0.5, close, 3.0, 0))

    async def heard_running(self) -> list[float]:
        """The closes of the running candles as they are shown from now on."""
        closes: list[float] = []

        async def hear(payload: bytes) -> None:
            candle = to_candle(payload)
            assert candle["closed"] is False
            closes.append(candle["close"])

        await self.bus.subscribe(real_time_channel("BTCUSDT"), hear)
        return closes

    async def reached(self, number: int, symbol: str = "BTCUSDT") -> None:
        async def has_come() -> bool:
            return await self.head(symbol) >= number

        await until(has_come)

    async def kind_counted(self, kind: str, count: int) -> None:
        await until(lambda: self.feed.counts.get(kind, 0) >= count)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A feed that has fetched 100 minutes; the exchange has 240 in its market."""
    made = Desk(upto=100)
    await made.feed.start()
    yield made
    await made.feed.stop()
    assert made.feed.failure is None


async def test_the_history_is_fetched_from_the_origin_to_now(desk: Desk) -> None:
    assert await desk.steps() == list(range(1, 101))
    assert desk.history.calls[0] == ("BTCUSDT", MONDAY)
    assert desk.socket.running


async def test_longer_candles_are_the_fold_of_the_minutes_and_are_stored_before_theirs(desk: Desk) -> None:
    _, rows = await rows_of(desk.store, CANDLES, "BTCUSDT")
    words = [to_candle(row.payload) for row in rows]
    for interval, length in (("5m", INTERVALS[0]), ("1h", INTERVALS[1])):
        said = [candle_record(word) for word in words if word["interval"] == interval]
        expected = longer_candles(desk.candles["BTCUSDT"][:100], MINUTE, length, BTC.step)
        assert np.array_equal(np.concatenate(said), expected)
    sixtieth = [word["interval"] for row, word in zip(rows, words, strict=True) if row.step == ORIGIN + 60]
    assert sixtieth == ["1h", "5m", "1m"]


async def test_symbols_are_fetched_side_by_side() -> None:
    desk = Desk(120, "BTCUSDT", "ETHUSDT")
    progress: list[int] = []
    await desk.feed.start(progress.append)
    await desk.feed.stop()
    order = [channel for channel, payload in desk.bus.rung if to_candle(payload)["interval"] == "1m"]
    assert order == [candle_close_channel("BTCUSDT"), candle_close_channel("ETHUSDT")] * 120
    assert progress[-1] == 240
    assert progress == sorted(progress)


async def test_a_closed_candle_of_the_socket_is_stored_rung_and_kept_as_the_newest(desk: Desk) -> None:
    desk.say(100)
    await desk.reached(101)
    newest = await desk.bus.newest(last_candle_key("BTCUSDT"))
    assert newest is not None
    assert np.array_equal(candle_record(to_candle(newest))[0], desk.candles["BTCUSDT"][100])
    assert desk.bus.rung[-1] == (candle_close_channel("BTCUSDT"), newest)


async def test_the_same_candle_twice_is_one_step(desk: Desk) -> None:
    desk.say(100, 100, 99, 101, 100)
    await desk.reached(102)
    assert await desk.steps() == list(range(1, 103))
    assert await desk.store.documents(CORRECTIONS) == []


async def test_a_later_row_with_other_numbers_is_kept_beside_and_never_folded(desk: Desk) -> None:
    desk.say(100)
    await desk.reached(101)
    before = await rows_of(desk.store, CANDLES, "BTCUSDT")
    desk.say(100, volume=99.0)
    await desk.kind_counted("candle", 2)
    (kept,) = await desk.store.documents(CORRECTIONS)
    assert (kept.key, kept.step) == (f"BTCUSDT:{MONDAY + 100 * MINUTE}", ORIGIN + 101)
    assert b"99.0" in kept.payload
    assert await rows_of(desk.store, CANDLES, "BTCUSDT") == before
    assert desk.feed.counts["corrections"] == 1


async def test_a_hole_is_asked_for_and_everything_follows_in_order(desk: Desk) -> None:
    desk.history.upto = 105
    desk.say(104)
    await desk.reached(105)
    assert await desk.steps() == list(range(1, 106))
    await desk.kind_counted("repaired", 4)  # the fifth is the socket's


async def test_a_hole_that_the_exchange_cannot_fill_yet_holds_the_later_minutes_back(desk: Desk) -> None:
    desk.say(103)
    await desk.kind_counted("candle", 1)
    assert await desk.head() == 100
    desk.history.upto = 103
    desk.say(100)
    await desk.reached(104)
    assert await desk.steps() == list(range(1, 105))


async def test_a_minute_that_the_exchange_does_not_have_moves_the_head_and_costs_no_row(desk: Desk) -> None:
    desk.candles["BTCUSDT"]["gap"][100:105] = 1
    desk.history.upto = 106
    desk.say(105)
    await desk.reached(106)
    assert await desk.steps() == [*range(1, 101), 106]
    assert (await desk.steps(interval="5m"))[-1] == 100  # a bucket of gaps alone has no candle


@pytest.mark.parametrize(
    "event", [("subscribed",), ("silent", "BTCUSDT"), ("bad_frame", "not JSON")], ids=["subscribed", "silent", "bad"]
)
async def test_a_connection_that_came_back_a_silence_and_a_bad_frame_are_repaired_by_rest(
    desk: Desk, event: tuple[Any, ...]
) -> None:
    desk.history.upto = 110
    desk.socket.say(event)
    await desk.reached(110)
    assert await desk.steps() == list(range(1, 111))


async def test_a_history_that_fails_is_asked_again_at_the_next_sign_of_life(desk: Desk) -> None:
    desk.history.failures.append(MarketAwayError("http://x", "nothing"))
    desk.socket.say(("subscribed",))
    await desk.kind_counted("subscribed", 1)
    desk.history.upto = 110
    desk.socket.say(("subscribed",))
    await desk.reached(110)


async def test_a_cut_is_counted_and_moves_nothing(desk: Desk) -> None:
    desk.socket.say(("cut", "reset by peer"))
    await desk.kind_counted("cut", 1)
    assert await desk.head() == 100


async def test_a_refused_mark_price_puts_no_minute_in_doubt(desk: Desk) -> None:
    asked = len(desk.history.calls)
    desk.socket.say(("bad_mark", "p: expected a price above zero"))
    desk.say(100)
    await desk.reached(101)
    assert desk.feed.counts["bad_mark"] == 1
    assert len(desk.history.calls) == asked


async def test_the_running_candle_is_rung_but_never_stored(desk: Desk) -> None:
    shown = await desk.heard_running()
    desk.run(100, 1.5)
    await until(lambda: shown == [1.5])
    assert await desk.head() == 100


async def test_a_running_candle_that_nobody_hears_is_not_worded(desk: Desk) -> None:
    desk.run(100, 1.5)
    await desk.kind_counted("running", 1)
    desk.say(100)
    await desk.reached(101)
    assert real_time_channel("BTCUSDT") not in {channel for channel, _ in desk.bus.rung}


async def test_a_running_candle_whose_minute_has_closed_is_not_shown(desk: Desk) -> None:
    shown = await desk.heard_running()
    desk.say(100)
    await desk.reached(101)
    for minute, close in ((100, 1.5), (101, 1.75)):
        desk.run(minute, close)
    await until(lambda: bool(shown))
    assert shown == [1.75]


async def test_a_symbol_that_stays_behind_the_others_is_asked_for_at_the_second_look() -> None:
    desk = Desk(120, "BTCUSDT", "ETHUSDT", upto=100)
    await desk.feed.start()
    desk.say(100)
    await desk.reached(101)
    desk.history.upto = 101
    asked = len(desk.history.calls)
    await desk.feed.poll()
    assert len(desk.history.calls) == asked
    await desk.feed.poll()
    await desk.reached(101, "ETHUSDT")
    assert {symbol for symbol, _ in desk.history.calls[asked:]} == {"ETHUSDT"}
    await desk.feed.stop()


async def test_when_nothing_at_all_is_heard_every_symbol_is_asked_for() -> None:
    desk = Desk(120, "BTCUSDT", "ETHUSDT", upto=100)
    desk.feed._ask_after_s = 0.0
    await desk.feed.start()
    desk.history.upto = 101
    await desk.feed.poll()
    await desk.reached(101)
    await desk.reached(101, "ETHUSDT")
    await desk.feed.stop()


BANNED = "banned: the venue answered with HTTP 429; no attempt for 60 s"


@pytest.mark.parametrize(
    ("said", "banned"),
    [
        (("cut", BANNED), [Ban(60_000, "HTTP 429 to a stream's handshake", address=False)]),
        (("rotation_failed", BANNED), [Ban(60_000, "HTTP 429 to a stream's handshake", address=False)]),
        (("cut", "connect_failed: HTTP error: 502 Bad Gateway"), []),
        (("rotation_failed", "closed: by the other side"), []),
    ],
)
async def test_a_ban_of_the_socket_is_handed_on_to_who_asks_the_exchange(
    said: tuple[str, str], banned: list[Ban]
) -> None:
    desk, heard = Desk(120, upto=100), []
    history, socket = desk.history, desk.socket
    feed = DataFeed(
        Letterbox(desk.store, desk.bus),
        desk.instruments,
        origins_of(desk.instruments),
        INTERVALS,
        socket,
        history,
        leave_alone=heard.append,
    )
    await feed.start()
    socket.say(said)
    await until(lambda: feed.counts[said[0]] == 1)
    await feed.stop()
    assert heard == banned


async def test_a_feed_whose_last_symbol_left_waits_for_the_next_one() -> None:
    desk = Desk(120, upto=100)
    await desk.feed.start()
    await desk.feed.remove("BTCUSDT")
    await desk.feed.poll()
    assert desk.feed.health().step is None
    await desk.feed.add(BTC, ORIGIN)
    desk.say(100)
    await desk.reached(101)
    await desk.feed.stop()


@pytest.mark.parametrize("cut", [1, 4, 5, 59, 60, 61, 137])
async def test_a_restart_anywhere_stores_the_same_candles(cut: int) -> None:
    whole, broken = Desk(180), Desk(180, upto=cut)
    for candles in (whole.candles, broken.candles):
        candles["BTCUSDT"]["gap"][57:60] = 1
        candles["BTCUSDT"]["gap"][136:138] = 1
    await whole.feed.start()
    await whole.feed.stop()
    await broken.feed.start()
    await broken.feed.stop()
    broken.history.upto = None
    broken.begin()
    await broken.feed.start()
    await broken.feed.stop()
    assert await rows_of(broken.store, CANDLES, "BTCUSDT") == await rows_of(whole.store, CANDLES, "BTCUSDT")


async def weekly(store: MemoryStore, candles: Records, upto: int) -> None:
    """Let a feed that builds weeks live up to minute ``upto``."""
    history = History({"BTCUSDT": candles}, upto, rows_a_call=5000)
    letterbox = Letterbox(store, ListeningBus())
    feed = DataFeed(letterbox, [BTC], origins_of([BTC]), [DAY, WEEK], Socket(), history)
    await feed.start()
    await feed.stop()


@pytest.mark.slow
async def test_a_restart_in_the_middle_of_a_week_keeps_the_candle_of_the_week() -> None:
    candles = market(minutes=2 * WEEK // MINUTE)
    whole, broken = MemoryStore(), MemoryStore()
    await weekly(whole, candles, len(candles))
    # a Saturday: days since the epoch and weeks since a Monday disagree about where the week began
    for upto in (len(candles) - 2 * DAY // MINUTE - 700, len(candles)):
        await weekly(broken, candles, upto)
    assert await rows_of(broken, CANDLES, "BTCUSDT") == await rows_of(whole, CANDLES, "BTCUSDT")


async def test_an_error_of_the_store_stops_the_feed_and_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(upto=100)
    await desk.feed.start()
    await desk.store.close()
    desk.say(100)
    await until(lambda: desk.feed.failure is not None)
    assert isinstance(desk.feed.failure, StoreError)
    assert caplog.text == ""  # its sentence is the line's to say
    await desk.feed.stop()


async def test_another_producer_of_the_same_stream_shuts_the_feed_out() -> None:
    desk = Desk(upto=100)
    await desk.feed.start()
    stream = Stream(CANDLES, EXCHANGE, "BTCUSDT")
    await desk.store.append(stream, ORIGIN + 101, [], after=ORIGIN + 100)
    desk.say(100)
    await until(lambda: desk.feed.failure is not None)
    assert "expected step" in str(desk.feed.failure)
    await desk.feed.stop()


async def test_without_a_clock_a_symbol_that_is_not_traded_has_gaps_as_far_as_others_have_closed() -> None:
    desk = Desk(240, "BTCUSDT", "ETHUSDT", upto=100)
    await desk.feed.start()
    desk.say(*range(100, 103))
    await desk.reached(103)
    fetched = len(desk.history.calls)
    await desk.feed.poll()
    await desk.feed.poll()
    await until(lambda: len(desk.history.calls) > fetched)
    assert await desk.head("ETHUSDT") == 100
    desk.history.listed["ETHUSDT"] = False
    await desk.feed.poll()
    await desk.reached(103, "ETHUSDT")
    assert (desk.feed.counts["gaps"], desk.feed.health().progress["halted"]) == (3, "ETHUSDT")
    await desk.feed.stop()


async def test_without_a_clock_too_only_a_second_list_that_lacks_a_symbol_proves_that_it_is_gone() -> None:
    desk = Desk(240, "BTCUSDT", "ETHUSDT", upto=100)
    await desk.feed.start()
    desk.say(100)
    await desk.reached(101)
    del desk.history.listed["ETHUSDT"]
    desk.history.failures = [UnknownSymbolError("ETHUSDT", "http://venue")]
    await desk.feed.poll()
    await desk.feed.poll()
    await until(lambda: not desk.history.failures)
    assert await desk.head("ETHUSDT") == 100
    await desk.feed.poll()
    await desk.reached(101, "ETHUSDT")
    await desk.feed.stop()

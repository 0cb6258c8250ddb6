"""The feed by the exchange's clock: deadlines, proofs, symbols that halt, fail, come and go while the others go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from sample_files import MONDAY, market
from sample_line import (
    MINUTE,
    ORIGIN,
    History,
    ListeningBus,
    Socket,
    candle_event,
    closed,
    demo_instruments,
    feed_of,
    rows_of,
    until,
)

from trading_system.contracts import to_candle
from trading_system.rules.sequencer import Page
from trading_system.services.data_feed.service import CORRECTIONS
from trading_system.services.room import CANDLES, Letterbox
from trading_system.store.memory import MemoryStore
from trading_system.venues.market_errors import MarketAwayError, UnknownSymbolError

BTC, ETH, SOL = "BTCUSDT", "ETHUSDT", "SOLUSDT"
BEGUN = 100  # minutes that were there at the start
AWAY = MarketAwayError("http://venue", "nothing")


class Market(History):
    """A public market that knows what time it is: minutes close by the clock, ``deaf`` symbols get no answer."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.candles)
        self._desk = desk
        self.deaf: dict[str, Exception] = {}
        self.stands: dict[str, int] = {}  # a symbol's last minute, while it is halted

    async def minutes(self, symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> Page:
        if symbol in self.deaf:
            self.calls.append((symbol, start))
            await asyncio.sleep(0)
            raise self.deaf[symbol]
        scripted = bool(self.answers)
        self.upto = (self._desk.now - MONDAY) // MINUTE
        page = await super().minutes(symbol, start, most, urgent=urgent)
        if scripted or page.more:
            return page
        end = self.stands.get(symbol, self.upto)
        if end < self.upto:
            rows = tuple(row for row in page.rows if row.open_time < MONDAY + end * MINUTE)
            return Page(rows, rows[-1].open_time if rows else start)
        return page._replace(rows=(*page.rows, closed(self.candles[symbol][end])))  # and the running one


class Desk:
    """A feed by a clock that the test moves."""

    def __init__(self, *symbols: str) -> None:
        self.now = MONDAY + BEGUN * MINUTE + 20_000
        self.instruments = demo_instruments(*symbols)
        self.candles = {one.symbol: market(one.symbol, 240) for one in demo_instruments(BTC, ETH, SOL)}
        self.store, self.bus, self.socket = MemoryStore(), ListeningBus(), Socket()
        self.market = Market(self)
        letterbox = Letterbox(self.store, self.bus)
        self.feed = feed_of(letterbox, self.instruments, self.market, self.socket, lambda: self.now)

    async def head(self, symbol: str = BTC) -> int:
        head, _ = await rows_of(self.store, CANDLES, symbol)
        return (head or ORIGIN) - ORIGIN

    async def steps(self, symbol: str = BTC) -> list[int]:
        _, rows = await rows_of(self.store, CANDLES, symbol)
        return [row.step - ORIGIN for row in rows if to_candle(row.payload)["interval"] == "1m"]

    async def settle(self) -> None:
        for _ in range(60):
            await asyncio.sleep(0)

    async def at(self, minute: int, seconds: float) -> None:
        """Move the clock and let the feed look."""
        self.now = MONDAY + minute * MINUTE + round(seconds * 1000)
        await self.feed.poll()
        await self.settle()

    async def through(self, minute: int, until_s: float = 31.0) -> None:
        """Let the first seconds of a minute pass, a look a second."""
        for second in range(int(until_s) + 1):
            await self.at(minute, second)

    def close(self, number: int, *symbols: str) -> None:
        """The socket brings a closed minute."""
        self.socket.say(*(candle_event(symbol, self.candles[symbol][number]) for symbol in symbols))

    async def begin(self) -> None:
        await self.feed.start()
        self.market.calls.clear()


async def desk_of(*symbols: str) -> AsyncIterator[Desk]:
    made = Desk(*symbols)
    await made.begin()
    made.socket.say(("subscribed", 1))
    await made.settle()
    made.market.calls.clear()
    yield made
    await made.feed.stop()
    assert made.feed.failure is None


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async for made in desk_of(BTC):
        yield made


@pytest.fixture
async def pair() -> AsyncIterator[Desk]:
    async for made in desk_of(BTC, ETH):
        yield made


async def test_the_warm_up_ends_with_the_newest_closed_minute(desk: Desk) -> None:
    assert await desk.steps() == list(range(1, BEGUN + 1))


async def test_a_close_that_comes_in_time_is_not_asked_for(desk: Desk) -> None:
    desk.close(BEGUN, BTC)
    await desk.settle()
    await desk.through(BEGUN + 1, 59)
    assert desk.market.calls == []
    assert desk.feed.counts["ws"] == 1


async def test_a_close_that_does_not_come_is_fetched_three_seconds_after_its_minute(desk: Desk) -> None:
    await desk.at(BEGUN + 1, 2.9)
    assert desk.market.calls == []
    await desk.at(BEGUN + 1, 3.0)
    assert await desk.head() == BEGUN + 1
    assert len(desk.market.calls) == 1
    assert desk.market.most[-1] < 10
    desk.close(BEGUN, BTC)  # late, and equal
    await desk.settle()
    assert await desk.store.documents(CORRECTIONS) == []
    assert (desk.feed.counts["repaired"], desk.feed.counts["ws"]) == (1, 0)


async def test_a_late_close_with_other_numbers_is_kept_beside_with_its_source_and_lag(desk: Desk) -> None:
    await desk.at(BEGUN + 1, 3.0)
    row = desk.candles[BTC][BEGUN].copy()
    row["volume"] += 1
    desk.now += 21_000
    desk.socket.say(candle_event(BTC, row))
    await desk.settle()
    (kept,) = await desk.store.documents(CORRECTIONS)
    assert b'"source":"ws"' in kept.payload.replace(b" ", b"")
    assert b'"lag_ms":24000' in kept.payload.replace(b" ", b"")


async def test_a_stale_newest_row_is_not_believed_until_a_second_read_agrees(desk: Desk) -> None:
    """REST shows the row as it was before the last trade, and nothing newer, for some seconds."""
    true = closed(desk.candles[BTC][BEGUN])
    stale = true._replace(volume=true.volume / 2)
    start = true.open_time
    desk.market.answers = [Page((stale,), start), Page((true,), start), Page((true,), start)]
    await desk.at(BEGUN + 1, 3)
    await desk.at(BEGUN + 1, 5)
    assert await desk.head() == BEGUN
    await desk.at(BEGUN + 1, 9)
    assert await desk.head() == BEGUN + 1
    _, rows = await rows_of(desk.store, CANDLES, BTC)
    assert to_candle(rows[-1].payload)["volume"] == true.volume


async def test_two_questions_at_once_do_not_agree_with_each_other(desk: Desk) -> None:
    stale = closed(desk.candles[BTC][BEGUN])._replace(volume=1.0)
    desk.market.answers = [Page((stale,), stale.open_time), Page((stale,), stale.open_time)]
    await desk.at(BEGUN + 1, 3)
    desk.socket.say(("silent", BTC, 30_000))
    await desk.settle()
    assert len(desk.market.calls) == 2
    assert await desk.head() == BEGUN


async def test_an_empty_answer_is_not_a_gap_and_is_asked_again(desk: Desk) -> None:
    desk.market.answers = [Page((), MONDAY + BEGUN * MINUTE)] * 2
    await desk.through(BEGUN + 1, 8)
    assert await desk.head() == BEGUN
    await desk.at(BEGUN + 1, 9)
    assert await desk.head() == BEGUN + 1
    assert desk.feed.counts["gaps"] == 0


async def test_a_missing_row_in_one_answer_is_not_a_gap(desk: Desk) -> None:
    desk.close(BEGUN + 1, BTC)
    running = closed(desk.candles[BTC][BEGUN + 2])
    newer = closed(desk.candles[BTC][BEGUN + 1])
    desk.market.answers = [Page((newer, running), running.open_time)]
    await desk.at(BEGUN + 2, 3)
    await desk.at(BEGUN + 2, 6)
    assert await desk.steps() == list(range(1, BEGUN + 3))
    assert desk.feed.counts["gaps"] == 0


async def test_a_minute_that_two_answers_lack_while_newer_ones_exist_is_a_gap(desk: Desk) -> None:
    desk.candles[BTC]["gap"][BEGUN] = 1
    await desk.through(BEGUN + 1, 16)
    assert await desk.head() == BEGUN  # for some seconds it may only be late
    await desk.at(BEGUN + 1, 17)
    assert await desk.head() == BEGUN + 1
    assert await desk.steps() == list(range(1, BEGUN + 1))
    assert desk.feed.counts["gaps"] == 1


async def test_a_venue_that_is_away_for_an_hour_makes_no_gap(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.market.deaf[BTC] = AWAY
    with caplog.at_level(logging.INFO):
        for minute in range(BEGUN + 1, BEGUN + 61):
            await desk.at(minute, 3)
            await desk.at(minute, 40)
        assert await desk.head() == BEGUN
        assert desk.feed.health().waits_for == "history"
        desk.market.deaf.clear()
        await desk.at(BEGUN + 61, 3)
    assert await desk.steps() == list(range(1, BEGUN + 62))
    assert [message for message in caplog.messages if BTC in message] == [
        f"{BTC}: {AWAY}",
        f"{BTC}: the exchange answers again",
    ]


async def test_what_all_symbols_meet_and_what_each_reconnection_meets_is_said_once(
    pair: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    pair.market.deaf.update({BTC: AWAY, ETH: AWAY})
    for minute in range(BEGUN + 1, BEGUN + 5):
        pair.socket.say(("cut", "connect_failed: refused"))
        await pair.at(minute, 3)
    pair.market.deaf.clear()
    pair.socket.say(("subscribed", 2))
    await pair.at(BEGUN + 5, 3)
    said = caplog.messages
    assert sum(str(AWAY) in message for message in said) == 1
    assert sum("the exchange answers again" in message for message in said) == 1
    assert [message for message in said if message.startswith("market data")] == [
        "market data: cut: connect_failed: refused",
        "market data: heard again",
    ]


async def test_a_symbol_whose_questions_fail_holds_up_no_other(pair: Desk) -> None:
    pair.market.deaf[ETH] = AWAY
    for number in range(BEGUN, BEGUN + 5):
        pair.close(number, BTC)
        await pair.at(number + 1, 3)
    assert (await pair.head(BTC), await pair.head(ETH)) == (BEGUN + 5, BEGUN)
    assert pair.feed.health().progress["away"] == ETH
    assert pair.feed.health().waits_for == "next_minute"


async def test_a_question_that_never_ends_holds_up_no_other(pair: Desk) -> None:
    ask, never = pair.market.minutes, asyncio.Event()

    async def minutes(symbol: str, *given: int, **more: bool) -> Page:
        if symbol == BTC:
            await never.wait()
        return await ask(symbol, *given, **more)  # type: ignore[arg-type]

    pair.market.minutes = minutes  # type: ignore[method-assign, assignment]
    await pair.at(BEGUN + 1, 3)
    assert (await pair.head(BTC), await pair.head(ETH)) == (BEGUN, BEGUN + 1)
    pair.close(BEGUN, BTC)
    await pair.settle()
    assert await pair.head(BTC) == BEGUN + 1


async def test_a_symbol_that_cannot_be_fetched_at_the_start_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(BTC, ETH)
    desk.market.deaf[ETH] = AWAY
    await desk.feed.start()
    assert (await desk.head(BTC), await desk.head(ETH)) == (BEGUN, 0)
    assert f"{ETH} is left behind for now: {AWAY}" in caplog.messages
    desk.market.deaf.clear()
    await desk.at(BEGUN + 1, 3)
    await until(lambda: desk.feed.health().step == ORIGIN + BEGUN + 1)
    await desk.feed.stop()


async def test_a_venue_that_answers_for_no_symbol_ends_the_start_in_its_sentence() -> None:
    desk = Desk(BTC, ETH)
    desk.market.deaf = {BTC: AWAY, ETH: AWAY}
    with pytest.raises(MarketAwayError, match="expected the venue's public answer"):
        await desk.feed.start()
    await desk.feed.stop()


async def test_a_halted_symbol_has_gaps_by_the_venues_word_and_the_others_go_on(
    pair: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    pair.market.stands[ETH] = BEGUN
    pair.market.listed[ETH] = False
    with caplog.at_level(logging.INFO):
        for minute in range(BEGUN + 1, BEGUN + 6):
            pair.close(minute - 1, BTC)
            await pair.through(minute, 59)
        assert await pair.head(BTC) == BEGUN + 5
        assert await pair.head(ETH) == BEGUN + 5
        assert await pair.steps(ETH) == list(range(1, BEGUN + 1))
        assert pair.feed.health().progress["halted"] == ETH
        pair.market.stands.clear()
        pair.market.listed[ETH] = True
        await pair.through(BEGUN + 6, 59)
        await pair.through(BEGUN + 7, 59)
    assert (await pair.steps(ETH))[-2:] == [BEGUN + 6, BEGUN + 7]
    assert [message for message in caplog.messages if ETH in message] == [
        f"{ETH}: the exchange does not trade it now; its minutes are gaps until it does",
        f"{ETH} trades again",
    ]


async def test_a_symbol_that_trades_but_stands_still_is_no_gap(pair: Desk) -> None:
    pair.market.stands[ETH] = BEGUN
    for minute in range(BEGUN + 1, BEGUN + 4):
        await pair.through(minute, 59)
    assert (await pair.head(BTC), await pair.head(ETH)) == (BEGUN + 3, BEGUN)


async def test_a_delisted_symbol_has_gaps_from_then_on(pair: Desk) -> None:
    pair.market.deaf[ETH] = UnknownSymbolError(ETH, "http://venue")
    del pair.market.listed[ETH]
    for minute in range(BEGUN + 1, BEGUN + 4):
        await pair.through(minute, 59)
    assert await pair.head(ETH) == BEGUN + 3
    assert await pair.steps(ETH) == list(range(1, BEGUN + 1))


async def test_symbols_that_the_socket_refuses_are_named_and_fetched_by_rest(
    pair: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    pair.socket.say(("refused", [ETH], "Invalid symbol"))
    pair.close(BEGUN, BTC)
    await pair.settle()
    await pair.at(BEGUN + 1, 3)
    assert (await pair.head(BTC), await pair.head(ETH)) == (BEGUN + 1, BEGUN + 1)
    assert pair.feed.refused == {ETH: "Invalid symbol"}
    (said,) = [message for message in caplog.messages if ETH in message]
    assert "refuses ETHUSDT (Invalid symbol)" in said


async def test_after_a_reconnection_only_what_may_have_been_missed_is_asked_for(pair: Desk) -> None:
    pair.close(BEGUN, BTC)
    await pair.settle()
    pair.now = MONDAY + (BEGUN + 1) * MINUTE + 1_500
    pair.socket.say(("cut", "reset"), ("subscribed", 2))
    await pair.settle()
    assert {symbol for symbol, _ in pair.market.calls} == {ETH}
    assert await pair.head(ETH) == BEGUN + 1


async def test_what_the_socket_brings_while_a_hole_is_fetched_follows_it(desk: Desk) -> None:
    """Subscribe first, then backfill, then release."""
    desk.now = MONDAY + (BEGUN + 6) * MINUTE + 1_500
    desk.socket.say(("subscribed", 1), candle_event(BTC, desk.candles[BTC][BEGUN + 5]))
    await desk.settle()
    assert await desk.steps() == list(range(1, BEGUN + 7))
    assert (desk.feed.counts["ws"], desk.feed.counts["rest"]) == (1, BEGUN + 5)


async def test_a_symbol_that_joins_warms_up_on_its_own_and_loses_nothing(desk: Desk) -> None:
    (eth,) = demo_instruments(ETH)
    await desk.feed.add(eth, ORIGIN + 40)
    assert desk.socket.changes == [("add", (ETH,))]
    desk.close(BEGUN, BTC, ETH)  # heard before its history is there
    desk.now = MONDAY + (BEGUN + 1) * MINUTE + 100
    await until(lambda: desk.feed.health().step == ORIGIN + BEGUN + 1)
    assert await desk.steps(ETH) == list(range(41, BEGUN + 2))
    assert await desk.head(BTC) == BEGUN + 1


async def test_a_joining_symbol_with_a_stored_past_goes_on_from_it(desk: Desk) -> None:
    (eth,) = demo_instruments(ETH)
    await desk.feed.add(eth, ORIGIN + 40)
    await until(lambda: desk.feed.health().step == ORIGIN + BEGUN)
    await desk.feed.remove(ETH)
    assert desk.socket.changes[-1] == ("remove", (ETH,))
    await desk.through(BEGUN + 3, 4)
    assert await desk.head(ETH) == BEGUN
    await desk.feed.add(eth, ORIGIN + 40)
    await until(lambda: desk.feed.health().step == ORIGIN + BEGUN + 3)
    assert await desk.steps(ETH) == list(range(41, BEGUN + 4))


async def test_the_last_words_of_a_removed_symbol_are_dropped(pair: Desk) -> None:
    await pair.feed.remove(ETH)
    pair.close(BEGUN, BTC, ETH)
    pair.socket.say(("silent", ETH, 30_000))
    await pair.settle()
    assert (await pair.head(BTC), await pair.head(ETH)) == (BEGUN + 1, BEGUN)
    assert pair.feed.health().step == ORIGIN + BEGUN + 1


async def test_a_symbol_removed_while_it_is_asked_for_is_not_written(pair: Desk) -> None:
    ask, gate, asked = pair.market.minutes, asyncio.Event(), asyncio.Event()

    async def minutes(symbol: str, *given: int, **more: bool) -> Page:
        if symbol == ETH:
            asked.set()
            await gate.wait()
        return await ask(symbol, *given, **more)  # type: ignore[arg-type]

    pair.market.minutes = minutes  # type: ignore[method-assign, assignment]
    await pair.at(BEGUN + 1, 3)
    await asked.wait()
    await pair.feed.remove(ETH)
    gate.set()
    await pair.settle()
    assert await pair.head(ETH) == BEGUN


async def test_the_lag_of_a_close_is_in_the_signs_of_life(desk: Desk) -> None:
    desk.now = MONDAY + (BEGUN + 1) * MINUTE + 740
    desk.close(BEGUN, BTC)
    await desk.settle()
    assert desk.feed.health().progress["lag_ms"] == 740

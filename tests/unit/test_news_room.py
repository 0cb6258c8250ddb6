from __future__ import annotations

from datetime import UTC

import pytest
from sample_chats import SYMBOL, StoredLine
from sample_trades import DAY, EXCHANGE, START

from trading_system.rules.roster import roster_of_names
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.telegram_engine.day_book import DayBook
from trading_system.services.telegram_engine.news import UnreadableNewsError, pack_news, unpack_news
from trading_system.services.telegram_engine.news_fold import NewsFold
from trading_system.services.telegram_engine.news_room import NewsRoom, news_of
from trading_system.store.memory import MemoryStore

ORIGIN = START // 60_000


def room_of(store: MemoryStore) -> NewsRoom:
    book = DayBook(10_000.0, START, UTC, mode="PAPER", quote="USDT")
    symbols = LineSymbols(store, EXCHANGE, roster_of_names({SYMBOL: ORIGIN}))
    return NewsRoom(store, EXCHANGE, symbols, NewsFold(book, START))


async def told(store: MemoryStore) -> list[tuple[int, bytes]]:
    head = await store.head(news_of(EXCHANGE))
    assert head is not None
    return [(row.step, row.payload) for row in await store.read(news_of(EXCHANGE), None, head)]


async def some_days(line: StoredLine, after_each: NewsRoom | None = None) -> None:
    """Three trades, one of them refused, an offer and the end of a day."""
    for number in range(3):
        await line.signal(number=number)
        for prices in ((101.0, 101.0, 99.5, 100.5), (100.5, 104.5, 100.5, 104.4), (104.4, 104.4, 99.9, 100.0)):
            await line.minute(*prices)
            if after_each is not None:
                await after_each.catch_up()
    line.book.time, line.step = START + DAY - 60_000, ORIGIN + 1439
    await line.minute(101.0)
    await line.signal(number=7)
    await line.minute(101.0)


async def test_news_made_live_at_once_and_after_a_restart_at_any_row_are_the_same() -> None:
    live = StoredLine()
    room = room_of(live.store)
    await some_days(live, room)
    await room.catch_up()
    expected = await told(live.store)
    assert {kind for _, payload in expected if (kind := type(unpack_news(payload)).__name__)} == {
        "Signalled",
        "Ordered",
        "EntryFilled",
        "TargetHit",
        "Left",
        "TradeEnded",
        "DayEnded",
    }
    once = StoredLine()
    await some_days(once)
    await room_of(once.store).catch_up()
    assert await told(once.store) == expected
    for cut in range(0, 60, 7):
        line = StoredLine()
        await some_days(line)
        head = ORIGIN + cut
        kept = [row for row in expected if row[0] <= head]
        for step in sorted({step for step, _ in kept} | {head}):
            rows = [payload for at, payload in kept if at == step]
            await line.store.append(news_of(EXCHANGE), step, rows, after=await line.store.head(news_of(EXCHANGE)))
        again = room_of(line.store)
        await again.start()
        await again.catch_up()
        assert await told(line.store) == expected, cut


async def test_a_second_maker_of_the_same_news_is_shut_out() -> None:
    line = StoredLine()
    one, other = room_of(line.store), room_of(line.store)
    await line.signal()
    await one.catch_up()
    await line.minute(101.0)
    await one.catch_up()
    with pytest.raises(Exception, match="another producer writes this stream"):
        await other.catch_up()


async def test_news_are_read_back_as_they_were_written() -> None:
    line = StoredLine()
    await some_days(line)
    await room_of(line.store).catch_up()
    for _, payload in await told(line.store):
        assert pack_news(unpack_news(payload)) == payload
    for wrong in (b"", b"[]", b'["Signalled", {}]', b'["Other", {}]', b'{"a": 1}'):
        with pytest.raises(UnreadableNewsError, match="expected news of this version"):
            unpack_news(wrong)

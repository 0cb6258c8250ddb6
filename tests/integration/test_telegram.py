from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bot_api import BotApi
from sample_chats import GROUP, OWNER, STRANGER, TRADER, VIEWER, StoredLine, owner
from sample_messages import AT
from sample_trades import DAY, EXCHANGE, MINUTE, START

from trading_system.contracts import from_ms, serialize, to_candle
from trading_system.languages.isolates import ISOLATE
from trading_system.secret import Secret
from trading_system.services.inbox import requests_of
from trading_system.services.room import CANDLES
from trading_system.services.telegram_engine.address import (
    BotAddressError,
    TelegramLibraryError,
    bot_of,
    checked_address,
)
from trading_system.services.telegram_engine.bot import TelegramBot
from trading_system.services.telegram_engine.chats import Chat, ChatListError, listed_chats
from trading_system.services.telegram_engine.messenger import UnreachableError
from trading_system.services.telegram_engine.news_room import news_of
from trading_system.services.telegram_engine.pairing import LIFE_MS, MOST_TRIES, open_door
from trading_system.services.telegram_engine.service import AlertSource, NobodyAllowedError
from trading_system.services.telegram_engine.telling import alert_text_of
from trading_system.store.port import Stream

HOUR_MS = 3_600_000


@asynccontextmanager
async def lined(*chats: Chat, advised: bool = False, **changed: Any) -> AsyncIterator[StoredLine]:
    line = StoredLine(advised=advised)
    await line.api.start()
    await line.live(*chats, **changed)
    try:
        yield line
    finally:
        if line.engine is not None:
            await line.engine.stop()
        await line.api.stop()


def heads(line: StoredLine, chat: int = OWNER) -> list[str]:
    """The first line of each message, pictures left out."""
    return [text.partition("\n")[0] for text in line.api.texts(chat)]


async def trade_to_its_stop(line: StoredLine) -> None:
    await line.signal()
    await line.minute(101.0, 101.0, 99.5, 100.5)
    await line.minute(100.5, 104.5, 100.5, 104.4)
    await line.minute(104.4, 104.4, 99.9, 100.0)


LIFE = [
    "🟢 LONG BTCUSDT · 15m",
    "🖼",
    "📤 Order placed",
    "✅ Filled",
    "🎯 TP1 hit",
    "🛑 Stop hit",
    "BTCUSDT #",
]


def assert_life(said: list[str], life: list[str] = LIFE) -> None:
    assert len(said) == len(life), said
    for text, begin in zip(said, life, strict=True):
        assert text.startswith(begin), said


async def asked(line: StoredLine) -> list[str]:
    """The commands that reached the inbox."""
    stream = requests_of(EXCHANGE, "telegram")
    head = await line.store.head(stream)
    rows = [] if head is None else await line.store.read(stream, None, head)
    from trading_system.contracts import to_command

    return [to_command(row.payload)["command"] for row in rows]


async def test_a_signals_life_is_told_in_order_text_before_picture_each_reply_in_its_thread() -> None:
    async with lined(owner()) as line:
        await line.signal()
        await line.settle()
        for prices in ((101.0, 101.0, 99.5, 100.5), (100.5, 104.5, 100.5, 104.4), (104.4, 104.4, 99.9, 100.0)):
            await line.minute(*prices)
            await line.settle()
        assert_life(heads(line))
        first, picture, *rest = line.api.chats[OWNER]
        assert picture.photo.startswith(b"\x89PNG")
        assert rest[-1].photo.startswith(b"\x89PNG")
        assert {message.reply_to for message in (picture, *rest)} == {first.id}
        assert "<code>100</code>" in first.html
        assert (line.api.too_fast, line.engine.failures) == (0, 0)


async def test_an_hour_without_telegram_loses_nothing_and_changes_no_decision() -> None:
    async with lined(owner()) as line:
        await line.api.stop()
        begun = line.clock.ms
        for _ in range(3):
            await trade_to_its_stop(line)
            await line.engine.poll()
        while line.clock.ms < begun + HOUR_MS:
            wait = await line.engine.poll()
            assert wait is not None
            line.clock.ms += wait
        assert line.api.chats[OWNER] == []
        decided = line.book.account
        await line.api.start()
        await line.settle()
        told = "\n\n".join(line.api.texts(OWNER))
        for mark, count in (("🟢", 3), ("🖼", 3), ("📤", 3), ("✅ Filled", 3), ("🎯", 3), ("🛑", 3), (": +1.0R", 3)):
            assert told.count(mark) == count, mark
        assert line.book.account == decided
        assert line.api.too_fast == 0


async def test_the_decisions_are_those_of_a_line_that_has_no_telegram_at_all(tmp_path: Path) -> None:
    async def facts(*chats: Chat, away: bool) -> list[bytes]:
        async with lined(*chats, folder=None if chats else tmp_path) as line:
            if away:
                await line.api.stop()
            for _ in range(2):
                await trade_to_its_stop(line)
                await line.engine.poll()
            stream = Stream("execution", EXCHANGE, "*")
            return [row.payload for row in await line.store.read(stream, None, line.step)]

    assert await facts(owner(), away=True) == await facts(away=False)


async def test_pauses_grow_while_nobody_answers_and_the_first_answer_ends_them() -> None:
    async with lined(owner()) as line:
        await line.api.stop()
        await line.signal()
        waits = []
        for _ in range(9):
            wait = await line.engine.poll()
            assert wait is not None
            waits.append(wait)
            line.clock.ms += wait
        assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]


async def test_many_waiting_texts_share_messages_and_nothing_is_left_out() -> None:
    async with lined(owner()) as line:
        for _ in range(4):
            await trade_to_its_stop(line)
        await line.settle()
        sent = line.api.texts(OWNER)
        whole = "\n\n".join(sent)
        assert [whole.count(mark) for mark in ("🟢", "📤", "✅ Filled", "🎯", "🛑")] == [4] * 5
        assert len(sent) < 4 * len(LIFE)
        assert whole.index("🎯") < whole.index("🛑") < whole.index(": +1.0R")


async def test_a_restart_goes_on_where_it_stopped_and_repeats_nothing() -> None:
    async with lined(owner()) as line:
        await line.signal()
        await line.settle(1_500)  # two messages' time
        assert len(line.api.chats[OWNER]) == 2
        await line.die()
        await line.minute(101.0, 101.0, 99.5, 100.5)
        await line.minute(100.5, 104.5, 100.5, 104.4)
        await line.live(owner())
        await line.settle()
        await line.die()
        await line.minute(104.4, 104.4, 99.9, 100.0)
        await line.live(owner())
        await line.settle()
        assert_life(heads(line))
        assert len({message.reply_to for message in line.api.chats[OWNER][1:]}) == 1


async def test_a_message_whose_answer_was_lost_is_repeated_once_and_says_so() -> None:
    async with lined(owner()) as line:
        line.api.lose_answers = 1
        await line.signal()
        await line.settle()
        said = line.api.texts(OWNER)
        assert said[0].startswith("🟢 LONG")
        assert said[1].startswith("(sent again: the answer to the first sending was lost)\n\n🟢 LONG")
        assert [text for text in said[2:] if "sent again" in text] == []
        assert len(said) == 4


async def test_a_kill_repeats_at_most_the_message_in_flight_marked_as_a_repeat() -> None:
    async with lined(owner()) as line:
        await line.signal()
        line.api.lose_answers = 1
        await line.engine.poll()  # sent, and then the process dies before it hears so
        await line.die()
        await line.live(owner())
        await line.settle()
        said = line.api.texts(OWNER)
        assert [text.startswith("(sent again") for text in said] == [False, True, False, False]


async def test_when_telegram_asks_for_a_pause_it_gets_it() -> None:
    async with lined(owner(), Chat(TRADER, "trader", "en")) as line:
        await line.signal()
        await line.engine.poll()
        line.engine._outbox._rates = type(line.engine._outbox._rates)()  # as after a restart: nobody knows the pace
        wait = await line.engine.poll()
        assert line.api.too_fast == 2
        assert wait == 1_000
        await line.settle()
        assert len(line.api.chats[OWNER]) == len(line.api.chats[TRADER]) == 3


async def test_the_pace_is_kept_for_chats_groups_and_all_together() -> None:
    chats = (owner(), Chat(GROUP, "viewer", "en"))
    async with lined(*chats) as line:
        for number in range(9):
            await line.signal(number=number)
            await line.minute(101.0, 104.5, 101.0, 104.4)  # missed: the entry is taken back
            await line.settle(0)
        await line.settle(10 * HOUR_MS)
        assert line.api.too_fast == 0
        assert len(line.api.chats[GROUP]) > 20
        assert "".join(line.api.texts(GROUP)).count("🟢") == 9


async def test_marks_that_telegram_cannot_read_go_as_plain_text_once(caplog: pytest.LogCaptureFixture) -> None:
    async with lined(owner()) as line:
        line.api.break_marks = 1
        await line.signal()
        with caplog.at_level(logging.WARNING):
            await line.settle()
        first = line.api.chats[OWNER][0]
        assert first.html == first.text
        assert first.text.startswith("🟢 LONG")
        assert len(line.api.chats[OWNER]) == 3
        assert caplog.text.count("could not read the mark-up") == 1


async def test_a_chat_that_shut_us_out_gets_everything_when_it_opens_again() -> None:
    async with lined(owner(), Chat(TRADER, "trader", "en")) as line:
        line.api.blocked.add(OWNER)
        await line.signal()
        await line.settle(20_000)
        assert (len(line.api.chats[OWNER]), len(line.api.chats[TRADER])) == (0, 3)
        line.api.blocked.clear()
        await line.settle(2 * HOUR_MS)
        assert len(line.api.chats[OWNER]) == 3


async def test_a_message_that_is_never_taken_is_counted_and_the_next_one_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with lined(owner()) as line:
        line.api.refusing.add(OWNER)
        await line.signal()
        with caplog.at_level(logging.ERROR):
            await line.settle()
        assert line.engine.failures == 3
        assert "it is left out" in caplog.text


async def test_a_listed_chat_that_has_not_pressed_start_yet_gets_everything_when_it_does() -> None:
    late = 777
    async with lined(Chat(late, "viewer", "en")) as line:
        await line.signal()
        await line.settle(20_000)
        line.api.people.add(late)
        line.api.chats[late] = []
        await line.settle(2 * HOUR_MS)
        assert len(line.api.chats[late]) == 3
        assert line.engine.failures == 0


async def test_strangers_groups_and_forwarded_texts_have_no_effect_and_no_answer() -> None:
    async with lined(owner(), Chat(GROUP, "viewer", "en")) as line:
        line.api.people.add(STRANGER)
        line.api.chats[STRANGER] = []
        for text in ("/status", "/start", "/start ABCDEFGH", "/panic", "hello"):
            line.api.write(STRANGER, text)
        line.api.write(OWNER, "/pause", chat=GROUP)
        line.api.write(STRANGER, "/pause", chat=GROUP)
        origin = {"type": "hidden_user", "sender_user_name": "x", "date": line.clock() // 1000}
        line.api.write(OWNER, "/pause", forward_origin=origin)
        await line.settle()
        assert line.api.texts(STRANGER) == line.api.texts(GROUP) == line.api.texts(OWNER) == []
        assert await asked(line) == []
        assert line.engine.health().progress["ignored"] == 8


async def test_old_and_repeated_updates_have_no_effect() -> None:
    async with lined(owner()) as line:
        line.api.write(OWNER, "/pause", age_s=61)
        await line.settle()
        assert await asked(line) == []
        line.api.write(OWNER, "/pause", age_s=59)
        kept = line.api.updates[-1]
        await line.settle()
        assert await asked(line) == ["pause"]
        line.engine._desk.offset = kept["update_id"]  # the server is asked for it again ...
        updates = await line.engine._messenger.updates(0, 0)
        line.engine._desk.offset = kept["update_id"] + 1
        await line.engine._desk.hear(updates)
        assert await asked(line) == ["pause"]
        await line.die()
        await line.live(owner())
        line.api.updates.append(kept)  # ... and says it once more after a restart
        await line.settle()
        assert await asked(line) == ["pause"]


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/\u202e\u2066",
        "/status\u0000x",
        "/close \U0001f600" * 50,
        "/why " + "ا" * 4000,
        "/lang \ud83d",
        "🖼" * 2000,
        "/STATUS@bot",
    ],
)
async def test_any_unicode_is_heard_without_harm(text: str) -> None:
    async with lined(owner()) as line:
        line.api.write(OWNER, text)
        await line.settle()
        line.api.write(OWNER, "/help")
        await line.settle()
        assert line.api.texts(OWNER)[-1].startswith("What you may ask")
        assert await asked(line) == []


async def test_a_code_pairs_one_chat_and_is_void_afterwards() -> None:
    codes: list[str] = []
    async with lined(show_code=codes.append) as line:
        line.api.people.add(STRANGER)
        line.api.chats[STRANGER] = []
        line.api.write(OWNER, f"/start {codes[0].lower()}")
        line.api.write(STRANGER, f"/start {codes[0]}")
        await line.settle()
        assert line.api.texts(OWNER) == ["This chat is paired as owner. /help names the commands."]
        assert line.api.texts(STRANGER) == []
        await line.signal()
        await line.settle()
        assert len(line.api.chats[OWNER]) == 4
        await line.die()
        await line.live(pairing=False)  # it is known in the next life
        line.api.write(OWNER, "/status")
        await line.settle()
        assert len(line.api.chats[OWNER]) == 5


async def test_a_code_dies_with_time_and_after_a_few_wrong_tries() -> None:
    codes: list[str] = []
    async with lined(show_code=codes.append) as line:
        line.clock.ms += LIFE_MS
        line.api.write(OWNER, f"/start {codes[0]}")
        await line.settle()
        assert line.api.texts(OWNER) == []
        code = await open_door(line.store, EXCHANGE, line.clock())
        for _ in range(MOST_TRIES):
            line.api.write(TRADER, "/start WRONGONE")
        line.api.write(OWNER, f"/start {code}")
        await line.settle()
        assert line.api.texts(OWNER) == line.api.texts(TRADER) == []


async def test_another_process_opens_the_door_for_a_viewer_and_the_owner_is_told() -> None:
    async with lined(owner()) as line:
        code = await open_door(line.store, EXCHANGE, line.clock(), "viewer")
        line.api.write(VIEWER, f"/start {code}")
        await line.settle()
        assert line.api.texts(VIEWER)[0].startswith("This chat is paired as viewer")
        assert line.api.texts(OWNER)[0].startswith(f"Chat {VIEWER} is paired as viewer now.")


async def test_a_token_with_nobody_allowed_refuses_to_start_where_pairing_is_off() -> None:
    line = StoredLine()
    with pytest.raises(NobodyAllowedError, match="expected at least one chat that is allowed, was none"):
        await line.live(pairing=False)


async def test_a_role_may_do_what_it_may_and_nothing_more() -> None:
    chats = (owner(), Chat(TRADER, "trader", "en"), Chat(VIEWER, "viewer", "en"))
    async with lined(*chats) as line:
        for who in (VIEWER, TRADER):
            for text in ("/pause", "/panic", "/status"):
                line.api.write(who, text)
        await line.settle()
        assert line.api.texts(VIEWER)[:2] == [
            "Your role is viewer; this command needs trader.",
            "Your role is viewer; this command needs owner.",
        ]
        assert "Your role is trader; this command needs owner." in line.api.texts(TRADER)
        assert await asked(line) == ["pause"]
        line.api.write(VIEWER, "/help")
        await line.settle()
        assert "/close" not in line.api.texts(VIEWER)[-1]
        assert line.api.texts(VIEWER)[2].startswith("PAPER")


async def test_a_command_is_answered_by_the_account_also_after_a_restart() -> None:
    async with lined(owner()) as line:
        await line.signal()
        await line.settle()
        line.api.write(OWNER, "/pause")
        await line.settle(9_000)
        await line.die()
        await line.minute(101.0)
        await line.live(owner())
        await line.settle()
        assert "✅ /pause: entries are off until `resume`; entries taken back: 1" in "".join(line.api.texts(OWNER))
        line.api.write(OWNER, "/pause")
        await line.settle(9_000)
        await line.minute(101.0)
        await line.settle()
        assert line.api.texts(OWNER)[-1] == "⚠️ /pause: entries are off already"
        line.api.write(OWNER, "/status")
        await line.settle()
        assert "⛔ Entries are off. You or another person switched them off" in line.api.texts(OWNER)[-1]


async def test_an_account_that_does_not_run_is_said_to_be_silent() -> None:
    async with lined(owner()) as line:
        line.api.write(OWNER, "/resume")
        await line.settle(2_000)
        assert line.api.texts(OWNER) == []
        line.clock.ms += 11_000
        await line.settle(2_000)
        assert line.api.texts(OWNER)[0].startswith("/resume: asked, not answered yet.")


async def test_panic_asks_first_and_acts_on_yes_alone() -> None:
    async with lined(owner()) as line:
        await line.signal()
        await line.settle()
        line.api.write(OWNER, "/panic")
        await line.settle()
        question = line.api.chats[OWNER][-1]
        assert [label for label, _ in question.buttons] == ["Yes, close everything", "No"]
        assert await asked(line) == []
        line.api.press(OWNER, question, question.buttons[1][1])
        line.api.press(OWNER, question, question.buttons[0][1])  # too late: it is decided
        await line.settle()
        assert (question.text, question.buttons) == ("Too late: the question has ended. Nothing was done.", [])
        assert await asked(line) == []
        line.api.write(OWNER, "/panic")
        await line.settle()
        question = line.api.chats[OWNER][-1]
        line.api.press(OWNER, question, question.buttons[0][1])
        line.api.press(OWNER, question, question.buttons[0][1])
        await line.settle(5_000)
        assert await asked(line) == ["panic"]
        await line.minute(101.0)
        await line.settle()
        told = "".join(line.api.texts(OWNER))
        assert "✅ /panic: entries are off until `resume`; entries taken back: 1; leaving at market: 0" in told
        assert line.book.account.paused


async def test_a_question_ends_with_its_time_and_belongs_to_its_chat() -> None:
    async with lined(owner(), Chat(TRADER, "trader", "en")) as line:
        line.api.write(OWNER, "/panic")
        await line.settle()
        question = line.api.chats[OWNER][-1]
        yes = question.buttons[0][1]
        line.api.press(TRADER, question, yes)
        line.api.press(STRANGER, question, yes)
        line.api.press(OWNER, question, yes, chat=GROUP)
        await line.settle()
        line.clock.ms += 30_001
        line.api.press(OWNER, question, yes)
        await line.settle()
        assert question.text.startswith("Too late")
        assert await asked(line) == []


async def test_close_asks_and_names_the_symbol() -> None:
    async with lined(owner()) as line:
        await line.signal()
        await line.settle()
        for text in ("/close NOSUCH", "/close btcusdt"):
            line.api.write(OWNER, text)
            await line.settle()
        assert "NOSUCH is not traded here. This line trades BTCUSDT." in line.api.texts(OWNER)[-2]
        question = line.api.chats[OWNER][-1]
        assert question.buttons[0][0] == "Yes, close BTCUSDT"
        line.api.press(OWNER, question, question.buttons[0][1])
        await line.settle(5_000)
        await line.minute(101.0)
        await line.settle()
        told = "".join(line.api.texts(OWNER))
        assert "✅ /close BTCUSDT: BTCUSDT: the entry is taken back" in told
        assert "⌛ Entry taken back" in told


async def test_a_press_that_waited_while_nobody_listened_takes_nothing() -> None:
    async with lined(owner(), advised=True) as line:
        await line.signal()
        await line.settle()
        offer = line.api.chats[OWNER][0]
        line.api.press(OWNER, offer, offer.buttons[0][1])
        line.clock.ms += 61_000
        await line.settle(5_000)
        assert await asked(line) == []
        assert line.engine.health().progress["ignored"] == 1
        line.api.press(OWNER, offer, offer.buttons[0][1])
        await line.settle(5_000)
        assert len(await asked(line)) == 1


async def test_panic_is_never_one_command_too_many() -> None:
    async with lined(owner()) as line:
        for _ in range(30):
            line.api.write(OWNER, "/lang en")
        line.api.write(OWNER, "/panic")
        await line.settle(60_000)
        assert any(message.buttons for message in line.api.chats[OWNER])  # it asks for confirmation


async def test_an_offer_waits_for_take_and_its_buttons_go_when_it_is_taken() -> None:
    async with lined(owner(), Chat(VIEWER, "viewer", "en"), advised=True) as line:
        plan = await line.signal()
        await line.settle()
        offer = line.api.chats[OWNER][0]
        assert [label for label, _ in offer.buttons] == ["✅ Take it", "❌ Skip"]
        assert [data for _, data in offer.buttons] == [f"take:{plan.id}", f"skip:{plan.id}"]
        assert "Waits for you until " in offer.text
        assert line.book.account.slots[0].trade is None
        line.api.press(VIEWER, line.api.chats[VIEWER][0], offer.buttons[0][1])
        await line.settle()
        assert line.api.texts(VIEWER)[-1] == "Your role is viewer; this command needs trader."
        line.api.press(OWNER, offer, offer.buttons[0][1])
        await line.settle(5_000)
        await line.minute(101.0)
        await line.settle()
        assert line.book.account.slots[0].trade is not None
        assert offer.buttons == line.api.chats[VIEWER][0].buttons == []
        told = "".join(line.api.texts(OWNER))
        assert f"✅ ✅ Take it #{plan.id[:4].upper()}: " in told
        assert "✅ Taken · BTCUSDT #" in told
        assert "📤 Order placed" in told


async def test_an_offer_that_is_skipped_or_expires_loses_its_buttons_and_says_why() -> None:
    async with lined(owner(), advised=True) as line:
        await line.signal()
        await line.settle()
        first = line.api.chats[OWNER][0]
        line.api.press(OWNER, first, first.buttons[1][1])
        await line.settle(5_000)
        await line.minute(101.0)
        await line.signal(number=2, expires_at=line.time + 45 * MINUTE)
        await line.settle()
        second = [message for message in line.api.chats[OWNER] if message.buttons][-1]
        for _ in range(45):
            await line.minute(101.0)
        await line.settle()
        told = "".join(line.api.texts(OWNER))
        assert first.buttons == second.buttons == []
        assert "❌ Skipped · BTCUSDT #" in told
        assert "⌛ The offer has ended · BTCUSDT #" in told
        assert "It did not fill in its time" in told
        assert line.book.account.slots[0].trade is None


async def test_each_chat_hears_its_own_language_and_can_choose_it() -> None:
    async with lined(owner("ar"), Chat(TRADER, "trader", "en")) as line:
        await trade_to_its_stop(line)
        await line.settle()
        assert "شراء" in line.api.texts(OWNER)[0]
        assert ISOLATE in line.api.texts(OWNER)[0]
        assert line.api.texts(TRADER)[0].startswith("🟢 LONG")
        assert line.api.chats[OWNER][1].photo != line.api.chats[TRADER][1].photo
        line.api.write(OWNER, "/lang en")
        line.api.write(TRADER, "/lang AR")
        await line.settle()
        assert line.api.texts(OWNER)[-1] == "From now on in English."
        assert line.api.texts(TRADER)[-1] == "من الآن فصاعداً بالعربية."
        await line.die()
        await line.live(owner("ar"), Chat(TRADER, "trader", "en"))
        line.api.write(TRADER, "/status")
        await line.settle()
        assert "الرصيد" in line.api.texts(TRADER)[-1]


async def test_what_is_asked_is_answered_out_of_the_store() -> None:
    async with lined(owner()) as line:
        await trade_to_its_stop(line)
        await line.signal(number=1)
        await line.minute(101.0, 101.0, 99.5, 100.5)
        await line.signal(number=2)  # refused: the slot is taken
        await line.settle()
        before = len(line.api.chats[OWNER])
        for text in ("/status", "/positions", "/signals", "/why", "/chart"):
            line.api.write(OWNER, text)
            await line.settle()
        status, positions, signals, why, chart = line.api.chats[OWNER][before:]
        assert "1 position, 0 entries wait" in status.text
        assert (
            "BTCUSDT LONG · 50.5 BTC @ 100\nnow 101 · +0.5R (+50.50 USDT)\nstop 98 · targets 104 108" in positions.text
        )
        fates = [text.rpartition(": ")[2] for text in signals.text.splitlines()]
        assert fates == ["refused, the symbol has a trade already", "open", "closed +1.0R"]
        assert "3 signals\n− 1: the symbol has a trade already" in why.text
        assert chart.photo.startswith(b"\x89PNG")


async def test_prices_blocks_and_equity_are_answered_out_of_the_cache_and_a_late_one_out_of_the_store() -> None:
    async with lined(owner()) as line:
        await line.signal()
        await line.minute(101.0, 101.0, 99.5, 100.5)
        stored = to_candle((await line.store.last(Stream(CANDLES, EXCHANGE, "BTCUSDT"), 1))[-1].payload)
        at = from_ms(line.time)
        block = {"id": "b", "exchange": EXCHANGE, "symbol": "BTCUSDT", "interval": "1h", "direction": -1, "top": 110.0}
        block |= {"bottom": 109.0, "time": at, "confirmed_at": at, "state": "formed", "volume": 1.0, "strength": 1.0}
        await line.bus.put_newest("BTCUSDT_Nearest_Order_Block_Short", line.step, serialize(block), 60)
        await line.bus.put_newest("BTCUSDT_Last_Candle", line.step, serialize({**stored, "close": 101.0}), 60)
        account = {"exchange": EXCHANGE, "step": line.step, "time": at, "equity": 10_777.0, "wallet": 10_000.0}
        account |= {"peak": 10_777.0, "day_result": 777.0, "day_locked": False, "drawdown_locked": False}
        account |= {"open_risk": 0.0, "positions": [], "waiting": []}
        await line.bus.put_newest("Account", line.step, serialize(account), 60)
        time = f"{at:%Y-%m-%d %H:%M} UTC"
        await line.settle()
        for text in ("/status", "/positions"):
            line.api.write(OWNER, text)
            await line.settle()
        status, positions = line.api.texts(OWNER)[-2:]
        assert "Equity 10,777.00" in status
        assert "1 position, 0 entries wait" in status  # what is held is never taken from the cache
        assert f"BTCUSDT 101 at {time}\nNearest order block SHORT: 109 – 110 (1h)" in status
        assert "now 101 ·" in positions
        await line.minute(100.0)
        line.api.write(OWNER, "/status")
        await line.settle()
        late = line.api.texts(OWNER)[-1]
        assert f"BTCUSDT 100 at {at + timedelta(minutes=1):%Y-%m-%d %H:%M} UTC" in late
        assert "10,777" not in late


async def test_before_the_first_minute_every_question_has_an_answer() -> None:
    async with lined(owner()) as line:
        for text in ("/status", "/positions", "/signals", "/why", "/chart"):
            line.api.write(OWNER, text)
            await line.settle()
        said = line.api.texts(OWNER)
        assert "No minute is closed yet." in said[0]
        assert said[1] == "No position, no waiting entry."
        assert said[2].startswith("No signal yet.")
        assert said[4] == "There is no closed candle of BTCUSDT yet."


async def test_a_flood_of_commands_is_not_answered_without_end() -> None:
    async with lined(owner()) as line:
        for _ in range(50):
            line.api.write(OWNER, "/help")
        await line.settle()
        assert len(line.api.chats[OWNER]) == 20


async def test_the_day_is_summed_up_at_midnight_of_the_chosen_zone() -> None:
    async with lined(owner(), told_from=START, zone=ZoneInfo("Asia/Riyadh")) as line:
        await trade_to_its_stop(line)
        while line.time < START + DAY - 3 * 60 * MINUTE:
            await line.minute(101.0)
        await line.settle()
        assert "📊" not in "".join(line.api.texts(OWNER))
        await line.minute(101.0)
        await line.settle()
        summary = line.api.texts(OWNER)[-1]
        assert summary.startswith("📊 2023-12-09 · paper\nNet +1.00% (+100.00 USDT) · 1 trade: 1 won, 0 lost")
        assert "Signals 1: 1 taken" in summary
        await line.die()
        await line.live(owner(), told_from=START, zone=ZoneInfo("Asia/Riyadh"))
        await line.minute(101.0)
        await line.settle()
        assert "".join(line.api.texts(OWNER)).count("📊") == 1


async def test_the_days_of_the_warm_up_are_not_summed_up() -> None:
    async with lined(owner(), told_from=START + 2 * DAY) as line:
        line.step += 1440  # a day that nobody traded in
        line.book.time += DAY
        await line.minute(101.0)
        await line.settle()
        assert line.api.texts(OWNER) == []


async def test_halts_refusals_and_withdrawals_are_told() -> None:
    async with lined(owner()) as line:
        for number in range(5):
            await line.signal(number=number)
            await line.minute(101.0, 101.0, 99.5, 100.5)
            await line.minute(100.0, 100.0, 97.0, 97.0)
        await line.settle()
        told = "\n".join(line.api.texts(OWNER))
        assert "⛔ Entries are off\nThe loss limit of the day is reached" in told
        assert "Not taken: loss limit of the day reached" in told


async def test_alerts_of_the_lines_health_reach_each_chat_in_its_language() -> None:
    def say(payload: bytes, language: str) -> str:
        return "" if payload == b"told already" else f"🩺 {language}: {payload.decode()}"

    stream = Stream("alerts", EXCHANGE, "*")
    async with lined(owner(), Chat(TRADER, "trader", "ar"), alerts=AlertSource(stream, say)) as line:
        await line.store.append(stream, 1, [b"no candle for 90 s"], after=None)
        await line.store.append(stream, 2, [b"told already", b"candles come again"], after=1)
        await line.settle()
        assert line.api.texts(OWNER) == ["🩺 en: no candle for 90 s", "🩺 en: candles come again"]
        assert line.api.texts(TRADER) == ["🩺 ar: no candle for 90 s", "🩺 ar: candles come again"]
        await line.api.stop()
        await line.signal()
        await line.engine.poll()
        assert line.engine.health().progress["waiting"] == 4
        assert line.engine.health().waits_for == "telegram"


@pytest.mark.parametrize("kind", ["day_loss", "service_silent"])
def test_the_beginning_of_a_halt_is_told_by_the_account_alone(kind: str) -> None:
    word = {"id": "a", "kind": kind, "subject": "data_feed", "numbers": {"age_s": 25, "loss_pct": 3.1, "lasted_s": 60}}
    begun, over = (serialize({**word, "over": end, "time": AT, "began": AT}) for end in (False, True))
    assert (alert_text_of(begun, "en") == "") is (kind == "day_loss")
    assert alert_text_of(over, "en").startswith("✅ ")
    assert "⟦" not in alert_text_of(over, "ar")


async def test_news_that_nobody_can_read_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with lined(owner()) as line:
        await line.store.append(news_of(EXCHANGE), line.step, [b'["Other", {}]'], after=None)
        line.engine._news._begun, line.engine._news.checkpoint = True, line.step
        with caplog.at_level(logging.ERROR):
            await line.settle()
        await line.signal()
        await line.settle()
        assert line.engine.failures == 1
        assert "could not be put into words" in caplog.text
        assert line.api.texts(OWNER)[0].startswith("🟢")


async def test_a_picture_that_cannot_be_made_costs_no_text(caplog: pytest.LogCaptureFixture) -> None:
    async with lined(owner()) as line:
        with caplog.at_level(logging.ERROR):
            await line.minute(101.0)
            await line.signal()

            async def broken(*_: object) -> bytes:
                raise OSError("no font")

            line.engine._pictures.of_signal = broken  # type: ignore[assignment, method-assign]
            await line.settle()
        assert_life(heads(line), ["🟢 LONG", "📤 Order placed"])
        assert line.engine.failures == 1


async def test_a_running_engine_tells_hears_and_shows_its_menu() -> None:
    line = StoredLine()
    await line.api.start()
    engine = await line.live(owner())
    await engine._messenger.close()  # ``start`` opens it again
    await engine.start()
    try:
        await line.signal()
        line.api.write(OWNER, "/status")
        async with asyncio.timeout(20):
            while not any(text.startswith("PAPER") for text in line.api.texts(OWNER)):
                line.clock.ms += 100
                await asyncio.sleep(0.01)
        assert [name for name, _ in line.api.commands[""]][:3] == ["status", "positions", "signals"]
        assert line.api.commands["ar"][0][1] == "حال الحساب"
        assert engine.failure is None
    finally:
        await engine.stop()
        await line.api.stop()


async def test_a_wrong_token_is_said_without_the_token() -> None:
    api = BotApi(lambda: 0, OWNER)
    await api.start()
    bot = TelegramBot(Secret("123:not-the-token"), api.url)
    await bot.open()
    try:
        with pytest.raises(UnreachableError, match="Telegram does not know the token") as caught:
            await bot.send(OWNER, "x", html=False)
        assert "not-the-token" not in str(caught.value)
    finally:
        await bot.close()
        await api.stop()


def test_a_token_goes_to_telegram_and_to_this_machine_only() -> None:
    assert checked_address("https://api.telegram.org/", own_server=False) == "https://api.telegram.org"
    assert checked_address("http://127.0.0.1:8081", own_server=False) == "http://127.0.0.1:8081"
    assert checked_address("https://bot.example.org", own_server=True) == "https://bot.example.org"
    for url, own in (
        ("https://api.telegram.org.evil.example", False),
        ("http://api.telegram.org", False),
        ("https://127.0.0.1@evil.example", False),
        ("http://bot.example.org", True),
        ("", True),
    ):
        with pytest.raises(BotAddressError, match=r"telegram\.base_url: expected"):
            checked_address(url, own_server=own)


def test_a_list_of_chats_says_number_role_and_language() -> None:
    assert listed_chats(["5", "7:owner", "8:trader:ar", "-9:viewer"], "en") == [
        Chat(5, "viewer", "en"),
        Chat(7, "owner", "en"),
        Chat(8, "trader", "ar"),
        Chat(-9, "viewer", "en"),
    ]
    for entry in ("*", "", "0", "7:king", "7:owner:fr", "٧", "7:owner:en:x"):
        with pytest.raises(ChatListError, match=r"telegram\.chats: expected a chat's number"):
            listed_chats([entry], "en")
    with pytest.raises(ChatListError, match="expected viewer for the group -9"):
        listed_chats(["-9:owner"], "en")


def test_a_token_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trading_system.services.telegram_engine.bot", None)
    with pytest.raises(TelegramLibraryError, match=r"install it with `pip install 'trading-system\[telegram\]'`"):
        bot_of(Secret("1:2"), "https://api.telegram.org", own_server=False)

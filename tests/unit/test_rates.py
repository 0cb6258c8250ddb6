from __future__ import annotations

import random

from trading_system.services.telegram_engine.rates import A_GROUP, OVER_ALL, Rates


def test_a_chat_hears_one_message_a_second() -> None:
    rates = Rates()
    assert rates.wait_ms(1, 5_000) == 0
    rates.sent(1, 5_000)
    assert [rates.wait_ms(1, now) for now in (5_000, 5_999, 6_000)] == [1_000, 1, 0]
    assert rates.wait_ms(2, 5_000) == 0


def test_a_group_hears_twenty_messages_a_minute() -> None:
    rates = Rates()
    for second in range(A_GROUP):
        assert rates.wait_ms(-1, second * 1_000) == 0
        rates.sent(-1, second * 1_000)
    assert rates.wait_ms(-1, 20_000) == 40_000
    assert rates.wait_ms(-1, 60_000) == 0


def test_whoever_waits_as_told_never_exceeds_any_limit() -> None:
    rates, now = Rates(), 0
    sent: list[tuple[int, int]] = []
    chance = random.Random(7)
    for _ in range(3_000):
        chat = chance.choice([*range(1, 60), -1, -2])
        now += rates.wait_ms(chat, now)
        rates.sent(chat, now)
        sent.append((now, chat))
    for begin, (time, chat) in enumerate(sent):
        later = sent[begin + 1 : begin + 200]
        assert sum(1 for at, _ in later if at < time + 1_000) < OVER_ALL
        assert not any(at < time + 1_000 for at, who in later if who == chat)
        if chat < 0:
            assert sum(1 for at, who in later if who == chat and at < time + 60_000) < A_GROUP

"""The venue's clock is measured again while a line runs, and an answer that does not come changes nothing."""

from __future__ import annotations

import asyncio

import pytest

from trading_system.venue_clock import RENEW_S, VenueClock


async def test_the_difference_is_renewed_every_ten_minutes_and_kept_where_there_is_no_answer() -> None:
    answers: list[int | Exception] = [5, 80, OSError("no answer"), -30]
    seen, slept = [], []

    async def ask() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        seen.append(clock.now_ms())
        if not answers:
            raise asyncio.CancelledError

    clock = VenueClock(ask, lambda: 1_000)
    assert clock.now_ms() == 1_000
    assert await clock.measure() == 5
    with pytest.raises(asyncio.CancelledError):
        await clock.keep_right(sleep)
    assert seen == [1_005, 1_080, 1_080, 970]
    assert slept == [RENEW_S] * 4

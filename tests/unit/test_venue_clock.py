"""The venue's clock is measured again while a line runs, and an answer that does not come changes nothing."""

from __future__ import annotations

import asyncio

import pytest

from trading_system.venue_clock import RENEW_S, VenueClock
from trading_system.venues.clock import SAMPLES, clock_offset


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


async def test_of_several_answers_the_one_that_was_quickest_tells_the_difference() -> None:
    ways_ms = [(90, 10), (40, 0), (3, 5), (0, 30), (200, 200)]  # there and back; the venue is 1000 ms ahead
    now_ms = 0

    async def server_time() -> int:
        nonlocal now_ms
        there, back = ways_ms.pop(0)
        now_ms += there
        said = now_ms + 1_000
        now_ms += back
        return said

    assert len(ways_ms) == SAMPLES
    assert await clock_offset(server_time, lambda: now_ms) == 999
    assert ways_ms == []

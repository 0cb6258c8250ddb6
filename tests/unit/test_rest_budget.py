"""A venue's budget: never more in a window than its share, silent while a ban lasts, led by the venue's own count."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_clock import START_MS, VirtualClock

from trading_system.venues.errors import NotTakenError
from trading_system.venues.rest_budget import BudgetTerms, RestBudget

TERMS = BudgetTerms("somewhere", 100, 60_000)  # 80 for what is urgent, 70 for history


async def spend(budget: RestBudget, clock: VirtualClock, weights: list[int], *, urgent: bool = True) -> list[int]:
    """Take ``weights`` at once and return when each was granted, in ms from the start."""
    granted: list[int] = []

    async def one(weight: int) -> None:
        await budget.take(weight, urgent=urgent)
        granted.append(clock.now_ms - START_MS)

    async def together() -> None:
        await asyncio.gather(*map(one, weights))

    await clock.run(together())
    return granted


async def test_what_fits_is_granted_at_once_and_the_rest_when_the_window_has_moved_on() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    assert await spend(budget, clock, [40, 40, 1, 50]) == [0, 0, 60_000, 60_000]
    assert budget.spent == 131


async def test_history_leaves_room_for_what_is_urgent() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    assert await spend(budget, clock, [70, 1], urgent=False) == [0, 60_000]
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    await spend(budget, clock, [70], urgent=False)
    assert await spend(budget, clock, [10, 1]) == [0, 60_000]


async def test_what_others_behind_the_same_address_spend_counts() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    await spend(budget, clock, [5])
    budget.heard(5)
    budget.heard(75)
    budget.heard(None)
    assert await spend(budget, clock, [5, 1]) == [0, 60_000]


async def test_a_ban_is_waited_out_by_everybody_and_said_once_with_its_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    with caplog.at_level(logging.WARNING):
        budget.ban(120_000, "HTTP 429: slow down")
        budget.ban(120_000, "HTTP 418: I said slow down")
        budget.ban(300_000, "HTTP 418: IP banned")
        budget.ban(1_000, "HTTP 429")
    assert caplog.messages == ["somewhere: no request before 2023-11-14 22:16:00 UTC, for it says HTTP 429: slow down"]
    assert budget.banned_ms == 300_000
    assert await spend(budget, clock, [1, 1]) == [300_000, 300_000]


async def test_a_ban_without_a_sane_end_is_bounded() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    budget.ban(-5, "a clock that is wrong")
    assert budget.banned_ms == 1_000
    budget.ban(1 << 60, "a clock that is very wrong")
    assert budget.banned_ms == 3 * 86_400_000


async def test_a_rest_is_kept_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    budget.heard(None, 700)
    assert await spend(budget, clock, [1]) == [700]
    assert caplog.messages == []


async def test_a_request_heavier_than_the_budget_is_still_sent_once_nothing_else_is() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    assert await spend(budget, clock, [1, 200, 1]) == [0, 60_000, 120_000]


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.integers(0, 40_000)), max_size=30))
def test_in_no_window_is_more_spent_than_the_share(requests: list[tuple[int, bool, int]]) -> None:
    async def scene() -> list[tuple[int, int]]:
        clock = VirtualClock()
        budget = RestBudget(TERMS, clock)
        spent: list[tuple[int, int]] = []

        async def one(weight: int, urgent: bool, after_ms: int) -> None:
            await clock.sleep(after_ms / 1000)
            await budget.take(weight, urgent=urgent)
            spent.append((clock.now_ms, weight))

        async def together() -> None:
            await asyncio.gather(*(one(*request) for request in requests))

        await clock.run(together())
        return spent

    spent = asyncio.run(scene())
    assert len(spent) == len(requests)
    for begin, _ in spent:
        assert sum(weight for when, weight in spent if begin <= when < begin + TERMS.window_ms) <= 80


async def test_an_order_waits_for_nothing_and_a_question_of_the_account_is_ahead_of_all_market_data() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    granted: dict[str, int] = {}

    async def market(name: str, *, urgent: bool) -> None:
        await budget.take(70, urgent=urgent)
        granted[name] = clock.now_ms - START_MS

    async def account() -> None:
        await clock.sleep(0.001)  # the pages stand in line already
        budget.spend(1)
        await budget.take_for_account(24)
        granted["account"] = clock.now_ms - START_MS
        await budget.take_for_account(1)
        granted["too many"] = clock.now_ms - START_MS
        budget.spend(1)

    await clock.run(asyncio.gather(market("first", urgent=False), market("next", urgent=False), account()))
    assert granted == {"first": 0, "account": 1, "too many": 60_000, "next": 120_000}


async def test_what_the_account_spends_is_missing_to_the_market() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    budget.spend(11)
    assert await spend(budget, clock, [69, 1]) == [0, 60_000]


async def test_while_the_address_is_shut_out_the_account_sends_nothing_and_waits_for_nothing() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    budget.ban(120_000, "HTTP 418")
    for _ in range(2):
        with pytest.raises(NotTakenError, match="not sent") as left_alone:
            budget.spend(1)
        assert left_alone.value.wait_s == 120.0
        with pytest.raises(NotTakenError):
            await budget.take_for_account(1)
    assert (budget.spent, clock.now_ms) == (0, START_MS)
    await clock.run(clock.sleep(120.0))
    budget.spend(1)


async def test_a_question_that_waits_for_room_is_given_up_when_the_address_is_shut_out() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    budget.spend(95)

    async def banned() -> None:
        await clock.sleep(1.0)
        budget.ban(120_000, "HTTP 418")

    with pytest.raises(NotTakenError):
        await clock.run(asyncio.gather(budget.take_for_account(1), banned()))


async def test_too_many_questions_of_the_market_hold_up_no_order() -> None:
    clock = VirtualClock()
    budget = RestBudget(TERMS, clock)
    budget.ban(5_000, "10006: too many visits", address=False)
    budget.heard(None, 7_000)
    budget.spend(1)
    await budget.take_for_account(1)
    assert await spend(budget, clock, [1]) == [7_000]

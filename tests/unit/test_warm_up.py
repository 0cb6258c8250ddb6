"""The history of hundreds of symbols: within the venue's budget, in order, side by side; its cost is printed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from virtual_clock import START_MS, VirtualClock

from trading_system.rules.sequencer import ClosedCandle, Page
from trading_system.services.data_feed.history import History
from trading_system.services.data_feed.warm_up import WarmUp
from trading_system.venues.binance.market import SPOT, SPOT_BUDGET
from trading_system.venues.binance_usdm.market import USDM, USDM_BUDGET
from trading_system.venues.bybit_linear.market import LINEAR_BUDGET
from trading_system.venues.market_errors import MarketAwayError
from trading_system.venues.rest_budget import BudgetTerms, RestBudget

MINUTE = 60_000
LATENCY_S = 0.1
WARM_MINUTES = 500 * 15 + 240  # 500 signal candles of 15m, and the rest of a 4h candle


class Venue:
    """A venue that has every minute, answers after a tenth of a second and counts what it is asked, in its window."""

    def __init__(self, clock: VirtualClock, terms: BudgetTerms, page: int, weight: int) -> None:
        self.clock = clock
        self.budget = RestBudget(terms, clock)
        self.page = page
        self.weight = weight
        self.requests = 0
        self.at_once = self.most_at_once = 0
        self.spent: dict[int, int] = {}
        self.deaf: set[str] = set()
        self.listed: Mapping[str, int] = {}

    async def minutes(self, symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> Page:
        weight = 1 if 0 < most < 100 else self.weight
        await self.budget.take(weight, urgent=urgent)
        window = self.clock.now_ms // self.budget.terms.window_ms
        self.spent[window] = self.spent.get(window, 0) + weight
        self.requests += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.clock.sleep(LATENCY_S)
        self.at_once -= 1
        if symbol in self.deaf:
            raise MarketAwayError("http://venue", "nothing")
        running = self.clock.now_ms // MINUTE * MINUTE
        limit = most or self.page
        times = range(max(start, self.listed.get(symbol, 0)), running + 1, MINUTE)[:limit]
        rows = tuple(ClosedCandle(time, 1.0, 1.0, 1.0, 1.0, 1.0) for time in times)
        return Page(rows, times[-1] if times else start, len(times) == limit)

    async def trading(self) -> Mapping[str, bool]:
        raise NotImplementedError


def names(count: int) -> list[str]:
    return [f"C{n:03}USDT" for n in range(count)]


async def warm_up(venue: Venue, starts: Mapping[str, int]) -> tuple[dict[str, list[int]], WarmUp]:
    """Return every symbol's minutes; each comes later than the ones before, whoever it is of."""
    got: dict[str, list[int]] = {symbol: [] for symbol in starts}
    warming = WarmUp(History(venue, venue.clock.wall_ms), starts)
    newest = 0

    async def whole() -> None:
        nonlocal newest
        async for minute in warming.minutes():
            times = {candle.open_time for _, candle in minute}
            assert len(times) == 1
            assert min(times) > newest
            newest = min(times)
            for symbol, candle in minute:
                got[symbol].append(candle.open_time)

    await venue.clock.run(whole(), settled_after=10)
    return got, warming


@pytest.mark.slow
@pytest.mark.parametrize(
    ("terms", "page", "weight", "at_most_s", "at_most_requests"),
    [
        (USDM_BUDGET, USDM.page, 2, 240, 3_600),
        (SPOT_BUDGET, SPOT.page, 2, 60, 1_900),
        (LINEAR_BUDGET, 1000, 1, 30, 1_900),
    ],
    ids=["binance_usdm", "binance", "bybit_linear"],
)
async def test_200_symbols_warm_up_within_the_budget(
    terms: BudgetTerms, page: int, weight: int, at_most_s: int, at_most_requests: int
) -> None:
    venue = Venue(VirtualClock(START_MS + 5_000), terms, page, weight)
    start = START_MS - WARM_MINUTES * MINUTE
    began = venue.clock.now_ms
    got, _ = await warm_up(venue, dict.fromkeys(names(200), start))
    seconds = (venue.clock.now_ms - began) / 1000
    print(  # noqa: T201 - the figures are what is shown
        f"{terms.name}: 200 symbols x {WARM_MINUTES} minutes: {venue.requests} requests, weight {venue.budget.spent}, "
        f"{seconds:.1f} s; most in one window {max(venue.spent.values())} of {terms.weight}"
    )
    assert max(venue.spent.values()) <= terms.weight * terms.share
    assert venue.most_at_once <= 16
    assert seconds <= at_most_s
    assert venue.requests <= at_most_requests
    expected = list(range(start, START_MS, MINUTE))
    for times in got.values():
        assert times[: len(expected)] == expected
        assert venue.clock.now_ms - times[-1] < 2 * seconds * 1000 + 3 * MINUTE


async def test_symbols_that_are_farther_behind_come_up_first() -> None:
    venue = Venue(VirtualClock(START_MS + 5_000), USDM_BUDGET, 499, 2)
    starts = {"A": START_MS - 3_000 * MINUTE, "B": START_MS - 10 * MINUTE, "C": START_MS - 1_000 * MINUTE}
    got, _ = await warm_up(venue, starts)
    assert {symbol: times[0] for symbol, times in got.items()} == starts
    assert all(times == list(range(starts[symbol], START_MS, MINUTE)) for symbol, times in got.items())


async def test_a_symbol_that_fails_is_named_and_the_others_have_all_of_theirs() -> None:
    venue = Venue(VirtualClock(START_MS + 5_000), USDM_BUDGET, 499, 2)
    venue.deaf = {"C001USDT"}
    got, warming = await warm_up(venue, dict.fromkeys(names(3), START_MS - 700 * MINUTE))
    assert {symbol: len(times) for symbol, times in got.items()} == {"C000USDT": 700, "C001USDT": 0, "C002USDT": 700}
    assert set(warming.failed) == {"C001USDT"}


async def test_a_symbol_listed_later_has_gaps_up_to_its_first_minute() -> None:
    venue = Venue(VirtualClock(START_MS + 5_000), USDM_BUDGET, 499, 2)
    venue.listed = {"C001USDT": START_MS - 20 * MINUTE}
    got, _ = await warm_up(venue, dict.fromkeys(names(2), START_MS - 1_200 * MINUTE))
    assert got["C001USDT"] == got["C000USDT"]


async def test_a_ban_in_the_middle_is_waited_out_without_a_request() -> None:
    venue = Venue(VirtualClock(START_MS + 5_000), USDM_BUDGET, 499, 2)
    venue.budget.ban(120_000, "HTTP 418")
    began = venue.clock.now_ms
    got, _ = await warm_up(venue, dict.fromkeys(names(5), START_MS - 700 * MINUTE))
    assert min(venue.spent) >= (began + 120_000) // 60_000
    assert all(len(times) >= 700 for times in got.values())


async def test_a_warm_up_that_is_given_up_leaves_no_task_behind() -> None:
    venue = Venue(VirtualClock(START_MS + 5_000), USDM_BUDGET, 499, 2)
    before = asyncio.all_tasks()
    warming = WarmUp(History(venue, venue.clock.wall_ms), dict.fromkeys(names(5), START_MS - 2_000 * MINUTE))
    minutes = warming.minutes()
    await venue.clock.run(anext(minutes))
    await minutes.aclose()
    assert asyncio.all_tasks() == before

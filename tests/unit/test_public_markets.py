"""One suite for every venue's public market: its minutes, its instruments, its volumes, its clock, its bad moods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from public_venue import BINANCE, BYBIT, MINUTE, TERMS, PublicVenue, candle, html
from virtual_clock import START_MS, VirtualClock

from trading_system.rules.sequencer import Page, gap_at
from trading_system.venues.binance_usdm.market import rows_weight
from trading_system.venues.clock import clock_offset
from trading_system.venues.known import MARKETS
from trading_system.venues.market_errors import (
    MarketAwayError,
    MarketForbiddenError,
    NotTradedError,
    UnknownSymbolError,
)
from trading_system.venues.market_port import PublicMarket, closed_from, top_by_volume

PAGES = {"binance_usdm": 499, "binance": 1000, "bybit_linear": 1000, "bybit": 1000}


class Desk(NamedTuple):
    clock: VirtualClock
    venue: PublicVenue
    market: PublicMarket


async def desk_of(name: str) -> AsyncIterator[Desk]:
    clock = VirtualClock()
    venue = PublicVenue(name, clock)
    async with venue.serving() as market:
        yield Desk(clock, venue, market)


@pytest.fixture(params=sorted(MARKETS))
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async for one in desk_of(request.param):
        yield one


@pytest.fixture(params=BINANCE)
async def binance(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async for one in desk_of(request.param):
        yield one


@pytest.fixture(params=BYBIT)
async def bybit(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async for one in desk_of(request.param):
        yield one


async def test_minutes_come_oldest_first_with_the_running_one_at_the_end(desk: Desk) -> None:
    start = START_MS - 3 * MINUTE
    page = await desk.market.minutes("BTCUSDT", start)
    rows = tuple(candle(START_MS + n * MINUTE) for n in range(-3, 1))
    assert page == Page(rows, START_MS)
    assert await closed_from(desk.market, "BTCUSDT", start) == list(rows[:-1])


async def test_pages_follow_each_other_without_a_hole_and_without_the_running_minute(desk: Desk) -> None:
    start, got = START_MS - 2_600 * MINUTE, []
    while rows := await closed_from(desk.market, "BTCUSDT", start):
        got += rows
        start = rows[-1].open_time + MINUTE
    assert got == [candle(START_MS + n * MINUTE) for n in range(-2_600, 0)]
    page = PAGES[desk.venue.name]
    assert {int(asked["limit"]) for _, asked in desk.venue.asked} == {page}
    assert len(desk.venue.asked) <= 2_600 / (page - 1) + 2


async def test_few_rows_are_asked_for_where_few_are_missing(desk: Desk) -> None:
    page = await desk.market.minutes("BTCUSDT", START_MS - 2 * MINUTE, 2)
    assert [row.open_time for row in page.rows] == [START_MS - 2 * MINUTE, START_MS - MINUTE]
    assert page.more
    assert page.proven == START_MS - MINUTE


async def test_a_hole_in_the_past_is_proven_however_long_it_is(desk: Desk) -> None:
    hole = range(START_MS - 3_000 * MINUTE, START_MS - 900 * MINUTE, MINUTE)
    desk.venue.missing = set(hole)
    start, got = START_MS - 3_002 * MINUTE, []
    while rows := await closed_from(desk.market, "BTCUSDT", start):
        got += rows
        start = rows[-1].open_time + MINUTE
    assert [row.open_time for row in got if row.gap] == list(hole)
    assert got[2] == gap_at(hole[0])
    assert got[-1] == candle(START_MS - MINUTE)


async def test_a_symbol_listed_after_the_start_has_gaps_before_its_first_minute(desk: Desk) -> None:
    desk.venue.first = START_MS - 2 * MINUTE
    rows = await closed_from(desk.market, "BTCUSDT", START_MS - 4 * MINUTE)
    assert [row.gap for row in rows] == [True, True, False, False]


async def test_nothing_newer_proves_nothing(desk: Desk) -> None:
    desk.venue.missing = {START_MS - MINUTE, START_MS}
    page = await desk.market.minutes("BTCUSDT", START_MS - MINUTE)
    assert page.rows == ()
    assert page.proven <= START_MS - MINUTE


async def test_an_unknown_symbol_is_one_sentence_with_the_nearest_known_one(desk: Desk) -> None:
    with pytest.raises(UnknownSymbolError, match=r"BTCUSD: expected a symbol of http.*was not"):
        await desk.market.minutes("BTCUSD", START_MS)
    with pytest.raises(UnknownSymbolError, match=r"expected one of the 2 symbols of .* did you mean BTCUSDT"):
        await desk.market.instruments(["ETHUSDT", "BTCUSD"])


async def test_a_symbol_that_does_not_trade_is_named_with_its_standing(desk: Desk) -> None:
    desk.venue.symbols["ETHUSDT"] = False
    with pytest.raises(NotTradedError, match=r"ETHUSDT: expected a symbol that trades at .*, was (BREAK|PreLaunch)"):
        await desk.market.instruments(["ETHUSDT"])
    assert await desk.market.trading() == {"BTCUSDT": True, "ETHUSDT": False}
    assert [one.symbol for one in await desk.market.instruments()] == ["BTCUSDT"]


@pytest.mark.parametrize(
    "odd",
    [
        {"filters": [], "priceFilter": {"tickSize": ""}},
        {"filters": "none", "priceFilter": None},
        {"filters": [{"filterType": 7}], "lotSizeFilter": [1]},
    ],
)
async def test_a_record_that_cannot_be_read_is_that_symbols_alone(
    desk: Desk, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    desk.venue.odd_rows["ETHUSDT"] = odd
    for _ in range(3):
        assert [one.symbol for one in await desk.market.instruments()] == ["BTCUSDT"]
    assert len([one for one in caplog.records if "ETHUSDT is left out of what trades" in one.getMessage()]) == 1
    assert await desk.market.trading() == {"BTCUSDT": True, "ETHUSDT": True}
    with pytest.raises(MarketAwayError, match="a record of ETHUSDT without tick, step or least notional"):
        await desk.market.instruments(["ETHUSDT"])


async def test_a_row_without_a_name_is_none(desk: Desk) -> None:
    desk.venue.odd_rows["ETHUSDT"] = {"symbol": None}
    assert [one.symbol for one in await desk.market.instruments()] == ["BTCUSDT"]


async def test_instruments_come_in_the_order_they_were_asked_for(desk: Desk) -> None:
    eth, btc = await desk.market.instruments(["ETHUSDT", "BTCUSDT"])
    assert (eth.symbol, btc.symbol) == ("ETHUSDT", "BTCUSDT")
    assert btc.exchange == desk.venue.name
    assert (btc.tick.price(1), btc.step.price(1), btc.min_notional) == (0.1, 0.001, 5.0)
    assert btc[-3:] == TERMS


async def test_the_greatest_volumes_are_those_that_trade(desk: Desk) -> None:
    desk.venue.symbols = {f"C{n}USDT": n != 3 for n in range(5)}
    assert await top_by_volume(desk.market, 3) == ("C4USDT", "C2USDT", "C1USDT")


async def test_instruments_in_pages_are_read_to_the_last(bybit: Desk) -> None:
    bybit.venue.symbols = {f"C{n}USDT": True for n in range(7)}
    bybit.venue.page_of_symbols = 3
    assert len(await bybit.market.instruments()) == 7
    assert [asked.get("cursor") for _, asked in bybit.venue.asked] == [None, "3", "6"]


async def test_the_clock_is_measured_also_when_it_is_an_hour_off(desk: Desk) -> None:
    assert await clock_offset(desk.market.server_time, lambda: desk.clock.now_ms - 3_600_000) == 3_600_000
    assert await desk.market.running_minute("BTCUSDT") == START_MS


@pytest.mark.parametrize(
    "garbage",
    [
        html,
        lambda: web.Response(text="[[1,"),
        lambda: web.json_response({"code": "x"}),
        lambda: web.json_response([[START_MS, "100", "99", "98", "100", "1", 0, "0", 1, "0", "0", "0"]]),
        lambda: web.json_response([["x"]]),
        lambda: web.json_response({"retCode": 0, "result": {"list": [[str(START_MS), "100", "99"]]}}),
        lambda: web.json_response(
            {"retCode": 0, "result": {"list": [[str(START_MS), "nan", "101", "99", "100", "1", "1"]]}}
        ),
        lambda: web.Response(status=502, text="bad gateway"),
    ],
    ids=["html", "half", "types", "impossible", "no row", "short row", "nan", "502"],
)
async def test_garbage_is_asked_again_and_after_five_times_one_sentence(desk: Desk, garbage: object) -> None:
    assert callable(garbage)
    desk.venue.answers = [garbage() for _ in range(4)]
    page = await desk.clock.run(desk.market.minutes("BTCUSDT", START_MS))
    assert page.rows[0] == candle(START_MS)
    desk.venue.answers = [garbage() for _ in range(5)]
    with pytest.raises(MarketAwayError, match=r"expected the venue's public answer, was .* after 5 attempts; look at"):
        await desk.clock.run(desk.market.minutes("BTCUSDT", START_MS))


async def test_a_web_page_is_called_one(desk: Desk) -> None:
    desk.venue.answers = [html() for _ in range(5)]
    with pytest.raises(MarketAwayError, match="was a web page"):
        await desk.clock.run(desk.market.server_time())


async def test_rows_out_of_order_are_refused(binance: Desk) -> None:
    rows = [[t, "100", "101", "99", "100", "1", 0, "0", 1, "0", "0", "0"] for t in (START_MS, START_MS - MINUTE)]
    binance.venue.answers = [web.json_response(rows) for _ in range(5)]
    with pytest.raises(MarketAwayError, match="expected rows ascending"):
        await binance.clock.run(binance.market.minutes("BTCUSDT", START_MS - MINUTE))


async def test_a_field_that_a_venue_adds_to_its_rows_changes_nothing(desk: Desk) -> None:
    row = [*map(str, candle(START_MS)[:6]), "0", "new"]
    body = {"retCode": 0, "result": {"list": [row]}, "time": START_MS}
    desk.venue.answers = [web.json_response([row] if desk.venue.name in BINANCE else body)]
    assert (await desk.market.minutes("BTCUSDT", START_MS)).rows == (candle(START_MS),)


async def test_a_row_of_another_century_is_refused(bybit: Desk) -> None:
    row = [str(START_MS + 401 * 1440 * MINUTE), "100", "101", "99", "100", "1", "1"]
    bybit.venue.answers = [
        web.json_response({"retCode": 0, "result": {"list": [row]}, "time": START_MS}) for _ in range(5)
    ]
    with pytest.raises(MarketAwayError, match="within 400 days"):
        await bybit.clock.run(bybit.market.minutes("BTCUSDT", START_MS))


@pytest.mark.parametrize(
    ("status", "headers", "text", "wait_s"),
    [
        (429, {"Retry-After": "17"}, "{}", 17),
        (429, {}, '{"code":-1003,"msg":"Too many requests"}', 60),
        (418, {}, '{"code":-1003,"msg":"Way too many requests; IP banned until {until}."}', 300),
        (418, {"Retry-After": "400"}, '{"code":-1003,"msg":"IP banned until {until}."}', 400),
        (418, {}, "", 120),
        (403, {}, "<html>", 600),
    ],
)
async def test_binance_is_left_alone_for_as_long_as_it_says(
    binance: Desk, status: int, headers: dict[str, str], text: str, wait_s: int
) -> None:
    binance.clock.now_ms = START_MS + 1_000
    text = text.replace("{until}", str(binance.clock.now_ms + 300_000))
    date = {"Date": "Tue, 14 Nov 2023 22:14:01 GMT"}
    binance.venue.answers = [web.Response(status=status, headers={**headers, **date}, text=text)]
    began = binance.clock.now_ms
    await binance.clock.run(binance.market.server_time())
    assert binance.clock.now_ms - began == wait_s * 1000
    assert len(binance.venue.asked) == 2


async def test_the_end_of_a_ban_is_counted_by_the_venues_clock(binance: Desk) -> None:
    binance.clock.now_ms -= 3_600_000  # ours is an hour behind
    text = f'{{"code":-1003,"msg":"IP banned until {START_MS + 30_000}."}}'
    binance.venue.answers = [web.Response(status=418, headers={"Date": "Tue, 14 Nov 2023 22:14:00 GMT"}, text=text)]
    await binance.clock.run(binance.market.server_time())
    assert binance.clock.now_ms == START_MS - 3_600_000 + 30_000


@pytest.mark.parametrize(
    ("answer", "wait_ms"),
    [
        (lambda now: web.json_response({"retCode": 10006, "retMsg": "Too many visits.", "time": now}), 5_000),
        (
            lambda now: web.json_response(
                {"retCode": 10006, "retMsg": "Too many visits.", "time": now},
                headers={"X-Bapi-Limit-Reset-Timestamp": str(now + 900)},
            ),
            1_000,
        ),
        (lambda now: web.Response(status=403, text=f"access too frequent {now}"), 600_000),
        (lambda now: web.Response(status=429, text=str(now)), 5_000),
    ],
    ids=["10006", "reset", "403", "429"],
)
async def test_bybit_is_left_alone_for_as_long_as_it_says(bybit: Desk, answer: object, wait_ms: int) -> None:
    assert callable(answer)
    bybit.venue.answers = [answer(START_MS)]
    await bybit.clock.run(bybit.market.server_time())
    assert bybit.clock.now_ms - START_MS == wait_ms


async def test_a_limit_that_is_used_up_is_waited_for_before_the_next_request(bybit: Desk) -> None:
    headers = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit": "10", "X-Bapi-Limit-Reset-Timestamp": str(START_MS + 700)}
    bybit.venue.answers = [web.json_response({"retCode": 0, "time": START_MS}, headers=headers)]
    assert await bybit.market.server_time() == START_MS
    assert await bybit.clock.run(bybit.market.server_time()) == START_MS + 700


async def test_every_request_waits_for_the_end_of_a_ban_and_none_is_sent_meanwhile(desk: Desk) -> None:
    ban = web.Response(status=403, headers={"Retry-After": "30"}, text="")
    desk.venue.answers = [ban]

    async def several() -> None:
        await desk.market.server_time()
        await asyncio.gather(*(desk.market.minutes("BTCUSDT", START_MS) for _ in range(3)))

    await desk.clock.run(several())
    assert desk.clock.now_ms == START_MS + 30_000
    assert len(desk.venue.asked) >= 5


async def test_a_country_that_is_not_served_is_said_after_the_third_403(desk: Desk) -> None:
    desk.venue.answers = [web.Response(status=403, text="") for _ in range(3)]
    with pytest.raises(MarketForbiddenError, match="was HTTP 403 3 times"):
        await desk.clock.run(desk.market.server_time())
    assert len(desk.venue.asked) == 3


async def test_a_wrong_question_is_not_put_twice(desk: Desk) -> None:
    answer = {"code": -1100, "msg": "Illegal characters"} if desk.venue.name in BINANCE else {"retCode": 10002}
    desk.venue.answers = [web.json_response(answer, status=400 if desk.venue.name in BINANCE else 200)]
    with pytest.raises(MarketAwayError, match=r"was (-1100: Illegal characters|10002: )"):
        await desk.market.volumes()
    assert len(desk.venue.asked) == 1


def test_the_cheapest_rows_of_usdm_are_499() -> None:
    assert [rows_weight(rows) for rows in (1, 99, 100, 499, 500, 1000, 1001, 1500)] == [1, 1, 2, 2, 5, 5, 10, 10]
    assert max(range(1, 1501), key=lambda rows: rows / rows_weight(rows)) == 499

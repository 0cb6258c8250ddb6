"""Closed minutes by REST: which rows count, which minutes are proven not to exist, and when to ask again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from trading_system.rules.sequencer import ClosedCandle
from trading_system.services.data_feed import backfill
from trading_system.services.data_feed.backfill import HistoryUnavailableError, Klines, closed_rows

MINUTE = 60_000
START = 1_700_000_040_000


def row(number: int, *prices: str) -> list[Any]:
    open_, high, low, close = prices or ("100.10", "101.00", "99.00", "100.50")
    time = START + number * MINUTE
    return [time, open_, high, low, close, "12.345", time + MINUTE - 1, "0", 7, "0", "0", "0"]


def candle(number: int) -> ClosedCandle:
    return ClosedCandle(START + number * MINUTE, 100.1, 101.0, 99.0, 100.5, 12.345)


def gap(number: int) -> ClosedCandle:
    return ClosedCandle(START + number * MINUTE, 0.0, 0.0, 0.0, 0.0, 0.0, gap=True)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], []),
        ([0], []),  # it is the running one
        ([0, 1], [candle(0)]),
        ([0, 1, 2], [candle(0), candle(1)]),
        ([2], [gap(0), gap(1)]),  # a later minute runs: the ones asked for do not exist
        ([0, 3, 4], [candle(0), gap(1), gap(2), candle(3)]),
        ([0, 1, 4], [candle(0), candle(1), gap(2), gap(3)]),
        ([1, 2], [gap(0), candle(1)]),
    ],
)
def test_a_row_is_closed_when_a_newer_one_exists_and_a_skipped_minute_is_a_gap(
    numbers: list[int], expected: list[ClosedCandle]
) -> None:
    assert closed_rows([row(number) for number in numbers], START) == expected


@pytest.mark.parametrize(
    "numbers", [[-1, 0, 1], [0, 0, 1], [1, 0, 2]], ids=["before what was asked", "twice", "descending"]
)
def test_rows_out_of_order_are_refused(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="expected rows ascending"):
        closed_rows([row(number) for number in numbers], START)


@pytest.mark.parametrize(
    "prices",
    [
        ("100", "99", "98", "100"),
        ("100", "101", "100.5", "101"),
        ("100", "nan", "98", "100"),
        ("100", "inf", "98", "100"),
        ("0", "0", "0", "0"),
        ("-1", "1", "-2", "1"),
        ("x", "1", "1", "1"),
    ],
)
def test_a_candle_that_cannot_be_is_refused(prices: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected a (sane candle|candle's row)"):
        closed_rows([row(0, *prices), row(1)], START)


@pytest.mark.parametrize(
    "broken",
    [
        [[]],
        [["1700000040000", "1", "1", "1", "1", "1"], row(1)],
        [row(0)[:4], row(1)],
        [None, row(1)],
        [[START + 7, "1", "1", "1", "1", "1"], row(1)],
        [row(0), row(600_000)],
        {"code": -1},
    ],
)
def test_a_row_of_another_shape_is_a_value_error(broken: list[Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        closed_rows(broken, START)


class Exchange:
    """A klines endpoint that answers from a list."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.asked: list[dict[str, str]] = []

    async def klines(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return self.answers.pop(0)


@pytest.fixture
async def exchange(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Exchange, Klines]]:
    monkeypatch.setattr(backfill, "FIRST_WAIT_S", 0.0)
    served = Exchange()
    app = web.Application()
    app.router.add_get("/fapi/v1/klines", served.klines)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield served, Klines(http, str(server.make_url("")).rstrip("/"))


async def test_the_minutes_asked_for_are_those_of_the_symbol_from_the_start(exchange: tuple[Exchange, Klines]) -> None:
    served, klines = exchange
    served.answers = [web.json_response([row(0), row(1)])]
    assert await klines.closed_from("BTCUSDT", START) == [candle(0)]
    assert served.asked == [{"symbol": "BTCUSDT", "interval": "1m", "startTime": str(START), "limit": "1500"}]


async def test_a_busy_or_garbled_exchange_is_asked_again(exchange: tuple[Exchange, Klines]) -> None:
    served, klines = exchange
    served.answers = [
        web.Response(status=503, text="busy"),
        web.Response(text="<html>"),
        web.json_response({"code": -1}),
        web.json_response([row(0, "100", "99", "98", "100"), row(1)]),
        web.json_response([row(0), row(1)]),
    ]
    assert await klines.closed_from("BTCUSDT", START) == [candle(0)]


async def test_an_exchange_that_never_answers_well_is_named_with_its_last_answer(
    exchange: tuple[Exchange, Klines],
) -> None:
    served, klines = exchange
    served.answers = [web.Response(status=418, text="banned") for _ in range(backfill.ATTEMPTS)]
    with pytest.raises(HistoryUnavailableError, match="was HTTP 418: banned after 5 attempts"):
        await klines.closed_from("BTCUSDT", START)

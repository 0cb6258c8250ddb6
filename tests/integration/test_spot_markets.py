"""The simulated spot markets, read as the real ones are: they have candles, instruments and volumes, and no account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
import pytest
from simulated_venue import CALM, KEY, SECRET, START, STEP, TICK, candles

from trading_system.rules.grid import Instrument
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.server import SimulatorServer
from trading_system.venues.clock import SystemClock
from trading_system.venues.known import MARKETS, VENUES
from trading_system.venues.market_port import AccountTerms, PublicMarket, top_by_volume
from trading_system.venues.rest_budget import RestBudget

TERMS = AccountTerms(0.001, 0.0008, 0.005)


class Spot(NamedTuple):
    """A spot market on loopback, and how it is asked."""

    server: SimulatorServer
    market: PublicMarket
    http: aiohttp.ClientSession
    base: str


@pytest.fixture(params=sorted(set(MARKETS) - set(VENUES)))
async def spot(request: pytest.FixtureRequest) -> AsyncIterator[Spot]:
    known = MARKETS[request.param]
    markets = {"ADAUSDT": candles(CALM, CALM), "BTCUSDT": candles(CALM, (100.0, 9_000.0, 99.0, 5_000.0))}
    instruments = [Instrument(known.name, symbol, TICK, STEP, 5.0, *TERMS) for symbol in markets]
    exchange = Exchange(instruments, markets, START, equity=10_000.0)
    server = SimulatorServer(exchange, None, KEY, SECRET)
    at = await server.start()
    try:
        async with aiohttp.ClientSession() as http:
            clock = SystemClock()
            market = known.open(http, at.http, RestBudget(known.budget, clock), clock, TERMS)
            yield Spot(server, market, http, at.http)
    finally:
        await server.stop()


async def test_a_spot_market_tells_the_instruments_that_it_was_given(spot: Spot) -> None:
    assert await spot.market.instruments() == tuple(book.instrument for book in spot.server.exchange.books.values())
    assert await spot.market.trading() == {"ADAUSDT": True, "BTCUSDT": True}


async def test_a_spot_market_tells_its_minutes_and_its_largest_volume(spot: Spot) -> None:
    assert await spot.market.running_minute("BTCUSDT") == START * 60_000
    page = await spot.market.minutes("BTCUSDT", (START - 3) * 60_000)
    assert [row.open_time // 60_000 - START for row in page.rows] == [-3, -2, -1, 0]
    await spot.server.advance()
    await spot.server.advance()
    assert list(await top_by_volume(spot.market, 1)) == ["BTCUSDT"]


@pytest.mark.parametrize("path", ["/api/v3/order", "/fapi/v1/order", "/v5/order/create"])
async def test_nobody_can_place_an_order_on_a_spot_market(spot: Spot, path: str) -> None:
    async with spot.http.post(spot.base + path, data="{}") as answer:
        assert answer.status in {400, 404}
    assert spot.server.wire["signed_requests"] == 0

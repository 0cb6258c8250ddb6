"""Requests to a venue's public side go through the proxy of the settings, of either kind, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kline_host import ArchiveHost
from proxies import proxy, socks5
from public_venue import TERMS, PublicVenue
from virtual_clock import START_MS, VirtualClock

from trading_system.research.fetched.archive import ArchiveDesk
from trading_system.research.fetched.desk import open_desk
from trading_system.research.fetched.minutes import Month
from trading_system.secret import Secret
from trading_system.settings import settings_with
from trading_system.venues.known import MARKETS
from trading_system.venues.market_errors import MarketAwayError, ProxyRefusedError
from trading_system.venues.market_port import PublicMarket
from trading_system.venues.proxy import NO_PROXY, open_http
from trading_system.venues.rest_budget import RestBudget


class Hurried(VirtualClock):
    """Nobody waits."""

    async def sleep(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def market_at(base: str, http: aiohttp.ClientSession) -> PublicMarket:
    known, clock = MARKETS["binance_usdm"], Hurried()
    return known.open(http, base, RestBudget(known.budget, clock), clock, TERMS)


@asynccontextmanager
async def venue_answering() -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", PublicVenue("binance_usdm", VirtualClock()).answer)
    async with TestServer(app) as server:
        assert server.port is not None
        yield server.port


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_carries_every_question_and_resolves_the_name_of_the_venue(scheme: str) -> None:
    async with (
        venue_answering() as port,
        proxy(socks5) as way,
        open_http(Secret(f"{scheme}://me:%73ecret@127.0.0.1:{way.port}")) as http,
    ):
        market = market_at(f"http://venue.invalid:{port}", http)
        assert await market.server_time() == START_MS
        assert await market.server_time() == START_MS
        assert way.reached == [("venue.invalid", port)]  # one connection that is kept


async def test_socks_carries_the_files_of_an_archive() -> None:
    host = ArchiveHost()
    layout = MARKETS["binance_usdm"].archive
    assert layout is not None
    async with (
        host.serving() as address,
        proxy(socks5) as way,
        open_http(Secret(f"socks5://me:secret@127.0.0.1:{way.port}")) as http,
    ):
        port = int(address.rpartition(":")[2])
        desk = ArchiveDesk(http, f"http://files.invalid:{port}", layout, VirtualClock())
        assert await desk.month("BTCUSDT", Month(2025, 3)) is None
        assert set(way.reached) == {("files.invalid", port)}


async def test_an_http_proxy_carries_every_question() -> None:
    seen: list[str] = []
    venue = PublicVenue("binance_usdm", VirtualClock())

    async def pass_on(request: web.Request) -> web.Response:
        seen.append(str(request.url))
        return await venue.answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", pass_on)
    async with TestServer(app) as server, open_http(Secret(str(server.make_url("")))) as http:
        assert await market_at("http://venue.invalid", http).server_time() == START_MS
    assert seen == ["http://venue.invalid/fapi/v1/time"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_is_not_there_is_one_sentence_without_its_password(scheme: str) -> None:
    async with open_http(Secret(f"{scheme}://me:secret@127.0.0.1:1")) as http:
        with pytest.raises(ProxyRefusedError) as refused:
            await market_at("http://127.0.0.1:2", http).server_time()
    assert "the proxy 127.0.0.1:1, was no connection to it; correct TRADING_PROXY" in str(refused.value)
    assert "secret" not in repr(refused.value)


@pytest.mark.parametrize(
    ("who", "said"),
    [("me:wr0ng@", "its refusal (Username and password"), ("", "its refusal (No acceptable authentication methods")],
)
async def test_whom_socks_does_not_know_is_told_so(who: str, said: str) -> None:
    async with proxy(socks5) as way, open_http(Secret(f"socks5://{who}127.0.0.1:{way.port}")) as http:
        with pytest.raises(ProxyRefusedError) as refused:
            await market_at("http://venue.invalid:1", http).server_time()
    assert f"the proxy 127.0.0.1:{way.port}, was {said}" in str(refused.value)
    assert "wr0ng" not in repr(refused.value)


async def test_what_speaks_no_socks_or_hangs_up_is_a_proxy_that_refuses() -> None:
    async def web_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(3)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(3)

    for talk, said in ((web_page, "its refusal (Unexpected SOCKS version"), (silence, "an answer that breaks off")):
        async with listening(talk) as port, open_http(Secret(f"socks5://127.0.0.1:{port}")) as http:
            with pytest.raises(ProxyRefusedError) as refused:
                await market_at("http://venue.invalid", http).server_time()
        assert f"was {said}" in str(refused.value)


async def test_a_venue_beyond_the_reach_of_socks_is_asked_again_before_it_counts_as_away() -> None:
    asked: list[bytes] = []

    async def no_way_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        asked.append(await reader.read(100))
        writer.write(b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00")

    async with listening(no_way_on) as port, open_http(Secret(f"socks5://127.0.0.1:{port}")) as http:
        with pytest.raises(
            MarketAwayError, match=rf"no way on from the proxy 127.0.0.1:{port} \(Host unreachable\) af"
        ):
            await market_at("http://venue.invalid", http).server_time()
    assert len(asked) == 5


async def test_without_a_proxy_the_venue_is_asked_directly() -> None:
    async with venue_answering() as port, open_http(NO_PROXY) as http:
        assert await market_at(f"http://127.0.0.1:{port}", http).server_time() == START_MS


async def test_fetched_history_goes_the_way_of_the_settings() -> None:
    async with venue_answering() as port, proxy(socks5) as way:
        settings = settings_with([f"market.rest=http://venue.invalid:{port}"])
        behind = settings.model_copy(update={"proxy": Secret(f"socks5://me:secret@127.0.0.1:{way.port}")})
        async with open_desk(behind, "binance_usdm", None) as desk:
            assert desk.market is not None
            assert await desk.market.server_time() == START_MS
        assert way.reached == [("venue.invalid", port)]

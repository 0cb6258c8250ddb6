"""What the feed makes of a venue that bans, dies half, answers in HTML or sends half a frame: one sentence, and on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from bybit_venue import bybit
from simulated_venue import CALM, START, venue
from test_feed_socket import SOON, Venue, feeding, hearing, kline, served

from trading_system.simulator.faults import Fault, FaultKind

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize("name", ["binance_usdm", "bybit_linear"])
async def test_a_line_that_died_half_is_noticed_without_data_by_its_missing_pong(name: str) -> None:
    fault = (Fault(FaultKind.HALF_OPEN, at_step=START + 1),)
    patience = {"silence_ms": 0, "ping_ms": 20, "pong_timeout_ms": 150}
    opened = (venue if name == "binance_usdm" else bybit)(CALM, CALM, faults=fault)
    async with opened as client:
        url = client.at.ws + ("/market/ws" if name == "binance_usdm" else "/v5/public/linear")
        async with hearing(url, "BTCUSDT", venue=name, **patience) as ear:
            await ear.kinds("connected", "subscribed")
            await client.server.advance()
            heard = await ear.until(lambda events: [event[0] for event in events].count("subscribed") == 1)
            assert [event[0] for event in heard][-3:] == ["cut", "connected", "subscribed"]
            assert heard[-3][1] == "half_open: nothing heard, not even a pong, for 150 ms after a ping"
            await client.server.advance()
            await ear.until(lambda events: any(event[0] == "candle" for event in events))


async def test_a_quiet_line_that_answers_pings_is_not_given_up() -> None:
    behind = Venue()
    async with served(behind) as port, feeding(port, ping_ms=20, pong_timeout_ms=150) as ear:
        await behind.next_line()
        for _ in range(20):
            await asyncio.wait_for(behind.pings.get(), SOON)
        await ear.kinds("connected", "subscribed")


@asynccontextmanager
async def answering(behind: Venue, *answers: web.Response) -> AsyncIterator[tuple[int, list[float]]]:
    """A venue that gives ``answers`` to the first handshakes; its port, and when each handshake came."""
    left, came = list(answers), list[float]()

    async def door(request: web.Request) -> web.StreamResponse:
        came.append(asyncio.get_running_loop().time())
        return left.pop(0) if left else await behind.serve(request)

    app = web.Application()
    app.router.add_get("/market/ws", door)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], came
    finally:
        await runner.cleanup()


async def test_a_ban_holds_every_further_attempt_back_as_long_as_the_venue_says() -> None:
    behind = Venue()
    ban = web.Response(status=429, headers={"Retry-After": "1"}, text="slow down")
    async with answering(behind, ban) as (port, came), feeding(port) as ear:
        await behind.next_line()
        heard = await ear.kinds("cut", "connected", "subscribed")
        assert heard[0][1] == "banned: the venue answered with HTTP 429; no attempt for 1 s"
        first, second = came
        assert second - first >= 1.0


async def test_a_country_that_bybit_does_not_serve_is_asked_again_after_ten_minutes_only() -> None:
    refusal = web.Response(status=403, text="<html>forbidden</html>", content_type="text/html")
    async with answering(Venue(), refusal) as (port, came), feeding(port, venue="bybit_linear") as ear:
        (cut,) = await ear.kinds("cut")
        assert cut[1] == "banned: the venue answered with HTTP 403; no attempt for 600 s"
        await asyncio.to_thread(ear.feed.stop)
        assert len(came) == 1


@pytest.mark.parametrize("status", [200, 502])
async def test_html_instead_of_a_handshake_is_one_sentence_and_is_tried_again(status: int) -> None:
    behind = Venue()
    page = web.Response(status=status, text="<html>maintenance</html>", content_type="text/html")
    async with answering(behind, page) as (port, _), feeding(port) as ear:
        await behind.next_line()
        heard = await ear.kinds("cut", "connected", "subscribed")
        assert heard[0][1].startswith(f"connect_failed: HTTP error: {status} ")
        assert "<" not in heard[0][1]


async def speaks_otherwise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"SSH-2.0-nothing of this kind\r\n\r\n")


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize("talk", [speaks_otherwise, hangs_up])
async def test_who_is_no_venue_is_tried_again_and_again_in_sentences_of_one_line(talk: Talk) -> None:
    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    async with server, feeding(server.sockets[0].getsockname()[1]) as ear:
        heard = await ear.until(lambda events: len(events) >= 3)
        assert all(event[0] == "cut" and event[1].startswith("connect_failed: ") for event in heard), heard
        assert not any("\n" in event[1] for event in heard)


async def test_half_a_frame_and_wrong_types_cost_one_sentence_each_and_other_symbols_go_on() -> None:
    whole = json.loads(kline("AUSDT", 0))
    behind = Venue()
    async with served(behind) as port, feeding(port, "AUSDT", "BUSDT") as ear:
        line = await behind.next_line()
        await line.send_str(kline("AUSDT", 0)[:80])
        for name, wrong in (("t", "soon"), ("o", [7.5]), ("x", "true"), ("s", 7)):
            await line.send_str(json.dumps({**whole, "k": {**whole["k"], name: wrong}}))
        await line.send_str(json.dumps({**whole, "k": "none"}))
        await line.send_str(kline("BUSDT", 0))
        heard = await ear.kinds("connected", "subscribed", *["bad_frame"] * 6, "candle")
        assert [event[1] for event in heard[2:8]] == [
            "not JSON at byte 80: expected a value",
            'k.t: expected a time in ms, was "soon"',
            "k.o: expected a text with a decimal number, not negative, was a list",
            'k.x: expected true or false, was "true"',
            "k.s: expected a text, was 7",
            "k: expected an object, was missing or not an object",
        ]


async def test_a_line_that_ends_in_the_middle_of_a_frame_is_built_anew() -> None:
    behind = Venue()
    async with served(behind) as port, feeding(port) as ear:
        line = await behind.next_line()
        await ear.kinds("connected", "subscribed")
        transport = line._req.transport if line._req else None
        assert transport is not None
        transport.write(b"\x81\x7e\x01\x00half")
        transport.close()
        line = await behind.next_line()
        await line.send_str(kline("BTCUSDT", 0))
        heard = await ear.kinds("cut", "connected", "subscribed", "candle")
        assert heard[0][1].startswith("closed: ")


async def test_a_symbol_that_bybit_does_not_know_goes_alone_and_the_others_flow() -> None:
    async with bybit(CALM) as client:
        url = f"{client.at.ws}/v5/public/linear"
        async with hearing(url, "NOUSDT", "BTCUSDT", "NONEUSDT", venue="bybit_linear") as ear:
            heard = await ear.kinds("connected", "refused", "refused", "subscribed")
            assert [event[1] for event in heard[1:]] == [["NOUSDT"], ["NONEUSDT"], 1]
            await client.server.advance()
            assert (await ear.until(lambda events: any(event[0] == "candle" for event in events)))[-1][1] == "BTCUSDT"

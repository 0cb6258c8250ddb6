"""The compiled feed against a WebSocket server on loopback that answers, cuts, babbles and falls silent as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from trading_system._feed import Feed
from trading_system.services.data_feed.market_socket import ban_of
from trading_system.venues.public_rest import Ban

MINUTE = 60_000
START = 1_626_992_700_000
SOON = 10.0


def kline(symbol: str, minute: int, *, closed: bool = True, price: str = "7.5") -> str:
    open_time = START + minute * MINUTE
    candle = {"t": open_time, "T": open_time + MINUTE - 1, "s": symbol, "i": "1m", "x": closed, "v": "3"}
    candle |= dict.fromkeys("ohlc", price)
    return json.dumps({"e": "kline", "E": open_time + MINUTE, "s": symbol, "k": candle})


@dataclass
class Venue:
    """A server that acknowledges subscriptions; what else happens the test does by hand."""

    acknowledges: bool = True
    lines: asyncio.Queue[web.WebSocketResponse] = field(default_factory=asyncio.Queue)
    asked: list[dict[str, Any]] = field(default_factory=list)
    asked_on: dict[int, dict[str, Any]] = field(default_factory=dict)
    pings: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    ended: asyncio.Queue[web.WebSocketResponse] = field(default_factory=asyncio.Queue)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse(autoping=False)
        await line.prepare(request)
        async for message in line:
            if message.type is WSMsgType.PING:
                self.pings.put_nowait(message.data)
                await line.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                asked = self.asked_on[id(line)] = json.loads(message.data)
                self.asked.append(asked)
                if self.acknowledges:
                    await line.send_str(json.dumps({"result": None, "id": asked["id"]}))
                self.lines.put_nowait(line)
        self.ended.put_nowait(line)
        return line

    async def next_line(self) -> web.WebSocketResponse:
        """The next connection that has subscribed."""
        return await asyncio.wait_for(self.lines.get(), SOON)


class Ear:
    """Hears a feed through its descriptor, as the service does."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.heard: list[tuple[Any, ...]] = []
        self.rang = asyncio.Event()

    def listen(self) -> None:
        self.heard += self.feed.drain()
        self.rang.set()

    async def until(self, wanted: Callable[[list[tuple[Any, ...]]], bool]) -> list[tuple[Any, ...]]:
        """Wait until what was heard satisfies ``wanted``, then take it."""

        async def wait() -> None:
            while not wanted(self.heard):
                self.rang.clear()
                await self.rang.wait()

        try:
            await asyncio.wait_for(wait(), SOON)
        except TimeoutError:
            pytest.fail(f"in vain; heard {self.heard}")
        heard, self.heard = self.heard, []
        return heard

    async def kinds(self, *kinds: str) -> list[tuple[Any, ...]]:
        """Wait for events of exactly these kinds in this order."""
        heard = await self.until(lambda events: len(events) >= len(kinds))
        assert [event[0] for event in heard] == list(kinds), heard
        return heard


async def turns() -> None:
    """Let the loop finish what it has begun to open or to close."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def served(venue: Venue) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/market/ws", venue.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        # A server that closes while it accepts leaks that connection: let those that knocked in first.
        await turns()
        await runner.cleanup()
        await turns()


def feeding(port: int, *symbols: str, scheme: str = "ws", **settings: Any) -> AbstractAsyncContextManager[Ear]:
    return hearing(f"{scheme}://127.0.0.1:{port}/market/ws", *symbols, **settings)


@asynccontextmanager
async def hearing(url: str, *symbols: str, **settings: Any) -> AsyncIterator[Ear]:
    settings = {"silence_ms": 0, "backoff_cap_ms": 50} | settings
    feed = Feed(url, list(symbols) or ["BTCUSDT"], **settings)
    ear = Ear(feed)
    loop = asyncio.get_running_loop()
    loop.add_reader(feed.fileno(), ear.listen)
    feed.start()
    try:
        yield ear
    finally:
        loop.remove_reader(feed.fileno())
        await asyncio.to_thread(feed.stop)
        assert not feed.is_running()


async def test_candles_flow_in_order_and_running_ones_are_told_apart() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, "BTCUSDT", "ETHUSDT") as ear:
        line = await venue.next_line()
        assert venue.asked == [{"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m", "ethusdt@kline_1m"], "id": 1}]
        assert await ear.kinds("connected", "subscribed") == [("connected",), ("subscribed", 2)]
        for minute in range(100):
            await line.send_str(kline("BTCUSDT", minute, closed=False))
            await line.send_str(kline("BTCUSDT", minute))
            await line.send_str(kline("ETHUSDT", minute))
        heard = await ear.until(lambda events: len([event for event in events if event[0] == "candle"]) == 200)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            closed = [event for event in heard if event[:2] == ("candle", symbol)]
            assert [event[2] for event in closed] == [START + minute * MINUTE for minute in range(100)]
            assert closed[0][3:] == (7.5, 7.5, 7.5, 7.5, 3.0, START + MINUTE)
        assert {event[1] for event in heard if event[0] == "running"} == {"BTCUSDT"}


async def test_the_last_running_candle_is_told_though_nothing_follows_it() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port) as ear:
        line = await venue.next_line()
        await ear.kinds("connected", "subscribed")
        for price in ("7.5", "8", "8.5"):
            await line.send_str(kline("BTCUSDT", 0, closed=False, price=price))
        heard = await ear.until(lambda events: bool(events) and events[-1][6] == 8.5)
        assert {event[0] for event in heard} == {"running"}


async def test_a_cut_is_answered_by_a_new_connection_and_a_new_subscription() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port) as ear:
        line = await venue.next_line()
        await line.send_str(kline("BTCUSDT", 0))
        await ear.kinds("connected", "subscribed", "candle")
        await line.close(code=1001, message=b"maintenance")
        line = await venue.next_line()
        cut, *_ = await ear.kinds("cut", "connected", "subscribed")
        assert cut[1].startswith("closed: ")
        assert "maintenance" in cut[1]
        assert [asked["params"] for asked in venue.asked] == [["btcusdt@kline_1m"]] * 2
        assert [asked["id"] for asked in venue.asked] == [1, 1]
        await line.send_str(kline("BTCUSDT", 1))
        await ear.kinds("candle")
        # Without a goodbye, as a crash or a middlebox does it.
        transport = line._req.transport if line._req else None
        assert transport is not None
        transport.abort()
        await venue.next_line()
        await ear.kinds("cut", "connected", "subscribed")


async def test_garbage_is_a_bad_frame_and_the_line_goes_on() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port) as ear:
        line = await venue.next_line()
        await line.send_str("garbage")
        await line.send_bytes(b"\xff\x00")
        await line.send_str(kline("BTCUSDT", 0).replace("7.5", "-7.5"))
        await line.send_str(kline("DOGEUSDT", 0))
        await line.send_str(kline("BTCUSDT", 0))
        heard = await ear.kinds("connected", "subscribed", *["bad_frame"] * 4, "candle")
        assert heard[2][1] == "not JSON at byte 0: expected '{'"


async def test_a_frame_larger_than_any_venue_sends_ends_the_connection() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port) as ear:
        line = await venue.next_line()
        await ear.kinds("connected", "subscribed")
        # The feed hangs up in the middle of it.
        with suppress(ConnectionError):
            await line.send_str("x" * (1 << 21))
        await venue.next_line()
        await ear.kinds("cut", "connected", "subscribed")


async def test_acknowledged_but_silent_is_given_up_and_tried_again() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, silence_ms=150) as ear:
        await venue.next_line()
        heard = await ear.kinds("connected", "subscribed", "silent", "cut")
        assert heard[2][1] == ""
        assert heard[3][1].startswith("acknowledged_but_silent: ")
        line = await venue.next_line()
        await line.send_str(kline("BTCUSDT", 0))
        heard = await ear.until(lambda events: any(event[0] == "cut" for event in events))
        assert [event[0] for event in heard] == ["connected", "subscribed", "candle", "silent", "cut"]
        assert heard[4][1].startswith("silent: ")


async def test_a_subscription_without_an_answer_is_given_up() -> None:
    venue = Venue(acknowledges=False)
    async with served(venue) as port, feeding(port, ack_timeout_ms=100) as ear:
        await venue.next_line()
        _, cut = await ear.kinds("connected", "cut")
        assert cut[1] == "not_acknowledged: no answer to subscription 1 within 100 ms"
        await venue.next_line()


async def test_an_old_connection_is_replaced_without_a_hole_and_without_a_repetition() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, rotate_after_s=(0.1, 0.2)) as ear:
        old = await venue.next_line()
        await old.send_str(kline("BTCUSDT", 0))
        await ear.kinds("connected", "subscribed", "candle")
        new = await venue.next_line()
        # Both lines live now; the old one still counts, and the new one has brought nothing.
        await old.send_str(kline("BTCUSDT", 1))
        await ear.kinds("candle")
        await new.send_str(kline("BTCUSDT", 1))
        await new.send_str(kline("BTCUSDT", 2))
        heard = await ear.until(lambda events: events[-1:] != [] and events[-1][0] == "candle")
        assert [event[0] for event in heard] == ["connected", "subscribed", "candle"]
        assert heard[2][2] == START + 2 * MINUTE
        assert await asyncio.wait_for(venue.ended.get(), SOON) is old


async def test_a_shutdown_notice_brings_the_successor_at_once() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port) as ear:
        old = await venue.next_line()
        await old.send_str(kline("BTCUSDT", 0))
        await old.send_str('{"e":"serverShutdown","E":1770123456789}')
        await ear.kinds("connected", "subscribed", "candle", "leaving")
        new = await venue.next_line()
        # The venue cuts before the successor brought data: it takes over at once.
        await old.close()
        await ear.kinds("cut", "connected", "subscribed")
        await new.send_str(kline("BTCUSDT", 1))
        await ear.kinds("candle")


async def test_an_exchange_that_is_not_there_is_tried_again_until_it_is() -> None:
    venue = Venue()
    async with served(venue) as port:
        pass
    async with feeding(port) as ear:
        heard = await ear.until(lambda events: len(events) >= 3)
        assert all(event[0] == "cut" and event[1].startswith("connect_failed: ") for event in heard)


async def test_a_ban_of_the_handshake_says_for_how_long_in_words_that_the_data_feed_reads() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(status=418, headers={"Retry-After": "7"})

    venue = Venue()
    venue.serve = refuse  # type: ignore[assignment, method-assign]
    async with served(venue) as port, feeding(port) as ear:
        ((kind, reason),) = await ear.kinds("cut")
        assert kind == "cut"
        assert ban_of(reason) == Ban(7_000, "HTTP 418 to a stream's handshake", address=False)


async def test_an_exchange_that_does_not_speak_tls_is_a_failed_connection_and_no_crash() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, scheme="wss") as ear:
        heard = await ear.until(lambda events: len(events) >= 2)
        assert all(event[1].startswith("connect_failed: ") for event in heard), heard
        assert ear.feed.is_running()


async def test_pings_leave_by_themselves_and_pings_of_the_venue_are_answered() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, ping_ms=20) as ear:
        line = await venue.next_line()
        await ear.kinds("connected", "subscribed")
        await line.ping(b"are you there")
        # The feed reads in order: this candle comes after its pong was queued.
        await line.send_str(kline("BTCUSDT", 0))
        await ear.kinds("candle")
        async with asyncio.timeout(SOON):
            while venue.pings.qsize() < 3:
                await line.send_str(kline("BTCUSDT", 1))
                await ear.kinds("candle")
    assert [event for event in ear.heard if event[0] == "cut"] == []


async def test_a_slow_listener_loses_no_closed_candle() -> None:
    venue = Venue()
    async with served(venue) as port:
        feed = Feed(f"ws://127.0.0.1:{port}/market/ws", ["BTCUSDT"], silence_ms=0, queue_limit=10)
        feed.start()
        line = await venue.next_line()
        sent = 20_000
        sending = asyncio.create_task(send_all(line, sent))
        opened: list[int] = []
        async with asyncio.timeout(60):
            while len(opened) < sent:
                events = feed.drain()
                opened += [event[2] for event in events if event[0] == "candle"]
                await asyncio.sleep(0)
        await sending
        await asyncio.to_thread(feed.stop)
    assert opened == [START + minute * MINUTE for minute in range(sent)]


async def send_all(line: web.WebSocketResponse, count: int) -> None:
    for minute in range(count):
        await line.send_str(kline("BTCUSDT", minute, closed=False))
        await line.send_str(kline("BTCUSDT", minute))


async def test_a_feed_starts_once_and_stops_as_often_as_one_likes() -> None:
    feed = Feed("ws://127.0.0.1:9", ["BTCUSDT"])
    feed.stop()
    assert feed.drain() == []
    with pytest.raises(RuntimeError, match="make a new Feed"):
        feed.start()
    feed = Feed("ws://127.0.0.1:9", ["BTCUSDT"])
    feed.start()
    with pytest.raises(RuntimeError, match="make a new Feed"):
        feed.start()
    feed.stop()
    feed.stop()
    assert not feed.is_running()

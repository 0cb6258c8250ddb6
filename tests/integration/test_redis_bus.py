"""The bus on a real Redis server: the contract of every bus, and what servers, networks and strangers do to it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import bus_suite
import pytest
from redis_server import PASSWORD, RedisServer, free_port

from trading_system.bus import LARGEST_PAYLOAD, Bus, BusRefusedError, BusUnreachableError
from trading_system.bus.redis import RedisBus
from trading_system.database import DatabaseUrlError, open_bus

CHANNEL = "BTCUSDT_Close_Candle"
PATIENCE_S = 20.0


def quick(url: str) -> RedisBus:
    """A bus that is impatient, so that tests are not slow."""
    return RedisBus(url, deadline_s=0.5, beat_s=0.2, pauses_s=(0.01, 0.1))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  counts have no event
            await asyncio.sleep(0.005)


async def rung_until_heard(bus: Bus, ear: bus_suite.Ear, payload: bytes) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while payload not in ear.heard:
            await bus.publish(CHANNEL, payload)
            await asyncio.sleep(0.02)


class DeafWay:
    """A way to the server on which what comes back to chosen connections is lost without any error."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.port = 0
        self.listening: set[int] = set()  # connections that have subscribed to something
        self.deaf: set[int] = set()
        self.carrying: set[asyncio.Task[None]] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.carrying.add(task)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        me = id(writer)

        async def out() -> None:
            while part := await reader.read(65_536):
                if b"SUBSCRIBE" in part:
                    self.listening.add(me)
                inner_writer.write(part)
            inner_writer.close()

        async def back() -> None:
            while part := await inner_reader.read(65_536):
                if me not in self.deaf:
                    writer.write(part)

        try:
            await asyncio.gather(out(), back())
        finally:
            for one in (writer, inner_writer):
                one.close()
                with suppress(OSError):
                    await one.wait_closed()


@asynccontextmanager
async def deaf_way(server_port: int) -> AsyncGenerator[DeafWay, None]:
    way = DeafWay(server_port)
    server = await asyncio.start_server(way.carry, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    yield way
    await asyncio.wait(way.carrying, timeout=PATIENCE_S)
    server.close()
    await server.wait_closed()


async def expect(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():  # noqa: ASYNC110  the change is the server's; there is no event to wait for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("rule", bus_suite.RULES, ids=lambda rule: rule.__name__)
async def test_the_redis_bus_keeps_the_contract(redis_server: RedisServer, rule: bus_suite.Rule) -> None:
    await rule(lambda: RedisBus(redis_server.url))


@pytest.mark.parametrize("rule", bus_suite.RULES[:2], ids=lambda rule: rule.__name__)
async def test_a_unix_socket_does_as_well(redis_server: RedisServer, rule: bus_suite.Rule) -> None:
    await rule(lambda: RedisBus(f"unix://:{PASSWORD}@{redis_server.socket}?db=0"))


def test_the_bus_between_processes_leaves_this_one(redis_server: RedisServer) -> None:
    bus = open_bus(redis_server.url)
    assert isinstance(bus, RedisBus)
    assert bus.leaves_process is True


async def test_two_buses_hear_each_other_and_a_prefix_parts_two_lines(redis_server: RedisServer) -> None:
    one, two, other = quick(redis_server.url), quick(redis_server.url), quick(redis_server.url + "?prefix=second:")
    ear, far = bus_suite.Ear(), bus_suite.Ear()
    await two.subscribe(CHANNEL, ear)
    await other.subscribe(CHANNEL, far)
    await one.publish(CHANNEL, b"to all of the first line")
    await other.publish(CHANNEL, b"to the second")
    await ear.hears(b"to all of the first line")
    await far.hears(b"to the second")
    await other.put_newest("Account", 1, b"{}", 60)
    assert await one.newest("Account") is None
    assert await other.newest("Account") == b"{}"
    for bus in (one, two, other):
        await bus.close()


async def test_redis_cli_subscribes_and_gets_what_the_bus_says(redis_server: RedisServer) -> None:
    bus = quick(redis_server.url)
    candle = json.dumps({"symbol": "BTCUSDT", "close": 1.5}).encode()
    listener = redis_server.listens("SUBSCRIBE", CHANNEL)
    assert listener.stdout is not None
    try:
        said = [await asyncio.to_thread(listener.stdout.readline) for _ in range(3)]
        assert [line.strip() for line in said] == ["subscribe", CHANNEL, "1"]
        await bus.publish(CHANNEL, candle)
        heard = [await asyncio.to_thread(listener.stdout.readline) for _ in range(3)]
        assert [line.strip() for line in heard] == ["message", CHANNEL, candle.decode()]
    finally:
        listener.terminate()
        listener.wait()
        listener.stdout.close()
    await bus.put_newest("BTCUSDT_Nearest_Order_Block_Long", 7, candle, 60)
    assert await bus.newest("BTCUSDT_Nearest_Order_Block_Long") == candle
    assert await asyncio.to_thread(redis_server.cli, "GET", "BTCUSDT_Nearest_Order_Block_Long") == candle.decode()
    assert 0 < int(await asyncio.to_thread(redis_server.cli, "TTL", "BTCUSDT_Nearest_Order_Block_Long")) <= 60
    await bus.close()


async def test_a_fact_is_gone_when_its_time_is_over_and_an_older_one_may_then_be_kept(
    redis_server: RedisServer,
) -> None:
    bus = quick(redis_server.url)
    await bus.put_newest("k", 5, b"five", 0.05)

    async def is_gone() -> bool:
        return await bus.newest("k") is None

    await expect(is_gone)
    await bus.put_newest("k", 4, b"four", 10.0)
    assert await bus.newest("k") == b"four"
    await bus.close()


async def test_a_killed_server_delays_no_ring_and_is_heard_again_when_it_is_back(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    bus, ear = quick(redis_server.url), bus_suite.Ear()
    await bus.subscribe(CHANNEL, ear)
    await rung_until_heard(bus, ear, b"before")
    with caplog.at_level(logging.INFO):
        redis_server.kill()
        await until(lambda: bus.trouble != "")
        began = time.monotonic()
        for _ in range(6_000):  # more than may wait
            await bus.publish(CHANNEL, b"meanwhile")
        assert time.monotonic() - began < 1.0
        assert bus.counts["lost"] >= 6_000 - 4_096
        with pytest.raises(BusUnreachableError, match="start the server"):
            await bus.newest("k")
        for n in range(20):
            await bus.put_newest("k", n, b"%d" % n, 60)
        await asyncio.to_thread(redis_server.start)
        await rung_until_heard(bus, ear, b"after")
    await until(lambda: bus.trouble == "")
    assert await bus.newest("k") == b"19"
    assert bus.counts["cuts"] >= 1
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len([line for line in said if line.startswith("the bus, sending")]) == 1
    assert len([line for line in said if line.startswith("the bus, listening")]) == 1
    assert PASSWORD not in caplog.text
    await bus.close()


async def test_a_hanging_server_delays_no_ring_and_is_found_out_by_the_heartbeat(redis_server: RedisServer) -> None:
    bus, ear = quick(redis_server.url), bus_suite.Ear()
    await bus.subscribe(CHANNEL, ear)
    await rung_until_heard(bus, ear, b"before")
    redis_server.freeze()
    began = time.monotonic()
    for _ in range(100):
        await bus.publish(CHANNEL, b"meanwhile")
    await bus.put_newest("k", 1, b"one", 60)
    assert time.monotonic() - began < 0.2
    with pytest.raises(BusUnreachableError):
        await bus.newest("k")
    assert time.monotonic() - began < 2.0
    await until(lambda: bus.counts["cuts"] >= 1)
    assert "no answer within" in bus.trouble
    redis_server.thaw()
    await rung_until_heard(bus, ear, b"after")
    await until(lambda: bus.trouble == "")
    assert await bus.newest("k") == b"one"
    await bus.close()


async def test_killed_connections_are_made_anew(redis_server: RedisServer) -> None:
    bus, ear = quick(redis_server.url), bus_suite.Ear()
    await bus.subscribe(CHANNEL, ear)
    await rung_until_heard(bus, ear, b"before")
    for n, kind in enumerate(("pubsub", "normal", "pubsub")):
        await asyncio.to_thread(redis_server.cli, "CLIENT", "KILL", "TYPE", kind)
        await rung_until_heard(bus, ear, b"after %d" % n)
    assert bus.counts["cuts"] >= 2
    await bus.close()


async def test_a_connection_that_hears_nothing_of_itself_is_made_anew(redis_server: RedisServer) -> None:
    async with deaf_way(redis_server.port) as way:
        bus, ear = quick(redis_server.url.replace(str(redis_server.port), str(way.port))), bus_suite.Ear()
        await bus.subscribe(CHANNEL, ear)
        await rung_until_heard(bus, ear, b"before")
        way.deaf.update(way.listening)  # both ends believe that the connection is well
        await until(lambda: bus.counts["cuts"] == 1)
        assert await asyncio.to_thread(redis_server.cli, "PING") == "PONG"
        await rung_until_heard(bus, ear, b"after")
        await bus.close()


async def test_a_process_that_was_busy_does_not_take_its_absence_for_the_server_s(redis_server: RedisServer) -> None:
    bus, ear = quick(redis_server.url), bus_suite.Ear()
    await bus.subscribe(CHANNEL, ear)
    await rung_until_heard(bus, ear, b"before")
    await bus.publish(CHANNEL, b"during")
    question = asyncio.create_task(bus.newest("k"))
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251  the whole process stands still, longer than any deadline of this bus
    assert await question is None
    await until(lambda: ear.heard[-1:] == [b"during"])
    assert (bus.counts["cuts"], bus.counts["lost"], bus.trouble) == (0, 0, "")
    await bus.close()


async def test_a_wrong_password_is_an_error_at_once_and_one_sentence(redis_server: RedisServer) -> None:
    url = f"redis://:not-{PASSWORD}@127.0.0.1:{redis_server.port}/0"
    bus = quick(url)
    with pytest.raises(
        BusRefusedError, match=r"expected redis://127.0.0.1:\d+ to let this client in, was: .*correct"
    ) as told:
        await bus.connect()
    assert PASSWORD not in str(told.value)
    with pytest.raises(BusRefusedError):
        await bus.newest("Account")
    await bus.close()
    bus = quick(url)
    with pytest.raises(BusRefusedError):
        await bus.subscribe(CHANNEL, bus_suite.Ear())
    await bus.publish(CHANNEL, b"no error: law 2")
    await bus.close()


async def test_a_password_that_is_missing_or_a_database_that_is_not_there_is_refused(redis_server: RedisServer) -> None:
    for url in (f"redis://127.0.0.1:{redis_server.port}/0", redis_server.url.replace("/0", "/99")):
        bus = quick(url)
        with pytest.raises(BusRefusedError):
            await bus.connect()
        await bus.close()


async def test_a_server_that_is_away_at_the_start_is_waited_for(redis_server: RedisServer) -> None:
    redis_server.kill()
    bus, ear = quick(redis_server.url), bus_suite.Ear()
    await bus.connect()
    await bus.subscribe(CHANNEL, ear)
    await bus.publish(CHANNEL, b"nobody may have heard this")
    assert f"redis://127.0.0.1:{redis_server.port}" in bus.trouble
    await asyncio.to_thread(redis_server.start)
    await rung_until_heard(bus, ear, b"after")
    assert bus.trouble == ""
    await bus.close()


async def test_the_pause_between_attempts_grows_up_to_its_limit() -> None:
    pauses: list[float] = []

    async def noted(pause: float) -> None:
        pauses.append(pause)
        await asyncio.sleep(0)

    bus = RedisBus(f"redis://127.0.0.1:{free_port()}", pauses_s=(0.1, 2.0), sleep=noted)
    with suppress(BusUnreachableError):
        await bus.connect()
    await until(lambda: len(pauses) >= 7)
    await bus.close()
    assert pauses[:7] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


async def test_something_that_is_no_redis_is_away_and_not_trusted() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    bus = quick(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(BusUnreachableError):
        await bus.newest("k")
    await bus.close()
    server.close()
    await server.wait_closed()


async def test_an_answer_that_nobody_foresaw_leaves_the_bus_trying(caplog: pytest.LogCaptureFixture) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while word := await reader.read(1_000):
            writer.write(b":5\r\n" if b"SUBSCRIBE" in word else b"+PONG\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(odd, "127.0.0.1", 0)
    bus = quick(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await bus.subscribe(CHANNEL, bus_suite.Ear())
    await until(lambda: caplog.text.count("the bus, listening, failed; it connects anew") >= 2)
    assert bus.trouble
    await bus.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("url", "was"),
    [
        ("redis://:secret@127.0.0.1/zero", "a database that is no number"),
        ("redis://:secret@127.0.0.1:port/0", "ort"),
        ("redis://:secret@127.0.0.1/0?timeout=1", "the option timeout"),
        ("redis://:secret@127.0.0.1/0?db=x", "db"),
        ("redis://:secret@127.0.0.1/0?prefix=a%20b", "a prefix with white space"),
        ("rediss://:secret@127.0.0.1/0?ssl_nonsense=1", "an option that the library does not know"),
        ("rabbit://:secret@127.0.0.1", "rabbit"),
    ],
)
def test_a_url_that_opens_nothing_is_refused_without_its_password(url: str, was: str) -> None:
    with pytest.raises(DatabaseUrlError, match=r"BUS_URL: expected memory:// or redis://") as told:
        open_bus(url)
    assert was in str(told.value)
    assert ":secret" not in str(told.value)


async def test_an_oversized_message_is_counted_and_heard_by_nobody(redis_server: RedisServer) -> None:
    bus, ear = quick(redis_server.url), bus_suite.Ear()
    await bus.subscribe(CHANNEL, ear)
    await asyncio.to_thread(
        redis_server.cli, "EVAL", "redis.call('PUBLISH', ARGV[1], string.rep('x', ARGV[2]))", "0", CHANNEL, "3000000"
    )
    await rung_until_heard(bus, ear, b"small")
    assert ear.heard[0] == b"small"
    assert bus.counts["too_large"] == 1
    await bus.publish(CHANNEL, b"x" * (LARGEST_PAYLOAD + 1))
    assert bus.counts["too_large"] == 2
    await asyncio.to_thread(
        redis_server.cli, "EVAL", "redis.call('SET', 'k', string.rep('x', ARGV[1]))", "0", "3000000"
    )
    assert await bus.newest("k") is None
    assert bus.counts["too_large"] == 3
    await bus.close()


async def test_a_forged_order_or_type_of_a_key_harms_nobody(redis_server: RedisServer) -> None:
    bus = quick(redis_server.url)
    await asyncio.to_thread(redis_server.cli, "SET", "k:order", "not a number")
    await bus.put_newest("k", 1, b"one", 60)
    assert await bus.newest("k") == b"one"
    await asyncio.to_thread(redis_server.cli, "LPUSH", "list", "x")
    with pytest.raises(BusRefusedError, match="WRONGTYPE"):
        await bus.newest("list")
    await asyncio.to_thread(redis_server.cli, "LPUSH", "mine:order", "x")
    await bus.put_newest("mine", 1, b"one", 60)
    assert await bus.newest("mine") is None
    assert bus.counts["refused"] == 1
    await bus.close()


async def test_a_slow_listener_delays_no_other_and_holds_a_bounded_backlog(redis_server: RedisServer) -> None:
    bus, ear = quick(redis_server.url), bus_suite.Ear()
    may_go = asyncio.Event()
    slow_heard: list[bytes] = []

    async def slow(payload: bytes) -> None:
        await may_go.wait()
        slow_heard.append(payload)

    await bus.subscribe(CHANNEL, slow)
    await bus.subscribe(CHANNEL, ear)
    messages = [b"%d" % n for n in range(3_000)]
    for message in messages:
        await bus.publish(CHANNEL, message)
    await ear.hears(*messages)
    may_go.set()
    await until(lambda: slow_heard[-1:] == messages[-1:])
    assert bus.counts["overflowed"] == 3_000 - len(slow_heard) > 0
    await bus.close()


async def test_closing_sends_what_is_queued_and_leaves_no_connection(redis_server: RedisServer) -> None:
    hearing, ear = quick(redis_server.url), bus_suite.Ear()
    await hearing.subscribe(CHANNEL, ear)
    bus = quick(redis_server.url)
    await bus.publish(CHANNEL, b"last words")
    await bus.close()
    await ear.hears(b"last words")
    await hearing.close()

    async def is_alone() -> bool:
        return len((await asyncio.to_thread(redis_server.cli, "CLIENT", "LIST")).splitlines()) == 1

    await expect(is_alone)

"""The proxy of the tests fails in the way it is told to, and otherwise forwards every byte."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fault_proxy import FaultProxy


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1_000):
        writer.write(data)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with FaultProxy(server.sockets[0].getsockname()[1]) as made:
        yield made
    server.close()


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, word: bytes) -> bytes:
    writer.write(word)
    return await reader.readexactly(len(word))


async def test_every_byte_is_forwarded_and_comes_back(proxy: FaultProxy) -> None:
    ends = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await _said(*ends, b"x" * 300_000) == b"x" * 300_000
    ends[1].close()


async def test_a_cut_ends_open_connections_and_the_next_one_is_served(proxy: FaultProxy) -> None:
    ends = await asyncio.open_connection("127.0.0.1", proxy.port)
    await _said(*ends, b"a")
    proxy.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await _said(*ends, b"b")
    ends[1].close()
    again = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await _said(*again, b"c") == b"c"
    assert proxy.connections == 2
    again[1].close()


async def test_what_hangs_is_forwarded_later_and_a_refusal_is_one(proxy: FaultProxy) -> None:
    ends = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.hang()
    asked = asyncio.create_task(_said(*ends, b"a"))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not asked.done()
    proxy.pass_on()
    assert await asked == b"a"
    ends[1].close()
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.accept()
    again = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await _said(*again, b"c") == b"c"
    again[1].close()


def test_as_a_process_it_obeys_a_word_a_line() -> None:
    program = Path(sys.modules[FaultProxy.__module__].__file__ or "")
    process = subprocess.Popen(
        [sys.executable, str(program), "9"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0
    for word in ("cut", "hang", "mute", "delay 0.5", "refuse", "pass"):
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
    process.communicate()
    assert process.returncode == 0

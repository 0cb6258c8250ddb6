"""Proxies of both kinds on loopback, which let ``me`` with the password ``secret`` through and note where to."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

Place = tuple[str, int]
Handshake = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Place | None]]

NOWHERE = ".invalid"
"""Hosts whose names end so are known to a proxy alone: they are this machine."""


class Carrying(NamedTuple):
    """A proxy that runs: its port, and where it was asked to go."""

    port: int
    reached: list[Place]


@asynccontextmanager
async def proxy(handshake: Handshake, *here: str) -> AsyncIterator[Carrying]:
    """A proxy that carries bytes to where ``handshake`` says, on a free port; the hosts ``here`` are this machine."""
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()
    reached: list[Place] = []

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # either end may go first
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        place = None
        with suppress(asyncio.IncompleteReadError):  # who dials may give up
            place = await handshake(reader, writer)
        if place is None:
            writer.close()
            return
        reached.append(place)
        host, port = place
        onward, back = await asyncio.open_connection("127.0.0.1" if host.endswith((NOWHERE, *here)) else host, port)
        writers.add(back)
        tasks.add(asyncio.create_task(carry(reader, back)))
        tasks.add(asyncio.create_task(carry(onward, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Carrying(server.sockets[0].getsockname()[1], reached)
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def http_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Place | None:
    """CONNECT, as an HTTP proxy is asked."""
    asked = (await reader.readuntil(b"\r\n\r\n")).decode()
    if f"Proxy-Authorization: Basic {base64.b64encode(b'me:secret').decode()}" not in asked:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        return None
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    host, _, port = asked.split()[1].partition(":")
    return host, int(port)


async def socks5(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Place | None:
    """RFC 1928 with the name and password of RFC 1929; it takes nobody without them."""
    version, offers = await reader.readexactly(2)
    if version != 5 or 2 not in await reader.readexactly(offers):
        writer.write(b"\x05\xff")
        return None
    writer.write(b"\x05\x02")
    _, length = await reader.readexactly(2)
    name = await reader.readexactly(length)
    password = await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x01\x00" if (name, password) == (b"me", b"secret") else b"\x01\x01")
    if (name, password) != (b"me", b"secret"):
        return None
    kind = await reader.readexactly(4)
    if kind == b"\x05\x01\x00\x01":
        host = str(ipaddress.ip_address(await reader.readexactly(4)))
    else:
        assert kind == b"\x05\x01\x00\x03"
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    port = int.from_bytes(await reader.readexactly(2), "big")
    writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
    return host, port

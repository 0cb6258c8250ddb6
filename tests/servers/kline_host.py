"""An exchange's archive of minutes and its public REST on loopback, as data.binance.vision and the venues lay them out.

What it has, what it breaks and when it dies is set by the test; every question is noted.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from trading_system.rules.sequencer import ClosedCandle

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def zip_of(name: str, rows: Sequence[ClosedCandle], *, header: bool = True, micro: bool = False) -> bytes:
    """A file of the archive: twelve columns, with a header or without, times in ms or in microseconds."""
    scale = 1000 if micro else 1
    lines = [HEADER] if header else []
    for row in rows:
        close_time = row.open_time * scale + 60_000 * scale - 1
        lines.append(",".join([str(row.open_time * scale), *map(str, row[1:6]), str(close_time), "0,7,0,0,0"]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", "\n".join(lines) + "\n")
    return packed.getvalue()


class ArchiveHost:
    """``files`` by their path, with their checksums beside them. ``broken``: what to answer instead, by path."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, Callable[[web.Request], Any]] = {}
        self.asked: list[str] = []

    def put(self, path: str, content: bytes, checksum: str | None = None) -> None:
        """Publish a file; ``checksum``: one that is wrong."""
        self.files[path] = content
        digest = checksum or hashlib.sha256(content).hexdigest()
        self.files[f"{path}.CHECKSUM"] = f"{digest}  {path.rpartition('/')[2]}\n".encode()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path in self.broken:
            said: web.StreamResponse = await self.broken[request.path](request)
            return said
        if request.path not in self.files:
            body = "<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"
            return web.Response(status=404, text=body, content_type="application/xml")
        return web.Response(body=self.files[request.path])

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve, and give the address without a trailing slash."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        async with TestServer(app) as server:
            yield str(server.make_url("")).rstrip("/")


async def web_page(_: web.Request) -> web.Response:
    """What a portal says in the host's place."""
    return web.Response(text="<html><body>please sign in</body></html>", content_type="text/html")


def dies_after(content: bytes, count: int) -> Callable[[web.Request], Any]:
    """A host that dies in the middle of a file."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[:count])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer

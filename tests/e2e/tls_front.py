"""A TLS port with a certificate for official names, in front of a plain port on loopback."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

HOSTS = ("fapi.binance.com", "api.binance.com", "fstream.binance.com", "api.bybit.com", "stream.bybit.com")


class TlsFront(NamedTuple):
    """Where it listens, and the certificate that a client must trust."""

    port: int
    certificate: Path


@asynccontextmanager
async def tls_front(behind: int, folder: Path) -> AsyncIterator[TlsFront]:
    """Serve TLS on a free port and hand everything on to port ``behind``; ``folder`` takes key and certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    _certify(key, certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    carrying: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", behind)
        for task in (_carry(reader, back_writer), _carry(back_reader, writer)):
            carrying.add(asyncio.ensure_future(task))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield TlsFront(server.sockets[0].getsockname()[1], certificate)
    finally:
        server.close()
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError, ssl.SSLError):
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()
    finally:
        writer.close()


def _certify(key: Path, certificate: Path) -> None:
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    wish = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    wish += ["-days", "2", "-subj", "/CN=simulated exchange", "-keyout", str(key), "-out", str(certificate)]
    extensions = [f"subjectAltName={names}", "keyUsage=critical,digitalSignature,keyCertSign"]
    for each in extensions:
        wish += ["-addext", each]
    subprocess.run(wish, check=True, capture_output=True)

"""A TCP proxy for tests that stands before a server and fails as networks do: it cuts, hangs, delays and refuses.

In a test's own loop: ``async with FaultProxy(port) as proxy``. As a process of its own: ``python fault_proxy.py PORT``
prints the port it listens on and obeys one word a line: cut, hang, mute, pass, refuse, ``delay SECONDS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from types import TracebackType
from typing import Self

CHUNK = 65_536
_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FaultProxy:
    """Forwards both ways to ``port`` on loopback, unless told otherwise."""

    def __init__(self, port: int, *, listen: int = 0) -> None:
        self._target = port
        self.port = listen
        self.connections = 0  # accepted so far
        self._delay_s = 0.0
        self._asks = asyncio.Event()  # set while requests are forwarded
        self._answers = asyncio.Event()  # set while answers are
        self.pass_on()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._ways: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()

    async def accept(self) -> None:
        """Listen, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Listen no more and cut what is open: who connects is refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._serving)

    def cut(self) -> None:
        """Reset every open connection; new ones are served."""
        for writer in self._open:
            writer.transport.abort()

    def hang(self) -> None:
        """Keep connections, accept new ones, and forward nothing, in either direction."""
        self._asks.clear()
        self._answers.clear()

    def mute(self) -> None:
        """Forward requests, and keep back what the server answers."""
        self._answers.clear()

    def delay(self, seconds: float) -> None:
        """Forward everything that much later."""
        self._delay_s = seconds

    def pass_on(self) -> None:
        """Forward again, what was held back first."""
        self._delay_s = 0.0
        self._asks.set()
        self._answers.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._serving.add(task)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            await self._join((reader, writer), (from_server, to_server))
        except OSError:
            writer.transport.abort()
        finally:
            self._serving.discard(task)

    async def _join(self, client: _Ends, server: _Ends) -> None:
        """Forward both ways until one of them ends, then end the other."""
        ways = {
            asyncio.create_task(self._forward(client[0], server[1], self._asks)),
            asyncio.create_task(self._forward(server[0], client[1], self._answers)),
        }
        pair = {client[1], server[1]}
        self._open |= pair
        self._ways |= ways
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._ways -= ways
        self._open -= pair
        for end in pair:
            end.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await asyncio.sleep(self._delay_s)
                await flows.wait()
                writer.write(data)
                await writer.drain()


async def _obey(port: int) -> None:
    loop = asyncio.get_running_loop()
    words = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    async with FaultProxy(port) as proxy:
        sys.stdout.write(f"{proxy.port}\n")
        sys.stdout.flush()
        while line := await words.readline():
            match line.decode().split():
                case ["cut"]:
                    proxy.cut()
                case ["hang"]:
                    proxy.hang()
                case ["mute"]:
                    proxy.mute()
                case ["pass"]:
                    proxy.pass_on()
                    await proxy.accept()
                case ["refuse"]:
                    await proxy.refuse()
                case ["delay", seconds]:
                    proxy.delay(float(seconds))
                case other:
                    raise ValueError(f"expected cut, hang, mute, pass, refuse or delay SECONDS, was {other}")
            sys.stdout.write("done\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_obey(int(sys.argv[1])))

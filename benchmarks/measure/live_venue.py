"""Binance USDT-M on loopback as a process of its own: REST of the simulated exchange, a socket as busy as the venue's.

It closes a minute when a line ``close`` comes in on standard input, and answers with the moment (``time.monotonic``,
which all processes of a machine share) at which the first frame of the close left. In between every symbol's running
candle goes out four times a second, each symbol in its turn, and all mark prices together once a second.

``python -m measure.live_venue SYMBOLS MINUTES UPTO``: so many symbols and minutes, the first UPTO of them history.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import msgspec
from aiohttp import WSMsgType, web

from measure.crowd import crowd, line_settings
from trading_system.rules.matching import MINUTE_MS
from trading_system.simulated_run import simulator_of
from trading_system.simulator.binance_usdm.frames import kline_frame
from trading_system.simulator.server import SimulatorServer
from trading_system.simulator.tape import Row

UPDATES_A_SECOND = 4  # of each symbol: "250 ms (if existing)", and here every one trades in every quarter of a second
MARKS_EVERY_S = 1.0  # as ``@markPrice@1s`` asks for them
ROW_FIELDS = len(Row._fields)


class LiveVenue:
    """One market behind two ports."""

    def __init__(self, symbols: int, minutes: int, upto: int) -> None:
        """Make a market of which ``upto`` minutes are over."""
        settings = line_settings()
        self._inputs = crowd(settings, symbols, minutes)
        self._steps = {one.symbol: one.step for one in self._inputs.instruments}
        self._upto = upto
        self._server: SimulatorServer = simulator_of(self._inputs, settings)
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}
        self._listened_to = asyncio.Event()
        self._closed = time.monotonic()

    async def open(self) -> tuple[str, str]:
        """Open both ports; return the base URLs of REST and of the streams."""
        await self._server.advance(self._inputs.origin // MINUTE_MS + self._upto)
        addresses = await self._server.start()
        runner = web.ServerRunner(web.Server(self._serve))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return addresses.http, f"ws://127.0.0.1:{runner.addresses[0][1]}"

    async def close(self) -> float:
        """Close the next minute, of all symbols at once, when all are listened to; return when its first frame left."""
        sent = [
            (f"{symbol.lower()}@kline_1m", kline_frame(symbol, self._row(symbol), closed=True, step=step).encode())
            for symbol, step in self._steps.items()
        ]
        await self._listened_to.wait()
        self._upto += 1
        await self._server.advance()  # what the socket says is also there to be asked for
        began = self._closed = time.monotonic()
        for stream, frame in sent:
            await self._send(stream, frame)
        return began

    async def trade(self) -> None:
        """Say running candles for ever, one symbol after the other."""
        symbols, turn = list(self._steps), 0
        loop = asyncio.get_running_loop()
        pause = 1 / (len(symbols) * UPDATES_A_SECOND)
        began = loop.time()
        while True:
            await asyncio.sleep(began + turn * pause - loop.time())
            symbol, moment = symbols[turn % len(symbols)], turn // len(symbols)
            row = self._row(symbol)
            row = row._replace(volume=row.volume * (1 + moment % 60))  # no two alike that follow each other
            frame = kline_frame(symbol, row, closed=False, step=self._steps[symbol])
            await self._send(f"{symbol.lower()}@kline_1m", _sent_at(frame, row.open_time + self._age_ms()))
            turn += 1

    async def mark(self) -> None:
        """Say the mark price of every symbol, for ever."""
        while True:
            await asyncio.sleep(MARKS_EVERY_S)
            now = time.time_ns() // 1_000_000
            for symbol in self._steps:
                price = self._row(symbol).open
                frame = (
                    f'{{"e":"markPriceUpdate","E":{now},"s":"{symbol}","p":"{price:.8f}","ap":"{price:.8f}",'
                    f'"P":"{price:.8f}","i":"{price:.8f}","r":"0.00010000","T":{now // 1000 * 1000}}}'
                )
                await self._send(f"{symbol.lower()}@markPrice@1s", frame.encode())

    def _age_ms(self) -> int:
        """Return how old the minute is that is being traded, which ends when it is told to."""
        return min(round((time.monotonic() - self._closed) * 1000), MINUTE_MS - 1)

    def _row(self, symbol: str) -> Row:
        """Return the minute that is being traded."""
        return Row(*self._inputs.candles[symbol][self._upto].item()[:ROW_FIELDS])

    async def _send(self, stream: str, frame: bytes) -> None:
        for socket, streams in list(self._sockets.items()):
            if stream in streams:
                await socket.send_frame(frame, WSMsgType.TEXT)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        streams = self._sockets[socket] = set()
        async for message in socket:
            said = msgspec.json.decode(message.data)
            if said["method"] == "SUBSCRIBE":
                streams.update(said["params"])
                if streams.issuperset(f"{symbol.lower()}@kline_1m" for symbol in self._steps):
                    self._listened_to.set()
            await socket.send_json({"result": None, "id": said["id"]})
        del self._sockets[socket]
        return socket


def _sent_at(frame: str, time_ms: int) -> bytes:
    """Return a kline event that says it was sent at ``time_ms``."""
    _, _, rest = frame.partition(',"s":')
    return f'{{"e":"kline","E":{time_ms},"s":{rest}'.encode()


async def main(arguments: Sequence[str]) -> None:
    """Live until standard input ends."""
    venue = LiveVenue(*map(int, arguments))
    loop, orders = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print(*await venue.open(), flush=True)
    talking = [asyncio.create_task(venue.trade()), asyncio.create_task(venue.mark())]
    while await orders.readline():
        print(await venue.close(), flush=True)
    for task in talking:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

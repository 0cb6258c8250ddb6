"""Other people's client in its own environment, step by step beside a simulator whose books can be looked into."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tls_front import tls_front

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.records import CANDLE
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.server import SimulatorServer

ROOT = Path(__file__).parents[2]
KEY, SECRET = "oracle-key", "oracle-secret"
OPENING = 28_333_334  # the step that is closed when the venue opens
LISTENED = OPENING + 60  # calm until here: whoever listens by then hears all that happens
HIGH, LOW = LISTENED + 5, LISTENED + 7  # the minutes that reach the target, and the stop
_CALM = (100.0, 101.0, 99.0, 100.0)
_EVENTS = {HIGH: (100.0, 105.0, 99.5, 103.0), LOW - 1: (103.0, 103.0, 98.0, 98.0), LOW: (98.0, 98.0, 96.0, 96.0)}


class Oracle:
    """A running client: ``step`` waits for its next line, after what stands still until it is told to go on."""

    def __init__(self, server: SimulatorServer, process: asyncio.subprocess.Process) -> None:
        self.server, self.exchange = server, server.exchange
        self.book = server.exchange.books["BTCUSDT"]
        self.transcript: list[tuple[str, Any]] = []
        self._process = process
        self._stands = False

    async def step(self, name: str) -> Any:
        """Let the client go on to its next line, which must be ``name``; return what it saw."""
        output, wish = self._process.stdout, self._process.stdin
        assert output is not None
        assert wish is not None
        if self._stands:
            wish.write(b"\n")
        line = await asyncio.wait_for(output.readline(), 60)
        assert line, f"expected the step {name!r}, was the end of the client; it says why on its standard error"
        said = json.loads(line)
        assert said["step"] == name
        self._stands = True
        self.transcript.append((name, said["saw"]))
        return said["saw"]

    async def play_to(self, step: int) -> None:
        """Move the market to the end of ``step``."""
        while self.exchange.step < step:
            await self.server.advance(step)

    async def until_it_listens(self) -> None:
        """Move a calm market until the client has heard a candle and listens to its account."""
        while not (self.server.state()["user_sockets"] and self.server.wire["frames"]):
            assert self.exchange.step < LISTENED - 1, "expected a client that listens, was none in 59 calm minutes"
            await self.server.advance()
            await asyncio.sleep(0.2)
        await self.play_to(LISTENED)

    async def ends(self) -> None:
        """Let the client go to its end, which must be a good one."""
        rest, _ = await asyncio.wait_for(self._process.communicate(b"\n"), 60)
        assert (rest, self._process.returncode) == (b"", 0)


@asynccontextmanager
async def oracle(client: str, exchange_name: str, venue: str, folder: Path) -> AsyncIterator[Oracle]:
    """Start a simulator of ``venue`` behind TLS, and ``tests/oracles/drive_CLIENT.py`` in its environment.

    The client keeps its official URLs: their names lead to the TLS port in its process, whose certificate it trusts.
    """
    environment = ROOT / ".venv" / "oracles" / client
    python = environment / "bin" / "python"
    assert python.exists(), f"expected {environment}, was nothing; run `make oracles`"
    instrument = Instrument(venue, "BTCUSDT", Grid(1, 10), Grid(1, 1000), 5.0, 0.0005, 0.0002, 0.004)
    server = SimulatorServer(Exchange([instrument], {"BTCUSDT": _market()}, OPENING), None, KEY, SECRET)
    at = await server.start()
    try:
        async with tls_front(int(at.http.rpartition(":")[2]), folder) as front:
            process = await asyncio.create_subprocess_exec(
                *(str(python), str(ROOT / "tests" / "oracles" / f"drive_{client}.py")),
                *(exchange_name, str(front.port), str(front.certificate), KEY, SECRET),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 22,
                env={"PATH": "/usr/bin:/bin", "REQUESTS_CA_BUNDLE": str(front.certificate)}
                | {"WEBSOCKET_CLIENT_CA_BUNDLE": str(front.certificate)},
            )
            try:
                yield Oracle(server, process)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
    finally:
        await server.stop()


def _market() -> np.ndarray:
    steps = range(OPENING - 3, LOW + 3)
    made = np.zeros(len(steps), CANDLE)
    made["volume"] = 2.5
    for row, step in zip(made, steps, strict=True):
        row["open_time"] = (step - 1) * 60_000
        row["open"], row["high"], row["low"], row["close"] = _EVENTS.get(step, _CALM)
    return made

"""Let other people's clients trade on the simulators and write what they saw to docs/oracles.md.

Usage: python tests/e2e/oracle_page.py, or `make transcripts`; it needs the environments that `make oracles` builds.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import ccxt_play
import pybit_play
from oracle import ROOT, Oracle, oracle

PAGE = ROOT / "docs" / "oracles.md"
_HEAD = """# What other people's clients see here

ccxt (REST, and the streams of its pro part) and pybit, each unmodified and in an environment of its own, read and trade
on the simulated exchange. They keep their official URLs: names of hosts lead to a TLS port on loopback. Below is what
each of them made of the answers, one line a step; every value was compared with the simulator's own books at that
moment, while the market stood still. `tests/e2e/test_oracles.py` plays it again and compares it with this page, which
`make transcripts` writes.

Steps, in order: read market, candles, balance and positions; set leverage and isolated margin; listen to candles,
orders and fills; buy at the market and look the order, the position and the fill up; place a stop and a limit order far
away, cancel the latter; with ccxt place a take-profit at market and cancel it; place a target, which fills; let the
stop close the rest; ask for more than the account can pay and cancel what does not exist.
"""


class Client(NamedTuple):
    """One client on one venue."""

    client: str
    exchange: str
    venue: str
    play: Callable[[Oracle, str], Awaitable[None]]

    @property
    def title(self) -> str:
        """The heading of its part of the page, with the version that is pinned."""
        pins = (ROOT / "tests" / "oracles" / f"{self.client}.txt").read_text(encoding="utf-8").splitlines()
        (pin,) = (line for line in pins if line.startswith(self.client))
        return f"{pin.replace('==', ' ')}: {self.exchange} on `{self.venue}`"


CLIENTS = (
    Client("ccxt", "binanceusdm", "binance_usdm", ccxt_play.play),
    Client("ccxt", "bybit", "bybit_linear", ccxt_play.play),
    Client("pybit", "bybit", "bybit_linear", pybit_play.play),
)


async def transcript(client: Client, folder: Path) -> str:
    """Let a client trade, check it, and return its part of the page."""
    async with oracle(client.client, client.exchange, client.venue, folder) as running:
        await client.play(running, client.exchange)
        return part(client, running.transcript)


def part(client: Client, lines: list[tuple[str, Any]]) -> str:
    """Return one client's part of the page."""
    rows = [f"{name}: {json.dumps(saw)}" for name, saw in lines if name != "listening"]
    return "\n".join([f"## {client.title}", "", "```", *rows, "```", ""])


async def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for client in CLIENTS:
        with tempfile.TemporaryDirectory() as folder:
            parts.append(await transcript(client, Path(folder)))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()), encoding="utf-8")

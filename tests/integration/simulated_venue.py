"""A simulated venue for tests, and of Binance the rawest client there can be: it signs what it is told, blindly."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
import numpy as np

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.records import CANDLE
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import Fault, FaultScript
from trading_system.simulator.server import Addresses, SimulatorServer, wall_clock_ms
from trading_system.venues.port import UserEvent

SYMBOL = "BTCUSDT"
START = 1_700_000_040_000 // 60_000
KEY, SECRET = "test-key", "test-secret"
PLAN = "abcdefghijklmnop"
TICK, STEP = Grid(1, 10), Grid(1, 1000)
CALM = (100.0, 101.0, 99.0, 100.0)
Prices = tuple[float, float, float, float]
Kind = TypeVar("Kind")


def cid(role: str, generation: str = "00") -> str:
    return f"tm{PLAN}{role}{generation}"


def candles(*rows: Prices | None) -> np.ndarray:
    """Three minutes of history at 100, then the given ones; None is a gap."""
    every = (CALM, CALM, (100.0, 100.0, 100.0, 100.0), *rows)
    made = np.zeros(len(every), CANDLE)
    made["open_time"] = (START - 3 + np.arange(len(every))) * 60_000
    for i, row in enumerate(every):
        made[i]["gap"] = row is None
        if row is not None:
            made[i]["open"], made[i]["high"], made[i]["low"], made[i]["close"] = row
            made[i]["volume"] = 2.5
    return made


class RawClient:
    """Requests as they come. ``request`` returns (status, body)."""

    def __init__(self, session: aiohttp.ClientSession, at: Addresses, server: SimulatorServer) -> None:
        self.session, self.at, self.server = session, at, server

    async def request(self, method: str, path: str, key: str | None = KEY, **params: Any) -> tuple[int, Any]:
        headers = {"X-MBX-APIKEY": key} if key else {}
        query = f"?{urlencode(params)}" if params else ""
        async with self.session.request(method, self.at.http + path + query, headers=headers) as answer:
            return answer.status, await answer.json()

    async def signed(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        """Send a signed request: parameters in the query, or in the body of a POST."""
        params = {"timestamp": int(time.time() * 1000), "recvWindow": 5000, **params}
        payload = urlencode(params)
        payload += "&signature=" + hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": KEY, "Content-Type": "application/x-www-form-urlencoded"}
        url, body = self.at.http + path, None
        if method == "POST":
            body = payload
        else:
            url += "?" + payload
        async with self.session.request(method, url, data=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def order(self, side: str, kind: str, role: str = "e", /, **params: Any) -> tuple[int, Any]:
        if kind == "LIMIT":
            params = {"timeInForce": "GTC", **params}
        if role != "e":
            params = {"reduceOnly": "true", **params}
        named = {"symbol": SYMBOL, "newClientOrderId": cid(role), "side": side, "type": kind, "quantity": "1"}
        return await self.signed("POST", "/fapi/v1/order", **{**named, **params})

    async def stop(self, side: str, trigger: str, /, **params: Any) -> tuple[int, Any]:
        named = {"symbol": SYMBOL, "clientAlgoId": cid("s"), "side": side, "type": "STOP_MARKET", "quantity": "1"}
        rest = {"algoType": "CONDITIONAL", "triggerPrice": trigger, "reduceOnly": "true"}
        return await self.signed("POST", "/fapi/v1/algoOrder", **{**named, **rest, **params})

    async def user_stream(self) -> aiohttp.ClientWebSocketResponse:
        _, said = await self.request("POST", "/fapi/v1/listenKey")
        return await self.session.ws_connect(f"{self.at.ws}/private/ws?listenKey={said['listenKey']}")

    async def market_stream(self, path: str = "/market/ws/btcusdt@kline_1m") -> aiohttp.ClientWebSocketResponse:
        ws = await self.session.ws_connect(self.at.ws + path)
        if "@" in path:
            # an answered request proves that the subscription of the address stands
            await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            await ws.receive()
        return ws


@asynccontextmanager
async def running(
    name: str,
    *rows: Prices | None,
    faults: tuple[Fault, ...] = (),
    tick: Grid = TICK,
    step: Grid = STEP,
    equity: float = 10_000.0,
    symbols: tuple[str, ...] = (SYMBOL,),
    wall_ms: Callable[[], int] = wall_clock_ms,
    funding: Mapping[str, Mapping[int, float]] | None = None,
) -> AsyncIterator[tuple[SimulatorServer, Addresses]]:
    """The running venue ``name``, whose market stands at the end of START."""
    instruments = [Instrument(name, symbol, tick, step, 5.0, 0.0005, 0.0002, 0.004) for symbol in symbols]
    minutes = {symbol: candles(*rows) for symbol in symbols}
    exchange = Exchange(instruments, minutes, START, equity=equity, funding=funding)
    server = SimulatorServer(exchange, FaultScript(faults), KEY, SECRET, wall_ms)
    at = await server.start()
    try:
        yield server, at
    finally:
        await server.stop()


@asynccontextmanager
async def venue(*rows: Prices | None, **options: Any) -> AsyncIterator[RawClient]:
    """A running Binance USDT-M, with the ``options`` of ``running``, and a client of it."""
    async with aiohttp.ClientSession() as session, running("binance_usdm", *rows, **options) as (server, at):
        yield RawClient(session, at, server)


async def frame(ws: aiohttp.ClientWebSocketResponse) -> Any:
    """Return the next message of a stream."""
    return json.loads((await ws.receive(timeout=5)).data)


async def next_of(events: AsyncIterator[UserEvent], kind: type[Kind]) -> Kind:
    """Return the next event of ``kind`` that an account's stream brings."""
    async with asyncio.timeout(5):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the stream ended")

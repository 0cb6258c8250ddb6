"""A simulated Bybit for tests, and the rawest client there can be: it signs what it is told and looks at nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
from simulated_venue import KEY, SECRET, SYMBOL, Prices, cid, frame, running

from trading_system.simulator.server import Addresses, SimulatorServer

LINEAR = {"category": "linear", "symbol": SYMBOL}


class Said(NamedTuple):
    """What an answer's envelope says."""

    code: int
    message: str
    result: Any
    beside: Any


class BybitClient:
    """Requests as they come."""

    def __init__(self, session: aiohttp.ClientSession, at: Addresses, server: SimulatorServer) -> None:
        self.session, self.at, self.server = session, at, server

    async def ask(self, path: str, **params: Any) -> Said:
        """Ask what everybody may ask."""
        async with self.session.get(self.at.http + path, params=params) as answer:
            return said(await answer.json())

    async def signed(self, method: str, path: str, changes: Mapping[str, str] | None = None, /, **params: Any) -> Said:
        """Send a signed request; ``changes``: headers that are to be otherwise, "" for none."""
        query = "&".join(f"{name}={value}" for name, value in params.items()) if method == "GET" else ""
        body = json.dumps(params) if method == "POST" else ""
        stamp = str(int(time.time() * 1000))
        headers = {"X-BAPI-API-KEY": KEY, "X-BAPI-TIMESTAMP": stamp, "X-BAPI-RECV-WINDOW": "5000", **(changes or {})}
        text = "".join(headers[f"X-BAPI-{name}"] for name in ("TIMESTAMP", "API-KEY", "RECV-WINDOW")) + query + body
        headers = {"X-BAPI-SIGN": signature(text), **headers}
        url = self.at.http + path + (f"?{query}" if query else "")
        async with self.session.request(method, url, data=body or None, headers=headers) as answer:
            return said(await answer.json())

    async def get(self, path: str, **params: Any) -> Any:
        """Return the result of a signed question that is answered with a yes."""
        code, message, result, _ = await self.signed("GET", path, **params)
        assert code == 0, message
        return result

    async def post(self, path: str, **params: Any) -> Said:
        """Send a signed POST."""
        return await self.signed("POST", path, **params)

    async def order(self, side: str, kind: str = "Market", role: str = "e", /, **params: Any) -> Said:
        """Place an order of 1, reduce-only unless it is an entry."""
        named = {**LINEAR, "side": side, "orderType": kind, "qty": "1", "orderLinkId": cid(role)}
        if role != "e":
            named["reduceOnly"] = True
        return await self.post("/v5/order/create", **{**named, **params})

    async def stop_at(self, price: str, **params: Any) -> Said:
        """Set the stop of the position."""
        return await self.post(
            "/v5/position/trading-stop", **{**LINEAR, "tpslMode": "Full", "positionIdx": 0, "stopLoss": price, **params}
        )

    async def open_orders(self, **params: Any) -> list[Any]:
        """Return the rows of what is open."""
        return list((await self.get("/v5/order/realtime", **{**LINEAR, **params}))["list"])

    async def trades(self, **params: Any) -> list[Any]:
        """Return the rows of what was executed, newest first."""
        return list((await self.get("/v5/execution/list", **{**LINEAR, **params}))["list"])

    async def position(self) -> Any:
        """Return the row of the position."""
        return (await self.get("/v5/position/list", **LINEAR))["list"][0]

    async def market(self, *topics: str, path: str = "/v5/public/linear") -> aiohttp.ClientWebSocketResponse:
        """Open a public socket and subscribe to ``topics``."""
        ws = await self.session.ws_connect(self.at.ws + path)
        if topics:
            assert (await control(ws, "subscribe", *topics))["success"]
        return ws

    async def private(self, *topics: str) -> aiohttp.ClientWebSocketResponse:
        """Open the private socket, sign in, and subscribe to ``topics``."""
        ws = await self.session.ws_connect(f"{self.at.ws}/v5/private")
        expires = int(time.time() * 1000) + 10_000
        assert (await control(ws, "auth", KEY, expires, signature(f"GET/realtime{expires}")))["success"]
        if topics:
            assert (await control(ws, "subscribe", *topics))["success"]
        return ws


def signature(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def said(answer: Any) -> Said:
    assert abs(answer["time"] - time.time() * 1000) < 5000
    return Said(answer["retCode"], answer["retMsg"], answer["result"], answer["retExtInfo"])


async def control(ws: aiohttp.ClientWebSocketResponse, op: str, *args: Any, **more: Any) -> Any:
    """Send a control message and return the next frame."""
    await ws.send_json({"op": op, "args": list(args), **more})
    return await frame(ws)


async def frames(ws: aiohttp.ClientWebSocketResponse, count: int) -> list[tuple[str, Any]]:
    """Return the next frames as (topic, row)."""
    return [(each["topic"], each["data"][0]) for each in [await frame(ws) for _ in range(count)]]


@asynccontextmanager
async def bybit(*rows: Prices | None, venue: str = "bybit_linear", **options: Any) -> AsyncIterator[BybitClient]:
    """A running venue, with the ``options`` of ``running``, and a client of it."""
    async with aiohttp.ClientSession() as session, running(venue, *rows, **options) as (server, at):
        yield BybitClient(session, at, server)

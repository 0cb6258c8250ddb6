"""The venue's WebSocket streams: which addresses and streams there are, and what a listener may say to change them.

What is said is written in `frames.py`; when it is said is decided by the exchange and the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from trading_system.simulator.binance_usdm import frames
from trading_system.simulator.binance_usdm.listen_keys import ListenKeys
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.listeners import Listener, Listeners
from trading_system.simulator.minute_frames import Shown
from trading_system.simulator.sockets import Socket, opened

_STREAM = re.compile(r"[a-z0-9_]+@[A-Za-z0-9_@]+")
_KLINE = "@kline_1m"


class _Listener(Listener):
    """A connection. ``combined``: each payload is wrapped with its stream's name."""

    def __init__(self, ws: web.WebSocketResponse, transport: Any, *, combined: bool, silent: bool = False) -> None:
        super().__init__(ws, transport, silent=silent)
        self.combined = combined
        self.events: frozenset[str] = frozenset()
        self.key = ""

    def worded(self, topic: str, payload: bytes) -> bytes:
        return b'{"stream":"%b","data":%b}' % (topic.encode(), payload) if self.combined else payload


class Streams(Listeners[_Listener]):
    """All sockets of the venue. ``areas`` may come first in an address; candles are heard in ``market_area``."""

    areas: ClassVar[frozenset[str]] = frozenset({"market", "public", "private"})
    market_area: ClassVar[str] = "market"

    def __init__(
        self, exchange: Exchange, faults: FaultScript, keys: ListenKeys, is_silent: Callable[[], bool]
    ) -> None:
        super().__init__(faults)
        self._exchange = exchange
        self._keys = keys
        self._is_silent = is_silent

    async def show(self, shown: Shown) -> None:
        """Send a frame to everyone who subscribed to its candle."""
        stream = shown.symbol.lower() + _KLINE
        if stream in self._by_topic:
            step = self._exchange.books[shown.symbol].instrument.step
            frame = frames.kline_frame(shown.symbol, shown.row, closed=shown.closed, step=step)
            await self._send(stream, shown.sent(frame))

    def shutdown_notice(self, socket: Socket) -> bytes:
        """Return ``serverShutdown``, wrapped where the connection wraps."""
        combined = isinstance(socket, _Listener) and socket.combined
        return frames.shutdown_notice(self._exchange.now, combined=combined)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one WebSocket connection until it ends. An address that does not exist is answered 404."""
        parts = request.path.strip("/").split("/")
        area = parts.pop(0) if parts[0] in self.areas else ""
        door = parts.pop(0) if parts else ""
        if door not in {"ws", "stream"}:
            return web.Response(status=404)
        named = request.query.get("streams", "").split("/") if door == "stream" else parts
        if area == "private":
            key = request.query.get("listenKey") or (named[0] if named else "")
            if not self._keys.valid(key):
                return web.Response(status=401)
            return await self._serve_user(request, key, combined=door == "stream")
        ws = await opened(request)
        if ws is None:
            return web.Response(status=400)
        silent = area != self.market_area or self._is_silent()
        socket = _Listener(ws, request.transport, combined=door == "stream", silent=silent)
        self._market.add(socket)
        self._subscribe(socket, [name for name in named if _STREAM.fullmatch(name)])
        return await self._converse(socket, lambda text: self._control(socket, text))

    async def _serve_user(self, request: web.BaseRequest, key: str, *, combined: bool) -> web.StreamResponse:
        ws = await opened(request)
        if ws is None:
            return web.Response(status=400)
        socket = _Listener(ws, request.transport, combined=combined)
        socket.key = key
        socket.events = frozenset(filter(None, request.query.get("events", "").split("/")))
        self._user.add(socket)
        return await self._converse(socket, lambda _: None)  # nothing that a listener says here means anything

    def _user_event(self, socket: _Listener, kind: str, event: bytes) -> bytes | None:
        if (socket.events and kind not in socket.events) or not self._keys.valid(socket.key):
            return None
        return socket.worded(socket.key, event)

    def _control(self, socket: _Listener, text: str | bytes) -> Any:
        """Return the answer to a control message; keys that the venue does not know are ignored."""
        try:
            said = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return _refused(None, "Invalid JSON: expected an object")
        if not isinstance(said, dict):
            return _refused(None, "Invalid request: expected an object")
        number, method, params = said.get("id"), said.get("method"), said.get("params", [])
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 0):
            return _refused(None, "Invalid request: request ID must be an unsigned integer")
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": sorted(socket.topics), "id": number}
        if method == "SET_PROPERTY" and params[:1] == ["combined"] and isinstance(params[-1], bool):
            socket.combined = params[-1]
            return {"result": None, "id": number}
        if method not in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            return _refused(number, "Invalid request: unknown method")
        if not isinstance(params, list) or not all(isinstance(p, str) and _STREAM.fullmatch(p) for p in params):
            return _refused(number, "Invalid request: invalid stream")
        if method == "SUBSCRIBE":
            self._subscribe(socket, params)
        else:
            self._unsubscribe(socket, params)
        return {"result": None, "id": number}


def _refused(number: int | None, why: str) -> Any:
    return {"error": {"code": 2, "msg": why}, "id": number}

"""The venue's WebSocket streams: who listens to what, and what goes out over which socket, faults included.

What is said is written in `frames.py`; when it is said is decided by the exchange and the server.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from trading_system.rules.grid import Grid
from trading_system.simulator.binance_usdm import frames
from trading_system.simulator.binance_usdm.listen_keys import ListenKeys
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.minute_frames import Shown
from trading_system.simulator.sockets import Socket

_STREAM = re.compile(r"[a-z0-9_]+@[A-Za-z0-9_@]+")
_KLINE = "@kline_1m"


class _Listener(Socket):
    """A connection with what it subscribed to. ``combined``: each payload is wrapped with its stream's name."""

    def __init__(self, ws: web.WebSocketResponse, transport: Any, *, combined: bool, silent: bool = False) -> None:
        super().__init__(ws, transport, silent=silent)
        self.combined = combined
        self.streams: set[str] = set()
        self.events: frozenset[str] = frozenset()
        self.key = ""


class Streams:
    """All sockets of the venue. ``frames`` and ``user_events`` count what was handed to a socket."""

    def __init__(self, faults: FaultScript, keys: ListenKeys, is_silent: Callable[[], bool]) -> None:
        self._is_silent = is_silent
        self._faults = faults
        self._keys = keys
        self._market: set[_Listener] = set()
        self._user: set[_Listener] = set()
        self._listeners: defaultdict[str, list[_Listener]] = defaultdict(list)
        self.frames = 0
        self.user_events = 0

    @property
    def unsent(self) -> int:
        """Bytes that wait for a slow listener, over all sockets."""
        return sum(socket.unsent for socket in (*self._market, *self._user))

    @property
    def user_sockets(self) -> int:
        """How many connections hear the user stream."""
        return len(self._user)

    # --- market

    async def show(self, shown: Shown, step: Grid) -> None:
        """Send a frame to everyone who subscribed to its candle."""
        stream = shown.symbol.lower() + _KLINE
        if stream not in self._listeners:
            return
        frame = frames.kline_frame(shown.symbol, shown.row, closed=shown.closed, step=step)
        if shown.damaged:
            middle = len(frame) // 2
            frame = f"{frame[:middle]}\0\0\0{frame[middle + 3 :]}"
        await self._send(stream, frame)

    def market_sockets(self) -> list[Socket]:
        """Return all connections that hear the market."""
        return list(self._market)

    def is_combined(self, socket: Socket) -> bool:
        """Tell whether payloads on ``socket`` are wrapped with their stream's name."""
        return isinstance(socket, _Listener) and socket.combined

    async def _send(self, stream: str, frame: str) -> None:
        plain = wrapped = b""
        for socket in list(self._listeners.get(stream, ())):
            if socket.combined:
                wrapped = wrapped or f'{{"stream":"{stream}","data":{frame}}}'.encode()
            else:
                plain = plain or frame.encode()
            if await socket.send(wrapped if socket.combined else plain):
                self.frames += 1
            else:
                self._forget(socket)

    # --- user

    async def send_event(self, kind: str, event: bytes) -> None:
        """Send one user event to everyone who holds the key and wants its kind."""
        if self._faults.on_user_event():
            self.cut_user()
        for socket in list(self._user):
            if (socket.events and kind not in socket.events) or not self._keys.valid(socket.key):
                continue
            data = b'{"stream":"%b","data":%b}' % (socket.key.encode(), event) if socket.combined else event
            if await socket.send(data):
                self.user_events += 1
            else:
                self._user.discard(socket)

    def cut_user(self) -> None:
        """Break all user connections off."""
        for socket in list(self._user):
            self._user.discard(socket)
            socket.break_off()

    # --- connections

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one WebSocket connection until it ends. An address that does not exist is answered 404."""
        parts = request.path.strip("/").split("/")
        area = parts.pop(0) if parts[0] in {"market", "public", "private"} else ""
        door = parts.pop(0) if parts else ""
        if door not in {"ws", "stream"}:
            return web.Response(status=404)
        named = request.query.get("streams", "").split("/") if door == "stream" else parts
        if area == "private":
            key = request.query.get("listenKey") or (named[0] if named else "")
            if not self._keys.valid(key):
                return web.Response(status=401)
            return await self._serve_user(request, key, combined=door == "stream")
        ws = web.WebSocketResponse(compress=False, autoping=False)
        try:
            await ws.prepare(request)
        except ConnectionResetError:  # the client left before it was let in
            return web.Response(status=400)
        socket = _Listener(
            ws, request.transport, combined=door == "stream", silent=area != "market" or self._is_silent()
        )
        self._market.add(socket)
        self._subscribe(socket, [name for name in named if _STREAM.fullmatch(name)])
        try:
            async for message in ws:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await socket.send(msgspec.json.encode(self._control(socket, message.data)))
                elif message.type is WSMsgType.PING:
                    await socket.pong(message.data)
        finally:
            self._forget(socket)
        return ws

    async def _serve_user(self, request: web.BaseRequest, key: str, *, combined: bool) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False)
        try:
            await ws.prepare(request)
        except ConnectionResetError:  # the client left before it was let in
            return web.Response(status=400)
        socket = _Listener(ws, request.transport, combined=combined)
        socket.key = key
        socket.events = frozenset(filter(None, request.query.get("events", "").split("/")))
        self._user.add(socket)
        try:
            async for _ in ws:
                pass  # nothing that a listener says on this stream means anything
        finally:
            self._user.discard(socket)
        return ws

    async def close(self) -> None:
        """Say good-bye on all connections."""
        for socket in (*self._market, *self._user):
            await socket.ws.close()

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
            return {"result": sorted(socket.streams), "id": number}
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

    def _subscribe(self, socket: _Listener, names: Iterable[str]) -> None:
        for name in names:
            if name not in socket.streams:
                socket.streams.add(name)
                if not socket.silent:
                    self._listeners[name].append(socket)

    def _unsubscribe(self, socket: _Listener, names: Iterable[str]) -> None:
        for name in names:
            socket.streams.discard(name)
            listeners = self._listeners.get(name, [])
            if socket in listeners:
                listeners.remove(socket)
            if not listeners:
                self._listeners.pop(name, None)

    def _forget(self, socket: _Listener) -> None:
        self._market.discard(socket)
        self._unsubscribe(socket, list(socket.streams))


def _refused(number: int | None, why: str) -> Any:
    return {"error": {"code": 2, "msg": why}, "id": number}

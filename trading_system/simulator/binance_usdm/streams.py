"""The venue's WebSocket streams: who listens to what, and what goes out over which socket, faults included.

What is said is written in `frames.py`; when it is said is decided by the exchange and the server.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from trading_system.rules.grid import Grid
from trading_system.simulator.binance_usdm import frames
from trading_system.simulator.binance_usdm.listen_keys import ListenKeys
from trading_system.simulator.faults import FaultKind, FaultScript
from trading_system.simulator.tape import Row

_STREAM = re.compile(r"[a-z0-9_]+@[A-Za-z0-9_@]+")
_KLINE = "@kline_1m"


class Socket:
    """One connection of a listener. ``combined``: each payload is wrapped with its stream's name.

    ``silent``: subscriptions are acknowledged and nothing ever comes, as on the venue's retired addresses.
    """

    def __init__(self, ws: web.WebSocketResponse, transport: Any, *, combined: bool, silent: bool = False) -> None:
        self.ws = ws
        self.combined = combined
        self.silent = silent
        self.streams: set[str] = set()
        self.events: frozenset[str] = frozenset()
        self.key = ""
        self._transport = transport

    @property
    def unsent(self) -> int:
        """Bytes that the operating system has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    async def send(self, data: bytes) -> bool:
        """Send one text frame; False when the connection is gone."""
        try:
            await self.ws.send_frame(data, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            return False
        return True

    def break_off(self) -> None:
        """End the connection without a word."""
        if self._transport is not None:
            self._transport.abort()


class Streams:
    """All sockets of the venue. ``frames`` and ``user_events`` count what was handed to a socket."""

    def __init__(self, faults: FaultScript, keys: ListenKeys) -> None:
        self._faults = faults
        self._keys = keys
        self._market: set[Socket] = set()
        self._user: set[Socket] = set()
        self._listeners: defaultdict[str, list[Socket]] = defaultdict(list)
        self._late: list[tuple[int, str, str]] = []
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

    async def send_minute(self, step: int, symbol: str, row: Row, grid: Grid, *, running: bool = True) -> None:
        """Send the running frame of a minute, if asked for, and its close, as far as the script of faults lets it."""
        fault = self._faults.at_close(step, symbol)
        stream = symbol.lower() + _KLINE
        if stream not in self._listeners:
            return
        closed = frames.kline_frame(symbol, row, closed=True, step=grid)
        if running:
            await self._send(stream, frames.kline_frame(symbol, row, closed=False, step=grid))
        if fault == FaultKind.LATE_CLOSE:
            self._late.append((step, stream, closed))
        elif fault == FaultKind.CORRUPTED_FRAME:
            middle = len(closed) // 2
            await self._send(stream, f"{closed[:middle]}\0\0\0{closed[middle + 3 :]}")
        elif fault != FaultKind.MISSING_CLOSE:
            await self._send(stream, closed)
            if fault == FaultKind.DUPLICATED_CLOSE:
                await self._send(stream, closed)

    async def send_late(self, step: int) -> None:
        """Send the closes that a step before ``step`` kept back."""
        due = [late for late in self._late if late[0] < step]
        self._late = [late for late in self._late if late[0] >= step]
        for _, stream, frame in due:
            await self._send(stream, frame)

    def cut_market(self) -> None:
        """Break all market connections off."""
        for socket in list(self._market):
            self._forget(socket)
            socket.break_off()

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
        ws = web.WebSocketResponse(compress=False)
        try:
            await ws.prepare(request)
        except ConnectionResetError:  # the client left before it was let in
            return web.Response(status=400)
        socket = Socket(ws, request.transport, combined=door == "stream", silent=area != "market")
        self._market.add(socket)
        self._subscribe(socket, [name for name in named if _STREAM.fullmatch(name)])
        try:
            async for message in ws:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await socket.send(msgspec.json.encode(self._control(socket, message.data)))
        finally:
            self._forget(socket)
        return ws

    async def _serve_user(self, request: web.BaseRequest, key: str, *, combined: bool) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False)
        try:
            await ws.prepare(request)
        except ConnectionResetError:  # the client left before it was let in
            return web.Response(status=400)
        socket = Socket(ws, request.transport, combined=combined)
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

    def _control(self, socket: Socket, text: str | bytes) -> Any:
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

    def _subscribe(self, socket: Socket, names: Iterable[str]) -> None:
        for name in names:
            if name not in socket.streams:
                socket.streams.add(name)
                if not socket.silent:
                    self._listeners[name].append(socket)

    def _unsubscribe(self, socket: Socket, names: Iterable[str]) -> None:
        for name in names:
            socket.streams.discard(name)
            listeners = self._listeners.get(name, [])
            if socket in listeners:
                listeners.remove(socket)
            if not listeners:
                self._listeners.pop(name, None)

    def _forget(self, socket: Socket) -> None:
        self._market.discard(socket)
        self._unsubscribe(socket, list(socket.streams))


def _refused(number: int | None, why: str) -> Any:
    return {"error": {"code": 2, "msg": why}, "id": number}

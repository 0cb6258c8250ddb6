"""The venue's WebSocket streams: public topics, and the private ones behind a signature.

What is said is written in ``frames.py``; when it is said is decided by the exchange and the server.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from trading_system.simulator.bybit_linear import frames, market_rows
from trading_system.simulator.bybit_linear.chosen_books import CATEGORIES
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError
from trading_system.simulator.bybit_linear.signatures import Door
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.minute_frames import Shown
from trading_system.simulator.sockets import Socket

Json = dict[str, Any]
MOST_CHARACTERS = 21_000  # of the topics of one connection
MOST_SPOT_TOPICS = 10  # of one request
IDLE_S = 600.0  # a connection on which nothing is said for so long is ended
PRIVATE_TOPICS = frozenset({"order", "execution", "execution.fast", "position", "wallet"})
STATUS_TOPIC = "system.status"
_PUBLIC = "/v5/public/"
_STATUS, _PRIVATE = "/v5/public/misc/status", "/v5/private"
_ACTIVE_TIME = re.compile(r"([0-9]{1,3})([sm])")


class _Listener(Socket):
    """A connection: where it was opened, and the topics that it subscribed to."""

    def __init__(self, ws: web.WebSocketResponse, request: web.BaseRequest, name: str, *, silent: bool = False) -> None:
        super().__init__(ws, request.transport, silent=silent)
        self.name = name
        self.path = request.path
        self.topics: set[str] = set()
        self.let_in = False


class Streams:
    """All sockets of the venue. ``frames`` and ``user_events`` count what was handed to a socket.

    ``category``: what the exchange trades; the public addresses of others exist and know no symbol.
    """

    def __init__(
        self, exchange: Exchange, category: str, door: Door, faults: FaultScript, is_silent: Callable[[], bool]
    ) -> None:
        self._exchange = exchange
        self._category = category
        self._door = door
        self._faults = faults
        self._is_silent = is_silent
        self._market: set[_Listener] = set()
        self._user: set[_Listener] = set()
        self._listeners: defaultdict[str, list[_Listener]] = defaultdict(list)
        self._connections = 0
        self.frames = 0
        self.user_events = 0

    @property
    def unsent(self) -> int:
        """Bytes that wait for a slow listener, over all sockets."""
        return sum(socket.unsent for socket in (*self._market, *self._user))

    @property
    def user_sockets(self) -> int:
        """How many connections were let in to the private topics."""
        return sum(socket.let_in for socket in self._user)

    def market_sockets(self) -> list[Socket]:
        """Return all connections that hear the market."""
        return list(self._market)

    def hears_status(self, socket: Socket) -> bool:
        """Tell whether ``socket`` subscribed to what the venue says of itself."""
        return isinstance(socket, _Listener) and STATUS_TOPIC in socket.topics

    # --- what goes out

    async def show(self, shown: Shown) -> None:
        """Send a frame to everyone who subscribed to its candle, and after a close the price to who wants that."""
        book = self._exchange.books[shown.symbol]
        frame = frames.kline_frame(shown.symbol, shown.row, closed=shown.closed, step=book.instrument.step)
        if shown.damaged:
            middle = len(frame) // 2
            frame = f"{frame[:middle]}\0\0\0{frame[middle + 3 :]}"
        await self._send(f"kline.1.{shown.symbol}", frame.encode())
        topic = f"tickers.{shown.symbol}"
        if shown.closed and topic in self._listeners:
            await self._send(topic, msgspec.json.encode(market_rows.ticker_frame(book, self._exchange)))

    async def _send(self, topic: str, frame: bytes) -> None:
        for socket in list(self._listeners.get(topic, ())):
            if await socket.send(frame):
                self.frames += 1
            else:
                self._forget(socket)

    async def send_event(self, topic: str, event: bytes) -> None:
        """Send one private event to everyone who was let in and wants its topic."""
        if self._faults.on_user_event():
            self.cut_user()
        for socket in list(self._user):
            if not socket.let_in or not socket.topics & {topic, f"{topic}.linear"}:
                continue
            if await socket.send(event):
                self.user_events += 1
            else:
                self._user.discard(socket)

    def cut_user(self) -> None:
        """Break all private connections off."""
        for socket in list(self._user):
            self._user.discard(socket)
            socket.break_off()

    async def close(self) -> None:
        """Say good-bye on all connections."""
        for socket in (*self._market, *self._user):
            await socket.ws.close()

    # --- connections

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one WebSocket connection until it ends. An address that does not exist is answered 404."""
        private = request.path == _PRIVATE and self._category == "linear"
        market = request.path.removeprefix(_PUBLIC) in CATEGORIES and request.path.startswith(_PUBLIC)
        if not (private or market or request.path == _STATUS):
            return web.Response(status=404)
        ws = web.WebSocketResponse(compress=False, autoping=False, receive_timeout=_idle_s(request))
        try:
            await ws.prepare(request)
        except ConnectionResetError:  # the client left before it was let in
            return web.Response(status=400)
        self._connections += 1
        silent = not private and self._is_silent()
        socket = _Listener(ws, request, f"sim-{self._connections}", silent=silent)
        (self._user if private else self._market).add(socket)
        answer = self._answer_private if private else self._answer_public
        try:
            async for message in ws:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await socket.send(msgspec.json.encode(self._control(socket, message.data, answer)))
                elif message.type is WSMsgType.PING:
                    await socket.pong(message.data)
        except TimeoutError:
            await ws.close()
        finally:
            self._forget(socket)
        return ws

    def _control(self, socket: _Listener, text: str | bytes, answer: Callable[[_Listener, Json], Json]) -> Json:
        """Return the answer to a control message; keys that the venue does not know are ignored."""
        try:
            said = msgspec.json.decode(text, type=Json)
        except msgspec.MsgspecError:
            said = {}
        named = {"req_id": str(said["req_id"])} if "req_id" in said else {}
        return {**answer(socket, said), "conn_id": socket.name, **named}

    def _answer_public(self, socket: _Listener, said: Json) -> Json:
        if said.get("op") == "ping":
            return {"success": True, "ret_msg": "pong", "op": "ping"}
        answer = self._subscription(socket, said, lambda topic: self._why_not(socket, topic))
        if answer["success"] and socket.path == f"{_PUBLIC}spot":
            answer["ret_msg"] = "subscribe" if said["op"] == "subscribe" else ""
        return answer

    def _why_not(self, socket: _Listener, topic: str) -> str:
        """Return why a public topic cannot be heard on ``socket``, "" when it can."""
        if socket.path == _STATUS:
            return "" if topic == STATUS_TOPIC else f"error:handler not found,topic:{topic}"
        kind, _, symbol = topic.rpartition(".")
        if kind not in {"kline.1", "tickers"}:
            return f"error:handler not found,topic:{topic}"
        traded = socket.path == f"{_PUBLIC}{self._category}" and symbol in self._exchange.books
        return "" if traded else f"Invalid symbol :[{topic}]"

    def _answer_private(self, socket: _Listener, said: Json) -> Json:
        operation = said.get("op")
        if operation == "ping":
            return {"op": "pong", "args": [str(self._door.wall_ms())]}
        if operation == "auth":
            args = said.get("args")
            try:
                key, expires, sign = args if isinstance(args, list) and len(args) == 3 else ("", 0, "")
                self._door.check_socket(str(key), int(expires), str(sign))
            except (CodedRefusalError, ValueError) as error:
                return {"success": False, "ret_msg": str(error), "op": "auth"}
            socket.let_in = True
            return {"success": True, "ret_msg": "", "op": "auth"}
        if not socket.let_in:
            return {"success": False, "ret_msg": "Request not authorized", "op": operation}
        return self._subscription(socket, said, _why_not_private)

    def _subscription(self, socket: _Listener, said: Json, why_not: Callable[[str], str]) -> Json:
        """Change what a socket hears: all of the topics, or none when one of them cannot be heard."""
        operation, topics = said.get("op"), said.get("args")
        if operation not in {"subscribe", "unsubscribe"} or not isinstance(topics, list):
            return {"success": False, "ret_msg": "error:Invalid request", "op": operation or ""}
        if not all(isinstance(topic, str) for topic in topics):
            return {"success": False, "ret_msg": "error:args must be topics", "op": operation}
        reason = next(filter(None, map(why_not, topics)), "")
        if len({topic.endswith(".linear") for topic in topics}) > 1:
            reason = "error:topics of one category and of all cannot be mixed in one request"
        if socket.path == f"{_PUBLIC}spot" and len(topics) > MOST_SPOT_TOPICS:
            reason = f"args size >{MOST_SPOT_TOPICS}"
        if reason:
            return {"success": False, "ret_msg": reason, "op": operation}
        if operation == "unsubscribe":
            for topic in topics:
                self._drop(socket, topic)
        elif sum(map(len, socket.topics | set(topics))) > MOST_CHARACTERS:
            return {"success": False, "ret_msg": "error:args too long", "op": operation}
        else:
            for topic in set(topics) - socket.topics:
                socket.topics.add(topic)
                if not socket.silent:
                    self._listeners[topic].append(socket)
        return {"success": True, "ret_msg": "", "op": operation}

    def _drop(self, socket: _Listener, topic: str) -> None:
        socket.topics.discard(topic)
        listeners = self._listeners.get(topic, [])
        if socket in listeners:
            listeners.remove(socket)
        if not listeners:
            self._listeners.pop(topic, None)

    def _forget(self, socket: _Listener) -> None:
        self._market.discard(socket)
        self._user.discard(socket)
        for topic in list(socket.topics):
            self._drop(socket, topic)


def _why_not_private(topic: str) -> str:
    known = topic.removesuffix(".linear") in PRIVATE_TOPICS
    return "" if known else f"error:handler not found,topic:{topic}"


def _idle_s(request: web.BaseRequest) -> float:
    """Return for how long a connection may say nothing: ``max_active_time``, 30 s to 600 s, where it may be chosen."""
    match = _ACTIVE_TIME.fullmatch(request.query.get("max_active_time", ""))
    if match is None or request.path != _PRIVATE:
        return IDLE_S
    return min(max(int(match[1]) * (60.0 if match[2] == "m" else 1.0), 30.0), IDLE_S)

"""Who listens to a venue: its market and user sockets, the topics of each, and how much was handed to them.

Who is let in, which topics there are, and in which words they are spoken is each venue's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import WSMsgType, web

from trading_system.simulator.faults import FaultScript
from trading_system.simulator.minute_frames import Shown
from trading_system.simulator.sockets import Socket


class Listener(Socket):
    """A connection with the topics that it subscribed to."""

    def __init__(self, ws: web.WebSocketResponse, transport: Any, *, silent: bool = False) -> None:
        super().__init__(ws, transport, silent=silent)
        self.topics: set[str] = set()

    def worded(self, topic: str, payload: bytes) -> bytes:
        """Return a payload of ``topic`` as it is said on this connection."""
        del topic
        return payload


Ear = TypeVar("Ear", bound=Listener)


class Listeners(ABC, Generic[Ear]):
    """All sockets of one venue. ``frames`` and ``user_events`` count what was handed to a socket."""

    def __init__(self, faults: FaultScript) -> None:
        self._faults = faults
        self._market: set[Ear] = set()
        self._user: set[Ear] = set()
        self._by_topic: defaultdict[str, list[Ear]] = defaultdict(list)
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

    def market_sockets(self) -> list[Socket]:
        """Return all connections that hear the market."""
        return list(self._market)

    @abstractmethod
    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one WebSocket connection until it ends. An address that does not exist is answered 404."""

    @abstractmethod
    async def show(self, shown: Shown) -> None:
        """Send a frame to everyone who subscribed to its candle."""

    @abstractmethod
    def shutdown_notice(self, socket: Socket) -> bytes | None:
        """Return what is said on ``socket`` before a server is taken away, None when nothing is said there."""

    async def send_event(self, kind: str, event: bytes) -> None:
        """Send one user event to everyone who may hear it and asked for its kind."""
        if self._faults.on_user_event():
            self.cut_user()
        for socket in list(self._user):
            said = self._user_event(socket, kind, event)
            if said is None:
                continue
            if await socket.send(said):
                self.user_events += 1
            else:
                self._user.discard(socket)

    def cut_user(self) -> None:
        """Break all user connections off."""
        for socket in list(self._user):
            self._user.discard(socket)
            socket.break_off()

    async def close(self) -> None:
        """Say good-bye on all connections."""
        for socket in (*self._market, *self._user):
            await socket.ws.close()

    @abstractmethod
    def _user_event(self, socket: Ear, kind: str, event: bytes) -> bytes | None:
        """Return a user event as ``socket`` hears it, None when it does not."""

    async def _send(self, topic: str, payload: bytes) -> None:
        """Send a payload to everyone who subscribed to ``topic``."""
        for socket in list(self._by_topic.get(topic, ())):
            if await socket.send(socket.worded(topic, payload)):
                self.frames += 1
            else:
                self._forget(socket)

    async def _converse(self, socket: Ear, answer: Callable[[str | bytes], Any]) -> web.WebSocketResponse:
        """Answer what comes over ``socket``, where there is an answer, until it ends; long silence ends it too."""
        try:
            async for message in socket.ws:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    said = answer(message.data)
                    if said is not None:
                        await socket.send(msgspec.json.encode(said))
                elif message.type is WSMsgType.PING:
                    await socket.pong(message.data)
        except TimeoutError:
            await socket.ws.close()
        finally:
            self._forget(socket)
        return socket.ws

    def _subscribe(self, socket: Ear, topics: Iterable[str]) -> None:
        for topic in topics:
            if topic not in socket.topics:
                socket.topics.add(topic)
                if not socket.silent:
                    self._by_topic[topic].append(socket)

    def _unsubscribe(self, socket: Ear, topics: Iterable[str]) -> None:
        for topic in topics:
            socket.topics.discard(topic)
            listeners = self._by_topic.get(topic, [])
            if socket in listeners:
                listeners.remove(socket)
            if not listeners:
                self._by_topic.pop(topic, None)

    def _forget(self, socket: Ear) -> None:
        self._market.discard(socket)
        self._user.discard(socket)
        self._unsubscribe(socket, list(socket.topics))

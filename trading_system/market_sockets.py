"""Several sockets of one market as one: a symbol that joins gets a socket of its own, and the others stay connected."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import Any, Protocol


class OneSocket(Protocol):
    """A socket for the symbols with which it was made."""

    def start(self) -> None:
        """Connect, and stay connected."""

    def stop(self) -> None:
        """Let go of it."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""

    def drain(self) -> Sequence[tuple[Any, ...]]:
        """Return what came in since the last call."""


class MarketSockets:
    """One ``MarketSocket`` over those that ``open_for`` opens, the first for ``symbols``."""

    def __init__(self, open_for: Callable[[Sequence[str]], OneSocket], symbols: Sequence[str]) -> None:
        self._open_for = open_for
        self._poll = select.epoll()
        self._sockets: dict[tuple[str, ...], OneSocket] = {}
        self._running = False
        if symbols:
            self._take(tuple(symbols))

    def start(self) -> None:
        """Connect, and stay connected."""
        self._running = True
        for socket in self._sockets.values():
            socket.start()

    def stop(self) -> None:
        """Let go of the sockets."""
        self._running = False
        for socket in self._sockets.values():
            socket.stop()
        self._sockets.clear()
        self._poll.close()

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when one of them does."""
        return self._poll.fileno()

    def drain(self) -> Sequence[tuple[Any, ...]]:
        """Return what came in since the last call."""
        return [event for socket in self._sockets.values() for event in socket.drain()]

    def add(self, symbols: Sequence[str]) -> None:
        """Listen to more symbols."""
        for symbol in symbols:
            if (symbol,) not in self._sockets:
                self._take((symbol,))

    def remove(self, symbols: Sequence[str]) -> None:
        """Listen to ``symbols`` no more; one that shares a socket with others is heard on and dropped by its hearer."""
        for symbol in symbols:
            socket = self._sockets.pop((symbol,), None)
            if socket is not None:
                self._poll.unregister(socket.fileno())
                socket.stop()

    def _take(self, symbols: tuple[str, ...]) -> None:
        socket = self._sockets[symbols] = self._open_for(symbols)
        self._poll.register(socket.fileno(), select.EPOLLIN)
        if self._running:
            socket.start()

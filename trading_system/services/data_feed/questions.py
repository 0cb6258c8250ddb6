"""Questions that a few workers put, one a symbol at a time: a symbol whose answer is slow holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

AT_ONCE = 16


class Questions:
    """Puts ``ask`` for every symbol that is wanted; one that is wanted again meanwhile is asked once more after it.

    ``ask`` must not raise: what comes of a question is its own to tell.
    """

    def __init__(self, ask: Callable[[str], Awaitable[None]], at_once: int = AT_ONCE) -> None:
        self._ask = ask
        self._at_once = at_once
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._asking: set[str] = set()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to ask."""
        self._workers = [
            asyncio.create_task(self._work(), name=f"data_feed questions {n}") for n in range(self._at_once)
        ]

    async def stop(self) -> None:
        """Ask no more; what is being asked is given up."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []

    def want(self, symbol: str) -> None:
        """Ask for ``symbol``, unless it waits to be asked for already."""
        if symbol not in self._queued:
            self._queued.add(symbol)
            if symbol not in self._asking:
                self._waiting.put_nowait(symbol)

    async def _work(self) -> None:
        while True:
            symbol = await self._waiting.get()
            self._queued.discard(symbol)
            self._asking.add(symbol)
            try:
                await self._ask(symbol)
            finally:
                self._asking.discard(symbol)
            if symbol in self._queued:
                self._waiting.put_nowait(symbol)

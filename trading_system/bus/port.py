"""What every bus does: ring a channel, and keep the newest fact under a key. What must not be lost is in the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Listener = Callable[[bytes], Awaitable[None]]
"""Gets the payload of one message; an error that it raises is logged and reaches no other listener."""


class BusClosedError(RuntimeError):
    """The bus was used after it had been closed."""

    def __init__(self, action: str) -> None:
        super().__init__(f"cannot {action}: expected an open bus, was closed; open another with database.open_bus")


class Subscription(Protocol):
    """A listener's place on a channel."""

    async def cancel(self) -> None:
        """Stop hearing the channel; a second call changes nothing."""


class Bus(Protocol):
    """The doorbell and the cache.

    A message may be lost or heard late by whoever is not listening: a subscriber compares steps and reads the store.
    ``leaves_process`` says whether others than this process hear it, hence whether the store must be committed before
    a bell rings.
    """

    leaves_process: bool

    async def publish(self, channel: str, payload: bytes) -> None:
        """Ring ``channel`` with ``payload``; nobody listening is no error. Raises: BusClosedError."""

    async def subscribe(self, channel: str, listener: Listener) -> Subscription:
        """Let ``listener`` hear ``channel`` from the return of this call on. Raises: BusClosedError."""

    async def put_newest(self, key: str, order: int, payload: bytes, ttl_s: float) -> None:
        """Keep ``payload`` under ``key`` for ``ttl_s`` seconds, unless a fact of a greater ``order`` is there.

        ``order`` is usually the step; an equal one replaces. Raises: BusClosedError; ValueError if ttl_s <= 0.
        """

    async def newest(self, key: str) -> bytes | None:
        """Return what is kept under ``key``, or None when there is nothing or its time is over."""

    async def close(self) -> None:
        """Cancel every subscription; a second call changes nothing."""

"""What every bus does: ring a channel, and keep the newest fact under a key. What must not be lost is in the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

Listener = Callable[[bytes], Awaitable[None]]
"""Gets the payload of one message; an error that it raises is logged and reaches no other listener."""

Message = tuple[str, bytes]
"""A channel and the payload that rings it."""

WaveListener = Callable[[Sequence[Message]], Awaitable[None]]
"""Gets the messages of its channels in the order in which they rang; its error is logged and reaches no other."""

LARGEST_PAYLOAD: Final = 1024 * 1024
"""Bytes; a bus that leaves the process neither sends nor hands on more, and counts what it dropped."""


class Subscription(Protocol):
    """A listener's place on a channel."""

    async def cancel(self) -> None:
        """Stop hearing the channel; a second call changes nothing."""


class Bus(Protocol):
    """The doorbell and the cache.

    A message may be lost or heard late by whoever is not listening: a subscriber compares steps and reads the store.
    ``leaves_process`` says whether others than this process hear it, hence whether the store must be committed before
    a bell rings, and whether a payload may be forged.
    """

    leaves_process: bool

    @property
    def counts(self) -> Mapping[str, int]:
        """How often what has happened on this bus since it was opened, by the words that it counts by."""

    @property
    def trouble(self) -> str:
        """One sentence while the bus's server is away or refuses, otherwise empty."""

    async def connect(self) -> None:
        """Reach the server, if there is one; one that is away is no error, for the bus goes on trying.

        Raises: BusRefusedError when the server does not let this client in.
        """

    async def publish(self, channel: str, payload: bytes) -> None:
        """Ring ``channel`` with ``payload``; neither nobody listening nor a server away is an error.

        Raises: BusClosedError.
        """

    async def publish_many(self, messages: Sequence[Message]) -> None:
        """Ring every message in order, as one wave: where the bus stays in the process, it is heard as one.

        Raises: BusClosedError.
        """

    def is_heard(self, channel: str) -> bool:
        """Return False where it is known that nobody listens to ``channel``; what is only shown need not be worded."""

    async def subscribe_many(self, channels: Sequence[str], listener: WaveListener) -> Subscription:
        """Let ``listener`` hear several channels, as ``subscribe`` does one; what rang together may come together.

        Raises: BusClosedError; BusRefusedError.
        """

    async def subscribe(self, channel: str, listener: Listener) -> Subscription:
        """Let ``listener`` hear ``channel`` from the return of this call on, or from when its server is back.

        Raises: BusClosedError; BusRefusedError.
        """

    async def put_newest(self, key: str, order: int, payload: bytes, ttl_s: float) -> None:
        """Keep ``payload`` under ``key`` for ``ttl_s`` seconds, unless a fact of a greater ``order`` is there.

        ``order`` is usually the step (below 2**53); an equal one replaces. An empty payload says that there is no
        such fact now. A server away is no error.
        Raises: BusClosedError; ValueError unless ttl_s is a finite number above 0.
        """

    async def newest(self, key: str) -> bytes | None:
        """Return what is kept under ``key``, or None when there is nothing or its time is over.

        Raises: BusClosedError; BusUnreachableError, BusRefusedError: a failed read is not an empty one.
        """

    async def close(self) -> None:
        """Cancel every subscription; a second call changes nothing."""

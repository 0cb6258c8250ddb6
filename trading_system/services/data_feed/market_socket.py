"""What the data feed needs of a socket; the Rust crate is one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from trading_system.venues.public_rest import Ban

BANNED = re.compile(r"banned: .*HTTP (?P<status>\d+); no attempt for (?P<seconds>\d+) s")


class MarketSocket(Protocol):
    """Events in a queue, and a file descriptor that becomes readable when there are any."""

    def start(self) -> None:
        """Connect, and stay connected."""

    def stop(self) -> None:
        """Let go of the sockets."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""

    def drain(self) -> Sequence[tuple[Any, ...]]:
        """Return what came in since the last call."""

    def add(self, symbols: Sequence[str]) -> None:
        """Listen to more symbols."""

    def remove(self, symbols: Sequence[str]) -> None:
        """Listen to ``symbols`` no more."""


def ban_of(reason: str) -> Ban | None:
    """Return for how long a connection's end keeps us away from the market; None when ``reason`` is no ban.

    Whether the account's host bans us too is that host's to say: a stop does not wait on the word of another.
    """
    found = BANNED.fullmatch(reason)
    if found is None:
        return None
    return Ban(int(found["seconds"]) * 1000, f"HTTP {found['status']} to a stream's handshake", address=False)

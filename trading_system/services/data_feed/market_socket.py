"""What the data feed needs of a socket; the Rust crate is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


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

"""What a reader of a payload reports: each value that our code understood, held against the one in the message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from payload_files import Payload


class Checks:
    """Counts the values that agreed. ``same`` fails at the first one that does not."""

    def __init__(self) -> None:
        self.count = 0

    def same(self, ours: Any, theirs: Any) -> None:
        """Hold one value, or a row of them, against what the message says."""
        assert ours == theirs, f"understood {ours!r}, the message says {theirs!r}"
        self.count += len(theirs) if isinstance(theirs, (list, tuple)) else 1

    def nothing(self, ours: Any) -> None:
        """See that nothing was understood where nothing is to be."""
        assert not ours, f"understood {ours!r}, the message says nothing to us"
        self.count += 1


Reader = Callable[[Payload, Checks], Awaitable[None]]


def numbers(*texts: Any) -> tuple[float, ...]:
    """Return the numbers in ``texts``."""
    return tuple(float(text) for text in texts)

"""Who gets messages on the bus that are none of ours: each service counts them, here it is noticed that counts rise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LATELY_MS: Final = 60_000


class RisingCounts:
    """Counts by service, and when each last rose. The first count that is heard of a service is no rise."""

    def __init__(self, **known: int) -> None:
        """Begin with counts that are ``known`` already."""
        self._counts: dict[str, tuple[int, int | None]] = {name: (count, None) for name, count in known.items()}

    def risen(self, counts: Mapping[str, int], now: int) -> dict[str, int]:
        """Take in new counts, and return those that have risen within the last minute before ``now`` (ms)."""
        for service, count in counts.items():
            last, rose = self._counts.get(service, (count, None))
            self._counts[service] = (count, now if count > last else rose)
        return {
            service: count
            for service, (count, rose) in self._counts.items()
            if rose is not None and now - rose < LATELY_MS
        }

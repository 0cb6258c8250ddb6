"""Keeps a room's newest facts in the cache: at once when they change, and again often enough that they do not die."""

from __future__ import annotations

from typing import NamedTuple

from trading_system.bus.port import Bus

CACHE_S = 600.0  # how long a newest fact outlives its room
AGAIN_AFTER = 4  # steps; well within the life of a fact, and so long at most after a cache server lost everything


class _Said(NamedTuple):
    step: int
    payload: bytes


class NewestFacts:
    """The facts of one writer. Hundreds of symbols have a few facts each, and few of them change in a minute."""

    def __init__(self, bus: Bus) -> None:
        """Keep where to write."""
        self._bus = bus
        self._said: dict[str, _Said] = {}

    async def keep(self, key: str, step: int, payload: bytes) -> None:
        """Keep ``payload`` under ``key`` as it is after ``step``."""
        said = self._said.get(key)
        if said is None or step - said.step >= AGAIN_AFTER or payload != said.payload:
            self._said[key] = _Said(step, payload)
            await self._bus.put_newest(key, step, payload, CACHE_S)

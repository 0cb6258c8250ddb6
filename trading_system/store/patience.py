"""How long to wait before a store that is away is asked again: a little, then longer, never for good."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import StoreAwayError

log = logging.getLogger(__name__)

T = TypeVar("T")
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0


class Pauses:
    """The growing pauses of one outage: doubled each time, up to ``LONGEST_PAUSE_S``."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    def take(self) -> float:
        """Return how long to wait now, in seconds."""
        now, self._next_s = self._next_s, min(self._next_s * 2, LONGEST_PAUSE_S)
        return now


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the store is there, and return what it answers; said once when it goes and once when it is back.

    ``ask`` is called anew each time, so it must be a question that may be put twice; any error but StoreAwayError ends
    the waiting.
    """
    waits = Pauses()
    is_away = False
    while True:
        try:
            answer = await ask()
        except StoreAwayError as error:
            if not is_away:
                log.warning("the store is away: %s", error)
                is_away = True
            await asyncio.sleep(waits.take())
        else:
            if is_away:
                log.warning("the store is back")
            return answer

"""When a trouble that lasts is said: once when it begins, then at growing distances, and once when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_DISTANCE_S, LONGEST_DISTANCE_S = 60.0, 3_600.0


class LastingTrouble:
    """One kind of trouble that comes again and again while its cause lasts. ``now``: seconds of a steady clock.

    One that comes back soon after it was over counts as the same: a connection that flaps fills no log.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._due = 0.0
        self._distance = 0.0
        self._count = 0
        self._is_said = False

    def again(self, sentence: str) -> str | None:
        """Know that it came (again); return what to say of it now, None for nothing."""
        now = self._now()
        if now > self._due + LONGEST_DISTANCE_S:  # long forgotten: this is another one
            self._distance = 0.0
        self._count += 1
        if self._distance and now < self._due:
            return None
        self._distance = min(self._distance * 2, LONGEST_DISTANCE_S) or FIRST_DISTANCE_S
        self._due = now + self._distance
        self._is_said = True
        return sentence if self._count == 1 else f"{sentence} ({self._count:,} times by now)"

    def over(self) -> bool:
        """Know that it is over; tell whether that is worth a word, for one was said when it began."""
        was_said, self._is_said, self._count = self._is_said, False, 0
        return was_said

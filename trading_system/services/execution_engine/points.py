"""The moments at which a death would hurt most, by name.

What happens there is decided by whoever watches: nobody, or a proof of restarts in which the process kills itself.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """A moment in the life of an order; each is reached when the words before it are done and nothing after them is."""

    AFTER_SLOT = "after_slot"
    """A plan has taken its symbol's slot; no order of it exists."""
    AFTER_INTENT = "after_intent"
    """The entry is in the journal and not on the wire."""
    AFTER_SEND = "after_send"
    """The venue has taken the entry; the journal does not know its answer."""
    AFTER_ACKNOWLEDGEMENT = "after_acknowledgement"
    """The answer to the entry is in the journal."""
    AFTER_ENTRY_FILL = "after_entry_fill"
    """The fill that opens the position is booked; its stop is not sent."""
    AFTER_STOP_SEND = "after_stop_send"
    """The venue has taken the stop; the journal does not know its answer."""
    AFTER_STOP_ACKNOWLEDGEMENT = "after_stop_acknowledgement"
    """The answer to the stop is in the journal."""
    BEFORE_SIBLING_CANCEL = "before_sibling_cancel"
    """A stop or a target that nobody wants any more still rests."""
    BETWEEN_OUTPUTS_AND_CHECKPOINT = "between_outputs_and_checkpoint"
    """A step's facts are written, the account that they led to is not."""
    DURING_RECONCILE = "during_reconcile"
    """What rests at the venue is brought in line, and is half done."""


Reached = Callable[[Point], None]
KILL_AT = "TRADING_KILL_AT"
FORMS = f"POINT or POINT:NTH with one of {', '.join(Point)} and NTH from 1 on"


class KillPointError(ValueError):
    """A wish for a death at a point that does not exist."""

    def __init__(self, was: str) -> None:
        super().__init__(f"{KILL_AT}: expected {FORMS}, was {was!r}; unset it, or correct it")


def unwatched(point: Point) -> None:
    """Let the moment pass."""
    del point


def killer(wish: str) -> Reached:
    """Return a watcher that kills this process, beyond all cleaning up, when a point is reached for the nth time.

    wish: ``POINT`` or ``POINT:NTH``. Raises: KillPointError.
    """
    name, _, nth = (wish if ":" in wish else f"{wish}:1").partition(":")
    if name not in set(Point) or not (nth.isascii() and nth.isdecimal() and int(nth)):
        raise KillPointError(wish)
    left = int(nth)

    def reached(point: Point) -> None:
        nonlocal left
        if point == name:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached

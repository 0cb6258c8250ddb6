"""What an answer of a venue means, by a table of that venue over HTTP status, error code and message.

The first row that fits decides, and an answer that no row fits is unknown: an error does not mean that nothing was
executed.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from enum import StrEnum
from typing import NamedTuple

from trading_system.venues.errors import (
    NoSuchOrderError,
    NothingToReduceError,
    NotTakenError,
    OutcomeUnknownError,
    RefusedError,
    StopPassedError,
    VenueError,
)


class Meaning(StrEnum):
    """What an answer says about the request."""

    DONE = "done"  # it took effect
    ALREADY_SO = "already so"  # a setting that had the wanted value before
    UNKNOWN = "unknown"  # it may have taken effect
    NOT_TAKEN = "not taken"  # it had no effect, another attempt is allowed
    CLOCK = "clock"  # as NOT_TAKEN, after the clock was measured anew
    REFUSED = "refused"  # it had no effect and never will
    STOP_PASSED = "stop passed"
    NOTHING_TO_REDUCE = "nothing to reduce"
    NO_SUCH_ORDER = "no such order"


class Row(NamedTuple):
    """One row of the table; None fits everything, ``says`` fits a message that contains it."""

    meaning: Meaning
    statuses: Container[int] | None = None
    codes: Container[int] | None = None
    says: str | None = None
    coded: bool = True  # False: fits only an answer without an error code


def meaning_of(status: int, code: int | None, message: str, table: Sequence[Row]) -> Meaning:
    """Return what an answer means. ``code`` is the error code of its JSON body, None if it has none."""
    for row in table:
        if (
            (row.statuses is None or status in row.statuses)
            and (row.codes is None or (code is not None and code in row.codes))
            and (row.coded or code is None)
            and (row.says is None or row.says in message.lower())
        ):
            return row.meaning
    return Meaning.UNKNOWN


def error_of(meaning: Meaning, code: int | None, message: str, wait_s: float) -> VenueError | None:
    """Return the error by which a caller learns ``meaning``, None if the request did what it should."""
    number = code or 0
    match meaning:
        case Meaning.DONE | Meaning.ALREADY_SO:
            return None
        case Meaning.NOT_TAKEN | Meaning.CLOCK:
            return NotTakenError(number, message, wait_s)
        case Meaning.STOP_PASSED:
            return StopPassedError(number, message)
        case Meaning.NOTHING_TO_REDUCE:
            return NothingToReduceError(number, message)
        case Meaning.NO_SUCH_ORDER:
            return NoSuchOrderError(f"{number}: {message}")
        case Meaning.REFUSED:
            return RefusedError(number, message)
        case Meaning.UNKNOWN:
            return OutcomeUnknownError(f"the answer {number} {message[:200]!r} does not say whether it was executed")


def waiting_time(retry_after: str | None, message: str, now_ms: int) -> float:
    """Return the seconds that the venue asks to be left alone: its header, or the end of a ban in its message."""
    if retry_after is not None and retry_after.strip().isdigit():
        return float(retry_after)
    ban = re.search(r"banned until (\d{13})", message)
    return max(0.0, (int(ban[1]) - now_ms) / 1000) if ban else 0.0

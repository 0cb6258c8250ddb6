"""What a person may write for the first and the last instant of a history: a date or a date with a time, always UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from trading_system.contracts.instants import to_ms


class BoundError(ValueError):
    """A bound that is no date; the sentence says how to write one."""


def bound_ms(text: str, option: str = "the bound") -> int:
    """Return the instant that ``text`` names, in ms UTC: 2025-01-31, 2025-01-31T12:30, 2025-01-31T12:30:00Z.

    A day means its beginning. A time without a zone is UTC whatever the host's zone, for all our times are; another
    zone must be written (+02:00). ``option`` names it in the error. Raises: BoundError.
    """
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BoundError(
            f"{option} {text!r}: expected a date or a date with a time in UTC, was neither; "
            "write it like 2025-01-31 or 2025-01-31T12:30:00Z"
        ) from None
    return to_ms(instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant)

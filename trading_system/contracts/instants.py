"""How an instant is written: integer milliseconds UTC inside, datetimes in messages. Reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Return the datetime in UTC of ``ms`` milliseconds since the epoch, exactly."""
    return EPOCH + timedelta(milliseconds=int(ms))


def to_ms(instant: datetime) -> int:
    """Return the milliseconds since the epoch of ``instant``, rounded down; a naive datetime means local time."""
    if instant.tzinfo is None:
        instant = instant.astimezone(UTC)
    return (instant - EPOCH) // MILLISECOND


def in_utc(instant: datetime) -> datetime:
    """Return the same instant with the zone UTC; a naive datetime means local time, as Python itself reads it.

    Raises: ValueError or OverflowError for a local time so far away that the platform cannot place it.
    """
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)

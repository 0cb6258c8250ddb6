"""Where detectors write their events: the next free row of the caller's array, cleared, with its common columns."""

from __future__ import annotations

from trading_system.rules.compiled import compiled
from trading_system.rules.records import EventKind, Record, Records


@compiled
def new_row(head: Record, out: Records, line: Record, kind: int, direction: int, time: int) -> int:
    """Open a row for an event of ``line`` at its newest close and return the row's number."""
    n: int = head["written"]
    head["written"] = n + 1
    out[n] = head["blank"]
    row = out[n]
    row["kind"] = kind
    row["interval"] = line["interval"]
    row["direction"] = direction
    row["time"] = time
    row["confirmed_at"] = line["confirmed_at"]
    row["trend"] = head["bias"]
    return n


@compiled
def refer(row: Record, kind: int, direction: int, time: int, confirmed_at: int) -> None:
    """Let ``row`` refer to the event that began what it speaks about."""
    row["ref_kind"] = kind
    row["ref_direction"] = direction
    row["ref_time"] = time
    row["ref_confirmed_at"] = confirmed_at


@compiled
def swing_kind(side: int) -> int:
    """Return the kind of a swing event: a high for side 1, a low for side -1."""
    return EventKind.SWING_HIGH.value if side > 0 else EventKind.SWING_LOW.value

"""Where detectors write their events: the next free row of the caller's array, cleared, with its common columns."""

from __future__ import annotations

from typing import NamedTuple

from trading_system.rules.compiled import compiled
from trading_system.rules.records import EVENT, EventKind, Records, words

_ROW = words(EVENT)


class Sheet(NamedTuple):
    """The rows to fill, the same memory as plain words, and the head of the state, which counts the rows."""

    rows: Records  # EVENT[n]
    words: Records  # int64[n * words of a row]
    run: Records  # RUN[1]


@compiled
def new_row(sheet: Sheet, now: Records, kind: int, direction: int, time: int) -> int:
    """Open a row for an event of the interval ``now`` at its newest close and return the row's number."""
    n = sheet.run[0]["written"]
    sheet.run[0]["written"] = n + 1
    for word in range(n * _ROW, (n + 1) * _ROW):
        sheet.words[word] = 0
    row = sheet.rows[n]
    row["kind"] = kind
    row["interval"] = now[0]["interval"]
    row["direction"] = direction
    row["time"] = time
    row["confirmed_at"] = now[0]["confirmed_at"]
    row["trend"] = sheet.run[0]["bias"]
    return int(n)


@compiled
def refer(sheet: Sheet, n: int, kind: int, direction: int, time: int, confirmed_at: int) -> None:
    """Let row ``n`` refer to the event that began what it speaks about."""
    row = sheet.rows[n]
    row["ref_kind"] = kind
    row["ref_direction"] = direction
    row["ref_time"] = time
    row["ref_confirmed_at"] = confirmed_at


@compiled
def swing_kind(side: int) -> int:
    """Return the kind of a swing event: a high for side 1, a low for side -1."""
    return EventKind.SWING_HIGH.value if side > 0 else EventKind.SWING_LOW.value

"""In which order closed minutes become steps: each minute once, in order, holes named before they are stepped over.

The first closed row received for a minute is the line's truth. A later row with other numbers is a correction: it is
recorded beside the first and never folded. What counts as closed by REST, what proves a gap and when a missing close
is asked for is decided here too, in the exchange's time; the asking is the data feed's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from trading_system.rules.matching import MINUTE_MS

REMEMBERED = 4  # published minutes that a late row is still compared with
OVER_MS = 1_000  # a row may still change for so long after its close
GRACE_MS = 3_000  # a close that the socket has not brought by then is asked for
PATIENCE_MS = 30_000  # ... until then; the next minute asks again
FIRST_PAUSE_MS = 2_000  # between two questions for the same minute; each pause is twice the one before
AGREE_MS = 2_000  # two reads confirm each other only when so much time lies between them
GAP_AFTER_MS = 10_000  # REST may lack a minute for the first seconds after it
NEWEST_MS = 600_000  # a newest row that stays the newest for longer is a market that stands still


class ClosedCandle(NamedTuple):
    """A closed minute as the exchange stated it; ``gap`` marks one that it is proven not to have."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    gap: bool = False


class Sequence(NamedTuple):
    """How far one symbol's minutes have come: ``last`` is the newest minute let through, ``early`` waits for a hole.

    ``before``: some minutes that were let through before ``last``, the newest first.
    """

    last: ClosedCandle
    early: tuple[ClosedCandle, ...] = ()
    before: tuple[ClosedCandle, ...] = ()


class Sequenced(NamedTuple):
    """What one delivery led to: minutes to publish in order, corrections to record, and the first missing minute.

    ``fresh`` counts the minutes that were not known before, published or not.
    """

    sequence: Sequence
    publish: tuple[ClosedCandle, ...]
    corrections: tuple[ClosedCandle, ...]
    missing_from: int | None
    fresh: int


def accept(sequence: Sequence, candles: Iterable[ClosedCandle]) -> Sequenced:
    """Take closed minutes in any order and return what may be published now.

    ``missing_from`` is the open time of the first minute that must be asked for before the early ones can follow.
    """
    waiting = {candle.open_time: candle for candle in sequence.early}
    last, before = sequence.last, sequence.before
    corrections: list[ClosedCandle] = []
    fresh = 0
    for candle in candles:
        if candle.open_time > last.open_time:
            first = waiting.setdefault(candle.open_time, candle)
            fresh += first is candle
            if first != candle:
                corrections.append(candle)
        elif any(known.open_time == candle.open_time and known != candle for known in (last, *before)):
            corrections.append(candle)
    publish: list[ClosedCandle] = []
    while last.open_time + MINUTE_MS in waiting:
        before = (last, *before)[:REMEMBERED]
        last = waiting.pop(last.open_time + MINUTE_MS)
        publish.append(last)
    early = tuple(waiting[open_time] for open_time in sorted(waiting)) if waiting else ()
    missing = last.open_time + MINUTE_MS if early else None
    return Sequenced(Sequence(last, early, before), tuple(publish), tuple(corrections), missing, fresh)


class Page(NamedTuple):
    """One answer of the exchange's REST: ``rows`` as it states them, oldest first, the running minute among them.

    ``proven``: every minute asked for before this open time is over, for a newer one exists: it is among the rows, or
    this answer lacks it. ``more``: rows beyond this answer exist.
    """

    rows: tuple[ClosedCandle, ...]
    proven: int
    more: bool = False


class Read(NamedTuple):
    """A page, and the exchange's time when it was asked for, ms UTC.

    ``at`` is None where the market's time does not pass by itself, and for what holds at any time.
    """

    page: Page
    at: int | None


class Settled(NamedTuple):
    """The closed minutes of an answer, in order from the one asked for, gaps named.

    ``unproven_gap``: the open time of the minute that follows, if it is a gap should a second answer lack it too.
    """

    closed: tuple[ClosedCandle, ...]
    unproven_gap: int | None = None


def settle(start: int, read: Read, earlier: Read | None) -> Settled:
    """Return what ``read``, which was asked for ``start`` on, proves together with an ``earlier`` one.

    A row is closed when its minute is over by the exchange's clock and a newer row exists. The newest row is closed
    when two reads, both after its close, state the same. A minute is a gap when two reads lack it that both know newer
    ones. Without a time only a newer row proves anything.
    """
    page, now = read
    rows = {row.open_time: row for row in page.rows}
    end = max(page.proven, page.rows[-1].open_time + MINUTE_MS if page.rows else start)
    closed: list[ClosedCandle] = []
    for time in range(start, end, MINUTE_MS):
        row = rows.get(time)
        if row is None:
            if time >= page.proven or (now is not None and time + MINUTE_MS + GAP_AFTER_MS > now):
                break
            if earlier is None or not _lacks_too(time, now, earlier):
                return Settled(tuple(closed), time)
            closed.append(gap_at(time))
        elif now is not None and time + MINUTE_MS + OVER_MS > now:
            break
        elif time < page.proven or (now is not None and earlier is not None and _states_too(row, now, earlier)):
            closed.append(row)
        else:
            break
    return Settled(tuple(closed))


def _lacks_too(time: int, now: int | None, earlier: Read) -> bool:
    """Tell whether an earlier read confirms a gap; of the newest minutes it must lie some time before."""
    page, at = earlier
    young = now is not None and at is not None and time + NEWEST_MS > now and now - at < AGREE_MS
    return not young and time < page.proven and all(row.open_time != time for row in page.rows)


def _states_too(row: ClosedCandle, now: int, earlier: Read) -> bool:
    """Tell whether an earlier read confirms the newest row: some time before, but after its close as well."""
    page, at = earlier
    after_close = at is not None and row.open_time + MINUTE_MS + OVER_MS <= at <= now - AGREE_MS
    return after_close and row.open_time + MINUTE_MS + NEWEST_MS >= now and row in page.rows


def closed_rows(start: int, page: Page) -> list[ClosedCandle]:
    """Return the closed minutes of one answer that nothing can be compared with; skipped minutes become gaps."""
    read = Read(page, None)
    return list(settle(start, read, read).closed)


def gap_at(open_time: int) -> ClosedCandle:
    """Return the minute of ``open_time`` as one that the exchange does not have."""
    return ClosedCandle(open_time, 0.0, 0.0, 0.0, 0.0, 0.0, gap=True)


class Asked(NamedTuple):
    """That a missing close was asked for: the newest minute that should be there, and when to ask again."""

    minute: int
    again_at: int
    pause: int


def newest_due(now: int) -> int:
    """Return the open time of the newest minute whose close must have been heard by ``now`` (the exchange's time)."""
    return (now - GRACE_MS) // MINUTE_MS * MINUTE_MS - MINUTE_MS


def ask_at(last: int, now: int, before: Asked | None) -> Asked | None:
    """Return the question to put now, None if there is none: ``last`` is the open time of the newest minute known.

    The deadline of a close is T + 3 s; it is asked for with growing pauses until T + 30 s. What is still missing then
    is asked for again with the next minute, for as long as it takes: no patience that ends makes a gap.
    """
    due = newest_due(now)
    if last >= due:
        return None
    if before is None or before.minute < due:
        return Asked(due, now + FIRST_PAUSE_MS, FIRST_PAUSE_MS)
    if now < before.again_at or now > due + MINUTE_MS + PATIENCE_MS:
        return None
    pause = before.pause * 2
    return Asked(due, now + pause, pause)

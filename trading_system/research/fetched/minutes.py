"""Minutes as arrays, the months that they are kept in, and how two statements about the same minutes differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from trading_system.research.candle_columns import Floats, Integers
from trading_system.research.candle_names import COLUMNS
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle

VALUES = COLUMNS[1:]


class Month(NamedTuple):
    """A calendar month, UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, ms: int) -> Month:
        """Return the month in which the instant ``ms`` lies."""
        moment = datetime.fromtimestamp(ms / 1000, UTC)
        return cls(moment.year, moment.month)

    @property
    def start(self) -> int:
        """Its first instant, ms UTC."""
        return int(datetime(self.year, self.number, 1, tzinfo=UTC).timestamp()) * 1000

    @property
    def end(self) -> int:
        """The first instant after it, ms UTC."""
        return self.next().start

    def next(self) -> Month:
        """Return the month after it."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def __str__(self) -> str:
        """Return ``2025-01``."""
        return f"{self.year:04d}-{self.number:02d}"


def months_of(first: int, until: int) -> list[Month]:
    """Return the months that have a minute at or after ``first`` and before ``until`` (ms UTC)."""
    months = []
    month = Month.of(first)
    while month.start < until:
        months.append(month)
        month = month.next()
    return months


class Minutes(NamedTuple):
    """``times`` int64[n], open times in ms UTC, ascending; ``values`` float64[n, 5], in the order of ``VALUES``."""

    times: Integers
    values: Floats

    @classmethod
    def none(cls) -> Minutes:
        """Return no minutes."""
        return cls(np.zeros(0, np.int64), np.zeros((0, len(VALUES))))

    @classmethod
    def of_rows(cls, rows: Sequence[ClosedCandle]) -> Minutes:
        """Return rows of an exchange; gaps among them are left out."""
        kept = [row for row in rows if not row.gap]
        if not kept:
            return cls.none()
        return cls(np.array([row.open_time for row in kept]), np.array([row[1:6] for row in kept], np.float64))

    def between(self, first: int, until: int) -> Minutes:
        """Return those that open at or after ``first`` and before ``until``."""
        begin, end = np.searchsorted(self.times, [first, until], side="left")
        return Minutes(self.times[begin:end], self.values[begin:end])

    def then(self, later: Minutes) -> Minutes:
        """Return these and the ``later`` ones."""
        return Minutes(np.concatenate([self.times, later.times]), np.concatenate([self.values, later.values]))


class Hole(NamedTuple):
    """``missing`` minutes from ``first`` (open time, ms UTC) on that the exchange does not have."""

    first: int
    missing: int


def holes_in(times: Integers, first: int, until: int) -> list[Hole]:
    """Return what is missing of the minutes from ``first`` to ``until``; ``times`` int64[n] lie between them."""
    edges = np.concatenate([[first - MINUTE_MS], times, [until]])
    steps = np.diff(edges)
    return [
        Hole(int(edges[at]) + MINUTE_MS, int(steps[at]) // MINUTE_MS - 1)
        for at in np.flatnonzero(steps > MINUTE_MS).tolist()
    ]


class Disagreement(NamedTuple):
    """How two statements about the same span differ: minutes with other numbers, and those that only one has.

    ``first``: open time of the first such minute, ms UTC; ``ours`` and ``theirs``: its numbers there, None if absent.
    """

    changed: int
    only_ours: int
    only_theirs: int
    first: int
    ours: tuple[float, ...] | None
    theirs: tuple[float, ...] | None


def disagreement(ours: Minutes, theirs: Minutes) -> Disagreement | None:
    """Return how two statements about one span differ, None if they do not."""
    _, here, there = np.intersect1d(ours.times, theirs.times, assume_unique=True, return_indices=True)
    differ = (ours.values[here] != theirs.values[there]).any(axis=1)
    changed = ours.times[here][differ]
    only_ours = np.setdiff1d(ours.times, theirs.times, assume_unique=True)
    only_theirs = np.setdiff1d(theirs.times, ours.times, assume_unique=True)
    found = np.concatenate([changed, only_ours, only_theirs])
    if not len(found):
        return None
    first = int(found.min())
    return Disagreement(
        len(changed), len(only_ours), len(only_theirs), first, _numbers(ours, first), _numbers(theirs, first)
    )


def _numbers(minutes: Minutes, time: int) -> tuple[float, ...] | None:
    at = int(np.searchsorted(minutes.times, time))
    if at == len(minutes.times) or minutes.times[at] != time:
        return None
    return tuple(minutes.values[at].tolist())

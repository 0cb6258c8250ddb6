"""In which order closed minutes become steps: each minute once, in order, holes named before they are stepped over.

The first closed row received for a minute is the line's truth. A later row with other numbers is a correction: it is
recorded beside the first and never folded. What to do about a hole (ask the exchange) is the data feed's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from trading_system.rules.matching import MINUTE_MS


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
    """How far one symbol's minutes have come: ``last`` is the newest minute let through, ``early`` waits for a hole."""

    last: ClosedCandle
    early: tuple[ClosedCandle, ...] = ()


class Sequenced(NamedTuple):
    """What one delivery led to: minutes to publish in order, corrections to record, and the first missing minute."""

    sequence: Sequence
    publish: tuple[ClosedCandle, ...]
    corrections: tuple[ClosedCandle, ...]
    missing_from: int | None


def accept(sequence: Sequence, candles: Iterable[ClosedCandle]) -> Sequenced:
    """Take closed minutes in any order and return what may be published now.

    ``missing_from`` is the open time of the first minute that must be asked for before the early ones can follow.
    """
    waiting = {candle.open_time: candle for candle in sequence.early}
    last = sequence.last
    corrections: list[ClosedCandle] = []
    for candle in candles:
        if candle.open_time > last.open_time:
            first = waiting.setdefault(candle.open_time, candle)
            if first != candle:
                corrections.append(candle)
        elif candle.open_time == last.open_time and candle != last:
            corrections.append(candle)
    publish: list[ClosedCandle] = []
    while last.open_time + MINUTE_MS in waiting:
        last = waiting.pop(last.open_time + MINUTE_MS)
        publish.append(last)
    early = tuple(waiting[open_time] for open_time in sorted(waiting))
    missing = last.open_time + MINUTE_MS if early else None
    return Sequenced(Sequence(last, early), tuple(publish), tuple(corrections), missing)

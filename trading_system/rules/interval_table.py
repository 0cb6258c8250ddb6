"""The closed set of candle intervals: their names and their lengths in ms."""

from __future__ import annotations

import difflib

_MINUTE = 60_000
_DAY = 1440 * _MINUTE
_WEEK = 7 * _DAY

INTERVALS = {
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": 60 * _MINUTE,
    "2h": 120 * _MINUTE,
    "4h": 240 * _MINUTE,
    "6h": 360 * _MINUTE,
    "8h": 480 * _MINUTE,
    "12h": 720 * _MINUTE,
    "1d": _DAY,
    "3d": 3 * _DAY,
    "1w": _WEEK,
}
_NAMES = {length: name for name, length in INTERVALS.items()}


class IntervalError(ValueError):
    """An interval that is not one of ours, does not fit its base, or has no complete bucket."""


def interval_ms(name: str) -> int:
    """Return the length of an interval in ms: ``"15m"`` -> 900000.

    Raises: IntervalError when the name is none of ``INTERVALS``.
    """
    if name not in INTERVALS:
        near = difflib.get_close_matches(name, INTERVALS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise IntervalError(f"expected one of {' '.join(INTERVALS)}, was {name!r}{hint}")
    return INTERVALS[name]


def interval_name(length: int) -> str:
    """Return the name of an interval of ``length`` ms: 900000 -> ``"15m"``.

    Raises: IntervalError when no interval has this length.
    """
    if length not in _NAMES:
        raise IntervalError(f"expected the length of one of {' '.join(INTERVALS)} in ms, was {length}")
    return _NAMES[length]

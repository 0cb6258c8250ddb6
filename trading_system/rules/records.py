"""The records that compiled rules read and write, each written out once: candles, events, parameters and state.

All fields take eight bytes and start at zero, so a state can be saved, compared and copied as bytes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Record = Any  # one of the records below, by reference
Records = npt.NDArray[Any]  # an array of one of the records below, or the words of a state

_WHOLE = "<i8"
_REAL = "<f8"


def _record(whole: str, real: str = "") -> np.dtype[np.void]:
    """Return a record of integer fields, then real fields, each named in a text."""
    return np.dtype([(name, _WHOLE) for name in whole.split()] + [(name, _REAL) for name in real.split()])


class EventKind(IntEnum):
    """What an event says; the lower-case name is its name outside the fold."""

    SWING_HIGH = 1
    SWING_LOW = 2
    BOS = 3
    CHOCH = 4
    OB_FORMED = 5
    OB_TOUCHED = 6
    OB_MITIGATED = 7
    OB_INVALIDATED = 8
    OB_EXPIRED = 9
    FLAG_POLE = 10
    FLAG_CONSOLIDATING = 11
    FLAG_BREAKOUT = 12
    FLAG_FAILED = 13
    FLAG_EXPIRED = 14
    FLAG_SUPERSEDED = 15


class Label(IntEnum):
    """How a swing stands to the swing of its kind before it; the first of its kind has none."""

    NONE = 0
    HH = 1
    LH = 2
    EQH = 3
    HL = 4
    LL = 5
    EQL = 6


class Reason(IntEnum):
    """Why a block or a flag ended."""

    NONE = 0
    MAX_AGE = 1
    TOO_MANY = 2
    FLAG_TOO_LONG = 3
    RETRACED_TOO_DEEP = 4


class Shape(IntEnum):
    """What the two lines of a flag look like."""

    FLAG = 0
    PENNANT = 1


class Ties(IntEnum):
    """Which of several equal extremes is the pivot: the last (as TradingView), the first, all of them, or none."""

    LAST = 0
    FIRST = 1
    ALL = 2
    NONE = 3


class Source(IntEnum):
    """Which price of a candle a pivot looks at."""

    HL = 0
    CLOSE = 1
    LOG_CLOSE = 2


class SameBar(IntEnum):
    """What happens to a candle that is pivot high and pivot low at once."""

    BOTH = 0
    HIGH = 1


class Zone(IntEnum):
    """Which part of its candle an order block is."""

    RANGE = 0
    BODY = 1


class Mitigation(IntEnum):
    """What must lie beyond the far edge of a block to break it."""

    WICK = 0
    CLOSE = 1
    BODY = 2


class BlockCandle(IntEnum):
    """Which candle of the impulse is the block."""

    EXTREME = 0
    LAST_OPPOSITE = 1


class Stage(IntEnum):
    """How far the fold goes: all detectors, or swings only."""

    EVERYTHING = 0
    SWINGS = 1


# One closed candle of the base interval. `gap` is 1 for a step that the exchange has no prices for.
CANDLE = np.dtype(
    [
        ("open_time", _WHOLE),
        ("open", _REAL),
        ("high", _REAL),
        ("low", _REAL),
        ("close", _REAL),
        ("volume", _REAL),
        ("gap", _WHOLE),
    ]
)

# One fact. `ref_...` name the birth of what it refers to; columns that a kind does not use are zero.
EVENT = _record(
    "kind interval direction time confirmed_at ref_kind ref_direction ref_time ref_confirmed_at trend label reason "
    "break_kind has_fvg confluence shape base_time width pole_width",
    "price close previous_close top bottom volume strength displacement atr penetration base_price tip_price extreme "
    "pole_height depth retrace resist_slope resist_intercept support_slope support_intercept "
    "resist_start resist_end support_start support_end",
)

# What decides a line: intervals in ms, the volume grid step_num/step_den, the rules' numbers, and the state's sizes.
PARAMS = _record(
    "base signal higher longest step_num step_den stage "
    "left right ties same_bar first_index source "
    "zone mitigation candle tie max_age max_active "
    "order flag_ties flag_first_index flag_source min_flag_bars require_progress eval_offset max_flag_bars "
    "history blocks most_events",
    "min_displacement_atr max_size_atr max_width_ratio max_retrace tol min_pole_atr",
)

# The running longer candle of one interval. `live` once a step at its own start was seen; volume counts grid units.
BUCKET = _record("live open_time end candles units", "open high low close")

# One closed candle of an interval as the detectors remember it.
HISTORY = _record("open_time", "open high low close volume log_close atr")

# A structure swing, and whether a close went beyond it.
SWING = _record("known index time confirmed_at crossed", "price")

# A live order block. `state` is a BlockState.
BLOCK = _record("state formed time confirmed_at", "top bottom penetration")

# A confirmed pivot of closes, with the wick price and average true range of its candle.
TURN = _record("known index time", "value price atr")

# A pole waiting for its flag.
POLE = _record(
    "pending consolidating strong base_index base_time tip_index tip_time confirmed_at",
    "base_value tip_value base_price tip_price",
)


class BlockState(IntEnum):
    """How far the life of an order block has come."""

    FORMED = 1
    TOUCHED = 2
    MITIGATED = 3

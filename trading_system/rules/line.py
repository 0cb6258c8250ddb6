"""How a state is laid out: one head, then for each interval a line of records; its size follows from two numbers."""

from __future__ import annotations

from functools import cache

import numpy as np

from trading_system.rules.compiled import compiled
from trading_system.rules.records import BLOCK, BUCKET, EVENT, HISTORY, POLE, SWING, TURN

WHOLE = np.dtype("<i8")
REAL = np.dtype("<f8")

# The head: where the line began (once `begun`), the step it waits for, events written in this call, the trend of the
# higher interval, and an empty event to begin rows with.
HEAD = np.dtype(
    [
        ("begun", WHOLE),
        ("origin", WHOLE),
        ("expected", WHOLE),
        ("written", WHOLE),
        ("bias", WHOLE),
        ("blank", EVENT),
    ]
)


@cache
def state_record(blocks: int, history: int) -> np.dtype[np.void]:
    """Return the record of a whole state with room for ``blocks`` blocks a side and ``history`` candles an interval.

    history: a power of two; candle k of an interval lies at k modulo it. Pairs are ordered highs, tops or bulls first.
    Each pair of sizes is compiled once, so sizes come in few steps.
    """
    line = np.dtype(
        [
            ("interval", WHOLE),
            ("leads", WHOLE),  # 1 for the higher interval
            ("count", WHOLE),  # closed candles so far
            ("confirmed_at", WHOLE),  # close of the newest one
            ("trend", WHOLE),
            ("last_side", WHOLE),  # 1 after a high, -1 after a low
            ("bull_count", WHOLE),
            ("bear_count", WHOLE),
            ("true_ranges", REAL),
            ("atr", REAL),
            ("bucket", BUCKET),
            ("swings", SWING, (4,)),  # latest high, latest low, the high before, the low before
            ("turns", TURN, (2,)),
            ("poles", POLE, (2,)),
            ("bulls", BLOCK, (blocks,)),  # oldest first
            ("bears", BLOCK, (blocks,)),
            ("history", HISTORY, (history,)),
        ]
    )
    return np.dtype([("head", HEAD), ("signal", line), ("higher", line)])


@compiled
def place(side: int) -> int:
    """Return where a side stands in a pair: highs and bulls (1) first, lows and bears (-1) second."""
    return 0 if side > 0 else 1

"""How a state of plain 8-byte words is laid out: one head, then the records of each interval, seen as views."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.rules.compiled import compiled
from trading_system.rules.records import BLOCK, BUCKET, HISTORY, NOW, POLE, RUN, SWING, TURN, Records, words

HEAD_WORDS = words(RUN)
_NOW = words(NOW)
_BUCKET = _NOW + words(BUCKET)
_SWINGS = _BUCKET + words(SWING, 4)
_TURNS = _SWINGS + words(TURN, 2)
_POLES = _TURNS + words(POLE, 2)
_BLOCK_WORDS = words(BLOCK)
_HISTORY_WORDS = words(HISTORY)


class Line(NamedTuple):
    """The views of one interval. Pairs are ordered highs (or bulls) first, lows (or bears) second."""

    now: Records  # NOW[1]
    bucket: Records  # BUCKET[1]
    swings: Records  # SWING[4]: latest high, latest low, the high before it, the low before it
    turns: Records  # TURN[2]: latest top and bottom of the flags' closes
    poles: Records  # POLE[2]: the pending bull pole and bear pole
    bulls: Records  # BLOCK[max_active + 1], oldest first
    bears: Records  # BLOCK[max_active + 1], oldest first
    history: Records  # HISTORY[power of two], candle k at k modulo its length


@compiled
def line_words(max_active: int, history: int) -> int:
    """Return how many words the records of one interval take."""
    return _POLES + 2 * (max_active + 1) * _BLOCK_WORDS + history * _HISTORY_WORDS


@compiled
def line_at(state: Records, start: int, max_active: int, history: int) -> Line:
    """Return the views of the interval whose records begin at word ``start`` of ``state``."""
    blocks = (max_active + 1) * _BLOCK_WORDS
    bulls = start + _POLES
    bears = bulls + blocks
    candles = bears + blocks
    return Line(
        state[start : start + _NOW].view(NOW),
        state[start + _NOW : start + _BUCKET].view(BUCKET),
        state[start + _BUCKET : start + _SWINGS].view(SWING),
        state[start + _SWINGS : start + _TURNS].view(TURN),
        state[start + _TURNS : start + _POLES].view(POLE),
        state[bulls:bears].view(BLOCK),
        state[bears:candles].view(BLOCK),
        state[candles : candles + history * _HISTORY_WORDS].view(HISTORY),
    )


@compiled
def place(side: int) -> int:
    """Return where a side stands in a pair: highs and bulls (1) first, lows and bears (-1) second."""
    return 0 if side > 0 else 1


def state_words(intervals: int, max_active: int, history: int) -> npt.NDArray[np.int64]:
    """Return a zero state for a line of ``intervals`` intervals."""
    return np.zeros(HEAD_WORDS + intervals * line_words(max_active, history), dtype=np.int64)

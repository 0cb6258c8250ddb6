"""How many decimals a column of floats uses: what a bare candle file says about its market's tick and step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trading_system.research.candle_columns import Floats

MAX_DECIMALS = 12
_BLOCK = 16_384  # floats that stay in the processor's nearest memory through the passes over them
_EXACT = 2.0**53  # above it, floats have no room for every whole number


def decimals_used(values: Floats) -> int | None:
    """Return the least number of decimals that writes every value of float64[n] exactly, or None if over twelve."""
    if len(values) == 0:
        return 0
    peak = max(abs(float(values.max())), abs(float(values.min())))
    used = 0
    for begin in range(0, len(values), _BLOCK):
        block = values[begin : begin + _BLOCK]
        # Nearly every block is settled by the decimals seen so far; only what is not is looked at more closely.
        unwritten = _unwritten(block, used, peak)
        if not unwritten.any():
            continue
        more = _least(block[unwritten], peak)
        if more is None:
            return None
        used = max(used, more)
    return used


def _least(values: Floats, peak: float) -> int | None:
    rest = values
    for decimals in range(MAX_DECIMALS + 1):
        rest = rest[_unwritten(rest, decimals, peak)]
        if len(rest) == 0:
            return decimals
    return None


def _unwritten(values: Floats, decimals: int, peak: float) -> npt.NDArray[np.bool_]:
    """Tell for each value, none beyond ``peak``, whether it needs more digits behind the point than ``decimals``."""
    scale = 10.0**decimals
    scaled = values * scale
    unwritten: npt.NDArray[np.bool_] = np.rint(scaled) / scale != values
    if peak * scale > _EXACT:
        unwritten |= np.abs(scaled) > _EXACT
    return unwritten

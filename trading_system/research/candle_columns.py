"""The six columns of a candle file once its form is read, and the way back from a candle to its row in the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trading_system.research.history_error import HistoryError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CandleColumns:
    """``open_time`` int64[n] in ms UTC and ``values`` float64[n] by column, as the file has them, not yet checked.

    ``line_of`` gives the row in the file (see HistoryError) of candle 0..n-1; it may be slow.
    """

    path: Path
    open_time: Integers
    values: dict[str, Floats]
    line_of: Callable[[int], int]

    @cached_property
    def steps(self) -> Integers:
        """How far each candle but the first opens after the one before it: int64[n - 1] in ms."""
        return np.diff(self.open_time)

    def fault(self, row: int, expected: str, was: str, remedy: str) -> HistoryError:
        """Return the error that speaks of candle ``row``."""
        return HistoryError(self.path, expected, was, remedy, self.line_of(row))

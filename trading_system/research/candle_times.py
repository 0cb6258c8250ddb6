"""What the numbers of open_time mean: their unit follows from their size, and one file has one unit.

Dates of the markets in seconds, ms, microseconds and ns lie apart by factors of a thousand, so a size is no guess. Only
Bybit's columns are read as seconds; a small number in another column is taken as ms, as our own format says.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trading_system.research.candle_columns import Integers
from trading_system.research.candle_names import BYBIT_TIMES
from trading_system.research.history_error import HistoryError

Fault = Callable[[int, str, str, str], HistoryError]  # candle, expected, was, remedy

_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
# The first number that is too great for seconds (the year 5138), ms, microseconds.
_ENDS = (10**11, 10**14, 10**17)


def ms_of(numbers: Integers, column: str, fault: Fault) -> Integers:
    """Return ``numbers`` int64[n] of the file's ``column`` as ms UTC.

    Raises: HistoryError, made by ``fault``, for the first number of another unit than the first row's, and for one that
    is no whole ms.
    """
    unit = _unit(int(numbers[0]))
    if _unit(int(numbers.min())) != unit or _unit(int(numbers.max())) != unit:
        row = int(np.argmax(np.searchsorted(_ENDS, numbers, side="right") != unit))
        other = _UNITS[_unit(int(numbers[row]))]
        remedy = f"give the rows in {other} as a file of their own, or convert them"
        expected = f"{column} in {_UNITS[unit]} like the rows before"
        raise fault(row, expected, f"{numbers[row]}, which is in {other}", remedy)
    if unit == 0:
        return numbers * 1000 if column in BYBIT_TIMES else numbers
    return whole_ms(numbers, 1000 ** (unit - 1), column, fault)


def whole_ms(numbers: Integers, parts: int, column: str, fault: Fault) -> Integers:
    """Return int64[n] of a unit with ``parts`` to the ms as ms. Raises: HistoryError for one that is no whole ms."""
    if parts == 1:
        return numbers
    whole = numbers // parts
    uneven = whole * parts != numbers
    if uneven.any():
        row = int(np.argmax(uneven))
        was = f"{numbers[row]} (1/{parts} of a ms)"
        raise fault(row, f"{column} on a whole millisecond", was, "mend or drop the row")
    return whole


def _unit(number: int) -> int:
    return sum(number >= end for end in _ENDS)

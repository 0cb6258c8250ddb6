"""Which names the columns of a candle file may have, and which column is which.

Accepted, in any order, other columns ignored:

* our own: open_time, open, high, low, close, volume;
* freqtrade's: date for open_time, the others alike;
* Binance's archive (data.binance.vision, klines): twelve columns with the header open_time,...,ignore, or without one;
* Bybit's: start_at, start_time or startTime for open_time, openPrice, highPrice, lowPrice, closePrice for the prices.

A column called timestamp or time is not accepted: some tools write a candle's end there, and both look alike.
What the numbers of open_time mean is decided in `candle_times.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from trading_system.research.history_error import HistoryError

COLUMNS = ("open_time", "open", "high", "low", "close", "volume")
PRICES = ("open", "high", "low", "close")
BYBIT_TIMES = ("start_at", "start_time", "startTime")
SYNONYMS: dict[str, tuple[str, ...]] = {
    "open_time": ("date", *BYBIT_TIMES),
    "open": ("openPrice",),
    "high": ("highPrice",),
    "low": ("lowPrice",),
    "close": ("closePrice",),
    "volume": (),
}
BINANCE_ARCHIVE = (
    *COLUMNS,
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
_START_OR_END = ("timestamp", "time", "datetime", "Date", "ts")


def columns_of(path: Path, names: Sequence[str], line: int | None) -> dict[str, str]:
    """Return the file's own name for each of ``COLUMNS``.

    Our own name wins over a synonym beside it. Raises: HistoryError when a column is absent, there twice, or when two
    synonyms could be meant.
    """
    chosen: dict[str, str] = {}
    for column in COLUMNS:
        spellings = (column,) if column in names else tuple(one for one in SYNONYMS[column] if one in names)
        count = sum(names.count(one) for one in spellings)
        if count != 1:
            raise _not_one(path, names, line, column, spellings)
        chosen[column] = spellings[0]
    return chosen


def without_header(cells: Sequence[str]) -> bool:
    """Tell whether the first line of a text is a row of Binance's archive already."""
    return len(cells) == len(BINANCE_ARCHIVE) and cells[0].isdecimal()


def _not_one(path: Path, names: Sequence[str], line: int | None, column: str, spellings: Sequence[str]) -> HistoryError:
    shown = repr(",".join(names)[:120])
    expected = f"one column {column!r}"
    if len(spellings) > 1:
        was = f"{' and '.join(repr(one) for one in spellings)} in {shown}"
        return HistoryError(path, expected, was, f"call the one that is meant {column!r}", line)
    if spellings:
        was = f"{names.count(spellings[0])} times in {shown}"
        return HistoryError(path, expected, was, "drop or rename the other", line)
    return HistoryError(path, expected, f"{shown} without it", _remedy(names, column), line)


def _remedy(names: Sequence[str], column: str) -> str:
    if names[0].strip("-").replace(".", "", 1).isdecimal():
        return f"write the header {','.join(COLUMNS)} above the rows, with the columns as they lie in the file"
    others = {name.lower(): name for name in names if name not in COLUMNS}
    near = difflib.get_close_matches(column, others, n=1)
    if near:
        return f"did you mean {others[near[0]]!r}? rename it"
    if column == "open_time":
        for name in _START_OR_END:
            if name in names:
                return f"if {name!r} is the start of the candle, rename it to 'open_time'"
    return f"name the columns {','.join(COLUMNS)}"

"""Reads a candle file, strictly: what is not a clean ascending series is refused in one sentence, absent rows are GAPs.

Forms: CSV (plain, gzip, zip), Parquet and Feather. Which columns are known is written in `candle_names.py`, what a row
must be in `candle_checks.py`. One symbol's grid and fees follow in `instrument.py`; which rows come before the origin
is decided by `rules/intervals.py`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trading_system.contracts.instants import from_ms
from trading_system.research.archive_bytes import Kind, unwrapped
from trading_system.research.candle_checks import Gap, check_order, check_rows, gaps_of, interval_of
from trading_system.research.candle_columns import CandleColumns
from trading_system.research.candle_csv import read_csv
from trading_system.research.candle_decimals import MAX_DECIMALS, decimals_used
from trading_system.research.candle_file_name import claim_of
from trading_system.research.candle_names import COLUMNS, PRICES
from trading_system.research.candle_tables import read_table
from trading_system.research.history_error import HistoryError
from trading_system.rules.records import CANDLE

__all__ = ["COLUMNS", "PRICES", "Gap", "History", "HistoryError", "decimals_used", "load_candles"]

_BLOCK = 8192  # records that stay near the processor while their fields are filled one by one
MAX_VOLUME_DECIMALS = 8  # no venue has a finer lot; digits beyond come from adding floats and mean nothing


@dataclass(frozen=True, eq=False)
class History:
    """One file's candles: records CANDLE[n], ascending, one a base interval, absent ones as GAP records.

    ``base_interval`` is in ms. ``price_decimals`` and ``volume_decimals`` are the most decimals used in the whole file
    (trailing zeros do not count), so bounds do not change an instrument. A price with more than twelve lies on no
    venue's grid: then ``price_decimals`` is None. Volumes count at most eight. ``rows`` counts the candles without the
    gaps, ``gaps`` those between them. ``symbol`` is as given, else read from the file's name.
    """

    path: Path
    symbol: str | None
    candles: npt.NDArray[np.void]
    base_interval: int
    price_decimals: int | None
    volume_decimals: int
    gaps: tuple[Gap, ...]
    rows: int


def load_candles(
    path: str | Path,
    symbol: str | None = None,
    base_interval: int | None = None,
    *,
    first: int | None = None,
    last: int | None = None,
) -> History:
    """Read the candles of one symbol from ``path``.

    ``base_interval`` in ms; without it, it is the distance most rows have. With ``first`` and ``last`` (ms UTC) only
    candles that open at or after ``first`` and are closed at ``last`` are kept; the whole file is checked all the same.
    Raises: HistoryError, one sentence, for the first row that is unsorted or repeated, else the first that is off the
    interval's grid, not a finite number, negative, crossed, or ten times off the row before; for a file that is
    missing, cut, empty, of another form or interval than it says; and when no candle lies between the bounds.
    """
    path = Path(path)
    kind, content = unwrapped(path)
    columns = read_csv(path, content) if kind is Kind.TEXT else read_table(path, content, kind)
    claim = claim_of(path)
    return history_of(
        columns, symbol if symbol is not None else claim.symbol, base_interval, claim.interval, first=first, last=last
    )


def history_of(
    columns: CandleColumns,
    symbol: str | None,
    base_interval: int | None = None,
    claimed: int | None = None,
    *,
    first: int | None = None,
    last: int | None = None,
) -> History:
    """Return the checked candles of ``columns``, wherever they were read; bounds and errors as of ``load_candles``.

    claimed: the interval (ms) that a file's name says.
    """
    check_order(columns)
    base = interval_of(columns, base_interval, claimed)
    check_rows(columns, base)
    gaps = gaps_of(columns, base)  # refuses a mistyped year, wherever the bounds lie
    kept = _between(columns, base, first, last)
    gaps = gaps if kept is columns else gaps_of(kept, base)
    with ThreadPoolExecutor(max_workers=1) as beside:  # NumPy lets go of the interpreter, so a second core helps
        decimals = {name: beside.submit(decimals_used, column) for name, column in columns.values.items()}
        candles = _records(kept, base, gaps)
        prices = [decimals[name].result() for name in PRICES]
        volume_decimals = decimals["volume"].result()
    return History(
        path=columns.path,
        symbol=symbol,
        candles=candles,
        base_interval=base,
        price_decimals=None if None in prices else max(one for one in prices if one is not None),
        volume_decimals=min(MAX_DECIMALS if volume_decimals is None else volume_decimals, MAX_VOLUME_DECIMALS),
        gaps=gaps,
        rows=len(kept.open_time),
    )


def _between(columns: CandleColumns, base: int, first: int | None, last: int | None) -> CandleColumns:
    if first is None and last is None:
        return columns
    times = columns.open_time
    begin = 0 if first is None else int(np.searchsorted(times, first, side="left"))
    end = len(times) if last is None else int(np.searchsorted(times, last - base, side="right"))
    if begin >= end:
        expected = f"a candle between {_written(first)} and {_written(last)}"
        was = f"candles from {_written(int(times[0]))} to {_written(int(times[-1]) + base)}"
        raise HistoryError(columns.path, expected, was, "move the bounds, or give another file")
    values = {name: column[begin:end] for name, column in columns.values.items()}
    return replace(columns, open_time=times[begin:end], values=values, line_of=lambda row: columns.line_of(begin + row))


def _written(instant: int | None) -> str:
    return "any time" if instant is None else from_ms(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def _records(columns: CandleColumns, base: int, gaps: tuple[Gap, ...]) -> npt.NDArray[np.void]:
    times = columns.open_time
    total = len(times) + sum(gap.missing for gap in gaps)
    if not gaps:
        return _packed(columns)
    candles = np.zeros(total, CANDLE)
    candles["open_time"] = times[0] + base * np.arange(total, dtype=np.int64)
    candles["gap"] = 1
    places = (times - times[0]) // base
    candles["gap"][places] = 0
    for name, column in columns.values.items():
        candles[name][places] = column
    return candles


def _packed(columns: CandleColumns) -> npt.NDArray[np.void]:
    """Return the rows as records: each block is put together near the processor and then written out as a whole."""
    candles = np.empty(len(columns.open_time), CANDLE)
    flat = candles.view(np.float64).reshape(len(candles), -1)
    block = np.zeros(min(_BLOCK, len(candles)), CANDLE)  # no row is a gap
    for begin in range(0, len(candles), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        rows = block[: len(candles[part])]
        rows["open_time"] = columns.open_time[part]
        for name, column in columns.values.items():
            rows[name] = column[part]
        flat[part] = rows.view(np.float64).reshape(len(rows), -1)  # as numbers: records are copied field by field
    return candles

"""Reads the six columns of a Parquet or Feather file, exactly: what would have to be rounded is refused.

Times are integers, timestamps with a zone, or dates as text with a zone. What the candles must be like is decided in
`candle_checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pa_compute
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pa_parquet

from trading_system.research.archive_bytes import Kind
from trading_system.research.candle_columns import CandleColumns, Floats, Integers
from trading_system.research.candle_names import COLUMNS, columns_of
from trading_system.research.candle_times import ms_of, whole_ms
from trading_system.research.history_error import HistoryError

_PARTS = {"ms": 1, "us": 1000, "ns": 1_000_000}
_ZONED = pa.timestamp("us", "UTC")
_NAIVE_REMEDY = "store it as timestamps in UTC, or as a whole number of ms UTC"


def read_table(path: Path, content: bytes, kind: Kind) -> CandleColumns:
    """Return the six columns of ``content``, the bytes of the Parquet or Feather file at ``path``.

    Raises: HistoryError for a file that is cut or damaged, for missing or doubled columns, empty cells, times without a
    zone, and for types that do not hold a price exactly.
    """
    table, named = _table(path, content, kind)
    if table.num_rows == 0:
        raise HistoryError(path, "rows of candles", "none", "give a file with candles")

    def fault(row: int, expected: str, was: str, remedy: str) -> HistoryError:
        return HistoryError(path, expected, was, remedy, row + 1)

    for column in COLUMNS:
        if table[named[column]].null_count:
            row = int(np.argmax(table[named[column]].is_null().to_numpy()))
            what = "a time" if column == "open_time" else "a number"
            raise fault(row, f"{what} in {named[column]}", "an empty cell", "mend or drop the row")
    return CandleColumns(
        path=path,
        open_time=_times(path, table[named["open_time"]], named["open_time"], fault),
        values={column: _floats(path, table[named[column]], named[column], fault) for column in COLUMNS[1:]},
        line_of=lambda row: row + 1,
    )


def _table(path: Path, content: bytes, kind: Kind) -> tuple[Any, dict[str, str]]:
    try:
        source = pa.BufferReader(content)
        if kind is Kind.PARQUET:
            file = pa_parquet.ParquetFile(source)
            named = columns_of(path, file.schema_arrow.names, None)
            return file.read(columns=list(named.values())), named
        reader = pa_ipc.open_file(source)
        named = columns_of(path, reader.schema.names, None)
        return reader.read_all().select(list(named.values())), named
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        was = f"a cut or damaged one ({reason[:120]})"
        raise HistoryError(path, f"a whole {kind.value} file", was, "copy or download it again") from None


def _times(path: Path, cells: Any, name: str, fault: Callable[[int, str, str, str], HistoryError]) -> Integers:
    kind = cells.type
    if pa.types.is_integer(kind):
        return ms_of(_integers(cells), name, fault)
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            raise HistoryError(path, f"{name} with its zone", f"a column of type {kind} without one", _NAIVE_REMEDY)
        if kind.unit == "s":
            return _integers(cells) * 1000
        return whole_ms(_integers(cells), _PARTS[kind.unit], name, fault)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            return whole_ms(_integers(cells.cast(_ZONED)), 1000, name, fault)
        except pa.ArrowInvalid:
            row = _first_refused(cells, _ZONED)
            remedy = "write it like 2025-01-01T00:00:00Z"
            raise fault(row, f"a date with its zone in {name}", repr(cells[row].as_py()[:40]), remedy) from None
    expected = f"{name} as whole numbers or timestamps with a zone"
    raise HistoryError(path, expected, f"a column of type {kind}", _NAIVE_REMEDY)


def _integers(cells: Any) -> Integers:
    numbers: Integers = cells.cast(pa.int64()).to_numpy()
    return numbers


def _floats(path: Path, cells: Any, name: str, fault: Callable[[int, str, str, str], HistoryError]) -> Floats:
    kind = cells.type
    if pa.types.is_float64(kind):
        exact: Floats = cells.to_numpy()
        return exact
    if pa.types.is_decimal(kind):
        cells = cells.cast(pa.string())  # by its text: a decimal divided by a power of ten can miss the nearest double
    elif not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        was = f"a column of type {kind}"
        remedy = "store it as float64, or as the exchange's own text"
        raise HistoryError(path, f"{name} as float64, decimal, integer or text", was, remedy)
    try:
        floats: Floats = cells.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        row = _first_refused(cells, pa.float64())
        raise fault(row, f"a number in {name}", repr(cells[row].as_py())[:42], "mend or drop the row") from None
    return floats


def _first_refused(cells: Any, kind: pa.DataType) -> int:
    """Return the first row that does not become ``kind``; halves, because a cast says only whether all cells do."""
    begin, end = 0, len(cells)
    while end - begin > 1:
        middle = (begin + end) // 2
        try:
            pa_compute.cast(cells.slice(begin, middle - begin), kind)
        except pa.ArrowInvalid:
            end = middle
        else:
            begin = middle
    return begin

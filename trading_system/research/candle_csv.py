"""Reads the text of a candle file, a CSV with or without a header, and says which row is no row.

Times are whole numbers, or dates with a zone; one file has one of both, as its first row has. What the candles must be
like is decided in `candle_checks.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from trading_system.research.candle_columns import CandleColumns
from trading_system.research.candle_names import BINANCE_ARCHIVE, COLUMNS, columns_of, without_header
from trading_system.research.candle_times import ms_of, whole_ms
from trading_system.research.history_error import HistoryError

_MICROSECONDS = pa.timestamp("us", "UTC")  # with a zone, Arrow takes no text without one
_WHOLE = re.compile(r"[+-]?\d+")
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}")


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A text with its column names; ``named`` maps ours to the file's, ``header`` counts the lines above the rows."""

    path: Path
    text: bytes
    names: Sequence[str]
    named: dict[str, str]
    header: int

    def line_of(self, row: int) -> int:
        """Return the line (first line of the file = 1) of candle ``row``; blank lines are no rows."""
        seen = -1 - self.header
        for number, line in enumerate(self.text.splitlines(), start=1):
            if line.strip():
                seen += 1
            if seen == row:
                return number
        return row + 1 + self.header

    def fault(self, row: int, expected: str, was: str, remedy: str) -> HistoryError:
        return HistoryError(self.path, expected, was, remedy, self.line_of(row))


def read_csv(path: Path, text: bytes) -> CandleColumns:
    """Return the six columns of ``text``, the content of the file at ``path``.

    Raises: HistoryError for an empty file, missing or doubled columns, a row with more or fewer cells, a cell that is
    no number, a date without a zone, times of two units, and for what is no CSV.
    """
    sheet = _sheet(path, text)
    dated = not _first_time_is_a_number(sheet)
    types = dict.fromkeys((sheet.named[column] for column in COLUMNS), pa.float64())
    types[sheet.named["open_time"]] = _MICROSECONDS if dated else pa.int64()
    try:
        table = _table(sheet, types)
    except pa.ArrowInvalid as error:
        raise _unreadable(sheet, dated, error) from None
    if table.num_rows == 0:
        raise HistoryError(path, "candles below the header", "none", "give a file with candles")
    name = sheet.named["open_time"]
    times = table[name].cast(pa.int64()).to_numpy()
    return CandleColumns(
        path=path,
        open_time=whole_ms(times, 1000, name, sheet.fault) if dated else ms_of(times, name, sheet.fault),
        values={column: table[sheet.named[column]].to_numpy() for column in COLUMNS[1:]},
        line_of=partial(_Sheet.line_of, sheet),
    )


def _sheet(path: Path, text: bytes) -> _Sheet:
    line = _line(text, 0)
    if not line:
        wanted = ",".join(COLUMNS)
        raise HistoryError(path, f"the columns {wanted}", "an empty file", "give a file with candles")
    cells = _cells(line)
    header = 0 if without_header(cells) else 1
    names = cells if header else BINANCE_ARCHIVE
    return _Sheet(path, text, names, columns_of(path, names, 1), header)


def _line(text: bytes, index: int) -> str:
    """Return the line ``index`` of those at the beginning that are not blank, or an empty text."""
    lines = [line for line in text[:8192].decode("utf-8-sig", errors="replace").split("\n") if line.strip()]
    return lines[index].strip() if index < len(lines) else ""


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(",")]


def _first_time_is_a_number(sheet: _Sheet) -> bool:
    cells = _cells(_line(sheet.text, sheet.header))
    place = list(sheet.names).index(sheet.named["open_time"])
    # A cell like 1740000000000.5 is a broken number and no date.
    return not (place < len(cells) and _DATE.match(cells[place]))


def _table(sheet: _Sheet, types: dict[str, pa.DataType], on_bad: Callable[[Any], str] | None = None) -> Any:
    return pa_csv.read_csv(
        # Blank lines above the header would be taken for it.
        pa.BufferReader(sheet.text.lstrip(b"\r\n") if sheet.text[:1] in b"\r\n" else sheet.text),
        # A row that is refused must be numbered, and only the reader with one thread numbers rows.
        read_options=pa_csv.ReadOptions(
            column_names=list(sheet.names), skip_rows=sheet.header, use_threads=on_bad is None
        ),
        parse_options=pa_csv.ParseOptions(invalid_row_handler=on_bad),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=[], strings_can_be_null=False
        ),
    )


def _unreadable(sheet: _Sheet, dated: bool, error: Exception) -> HistoryError:
    """Find the row that the parser refused, for a sentence that names it."""
    broken: list[tuple[int, int]] = []

    def skip(row: Any) -> str:
        broken.append((row.number or 0, row.actual_columns))
        return "skip"

    named = sheet.named
    try:
        texts = _table(sheet, dict.fromkeys((named[column] for column in COLUMNS), pa.string()), skip)
    except pa.ArrowInvalid:
        return HistoryError(sheet.path, "a CSV text in UTF-8", f"something else ({error})", "save it as CSV")
    if broken:
        row, count = broken[0]
        return sheet.fault(
            row - 1 - sheet.header, f"{len(sheet.names)} columns", f"{count}", _count_remedy(sheet, count)
        )
    columns = [texts[named[column]].to_pylist() for column in COLUMNS]
    for index, cells in enumerate(zip(*columns, strict=True)):
        for column, cell in zip(COLUMNS, cells, strict=True):
            wrong = _time_fault(cell, dated) if column == "open_time" else _number_fault(cell)
            if wrong is not None:
                expected, remedy = wrong
                return sheet.fault(index, f"{expected} in {named[column]}", repr(cell[:40]), remedy)
    return HistoryError(sheet.path, "a CSV text with numbers", f"something else ({error})", "save it again as CSV")


def _count_remedy(sheet: _Sheet, count: int) -> str:
    # Two rows without a line end between them share one cell.
    if count >= 2 * len(sheet.names) - 1:
        return "two rows stand in one line: put a line end between them"
    return "mend or drop the row"


def _number_fault(cell: str) -> tuple[str, str] | None:
    return None if _reads_as(cell, pa.float64()) else ("a number", "mend or drop the row")


def _time_fault(cell: str, dated: bool) -> tuple[str, str] | None:
    """Return what a time should have been and what mends it, or None if it can be read."""
    if _reads_as(cell, _MICROSECONDS if dated else pa.int64()):
        return None
    if dated and _WHOLE.fullmatch(cell.strip()):
        return "a date like the rows before", "write all times alike"
    if not _DATE.match(cell.strip()):
        return ("a date with its zone" if dated else "a whole number of ms UTC"), "mend or drop the row"
    if not dated and _reads_as(cell, _MICROSECONDS):
        return "a whole number of ms UTC", "write all times alike"
    return "a date with its zone", "write it like 2025-01-01T00:00:00Z, or as a number of ms UTC"


def _reads_as(cell: str, kind: pa.DataType) -> bool:
    try:
        pa.array([cell.strip()]).cast(kind)
    except pa.ArrowInvalid:
        return False
    return True

"""Reads a candle file (CSV or gzipped CSV), strictly: what is not a clean ascending series is refused in one sentence.

It decides what a row must be and turns missing rows into GAP records. What one symbol's grid and fees are is decided in
`instrument.py`; which rows come before the origin is decided by `rules/intervals.py`.
"""

from __future__ import annotations

import difflib
import gzip
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from trading_system.rules.grid import text_of
from trading_system.rules.intervals import INTERVALS, interval_name
from trading_system.rules.records import CANDLE

COLUMNS = ("open_time", "open", "high", "low", "close", "volume")
PRICES = ("open", "high", "low", "close")
MAX_DECIMALS = 12
MAX_VOLUME_DECIMALS = 8  # no venue has a finer lot; digits beyond come from adding floats and mean nothing
DAY = 86_400_000
MAX_GAP = 400 * DAY
MONDAY = 4 * DAY  # the epoch was a Thursday; weeks begin on Monday
_SHARED_NAME = re.compile(r"[A-Z0-9-]+_([A-Z0-9]+)_\d+[mhdw]$")
_GZIP_MAGIC = b"\x1f\x8b"

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class HistoryError(ValueError):
    """A candle file that cannot be trusted: the file, its line (header = 1), what was expected, what was found."""

    def __init__(self, path: Path, expected: str, was: str, remedy: str, line: int | None = None) -> None:
        where = str(path) if line is None else f"{path}, row {line}"
        super().__init__(f"{where}: expected {expected}, was {was}; {remedy}")
        self.path, self.line, self.expected, self.was, self.remedy = path, line, expected, was, remedy


class Gap(NamedTuple):
    """``missing`` candles are absent after the candle that opened at ``after`` (ms UTC)."""

    after: int
    missing: int


@dataclass(frozen=True, eq=False)
class History:
    """One file's candles: records CANDLE[n], ascending, one a base interval, absent ones as GAP records.

    ``base_interval`` is in ms. ``price_decimals`` and ``volume_decimals`` are the most decimals used (trailing zeros do
    not count). A price with more than twelve lies on no venue's grid: then ``price_decimals`` is None. Volumes count at
    most eight. ``rows`` counts the candles of the file without the gaps. ``symbol`` is as given, else read from a name
    like VENUE_SYMBOL_1m.csv.gz.
    """

    path: Path
    symbol: str | None
    candles: npt.NDArray[np.void]
    base_interval: int
    price_decimals: int | None
    volume_decimals: int
    gaps: tuple[Gap, ...]
    rows: int


def load_candles(path: str | Path, symbol: str | None = None, base_interval: int | None = None) -> History:
    """Read the candles of one symbol from ``path``.

    The file has a header with at least open_time (ms UTC, start of the candle), open, high, low, close, volume, in any
    order; other columns are ignored. ``base_interval`` in ms; without it, it is the distance most rows have.
    Raises: HistoryError, one sentence, for the first row that is unsorted or repeated, else the first that is off the
    interval's grid, not a finite number, negative or crossed; and for a file that is missing, cut, empty or no CSV.
    """
    path = Path(path)
    text = _read(path)
    names = _header(path, text)
    columns = _parse(path, text, names)
    times: Integers = columns["open_time"]
    _check_order(path, text, times)
    base = base_interval if base_interval is not None else _most_frequent_distance(path, times)
    _check_rows(path, text, columns, base)
    gaps = _gaps(path, text, times, base)
    volume_decimals = decimals_used(columns["volume"])
    return History(
        path=path,
        symbol=symbol if symbol is not None else _symbol_of(path),
        candles=_records(columns, base, gaps),
        base_interval=base,
        price_decimals=decimals_used(np.concatenate([columns[name] for name in PRICES])),
        volume_decimals=min(MAX_DECIMALS if volume_decimals is None else volume_decimals, MAX_VOLUME_DECIMALS),
        gaps=gaps,
        rows=len(times),
    )


def decimals_used(values: Floats) -> int | None:
    """Return the least number of decimals that writes every value of float64[n] exactly, or None if over twelve."""
    rest = values
    for decimals in range(MAX_DECIMALS + 1):
        scale = 10.0**decimals
        rest = rest[(np.rint(rest * scale) / scale != rest) | (np.abs(rest) * scale > 2.0**53)]
        if len(rest) == 0:
            return decimals
    return None


def _read(path: Path) -> bytes:
    """Return the file's text, unpacked: gzip is known by its first bytes, not by its name."""
    remedy = "give a CSV or CSV.gz file of candles"
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        raise HistoryError(path, "a file", "nothing at this path", "check the path") from None
    except IsADirectoryError:
        raise HistoryError(path, "a file", "a folder", remedy) from None
    except OSError as error:
        raise HistoryError(path, "a readable file", str(error.strerror), "check its permissions") from None
    if not packed.startswith(_GZIP_MAGIC):
        return packed
    try:
        return gzip.decompress(packed)
    except EOFError:
        raise HistoryError(path, "a whole gzip file", "one cut short", "copy or download it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise HistoryError(path, "a sound gzip file", f"a damaged one ({error})", "download it again") from None


def _header(path: Path, text: bytes) -> list[str]:
    """Return the names of the file's columns; each of the six must be there once."""
    first = next((line for line in text.splitlines() if line.strip()), b"") if len(text) < 4096 else text[:4096]
    line = first.lstrip(b"\r\n").split(b"\n", 1)[0].decode("utf-8-sig", errors="replace").strip()
    wanted = ",".join(COLUMNS)
    if not line:
        raise HistoryError(path, f"the columns {wanted}", "an empty file", "give a file with candles")
    names = [name.strip().strip('"') for name in line.split(",")]
    for column in COLUMNS:
        if names.count(column) == 1:
            continue
        was = f"{names.count(column)} times in {line[:120]!r}" if column in names else f"{line[:120]!r} without it"
        near = difflib.get_close_matches(column, [name.lower() for name in names if name not in COLUMNS], n=1)
        spelled = next((name for name in names if near and name.lower() == near[0]), None)
        hint = f"did you mean {spelled!r}? rename it" if spelled else f"name the columns {wanted}"
        raise HistoryError(path, f"one column {column!r}", was, hint, line=1)
    return names


def _parse(path: Path, text: bytes, names: list[str]) -> dict[str, Any]:
    """Return the six columns as arrays of n numbers: open_time int64, the others float64."""
    types = {name: pa.int64() if name == "open_time" else pa.float64() for name in COLUMNS}
    try:
        table = _table(text, names, types)
    except pa.ArrowInvalid as error:
        raise _unreadable(path, text, names, error) from None
    if table.num_rows == 0:
        raise HistoryError(path, "candles below the header", "none", "give a file with candles")
    return {name: table[name].to_numpy() for name in COLUMNS}


def _table(
    text: bytes, names: list[str], types: dict[str, pa.DataType], on_bad: Callable[[Any], str] | None = None
) -> Any:
    return pa_csv.read_csv(
        pa.BufferReader(text.lstrip(b"\r\n")) if text[:1] in b"\r\n" else pa.BufferReader(text),
        # A row that is refused must be numbered, and only the reader with one thread numbers rows.
        read_options=pa_csv.ReadOptions(column_names=names, skip_rows=1, use_threads=on_bad is None),
        parse_options=pa_csv.ParseOptions(invalid_row_handler=on_bad),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=[], strings_can_be_null=False
        ),
    )


def _unreadable(path: Path, text: bytes, names: list[str], error: Exception) -> HistoryError:
    """Find the row that the parser refused, for a sentence that names it."""
    broken: list[tuple[int, int]] = []

    def skip(row: Any) -> str:
        broken.append((row.number or 0, row.actual_columns))
        return "skip"

    try:
        texts = _table(text, names, dict.fromkeys(COLUMNS, pa.string()), skip)
    except pa.ArrowInvalid:
        return HistoryError(path, "a CSV text in UTF-8", f"something else ({error})", "save it as CSV")
    if broken:
        row, columns = broken[0]
        line = _line_of(text, row - 2)
        return HistoryError(path, f"{len(names)} columns", f"{columns}", "mend or drop the row", line)
    for index, cells in enumerate(zip(*(texts[name].to_pylist() for name in COLUMNS), strict=True)):
        for name, cell in zip(COLUMNS, cells, strict=True):
            kind = "a whole number of ms UTC" if name == "open_time" else "a number"
            if not _is_number(cell, whole=name == "open_time"):
                line = _line_of(text, index)
                return HistoryError(path, f"{kind} in {name}", repr(cell[:40]), "mend or drop the row", line)
    return HistoryError(path, "a CSV text with numbers", f"something else ({error})", "save it again as CSV")


def _is_number(cell: str, *, whole: bool) -> bool:
    try:
        pa.array([cell.strip()]).cast(pa.int64() if whole else pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _check_order(path: Path, text: bytes, times: Integers) -> None:
    steps = np.diff(times)
    if len(steps) == 0 or steps.min() > 0:
        return
    row = int(np.argmax(steps <= 0)) + 1
    before, now = int(times[row - 1]), int(times[row])
    was = f"{now} again" if now == before else f"{now}"
    remedy = "drop the repeated row" if now == before else "sort the file by open_time"
    raise HistoryError(path, f"an open_time after {before}", was, remedy, _line_of(text, row))


def _most_frequent_distance(path: Path, times: Integers) -> int:
    """Return the interval that most neighbouring rows are apart; a single foreign row must not decide it."""
    if len(times) < 2:
        raise HistoryError(path, "two candles or a stated interval", "one candle", "state the base interval")
    distances, counts = np.unique(np.diff(times), return_counts=True)
    known = np.isin(distances, list(INTERVALS.values()))
    if known.any():
        return int(distances[np.argmax(np.where(known, counts, 0))])
    base = int(distances[np.argmax(counts)])
    seconds = base * 1000 in INTERVALS.values()
    remedy = "multiply open_time by 1000: it is in seconds" if seconds else "check the column open_time"
    raise HistoryError(path, f"rows {', '.join(INTERVALS)} apart", f"{base} ms apart", remedy)


def _check_rows(path: Path, text: bytes, columns: dict[str, Any], base: int) -> None:
    """Raise for the first row, in the order of the file, that cannot be a closed candle."""
    times, volume = columns["open_time"], columns["volume"]
    opens, high, low, close = (columns[name] for name in PRICES)
    origin = MONDAY if base == 7 * DAY else 0
    finite = np.isfinite(opens) & np.isfinite(high) & np.isfinite(low) & np.isfinite(close) & np.isfinite(volume)
    positive = (opens > 0) & (high > 0) & (low > 0) & (close > 0) & (volume >= 0)
    ordered = (low <= np.minimum(opens, close)) & (np.maximum(opens, close) <= high)
    sound = finite & positive & ordered & (times >= 0) & ((times - origin) % base == 0)
    if sound.all():
        return
    row = int(np.argmin(sound))
    expected, was = _fault({name: columns[name][row].item() for name in COLUMNS}, base, origin)
    raise HistoryError(path, expected, was, "mend or drop the row", _line_of(text, row))


def _fault(candle: dict[str, Any], base: int, origin: int) -> tuple[str, str]:
    """Say what one unsound candle should have been and was."""
    time = candle["open_time"]
    if time < 0 or (time - origin) % base:
        return f"an open_time on the grid of {interval_name(base)} candles", f"{time}"
    for name in COLUMNS[1:]:
        value, article = candle[name], "an" if name == "open" else "a"
        if not np.isfinite(value):
            return f"a finite {name}", f"{value}"
        if value < 0 or (value == 0 and name in PRICES):
            return f"{article} {name} {'of 0 or more' if name == 'volume' else 'above 0'}", text_of(value)
    if candle["high"] < candle["low"]:
        return f"a high at or above the low {text_of(candle['low'])}", text_of(candle["high"])
    name, article = ("close", "a") if candle["low"] <= candle["open"] <= candle["high"] else ("open", "an")
    bounds = f"{text_of(candle['low'])} and {text_of(candle['high'])}"
    return f"{article} {name} within {bounds}", text_of(candle[name])


def _gaps(path: Path, text: bytes, times: Integers, base: int) -> tuple[Gap, ...]:
    steps = np.diff(times)
    holes = np.flatnonzero(steps > base)
    for row in holes[steps[holes] > MAX_GAP][:1].tolist():
        # One mistyped year must not become millions of records.
        was = f"{int(steps[row]) // DAY} days"
        remedy = "check the row's open_time, or split the file there"
        expected = f"at most {MAX_GAP // DAY} days since the row before"
        raise HistoryError(path, expected, was, remedy, _line_of(text, row + 1))
    return tuple(Gap(int(times[row]), int(steps[row]) // base - 1) for row in holes.tolist())


def _records(columns: dict[str, Any], base: int, gaps: tuple[Gap, ...]) -> npt.NDArray[np.void]:
    times = columns["open_time"]
    total = len(times) + sum(gap.missing for gap in gaps)
    candles = np.zeros(total, CANDLE)
    candles["open_time"] = times[0] + base * np.arange(total, dtype=np.int64)
    candles["gap"] = 1 if gaps else 0
    places = (times - times[0]) // base if gaps else slice(None)
    candles["gap"][places] = 0
    for name in COLUMNS[1:]:
        candles[name][places] = columns[name]
    return candles


def _line_of(text: bytes, row: int) -> int:
    """Return the line (first line of the file = 1) of candle ``row`` (first candle = 0); blank lines are no rows."""
    seen = -2
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            seen += 1
        if seen == row:
            return number
    return row + 2


def _symbol_of(path: Path) -> str | None:
    stem = path.name.removesuffix(".gz").removesuffix(".csv")
    match = _SHARED_NAME.match(stem)
    return match[1] if match else None

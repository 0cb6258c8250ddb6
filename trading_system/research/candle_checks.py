"""Decides what rows must be to be candles of one market: ascending, on one interval's grid, whole, on one scale.

It changes nothing and mends nothing; the first row that is wrong is named. How a file is read is not its business.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.research.candle_columns import CandleColumns, Integers
from trading_system.research.candle_names import COLUMNS, PRICES
from trading_system.research.history_error import HistoryError
from trading_system.rules.grid import text_of
from trading_system.rules.intervals import INTERVALS, interval_name

Flags = npt.NDArray[np.bool_]

DAY = 86_400_000
MAX_GAP = 400 * DAY
MONDAY = 4 * DAY  # the epoch was a Thursday; weeks begin on Monday
_BLOCK = 8192  # rows that stay in the processor's nearest memory through all comparisons
MAX_JUMP = 10.0  # no market opens ten times higher or lower than it closed; a new coin under an old name does


class Gap(NamedTuple):
    """``missing`` candles are absent after the candle that opened at ``after`` (ms UTC)."""

    after: int
    missing: int


def check_order(columns: CandleColumns) -> None:
    """Raise HistoryError for the first row that does not come after the one before it."""
    times = columns.open_time
    steps = columns.steps
    if len(steps) == 0 or steps.min() > 0:
        return
    row = int(np.argmax(steps <= 0)) + 1
    before, now = int(times[row - 1]), int(times[row])
    if now == before:
        raise columns.fault(row, f"an open_time after {before}", f"{now} again", "drop the repeated row")
    raise columns.fault(row, f"an open_time after {before}", f"{now}", "sort the file by open_time")


def interval_of(columns: CandleColumns, stated: int | None, claimed: int | None) -> int:
    """Return the interval of the rows in ms: the distance that most neighbours have.

    ``stated`` is the caller's word and ``claimed`` that of the file's name; either must agree with the rows, because a
    daily file taken as minutes would be a year of gaps. Raises: HistoryError.
    """
    word, source = (stated, "as stated") if stated is not None else (claimed, "as its name says")
    found = _most_frequent_known(columns.steps)
    if found is None:
        if word is None:
            raise _unknown(columns)
        return word
    if word is None or word == found:
        return found
    expected, was = f"rows {_written(word)} apart, {source}", f"rows {interval_name(found)} apart"
    remedy = "state the interval that the file has" if stated is not None else "rename the file, or give the right one"
    raise HistoryError(columns.path, expected, was, remedy)


def _most_frequent_known(steps: Integers) -> int | None:
    """Return the interval that most neighbouring rows are apart; a single foreign row must not decide it."""
    if len(steps) and int(steps.min()) == int(steps.max()):
        return int(steps[0]) if int(steps[0]) in INTERVALS.values() else None
    counts = {length: int(np.count_nonzero(steps == length)) for length in INTERVALS.values()}
    best = max(counts, key=lambda length: counts[length])
    return best if counts[best] else None


def _unknown(columns: CandleColumns) -> HistoryError:
    if len(columns.open_time) < 2:
        expected = "two candles or a stated interval"
        return HistoryError(columns.path, expected, "one candle", "state the base interval")
    distances, counts = np.unique(columns.steps, return_counts=True)
    base = int(distances[np.argmax(counts)])
    seconds = base * 1000 in INTERVALS.values()
    remedy = "multiply open_time by 1000: it is in seconds" if seconds else "check the column open_time"
    return HistoryError(columns.path, f"rows {', '.join(INTERVALS)} apart", f"{base} ms apart", remedy)


def _written(length: int) -> str:
    return interval_name(length) if length in INTERVALS.values() else f"{length} ms"


def check_rows(columns: CandleColumns, base: int) -> None:
    """Raise HistoryError for the first row, in the order of the file, that cannot be a closed candle of ``base`` ms."""
    origin = MONDAY if base == 7 * DAY else 0
    start = int(columns.open_time[0])
    # Without a gap the first row's time decides for all; dividing every time costs as much as all other checks.
    even = start >= 0 and (start - origin) % base == 0 and bool((columns.steps == base).all())
    wide: list[int] = []
    before = float(columns.values["open"][0])
    for begin in range(0, len(columns.open_time), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        times, volume = columns.open_time[part], columns.values["volume"][part]
        opens, high, low, close = (columns.values[name][part] for name in PRICES)
        # A cell that is no number makes the least and the greatest no number too, and fails every comparison.
        least, greatest = float(low.min()), float(high.max())
        sound = least > 0 and greatest < np.inf and volume.min() >= 0 and volume.max() < np.inf
        sound = sound and (low <= np.minimum(opens, close)).all() and (np.maximum(opens, close) <= high).all()
        if not sound or not (even or _on_grid(times, base, origin).all()):
            raise _first_unsound(columns, begin, base, origin)
        if max(greatest, before) > MAX_JUMP * min(least, before):
            wide.append(begin)  # only where the range of a block is that wide, a leap can be in it
        before = float(close[-1])
    for begin in wide:
        _check_scale(columns, begin)


def _on_grid(times: Integers, base: int, origin: int) -> Flags:
    on_grid: Flags = (times >= 0) & ((times - origin) % base == 0)
    return on_grid


def _first_unsound(columns: CandleColumns, begin: int, base: int, origin: int) -> HistoryError:
    """Return the error of the first unsound row of a block that has one."""
    part = slice(begin, begin + _BLOCK)
    opens, high, low, close, volume = (columns.values[name][part] for name in COLUMNS[1:])
    sound = (low > 0) & (volume >= 0) & (high < np.inf) & (volume < np.inf)
    sound &= (low <= opens) & (low <= close) & (opens <= high) & (close <= high)
    sound &= _on_grid(columns.open_time[part], base, origin)
    row = begin + int(np.argmin(sound))
    candle = {name: columns.values[name][row].item() for name in COLUMNS[1:]}
    expected, was = _fault(int(columns.open_time[row]), candle, base, origin)
    return columns.fault(row, expected, was, "mend or drop the row")


def _fault(time: int, candle: dict[str, Any], base: int, origin: int) -> tuple[str, str]:
    """Say what one unsound candle should have been and was."""
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


def _check_scale(columns: CandleColumns, begin: int) -> None:
    """Raise for a page of another market or unit: prices of a block that leap by more than the factor ``MAX_JUMP``."""
    first = max(begin, 1)
    opens = columns.values["open"][first : begin + _BLOCK]
    before = columns.values["close"][first - 1 : begin + _BLOCK - 1][: len(opens)]
    leaps = (opens > before * MAX_JUMP) | (before > opens * MAX_JUMP)
    if not leaps.any():
        return
    row = int(np.argmax(leaps))
    expected = f"an open within {MAX_JUMP:.0f} times of the close before it, {text_of(float(before[row]))}"
    remedy = "the rows are of another market or unit: split the file there, or mend the page"
    raise columns.fault(first + row, expected, text_of(float(opens[row])), remedy)


def gaps_of(columns: CandleColumns, base: int) -> tuple[Gap, ...]:
    """Return the holes between the rows. Raises: HistoryError for one of over 400 days."""
    times, steps = columns.open_time, columns.steps
    holes = np.flatnonzero(steps > base)
    for row in holes[steps[holes] > MAX_GAP][:1].tolist():
        # One mistyped year must not become millions of records.
        was = f"{int(steps[row]) // DAY} days"
        remedy = "check the row's open_time, or split the file there"
        raise columns.fault(row + 1, f"at most {MAX_GAP // DAY} days since the row before", was, remedy)
    return tuple(Gap(int(times[row]), int(steps[row]) // base - 1) for row in holes.tolist())

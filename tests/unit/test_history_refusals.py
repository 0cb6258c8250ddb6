"""Broken, cut and mislabelled candle files: each is one sentence with row, expected, was and the cure."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet
import pytest

from trading_system.research.history import HistoryError, load_candles

HEADER = "open_time,open,high,low,close,volume\n"
START = 1_740_000_000_000
MINUTE = 60_000
DAY = 1440 * MINUTE
MIDNIGHT = START - START % DAY


def row(time: Any, price: float = 10) -> str:
    return f"{time},{price},{price},{price},{price},1\n"


def rows(*opened: Any) -> str:
    return "".join(row(time) for time in opened)


def minutes(count: int, scale: int = 1) -> list[int]:
    return [(START + MINUTE * number) * scale for number in range(count)]


def days(count: int) -> str:
    return HEADER + rows(*(MIDNIGHT + DAY * number for number in range(count)))


def dated(*texts: str) -> str:
    return HEADER.replace("open_time", "date") + rows(*texts)


def zipped(*texts: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"part{number}.csv", text)
    return packed.getvalue()


def table(name: str = "open_time", **changed: Any) -> pa.Table:
    columns: dict[str, Any] = {name: minutes(3)}
    columns |= {key: [10.0, 10.0, 10.0] for key in ("open", "high", "low", "close", "volume")}
    return pa.table(columns | changed)


def parquet(content: pa.Table) -> bytes:
    packed = io.BytesIO()
    pa_parquet.write_table(content, packed)
    return packed.getvalue()


def feather(content: pa.Table) -> bytes:
    packed = io.BytesIO()
    pa_feather.write_feather(content, packed)
    return packed.getvalue()


class Bad(NamedTuple):
    """A file and what the refusal must say of it."""

    content: str | bytes
    line: int | None
    expected: str
    was: str
    remedy: str
    name: str = "candles.csv"


BINANCE_ROW = f"{START},10,10,10,10,1,{START + 59_999},10,1,1,10,0\n"
TEXT = HEADER + rows(*minutes(3))
NAIVE = pa.array(minutes(3)).cast(pa.timestamp("ms"))

BAD: dict[str, Callable[[], Bad]] = {
    # what the file says it is
    "a daily file named as minutes": lambda: Bad(
        days(5), None, "rows 1m apart, as its name says", "rows 1d apart", "rename", "BINANCE_BTCUSDT_1m.csv"
    ),
    "a daily archive named as minutes": lambda: Bad(
        days(5), None, "rows 1m apart", "rows 1d apart", "rename the file", "BTCUSDT-1m-2025-02.csv"
    ),
    "minutes named as hours by freqtrade": lambda: Bad(
        TEXT, None, "rows 1h apart", "rows 1m apart", "rename the file", "BTC_USDT-1h.csv"
    ),
    "two lines of one": lambda: Bad(
        HEADER + row(START).strip() + row(START + MINUTE) + row(START + 2 * MINUTE),
        2,
        "6 columns",
        "11",
        "two rows stand in one line",
    ),
    "two lines of one in an archive without a header": lambda: Bad(
        BINANCE_ROW + BINANCE_ROW.replace(f"{START},", f"{START + MINUTE},").strip() + BINANCE_ROW,
        2,
        "12 columns",
        "23",
        "two rows stand in one line",
    ),
    "a header in the middle": lambda: Bad(
        TEXT + TEXT, 5, "a whole number of ms UTC in open_time", "'open_time'", "drop the row"
    ),
    "glued lines below blank ones": lambda: Bad(
        "\n\n" + HEADER + row(START) + "\n\n" + row(START + MINUTE).strip() + row(START + 2 * MINUTE),
        7,
        "6 columns",
        "11",
        "two rows stand in one line",
    ),
    "a bad price below blank lines": lambda: Bad(
        "\n" + HEADER + row(START) + "\n" + row(START + MINUTE, -1), 5, "an open above 0", "-1", "mend or drop"
    ),
    "a row cut short at the end": lambda: Bad(TEXT + "1740000180000,10,1", 5, "6 columns", "3", "mend or drop"),
    "a table without a header": lambda: Bad(
        rows(*minutes(3)), 1, "one column 'open_time'", "without it", "write the header open_time,open,high"
    ),
    "a start or an end": lambda: Bad(
        TEXT.replace("open_time", "timestamp"), 1, "one column 'open_time'", "without it", "is the start of the candle"
    ),
    "two synonyms": lambda: Bad(
        "date,start_at,open,high,low,close,volume\n" + f"{START}," + row(START),
        1,
        "one column 'open_time'",
        "'date' and 'start_at'",
        "call the one that is meant 'open_time'",
    ),
    "premium index without volume": lambda: Bad(
        "start_at,symbol,period,open,high,low,close\n1740000000,BTCUSD,1,1,1,1,1\n",
        1,
        "one column 'volume'",
        "without it",
        "name the columns",
    ),
    # times
    "a time off the grid": lambda: Bad(
        HEADER + rows(*minutes(2), START + 150_000, START + 3 * MINUTE),
        4,
        "on the grid of 1m candles",
        f"{START + 150_000}",
        "mend or drop the row",
    ),
    "dates without a zone": lambda: Bad(
        dated("2025-01-01 00:00:00", "2025-01-01 00:01:00"),
        2,
        "a date with its zone in date",
        "'2025-01-01 00:00:00'",
        "write it like 2025-01-01T00:00:00Z",
    ),
    "one date without a zone": lambda: Bad(
        dated("2025-01-01T00:00:00Z", "2025-01-01T00:01:00", "2025-01-01T00:02:00Z"),
        3,
        "a date with its zone",
        "'2025-01-01T00:01:00'",
        "write it like",
    ),
    "days alone": lambda: Bad(dated("2025-01-01", "2025-01-02"), 2, "a date with its zone", "'2025-01-01'", "write it"),
    "dates of a terminal": lambda: Bad(
        dated("2025.01.01 00:00", "2025.01.01 00:01"), 2, "a date with its zone", "'2025.01.01 00:00'", "write it like"
    ),
    "a number among dates": lambda: Bad(
        dated("2025-01-01T00:00:00Z", str(START)), 3, "a date like the rows before", f"'{START}'", "all times alike"
    ),
    "a date among numbers": lambda: Bad(
        HEADER + rows(START, "2025-02-19T21:21:00Z"), 3, "a whole number of ms UTC", "'2025-02-19", "all times alike"
    ),
    "ms and then microseconds": lambda: Bad(
        HEADER + rows(*minutes(2), *minutes(4, 1000)[2:]),
        4,
        "open_time in milliseconds like the rows before",
        f"{(START + 2 * MINUTE) * 1000}, which is in microseconds",
        "as a file of their own, or convert them",
    ),
    "seconds among ms": lambda: Bad(
        HEADER + rows(START, (START + MINUTE) // 1000), 3, "in milliseconds", "which is in seconds", "convert them"
    ),
    "seconds under our name": lambda: Bad(
        HEADER + rows(*(time // 1000 for time in minutes(3))), None, "apart", "60 ms apart", "it is in seconds"
    ),
    "a part of a millisecond": lambda: Bad(
        HEADER + rows(START * 1000, START * 1000 + 60_000_001), 3, "on a whole millisecond", "60000001", "mend or drop"
    ),
    "newest first": lambda: Bad(
        HEADER + rows(*reversed(minutes(3))), 3, f"an open_time after {START + 2 * MINUTE}", "", "sort the file"
    ),
    # scale
    "a page of another unit": lambda: Bad(
        TEXT + row(START + 3 * MINUTE, 1000) + row(START + 4 * MINUTE, 10),
        5,
        "within 10 times of the close before it, 10",
        "1000",
        "of another market or unit",
    ),
    "a page of a far cheaper market": lambda: Bad(
        TEXT + row(START + 3 * MINUTE, 0.5), 5, "within 10 times of the close before it, 10", "0.5", "another market"
    ),
    # wrappings
    "a cut gzip": lambda: Bad(gzip.compress(TEXT.encode())[:-12], None, "a whole gzip file", "cut short", "again"),
    "a gzip cut in its head": lambda: Bad(gzip.compress(TEXT.encode())[:6], None, "a whole gzip file", "cut", "again"),
    "a cut zip": lambda: Bad(zipped(TEXT * 50)[:-30], None, "a whole zip file", "cut or damaged", "download it again"),
    "a damaged zip": lambda: Bad(
        zipped(TEXT)[:40] + b"?" + zipped(TEXT)[41:], None, "a whole zip file", "cut or damaged", "download it again"
    ),
    "a zip of two": lambda: Bad(zipped(TEXT, TEXT), None, "a zip with one file", "2 files (part0.csv", "unpack it"),
    "an empty zip": lambda: Bad(zipped(), None, "a zip with one file", "an empty one", "unpack it"),
    # tables
    "a cut Parquet": lambda: Bad(parquet(table())[:-40], None, "a whole Parquet file", "cut or damaged", "again"),
    "a cut Feather": lambda: Bad(feather(table())[:-40], None, "a whole Feather file", "cut or damaged", "again"),
    "an old Feather": lambda: Bad(
        b"FEA1" + bytes(60), None, "a Feather file of version 2", "version 1", "save it again"
    ),
    "an empty Parquet": lambda: Bad(parquet(table().slice(0, 0)), None, "rows of candles", "none", "give a file"),
    "Parquet without volume": lambda: Bad(
        parquet(table().drop_columns(["volume"])), None, "one column 'volume'", "without it", "name the columns"
    ),
    "timestamps without a zone": lambda: Bad(
        parquet(table("date", date=NAIVE)), None, "date with its zone", "timestamp[ms] without one", "timestamps in UTC"
    ),
    "text dates without a zone in a table": lambda: Bad(
        feather(table("date", date=["2025-01-01T00:00:00Z", "2025-01-01T00:01:00", "2025-01-01T00:02:00Z"])),
        2,
        "a date with its zone in date",
        "'2025-01-01T00:01:00'",
        "write it like 2025-01-01T00:00:00Z",
    ),
    "days in a table": lambda: Bad(
        parquet(table("date", date=pa.array([1, 2, 3], pa.date32()))), None, "date as whole numbers", "date32", "store"
    ),
    "single precision": lambda: Bad(
        parquet(table(close=pa.array([10, 10, 10], pa.float32()))), None, "close as float64", "float", "store it"
    ),
    "an empty cell in a table": lambda: Bad(
        parquet(table(high=[10.0, None, 10.0])), 2, "a number in high", "an empty cell", "mend or drop the row"
    ),
    "an empty time in a table": lambda: Bad(
        parquet(table(open_time=[START, None, START + MINUTE])), 2, "a time in open_time", "an empty cell", "mend"
    ),
    "not a number in a table": lambda: Bad(
        feather(table(low=[10.0, 10.0, float("nan")])), 3, "a finite low", "nan", "mend or drop the row"
    ),
    "a word among prices in a table": lambda: Bad(
        parquet(table(open=["10", "10", "ten"])), 3, "a number in open", "'ten'", "mend or drop the row"
    ),
    "units mixed in a table": lambda: Bad(
        parquet(table(open_time=[START, START + MINUTE, (START + 2 * MINUTE) * 1000])),
        3,
        "open_time in milliseconds",
        "in microseconds",
        "convert them",
    ),
    "rows repeated in a table": lambda: Bad(
        feather(table(open_time=[START, START, START + MINUTE])), 2, "an open_time after", "again", "drop the repeated"
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_its_row_and_its_cure(case: str, tmp_path: Path) -> None:
    bad = BAD[case]()
    path = tmp_path / bad.name
    path.write_bytes(bad.content if isinstance(bad.content, bytes) else bad.content.encode())
    with pytest.raises(HistoryError) as refusal:
        load_candles(path)
    error = refusal.value
    assert (bad.line, True, True, True) == (
        error.line,
        bad.expected in error.expected,
        bad.was in error.was,
        bad.remedy in error.remedy,
    ), str(error)
    assert str(error).startswith(str(path))
    assert "\n" not in str(error)


def test_a_daily_file_stated_as_minutes_is_refused_and_not_read_as_a_year_of_gaps(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_text(days(30))
    with pytest.raises(HistoryError, match="expected rows 1m apart, as stated, was rows 1d apart; state the interval"):
        load_candles(path, base_interval=MINUTE)


def test_a_stated_interval_overrules_the_name(tmp_path: Path) -> None:
    path = tmp_path / "BINANCE_BTCUSDT_1m.csv"
    path.write_text(days(30))
    assert load_candles(path, base_interval=DAY).base_interval == DAY


def test_a_locked_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "candles.zip"
    content = bytearray(zipped(TEXT))
    # The flag of encryption, in the file's own head and in the archive's list of files.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(HistoryError, match="a zip file that opens"):
        load_candles(path)


@pytest.mark.parametrize("damaged", range(0, 900, 37))
def test_no_damaged_byte_of_a_table_gives_a_traceback(damaged: int, tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    content = bytearray(parquet(table()))
    content[4 + damaged % (len(content) - 8)] ^= 0xFF
    path.write_bytes(bytes(content))
    # Damage in a place without meaning, or in a digit of a price, cannot be seen; any other ends in a sentence.
    with contextlib.suppress(HistoryError):
        assert np.isfinite(load_candles(path).candles["close"]).all()


@pytest.mark.parametrize("leap", [8191, 8192, 8193, 16_385, 19_999])
def test_a_leap_of_the_price_is_found_wherever_it_stands_in_a_long_file(leap: int, tmp_path: Path) -> None:
    closes = np.full(20_000, 10.0)
    closes[leap:] = 0.9
    columns = dict.fromkeys(("open", "high", "low", "close"), pa.array(closes))
    content = pa.table({"open_time": minutes(20_000), **columns, "volume": pa.array(closes)})
    path = tmp_path / "candles.parquet"
    path.write_bytes(parquet(content))
    with pytest.raises(HistoryError, match="an open within 10 times") as refusal:
        load_candles(path)
    assert refusal.value.line == leap + 1

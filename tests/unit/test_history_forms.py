"""Candle files as they lie in the field: the exchanges' archives, freqtrade's tables, Parquet, Feather, zip."""

from __future__ import annotations

import decimal
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet
import pytest

from trading_system.research.candle_file_name import Claim, claim_of
from trading_system.research.history import Gap, History, load_candles

START = 1_740_000_000_000  # 2025-02-19T21:20:00Z
MINUTE = 60_000
PRICES = ((10.5, 11.25, 9.0, 10.0), (10.0, 10.75, 9.5, 10.5), (10.5, 11.0, 10.25, 10.75))
VOLUMES = (3.5, 0.0, 12.125)
DATES = ("2025-02-19T21:20:00", "2025-02-19T21:21:00", "2025-02-19T21:22:00")


def text_of(times: list[Any], header: str | None, tail: str = "") -> str:
    lines = [] if header is None else [header]
    for time, prices, volume in zip(times, PRICES, VOLUMES, strict=True):
        lines.append(f"{time},{','.join(str(price) for price in prices)},{volume}{tail}")
    return "\n".join(lines) + "\n"


def times(scale: float = 1) -> list[int]:
    return [int((START + MINUTE * row) * scale) for row in range(3)]


def table_of(open_time: Any, name: str = "open_time", kind: pa.DataType | None = None) -> pa.Table:
    columns: dict[str, Any] = {name: open_time}
    for place, price in enumerate(("open", "high", "low", "close")):
        columns[price] = pa.array([row[place] for row in PRICES]).cast(kind or pa.float64())
    columns["volume"] = pa.array(VOLUMES)
    return pa.table(columns)


def write(folder: Path, content: str | bytes | pa.Table, name: str) -> Path:
    path = folder / name
    if isinstance(content, pa.Table):
        (pa_parquet.write_table if name.endswith("parquet") else pa_feather.write_feather)(content, path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(text: str, *more: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate([text, *more]):
            archive.writestr(f"part{number}.csv", content)
    return packed.getvalue()


def is_the_series(history: History) -> None:
    assert history.candles["open_time"].tolist() == times()
    assert history.candles[["open", "high", "low", "close"]].tolist() == list(PRICES)
    assert history.candles["volume"].tolist() == list(VOLUMES)
    assert not history.candles["gap"].any()
    assert (history.base_interval, history.price_decimals, history.volume_decimals) == (MINUTE, 2, 3)


BINANCE = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
BINANCE_TAIL = ",1740000059999,35.0,17,1.5,15.0,0"
OWN = "open_time,open,high,low,close,volume"
FREQTRADE = "date,open,high,low,close,volume"
V5 = "startTime,openPrice,highPrice,lowPrice,closePrice,volume,turnover"

TEXTS = {
    "Binance archive with a header": text_of(times(), BINANCE, BINANCE_TAIL),
    "Binance archive without a header": text_of(times(), None, BINANCE_TAIL),
    "Binance spot archive in microseconds": text_of(times(1000), None, BINANCE_TAIL),
    "Binance spot archive in microseconds with a header": text_of(times(1000), BINANCE, BINANCE_TAIL),
    "Bybit in seconds": text_of(times(0.001), "start_at,open,high,low,close,volume,turnover", ",1.0"),
    "Bybit in ms": text_of(times(), "start_at,open,high,low,close,volume", ""),
    "Bybit as its interface names them": text_of(times(), V5, ",1.0"),
    "dates with Z": text_of([f"{date}Z" for date in DATES], OWN),
    "dates as pandas writes them": text_of([f"{date.replace('T', ' ')}+00:00" for date in DATES], FREQTRADE),
    "dates of another zone": text_of([f"2025-02-20T02:5{row}:00+05:30" for row in range(3)], FREQTRADE),
    "dates with milliseconds in quotes": text_of([f'"{date}.000Z"' for date in DATES], FREQTRADE),
    "nanoseconds": text_of(times(1_000_000), OWN),
    "our name beside a synonym": text_of(times(), OWN + ",date", ",2020-01-01"),
}


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("wrapped", ["plain", "gzip", "zip"])
def test_a_text_of_the_field_gives_the_same_series_however_wrapped(case: str, wrapped: str, tmp_path: Path) -> None:
    text = TEXTS[case]
    content = {"plain": text.encode, "gzip": lambda: gzip.compress(text.encode()), "zip": lambda: zipped(text)}[
        wrapped
    ]()
    is_the_series(load_candles(write(tmp_path, content, "candles.anything")))


def stamps(unit: str, zone: str | None = "UTC") -> pa.Array:
    return pa.array(times({"ms": 1, "us": 1000, "ns": 1_000_000}[unit])).cast(pa.timestamp(unit, zone))


def decimals() -> pa.Table:
    table = table_of(times())
    cells = pa.array([decimal.Decimal(str(row[3])) for row in PRICES], pa.decimal128(18, 8))
    return table.set_column(4, "close", cells)


TABLES: dict[str, Callable[[], pa.Table]] = {
    "our columns": lambda: table_of(times()),
    "freqtrade in ns": lambda: table_of(stamps("ns"), "date"),
    "freqtrade in ms": lambda: table_of(stamps("ms"), "date"),
    "timestamps of another zone": lambda: table_of(stamps("us", "Asia/Kolkata"), "date"),
    "microseconds as integers": lambda: table_of(times(1000)),
    "Bybit in seconds": lambda: table_of(times(0.001), "start_at"),
    "dates as text with a zone": lambda: table_of([f"{date}Z" for date in DATES]),
    "prices as the exchange's text": lambda: table_of(times(), kind=pa.string()),
    "prices as decimals": decimals,
}


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_a_table_gives_the_same_series_as_a_text(case: str, ending: str, tmp_path: Path) -> None:
    is_the_series(load_candles(write(tmp_path, TABLES[case](), f"candles.{ending}")))


def test_a_table_of_many_row_groups_with_holes_keeps_its_order_and_reports_the_holes(tmp_path: Path) -> None:
    minutes = np.delete(np.arange(20_000), [7, 8, 9_999])
    closes = np.round(100 + np.sin(minutes) / 4, 4)
    table = pa.table(
        {
            "date": pa.array(START + MINUTE * minutes).cast(pa.timestamp("ms", "UTC")),
            **dict.fromkeys(("open", "high", "low", "close"), pa.array(closes)),
            "volume": pa.array(np.ones(len(minutes))),
        }
    )
    path = tmp_path / "candles.parquet"
    pa_parquet.write_table(table, path, row_group_size=777)
    history = load_candles(path)
    assert history.gaps == (Gap(START + 6 * MINUTE, 2), Gap(START + 9_998 * MINUTE, 1))
    assert history.candles["close"][minutes].tolist() == closes.tolist()
    assert (history.rows, len(history.candles), history.price_decimals) == (19_997, 20_000, 4)


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("BYBITLINEAR_WIFUSDT_1m.csv.gz", Claim("WIFUSDT", MINUTE)),
        ("BTCUSDT-1m-2025-01.zip", Claim("BTCUSDT", MINUTE)),
        ("BTCUSDT-1d-2025-01-31.csv", Claim("BTCUSDT", 1440 * MINUTE)),
        ("币安人生USDT-5m-2025-10.zip", Claim("币安人生USDT", 5 * MINUTE)),
        ("BTC_USDT-1h.feather", Claim("BTCUSDT", 60 * MINUTE)),
        ("BTC_USDT_USDT-1h-futures.parquet", Claim("BTCUSDT", 60 * MINUTE)),
        ("BTCUSDT-1s-2025-01.zip", Claim(None, None)),
        ("last_1d.csv", Claim(None, None)),
        ("candles.csv", Claim(None, None)),
    ],
)
def test_a_file_name_of_the_field_tells_symbol_and_interval(name: str, claim: Claim) -> None:
    assert claim_of(Path("folder-1m", name)) == claim


def test_an_archive_of_one_day_has_one_daily_candle(tmp_path: Path) -> None:
    text = f"{START - START % 86_400_000},10,11,9,10,1{BINANCE_TAIL}\n"
    history = load_candles(write(tmp_path, zipped(text), "BTCUSDT-1d-2025-02-19.zip"))
    assert (history.rows, history.base_interval, history.symbol) == (1, 86_400_000, "BTCUSDT")


@pytest.mark.shared
def test_a_real_freqtrade_file_gives_the_candles_of_its_text_and_its_two_lost_pages(shared_data: Path) -> None:
    folder = shared_data / "ohlcv_dirty"
    table = load_candles(folder / "mohsenjfar__trade__binance__BTC_USDT_USDT-1h-futures.feather")
    text = load_candles(folder / "BINANCE-MISLABELLED_BTCUSDT_1h.csv.gz")
    assert table.candles.tobytes() == text.candles.tobytes()
    assert [gap.missing for gap in table.gaps] == [500, 500]


@pytest.mark.shared
def test_real_minutes_survive_parquet_and_feather_to_the_last_bit(shared_data: Path, tmp_path: Path) -> None:
    text = load_candles(shared_data / "ohlcv" / "BINANCE_BTCUSDT_1m.csv.gz")
    table = pa.table({name: text.candles[name] for name in OWN.split(",")})
    for name in ("candles.parquet", "candles.feather"):
        again = load_candles(write(tmp_path, table, name))
        assert again.candles.tobytes() == text.candles.tobytes()
        assert (again.price_decimals, again.volume_decimals) == (text.price_decimals, text.volume_decimals)

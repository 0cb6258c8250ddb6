"""Candle files: what is read, what is refused and with which words."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest

from trading_system.research.history import Gap, HistoryError, decimals_used, load_candles
from trading_system.research.instrument import InstrumentDefaults, InstrumentError, instrument_of
from trading_system.rules.grid import Grid

HEADER = "open_time,open,high,low,close,volume\n"
START = 1_740_000_000_000
MINUTE = 60_000


def row(
    minute: float, opened: str = "10", high: str = "11", low: str = "9", close: str = "10", volume: str = "1"
) -> str:
    return f"{START + int(MINUTE * minute)},{opened},{high},{low},{close},{volume}\n"


def file_of(folder: Path, text: str | bytes, name: str = "candles.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_may_stand_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    text = f"volume,note,close,low,high,open,open_time\n3,x,10.5,9,11,10,{START}\n4,,10,9.25,11,10.5,{START + MINUTE}\n"
    history = load_candles(file_of(tmp_path, text))
    assert history.candles["close"].tolist() == [10.5, 10.0]
    assert history.candles["volume"].tolist() == [3.0, 4.0]
    assert (history.base_interval, history.price_decimals, history.volume_decimals) == (MINUTE, 2, 0)
    assert (history.rows, history.gaps) == (2, ())


def test_a_packed_file_gives_the_same_candles_whatever_its_name(tmp_path: Path) -> None:
    text = (HEADER + row(0) + row(1)).encode()
    plain = load_candles(file_of(tmp_path, text))
    packed = load_candles(file_of(tmp_path, gzip.compress(text), "packed.csv"))
    assert plain.candles.tobytes() == packed.candles.tobytes()


def test_windows_line_ends_a_byte_order_mark_quotes_and_blank_lines_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER + row(0, opened='"10"') + "\n" + row(1, close=" 10.250 ")
    history = load_candles(file_of(tmp_path, text.replace("\n", "\r\n")))
    assert history.candles["close"].tolist() == [10.0, 10.25]


def test_missing_minutes_become_gap_records_and_are_reported(tmp_path: Path) -> None:
    history = load_candles(file_of(tmp_path, HEADER + row(0) + row(1) + row(4) + row(5) + row(7)))
    assert history.gaps == (Gap(START + MINUTE, 2), Gap(START + 5 * MINUTE, 1))
    assert history.candles["gap"].tolist() == [0, 0, 1, 1, 0, 0, 1, 0]
    assert history.candles["open_time"].tolist() == [START + MINUTE * minute for minute in range(8)]
    assert history.candles["close"].tolist() == [10, 10, 0, 0, 10, 10, 0, 10]
    assert history.rows == 5


def test_the_symbol_is_the_one_given_or_the_one_in_the_name(tmp_path: Path) -> None:
    text = HEADER + row(0) + row(1)
    assert load_candles(file_of(tmp_path, text)).symbol is None
    assert load_candles(file_of(tmp_path, text), symbol="XYZ").symbol == "XYZ"
    assert load_candles(file_of(tmp_path, text, "BYBITLINEAR_WIFUSDT_1m.csv")).symbol == "WIFUSDT"


REFUSED = {
    "nan": (HEADER + row(0) + row(1, opened="nan"), 3, "a finite open", "nan"),
    "infinity": (HEADER + row(0) + row(1, volume="inf"), 3, "a finite volume", "inf"),
    "below a blank line": (HEADER + row(0) + "\n\n" + row(1, close="-inf"), 5, "a finite close", "-inf"),
    "repeated": (HEADER + row(0) + row(0) + row(1), 3, f"an open_time after {START}", f"{START} again"),
    "unsorted": (HEADER + row(1) + row(0), 3, f"an open_time after {START + MINUTE}", f"{START}"),
    "crossed": (HEADER + row(0) + row(1, high="8"), 3, "a high at or above the low 9", "8"),
    "open outside": (HEADER + row(0) + row(1, opened="11.5"), 3, "an open within 9 and 11", "11.5"),
    "close outside": (HEADER + row(0) + row(1, close="8.5"), 3, "a close within 9 and 11", "8.5"),
    "negative price": (HEADER + row(0) + row(1, low="-1"), 3, "a low above 0", "-1"),
    "zero price": (HEADER + row(0) + row(1, opened="0"), 3, "an open above 0", "0"),
    "negative volume": (HEADER + row(0) + row(1, volume="-1"), 3, "a volume of 0 or more", "-1"),
    "no number": (HEADER + row(0) + row(1, close="abc") + row(2), 3, "a number in close", "'abc'"),
    "empty cell": (HEADER + row(0) + row(1, high=""), 3, "a number in high", "''"),
    "broken time": (HEADER + row(0) + "2025,1,1,1,1,1.5.5\n", 3, "a number in volume", "'1.5.5'"),
    "time no integer": (HEADER + f"{START}.5,1,1,1,1,1\n", 2, "a whole number of ms UTC in open_time", f"'{START}.5'"),
    "short row": (HEADER + row(0) + "1,2,3\n" + row(2), 3, "6 columns", "3"),
    "off the grid": (
        HEADER + row(0) + row(1) + row(2.5) + row(3),
        4,
        "an open_time on the grid of 1m candles",
        f"{START + 150_000}",
    ),
    "mistyped year": (
        HEADER + row(0) + row(1) + row(9_000_000),
        4,
        "at most 400 days since the row before",
        "6249 days",
    ),
    "wrong case": (HEADER.replace("open_time", "Open_Time") + row(0), 1, "one column 'open_time'", "Open_Time"),
    "no header": (row(0) + row(1), 1, "one column 'open_time'", "without it"),
    "column twice": (HEADER.replace("volume", "close") + row(0), 1, "one column 'close'", "2 times"),
    "semicolons": (HEADER.replace(",", ";") + row(0), 1, "one column 'open_time'", "without it"),
    "empty": ("", None, "the columns", "an empty file"),
    "only a header": (HEADER, None, "candles below the header", "none"),
    "one candle": (HEADER + row(0), None, "two candles", "one candle"),
    "odd interval": (HEADER + row(0) + row(7) + row(14), None, "apart", "420000 ms apart"),
    "binary": (bytes(range(256)) * 9, 1, "one column 'open_time'", "without it"),
    "binary below the header": (HEADER.encode() + b"\xff\xfe\x00,1,1,1,1,1\n", None, "a CSV text in UTF-8", "else"),
    "cut gzip": (gzip.compress((HEADER + row(0)).encode())[:-12], None, "a whole gzip file", "cut short"),
    "damaged gzip": (b"\x1f\x8b" + b"x" * 90, None, "a sound gzip file", "damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_refused_in_one_sentence_with_row_expected_and_was(case: str, tmp_path: Path) -> None:
    text, line, expected, was = REFUSED[case]
    with pytest.raises(HistoryError) as refusal:
        load_candles(file_of(tmp_path, text))
    error = refusal.value
    assert error.line == line
    assert expected in error.expected
    assert was in error.was
    sentence = str(error)
    assert sentence.startswith(str(tmp_path / "candles.csv"))
    assert "\n" not in sentence
    assert error.remedy in sentence


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="nothing at this path"):
        load_candles(tmp_path / "none.csv")
    with pytest.raises(HistoryError, match="a folder"):
        load_candles(tmp_path)


def test_near_misses_are_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="did you mean 'clsoe'"):
        load_candles(file_of(tmp_path, HEADER.replace("close", "clsoe") + row(0)))
    seconds = HEADER + "".join(f"{START // 1000 + 60 * minute},10,10,10,10,1\n" for minute in range(4))
    with pytest.raises(HistoryError, match="it is in seconds"):
        load_candles(file_of(tmp_path, seconds))


def test_a_stated_interval_decides_instead_of_the_distance_of_rows(tmp_path: Path) -> None:
    path = file_of(tmp_path, HEADER + row(0) + row(2))
    history = load_candles(path, base_interval=MINUTE)
    assert history.gaps == (Gap(START, 1),)
    with pytest.raises(HistoryError, match="on the grid of 5m candles"):
        load_candles(path, base_interval=5 * MINUTE)


def test_one_candle_is_enough_when_the_interval_is_stated(tmp_path: Path) -> None:
    assert len(load_candles(file_of(tmp_path, HEADER + row(0)), base_interval=MINUTE).candles) == 1


def test_weeks_begin_on_monday(tmp_path: Path) -> None:
    monday, week = 1_735_516_800_000, 7 * 86_400_000  # 2024-12-30
    lines = "".join(f"{monday + week * number},10,10,10,10,1\n" for number in range(3))
    assert load_candles(file_of(tmp_path, HEADER + lines)).base_interval == week
    shifted = "".join(f"{monday + 86_400_000 + week * number},10,10,10,10,1\n" for number in range(3))
    with pytest.raises(HistoryError, match="grid of 1w candles"):
        load_candles(file_of(tmp_path, HEADER + shifted))


def test_decimals_are_those_of_the_shortest_text() -> None:
    assert decimals_used(np.array([1.0, 250.0])) == 0
    assert decimals_used(np.array([0.1 + 0.7, 1.25])) is None
    assert decimals_used(np.array([0.00001234, 100000.5])) == 8
    assert decimals_used(np.array([1e15, 0.5])) == 1
    assert decimals_used(np.array([])) == 0


def test_grids_follow_from_the_decimals_and_the_rest_from_the_defaults(tmp_path: Path) -> None:
    history = load_candles(file_of(tmp_path, HEADER + row(0, high="11.50", volume="0.125") + row(1, low="9.2")))
    instrument = instrument_of(history, "binance_usdm", "BTCUSDT", InstrumentDefaults(taker_fee=0.001))
    assert instrument[:4] == ("binance_usdm", "BTCUSDT", Grid(1, 10), Grid(1, 1000))
    assert instrument[4:] == (5.0, 0.001, 0.0002, 0.004)


def test_an_instrument_file_overrides_what_it_names(tmp_path: Path) -> None:
    history = load_candles(file_of(tmp_path, HEADER + row(0, opened="10.5") + row(1)))
    given = file_of(tmp_path, json.dumps({"symbol": "BTCUSDT", "tick": "0.05", "step": 0.01, "maker_fee": -0.0001}))
    instrument = instrument_of(history, "bybit_linear", "BTCUSDT", override=given)
    assert (instrument.tick, instrument.step, instrument.maker_fee) == (Grid(1, 20), Grid(1, 100), -0.0001)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "an instrument file in JSON"),
        ("[]", "expected an object"),
        ('{"tik": "0.1"}', "did you mean 'tick'"),
        ('{"tick": "-1"}', "positive decimal"),
        ('{"tick": NaN}', "positive decimal"),
        ('{"tick": true}', "positive decimal"),
        ('{"taker_fee": 5}', "a fraction in taker_fee"),
        ('{"taker_fee": "x"}', "a number in taker_fee"),
        ('{"min_notional": -5}', "0 or more"),
        ('{"symbol": "ETHUSDT"}', "expected symbol BTCUSDT"),
        ('{"tick": "0.5"}', "was 10.2 at"),
    ],
)
def test_a_wrong_instrument_file_is_refused(content: str, sentence: str, tmp_path: Path) -> None:
    history = load_candles(file_of(tmp_path, HEADER + row(0) + row(1, opened="10.2")))
    with pytest.raises(InstrumentError, match=sentence):
        instrument_of(history, "binance", "BTCUSDT", override=file_of(tmp_path, content, "instrument.json"))


def test_prices_on_no_grid_can_be_detected_but_not_traded_and_such_volumes_count_eight_decimals(tmp_path: Path) -> None:
    third = repr(31 / 3)
    history = load_candles(file_of(tmp_path, HEADER + row(0, opened=third) + row(1, volume=third)))
    assert (history.price_decimals, history.volume_decimals) == (None, 8)
    with pytest.raises(InstrumentError, match="round the prices, or give an instrument file"):
        instrument_of(history, "binance", "BTCUSDT")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rows", "gaps", "decimals"),
    [
        ("BINANCE_BTCUSDT_1m", 130_708, 0, (2, 6)),
        ("BINANCEUSDM_BTCUSDT_1m", 43_199, 0, (1, 3)),
        ("BINANCE_BTCUSDT_1h", 38_221, 27, (2, 6)),
        ("BINANCEUSDM_WIFUSDT_5m", 41_021, 0, (4, 1)),
    ],
)
def test_real_files_are_read_whole(
    name: str, rows: int, gaps: int, decimals: tuple[int, int], shared_data: Path
) -> None:
    history = load_candles(shared_data / "ohlcv" / f"{name}.csv.gz")
    assert (history.rows, len(history.gaps)) == (rows, gaps)
    assert (history.price_decimals, history.volume_decimals) == decimals
    assert len(history.candles) == rows + sum(gap.missing for gap in history.gaps)


@pytest.mark.shared
def test_the_two_lost_pages_of_a_real_bad_file_are_reported(shared_data: Path) -> None:
    history = load_candles(shared_data / "ohlcv_dirty" / "BINANCE-MISLABELLED_BTCUSDT_1h.csv.gz")
    assert sorted(gap.missing for gap in history.gaps)[-2:] == [500, 500]


@pytest.mark.shared
def test_a_quarter_of_minutes_is_read_in_a_fraction_of_a_second(shared_data: Path) -> None:
    path = shared_data / "ohlcv" / "BINANCE_BTCUSDT_1m.csv.gz"
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        load_candles(path)
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 0.4  # processor time, about 0.11; a busy machine adds only waiting

"""Candle files become one market: a common span from the origin on, gaps as steps, or one sentence of refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sample_files import MONDAY, market, write_candles, write_rows

from trading_system.research.candle_inputs import InputError, inputs_of, read_inputs
from trading_system.research.instrument import InstrumentError
from trading_system.rules.grid import Grid
from trading_system.settings import Settings, settings_with

MINUTE = 60_000
HOUR = 60 * MINUTE


@pytest.fixture(autouse=True)
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings() -> Settings:
    return settings_with(["signal_interval=15m", "higher_interval=1h"])


def test_a_file_begins_at_its_origin_and_says_what_it_dropped(tmp_path: Path, settings: Settings) -> None:
    candles = market(start=MONDAY + 7 * MINUTE, minutes=600)
    inputs = read_inputs([write_candles(tmp_path / "a.csv", candles)], ["BTCUSDT"], settings)
    assert inputs.origin == MONDAY + HOUR
    assert inputs.dropped == {"BTCUSDT": 53}
    assert inputs.minutes == 600 - 53
    assert np.array_equal(inputs.candles["BTCUSDT"], candles[53:])
    assert inputs.base == MINUTE


def test_several_files_are_cut_to_the_span_that_all_cover(tmp_path: Path, settings: Settings) -> None:
    long, short = market(minutes=900), market("ETHUSDT", start=MONDAY + 30 * MINUTE, minutes=400)
    files = [write_candles(tmp_path / "eth.csv", short), write_candles(tmp_path / "btc.csv", long)]
    inputs = read_inputs(files, ["ETHUSDT", "BTCUSDT"], settings)
    assert [one.symbol for one in inputs.instruments] == ["BTCUSDT", "ETHUSDT"]
    times = {symbol: rows["open_time"].tolist() for symbol, rows in inputs.candles.items()}
    assert times["BTCUSDT"] == times["ETHUSDT"] == list(range(MONDAY + HOUR, MONDAY + 430 * MINUTE, MINUTE))
    assert inputs.dropped == {"BTCUSDT": 60 + 470, "ETHUSDT": 30}


def test_a_missing_minute_is_a_step_of_its_own_and_not_counted_as_dropped(tmp_path: Path, settings: Settings) -> None:
    candles = market(minutes=300)
    candles["gap"][100:103] = 1
    inputs = read_inputs([write_candles(tmp_path / "a.csv", candles)], ["BTCUSDT"], settings)
    assert inputs.minutes == 300
    assert inputs.candles["BTCUSDT"]["gap"].nonzero()[0].tolist() == [100, 101, 102]
    assert [(gap.after, gap.missing) for gap in inputs.gaps["BTCUSDT"]] == [(MONDAY + 99 * MINUTE, 3)]
    assert inputs.dropped == {"BTCUSDT": 0}


def test_the_instrument_follows_from_the_file_and_the_settings(tmp_path: Path) -> None:
    settings = settings_with(["higher_interval=1h", "taker_fee=0.001", "min_notional=7"])
    (one,) = read_inputs([write_candles(tmp_path / "a.csv", market())], ["BTCUSDT"], settings).instruments
    assert (one.exchange, one.symbol, one.tick, one.step) == ("binance_usdm", "BTCUSDT", Grid(1, 10), Grid(1, 1000))
    assert (one.taker_fee, one.min_notional) == (0.001, 7.0)


@pytest.mark.parametrize("symbols", [[], ["BTCUSDT"], ["BTCUSDT", "BTCUSDT"], ["A", "B", "C"]])
def test_each_file_needs_a_symbol_of_its_own(tmp_path: Path, settings: Settings, symbols: list[str]) -> None:
    file = write_candles(tmp_path / "a.csv", market())
    with pytest.raises(InputError, match="expected one --symbol for each candle file and no symbol twice, was 2 files"):
        read_inputs([file, file], symbols, settings)


def test_files_of_different_intervals_make_no_market(tmp_path: Path, settings: Settings) -> None:
    hourly = write_rows(tmp_path / "h.csv", [(100.0, 101.0, 99.0, 100.0, 1.0)] * 50, HOUR)
    files = [write_candles(tmp_path / "m.csv", market()), hourly]
    with pytest.raises(InputError, match=r"expected files of one interval, was \['1h', '1m'\]"):
        read_inputs(files, ["BTCUSDT", "ETHUSDT"], settings)


def test_files_without_a_common_span_make_no_market(tmp_path: Path, settings: Settings) -> None:
    files = [
        write_candles(tmp_path / "a.csv", market(minutes=200)),
        write_candles(tmp_path / "b.csv", market("ETHUSDT", minutes=200, start=MONDAY + 300 * MINUTE)),
    ]
    with pytest.raises(InputError, match="expected at least two 1h candles that all files cover, was 0 common rows"):
        read_inputs(files, ["BTCUSDT", "ETHUSDT"], settings)


def test_a_file_shorter_than_two_of_the_longest_candles_is_refused(tmp_path: Path, settings: Settings) -> None:
    file = write_candles(tmp_path / "a.csv", market(minutes=120))
    with pytest.raises(InputError, match="was 120 common rows; give longer files or a shorter higher_interval"):
        read_inputs([file], ["BTCUSDT"], settings)


def test_an_instrument_file_of_another_symbol_is_refused(tmp_path: Path, settings: Settings) -> None:
    wrong = tmp_path / "instrument.json"
    wrong.write_text('{"symbol": "ETHUSDT", "tick": "0.1"}')
    with pytest.raises(InstrumentError, match="expected symbol BTCUSDT"):
        read_inputs([write_candles(tmp_path / "a.csv", market())], ["BTCUSDT"], settings, wrong)


def test_candles_at_hand_are_the_same_market_as_their_files(tmp_path: Path, settings: Settings) -> None:
    candles = {symbol: market(symbol, 500) for symbol in ("ETHUSDT", "BTCUSDT")}
    files = [write_candles(tmp_path / f"{symbol}.csv", rows) for symbol, rows in candles.items()]
    read = read_inputs(files, list(candles), settings)
    made = inputs_of(read.instruments[::-1], candles, settings)
    assert made.instruments == read.instruments
    assert (made.origin, made.base, made.dropped) == (read.origin, read.base, read.dropped)
    assert all(np.array_equal(made.candles[symbol], read.candles[symbol]) for symbol in candles)

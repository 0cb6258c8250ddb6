from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from detection_fold import MINUTE, STEP, random_walk

from trading_system.rules.grid import Grid, grid_of_decimals
from trading_system.rules.intervals import (
    INTERVALS,
    IntervalError,
    LongerCandles,
    interval_ms,
    interval_name,
    longer_candles,
    origin_of,
)
from trading_system.rules.records import CANDLE, Records

DAY = 1440 * MINUTE
FIELDS = ("open_time", "open", "high", "low", "close", "volume")


def longer_in_words(candles: Records, interval: int) -> list[tuple[float, ...]]:
    """Return (open_time, open, high, low, close, volume in units) of each complete bucket that has prices."""
    found = []
    rows = [row for row in candles.tolist() if row[0] >= -(-candles[0]["open_time"] // interval) * interval]
    for bucket, group in itertools.groupby(rows, key=lambda row: row[0] // interval):
        steps = list(group)
        prices = [row for row in steps if not row[6]]
        if len(steps) == interval // MINUTE and prices:
            units = sum(round(row[5] * 1000) for row in prices)
            high, low = max(row[2] for row in prices), min(row[3] for row in prices)
            found.append((bucket * interval, prices[0][1], high, low, prices[-1][4], units / 1000))
    return found


@pytest.mark.parametrize(("seed", "gaps"), [(1, 0.0), (2, 0.3), (3, 0.95)])
@pytest.mark.parametrize("interval", [3 * MINUTE, 15 * MINUTE])
def test_longer_candles_are_those_of_the_definition_in_words(seed: int, gaps: float, interval: int) -> None:
    candles = random_walk(seed, 700, gaps=gaps)
    candles["open_time"] += 7 * MINUTE  # so that the first bucket is incomplete
    found = [row[:6] for row in longer_candles(candles, MINUTE, interval, STEP).tolist()]
    assert found == longer_in_words(candles, interval)


def test_one_candle_at_a_time_gives_the_same_and_the_longest_first() -> None:
    candles = random_walk(4, 400, gaps=0.2)
    folds = LongerCandles(MINUTE, [5 * MINUTE, 60 * MINUTE, 15 * MINUTE], STEP)
    found: dict[int, list[Records]] = {5 * MINUTE: [], 15 * MINUTE: [], 60 * MINUTE: []}
    for n in range(len(candles)):
        closed = folds.step(candles[n : n + 1])
        assert [interval for interval, _ in closed] == sorted((interval for interval, _ in closed), reverse=True)
        for interval, candle in closed:
            assert candle[0]["open_time"] + interval == candles[n]["open_time"] + MINUTE
            found[interval].append(candle)
    for interval, pieces in found.items():
        assert np.concatenate(pieces).tolist() == longer_candles(candles, MINUTE, interval, STEP).tolist()


def test_weeks_begin_on_monday() -> None:
    hours = np.zeros(24 * 30, CANDLE)
    hours["open_time"] = np.arange(len(hours)) * 60 * MINUTE
    for name in FIELDS[1:]:
        hours[name] = 1.0
    weeks = longer_candles(hours, 60 * MINUTE, 7 * DAY, STEP)
    assert weeks["open_time"].tolist() == [4 * DAY, 11 * DAY, 18 * DAY]
    assert origin_of([0, 29 * DAY], 7 * DAY) == 4 * DAY


def test_the_origin_is_the_first_boundary_of_the_longest_interval() -> None:
    assert origin_of([60 * MINUTE, 61 * MINUTE, 300 * MINUTE], 240 * MINUTE) == 240 * MINUTE
    assert origin_of([240 * MINUTE], 240 * MINUTE) == 240 * MINUTE
    with pytest.raises(IntervalError, match="reach a boundary of 4h"):
        origin_of([MINUTE, 2 * MINUTE], 240 * MINUTE)
    with pytest.raises(IntervalError, match="was none"):
        origin_of([], MINUTE)


def test_interval_names_and_lengths_belong_together() -> None:
    assert interval_ms("15m") == 900_000
    assert [interval_name(interval_ms(name)) for name in INTERVALS] == list(INTERVALS)
    with pytest.raises(IntervalError, match="did you mean 15m"):
        interval_ms("15min")
    with pytest.raises(IntervalError, match="in ms, was 61"):
        interval_name(61)


def test_a_longer_interval_must_be_made_of_whole_base_candles() -> None:
    with pytest.raises(IntervalError):
        LongerCandles(5 * MINUTE, [3 * MINUTE], STEP)


def read(folder: Path, name: str) -> tuple[Records, Grid]:
    """Return the candles of a file, gaps filled in as steps, and the grid of its volumes."""
    with gzip.open(folder / "ohlcv" / f"{name}.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    decimals = max(len(row[5].partition(".")[2]) for row in rows)
    candles = np.array([(int(row[0]), *map(float, row[1:6]), 0) for row in rows], CANDLE)
    return candles, grid_of_decimals(decimals)


def with_gaps(candles: Records, interval: int) -> Records:
    first, last = int(candles[0]["open_time"]), int(candles[-1]["open_time"])
    steps = np.zeros((last - first) // interval + 1, CANDLE)
    steps["open_time"] = first + np.arange(len(steps)) * interval
    steps["gap"] = 1
    steps[(candles["open_time"] - first) // interval] = candles
    return steps


@pytest.mark.shared
@pytest.mark.parametrize(
    ("symbol", "base", "longer"),
    [
        ("BINANCE_BTCUSDT", "1m", "5m"),
        ("BINANCE_BTCUSDT", "1m", "15m"),
        ("BYBITLINEAR_BTCUSDT", "5m", "15m"),
        ("BYBITLINEAR_BTCUSDT", "5m", "1h"),
        ("BYBITLINEAR_BTCUSDT", "5m", "4h"),
        ("BYBITLINEAR_WIFUSDT", "1m", "5m"),
        ("BYBITLINEAR_WIFUSDT", "5m", "1h"),
    ],
)
def test_longer_candles_equal_the_exchanges_own_volumes_included(
    shared_data: Path, symbol: str, base: str, longer: str
) -> None:
    candles, step = read(shared_data, f"{symbol}_{base}")
    own, _ = read(shared_data, f"{symbol}_{longer}")
    length = interval_ms(longer)
    made = longer_candles(with_gaps(candles, interval_ms(base)), interval_ms(base), length, step)
    first = max(int(made[0]["open_time"]), int(own[0]["open_time"]))
    last = min(int(made[-1]["open_time"]), int(own[-1]["open_time"]))
    made = made[(made["open_time"] >= first) & (made["open_time"] <= last)]
    own = own[(own["open_time"] >= first) & (own["open_time"] <= last)]
    assert len(made) > 100
    for name in FIELDS:
        assert made[name].tolist() == own[name].tolist(), name

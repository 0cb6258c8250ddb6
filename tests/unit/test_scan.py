from __future__ import annotations

import math

import pytest
from detection_fold import random_walk

from trading_system.rules.records import Records
from trading_system.rules.scan import next_touch


def next_touch_in_words(candles: Records, start: int, end: int, lower: float, upper: float) -> int:
    for i in range(start, end):
        if not candles[i]["gap"] and (candles[i]["low"] <= lower or candles[i]["high"] >= upper):
            return i
    return end


@pytest.mark.parametrize("seed", range(5))
def test_the_next_touch_is_the_first_candle_that_reaches_either_price(seed: int) -> None:
    candles = random_walk(seed, 400, gaps=0.1)
    for start in range(0, 400, 7):
        for reach in (0.5, 2.0, 10.0):
            price = float(candles[start]["close"])
            bounds = (price - reach, price + reach)
            assert next_touch(candles, start, 400, *bounds) == next_touch_in_words(candles, start, 400, *bounds)


def test_a_price_equal_to_the_bound_touches() -> None:
    candles = random_walk(1, 10)
    assert next_touch(candles, 3, 10, float(candles[3]["low"]), math.inf) == 3
    assert next_touch(candles, 3, 10, -math.inf, float(candles[3]["high"])) == 3


def test_a_gap_touches_nothing_and_an_open_band_is_never_left() -> None:
    candles = random_walk(1, 10)
    candles["gap"] = 1
    assert next_touch(candles, 0, 10, 1e9, -1e9) == 10
    candles["gap"] = 0
    assert next_touch(candles, 0, 10, -math.inf, math.inf) == 10
    assert next_touch(candles, 4, 4, 1e9, -1e9) == 4

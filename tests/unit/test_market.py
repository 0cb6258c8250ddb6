"""The synthetic market: the same bytes everywhere, sound candles, and shapes that give detectors something to see."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from trading_system.rules.detection import advance, new_out, new_state
from trading_system.rules.grid import Grid
from trading_system.rules.parameters import parameters
from trading_system.rules.records import EventKind
from trading_system.simulator.market import (
    DEMO_SYMBOLS,
    DemoSymbol,
    MarketError,
    market_hash,
    synthetic_candles,
)

START = 1_767_225_600_000
DAY = 1440


def candles_of(demo: DemoSymbol, seed: int = 1, minutes: int = 3 * DAY) -> npt.NDArray[np.void]:
    return synthetic_candles(seed, demo.symbol, START, minutes, demo.tick, demo.step, demo.start_price)


def test_one_seed_gives_these_very_bytes_on_every_machine() -> None:
    assert market_hash(candles_of(demo, minutes=DAY) for demo in DEMO_SYMBOLS) == (
        "62caab22e71667e81fbbc63d38e3e835cdb0828d1c7ccaa2695aa4cdfcbe6d10"
    )


def test_the_hash_is_over_the_bytes_of_all_symbols_in_their_order() -> None:
    one, two = candles_of(DEMO_SYMBOLS[0], minutes=3), candles_of(DEMO_SYMBOLS[1], minutes=3)
    assert market_hash([one, two]) == hashlib.sha256(one.tobytes() + two.tobytes()).hexdigest()
    assert market_hash([one, two]) != market_hash([two, one])


def test_another_seed_or_symbol_is_another_market() -> None:
    btc, eth, _ = DEMO_SYMBOLS
    closes = {
        tuple(candles_of(btc, seed=1, minutes=9)["close"]),
        tuple(candles_of(btc, seed=2, minutes=9)["close"]),
        tuple(candles_of(eth._replace(tick=btc.tick, start_price=btc.start_price), minutes=9)["close"]),
    }
    assert len(closes) == 3


def test_a_longer_market_begins_with_the_shorter_one() -> None:
    btc = DEMO_SYMBOLS[0]
    assert candles_of(btc, minutes=DAY)[:500].tobytes() == candles_of(btc, minutes=500).tobytes()


@pytest.mark.parametrize("demo", DEMO_SYMBOLS, ids=lambda demo: demo.symbol)
def test_every_minute_is_a_sound_candle_on_the_grid(demo: DemoSymbol) -> None:
    candles = candles_of(demo)
    assert np.all(np.diff(candles["open_time"]) == 60_000)
    assert candles["open_time"][0] == START
    assert np.all(candles["low"] <= np.minimum(candles["open"], candles["close"]))
    assert np.all(candles["high"] >= np.maximum(candles["open"], candles["close"]))
    assert np.all(candles["low"] > 0)
    assert np.all(candles["volume"] > 0)
    assert not candles["gap"].any()
    assert all(demo.tick.holds(price) for name in ("open", "high", "low", "close") for price in candles[name].tolist())
    assert all(demo.step.holds(volume) for volume in candles["volume"].tolist())


def test_a_minute_opens_where_the_last_one_closed() -> None:
    candles = candles_of(DEMO_SYMBOLS[2], minutes=300).tolist()
    names = candles_of(DEMO_SYMBOLS[2], minutes=1).dtype.names
    assert names is not None
    opened, close = names.index("open"), names.index("close")
    assert all(later[opened] == earlier[close] for earlier, later in pairwise(candles))


def test_volatility_clusters() -> None:
    moves = np.abs(np.diff(candles_of(DEMO_SYMBOLS[0], minutes=14 * DAY)["close"]))
    calm_or_wild = [int(block.sum()) for block in np.array_split(moves, 14 * 24)]
    neighbours = np.corrcoef(calm_or_wild[:-1], calm_or_wild[1:])[0, 1]
    assert neighbours > 0.3


@pytest.mark.parametrize("seed", [1, 7])
def test_four_weeks_hold_dozens_of_order_blocks_and_a_flag_every_other_day(seed: int) -> None:
    btc = DEMO_SYMBOLS[0]
    params = parameters(base="1m", signal="15m", higher="4h", step=btc.step)
    out = new_out(params, 100_000)
    _, produced = advance(new_state(params), params, candles_of(btc, seed, 28 * DAY), out)
    kinds = out["kind"][:produced][out["interval"][:produced] == 15 * 60_000].tolist()
    assert kinds.count(EventKind.OB_FORMED) >= 60
    assert kinds.count(EventKind.FLAG_BREAKOUT) >= 14
    assert kinds.count(EventKind.OB_TOUCHED) >= 40


@pytest.mark.slow
def test_a_season_stays_within_reach_of_its_start() -> None:
    closes = candles_of(DEMO_SYMBOLS[0], minutes=120 * DAY)["close"]
    start = DEMO_SYMBOLS[0].start_price
    assert start / 4 < closes.min() < closes.max() < start * 4


def test_a_market_that_cannot_be_made_is_refused() -> None:
    btc = DEMO_SYMBOLS[0]
    with pytest.raises(MarketError, match="whole minute"):
        synthetic_candles(1, "X", START + 1, 5, btc.tick, btc.step, 100.0)
    with pytest.raises(MarketError, match="finer tick"):
        synthetic_candles(1, "X", START, 5, Grid(1, 10), btc.step, 5.0)


def test_no_minutes_are_an_empty_market() -> None:
    assert len(candles_of(DEMO_SYMBOLS[0], minutes=0)) == 0

"""A seeded synthetic market: minutes with trends, pull-backs, poles, flags, returns and clustered volatility.

It decides prices and volumes only, in whole ticks and steps by integer arithmetic, so that one seed gives the same
bytes on every machine. No pattern is meant to pay: how a story ends is a fair coin, and what serves the candles is
decided elsewhere in this folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.rules.grid import Grid
from trading_system.rules.records import CANDLE

MINUTE = 60_000
MILLION = 1_000_000  # prices move in parts per million, and are carried in millionths of a tick
LEGS = 6  # moves inside one minute
CALM = 55 * 16  # usual size of a move: 1/16 ppm for each unit of noise; about 0.04 % a minute
WILDEST = 8 * CALM
TURNOVER = 500_000  # usual quote currency traded in a minute


class MarketError(ValueError):
    """A synthetic market that cannot be made as asked."""


class DemoSymbol(NamedTuple):
    """One symbol of the demo market: its grids and the price it starts from (quote currency)."""

    symbol: str
    tick: Grid
    step: Grid
    start_price: float


DEMO_SYMBOLS = (
    DemoSymbol("BTCUSDT", Grid(1, 10), Grid(1, 1000), 60_000.0),
    DemoSymbol("ETHUSDT", Grid(1, 100), Grid(1, 1000), 3_000.0),
    DemoSymbol("SOLUSDT", Grid(1, 100), Grid(1, 100), 150.0),
)


class Passage(NamedTuple):
    """A stretch of market: how long (minutes), how it drifts (ppm a minute) and how wild it is (percent of usual)."""

    minutes: int
    drift: int
    wildness: int


def synthetic_candles(
    seed: int, symbol: str, start_ms: int, minutes: int, tick: Grid, step: Grid, start_price: float
) -> npt.NDArray[np.void]:
    """Return records CANDLE[minutes] of one symbol from ``start_ms`` (ms UTC, a whole minute) on, without gaps.

    ``seed`` and ``symbol`` together choose the market: a longer one begins with the shorter one of the same seed.
    Raises: MarketError when the start is no whole minute, the length is negative or the price is under 1000 ticks.
    """
    ticks = tick.units(start_price)
    if start_ms % MINUTE or minutes < 0:
        raise MarketError(f"expected a start on a whole minute and a length of 0 or more, was {start_ms}, {minutes}")
    if ticks < 1000:
        raise MarketError(f"expected a start price of at least 1000 ticks, was {ticks}; give a finer tick")
    rows = _walk(_words(seed, symbol), ticks, minutes, TURNOVER * tick.den * step.den, tick.num * step.num)
    candles = np.zeros(minutes, CANDLE)
    candles["open_time"] = start_ms + MINUTE * np.arange(minutes, dtype=np.int64)
    table = np.array(rows, dtype=np.int64).reshape(minutes, 5)
    for column, name in enumerate(("open", "high", "low", "close")):
        candles[name] = table[:, column] * tick.num / tick.den
    candles["volume"] = table[:, 4] * step.num / step.den
    return candles


def market_hash(arrays: Iterable[npt.NDArray[np.void]]) -> str:
    """Return the SHA-256 (hex) over the little-endian bytes of records CANDLE[n], one symbol after the other."""
    digest = hashlib.sha256()
    for candles in arrays:
        digest.update(candles.astype(candles.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _words(seed: int, symbol: str) -> Iterator[int]:
    """Yield 64-bit words: the raw stream of PCG64, which numpy keeps the same in every version."""
    key = hashlib.sha256(f"{seed}|{symbol}".encode()).digest()
    source = np.random.PCG64(int.from_bytes(key[:16], "big"))
    while True:
        yield from source.random_raw(4096).tolist()


def _walk(words: Iterator[int], start: int, minutes: int, turnover: int, unit: int) -> list[tuple[int, ...]]:
    """Return (open, high, low, close in ticks, volume in steps) of each minute."""
    rows: list[tuple[int, ...]] = []
    price, close, wildness = start * MILLION, start, CALM
    passages = _story(words, 0)
    passage = passages.pop(0)
    left = passage.minutes
    for _ in range(minutes):
        if left == 0:
            # Far from where it began the market is likelier to come back, or prices would leave their grid.
            passages = passages or _story(words, _homesick(price, start * MILLION))
            passage = passages.pop(0)
            left = passage.minutes
        left -= 1
        wildness = _next_wildness(wildness, next(words))
        size = wildness * passage.wildness // 100
        opened = high = low = close
        travelled = 0
        for _pair in range(LEGS // 2):
            word = next(words)
            for half in (word & 0xFFFFFFFF, word >> 32):
                # 32 fair bits give a bell around 16 without a logarithm or a root.
                move = size * (half.bit_count() - 16) // 16 + passage.drift // LEGS
                price += price * move // MILLION
                close = max(1, (price + MILLION // 2) // MILLION)
                travelled += abs(move)
                high, low = max(high, close), min(low, close)
        mood = 40 + next(words) % 121 + travelled // 20
        rows.append((opened, high, low, close, max(1, turnover * mood // (100 * unit * close))))
    return rows


def _next_wildness(wildness: int, word: int) -> int:
    """Volatility clusters: it jumps now and then, and calms down slowly."""
    calmer = wildness + (CALM - wildness) // 90
    jump = word % 400
    if jump == 0:
        calmer = calmer * (150 + (word >> 32) % 150) // 100
    elif jump < 4:
        calmer = calmer * 85 // 100
    return min(max(calmer, CALM // 3), WILDEST)


def _homesick(price: int, start: int) -> int:
    """Return the side (1, -1) that leads back when the price has gone far from its start, else 0."""
    if 2 * price > 3 * start:
        return -1
    return 1 if 3 * price < 2 * start else 0


def _story(words: Iterator[int], home: int) -> list[Passage]:
    """Draw the next passages; ``home`` is the side that leads back, or 0."""
    word = next(words)
    side = home if home and word & 4 else (1 if word & 1 else -1)
    kind = (word >> 8) % 8
    if kind < 3:
        return _pole_and_flag(words, side)
    if kind < 6:
        return _trend_and_return(words, side)
    return _range(words, side)


def _pole_and_flag(words: Iterator[int], side: int) -> list[Passage]:
    """A steep pole, a quiet drift against it for about a third of its time, and an end decided by a fair coin."""
    length = _between(words, 330, 660)
    speed = _between(words, 45, 90)
    end = side if next(words) & 1 else -side
    return [
        Passage(_between(words, 60, 150), -side * speed // 3, 80),
        Passage(length, side * speed, 85),
        Passage(_between(words, 170, 170 + length // 5), -side * speed // 6, 55),
        Passage(_between(words, 60, 180), end * speed, 100),
    ]


def _trend_and_return(words: Iterator[int], side: int) -> list[Passage]:
    """Impulses with pull-backs, then a way back into the zone where the last impulses began."""
    passages = []
    for _ in range(_between(words, 2, 4)):
        passages.append(Passage(_between(words, 60, 180), side * _between(words, 30, 90), 120))
        passages.append(Passage(_between(words, 60, 150), -side * _between(words, 20, 55), 80))
    passages.append(Passage(_between(words, 90, 240), -side * _between(words, 25, 60), 100))
    return passages


def _range(words: Iterator[int], side: int) -> list[Passage]:
    """Back and forth without a direction."""
    speed = _between(words, 15, 35)
    return [
        Passage(_between(words, 60, 150), (side if turn % 2 == 0 else -side) * speed, 75)
        for turn in range(_between(words, 3, 6))
    ]


def _between(words: Iterator[int], low: int, high: int) -> int:
    return low + next(words) % (high - low + 1)

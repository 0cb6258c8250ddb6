"""Candles from plain rows, random walks, and the fold over them, as the tests of the rules use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trading_system.rules import detection
from trading_system.rules.events import Event, events_of
from trading_system.rules.grid import Grid
from trading_system.rules.records import CANDLE, Records

MINUTE = 60_000
STEP = Grid(1, 1000)


def candles_of(rows: Sequence[Sequence[float]], start: int = 0, interval: int = MINUTE) -> Records:
    """Return CANDLE[n] from rows of open, high, low, close, volume."""
    candles = np.zeros(len(rows), CANDLE)
    for n, row in enumerate(rows):
        candles[n] = (start + n * interval, *row, 0)
    return candles


def random_walk(seed: int, length: int, tick: float = 0.5, gaps: float = 0.0, interval: int = MINUTE) -> Records:
    """Return candles of a seeded walk on so coarse a grid that equal prices are common."""
    chance = np.random.default_rng(seed)
    closes = 2000 + np.cumsum(chance.integers(-4, 5, length))
    candles = np.zeros(length, CANDLE)
    candles["open_time"] = np.arange(length) * interval
    opens = np.concatenate([[2000], closes[:-1]])
    candles["open"] = opens * tick
    candles["close"] = closes * tick
    candles["high"] = (np.maximum(opens, closes) + chance.integers(0, 3, length)) * tick
    candles["low"] = (np.minimum(opens, closes) - chance.integers(0, 3, length)) * tick
    candles["volume"] = chance.integers(0, 5000, length) / 1000
    missing = chance.random(length) < gaps
    for name in ("open", "high", "low", "close", "volume"):
        candles[name][missing] = 0.0
    candles["gap"][missing] = 1
    return candles


def fold(candles: Records, params: Records, state: Records | None = None) -> Records:
    """Return all event records of ``candles``, folded into ``state`` (a new one if none is given)."""
    state = detection.new_state(params) if state is None else state
    out = detection.new_out(params)
    pieces = []
    while len(candles):
        consumed, produced = detection.advance(state, params, candles, out)
        assert consumed > 0
        pieces.append(out[:produced].copy())
        candles = candles[consumed:]
    return np.concatenate(pieces) if pieces else out[:0].copy()


def events(candles: Records, interval: str = "1m", **overrides: Any) -> list[Event]:
    """Return the events of candles whose own interval makes the signals, with no higher one."""
    params = detection.parameters(interval, interval, None, **overrides)
    return events_of(fold(candles, params), "binance_usdm", "BTCUSDT")


def facts_of(found: Sequence[Event], interval: int = MINUTE) -> list[tuple[int, str, int, int, Event]]:
    """Return events as (candle at whose close it is known, kind, direction, candle it speaks about, event)."""
    return [(e.confirmed_at // interval - 1, e.kind, e.direction, e.time // interval, e) for e in found]

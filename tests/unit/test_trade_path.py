from __future__ import annotations

from datetime import timedelta
from typing import Any

from sample_messages import AT, MESSAGES

from trading_system.contracts import CandleDTO
from trading_system.services.telegram_engine.trade_path import TradePath

QUARTER_MS = 900_000


def candle(minute: int, interval: str, **prices: Any) -> CandleDTO:
    time = AT + timedelta(minutes=minute)
    return {**MESSAGES["to_candle"], "open_time": time, "interval": interval, **prices}  # type: ignore[typeddict-item]


def test_minutes_build_the_candle_that_is_still_running() -> None:
    path = TradePath("15m", QUARTER_MS)
    path.keep([candle(0, "1m", open=100, high=101, low=99, close=100.5, volume=1.0)])
    path.keep([candle(1, "1m", open=100.5, high=103, low=100, close=102, volume=2.0)])
    (running,) = path.since([])
    assert (running["open_time"], running["interval"], running["closed"]) == (AT, "15m", False)
    assert [running[name] for name in ("open", "high", "low", "close", "volume")] == [100, 103, 99, 102, 3.0]


def test_a_closed_candle_takes_the_place_of_its_minutes() -> None:
    path = TradePath("15m", QUARTER_MS)
    path.keep([candle(13, "1m")])
    path.keep([candle(0, "15m", close=104.0), candle(14, "1m")])
    assert [one["close"] for one in path.since([])] == [104.0]
    path.keep([candle(15, "1m")])
    assert [one["open_time"] for one in path.since([])] == [AT, AT + timedelta(minutes=15)]


def test_candles_before_and_after_are_joined_once_each() -> None:
    path = TradePath("15m", QUARTER_MS)
    path.keep([candle(15, "15m"), candle(0, "1h")])
    path.keep([candle(15, "15m")])
    joined = path.since([candle(0, "15m"), candle(15, "15m")])
    assert [one["open_time"] for one in joined] == [AT, AT + timedelta(minutes=15)]


def test_where_signals_are_on_minutes_every_candle_is_closed() -> None:
    path = TradePath("1m", 60_000)
    path.keep([candle(0, "1m")])
    assert path.since([]) == [candle(0, "1m")]

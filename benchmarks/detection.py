"""How long detection takes a candle: the whole series in one call, one candle a call, and the events put into words."""

from __future__ import annotations

from typing import Any

from measure.figures import Figure, spent_on
from measure.markets import minutes_of, real_minutes
from results import report

from trading_system.rules.detection import advance, events_of, new_out, new_state, parameters, warm
from trading_system.settings import settings_with

MINUTES = 130_708
SINGLE = 20_000
ROOM = 8_192
RUNS = 7


def main() -> None:
    """Measure and print."""
    source = real_minutes("BINANCE_BTCUSDT_1m.csv.gz")
    settings = settings_with([], signal_interval="15m")
    inputs = minutes_of(source, settings, MINUTES)
    instrument = inputs.instruments[0]
    candles = inputs.candles[instrument.symbol]
    warm()
    setups = {
        "swings, on every minute": parameters("1m", "1m", None, instrument.step, stage="swings"),
        "all detectors, on every minute": parameters("1m", "1m", None, instrument.step),
        "all detectors, on 15m and 4h": parameters("1m", "15m", "4h", instrument.step),
    }
    figures = []
    for work, params in setups.items():
        out = new_out(params, room=ROOM)
        count = fold(params, candles, out)
        spent = [spent_on(lambda params=params, out=out: fold(params, candles, out)) for _ in range(RUNS)]
        figures.append(Figure(work, "ns/candle", [one.cpu / len(candles) * 1e9 for one in spent]))
    # the last setup has few enough events to lie in `out` all at once
    words = [spent_on(lambda: events_of(out[:count], instrument.exchange, instrument.symbol)) for _ in range(RUNS)]
    figures.append(Figure("events put into words", "us/event", [one.cpu / count * 1e6 for one in words]))
    calls = [spent_on(lambda: one_by_one(params, candles[:SINGLE])) for _ in range(RUNS)]
    figures.append(Figure("a call with one minute", "us/call", [one.cpu / SINGLE * 1e6 for one in calls]))
    report(f"Detection over {len(candles):,} minutes of {source.name}, processor time", figures)


def fold(params: Any, candles: Any, out: Any) -> int:
    """Fold all of ``candles``, using ``out`` again and again, and return how many events there were."""
    state, begin, events = new_state(params), 0, 0
    while begin < len(candles):
        consumed, produced = advance(state, params, candles[begin:], out)
        begin, events = begin + consumed, events + produced
    return events


def one_by_one(params: Any, candles: Any) -> None:
    """Fold minute after minute, as a live line does."""
    state, out = new_state(params), new_out(params)
    for n in range(len(candles)):
        advance(state, params, candles[n : n + 1], out)


if __name__ == "__main__":
    main()

"""Random but repeatable alert pictures (any price size, any distance of levels, crowds, bare ones), and real ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from trading_system.charts.picture import ClosedPicture, PictureFill
from trading_system.charts.scene import (
    AlertPicture,
    PictureCandle,
    PictureFlag,
    PictureSwing,
    PictureTarget,
    PictureZone,
    Segment,
)
from trading_system.research.detect import detect
from trading_system.research.history import History, load_candles
from trading_system.research.instrument import InstrumentDefaults, instrument_of
from trading_system.rules.events import Event
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_name
from trading_system.rules.signals import SignalRules, judge
from trading_system.rules.trade_plan import Plan, PlanRules
from trading_system.rules.words import candle_dto, event_dto, high_low_dto, signal_dto
from trading_system.services.telegram_engine.alert import alert_picture, flag_of_breakout

INTERVAL_MS = 900_000
START = 1_763_424_000_000


def random_picture(seed: int) -> AlertPicture:
    """Return the picture of ``seed``."""
    rng = random.Random(seed)
    decimals = rng.choice([0, 1, 2, 4, 5, 8])
    tick = 10.0**-decimals
    price = tick * rng.choice([50, 1_234, 98_765, 1_057_369])
    candles = random_candles(rng, rng.choice([1, 2, 12, 50, 60, 70, 90]), price, tick)
    low, high = min(c.low for c in candles), max(c.high for c in candles)
    span = max(high - low, tick)
    sign = rng.choice([1, -1])
    entry = candles[-1].close if rng.random() < 0.5 else low + span * rng.random()
    risk = min(max(tick, span * rng.choice([0.001, 0.02, 0.2, 1.0, 30.0])), entry * 0.5)
    reach = [rng.choice([0.02, 1.0, 1.0, 2.0, 3.0, 12.0]) for _ in range(rng.randint(1, 6))]
    # A short's target is a price too, so it stays above zero.
    prices = [max(entry + sign * risk * r, entry * 0.01) for r in reach]
    return AlertPicture(
        symbol=rng.choice(["BTCUSDT", "WIFUSDT", "1000000MOGUSDT", "X" * 40, "عملةUSDT"]),
        interval=rng.choice(["1m", "15m", "4h"]),
        interval_ms=INTERVAL_MS,
        side="long" if sign > 0 else "short",
        setup="Bull flag breakout + order block retest" * rng.choice([1, 1, 4]),
        reasons=tuple("Pullback 53% of the pole " * rng.choice([1, 1, 3]) for _ in range(rng.randint(0, 6))),
        candles=candles,
        swings=random_swings(rng, candles),
        zones=random_zones(rng, candles, span),
        flag=random_flag(rng, candles) if len(candles) > 20 and rng.random() < 0.6 else None,
        entry=entry,
        stop=entry - sign * risk,
        targets=tuple(PictureTarget(p, 1 / len(reach), r) for p, r in zip(prices, reach, strict=True)),
        rr_net=rng.choice([0.5, 1.87, 12.0]),
        risk_percent=rng.choice([None, 1.0, 12.5]),
        quantity=rng.choice([None, "0.083 BTC", "123,204,310 1000000MOG", "9" * 60]),
        score=rng.randint(0, 100),
        venue=rng.choice(["Binance USDT-M", "A venue with a name that is far too long for any footer " * 2]),
        confirmed_at=candles[-1].open_time + INTERVAL_MS,
        signal_id="A41F",
        mode=rng.choice(["DEMO", "PAPER", "LIVE"]),
        tick_decimals=decimals,
    )


def random_candles(rng: random.Random, count: int, price: float, tick: float) -> tuple[PictureCandle, ...]:
    """Return a walk of ``count`` candles that stays positive; sometimes a market that stands still."""
    still = rng.random() < 0.1
    pace = 0.0 if still else price * rng.choice([0.0005, 0.01, 0.04])
    candles = []
    close = price
    for i in range(count):
        opened = close
        close = max(opened + rng.gauss(0, 1) * pace, tick * 3)
        high = max(opened, close) + abs(rng.gauss(0, 0.5)) * pace
        low = max(min(opened, close) - abs(rng.gauss(0, 0.5)) * pace, tick * 2)
        volume = 0.0 if still else rng.random() * 1000
        candles.append(PictureCandle(START + i * INTERVAL_MS, opened, high, min(low, opened, close), close, volume))
    return tuple(candles)


def random_swings(rng: random.Random, candles: tuple[PictureCandle, ...]) -> tuple[PictureSwing, ...]:
    """Return swings at random candles, some beside each other."""
    swings = []
    for candle in candles:
        if rng.random() < 0.25:
            if rng.random() < 0.5:
                swings.append(PictureSwing(candle.open_time, candle.high, "high", rng.choice(["HH", "LH", "EQH"])))
            else:
                swings.append(PictureSwing(candle.open_time, candle.low, "low", rng.choice(["HL", "LL", "EQL"])))
    return tuple(swings)


def random_zones(rng: random.Random, candles: tuple[PictureCandle, ...], span: float) -> tuple[PictureZone, ...]:
    """Return up to three blocks, some older than the window or out of sight."""
    zones = []
    for _ in range(rng.randint(0, 3)):
        candle = rng.choice(candles)
        bottom = candle.low + span * rng.choice([-3.0, -0.2, 0.0])
        direction = rng.choice([1, -1])
        time = candle.open_time - rng.choice([0, 0, 200]) * INTERVAL_MS
        label = "Bullish OB" if direction > 0 else "Bearish OB"
        zones.append(PictureZone(time, bottom + span * rng.choice([0.01, 0.2]), bottom, direction, label))
    return tuple(zones)


def random_flag(rng: random.Random, candles: tuple[PictureCandle, ...]) -> PictureFlag:
    """Return a pole between two candles, or from before the window, and two lines up to the last candle."""
    tip = rng.randint(8, len(candles) - 5)
    base, end = candles[tip - rng.randint(2, 8)], candles[-1]
    start = base.open_time - rng.choice([0, 100]) * INTERVAL_MS
    top, low = candles[tip].high, min(c.low for c in candles[tip:])
    pole = Segment(start, base.low, candles[tip].open_time, top)
    upper = Segment(candles[tip].open_time, top, end.open_time, end.high)
    return PictureFlag(pole, upper, Segment(candles[tip].open_time, low, end.open_time, low))


REAL_FILES = tuple(
    f"BINANCEUSDM_{symbol}USDT_{interval}.csv.gz"
    for symbol, intervals in {
        "BTC": ("1m", "5m", "15m"),
        "ETH": ("1m", "5m", "15m"),
        "SOL": ("1m", "5m"),
        "XRP": ("1m", "5m"),
        "ADA": ("1m", "5m"),
    }.items()
    for interval in intervals
)
_ROWS = 8_000
_AROUND = 70
_WARM_UP = 500


def real_alerts(file: Path, most: int) -> Iterator[tuple[AlertPicture, ClosedPicture]]:
    """Yield up to ``most`` signals of a candle file, spread over it, each with a picture of how it might have ended."""
    history = load_candles(file)
    defaults = InstrumentDefaults(5.0, 0.0005, 0.0002, 0.004)
    instrument = instrument_of(history, "binance_usdm", history.symbol or "", defaults)
    base = interval_name(history.base_interval)
    rows = history.candles[:_ROWS]
    events = detect(rows, instrument, base=base, signal=base, higher=None)
    rules = SignalRules(PlanRules(), base, history.base_interval, int(rows["open_time"][0]), _WARM_UP)
    plans = judge(events, instrument, rules).plans
    for plan in plans[:: max(1, len(plans) // most)][:most]:
        alert = _alert(plan, history, instrument, events)
        yield alert, _closed(alert, history)


def _alert(plan: Plan, history: History, instrument: Instrument, events: list[Event]) -> AlertPicture:
    length = history.base_interval
    at = (plan.confirmed_at - int(history.candles["open_time"][0])) // length
    rows = history.candles[max(0, at - _AROUND) : at]
    own = [event for event in events if event.confirmed_at == plan.confirmed_at and event.direction == plan.side]
    zone = next((event for event in own if event.id == plan.zone), None)
    broke_out = next((event for event in own if event.kind == "flag_breakout"), None)
    swings = [high_low_dto(event) for event in events if event.kind in ("swing_high", "swing_low")]
    return alert_picture(
        signal_dto(plan),
        [candle_dto(row, "binance_usdm", plan.symbol, length) for row in rows if not row["gap"]],
        swings,
        interval_ms=length,
        tick_decimals=history.price_decimals or 0,
        mode="PAPER",
        zone=None if zone is None else event_dto(zone),
        flag=None if plan.zone or broke_out is None else flag_of_breakout(event_dto(broke_out), length),
        risk_percent=1.0,
        quantity="0.083 " + plan.symbol.removesuffix("USDT"),
    )


def _closed(alert: AlertPicture, history: History) -> ClosedPicture:
    """End the trade of ``alert`` at its stop, its last target or a time stop, seen on closed candles alone."""
    rows = history.candles
    length, sign = history.base_interval, 1 if alert.side == "long" else -1
    at = (alert.confirmed_at - int(rows["open_time"][0])) // length
    fills = [PictureFill(alert.confirmed_at, alert.entry, "entry")]
    waiting = list(enumerate(alert.targets, start=1))
    after = [PictureCandle(*row[:6]) for row in rows[at : at + 300].tolist() if not row[6]]
    for candle in after:
        best, worst = (candle.high, candle.low) if sign > 0 else (candle.low, candle.high)
        time = candle.open_time + length // 2
        if (worst - alert.stop) * sign <= 0:
            fills.append(PictureFill(time, alert.stop, "stop"))
            break
        while waiting and (best - waiting[0][1].price) * sign >= 0:
            number, target = waiting.pop(0)
            fills.append(PictureFill(time, target.price, "target", number))
        if not waiting:
            break
    else:
        fills.append(PictureFill(after[-1].open_time + length // 2, after[-1].close, "exit"))
    rest = sum(target.weight for _, target in waiting)
    result = sum(t.weight * t.r_multiple for t in alert.targets[: len(alert.targets) - len(waiting)])
    result += rest * (fills[-1].price - alert.entry) / (alert.entry - alert.stop)
    candles = (*alert.candles, *(candle for candle in after if candle.open_time <= fills[-1].time))
    return ClosedPicture(alert, candles, tuple(fills), result, f"{result * 33.1:+.2f} USDT".replace("-", "−"))

"""From an order block or a flag to a plan: where to enter, where it was wrong, where to take profit, or why not.

A plan is decided once, from what was known at ``confirmed_at``, and never edited. How often the account may trade is
left to ``risk``, what rests at the venue to ``trade``; the score that ranks plans is made in ``score``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from trading_system.rules.events import VERSION, Event, short_hash
from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.score import Component, EventValueError, number_of, reasons_of, score_of

PLAN_REFUSALS: Mapping[str, str] = {
    "against_trend": "The higher interval's trend does not allow this side.",
    "stop_not_a_price": "The stop would lie at or below zero, where nothing can trade.",
    "no_target": "No target lies beyond the entry.",
    "rr_too_low": "The weighted reward over the loss, fees included, is below the least that is asked for.",
}
"""Every rule by which a candidate is refused before the account is asked."""

LOG_POLE = 0.2
"""A flag's pole this tall in log price (about 20 %) is measured in proportion instead of in points."""

LEAST_FLAG_WIDTH = 10
"""The time stop of a narrower flag counts as if it had this many candles."""


class PlanRulesError(ValueError):
    """A setting of the plan rules is outside of what it may be."""


class SizeError(ValueError):
    """A size was asked for without a positive equity, risk and loss."""


class Target(NamedTuple):
    """A price at which a share ``weight`` of the position (0..1, all together 1) is closed with profit."""

    price: float
    weight: float


class Plan(NamedTuple):
    """One trade, thought through. Prices in quote currency on the venue's grid, times in ms UTC.

    ``side`` is 1 for long, -1 for short; ``targets`` nearest first; ``expires_at`` ends the waiting of the entry;
    ``time_stop`` is the time in ms after the entry's fill at which the rest is closed, 0 for never; ``zone`` is the
    id of the ``ob_formed`` event, empty for a flag; ``components`` add up to ``score`` before it is clamped.
    """

    id: str
    exchange: str
    symbol: str
    interval: str
    pattern: Literal["order_block", "flag"]
    side: int
    time: int
    confirmed_at: int
    entry_type: Literal["limit", "market"]
    entry: float
    stop: float
    targets: tuple[Target, ...]
    atr: float
    rr_net: float
    score: int
    reasons: tuple[str, ...]
    expires_at: int
    time_stop: int
    zone: str
    components: tuple[Component, ...] = ()


class Refusal(NamedTuple):
    """Why a candidate became no plan: ``rule`` out of ``PLAN_REFUSALS`` and the numbers that decided it."""

    rule: str
    exchange: str
    symbol: str
    interval: str
    pattern: str
    side: int
    confirmed_at: int
    event: str
    numbers: Mapping[str, float]


class PlanRules(NamedTuple):
    """The settings of plan making, with their defaults.

    ``entry_at``: how deep in the block the limit lies, 0 near edge to 1 far edge. ``stop_atr``: how many ATR beyond
    the pattern the stop lies, at least one tick. ``block_targets``: ``r`` = multiples of the risk R, ``swing`` = the
    next unbroken structure highs (for a short: lows), each ``front_run_atr`` ATR earlier. ``block_weights`` need not
    add up to 100. ``flag_targets``: shares of the pole. ``flag_log``: measure the pole in proportion, ``auto`` = when
    it is taller than ``LOG_POLE``. ``flag_time_stop``: in flag widths. ``ttl``: candles that an entry waits.
    ``trend``: ``with`` asks for the higher interval's trend, ``not_against`` only forbids the opposite one.
    """

    entry_at: float = 0.0
    stop_atr: float = 0.1
    block_targets: Literal["r", "swing"] = "r"
    block_multiples: tuple[float, ...] = (1.0, 2.0, 3.0)
    block_weights: tuple[float, ...] = (50.0, 30.0, 20.0)
    front_run_atr: float = 0.05
    flag_targets: tuple[float, ...] = (0.5, 1.0)
    flag_log: Literal["auto", "always", "never"] = "auto"
    flag_time_stop: int = 4
    ttl: int = 20
    min_rr: float = 1.0
    trend: Literal["off", "with", "not_against"] = "not_against"


@lru_cache(maxsize=64)  # the same rules judge every event of a run
def check_plan_rules(rules: PlanRules) -> None:
    """Raise PlanRulesError, naming the first setting that is outside of what it may be; otherwise do nothing."""
    checks = (
        ("entry_at", 0.0 <= rules.entry_at <= 1.0, "a number from 0 (near edge) to 1 (far edge)"),
        ("stop_atr", 0.0 <= rules.stop_atr < math.inf, "a number of ATR, 0 or more"),
        ("block_targets", rules.block_targets in ("r", "swing"), "r or swing"),
        ("block_multiples", _all_positive(rules.block_multiples), "multiples of R, each above 0"),
        ("block_weights", _all_positive(rules.block_weights), "weights, each above 0"),
        (
            "block_weights",
            rules.block_targets != "r" or len(rules.block_weights) == len(rules.block_multiples),
            f"one weight for each of the {len(rules.block_multiples)} block_multiples",
        ),
        ("front_run_atr", 0.0 <= rules.front_run_atr < math.inf, "a number of ATR, 0 or more"),
        ("flag_targets", _all_positive(rules.flag_targets), "shares of the pole, each above 0"),
        ("flag_log", rules.flag_log in ("auto", "always", "never"), "auto, always or never"),
        ("flag_time_stop", rules.flag_time_stop >= 0, "a number of flag widths, 0 for none"),
        ("ttl", rules.ttl >= 1, "a number of candles, 1 or more"),
        ("min_rr", 0.0 <= rules.min_rr < math.inf, "a ratio, 0 or more"),
        ("trend", rules.trend in ("off", "with", "not_against"), "off, with or not_against"),
    )
    for name, holds, expected in checks:
        if not holds:
            raise PlanRulesError(f"{name}: expected {expected}, was {getattr(rules, name)!r}; correct the setting")


def plan_of(
    event: Event, instrument: Instrument, rules: PlanRules, interval_ms: int, liquidity: Sequence[float] = ()
) -> Plan | Refusal | None:
    """Return the plan that ``event`` leads to, the reason why it leads to none, or None for a kind that never does.

    interval_ms: length of the event's interval; liquidity: prices of the confirmed, unbroken structure highs (for a
    short: lows) known at ``confirmed_at``, in any order; only ``block_targets="swing"`` reads them.
    Raises: EventValueError when the event lacks a number or contradicts itself; PlanRulesError.
    """
    if event.kind not in ("ob_formed", "flag_breakout"):
        return None
    check_plan_rules(rules)
    if (event.exchange, event.symbol) != (instrument.exchange, instrument.symbol):
        raise EventValueError(
            f"{event.kind} {event.id}: expected the instrument of {event.exchange} {event.symbol}, was that of "
            f"{instrument.exchange} {instrument.symbol}; its ticks and fees are not this event's"
        )
    trend = int(number_of(event, "trend"))
    if not trend_allows(event.direction, trend, rules):
        return _refusal(event, "against_trend", {"trend": trend, "side": event.direction})
    if event.kind == "ob_formed":
        entry = order_block_entry(event, rules, instrument.tick)
        stop = order_block_stop(event, rules, instrument.tick)
        wanted = order_block_targets(event, rules, instrument.tick, entry=entry, stop=stop, liquidity=liquidity)
    else:
        entry = snapped(number_of(event, "close"), event.direction, instrument.tick)
        stop = flag_stop(event, rules, instrument.tick)
        wanted = flag_targets(event, rules, instrument.tick)
    if (entry - stop) * event.direction <= 0:
        raise EventValueError(
            f"{event.kind} {event.id}: expected the stop on the losing side of the entry {entry}, was {stop}; the "
            "prices of the event contradict each other, fold the candles again"
        )
    if stop <= 0:
        return _refusal(event, "stop_not_a_price", {"entry": entry, "stop": stop})
    targets = ladder(wanted, entry, event.direction)
    if not targets:
        return _refusal(event, "no_target", {"entry": entry, "stop": stop, "dropped": len(wanted)})
    rr_net = rr_net_of(event.direction, entry, stop, targets, instrument.taker_fee)
    if rr_net < rules.min_rr:
        return _refusal(event, "rr_too_low", {"rr_net": rr_net, "min_rr": rules.min_rr, "entry": entry, "stop": stop})
    return _plan(event, rules, interval_ms, entry=entry, stop=stop, targets=targets, rr_net=rr_net, trend=trend)


def trend_allows(side: int, trend: int, rules: PlanRules) -> bool:
    """Tell whether a trade of ``side`` may be planned while the higher interval's trend (-1, 0, 1) is ``trend``."""
    if rules.trend == "with":
        return side == trend
    return rules.trend == "off" or side != -trend


def order_block_entry(event: Event, rules: PlanRules, tick: Grid) -> float:
    """Return the limit price in the block: ``entry_at`` of the way from the near to the far edge."""
    near, far = _edges(event)
    return snapped(near + rules.entry_at * (far - near), event.direction, tick)


def order_block_stop(event: Event, rules: PlanRules, tick: Grid) -> float:
    """Return the stop of a block: beyond its far edge."""
    _, far = _edges(event)
    return stop_beyond(far, event, rules, tick)


def order_block_targets(
    event: Event, rules: PlanRules, tick: Grid, *, entry: float, stop: float, liquidity: Sequence[float]
) -> list[Target]:
    """Return the targets of a block as wished for, before those that lie at or behind the entry are dropped."""
    side = event.direction
    if rules.block_targets == "r":
        # In whole ticks, because entry + 1 * (entry - stop) in floats can fall short of its own tick.
        start = tick.units(entry)
        risk = (start - tick.units(stop)) * side
        prices = [tick.price(start + side * math.floor(multiple * risk)) for multiple in rules.block_multiples]
    else:
        early = side * rules.front_run_atr * number_of(event, "atr")
        beyond = sorted({level for level in liquidity if (level - entry) * side > 0}, reverse=side < 0)
        prices = [snapped(level - early, side, tick) for level in beyond]
    return [Target(price, weight) for price, weight in zip(prices, rules.block_weights, strict=False)]


def flag_stop(event: Event, rules: PlanRules, tick: Grid) -> float:
    """Return the stop of a flag: beyond the extreme that it reached against the pole."""
    return stop_beyond(number_of(event, "extreme"), event, rules, tick)


def flag_targets(event: Event, rules: PlanRules, tick: Grid) -> list[Target]:
    """Return the measured moves of a flag: shares of the pole A-B, set upon the flag's extreme C.

    Source: Bulkowski's measure rule; in proportion, ``C * (B/A)**share``, it stays meaningful for tall poles.
    """
    base, tip, extreme = (number_of(event, name) for name in ("base_price", "tip_price", "extreme"))
    if min(base, tip, extreme) <= 0:
        raise EventValueError(
            f"{event.kind} {event.id}: expected prices above 0 for base, tip and extreme, was {base}, {tip}, "
            f"{extreme}; the candles are not those of a market, check their file"
        )
    in_proportion = rules.flag_log == "always" or (rules.flag_log == "auto" and abs(math.log(tip / base)) > LOG_POLE)
    prices = [
        extreme * (tip / base) ** share if in_proportion else extreme + share * (tip - base)
        for share in rules.flag_targets
    ]
    return [Target(snapped(price, event.direction, tick), 1.0) for price in prices]


def stop_beyond(edge: float, event: Event, rules: PlanRules, tick: Grid) -> float:
    """Return the stop ``stop_atr`` ATR beyond ``edge``, at least one tick, on the side where the trade loses."""
    side = event.direction
    by_atr = snapped(edge - side * rules.stop_atr * number_of(event, "atr"), side, tick)
    by_tick = tick.shift(snapped(edge, side, tick), -side)
    return min(by_atr, by_tick) if side > 0 else max(by_atr, by_tick)


def snapped(price: float, side: int, tick: Grid) -> float:
    """Return ``price`` on the grid: down for a long, up for a short, so that no plan looks better than it is."""
    return tick.floor(price) if side > 0 else tick.ceil(price)


def ladder(wanted: Sequence[Target], entry: float, side: int) -> tuple[Target, ...]:
    """Return the targets that lie beyond the entry, nearest first, their weights scaled to add up to 1.

    A target at or behind the entry, or at or below zero, is dropped and the others share its weight in proportion;
    targets at one price become one.
    """
    weights: dict[float, float] = {}
    for price, weight in wanted:
        if (price - entry) * side > 0 and price > 0:
            weights[price] = weights.get(price, 0.0) + weight
    total = 0.0
    for weight in weights.values():
        total += weight
    return tuple(Target(price, weights[price] / total) for price in sorted(weights, reverse=side < 0))


def rr_net_of(side: int, entry: float, stop: float, targets: Sequence[Target], fee: float) -> float:
    """Return the weighted reward over the loss, with ``fee`` (a rate) paid on the way in and on the way out."""
    gain = 0.0
    for price, weight in targets:
        gain += weight * ((price - entry) * side - fee * (entry + price))
    return gain / _loss(entry, stop, fee)


def r_multiple(plan: Plan, price: float) -> float:
    """Return how many R (distance from entry to stop) the plan would have made at ``price``, before fees."""
    return (price - plan.entry) * plan.side / abs(plan.entry - plan.stop)


def loss_of(plan: Plan, fee: float) -> float:
    """Return what one unit loses when the stop fills at its price, in quote currency, ``fee`` (a rate) paid twice."""
    return _loss(plan.entry, plan.stop, fee)


def size_of(loss: float, equity: float, risk_pct: float, step: Grid) -> float:
    """Return the quantity, floored to ``step``, whose stop-out costs at most ``risk_pct`` per cent of ``equity``.

    loss: quote currency per unit as ``loss_of`` gives it, fees included, which is why a stop-out costs no more than
    the risk. Caps by margin and the minimum notional are the account's.
    Raises: SizeError when equity, risk or loss is not a positive finite number.
    """
    for name, value in (("loss", loss), ("equity", equity), ("risk_pct", risk_pct)):
        if not 0 < value < math.inf:
            raise SizeError(f"{name}: expected a positive number, was {value}; nothing can be sized, refuse the entry")
    return step.floor(equity * risk_pct / 100 / loss)


def _plan(
    event: Event,
    rules: PlanRules,
    interval_ms: int,
    *,
    entry: float,
    stop: float,
    targets: tuple[Target, ...],
    rr_net: float,
    trend: int,
) -> Plan:
    score, components = score_of(event, rr_net, trend)
    is_block = event.kind == "ob_formed"
    pattern = _pattern(event)
    width = 0 if is_block else max(int(number_of(event, "width")), LEAST_FLAG_WIDTH)
    return Plan(
        id=short_hash(
            VERSION, event.exchange, event.symbol, event.interval, event.confirmed_at, pattern, event.direction
        ),
        exchange=event.exchange,
        symbol=event.symbol,
        interval=event.interval,
        pattern=pattern,
        side=event.direction,
        time=event.time,
        confirmed_at=event.confirmed_at,
        entry_type="limit" if is_block else "market",
        entry=entry,
        stop=stop,
        targets=targets,
        atr=number_of(event, "atr"),
        rr_net=rr_net,
        score=score,
        reasons=reasons_of(components),
        expires_at=event.confirmed_at + rules.ttl * interval_ms,
        time_stop=rules.flag_time_stop * width * interval_ms,
        zone=event.id if is_block else "",
        components=components,
    )


def _refusal(event: Event, rule: str, numbers: Mapping[str, float]) -> Refusal:
    return Refusal(
        rule,
        event.exchange,
        event.symbol,
        event.interval,
        _pattern(event),
        event.direction,
        event.confirmed_at,
        event.id,
        numbers,
    )


def _pattern(event: Event) -> Literal["order_block", "flag"]:
    return "order_block" if event.kind == "ob_formed" else "flag"


def _edges(event: Event) -> tuple[float, float]:
    """Return the edge that price meets first when it comes back, and the one behind which the block has failed."""
    top, bottom = number_of(event, "top"), number_of(event, "bottom")
    return (top, bottom) if event.direction > 0 else (bottom, top)


def _loss(entry: float, stop: float, fee: float) -> float:
    return abs(entry - stop) + fee * (entry + stop)


def _all_positive(numbers: Sequence[float]) -> bool:
    return len(numbers) > 0 and all(0 < number < math.inf for number in numbers)

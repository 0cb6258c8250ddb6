"""How much speaks for a signal, from 0 to 100: named points that add up, each of them kept.

The score ranks signals of one candle against each other and explains them to a reader. It is no probability, its
weights are conventions that were never fitted to outcomes, and whether a signal is traded is left to ``trade_plan``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from trading_system.rules.events import Event

BASE = 30.0
TREND = 20.0
BREAK_OF_STRUCTURE = 5.0
DISPLACEMENT_PER_ATR = 5.0
DISPLACEMENT_MOST = 15.0
FAIR_VALUE_GAP = 8.0
FRESH_ZONE = 7.0
STRENGTH_PER_POINT = 20.0
CONFLUENCE = 10.0
GOOD_REWARD = 5.0
GOOD_REWARD_FROM = 2.0
TALL_ZONE = -5.0
TALL_ZONE_ATR = 1.5

SCORE_COMPONENTS: Mapping[str, str] = {
    "base": "Every signal starts here.",
    "trend_with": "The higher interval's last structure break points the same way.",
    "trend_against": "The higher interval's last structure break points the other way.",
    "bos": "The block was left behind by a break in the direction of the trend.",
    "choch": "The block was left behind by a break that turned the trend; worth no points.",
    "displacement": "How many ATR the close ran from the far edge of the block.",
    "fvg": "The run left a three-candle gap.",
    "fresh": "Price has not come back to the block yet.",
    "volume": "How evenly the volume of the break and of the candles before it is shared.",
    "confluence": "A block of the same side lies in the same place.",
    "reward": "The weighted reward is at least twice the loss, fees included.",
    "tall_zone": "The block is so tall that its stop is far away.",
}
"""Every component a score can have, with its meaning."""


class EventValueError(ValueError):
    """An event lacks a number that a rule needs, or has something else in its place."""


class Component(NamedTuple):
    """One named part of a score; ``code`` is a key of ``SCORE_COMPONENTS``."""

    code: str
    points: float


def number_of(event: Event, name: str) -> float:
    """Return the finite number that ``event`` carries as ``name``.

    Raises: EventValueError when it carries none; no number is ever assumed.
    """
    value = event.values.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise EventValueError(
            f"{event.kind} {event.id} of {event.symbol} {event.interval}: expected a finite number as {name!r}, "
            f"was {value!r}; detection and the rules are of different versions, fold the candles again"
        )
    return float(value)


def score_of(event: Event, rr_net: float, trend: int) -> tuple[int, tuple[Component, ...]]:
    """Return the score of the signal that ``event`` gives, and the components whose sum it is.

    event: an ``ob_formed`` or a ``flag_breakout``; rr_net: weighted reward over loss, fees included; trend: direction
    of the higher interval's last structure break (-1, 0, 1). What only a block has (break, displacement, gap,
    freshness, volume, height) adds nothing for a flag. The sum is held between 0 and 100 and rounded half up.
    Raises: EventValueError when the event lacks a number that its kind carries.
    """
    components = [Component("base", BASE)]
    if trend != 0:
        agrees = trend == event.direction
        components.append(Component("trend_with", TREND) if agrees else Component("trend_against", -TREND))
    if event.kind == "ob_formed":
        components += _block_components(event)
    if number_of(event, "confluence"):
        components.append(Component("confluence", CONFLUENCE))
    if rr_net >= GOOD_REWARD_FROM:
        components.append(Component("reward", GOOD_REWARD))
    total = 0.0
    for component in components:
        total += component.points
    return math.floor(min(100.0, max(0.0, total)) + 0.5), tuple(components)


def reasons_of(components: tuple[Component, ...]) -> tuple[str, ...]:
    """Return the codes that explain a score, in its order: what moved it, and the kind of the break."""
    return tuple(code for code, points in components if code == "choch" or (code != "base" and points != 0))


def _block_components(event: Event) -> list[Component]:
    """Return what speaks for an order block in its own right; at its formation a block is always fresh."""
    components = [
        _break_component(event),
        Component("displacement", min(DISPLACEMENT_MOST, DISPLACEMENT_PER_ATR * number_of(event, "displacement"))),
    ]
    if number_of(event, "has_fvg"):
        components.append(Component("fvg", FAIR_VALUE_GAP))
    components.append(Component("fresh", FRESH_ZONE))
    components.append(Component("volume", number_of(event, "strength") / STRENGTH_PER_POINT))
    if number_of(event, "top") - number_of(event, "bottom") > TALL_ZONE_ATR * number_of(event, "atr"):
        components.append(Component("tall_zone", TALL_ZONE))
    return components


def _break_component(event: Event) -> Component:
    kind = event.values.get("break_kind")
    if kind == "bos":
        return Component("bos", BREAK_OF_STRUCTURE)
    if kind == "choch":
        return Component("choch", 0.0)
    raise EventValueError(
        f"ob_formed {event.id} of {event.symbol} {event.interval}: expected 'bos' or 'choch' as 'break_kind', "
        f"was {kind!r}; detection and the rules are of different versions, fold the candles again"
    )

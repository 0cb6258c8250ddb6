"""The rules' parameters: their names, defaults and limits, and the sizes of a state that follow from them."""

from __future__ import annotations

import difflib
import itertools
import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from trading_system.rules.grid import Grid
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.records import PARAMS, BlockCandle, Mitigation, Records, SameBar, Source, Stage, Ties, Zone

_ENDLESS = 1 << 20
_EDGE_OF_HISTORY = 12  # the last opposite candle lies up to ten before the oldest candidate of a block


class ParameterError(ValueError):
    """A parameter that does not exist or a value outside its range."""


class Whole(NamedTuple):
    """A whole number within a range."""

    field: str
    default: int
    least: int
    most: int


class Real(NamedTuple):
    """A real number within a range."""

    field: str
    default: float
    least: float
    most: float


class Choice(NamedTuple):
    """One of a closed set of words."""

    field: str
    default: IntEnum
    words: tuple[IntEnum, ...]


RULES: dict[str, Whole | Real | Choice] = {
    "stage": Choice("stage", Stage.EVERYTHING, tuple(Stage)),
    "swings.left": Whole("left", 5, 1, 1000),
    "swings.right": Whole("right", 5, 1, 1000),
    "swings.ties": Choice("ties", Ties.LAST, tuple(Ties)),
    "swings.same_bar": Choice("same_bar", SameBar.BOTH, tuple(SameBar)),
    "swings.first_index": Whole("first_index", 0, 0, _ENDLESS),
    "swings.source": Choice("source", Source.HL, (Source.HL, Source.CLOSE)),
    "blocks.zone": Choice("zone", Zone.RANGE, tuple(Zone)),
    "blocks.mitigation": Choice("mitigation", Mitigation.WICK, tuple(Mitigation)),
    "blocks.candle": Choice("candle", BlockCandle.EXTREME, tuple(BlockCandle)),
    "blocks.tie": Choice("tie", Ties.LAST, (Ties.LAST, Ties.FIRST)),
    "blocks.max_age": Whole("max_age", 500, 1, 100_000),
    "blocks.max_active": Whole("max_active", 50, 1, 1000),
    "blocks.min_displacement_atr": Real("min_displacement_atr", 0.0, 0.0, 100.0),
    "blocks.max_size_atr": Real("max_size_atr", 0.0, 0.0, 100.0),
    "flags.order": Whole("order", 10, 1, 1000),
    "flags.ties": Choice("flag_ties", Ties.LAST, tuple(Ties)),
    "flags.first_index": Whole("flag_first_index", 0, 0, _ENDLESS),
    "flags.source": Choice("flag_source", Source.LOG_CLOSE, (Source.LOG_CLOSE, Source.CLOSE)),
    "flags.max_width_ratio": Real("max_width_ratio", 0.5, 0.0, 100.0),
    "flags.max_retrace": Real("max_retrace", 0.5, 0.0, 10.0),
    "flags.min_flag_bars": Whole("min_flag_bars", 5, 0, 100_000),
    "flags.require_progress": Whole("require_progress", 1, 0, 1),
    "flags.eval_offset": Whole("eval_offset", 0, 0, 1),
    "flags.tol": Real("tol", 0.0, 0.0, 1.0),
    "flags.min_pole_atr": Real("min_pole_atr", 3.0, 0.0, 1000.0),
    "flags.max_flag_bars": Whole("max_flag_bars", 60, 1, 100_000),
}


def parameters(
    base: str = "1m",
    signal: str = "15m",
    higher: str | None = "4h",
    step: Grid | None = None,
    **overrides: float | str | bool,
) -> Records:
    """Return PARAMS[1] for a line that reads ``base`` candles and detects on ``signal`` and ``higher`` candles.

    step: the instrument's volume grid, needed where candles are folded into longer ones. overrides: names of ``RULES``,
    e.g. ``**{"swings.left": 3}``.
    Raises: ParameterError, IntervalError.
    """
    params = np.zeros(1, PARAMS)
    lengths = [interval_ms(base), interval_ms(signal)] + ([interval_ms(higher)] if higher else [])
    for shorter, longer in itertools.pairwise(lengths):
        if longer % shorter != 0:
            raise ParameterError(f"expected intervals that divide one another, was base {base} {signal} {higher}")
    if higher and lengths[2] == lengths[1]:
        raise ParameterError(f"expected a higher interval above {signal}, was {higher}; leave it out for none")
    params["base"], params["signal"], params["longest"] = lengths[0], lengths[1], lengths[-1]
    params["higher"] = lengths[2] if higher else 0
    if step is None and lengths[-1] != lengths[0]:
        raise ParameterError(f"expected the instrument's volume grid (step=) to fold {base} candles, was none")
    params["step_num"], params["step_den"] = step or (1, 1)
    for rule in RULES.values():
        params[rule.field] = rule.default
    for name, value in overrides.items():
        params[_rule_named(name).field] = checked_value(name, value)
    params["history"] = _history(params)
    params["blocks"] = _block_places(params)
    params["most_events"] = _most_events(params)
    return params


def defaults() -> dict[str, int | float | str]:
    """Return the name and default of every rule parameter, choices as their words."""
    return {
        name: rule.default.name.lower() if isinstance(rule, Choice) else rule.default for name, rule in RULES.items()
    }


def _rule_named(name: str) -> Whole | Real | Choice:
    if name not in RULES:
        near = difflib.get_close_matches(name, RULES, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ParameterError(f"no parameter is called {name!r}; expected one of {', '.join(RULES)}{hint}")
    return RULES[name]


def checked_value(name: str, value: float | str | bool) -> float | int:
    """Return ``value`` as the parameter ``name`` holds it, a choice as its number.

    Raises: ParameterError naming the parameter, what was expected and what was given.
    """
    rule = _rule_named(name)
    if isinstance(rule, Choice):
        words = {word.name.lower(): word for word in rule.words}
        if str(value).lower() not in words:
            raise ParameterError(f"{name}: expected one of {', '.join(words)}, was {value!r}")
        return words[str(value).lower()]
    number = _number(name, value)
    if isinstance(rule, Whole) and number != int(number):
        raise ParameterError(f"{name}: expected a whole number, was {value!r}")
    if not rule.least <= number <= rule.most:
        raise ParameterError(f"{name}: expected a number from {rule.least} to {rule.most}, was {value!r}")
    return int(number) if isinstance(rule, Whole) else number


def _number(name: str, value: float | str | bool) -> float:
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return float(value.lower() == "true")
    try:
        number = float(value)
    except ValueError as error:
        raise ParameterError(f"{name}: expected a number, was {value!r}") from error
    if not math.isfinite(number):
        raise ParameterError(f"{name}: expected a finite number, was {value!r}")
    return number


def _history(params: Records) -> int:
    """Return how many candles an interval must remember: a power of two, in steps of four from 512."""
    p = params[0]
    need = max(
        int(p["max_age"]) + _EDGE_OF_HISTORY,
        int(p["left"] + p["right"]) + 2,
        2 * int(p["order"]) + 2,
        int(p["max_flag_bars"]) + 2,
    )
    history = 512
    while history < need:
        history *= 4
    return history


def _block_places(params: Records) -> int:
    """Return how many blocks a side has places for: one more than may live, in steps of four."""
    places = 64
    while places < int(params["max_active"][0]) + 1:
        places *= 4
    return places


def _most_events(params: Records) -> int:
    """Return how many events one step can make at most, so that a caller's array can never overflow.

    An interval: two swings; three events for each live block (touched, mitigated, expired); and for each side a break,
    a block formed and one crowded out. The signal interval adds four events of a flag for each side.
    """
    active = int(params["max_active"][0])
    one_interval = 2 + 2 * 3 * active + 2 * 3
    return one_interval * (2 if params["higher"][0] else 1) + 8

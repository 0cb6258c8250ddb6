"""The chart of one closed trade: the candles around it, its setup, its levels and its fills.

It decides the window and what is drawn; shapes and labels are ``report_plots``'. It shows what came after the signal
too, which an alert's picture never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.research import report_plots as plots
from trading_system.research.report_numbers import plain
from trading_system.research.report_words import Words, say
from trading_system.rules.events import Event
from trading_system.rules.facts import Closed, Fill
from trading_system.rules.grid import text_of
from trading_system.rules.interval_table import interval_ms

_BEFORE = 36
_AFTER = 8
_MOST_CANDLES = 150
_RIGHT = 862.0
"""Where the candles end: the rest of the width belongs to the levels' labels."""
_LABEL_GAP = 6.5
_REACH = 0.6
"""A target further away than this share of the candles' range is left out: it would flatten them."""


class Bars(NamedTuple):
    """Candles folded for drawing: open time and prices, and the ms that one of them lasts."""

    time: npt.NDArray[Any]
    open: npt.NDArray[Any]
    high: npt.NDArray[Any]
    low: npt.NDArray[Any]
    close: npt.NDArray[Any]
    length: int


class _Level(NamedTuple):
    name: str
    price: float
    css: str


def trade_chart(
    closed: Closed, fills: Sequence[Fill], events: Sequence[Event], candles: npt.NDArray[Any], words: Words
) -> str:
    """Return the chart of ``closed``.

    fills: of this trade; events: those that its plan speaks about (its order block, or its flag's breakout); candles:
    CANDLE[n] of its symbol, ascending. Without a priced candle in the window only the levels are drawn.
    """
    plan, trade = closed.trade.plan, closed.trade
    length = interval_ms(plan.interval)
    start = min([plan.confirmed_at, *(int(event.values.get("base_time", event.time)) for event in events)])
    start = max(start - 6 * length, plan.confirmed_at - 4 * _BEFORE * length)
    start, end = min(start, plan.confirmed_at - _BEFORE * length), closed.time + _AFTER * length
    bars = bars_between(candles, start, end, length)
    times = plots.Axis(start, max(end, int(bars.time[-1]) + bars.length if len(bars.time) else end), _RIGHT)
    prices = _price_axis(closed, bars)
    opened, left = times.at(trade.opened_at), times.at(closed.time)
    entry, stop = prices.down(trade.entry_price), prices.down(plan.stop)
    levels = _levels(closed, prices, words)
    reward = prices.down(levels[-1].price) if len(levels) > 2 else entry
    shapes = [
        *plots.value_marks(prices, 5)[0],
        *_setup(events, times, prices, closed.time),
        plots.boxes([(opened, min(entry, stop), left - opened, abs(stop - entry))], "loss-box"),
        plots.boxes([(opened, min(entry, reward), left - opened, abs(reward - entry))], "gain-box"),
        *_candles(bars, times, prices),
        *(_level(level, opened, prices) for level in levels),
        plots.strokes([(times.at(plan.confirmed_at), 0, times.at(plan.confirmed_at), plots.HEIGHT)], "signal-line"),
        plots.dots([(times.at(fill.time), prices.down(fill.price)) for fill in fills if fill.name == "e"], "fill-in"),
        plots.dots([(times.at(fill.time), prices.down(fill.price)) for fill in fills if fill.name != "e"], "fill-out"),
    ]
    title = f"{closed.symbol} {plan.interval} {plan.id}"
    marks = plots.time_marks(times, 9, words["months"].split())
    return plots.plot(shapes, [*_labels(levels, prices), *marks], "trade-plot", title)


def bars_between(candles: npt.NDArray[Any], start: int, end: int, length: int) -> Bars:
    """Fold the priced candles that open in [start, end) to bars of ``length`` ms, or longer when they are too many."""
    length *= max(1, -(-(end - start) // (length * _MOST_CANDLES)))
    inside = candles[np.searchsorted(candles["open_time"], start) : np.searchsorted(candles["open_time"], end)]
    inside = inside[inside["gap"] == 0]
    buckets = inside["open_time"] // length
    if len(inside) == 0:
        none = np.zeros(0)
        return Bars(none, none, none, none, none, length)
    first = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    last = np.append(first[1:], len(inside)) - 1
    return Bars(
        buckets[first] * length,
        inside["open"][first],
        np.maximum.reduceat(inside["high"], first),
        np.minimum.reduceat(inside["low"], first),
        inside["close"][last],
        length,
    )


def _price_axis(closed: Closed, bars: Bars) -> plots.Axis:
    known = [closed.trade.entry_price, closed.trade.plan.stop]
    if len(bars.time):
        known += [float(bars.high.max()), float(bars.low.min())]
    low, high = min(known), max(known)
    reach = (high - low) * _REACH
    known += [target.price for target in closed.trade.plan.targets if low - reach <= target.price <= high + reach]
    return plots.axis_of(known, plots.HEIGHT)


def _levels(closed: Closed, prices: plots.Axis, words: Words) -> list[_Level]:
    """Return entry, stop and the targets in sight, in this order."""
    levels = [
        _Level(words["trade.entry"], closed.trade.entry_price, "entry"),
        _Level(words["trade.stop"], closed.trade.plan.stop, "stop"),
    ]
    for number, target in enumerate(closed.trade.plan.targets, start=1):
        if prices.low <= target.price <= prices.high:
            levels.append(_Level(say(words, "trade.target", number=number), target.price, "target"))
    return levels


def _level(level: _Level, opened: float, prices: plots.Axis) -> str:
    y = prices.down(level.price)
    return plots.strokes([(opened, y, _RIGHT, y)], f"level {level.css}")


def _labels(levels: Sequence[_Level], prices: plots.Axis) -> list[str]:
    """Return the levels' labels beside the candles, moved apart where they would overlap."""
    ordered = sorted(levels, key=lambda level: -level.price)
    places = [prices.down(level.price) for level in ordered]
    for n in range(1, len(places)):
        places[n] = max(places[n], places[n - 1] + _LABEL_GAP)
    over = max(0.0, places[-1] - (plots.HEIGHT - 2))
    for n in range(len(places) - 1, -1, -1):
        room = places[n + 1] - _LABEL_GAP if n + 1 < len(places) else plots.HEIGHT - 2
        places[n] = min(places[n], room) if over else places[n]
    return [
        plots.label(_RIGHT + 8, y, f"{level.name} {plain(level.price, _decimals(level.price))}", f"r {level.css}")
        for level, y in zip(ordered, places, strict=True)
    ]


def _setup(events: Sequence[Event], times: plots.Axis, prices: plots.Axis, end: int) -> list[str]:
    """Return the order block as a band, or the flag as its pole and its two lines."""
    shapes = []
    for event in events:
        values = event.values
        if event.kind == "ob_formed":
            top, bottom = prices.down(float(values["top"])), prices.down(float(values["bottom"]))
            x = max(times.at(event.time), 0.0)
            shapes.append(plots.boxes([(x, top, times.at(end) - x, bottom - top)], "zone"))
        else:
            tip, last = times.at(event.time), times.at(event.confirmed_at)
            ends = [(float(values[f"{name}_start"]), float(values[f"{name}_end"])) for name in ("resist", "support")]
            lines = [(tip, prices.down(first), last, prices.down(final)) for first, final in ends]
            base = times.at(int(values["base_time"])), prices.down(float(values["base_price"]))
            pole = [(*base, tip, prices.down(float(values["tip_price"])))]
            shapes += [plots.strokes(pole, "pole"), plots.strokes(lines, "flag")]
    return shapes


def _candles(bars: Bars, times: plots.Axis, prices: plots.Axis) -> list[str]:
    if len(bars.time) == 0:
        return []
    width = times.at(times.low + bars.length) * 0.68
    rising = bars.close >= bars.open
    shapes = []
    for chosen, css in ((rising, "up"), (~rising, "down")):
        rows = list(
            zip(
                *(column[chosen].tolist() for column in (bars.time, bars.open, bars.high, bars.low, bars.close)),
                strict=True,
            )
        )
        middles = [times.at(row[0] + bars.length / 2) for row in rows]
        wicks = [(x, prices.down(row[2]), x, prices.down(row[3])) for x, row in zip(middles, rows, strict=True)]
        bodies = []
        for x, (_, opened, _, _, close) in zip(middles, rows, strict=True):
            top, bottom = prices.down(max(opened, close)), prices.down(min(opened, close))
            bodies.append((x - width / 2, top, width, max(bottom - top, 0.3)))
        shapes += [plots.strokes(wicks, f"wick {css}"), plots.boxes(bodies, f"body {css}")]
    return shapes


def _decimals(price: float) -> int:
    return len(text_of(price).partition(".")[2])

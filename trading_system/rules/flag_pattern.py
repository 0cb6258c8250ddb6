"""Decides when a pole stands, when its flag or pennant consolidates, and when a close breaks out of it.

Works on closes (their logarithms by default). Stops and targets of the trade are for ``trade_plan.py``.
"""

from __future__ import annotations

import math

from trading_system.rules.compiled import compiled
from trading_system.rules.event_sheet import new_row, refer
from trading_system.rules.highs_lows import extreme_of, is_pivot
from trading_system.rules.line import place
from trading_system.rules.order_blocks import holds_price
from trading_system.rules.records import EventKind, Reason, Record, Records, Shape, Source


@compiled
def close_of(history: Records, k: int, source: int) -> float:
    """Return the close of candle ``k`` as the flags see it: its logarithm, or the price itself."""
    return extreme_of(history, k, source, 1)


@compiled
def bounding_slope(history: Records, tip: int, width: int, source: int, pivot: int, tol: float, side: int) -> float:
    """Return the slope of the line through point ``pivot`` that no point lies beyond (side 1: above, -1: below).

    Of all such slopes it is the one with the least squared distances; there is one, since the problem is convex.
    """
    at_pivot = side * close_of(history, tip + pivot, source)
    products = 0.0
    squares = 0.0
    least = -math.inf
    most = math.inf
    for j in range(width):
        if j == pivot:
            continue
        rise = side * close_of(history, tip + j, source) - at_pivot
        products += (j - pivot) * rise
        squares += float((j - pivot) * (j - pivot))
        bound = (rise - tol) / (j - pivot)
        if j > pivot:
            least = max(least, bound)
        else:
            most = min(most, bound)
    return side * min(max(products / squares, least), most)


@compiled
def fit(history: Records, tip: int, width: int, source: int, tol: float) -> tuple[float, float, float, float]:
    """Return (resistance slope, its value at the tip, support slope, its value at the tip).

    Looks at the ``width`` >= 2 closes from the tip on. Each line goes through the close that lies farthest from their
    least-squares line on its side (the first of equals). Source: neurotrader's trend lines, solved exactly.
    """
    middle = (width - 1) / 2.0
    mean = 0.0
    for j in range(width):
        mean += close_of(history, tip + j, source)
    mean /= width
    products = 0.0
    squares = 0.0
    for j in range(width):
        products += (j - middle) * (close_of(history, tip + j, source) - mean)
        squares += (j - middle) * (j - middle)
    slope = products / squares
    upper = 0
    lower = 0
    above = -math.inf
    below = math.inf
    for j in range(width):
        residual = close_of(history, tip + j, source) - (mean + slope * (j - middle))
        if residual > above:
            above = residual
            upper = j
        if residual < below:
            below = residual
            lower = j
    resist = bounding_slope(history, tip, width, source, upper, tol, 1)
    support = bounding_slope(history, tip, width, source, lower, tol, -1)
    return (
        resist,
        close_of(history, tip + upper, source) - resist * upper,
        support,
        close_of(history, tip + lower, source) - support * lower,
    )


@compiled
def price_of(value: float, source: int) -> float:
    """Return the price that a value on a flag's line stands for."""
    return math.exp(value) if source == Source.LOG_CLOSE else value


@compiled
def write_pole(head: Record, out: Records, line: Record, pole: Record, kind: int, side: int) -> int:
    """Write an event of a flag's life; all but the first refer to the pole."""
    n = new_row(head, out, line, kind, side, pole["tip_time"])
    if kind != EventKind.FLAG_POLE:
        refer(out[n], EventKind.FLAG_POLE.value, side, pole["tip_time"], pole["confirmed_at"])
    row = out[n]
    row["base_time"] = pole["base_time"]
    row["base_price"] = pole["base_price"]
    row["tip_price"] = pole["tip_price"]
    row["pole_width"] = pole["tip_index"] - pole["base_index"]
    row["width"] = line["count"] - 1 - pole["tip_index"]
    row["pole_height"] = side * (pole["tip_value"] - pole["base_value"])
    return n


@compiled
def take_turn(line: Record, k: int, source: int, min_pole_atr: float, side: int, head: Record, out: Records) -> None:
    """Remember the top (side 1) or bottom at candle ``k``; with a turn of the other kind it makes the pending pole.

    A pole is strong when its wicks span ``min_pole_atr`` average true ranges (of the tip's candle); only a strong one
    may get a flag, and none is strong before the average is known.
    """
    candle = line["history"][k & (len(line["history"]) - 1)]
    turn = line["turns"][place(side)]
    turn["known"] = 1
    turn["index"] = k
    turn["time"] = candle["open_time"]
    turn["value"] = side * extreme_of(line["history"], k, source, side)
    turn["price"] = candle["high"] if side > 0 else candle["low"]
    turn["atr"] = candle["atr"]
    base = line["turns"][place(-side)]
    if base["known"] == 0:
        return
    pole = line["poles"][place(side)]
    if pole["pending"] == 1:
        write_pole(head, out, line, pole, EventKind.FLAG_SUPERSEDED.value, side)
    pole["pending"] = 1
    pole["consolidating"] = 0
    pole["base_index"] = base["index"]
    pole["base_time"] = base["time"]
    pole["base_value"] = base["value"]
    pole["base_price"] = base["price"]
    pole["tip_index"] = k
    pole["tip_time"] = turn["time"]
    pole["tip_value"] = turn["value"]
    pole["tip_price"] = turn["price"]
    pole["confirmed_at"] = line["confirmed_at"]
    length = side * (turn["price"] - base["price"])
    known = turn["atr"] > 0.0
    pole["strong"] = 1 if min_pole_atr <= 0.0 or (known and length >= min_pole_atr * turn["atr"]) else 0
    write_pole(head, out, line, pole, EventKind.FLAG_POLE.value, side)


@compiled
def update_poles(line: Record, p: Record, head: Record, out: Records) -> None:
    """Look at the close that the newest candle confirms as a turn, top before bottom."""
    order = p["order"]
    k = line["count"] - 1 - order
    if k - order < 0 or k < p["flag_first_index"]:
        return
    if is_pivot(line["history"], k, order, order, p["flag_ties"], p["flag_source"], 1):
        take_turn(line, k, p["flag_source"], p["min_pole_atr"], 1, head, out)
    if is_pivot(line["history"], k, order, order, p["flag_ties"], p["flag_source"], -1):
        take_turn(line, k, p["flag_source"], p["min_pole_atr"], -1, head, out)


@compiled
def deepest_retrace(line: Record, pole: Record, source: int, side: int) -> float:
    """Return how far the closes since the tip, without the newest, came back from it."""
    tip = pole["tip_index"]
    deepest = 0.0
    for k in range(tip, line["count"] - 1):
        deepest = max(deepest, side * (pole["tip_value"] - close_of(line["history"], k, source)))
    return deepest


@compiled
def flag_extreme(line: Record, pole: Record, side: int) -> float:
    """Return the lowest low (bull; bear: highest high) after the tip's candle, the newest candle included."""
    mask = len(line["history"]) - 1
    i = line["count"] - 1
    extreme = line["history"][i & mask]["low"] if side > 0 else line["history"][i & mask]["high"]
    for k in range(pole["tip_index"] + 1, i):
        if side > 0:
            extreme = min(extreme, line["history"][k & mask]["low"])
        else:
            extreme = max(extreme, line["history"][k & mask]["high"])
    return float(extreme)


@compiled
def lies_in_block(line: Record, price: float, side: int) -> bool:
    """Tell whether ``price`` lies in a live block of ``side`` on this interval."""
    if side > 0:
        return holds_price(line["bulls"], line["bull_count"], price)
    return holds_price(line["bears"], line["bear_count"], price)


@compiled
def write_breakout(
    line: Record,
    leading: Record,
    pole: Record,
    depth: float,
    lines: tuple[float, float, float, float],
    source: int,
    side: int,
    head: Record,
    out: Records,
) -> None:
    """Write the breakout with all that a plan needs. A flag is a pennant when the line on the far side converges."""
    mask = len(line["history"]) - 1
    i = line["count"] - 1
    resist, resist_at_tip, support, support_at_tip = lines
    n = write_pole(head, out, line, pole, EventKind.FLAG_BREAKOUT.value, side)
    row = out[n]
    width = i - pole["tip_index"]
    row["close"] = line["history"][i & mask]["close"]
    row["previous_close"] = line["history"][(i - 1) & mask]["close"]
    row["atr"] = line["history"][i & mask]["atr"]
    row["depth"] = depth
    row["retrace"] = depth / row["pole_height"] if row["pole_height"] > 0.0 else 0.0
    row["resist_slope"] = resist
    row["resist_intercept"] = resist_at_tip
    row["support_slope"] = support
    row["support_intercept"] = support_at_tip
    row["resist_start"] = price_of(resist_at_tip, source)
    row["resist_end"] = price_of(resist_at_tip + resist * width, source)
    row["support_start"] = price_of(support_at_tip, source)
    row["support_end"] = price_of(support_at_tip + support * width, source)
    converges = support > 0.0 if side > 0 else resist < 0.0
    row["shape"] = Shape.PENNANT.value if converges else Shape.FLAG.value
    extreme = flag_extreme(line, pole, side)
    row["extreme"] = extreme
    row["confluence"] = 1 if lies_in_block(line, extreme, side) or lies_in_block(leading, extreme, side) else 0


@compiled
def follow_flag(line: Record, leading: Record, p: Record, side: int, head: Record, out: Records) -> None:
    """Carry the pending pole of a side through the newest candle.

    Too wide: expired. Came back too far: failed. Otherwise it consolidates, and a close that makes progress beyond the
    line on the pole's side (drawn through the closes before it) is the breakout. ``leading`` is the higher interval,
    or the line itself without one.
    """
    pole = line["poles"][place(side)]
    if pole["pending"] == 0:
        return
    i = line["count"] - 1
    source = p["flag_source"]
    width = i - pole["tip_index"]
    height = side * (pole["tip_value"] - pole["base_value"])
    if width > p["max_width_ratio"] * (pole["tip_index"] - pole["base_index"]) or width > p["max_flag_bars"]:
        n = write_pole(head, out, line, pole, EventKind.FLAG_EXPIRED.value, side)
        out[n]["reason"] = Reason.FLAG_TOO_LONG.value
        pole["pending"] = 0
        return
    depth = deepest_retrace(line, pole, source, side)
    if depth > p["max_retrace"] * height:
        n = write_pole(head, out, line, pole, EventKind.FLAG_FAILED.value, side)
        out[n]["reason"] = Reason.RETRACED_TOO_DEEP.value
        pole["pending"] = 0
        return
    if pole["strong"] == 0:
        return
    if pole["consolidating"] == 0:
        pole["consolidating"] = 1
        write_pole(head, out, line, pole, EventKind.FLAG_CONSOLIDATING.value, side)
    if width < max(2, p["min_flag_bars"]):
        return
    newest = close_of(line["history"], i, source)
    if p["require_progress"] == 1 and side * newest <= side * close_of(line["history"], i - 1, source):
        return
    lines = fit(line["history"], pole["tip_index"], width, source, p["tol"])
    slope, at_tip = (lines[0], lines[1]) if side > 0 else (lines[2], lines[3])
    if side * newest > side * (at_tip + slope * (width + p["eval_offset"])):
        write_breakout(line, leading, pole, depth, lines, source, side, head, out)
        pole["pending"] = 0

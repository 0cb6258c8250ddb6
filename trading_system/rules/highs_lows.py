"""Decides which candles are swing highs and swing lows, and how each stands to the one before it.

A swing is known only ``right`` candles after its own; whether price later breaks it is for ``structure.py``.
"""

from __future__ import annotations

from trading_system.rules.compiled import compiled
from trading_system.rules.event_sheet import new_row, refer, swing_kind
from trading_system.rules.line import place
from trading_system.rules.records import Label, Record, Records, SameBar, Source, Ties


@compiled
def extreme_of(history: Records, k: int, source: int, side: int) -> float:
    """Return the price of candle ``k`` that a pivot compares, turned so that more extreme is greater on both sides."""
    candle = history[k & (len(history) - 1)]
    price: float = candle["high"] if side > 0 else candle["low"]
    if source == Source.LOG_CLOSE:
        price = candle["log_close"]
    if source == Source.CLOSE:
        price = candle["close"]
    return side * price


@compiled
def is_pivot(history: Records, k: int, left: int, right: int, ties: int, source: int, side: int) -> bool:
    """Tell whether candle ``k`` is a pivot high (side 1) or low (side -1) among ``left`` and ``right`` neighbours.

    Source: TradingView ta.pivothigh semantics with ties=LAST: an equal neighbour is allowed on the left only.
    """
    equal_left = ties in (Ties.LAST, Ties.ALL)
    equal_right = ties in (Ties.FIRST, Ties.ALL)
    extreme = extreme_of(history, k, source, side)
    for j in range(k + 1, k + right + 1):
        other = extreme_of(history, j, source, side)
        if other > extreme or (other == extreme and not equal_right):
            return False
    for j in range(k - left, k):
        other = extreme_of(history, j, source, side)
        if other > extreme or (other == extreme and not equal_left):
            return False
    return True


@compiled
def label_of(price: float, before: float, side: int) -> int:
    """Return how a swing of ``side`` at ``price`` stands to the one before it: HH, LH, EQH or HL, LL, EQL."""
    if price == before:
        return Label.EQH.value if side > 0 else Label.EQL.value
    if price > before:
        return Label.HH.value if side > 0 else Label.HL.value
    return Label.LH.value if side > 0 else Label.LL.value


@compiled
def take_pivot(line: Record, k: int, source: int, side: int, head: Record, out: Records) -> None:
    """Let pivot ``k`` continue the alternating list of swings.

    After a swing of the other kind (or as the first) it is a new swing; after one of its own kind it replaces that one
    if it is more extreme. Otherwise it is an inner pivot and no swing.
    """
    candle = line["history"][k & (len(line["history"]) - 1)]
    price = side * extreme_of(line["history"], k, source, side)
    latest = line["swings"][place(side)]
    extends = line["last_side"] == side
    if extends and side * price <= side * latest["price"]:
        return
    n = new_row(head, out, line, swing_kind(side), side, candle["open_time"])
    out[n]["price"] = price
    if extends:
        refer(out[n], swing_kind(side), side, latest["time"], latest["confirmed_at"])
    else:
        line["swings"][2 + place(side)] = line["swings"][place(side)]
    before = line["swings"][
        2 + place(side)
    ]  # a replaced swing is no longer in the list, so it is not what we compare to
    if before["known"] == 1:
        out[n]["label"] = label_of(price, before["price"], side)
    latest["known"] = 1
    latest["index"] = k
    latest["time"] = candle["open_time"]
    latest["confirmed_at"] = line["confirmed_at"]
    latest["crossed"] = 0
    latest["price"] = price
    line["last_side"] = side


@compiled
def update_swings(line: Record, p: Record, head: Record, out: Records) -> None:
    """Look at the candle that the newest one confirms, and write the swing events that follow.

    A candle that is both extends the latest swing first and then turns; before any swing the high comes first.
    """
    k = line["count"] - 1 - p["right"]
    if k - p["left"] < 0 or k < p["first_index"]:
        return
    high = is_pivot(line["history"], k, p["left"], p["right"], p["ties"], p["source"], 1)
    low = is_pivot(line["history"], k, p["left"], p["right"], p["ties"], p["source"], -1)
    if high and p["same_bar"] == SameBar.HIGH:
        low = False
    low_first = line["last_side"] < 0
    if low and low_first:
        take_pivot(line, k, p["source"], -1, head, out)
    if high:
        take_pivot(line, k, p["source"], 1, head, out)
    if low and not low_first:
        take_pivot(line, k, p["source"], -1, head, out)

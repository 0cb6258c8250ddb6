"""Decides when a close breaks the market's structure: a BOS with the trend, a CHoCH against it."""

from __future__ import annotations

from trading_system.rules.compiled import compiled
from trading_system.rules.event_sheet import new_row, refer, swing_kind
from trading_system.rules.line import place
from trading_system.rules.records import EventKind, Record, Records


@compiled
def breaks(line: Record, side: int) -> bool:
    """Tell whether the newest close lies beyond the latest swing of ``side``, for the first time.

    An equal close breaks nothing, a wick never does, and a swing that was crossed once is spent.
    """
    swing = line["swings"][place(side)]
    if swing["known"] == 0 or swing["crossed"] == 1:
        return False
    newest = line["history"][(line["count"] - 1) & (len(line["history"]) - 1)]
    return bool(side * newest["close"] > side * swing["price"])


@compiled
def take_break(line: Record, side: int, head: Record, out: Records) -> int:
    """Mark the latest swing of ``side`` as crossed, turn the trend and return the kind of break: BOS or CHOCH.

    It is a change of character only against an established trend; the first break of all is a BOS.
    """
    swing = line["swings"][place(side)]
    newest = line["history"][(line["count"] - 1) & (len(line["history"]) - 1)]
    kind = EventKind.CHOCH.value if line["trend"] == -side else EventKind.BOS.value
    swing["crossed"] = 1
    line["trend"] = side
    if line["leads"] == 1:
        head["bias"] = side
    n = new_row(head, out, line, kind, side, swing["time"])
    refer(out[n], swing_kind(side), side, swing["time"], swing["confirmed_at"])
    out[n]["price"] = swing["price"]
    out[n]["close"] = newest["close"]
    return kind

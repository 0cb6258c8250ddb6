"""Decides when a close breaks the market's structure: a BOS with the trend, a CHoCH against it."""

from __future__ import annotations

from trading_system.rules.compiled import compiled
from trading_system.rules.event_sheet import Sheet, new_row, refer, swing_kind
from trading_system.rules.line import Line, place
from trading_system.rules.records import EventKind


@compiled
def breaks(line: Line, side: int) -> bool:
    """Tell whether the newest close lies beyond the latest swing of ``side``, for the first time.

    An equal close breaks nothing, a wick never does, and a swing that was crossed once is spent.
    """
    swing = line.swings[place(side)]
    if swing["known"] == 0 or swing["crossed"] == 1:
        return False
    newest = line.history[(line.now[0]["count"] - 1) & (len(line.history) - 1)]
    return bool(side * newest["close"] > side * swing["price"])


@compiled
def take_break(line: Line, side: int, sheet: Sheet) -> int:
    """Mark the latest swing of ``side`` as crossed, turn the trend and return the kind of break: BOS or CHOCH.

    It is a change of character only against an established trend; the first break of all is a BOS.
    """
    swing = line.swings[place(side)]
    newest = line.history[(line.now[0]["count"] - 1) & (len(line.history) - 1)]
    kind = EventKind.CHOCH.value if line.now[0]["trend"] == -side else EventKind.BOS.value
    swing["crossed"] = 1
    line.now[0]["trend"] = side
    if line.now[0]["leads"] == 1:
        sheet.run[0]["bias"] = side
    n = new_row(sheet, line.now, kind, side, swing["time"])
    refer(sheet, n, swing_kind(side), side, swing["time"], swing["confirmed_at"])
    sheet.rows[n]["price"] = swing["price"]
    sheet.rows[n]["close"] = newest["close"]
    return kind

"""Decides where an order block forms when structure breaks, and how its life goes on with every later candle.

Whether a block is worth a trade is for ``trade_plan.py``; a block that price went through is called mitigated.
"""

from __future__ import annotations

from trading_system.rules.compiled import compiled
from trading_system.rules.event_sheet import new_row, refer, swing_kind
from trading_system.rules.line import place
from trading_system.rules.records import (
    BlockCandle,
    BlockState,
    EventKind,
    Mitigation,
    Reason,
    Record,
    Records,
    Ties,
    Zone,
)

_OPPOSITE_REACH = 10  # how far back the last opposite candle is looked for


@compiled
def block_candle(history: Records, after: int, newest: int, candle: int, tie: int, side: int) -> int:
    """Return the candle of the block: the lowest low (bull) strictly between swing ``after`` and break ``newest``.

    Of equal lows the one nearest to the break is taken (``tie`` FIRST: the farthest). ``candle`` LAST_OPPOSITE goes
    back from there to the last candle that closed against the impulse. Returns -1 if no candle lies between.
    """
    mask = len(history) - 1
    best = -1
    lowest = 0.0
    for b in range(newest - 1, after, -1):
        low = history[b & mask]["low"] if side > 0 else -history[b & mask]["high"]
        if best < 0 or low < lowest or (low == lowest and tie == Ties.FIRST):
            best = b
            lowest = low
    if candle == BlockCandle.LAST_OPPOSITE and best >= 0:
        for b in range(best, max(best - _OPPOSITE_REACH, -1), -1):
            if side * history[b & mask]["close"] < side * history[b & mask]["open"]:
                return b
    return best


@compiled
def zone_of(candle: Record, zone: int) -> tuple[float, float]:
    """Return (top, bottom) of a block: the whole candle or its body."""
    if zone == Zone.BODY:
        return max(candle["open"], candle["close"]), min(candle["open"], candle["close"])
    return candle["high"], candle["low"]


@compiled
def has_gap(history: Records, first: int, last: int, side: int) -> bool:
    """Tell whether three candles within ``first..last`` leave a fair value gap in the direction of ``side``."""
    mask = len(history) - 1
    for k in range(first + 2, last + 1):
        if side > 0 and history[k & mask]["low"] > history[(k - 2) & mask]["high"]:
            return True
        if side < 0 and history[k & mask]["high"] < history[(k - 2) & mask]["low"]:
            return True
    return False


@compiled
def strength_of(newest: float, middle: float, oldest: float) -> float:
    """Return how balanced the volume of the last three candles is, 0 to 100. Source: Volumized Order Blocks."""
    high = newest + middle
    greater = max(high, oldest)
    if greater == 0.0:
        return 100.0
    return min(high, oldest) / greater * 100.0


@compiled
def overlaps_live_block(blocks: Records, count: int, top: float, bottom: float) -> bool:
    """Tell whether a zone shares some height with a block that price has not gone through."""
    for n in range(count):
        block = blocks[n]
        if block["state"] != BlockState.MITIGATED and min(top, block["top"]) > max(bottom, block["bottom"]):
            return True
    return False


@compiled
def agrees_with(leading: Record, line: Record, top: float, bottom: float, side: int) -> bool:
    """Tell whether a zone overlaps a live block of its side on the higher interval, where there is one."""
    if leading["leads"] == 0 or line["leads"] == 1:
        return False
    if side > 0:
        return overlaps_live_block(leading["bulls"], leading["bull_count"], top, bottom)
    return overlaps_live_block(leading["bears"], leading["bear_count"], top, bottom)


@compiled
def holds_price(blocks: Records, count: int, price: float) -> bool:
    """Tell whether ``price`` lies inside a block (edges included) that price has not gone through."""
    for n in range(count):
        block = blocks[n]
        if block["state"] != BlockState.MITIGATED and block["bottom"] <= price <= block["top"]:
            return True
    return False


@compiled
def blocks_of(line: Record, side: int) -> int:
    """Return how many blocks of a side live."""
    count: int = line["bull_count"] if side > 0 else line["bear_count"]
    return count


@compiled
def set_blocks(line: Record, side: int, count: int) -> None:
    """Say how many blocks of a side live."""
    if side > 0:
        line["bull_count"] = count
    else:
        line["bear_count"] = count


@compiled
def write_life(head: Record, out: Records, line: Record, block: Record, kind: int, side: int) -> int:
    """Write an event of a block's later life, with its zone and the deepest penetration so far."""
    n = new_row(head, out, line, kind, side, block["time"])
    refer(out[n], EventKind.OB_FORMED.value, side, block["time"], block["confirmed_at"])
    out[n]["top"] = block["top"]
    out[n]["bottom"] = block["bottom"]
    out[n]["penetration"] = block["penetration"]
    return n


@compiled
def remove(blocks: Records, count: int, n: int) -> None:
    """Take block ``n`` out of ``count`` blocks; the younger ones move up and the free place is cleared."""
    for later in range(n, count - 1):
        blocks[later] = blocks[later + 1]
    blocks[count - 1]["state"] = 0
    blocks[count - 1]["formed"] = 0
    blocks[count - 1]["time"] = 0
    blocks[count - 1]["confirmed_at"] = 0
    blocks[count - 1]["top"] = 0.0
    blocks[count - 1]["bottom"] = 0.0
    blocks[count - 1]["penetration"] = 0.0


@compiled
def form_block(
    line: Record,
    leading: Record,
    p: Record,
    break_kind: int,
    side: int,
    head: Record,
    out: Records,
) -> None:
    """Form the block of a structure break at the newest close.

    leading: the higher interval's line, or the line itself where there is none. A size or displacement filter that is
    switched on refuses every block until the average true range is known.
    """
    history, mask = line["history"], len(line["history"]) - 1
    blocks = line["bulls"] if side > 0 else line["bears"]
    count = blocks_of(line, side)
    swing = line["swings"][place(side)]
    i = line["count"] - 1
    b = block_candle(history, max(swing["index"], i - p["max_age"]), i, p["candle"], p["tie"], side)
    if b < 0:
        return
    top, bottom = zone_of(history[b & mask], p["zone"])
    newest = history[i & mask]
    atr = newest["atr"]
    travelled = newest["close"] - bottom if side > 0 else top - newest["close"]
    if p["min_displacement_atr"] > 0.0 and (atr == 0.0 or travelled < p["min_displacement_atr"] * atr):
        return
    if p["max_size_atr"] > 0.0 and (atr == 0.0 or top - bottom > p["max_size_atr"] * atr):
        return
    n = new_row(head, out, line, EventKind.OB_FORMED.value, side, history[b & mask]["open_time"])
    refer(out[n], swing_kind(side), side, swing["time"], swing["confirmed_at"])
    row = out[n]
    volumes = newest["volume"], history[(i - 1) & mask]["volume"], history[(i - 2) & mask]["volume"]
    row["top"] = top
    row["bottom"] = bottom
    row["close"] = newest["close"]
    row["volume"] = volumes[0] + volumes[1] + volumes[2]
    row["strength"] = strength_of(volumes[0], volumes[1], volumes[2])
    row["atr"] = atr
    row["displacement"] = travelled / atr if atr > 0.0 else 0.0
    row["has_fvg"] = 1 if has_gap(history, b + 1, i - 1, side) else 0
    row["break_kind"] = break_kind
    row["confluence"] = 1 if agrees_with(leading, line, top, bottom, side) else 0
    block = blocks[count]
    block["state"] = BlockState.FORMED.value
    block["formed"] = i
    block["time"] = history[b & mask]["open_time"]
    block["confirmed_at"] = line["confirmed_at"]
    block["top"] = top
    block["bottom"] = bottom
    block["penetration"] = 0.0
    count += 1
    if count > p["max_active"]:
        n = write_life(head, out, line, blocks[0], EventKind.OB_EXPIRED.value, side)
        out[n]["reason"] = Reason.TOO_MANY.value
        remove(blocks, count, 0)
        count -= 1
    set_blocks(line, side, count)


@compiled
def touch(block: Record, candle: Record, side: int) -> bool:
    """Deepen the block's penetration and tell whether the candle's wick reached the zone."""
    near = block["top"] if side > 0 else block["bottom"]
    reach = candle["low"] if side > 0 else candle["high"]
    if side * reach > side * near:
        return False
    height = block["top"] - block["bottom"]
    depth = side * (near - reach) / height if height > 0.0 else 1.0
    block["penetration"] = max(block["penetration"], depth)
    return True


@compiled
def goes_through(block: Record, candle: Record, mitigation: int, side: int) -> bool:
    """Tell whether the candle lies beyond the far edge: its wick, its close, or its whole body."""
    far = block["bottom"] if side > 0 else block["top"]
    reach = candle["low"] if side > 0 else candle["high"]
    if mitigation == Mitigation.CLOSE:
        reach = candle["close"]
    if mitigation == Mitigation.BODY:
        reach = min(candle["open"], candle["close"]) if side > 0 else max(candle["open"], candle["close"])
    return bool(side * reach < side * far)


@compiled
def reclaims(block: Record, candle: Record, side: int) -> bool:
    """Tell whether the candle's wick lies beyond the near edge of a block that price had gone through."""
    return bool(candle["high"] > block["top"] if side > 0 else candle["low"] < block["bottom"])


@compiled
def live_on(line: Record, mitigation: int, side: int, head: Record, out: Records) -> None:
    """Let each block of a side meet the newest candle, oldest first.

    formed -> touched -> mitigated -> invalidated; one candle may touch and mitigate, only a later one invalidates.
    """
    candle = line["history"][(line["count"] - 1) & (len(line["history"]) - 1)]
    blocks = line["bulls"] if side > 0 else line["bears"]
    count = blocks_of(line, side)
    n = 0
    while n < count:
        block = blocks[n]
        if block["state"] == BlockState.MITIGATED:
            if reclaims(block, candle, side):
                write_life(head, out, line, block, EventKind.OB_INVALIDATED.value, side)
                remove(blocks, count, n)
                count -= 1
                continue
        elif touch(block, candle, side):
            if block["state"] == BlockState.FORMED:
                block["state"] = BlockState.TOUCHED.value
                write_life(head, out, line, block, EventKind.OB_TOUCHED.value, side)
            if goes_through(block, candle, mitigation, side):
                block["state"] = BlockState.MITIGATED.value
                write_life(head, out, line, block, EventKind.OB_MITIGATED.value, side)
        n += 1
    set_blocks(line, side, count)


@compiled
def expire(line: Record, max_age: int, side: int, head: Record, out: Records) -> None:
    """End the blocks that are ``max_age`` candles old, in whatever state."""
    i = line["count"] - 1
    blocks = line["bulls"] if side > 0 else line["bears"]
    count = blocks_of(line, side)
    while count > 0 and i - blocks[0]["formed"] >= max_age:
        n = write_life(head, out, line, blocks[0], EventKind.OB_EXPIRED.value, side)
        out[n]["reason"] = Reason.MAX_AGE.value
        remove(blocks, count, 0)
        count -= 1
    set_blocks(line, side, count)

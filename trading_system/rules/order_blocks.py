"""Decides where an order block forms when structure breaks, and how its life goes on with every later candle.

Whether a block is worth a trade is for ``trade_plan.py``; a block that price went through is called mitigated.
"""

from __future__ import annotations

from trading_system.rules.compiled import compiled
from trading_system.rules.event_sheet import Sheet, new_row, refer, swing_kind
from trading_system.rules.line import Line, place
from trading_system.rules.records import BlockCandle, BlockState, EventKind, Mitigation, Reason, Records, Ties, Zone

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
def zone_of(candle: Records, zone: int) -> tuple[float, float]:
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
def holds_price(blocks: Records, count: int, price: float) -> bool:
    """Tell whether ``price`` lies inside a block (edges included) that price has not gone through."""
    for n in range(count):
        block = blocks[n]
        if block["state"] != BlockState.MITIGATED and block["bottom"] <= price <= block["top"]:
            return True
    return False


@compiled
def write_life(sheet: Sheet, line: Line, block: Records, kind: int, side: int) -> int:
    """Write an event of a block's later life, with its zone and the deepest penetration so far."""
    n = new_row(sheet, line.now, kind, side, block["time"])
    refer(sheet, n, EventKind.OB_FORMED.value, side, block["time"], block["confirmed_at"])
    sheet.rows[n]["top"] = block["top"]
    sheet.rows[n]["bottom"] = block["bottom"]
    sheet.rows[n]["penetration"] = block["penetration"]
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
    line: Line,
    leading: Records,
    leading_count: int,
    break_kind: int,
    zone: int,
    candle: int,
    tie: int,
    max_age: int,
    max_active: int,
    min_displacement_atr: float,
    max_size_atr: float,
    side: int,
    sheet: Sheet,
) -> int:
    """Form the block of a structure break at the newest close and return how many blocks of its side now live.

    leading: the blocks of the same side of the higher interval. A size or displacement filter that is switched on
    refuses every block until the average true range is known.
    """
    history, mask = line.history, len(line.history) - 1
    blocks = line.bulls if side > 0 else line.bears
    count = line.now[0]["bulls"] if side > 0 else line.now[0]["bears"]
    swing = line.swings[place(side)]
    i = line.now[0]["count"] - 1
    b = block_candle(history, max(swing["index"], i - max_age), i, candle, tie, side)
    if b < 0:
        return count
    top, bottom = zone_of(history[b & mask], zone)
    newest = history[i & mask]
    atr = newest["atr"]
    travelled = newest["close"] - bottom if side > 0 else top - newest["close"]
    if min_displacement_atr > 0.0 and (atr == 0.0 or travelled < min_displacement_atr * atr):
        return count
    if max_size_atr > 0.0 and (atr == 0.0 or top - bottom > max_size_atr * atr):
        return count
    n = new_row(sheet, line.now, EventKind.OB_FORMED.value, side, history[b & mask]["open_time"])
    refer(sheet, n, swing_kind(side), side, swing["time"], swing["confirmed_at"])
    row = sheet.rows[n]
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
    row["confluence"] = 1 if overlaps_live_block(leading, leading_count, top, bottom) else 0
    block = blocks[count]
    block["state"] = BlockState.FORMED.value
    block["formed"] = i
    block["time"] = history[b & mask]["open_time"]
    block["confirmed_at"] = line.now[0]["confirmed_at"]
    block["top"] = top
    block["bottom"] = bottom
    block["penetration"] = 0.0
    count += 1
    if count > max_active:
        n = write_life(sheet, line, blocks[0], EventKind.OB_EXPIRED.value, side)
        sheet.rows[n]["reason"] = Reason.TOO_MANY.value
        remove(blocks, count, 0)
        count -= 1
    return count


@compiled
def touch(block: Records, candle: Records, side: int) -> bool:
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
def goes_through(block: Records, candle: Records, mitigation: int, side: int) -> bool:
    """Tell whether the candle lies beyond the far edge: its wick, its close, or its whole body."""
    far = block["bottom"] if side > 0 else block["top"]
    reach = candle["low"] if side > 0 else candle["high"]
    if mitigation == Mitigation.CLOSE:
        reach = candle["close"]
    if mitigation == Mitigation.BODY:
        reach = min(candle["open"], candle["close"]) if side > 0 else max(candle["open"], candle["close"])
    return bool(side * reach < side * far)


@compiled
def reclaims(block: Records, candle: Records, side: int) -> bool:
    """Tell whether the candle's wick lies beyond the near edge of a block that price had gone through."""
    return bool(candle["high"] > block["top"] if side > 0 else candle["low"] < block["bottom"])


@compiled
def live_on(line: Line, blocks: Records, count: int, mitigation: int, side: int, sheet: Sheet) -> int:
    """Let each block of a side meet the newest candle, oldest first, and return how many go on living.

    formed -> touched -> mitigated -> invalidated; one candle may touch and mitigate, only a later one invalidates.
    """
    candle = line.history[(line.now[0]["count"] - 1) & (len(line.history) - 1)]
    n = 0
    while n < count:
        block = blocks[n]
        if block["state"] == BlockState.MITIGATED:
            if reclaims(block, candle, side):
                write_life(sheet, line, block, EventKind.OB_INVALIDATED.value, side)
                remove(blocks, count, n)
                count -= 1
                continue
        elif touch(block, candle, side):
            if block["state"] == BlockState.FORMED:
                block["state"] = BlockState.TOUCHED.value
                write_life(sheet, line, block, EventKind.OB_TOUCHED.value, side)
            if goes_through(block, candle, mitigation, side):
                block["state"] = BlockState.MITIGATED.value
                write_life(sheet, line, block, EventKind.OB_MITIGATED.value, side)
        n += 1
    return count


@compiled
def expire(line: Line, blocks: Records, count: int, max_age: int, side: int, sheet: Sheet) -> int:
    """End the blocks that are ``max_age`` candles old, in whatever state, and return how many go on living."""
    i = line.now[0]["count"] - 1
    while count > 0 and i - blocks[0]["formed"] >= max_age:
        n = write_life(sheet, line, blocks[0], EventKind.OB_EXPIRED.value, side)
        sheet.rows[n]["reason"] = Reason.MAX_AGE.value
        remove(blocks, count, 0)
        count -= 1
    return count

"""All detectors of one symbol as one fold over its base candles: the only way from candles to events.

The order inside a step is fixed: the longest interval first; swings, life of the blocks, expiry, structure break and
new block, then flags. Texts and ids of the events are given by ``events.py``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trading_system.rules.compiled import compiled
from trading_system.rules.event_sheet import Sheet
from trading_system.rules.events import events_of
from trading_system.rules.flag_pattern import follow_flag, update_poles
from trading_system.rules.grid import Grid
from trading_system.rules.highs_lows import update_swings
from trading_system.rules.intervals import LongerCandles, fold, past_boundary, volume_of
from trading_system.rules.line import HEAD_WORDS, Line, line_at, line_words, state_words
from trading_system.rules.order_blocks import expire, form_block, live_on
from trading_system.rules.parameters import parameters
from trading_system.rules.records import CANDLE, EVENT, RUN, Records, Stage
from trading_system.rules.scan import next_touch
from trading_system.rules.structure import breaks, take_break

__all__ = ["CandleOrderError", "advance", "events_of", "new_out", "new_state", "origin", "parameters", "warm"]

ATR_LENGTH = 14

_FINE = 0
_OUT_OF_ORDER = 1


class CandleOrderError(ValueError):
    """A candle that is not the next step of its line."""


class RoomError(ValueError):
    """An array for events that is smaller than one step may need."""


@compiled
def remember(
    line: Line, open_time: int, o: float, high: float, low: float, close: float, volume: float, interval: int
) -> None:
    """Take a closed candle of the line's interval into its history, with Wilder's average true range (0: unknown)."""
    history, mask = line.history, len(line.history) - 1
    now = line.now[0]
    i = now["count"]
    spread = high - low
    if i > 0:
        before = history[(i - 1) & mask]["close"]
        spread = max(spread, abs(high - before), abs(low - before))
    if i < ATR_LENGTH:
        now["true_ranges"] += spread
        now["atr"] = now["true_ranges"] / ATR_LENGTH if i == ATR_LENGTH - 1 else 0.0
    else:
        now["atr"] = (now["atr"] * (ATR_LENGTH - 1) + spread) / ATR_LENGTH
    candle = history[i & mask]
    candle["open_time"] = open_time
    candle["open"] = o
    candle["high"] = high
    candle["low"] = low
    candle["close"] = close
    candle["volume"] = volume
    candle["log_close"] = math.log(close) if close > 0.0 else 0.0
    candle["atr"] = now["atr"]
    now["count"] = i + 1
    now["interval"] = interval
    now["confirmed_at"] = open_time + interval


@compiled
def detect(line: Line, leading: Line, p: Any, sheet: Sheet) -> None:
    """Run the detectors on the newest candle of a line; flags only where ``leading`` says that signals are made."""
    now = line.now[0]
    leads = now["leads"] == 1
    update_swings(line, p["left"], p["right"], p["ties"], p["source"], p["same_bar"], p["first_index"], sheet)
    if p["stage"] == Stage.SWINGS:
        return
    now["bulls"] = live_on(line, line.bulls, now["bulls"], p["mitigation"], 1, sheet)
    now["bears"] = live_on(line, line.bears, now["bears"], p["mitigation"], -1, sheet)
    now["bulls"] = expire(line, line.bulls, now["bulls"], p["max_age"], 1, sheet)
    now["bears"] = expire(line, line.bears, now["bears"], p["max_age"], -1, sheet)
    for side in (1, -1):
        if breaks(line, side):
            kind = take_break(line, side, sheet)
            above = leading.bulls if side > 0 else leading.bears
            count = leading.now[0]["bulls"] if side > 0 else leading.now[0]["bears"]
            if leads or leading.now[0]["leads"] == 0:
                count = 0  # without a higher interval there is nothing to agree with
            count = form_block(
                line,
                above,
                count,
                kind,
                p["zone"],
                p["candle"],
                p["tie"],
                p["max_age"],
                p["max_active"],
                p["min_displacement_atr"],
                p["max_size_atr"],
                side,
                sheet,
            )
            if side > 0:
                now["bulls"] = count
            else:
                now["bears"] = count
    if leads:
        return
    update_poles(line, p["order"], p["flag_ties"], p["flag_first_index"], p["flag_source"], p["min_pole_atr"], sheet)
    for side in (-1, 1):
        follow_flag(
            line,
            leading,
            p["flag_source"],
            p["max_width_ratio"],
            p["max_flag_bars"],
            p["max_retrace"],
            p["min_flag_bars"],
            p["require_progress"],
            p["eval_offset"],
            p["tol"],
            side,
            sheet,
        )


@compiled
def take_step(line: Line, leading: Line, candle: Any, interval: int, p: Any, sheet: Sheet) -> None:
    """Give one base candle to a line: straight, or through its bucket, and to the detectors when a candle closes."""
    if interval == p["base"]:
        if candle["gap"] == 0:
            remember(
                line,
                candle["open_time"],
                candle["open"],
                candle["high"],
                candle["low"],
                candle["close"],
                candle["volume"],
                interval,
            )
            detect(line, leading, p, sheet)
        return
    if fold(line.bucket, candle, p["base"], interval, p["step_num"], p["step_den"]):
        bucket = line.bucket[0]
        remember(
            line,
            bucket["open_time"],
            bucket["open"],
            bucket["high"],
            bucket["low"],
            bucket["close"],
            volume_of(line.bucket, p["step_num"], p["step_den"]),
            interval,
        )
        detect(line, leading, p, sheet)


@compiled
def advance_compiled(state: Records, params: Records, candles: Records, out: Records) -> tuple[int, int, int]:
    """Fold candles until they end, the room for events does, or one is out of order: (consumed, produced, fault)."""
    p = params[0]
    run = state[0:HEAD_WORDS].view(RUN)
    size = line_words(p["max_active"], p["history"])
    signal = line_at(state, HEAD_WORDS, p["max_active"], p["history"])
    leading = signal
    if p["higher"] > 0:
        leading = line_at(state, HEAD_WORDS + size, p["max_active"], p["history"])
        leading.now[0]["leads"] = 1
    sheet = Sheet(out, out.view(np.int64), run)
    run[0]["written"] = 0
    consumed = 0
    fault = _FINE
    for n in range(len(candles)):
        if len(out) - run[0]["written"] < p["most_events"]:
            break
        candle = candles[n]
        time = candle["open_time"]
        if run[0]["begun"] == 0:
            if past_boundary(time, p["longest"]) != 0:
                consumed += 1
                continue
            run[0]["begun"] = 1
            run[0]["origin"] = time
            run[0]["expected"] = time
        if time == run[0]["expected"] - p["base"] and time >= run[0]["origin"]:
            consumed += 1  # the first candle of a step is the line's truth, a repeated one says nothing
            continue
        if time != run[0]["expected"]:
            fault = _OUT_OF_ORDER
            break
        run[0]["expected"] = time + p["base"]
        if p["higher"] > 0:
            take_step(leading, leading, candle, p["higher"], p, sheet)
        take_step(signal, leading, candle, p["signal"], p, sheet)
        consumed += 1
    produced = run[0]["written"]
    run[0]["written"] = 0
    return consumed, produced, fault


def new_state(params: Records) -> Records:
    """Return the zero state, int64[n], of a line that has not begun; its size follows from ``params`` alone."""
    p = params[0]
    return state_words(2 if p["higher"] > 0 else 1, int(p["max_active"]), int(p["history"]))


def new_out(params: Records, room: int = 0) -> Records:
    """Return EVENT[n] with room for the events of at least one step, and for ``room`` events."""
    return np.zeros(max(int(params[0]["most_events"]), room), EVENT)


def origin(state: Records) -> int | None:
    """Return where the line began (ms UTC): its first boundary of the longest interval; None before that."""
    run = state[:HEAD_WORDS].view(RUN)[0]
    return int(run["origin"]) if run["begun"] else None


def advance(state: Records, params: Records, candles: Records, out: Records) -> tuple[int, int]:
    """Fold ``candles`` into ``state`` in place, write events to ``out`` and return (consumed, produced).

    state, params: as made by ``new_state`` and ``parameters``. candles: CANDLE[n] of the base interval, one per step,
    missing minutes as gaps; those before the origin are dropped, a repeated one is ignored. out: EVENT[m] as made by
    ``new_out``; the fold stops before it could overflow, so call again with the rest until all are consumed.
    Raises: CandleOrderError when a candle is not the next step (the ones before it are folded), RoomError when ``out``
    is too small for one step.
    """
    if len(out) < params[0]["most_events"]:
        raise RoomError(f"expected room for {params[0]['most_events']} events, was {len(out)}; use new_out(params)")
    consumed, produced, fault = advance_compiled(state, params, candles, out)
    if fault == _OUT_OF_ORDER:
        expected = int(state[:HEAD_WORDS].view(RUN)[0]["expected"])
        raise CandleOrderError(
            f"expected the candle of {expected} ms, was {int(candles[consumed]['open_time'])} ms; "
            "sort the candles and give minutes without prices as gap candles"
        )
    return int(consumed), int(produced)


def warm() -> None:
    """Compile, or load from the cache, all that a line needs, so that no account ever waits for a compiler."""
    params = parameters(step=Grid(1, 1))
    candles = np.zeros(1, CANDLE)
    advance(new_state(params), params, candles, new_out(params))
    LongerCandles(60_000, [900_000], Grid(1, 1)).step(candles[0])
    next_touch(candles, 0, 1, 0.0, 1.0)

"""All detectors of one symbol as one fold over its base candles: the only way from candles to events.

The order inside a step is fixed: the longest interval first; swings, life of the blocks, expiry, structure break and
new block, then flags. Texts and ids of the events are given by ``events.py``.
"""

from __future__ import annotations

import math

import numpy as np

from trading_system.rules.compiled import compiled
from trading_system.rules.events import events_of
from trading_system.rules.flag_pattern import follow_flag, update_poles
from trading_system.rules.grid import Grid
from trading_system.rules.highs_lows import update_swings
from trading_system.rules.intervals import LongerCandles, fold, past_boundary, volume_of
from trading_system.rules.line import state_record
from trading_system.rules.order_blocks import expire, form_block, live_on
from trading_system.rules.parameters import parameters
from trading_system.rules.records import CANDLE, EVENT, Record, Records, Stage
from trading_system.rules.scan import next_touch
from trading_system.rules.structure import breaks, take_break

__all__ = [
    "CandleOrderError",
    "advance",
    "events_of",
    "new_out",
    "new_state",
    "origin",
    "parameters",
    "state_of",
    "warm",
]

ATR_LENGTH = 14

_FINE = 0
_OUT_OF_ORDER = 1


class CandleOrderError(ValueError):
    """A candle that is not the next step of its line."""


class RoomError(ValueError):
    """An array for events that is smaller than one step may need."""


@compiled
def remember(line: Record, candle: Record, volume: float, interval: int) -> None:
    """Take a closed candle of the line's interval into its history, with Wilder's average true range (0: unknown)."""
    history, mask = line["history"], len(line["history"]) - 1
    i = line["count"]
    spread = candle["high"] - candle["low"]
    if i > 0:
        before = history[(i - 1) & mask]["close"]
        spread = max(spread, abs(candle["high"] - before), abs(candle["low"] - before))
    if i < ATR_LENGTH:
        line["true_ranges"] += spread
        line["atr"] = line["true_ranges"] / ATR_LENGTH if i == ATR_LENGTH - 1 else 0.0
    else:
        line["atr"] = (line["atr"] * (ATR_LENGTH - 1) + spread) / ATR_LENGTH
    newest = history[i & mask]
    newest["open_time"] = candle["open_time"]
    newest["open"] = candle["open"]
    newest["high"] = candle["high"]
    newest["low"] = candle["low"]
    newest["close"] = candle["close"]
    newest["volume"] = volume
    newest["log_close"] = math.log(candle["close"]) if candle["close"] > 0.0 else 0.0
    newest["atr"] = line["atr"]
    line["count"] = i + 1
    line["interval"] = interval
    line["confirmed_at"] = candle["open_time"] + interval


@compiled
def detect(line: Record, leading: Record, p: Record, head: Record, out: Records) -> None:
    """Run the detectors on the newest candle of a line; the higher interval has no flags."""
    update_swings(line, p, head, out)
    if p["stage"] == Stage.SWINGS:
        return
    for side in (1, -1):
        live_on(line, p["mitigation"], side, head, out)
    for side in (1, -1):
        expire(line, p["max_age"], side, head, out)
    for side in (1, -1):
        if breaks(line, side):
            form_block(line, leading, p, take_break(line, side, head, out), side, head, out)
    if line["leads"] == 1:
        return
    update_poles(line, p, head, out)
    for side in (-1, 1):
        follow_flag(line, leading, p, side, head, out)


@compiled
def take_step(
    line: Record, leading: Record, candle: Record, interval: int, p: Record, head: Record, out: Records
) -> None:
    """Give one base candle to a line: straight, or through its bucket, and to the detectors when a candle closes."""
    if interval == p["base"]:
        if candle["gap"] == 1:
            return
        remember(line, candle, candle["volume"], interval)
    else:
        bucket = line["bucket"]
        if not fold(bucket, candle, p["base"], interval, p["step_num"], p["step_den"]):
            return
        remember(line, bucket, volume_of(bucket, p["step_num"], p["step_den"]), interval)
    detect(line, leading, p, head, out)


@compiled
def advance_compiled(state: Records, params: Records, candles: Records, out: Records) -> tuple[int, int, int]:
    """Fold candles until they end, the room for events does, or one is out of order: (consumed, produced, fault)."""
    p = params[0]
    head, signal, higher = state[0]["head"], state[0]["signal"], state[0]["higher"]
    leading = signal
    if p["higher"] > 0:
        leading = higher
        higher["leads"] = 1
    consumed = 0
    fault = _FINE
    for n in range(len(candles)):
        if len(out) - head["written"] < p["most_events"]:
            break
        candle = candles[n]
        time = candle["open_time"]
        if head["begun"] == 0:
            if past_boundary(time, p["longest"]) != 0:
                consumed += 1
                continue
            head["begun"] = 1
            head["origin"] = time
            head["expected"] = time
        if time == head["expected"] - p["base"] and time >= head["origin"]:
            consumed += 1  # the first candle of a step is the line's truth, a repeated one says nothing
            continue
        if time != head["expected"]:
            fault = _OUT_OF_ORDER
            break
        head["expected"] = time + p["base"]
        if p["higher"] > 0:
            take_step(higher, higher, candle, p["higher"], p, head, out)
        take_step(signal, leading, candle, p["signal"], p, head, out)
        consumed += 1
    produced = head["written"]
    head["written"] = 0
    return consumed, produced, fault


def new_state(params: Records) -> Records:
    """Return the zero state, one record in an array, of a line that has not begun.

    ``state.tobytes()`` is a snapshot; ``state_of(params, snapshot)`` brings it back.
    """
    return np.zeros(1, state_record(int(params[0]["blocks"]), int(params[0]["history"])))


def state_of(params: Records, snapshot: bytes) -> Records:
    """Return the state that ``snapshot`` holds. Raises: RoomError when it was made with parameters of other sizes."""
    state = new_state(params)
    if len(snapshot) != state.nbytes:
        raise RoomError(f"expected a snapshot of {state.nbytes} bytes, was {len(snapshot)}; replay from the origin")
    return np.frombuffer(snapshot, state.dtype).copy()


def new_out(params: Records, room: int = 0) -> Records:
    """Return EVENT[n] with room for the events of at least one step, and for ``room`` events."""
    return np.zeros(max(int(params[0]["most_events"]), room), EVENT)


def origin(state: Records) -> int | None:
    """Return where the line began (ms UTC): its first boundary of the longest interval; None before that."""
    head = state[0]["head"]
    return int(head["origin"]) if head["begun"] else None


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
        expected = int(state[0]["head"]["expected"])
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
    LongerCandles(60_000, [900_000], Grid(1, 1)).step(candles)
    next_touch(candles, 0, 1, 0.0, 1.0)

"""The rules' values as the words of ``contracts``, and back: what leaves a room says exactly what the fold said."""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np

from trading_system.contracts import (
    CandleDTO,
    EventDTO,
    HighLowDTO,
    RejectionDTO,
    TradeSignalDTO,
    from_ms,
    to_ms,
)
from trading_system.rules.events import Event
from trading_system.rules.interval_table import interval_name
from trading_system.rules.records import CANDLE, Records
from trading_system.rules.risk import REJECTIONS, Rejection
from trading_system.rules.signals import SIGNAL_REFUSALS
from trading_system.rules.trade_plan import Plan, Refusal, Target

_PACKED = Struct("=qdddddq")  # as CANDLE lies in memory
_SIDE_OF = {"long": 1, "short": -1}


def candle_dto(candle: Any, exchange: str, symbol: str, interval: int) -> CandleDTO:
    """Return a closed candle (a CANDLE record, ``interval`` in ms) as a message."""
    open_time, open_, high, low, close, volume, _ = candle.item()
    return {
        "symbol": symbol,
        "open_time": from_ms(open_time),
        "open": open_,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "interval": interval_name(interval),
        "exchange": exchange,
        "closed": True,
    }


def candle_record(candle: CandleDTO) -> Records:
    """Return a message's candle as CANDLE[1]. Raises: KeyError when it has no volume."""
    prices = (candle["open"], candle["high"], candle["low"], candle["close"])
    return _record(to_ms(candle["open_time"]), *prices, candle["volume"], 0)


def gap_record(open_time: int) -> Records:
    """Return the record of a minute that the exchange does not have."""
    return _record(open_time, 0.0, 0.0, 0.0, 0.0, 0.0, 1)


def _record(*values: float) -> Records:
    # a quarter of the time that numpy takes to fill a record field by field
    return np.ndarray(1, CANDLE, bytearray(_PACKED.pack(*values)))


def high_low_dto(event: Event) -> HighLowDTO:
    """Return a swing event as a message."""
    word: HighLowDTO = {
        "id": event.id,
        "exchange": event.exchange,
        "symbol": event.symbol,
        "interval": event.interval,
        "kind": "high" if event.direction > 0 else "low",
        "price": float(event.values["price"]),
        "time": from_ms(event.time),
        "confirmed_at": from_ms(event.confirmed_at),
        "label": str(event.values["label"]),
    }
    if event.replaces is not None:
        word["replaces"] = event.replaces
    return word


def swing_of(word: HighLowDTO) -> Event:
    """Return the swing event that a message states."""
    return Event(
        id=word["id"],
        kind=f"swing_{word['kind']}",
        exchange=word["exchange"],
        symbol=word["symbol"],
        interval=word["interval"],
        direction=1 if word["kind"] == "high" else -1,
        time=to_ms(word["time"]),
        confirmed_at=to_ms(word["confirmed_at"]),
        ref=None,
        replaces=word.get("replaces"),
        values={"price": word["price"], "label": word["label"]},
    )


def event_dto(event: Event) -> EventDTO:
    """Return any event as a message."""
    word: EventDTO = {
        "id": event.id,
        "kind": event.kind,
        "exchange": event.exchange,
        "symbol": event.symbol,
        "interval": event.interval,
        "direction": 1 if event.direction > 0 else -1,
        "time": from_ms(event.time),
        "confirmed_at": from_ms(event.confirmed_at),
        "values": dict(event.values),
    }
    if event.ref is not None:
        word["ref"] = event.ref
    if event.replaces is not None:
        word["replaces"] = event.replaces
    return word


def event_of(word: EventDTO) -> Event:
    """Return the event that a message states."""
    return Event(
        id=word["id"],
        kind=word["kind"],
        exchange=word["exchange"],
        symbol=word["symbol"],
        interval=word["interval"],
        direction=word["direction"],
        time=to_ms(word["time"]),
        confirmed_at=to_ms(word["confirmed_at"]),
        ref=word.get("ref"),
        replaces=word.get("replaces"),
        values=word["values"],
    )


def signal_dto(plan: Plan) -> TradeSignalDTO:
    """Return a plan as the signal that other services hear."""
    return {
        "id": plan.id,
        "exchange": plan.exchange,
        "symbol": plan.symbol,
        "interval": plan.interval,
        "pattern": plan.pattern,
        "side": "long" if plan.side > 0 else "short",
        "time": from_ms(plan.time),
        "confirmed_at": from_ms(plan.confirmed_at),
        "entry_type": plan.entry_type,
        "entry_price": plan.entry,
        "stop_loss": plan.stop,
        "take_profits": [{"price": target.price, "weight": target.weight} for target in plan.targets],
        "rr_net": plan.rr_net,
        "score": float(plan.score),
        "reasons": list(plan.reasons),
        "expires_at": from_ms(plan.expires_at),
        "atr": plan.atr,
        "time_stop": plan.time_stop / 1000,
        "zone": plan.zone,
    }


def plan_of_signal(word: TradeSignalDTO) -> Plan:
    """Return the plan that a signal states. Raises: KeyError when it lacks what only a plan of ours says."""
    return Plan(
        id=word["id"],
        exchange=word["exchange"],
        symbol=word["symbol"],
        interval=word["interval"],
        pattern="order_block" if word["pattern"] == "order_block" else "flag",
        side=_SIDE_OF[word["side"]],
        time=to_ms(word["time"]),
        confirmed_at=to_ms(word["confirmed_at"]),
        entry_type="limit" if word["entry_type"] == "limit" else "market",
        entry=word["entry_price"],
        stop=word["stop_loss"],
        targets=tuple(Target(target["price"], target["weight"]) for target in word["take_profits"]),
        atr=word["atr"],
        rr_net=word["rr_net"],
        score=int(word["score"]),
        reasons=tuple(word["reasons"]),
        expires_at=to_ms(word["expires_at"]),
        time_stop=round(word["time_stop"] * 1000),
        zone=word["zone"],
    )


def refusal_dto(refusal: Refusal) -> RejectionDTO:
    """Return a refused candidate as a message."""
    return {
        "exchange": refusal.exchange,
        "symbol": refusal.symbol,
        "rule": refusal.rule,
        "confirmed_at": from_ms(refusal.confirmed_at),
        "numbers": dict(refusal.numbers),
        "interval": refusal.interval,
        "pattern": refusal.pattern,
        "side": "long" if refusal.side > 0 else "short",
        "event": refusal.event,
        "sentence": SIGNAL_REFUSALS[refusal.rule],
    }


def rejection_dto(rejection: Rejection) -> RejectionDTO:
    """Return a signal that the account refused as a message."""
    plan = rejection.plan
    return {
        "exchange": plan.exchange,
        "symbol": plan.symbol,
        "rule": rejection.rule,
        "confirmed_at": from_ms(plan.confirmed_at),
        "numbers": dict(rejection.numbers),
        "interval": plan.interval,
        "pattern": plan.pattern,
        "side": "long" if plan.side > 0 else "short",
        "signal_id": plan.id,
        "sentence": REJECTIONS[rejection.rule],
    }

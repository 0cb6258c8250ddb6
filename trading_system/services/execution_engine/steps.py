"""What one step brings to the account, and whether the account is another afterwards."""

from __future__ import annotations

from trading_system.contracts import StepDTO, to_ms
from trading_system.rules.account import Account, SymbolStep
from trading_system.rules.matching import MINUTE_MS, Minute
from trading_system.rules.signals import ZONE_ENDS
from trading_system.rules.words import plan_of_signal
from trading_system.services.room import StepInput


def same_but_prices(one: Account, other: Account) -> bool:
    """Tell whether two accounts differ in nothing but the last prices, which the candles tell as well."""
    if one[:-1] != other[:-1]:
        return False
    return all(a[:-1] == b[:-1] for a, b in zip(one.slots, other.slots, strict=True))


def step_close(time: int) -> int:
    """Return the close of the minute in which ``time`` lies."""
    return (time // MINUTE_MS + 1) * MINUTE_MS


def minute_of(said: StepInput) -> Minute:
    """Return the minute of a step as the trading half walks it."""
    candle = said.minute
    if candle is None:
        return Minute((said.step - 1) * MINUTE_MS, 0.0, 0.0, 0.0, 0.0, True)
    return Minute(to_ms(candle["open_time"]), candle["open"], candle["high"], candle["low"], candle["close"])


def symbol_step(said: StepInput, word: StepDTO | None, interval: str) -> SymbolStep:
    """Return what the strategy said of one step as the account reads it; setups live on the signal ``interval``."""
    minute = minute_of(said)
    if word is None or not word.get("events"):
        return SymbolStep(minute)
    plans = tuple(plan_of_signal(signal) for signal in word.get("signals", ()))
    events = [event for event in word["events"] if event["interval"] == interval]
    ended = frozenset(event["ref"] for event in events if event["kind"] in ZONE_ENDS and "ref" in event)
    turns = [event["direction"] for event in events if event["kind"] == "choch"]
    return SymbolStep(minute, plans, ended, turns[-1] if turns else 0)

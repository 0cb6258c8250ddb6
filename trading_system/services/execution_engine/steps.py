"""What one step brings to the account, and whether the account is another afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from trading_system.contracts import StepDTO, to_candle, to_ms, to_step
from trading_system.rules.account import Account, Slot, SymbolStep
from trading_system.rules.matching import MINUTE_MS, Minute
from trading_system.rules.roster import Roster
from trading_system.rules.signals import ZONE_ENDS
from trading_system.rules.words import plan_of_signal
from trading_system.services.room import CANDLES, StepInput
from trading_system.store.port import Store, Stream

PRICE_LOOKBACK = 1_440  # steps; a symbol without a price for a day keeps the snapshot's


def same_but_prices(one: Account, other: Account) -> bool:
    """Tell whether two accounts differ in nothing but the last prices, which the candles tell as well."""
    if len(one.slots) != len(other.slots) or one._replace(slots=()) != other._replace(slots=()):
        return False
    return all(a == b._replace(close=a.close) for a, b in zip(one.slots, other.slots, strict=True))


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


async def stored_word(store: Store, stream: Stream, step: int) -> StepDTO | None:
    """Return the strategy's row of a step: a signal counts as far as it is stored, whatever a bell claims."""
    rows = await store.read(stream, step - 1, step)
    return to_step(rows[0].payload) if rows else None


async def with_last_prices(store: Store, roster: Roster, slots: Sequence[Slot], step: int) -> tuple[Slot, ...]:
    """Return the slots with their last price as of ``step``; the snapshot itself need not be that new.

    What came too late for the account is no price that it has seen.
    """
    priced = list(slots)
    for place, one in enumerate(roster.instruments):
        member = roster.members[one.symbol]
        for row in await store.read(Stream(CANDLES, one.exchange, one.symbol), step - PRICE_LOOKBACK, step):
            candle = to_candle(row.payload)
            if candle.get("interval") == "1m" and not member.at(row.step).is_unseen:
                priced[place] = priced[place]._replace(close=candle["close"])
    return tuple(priced)

"""Which events become signals: a plan for each order block and flag of the signal interval, or a refusal with numbers.

Signals depend on candles alone. No equity, position or fill is read here, so they are the same under any fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trading_system.rules.events import Event
from trading_system.rules.grid import Instrument
from trading_system.rules.trade_plan import PLAN_REFUSALS, Plan, PlanRules, Refusal, plan_of

SETUPS: Mapping[str, str] = {"ob_formed": "order_block", "flag_breakout": "flag"}
ZONE_ENDS = frozenset({"ob_mitigated", "ob_expired"})
SIGNAL_REFUSALS: Mapping[str, str] = {
    **PLAN_REFUSALS,
    "warm_up": "the line has seen too few candles since its origin",
    "setup_off": "this setup is switched off in the settings",
}


class SignalRules(NamedTuple):
    """Which setups trade, from when on, and how their plans are made."""

    plans: PlanRules
    signal_interval: str
    interval_ms: int
    origin: int
    warm_up_candles: int = 500
    setups: tuple[str, ...] = ("order_block", "flag")

    @property
    def first_signal(self) -> int:
        """The first instant (ms UTC) at which a signal may be given."""
        return self.origin + self.warm_up_candles * self.interval_ms


class Judged(NamedTuple):
    """What the events of one instant mean for trading on this symbol."""

    plans: tuple[Plan, ...]
    refusals: tuple[Refusal, ...]
    ended: frozenset[str]  # ids of order blocks that are over
    turned: int  # direction of a change of character on the signal interval, else 0


NOTHING = Judged((), (), frozenset(), 0)


def judge(events: Iterable[Event], instrument: Instrument, rules: SignalRules) -> Judged:
    """Judge the events of one instant of one symbol, in their order."""
    plans: list[Plan] = []
    refusals: list[Refusal] = []
    ended: set[str] = set()
    turned = 0
    for event in events:
        if event.interval != rules.signal_interval:
            continue
        if event.kind in ZONE_ENDS and event.ref is not None:
            ended.add(event.ref)
        elif event.kind == "choch":
            turned = event.direction
        elif event.kind in SETUPS:
            verdict = _verdict(event, instrument, rules)
            if isinstance(verdict, Plan):
                plans.append(verdict)
            elif verdict is not None:
                refusals.append(verdict)
    return Judged(tuple(plans), tuple(refusals), frozenset(ended), turned)


def _verdict(event: Event, instrument: Instrument, rules: SignalRules) -> Plan | Refusal | None:
    if SETUPS[event.kind] not in rules.setups:
        return _refusal("setup_off", event)
    if event.confirmed_at <= rules.first_signal:
        return _refusal("warm_up", event)
    return plan_of(event, instrument, rules.plans, rules.interval_ms)


def _refusal(rule: str, event: Event) -> Refusal:
    pattern = SETUPS[event.kind]
    return Refusal(
        rule,
        event.exchange,
        event.symbol,
        event.interval,
        pattern,
        event.direction,
        event.confirmed_at,
        event.id,
        {},
    )

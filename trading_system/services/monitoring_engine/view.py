"""What the monitoring engine knows at one moment: a frozen picture, from which alerts and metrics are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from trading_system.contracts import HealthDTO
from trading_system.rules.account import Account
from trading_system.rules.facts import Closed, Fact, Fill, Funded, Halted, Placed, Withdrawn
from trading_system.rules.holdings import Holding
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.risk import Rejection


class Tallies:
    """Counts over all stored facts of the account, by kind and label; it only grows."""

    def __init__(self) -> None:
        self.orders: Counter[str] = Counter()
        self.fills: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.withdrawn: Counter[str] = Counter()
        self.halted: Counter[str] = Counter()
        self.earned = 0.0
        self.fees = 0.0
        self.funding = 0.0

    def add(self, facts: Iterable[Fact]) -> None:
        """Count ``facts``."""
        for fact in facts:
            if isinstance(fact, Placed):
                self.orders[fact.order.role.name.lower()] += 1
            elif isinstance(fact, Fill):
                self.fills[fact.role.name.lower()] += 1
                self.fees += fact.fee
            elif isinstance(fact, Closed):
                self.closed[fact.reason] += 1
                self.earned += fact.earned
            elif isinstance(fact, Rejection):
                self.refused[fact.rule] += 1
            elif isinstance(fact, Withdrawn):
                self.withdrawn[fact.rule] += 1
            elif isinstance(fact, Halted):
                self.halted[fact.rule] += 1
            elif isinstance(fact, Funded):
                self.funding += fact.paid


class View(NamedTuple):
    """What is known at ``time`` (ms UTC of this machine). What could not be had is None, never a guess.

    ``watched_s``: for how long the line has been watched. ``venue_ms``: the venue's time, None in lockstep. ``heads``:
    the last stored step of each symbol's candles. ``lags``: by how many steps each service is behind the feed.
    ``bare``: symbols whose stop the venue does not have, by execution's word. ``equity``: at the last stored closes.
    ``nonsense``: who got messages within the last minute that were none of ours, and how many so far.
    """

    time: int
    watched_s: float
    venue_ms: int | None
    expected: tuple[str, ...]
    health: Mapping[str, HealthDTO]
    heads: Mapping[str, int | None]
    lags: Mapping[str, int]
    step: int | None
    account: Account | None
    held: tuple[Holding, ...]
    equity: float | None
    bare: frozenset[str]
    bus_away: bool
    nonsense: Mapping[str, int]
    free_disk_bytes: int | None
    clock_off_ms: int | None

    @property
    def open_positions(self) -> list[Holding]:
        """What is held, without the entries that wait."""
        return [one for one in self.held if not one.waiting]

    def protected(self, one: Holding) -> bool:
        """Tell whether a stop covers the whole of an open position, by the account and at the venue."""
        return one.covered and one.symbol not in self.bare

    @property
    def unseen(self) -> list[str]:
        """The symbols without whose minutes the account goes on, by execution's newest heartbeat."""
        health = self.health.get("execution_engine")
        return [] if health is None else str(health.get("progress", {}).get("unseen", "")).split()

    def candle_age_s(self, symbol: str) -> float | None:
        """Return for how long by the venue's time no minute of ``symbol`` has closed here, in seconds."""
        head = self.heads.get(symbol)
        return None if head is None or self.venue_ms is None else max(self.venue_ms - head * MINUTE_MS, 0) / 1000

    def execution_number(self, name: str) -> float | int | None:
        """Return a number out of execution's newest heartbeat, None without one."""
        health = self.health.get("execution_engine")
        value = None if health is None else health.get("progress", {}).get(name)
        return None if value is None or isinstance(value, str) else value

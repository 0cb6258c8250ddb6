"""A backtest: detection over the whole series, then the account stepped through the minutes in which something can be.

It is the same fold and the same ``step`` that the live line runs; only the minutes in which nothing can happen are
jumped over, which by the first law changes nothing.
"""

from __future__ import annotations

import bisect
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from trading_system.research.detect import detect
from trading_system.rules.account import DAY_MS, Account, Instant, Slot, SymbolStep, Terms, new_account, step
from trading_system.rules.events import Event
from trading_system.rules.facts import Fact
from trading_system.rules.grid import Instrument
from trading_system.rules.intervals import interval_ms, interval_name
from trading_system.rules.matching import MINUTE_MS, Minute, meets_falling
from trading_system.rules.roster import Member, Place
from trading_system.rules.scan import next_touch
from trading_system.rules.signals import NOTHING, Judged, SignalRules, judge
from trading_system.rules.trade import liquidation_price
from trading_system.rules.trade_plan import Refusal

NEVER = np.iinfo(np.int64).max
Minutes = Generator[int, Account | None, None]


@dataclass(frozen=True, eq=False)
class Series:
    """One symbol's candles from the common origin on: CANDLE[n], every minute present, absent ones as GAP."""

    instrument: Instrument
    candles: npt.NDArray[Any]
    funding: Mapping[int, float] = field(default_factory=dict)  # rate by the instant at which it is due
    member: Member | None = None  # on a line whose symbols changed: its history, and the steps of its stays

    @property
    def own(self) -> npt.NDArray[Any]:
        """The minutes of its history: without those before its origin and after its last stay."""
        if self.member is None:
            return self.candles
        before = int(self.candles["open_time"][0]) // MINUTE_MS
        end = self.member.end(before + len(self.candles))
        return self.candles[self.member.origin - before : end - before]

    def at(self, time: int) -> Place:
        """Return what the account does with the symbol in the step that closes at ``time`` (ms UTC)."""
        return Place.IN if self.member is None else self.member.at(time // MINUTE_MS)


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """What a backtest found, in the order in which it happened."""

    account: Account
    facts: list[Fact]
    events: list[list[Event]]  # per symbol
    refusals: list[Refusal]
    signals: int


def backtest(
    series: Sequence[Series],
    terms: Terms,
    rules: Sequence[SignalRules],
    *,
    higher: str | None,
    overrides: Mapping[str, float | int | str],
    equity: float,
    every_minute: bool = False,
    late: frozenset[str] = frozenset(),
) -> BacktestResult:
    """Trade all ``series`` (equally long, same minutes) with one account.

    ``every_minute`` looks at each minute instead of jumping: slower, and equal. ``late`` are the ids of plans on which
    the line that is followed could not act in time.
    """
    base = int(series[0].candles["open_time"][1] - series[0].candles["open_time"][0])
    events = [
        detect(
            one.own,
            one.instrument,
            base=interval_name(base),
            signal=rule.signal_interval,
            higher=higher,
            overrides=overrides,
        )
        for one, rule in zip(series, rules, strict=True)
    ]
    verdicts = [
        _by_instant(found, one.instrument, rule) for found, one, rule in zip(events, series, rules, strict=True)
    ]
    market = _Market(series, verdicts, terms, interval_ms(rules[0].signal_interval), base, late)
    start = int(series[0].candles["open_time"][0])
    account = new_account(equity, len(series), start)
    facts: list[Fact] = []
    minutes = market.all_minutes() if every_minute else market.due_minutes()
    k = next(minutes)
    while k < market.length:
        account, happened = step(account, market.instant(k, account), terms)
        facts.extend(happened)
        k = minutes.send(account)
    refusals = [refusal for found in verdicts for judged in found.values() for refusal in judged.refusals]
    signals = sum(len(judged.plans) for found in verdicts for judged in found.values())
    return BacktestResult(account, facts, events, refusals, signals)


def _by_instant(events: Sequence[Event], instrument: Instrument, rules: SignalRules) -> dict[int, Judged]:
    verdicts: dict[int, Judged] = {}
    first = 0
    while first < len(events):
        last = first
        instant = events[first].confirmed_at
        while last < len(events) and events[last].confirmed_at == instant:
            last += 1
        judged = judge(events[first:last], instrument, rules)
        if judged != NOTHING:
            verdicts[instant] = judged
        first = last
    return verdicts


class _Market:
    """The minutes of all symbols, and which of them the account has to look at next."""

    def __init__(
        self,
        series: Sequence[Series],
        verdicts: Sequence[dict[int, Judged]],
        terms: Terms,
        signal: int,
        base: int,
        late: frozenset[str] = frozenset(),
    ) -> None:
        self.length = len(series[0].candles)
        self._series = [_as_seen(one) for one in series]
        self._verdicts = verdicts
        self._terms = terms
        self._signal = signal
        self._base = base
        self._late = late
        self._start = int(series[0].candles["open_time"][0])
        self._closes = [_closes_over_gaps(one.candles) for one in self._series]
        planned = {
            time
            for one, found in zip(series, verdicts, strict=True)
            for time, judged in found.items()
            if judged.plans and one.at(time) != Place.OUT and not one.at(time).is_unseen
        }
        self._planned = sorted(self._index(time) for time in planned)
        self._leavings = [self._leavings_of(one) for one in series]
        self._settlings = [_settlings_of(one, base) for one in self._series]
        self._changes = [sorted(self._index(time) for time in found) for found in verdicts]
        self._due_funding = sorted({self._index(time) for one in series for time in one.funding})

    def instant(self, k: int, account: Account) -> Instant:
        """Return what the symbols bring to the close of minute ``k``: those that trade, and those with a plan."""
        time = self._start + (k + 1) * self._base
        symbols: dict[int, SymbolStep] = {}
        for place, slot in enumerate(account.slots):
            here = self._series[place].at(time)
            judged = NOTHING if here.is_unseen else self._verdicts[place].get(time, NOTHING)
            if here == Place.OUT or (slot.trade is None and not judged.plans):
                continue
            minute = self._minute(place, k)
            funding = None if here.is_unseen else self._series[place].funding.get(time)
            said = (minute, judged.plans, judged.ended, judged.turned, funding, self._late)
            symbols[place] = SymbolStep(*said, leaving=here.leaves, unseen=here.is_unseen, settles=here.has_ended)
        return Instant(time, time % self._signal == 0, symbols)

    def all_minutes(self) -> Minutes:
        """Yield every minute."""
        k = 0
        while True:
            yield k
            k += 1

    def due_minutes(self) -> Minutes:
        """Yield the minutes that matter; each is answered with the account as it then stands."""
        k = self._planned[0] if self._planned else self.length
        account = yield k
        while True:
            due = _after(self._planned, k)
            if account is not None:
                for place, slot in enumerate(account.slots):
                    if slot.trade is not None:
                        due = min(due, self._next_of(place, slot, k))
            k = min(due, self.length)
            account = yield k

    def _minute(self, place: int, k: int) -> Minute:
        """Return a minute; a GAP carries the last close, in case the minute before it is jumped over."""
        open_time, open_, high, low, close, _, gap = self._series[place].candles[k].item()
        return Minute(open_time, open_, high, low, float(self._closes[place][k]) if gap else close, bool(gap))

    def _leavings_of(self, series: Series) -> list[int]:
        """Return the first minute of each stay that takes no new entries, and of each absence, in order."""
        member = series.member
        if member is None:
            return []
        steps = [one.leaving for one in member.stints if one.leaving is not None]
        return sorted(self._index(one * MINUTE_MS) for one in (*steps, *(one.first for one in member.absences)))

    def _index(self, time: int) -> int:
        return (time - self._start) // self._base - 1

    def _next_of(self, place: int, slot: Slot, k: int) -> int:
        """Return the next minute after ``k`` in which this symbol's orders, deadlines or marks can act."""
        trade = slot.trade
        if trade is None:
            return NEVER
        if any(order.born > slot.seen for order in slot.orders):
            return k + 1
        lower, upper = -np.inf, np.inf
        for order in slot.orders:
            if meets_falling(order):
                lower = max(lower, order.price)
            else:
                upper = min(upper, order.price)
        due = self.length
        if trade.waiting:
            target = trade.plan.targets[0].price
            if trade.plan.side > 0:
                upper = min(upper, target)
            else:
                lower = max(lower, target)
            due = min(due, self._index(trade.plan.expires_at), _after(self._changes[place], k))
            due = min(due, _after(self._leavings[place], k))
        else:
            edge = liquidation_price(
                trade.plan.side, trade.entry_price, self._terms.risk.leverage, self._terms.instruments[place]
            )
            if trade.plan.side > 0:
                lower = max(lower, edge)
            else:
                upper = min(upper, edge)
            due = min(due, self._next_mark(k), _after(self._due_funding, k), _after(self._settlings[place], k))
            if trade.plan.time_stop:
                due = min(due, self._index(trade.leave_at + self._base - 1))
        due = max(due, k + 1)
        return int(next_touch(self._series[place].candles, k + 1, min(due, self.length), lower, upper))

    def _next_mark(self, k: int) -> int:
        """Return the next minute that closes with a signal candle or a UTC day."""
        time = self._start + (k + 1) * self._base
        return min(self._index((time // length + 1) * length) for length in (self._signal, DAY_MS))


def _as_seen(series: Series) -> Series:
    """Return the minutes as the account saw them: those that did not come in time are gaps for it."""
    if series.member is None or not series.member.absences:
        return series
    candles = series.candles.copy()
    steps = candles["open_time"] // MINUTE_MS + 1
    for one in series.member.absences:
        unseen = (steps >= one.first) & (steps <= (NEVER if one.last is None else one.last))
        candles["gap"][unseen] = 1
        for price in ("open", "high", "low", "close"):
            candles[price][unseen] = 0.0
    return replace(series, candles=candles)


def _settlings_of(series: Series, base: int) -> list[int]:
    """Return the minutes in which a position is settled, as the venue trades the symbol no more, in order."""
    if series.member is None or all(one.ended is None for one in series.member.stints):
        return []
    gaps = np.flatnonzero(series.candles["gap"])
    closes = series.candles["open_time"][gaps] + base
    return [k for k, time in zip(gaps.tolist(), closes.tolist(), strict=True) if series.at(time).has_ended]


def _closes_over_gaps(candles: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the close that was last known in each minute; only a minute before all prices keeps its own."""
    gaps = candles["gap"] != 0
    if not gaps.any():
        closes: npt.NDArray[Any] = candles["close"]
        return closes
    known = np.maximum.accumulate(np.where(gaps, 0, np.arange(len(candles))))
    return np.asarray(candles["close"][known])


def _after(sorted_minutes: Sequence[int], k: int) -> int:
    place = bisect.bisect_right(sorted_minutes, k)
    return sorted_minutes[place] if place < len(sorted_minutes) else NEVER

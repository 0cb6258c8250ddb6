"""Instruments, plans, minutes and a desk of one account, as the tests of trading use them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from trading_system.rules.account import Account, Instant, SymbolStep, Terms, new_account, step
from trading_system.rules.events import short_hash
from trading_system.rules.facts import Fact
from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import FillRules, Minute
from trading_system.rules.risk import RiskRules
from trading_system.rules.trade_plan import Plan, Target

MINUTE = 60_000
QUARTER = 15 * MINUTE
DAY = 1440 * MINUTE
START = 19_700 * DAY
EXCHANGE = "binance_usdm"


def instrument_of(symbol: str = "BTCUSDT", **changed: Any) -> Instrument:
    """Return an instrument with a tick of 0.1, a step of 0.001 and no fees unless they are given."""
    values: dict[str, Any] = {"min_notional": 5.0, "taker_fee": 0.0, "maker_fee": 0.0, "maintenance_margin": 0.004}
    return Instrument(EXCHANGE, symbol, Grid(1, 10), Grid(1, 1000), **{**values, **changed})


def plan_at(time: int, symbol: str = "BTCUSDT", number: int = 0, **changed: Any) -> Plan:
    """Return a long plan given at ``time``: entry 100, stop 98, half off at 104 and half at 108, for 20 candles."""
    values: dict[str, Any] = {
        "id": short_hash("plan", symbol, time, number),
        "exchange": EXCHANGE,
        "symbol": symbol,
        "interval": "15m",
        "pattern": "order_block",
        "side": 1,
        "time": time - QUARTER,
        "confirmed_at": time,
        "entry_type": "limit",
        "entry": 100.0,
        "stop": 98.0,
        "targets": (Target(104.0, 0.5), Target(108.0, 0.5)),
        "atr": 1.0,
        "rr_net": 2.0,
        "score": 60,
        "reasons": ("bos",),
        "expires_at": time + 20 * QUARTER,
        "time_stop": 0,
        "zone": "zone",
    }
    return Plan(**{**values, **changed})


def short_plan_at(time: int, symbol: str = "BTCUSDT", **changed: Any) -> Plan:
    """Return the mirror image of ``plan_at``."""
    targets = (Target(96.0, 0.5), Target(92.0, 0.5))
    return plan_at(time, symbol, **{"side": -1, "stop": 102.0, "targets": targets, **changed})


@dataclass
class Book:
    """One account that is stepped minute by minute; every minute is looked at."""

    instruments: tuple[Instrument, ...] = (instrument_of(),)
    risk: RiskRules = field(default_factory=RiskRules)
    fills: FillRules = field(default_factory=lambda: FillRules(slippage_ticks=0))
    equity: float = 10_000.0
    time: int = START
    facts: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.terms = Terms(self.instruments, self.risk, self.fills)
        self.account: Account = new_account(self.equity, len(self.instruments), self.time)

    def minute(
        self, *prices: float, plans: Iterable[Plan] = (), place: int = 0, gap: bool = False, **said: Any
    ) -> list[Fact]:
        """Step one minute with the path of ``prices`` (one: it stands still; two: open and close; four: o h l c)."""
        symbols = {place: SymbolStep(minute_at(self.time, *prices, gap=gap), tuple(plans), **said)}
        return self.step(symbols)

    def step(self, symbols: dict[int, SymbolStep]) -> list[Fact]:
        """Step one minute of several symbols."""
        self.time += MINUTE
        instant = Instant(self.time, self.time % QUARTER == 0, symbols)
        self.account, facts = step(self.account, instant, self.terms)
        self.facts += facts
        return facts

    def named(self, kind: type[Fact]) -> list[Any]:
        """Return all facts of one kind so far."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


def minute_at(open_time: int, *prices: float, gap: bool = False) -> Minute:
    """Return a minute from one, two or four prices."""
    if gap:
        return Minute(open_time, 0.0, 0.0, 0.0, prices[0] if prices else 0.0, gap=True)
    if len(prices) == 4:
        return Minute(open_time, *prices)
    return Minute(open_time, prices[0], max(prices), min(prices), prices[-1])

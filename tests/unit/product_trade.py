"""Plays one bracket through the product's own account, so that its fills can be laid beside the reference's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reference_market import Bracket

from trading_system.rules.account import Account, Instant, SymbolStep, Terms, new_account, settle, step
from trading_system.rules.facts import Closed, Fact, Fill, Withdrawn
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import FillRules, Minute
from trading_system.rules.risk import RiskRules
from trading_system.rules.trade import Trade, slices_of
from trading_system.rules.trade_plan import Plan, Target

START_EQUITY = 1_000_000.0
NEVER = 1 << 60


@dataclass
class ProductTrade:
    """One account with one symbol whose slot holds one trade of the size asked for, whatever risk would say."""

    bracket: Bracket
    instrument: Instrument
    rules: FillRules
    start: int
    facts: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = RiskRules(leverage=float(self.bracket.leverage))
        self.terms = Terms((self.instrument,), limits, self.rules)
        plan = plan_of_bracket(self.bracket, self.instrument, self.start)
        slices = slices_of(self.bracket.quantity, plan.targets, self.instrument.step, self.instrument.min_notional)
        trade = Trade(plan, self.bracket.quantity, slices, 1.0, plan.stop)
        account = new_account(START_EQUITY, 1, self.start)
        account = account._replace(slots=(account.slots[0]._replace(trade=trade),))
        self.account: Account = settle(account, 0, self.start, self.terms, self.facts)

    def minute(self, minute: Minute, funding_rate: float | None = None) -> list[Fill]:
        """Take one step of the account and return the fills in it."""
        closes_at = minute.open_time + 60_000
        said = {0: SymbolStep(minute, funding=funding_rate)}
        self.account, facts = step(self.account, Instant(closes_at, closes_at % 900_000 == 0, said), self.terms)
        self.facts += facts
        return [fact for fact in facts if isinstance(fact, Fill)]

    @property
    def state(self) -> str:
        """Return the trade's state in the reference's words."""
        trade = self.account.slots[0].trade
        if trade is not None:
            return "waiting" if trade.waiting else "open"
        if any(isinstance(fact, Withdrawn) for fact in self.facts):
            return "withdrawn"
        return "closed" if any(isinstance(fact, Closed) for fact in self.facts) else "lost"


def plan_of_bracket(bracket: Bracket, instrument: Instrument, start: int) -> Plan:
    """Return the plan that says what ``bracket`` says."""
    return Plan(
        id="a" * 16,
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        interval="15m",
        pattern="flag" if bracket.entry_type == "market" else "order_block",
        side=bracket.side,
        time=start - 900_000,
        confirmed_at=start,
        entry_type="market" if bracket.entry_type == "market" else "limit",
        entry=bracket.entry,
        stop=bracket.stop,
        targets=tuple(Target(price, weight) for price, weight in bracket.targets),
        atr=instrument.tick.price(1),
        rr_net=1.0,
        score=50,
        reasons=(),
        expires_at=bracket.expires_at or NEVER,
        time_stop=bracket.time_stop,
        zone="",
    )


def play_product(
    bracket: Bracket,
    instrument: Instrument,
    rules: FillRules,
    minutes: Iterable[Minute],
    funding: Mapping[int, float],
    start: int,
) -> tuple[list[Fill], ProductTrade]:
    """Return all fills and the trade after the last minute; ``funding`` maps a minute's place to the rate due at it."""
    trade = ProductTrade(bracket, instrument, rules, start)
    fills: list[Fill] = []
    for place, minute in enumerate(minutes):
        fills += trade.minute(minute, funding.get(place))
    return fills, trade

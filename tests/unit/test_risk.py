"""Which plans the account takes, at what size, and that its limits hold whatever signals come."""

from __future__ import annotations

from random import Random

import pytest
from sample_trades import DAY, MINUTE, QUARTER, START, Book, instrument_of, minute_at, plan_at, short_plan_at

from trading_system.rules.account import SymbolStep, drop_entry, standing_of
from trading_system.rules.facts import EquityPoint, Fill, Halted, Placed
from trading_system.rules.matching import Role
from trading_system.rules.risk import REJECTIONS, Rejection, RiskRules, Standing, admit
from trading_system.rules.trade import Trade, open_risk
from trading_system.rules.trade_plan import Target

RULES = RiskRules()
FREE = Standing(
    10_000.0, 10_000.0, day_locked=False, drawdown_locked=False, slot_taken=False, positions=0, open_risk=0.0
)
INSTRUMENT = instrument_of()
ONE_STEP = instrument_of()._replace(step=instrument_of().step._replace(den=1))

REFUSED = {
    "drawdown_stop": (plan_at(START), FREE._replace(drawdown_locked=True, day_locked=True), INSTRUMENT, RULES),
    "day_loss": (plan_at(START), FREE._replace(day_locked=True, slot_taken=True), INSTRUMENT, RULES),
    "slot_taken": (plan_at(START), FREE._replace(slot_taken=True, positions=3), INSTRUMENT, RULES),
    "max_positions": (plan_at(START), FREE._replace(positions=3, equity=1.0), INSTRUMENT, RULES),
    "size_zero": (plan_at(START), FREE._replace(equity=100.0), ONE_STEP, RULES),
    "below_min_notional": (plan_at(START), FREE._replace(equity=9.0), INSTRUMENT, RULES),
    "paused": (plan_at(START), FREE._replace(paused=True), INSTRUMENT, RULES),
    "margin": (plan_at(START), FREE._replace(free=999.0), INSTRUMENT, RULES),
    "liquidation_near": (plan_at(START), FREE, INSTRUMENT, RiskRules(leverage=40.0)),
    "open_risk": (plan_at(START), FREE._replace(open_risk=200.1), INSTRUMENT, RULES),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_each_rule_refuses_with_its_name_and_its_numbers(rule: str) -> None:
    verdict = admit(*REFUSED[rule])
    assert isinstance(verdict, Rejection)
    assert verdict.rule == rule
    assert verdict.plan == REFUSED[rule][0]
    assert verdict.numbers or rule in {"paused", "slot_taken"}


@pytest.mark.parametrize("rule", sorted(set(REJECTIONS) - set(REFUSED)))
def test_what_the_venue_or_the_clock_refuses_frees_the_slot_of_a_waiting_trade(rule: str) -> None:
    book = Book()
    book.minute(103.0, plans=[plan_at(START)])
    facts: list[object] = []
    account = drop_entry(book.account, 0, rule, facts)  # type: ignore[arg-type]
    assert account.slots[0].trade is None
    assert account.slots[0].orders == ()
    assert [fact.rule for fact in facts if isinstance(fact, Rejection)] == [rule]


def test_the_table_of_rejections_is_complete() -> None:
    assert set(REJECTIONS) - set(REFUSED) == {"signal_stale", "venue_refused", "not_placed", "symbol_leaves"}


def test_a_filled_trade_cannot_be_dropped() -> None:
    book = Book()
    book.minute(103.0, plans=[plan_at(START)])
    book.minute(103.0, 99.0)
    facts: list[object] = []
    assert drop_entry(book.account, 0, "venue_refused", facts) is book.account  # type: ignore[arg-type]
    assert facts == []


def test_an_account_without_equity_takes_nothing() -> None:
    verdict = admit(plan_at(START), FREE._replace(equity=0.0), INSTRUMENT, RULES)
    assert isinstance(verdict, Rejection)
    assert verdict.rule == "size_zero"


def test_a_stop_out_at_the_stop_costs_the_risk_asked_for_fees_included() -> None:
    instrument = instrument_of(taker_fee=0.0005)
    verdict = admit(plan_at(START), FREE, instrument, RULES)
    assert isinstance(verdict, Trade)
    loss = verdict.quantity * (2.0 + 0.0005 * 198.0)
    assert verdict.risk == pytest.approx(loss)
    assert 100.0 - 2.2 * 0.001 - 1e-6 <= loss <= 100.0


def test_size_is_bounded_by_the_leverage() -> None:
    verdict = admit(plan_at(START, stop=99.9, atr=0.1), FREE, INSTRUMENT, RiskRules(leverage=2.0))
    assert isinstance(verdict, Trade)
    assert verdict.quantity == 200.0  # 10,000 at 2x buys 20,000 worth, where the risk alone would allow 1,000 units


def test_a_short_is_refused_for_a_liquidation_above_it() -> None:
    verdict = admit(short_plan_at(START), FREE, INSTRUMENT, RiskRules(leverage=40.0))
    assert isinstance(verdict, Rejection)
    assert verdict.rule == "liquidation_near"
    assert verdict.numbers["liquidation"] > 100.0


@pytest.mark.parametrize("seed", range(6))
def test_no_stream_of_signals_breaks_a_limit(seed: int) -> None:
    random = Random(seed)
    symbols = tuple(instrument_of(f"S{n}USDT", taker_fee=0.0005, maker_fee=0.0002) for n in range(5))
    rules = RiskRules(risk_pct=random.choice([0.5, 1.0, 3.0]), leverage=random.choice([1.0, 3.0, 5.0]), max_positions=3)
    book = Book(symbols, rules)
    prices = [100.0] * len(symbols)
    admitted = refused = 0
    for _ in range(1500):
        said = {}
        for place, symbol in enumerate(symbols):
            drift = random.randrange(-12, 13) / 10
            before, prices[place] = prices[place], round(prices[place] + drift, 1)
            prices[place] = max(prices[place], 20.0)
            plans = [a_plan(random, book.time + MINUTE, symbol.symbol, prices[place])] if random.random() < 0.05 else []
            said[place] = SymbolStep(minute_at(book.time, before, prices[place]), tuple(plans))
        locked_before = book.account.day_locked or book.account.drawdown_locked
        facts = book.step(said)
        entries = [fact for fact in facts if isinstance(fact, Placed) and fact.order.role == Role.ENTRY]
        admitted += len(entries)
        refused += sum(isinstance(fact, Rejection) for fact in facts)
        check_limits(book, new_entries=bool(entries))
        halted = any(isinstance(fact, Halted) for fact in facts)
        same_day = book.time % DAY > 0
        assert not (entries and (halted or (locked_before and same_day)))
    assert admitted > 5
    assert refused > 5


def a_plan(random: Random, time: int, symbol: str, price: float) -> object:
    side = random.choice([1, -1])
    entry = round(price - side * random.randrange(0, 20) / 10, 1)
    risk = random.randrange(2, 40) / 10
    targets = tuple(Target(round(entry + side * n * risk, 1), 0.5) for n in (1, 2))
    changes = {"side": side, "entry": entry, "stop": round(entry - side * risk, 1), "targets": targets, "atr": 0.3}
    return plan_at(time, symbol, random.randrange(10**6), **changes, expires_at=time + random.randrange(1, 40) * MINUTE)


def check_limits(book: Book, *, new_entries: bool) -> None:
    account, rules = book.account, book.risk
    trades = [slot.trade for slot in account.slots if slot.trade is not None]
    assert len(trades) <= rules.max_positions
    assert account.wallet > 0
    if new_entries:
        standing = standing_of(account, 0, book.terms)
        assert standing.free >= -1e-9
        assert standing.open_risk <= account.equity * rules.open_risk_pct / 100 + 1e-9
    for slot in account.slots:
        trade = slot.trade
        if trade is None:
            assert slot.orders == ()
        elif not trade.waiting:
            protection = [order for order in slot.orders if order.role in (Role.STOP, Role.EXIT)]
            assert protection
            assert sum(order.quantity for order in slot.orders if order.role == Role.STOP) in (0.0, trade.held)
            sold = sum(order.quantity for order in slot.orders if order.role == Role.TARGET)
            assert sold <= trade.held + 1e-9
            assert open_risk(trade, book.instruments[0]) >= 0.0


def test_the_ledger_is_the_start_plus_every_fill_and_nothing_else() -> None:
    book = Book((instrument_of(taker_fee=0.0005, maker_fee=0.0002),))
    book.minute(103.0, plans=[plan_at(START)])
    for prices in ((103.0, 99.0), (99.0, 105.0), (105.0, 99.0), (99.0, 99.0)):
        book.minute(*prices)
    fills = book.named(Fill)
    assert [fill.name for fill in fills] == ["e", "1", "s"]
    earned = sum((fill.price - 100.0) * fill.quantity for fill in fills[1:]) - sum(fill.fee for fill in fills)
    assert book.account.wallet == pytest.approx(10_000.0 + earned)
    assert book.named(EquityPoint)[-1].equity == book.account.wallet
    assert book.time < START + QUARTER

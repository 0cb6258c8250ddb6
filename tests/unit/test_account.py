"""The instant T: what an account books, when its day turns, when entries go; and skipping minutes changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from sample_trades import DAY, MINUTE, QUARTER, START, Book, instrument_of, minute_at, plan_at, short_plan_at

from trading_system.research.backtest import BacktestResult, Series, backtest
from trading_system.rules.account import SymbolStep, Terms, UnexpectedFillError, book_fill, is_idle
from trading_system.rules.facts import WITHDRAWALS, Closed, EquityPoint, Fill, Funded, Halted, Placed, Withdrawn
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import FillRules, Role
from trading_system.rules.risk import Rejection, RiskRules
from trading_system.rules.roster import Absence, Member, State, Stint, Why
from trading_system.rules.signals import SignalRules
from trading_system.rules.trade_plan import Plan, PlanRules
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles

DEFAULTS = RiskRules()
WIDE = RiskRules(day_loss_pct=99.0, drawdown_pct=99.0, open_risk_pct=99.0)


def book_with(plan: Plan, *, rules: RiskRules = DEFAULTS, time: int = START, **instrument: Any) -> Book:
    """Return a book whose account has just taken ``plan``, at a price between entry and targets."""
    book = Book((instrument_of(**instrument),), rules, time=time)
    book.minute(101.0 if plan.side > 0 else 99.0, plans=[plan])
    assert book.account.slots[0].trade is not None
    return book


def holding(plan: Plan, **how: Any) -> Book:
    """Return a book in which the entry of ``plan`` has filled at its price."""
    book = book_with(plan, **how)
    beyond = 99.8 if plan.side > 0 else 100.2
    book.minute(101.0 if plan.side > 0 else 99.0, beyond)
    trade = book.account.slots[0].trade
    assert trade is not None
    assert not trade.waiting
    return book


def withdrawals(book: Book) -> list[str]:
    return [fact.rule for fact in book.named(Withdrawn)]


def test_a_plan_given_at_t_is_sized_at_t_and_its_entry_rests_from_then() -> None:
    book = book_with(plan_at(START))
    (placed,) = book.named(Placed)
    assert (placed.time, placed.order.role, placed.order.price) == (START + MINUTE, Role.ENTRY, 100.0)
    assert placed.order.quantity == 50.0  # 1 % of 10,000 over a loss of 2
    assert book.named(Fill) == []


def test_stop_and_targets_rest_at_the_point_where_the_entry_filled() -> None:
    book = holding(plan_at(START))
    assert [fact.order.role for fact in book.named(Placed)] == [Role.ENTRY, Role.STOP, Role.TARGET, Role.TARGET]
    assert [fill.name for fill in book.named(Fill)] == ["e"]


@pytest.mark.parametrize(
    ("said", "prices", "rule"),
    [
        ({"ended": frozenset({"zone"})}, (101.0,), "zone_gone"),
        ({"turned": -1}, (101.0,), "opposite_choch"),
        ({}, (101.0, 104.0), "missed"),
    ],
)
def test_a_waiting_entry_goes_when_its_reason_is_gone(
    said: dict[str, Any], prices: tuple[float, ...], rule: str
) -> None:
    book = book_with(plan_at(START))
    book.minute(*prices, **said)
    assert withdrawals(book) == [rule]
    assert is_idle(book.account)
    assert book.named(Closed) == []


@pytest.mark.parametrize(
    ("said", "prices"),
    [({"ended": frozenset({"other"})}, (101.0,)), ({"turned": 1}, (101.0,)), ({}, (101.0, 103.9))],
)
def test_a_waiting_entry_stays_while_its_reason_holds(said: dict[str, Any], prices: tuple[float, ...]) -> None:
    book = book_with(plan_at(START))
    book.minute(*prices, **said)
    assert withdrawals(book) == []
    assert not is_idle(book.account)


def test_a_short_is_missed_below_its_first_target_and_goes_with_a_bullish_turn() -> None:
    missed = book_with(short_plan_at(START))
    missed.minute(99.0, 96.0)
    turned = book_with(short_plan_at(START))
    turned.minute(99.0, turned=1)
    assert withdrawals(missed) + withdrawals(turned) == ["missed", "opposite_choch"]


def test_an_entry_expires_at_its_instant_and_not_before() -> None:
    book = book_with(plan_at(START, expires_at=START + 3 * MINUTE))
    book.minute(101.0)
    assert withdrawals(book) == []
    book.minute(101.0)
    assert withdrawals(book) == ["expired"]
    assert book.named(Withdrawn)[0].time == START + 3 * MINUTE


def test_an_entry_that_fills_in_the_minute_in_which_it_expires_is_filled() -> None:
    book = book_with(plan_at(START, expires_at=START + 2 * MINUTE))
    book.minute(101.0, 99.8)
    assert [fill.name for fill in book.named(Fill)] == ["e"]
    assert withdrawals(book) == []


def test_an_expired_entry_goes_in_a_gap_but_a_gap_is_never_missed() -> None:
    book = book_with(plan_at(START, expires_at=START + 3 * MINUTE))
    book.minute(200.0, gap=True)
    assert withdrawals(book) == []
    book.minute(gap=True)
    assert withdrawals(book) == ["expired"]


def test_a_slot_is_free_for_the_plan_of_the_instant_in_which_an_entry_went() -> None:
    book = book_with(plan_at(START))
    book.minute(101.0, turned=-1, plans=[short_plan_at(START + MINUTE, entry=103.0, stop=105.0)])
    assert withdrawals(book) == ["opposite_choch"]
    trade = book.account.slots[0].trade
    assert trade is not None
    assert trade.plan.side == -1


def test_an_open_trade_is_not_ended_by_its_zone_or_a_turn() -> None:
    book = holding(plan_at(START))
    book.minute(101.0, ended=frozenset({"zone"}), turned=-1)
    assert withdrawals(book) == []
    assert not is_idle(book.account)


def test_a_time_stop_leaves_at_the_open_of_the_next_minute_and_its_stop_rests_until_then() -> None:
    book = holding(plan_at(START, time_stop=3 * MINUTE))  # filled in the minute that opens at START + 1 minute
    book.minute(101.0)
    assert book.named(Placed)[-1].order.role == Role.TARGET
    book.minute(101.0)
    assert (book.time, book.named(Placed)[-1].order.role) == (START + 4 * MINUTE, Role.EXIT)
    assert [order.role for order in book.account.slots[0].orders] == [Role.STOP, Role.EXIT]
    assert book.named(Closed) == []
    book.minute(101.3, 101.0)
    (closed,) = book.named(Closed)
    assert (closed.reason, book.named(Fill)[-1].price) == ("time_stop", 101.3)
    assert is_idle(book.account)


def test_the_result_of_a_trade_is_counted_in_units_of_its_risk() -> None:
    book = holding(plan_at(START))
    book.minute(99.8, 97.0)
    (closed,) = book.named(Closed)
    assert (closed.reason, closed.earned, closed.r) == ("stop", -100.0, -1.0)
    book = holding(plan_at(START))
    book.minute(99.8, 109.0)
    (closed,) = book.named(Closed)
    assert (closed.reason, closed.earned, closed.r) == ("target", 300.0, 3.0)


@pytest.mark.parametrize(("side", "rate", "sign"), [(1, 0.001, 1), (1, -0.001, -1), (-1, 0.001, -1), (-1, -0.001, 1)])
def test_with_a_positive_rate_longs_pay_and_shorts_receive(side: int, rate: float, sign: int) -> None:
    book = holding((plan_at if side > 0 else short_plan_at)(START))
    before = book.account.wallet
    book.minute(101.0 if side > 0 else 99.0, funding=rate)
    (funded,) = book.named(Funded)
    close = 101.0 if side > 0 else 99.0
    assert funded.paid == pytest.approx(sign * 50.0 * close * 0.001)
    assert book.account.wallet == before - funded.paid
    trade = book.account.slots[0].trade
    assert trade is not None
    assert trade.earned == -funded.paid


def test_nobody_pays_funding_without_a_position() -> None:
    book = book_with(plan_at(START))
    book.minute(101.0, funding=0.001)
    assert book.named(Funded) == []


def test_equity_is_marked_where_something_filled_and_at_signal_closes_while_a_position_is_open() -> None:
    book = holding(plan_at(START))
    assert [point.time for point in book.named(EquityPoint)] == [START + 2 * MINUTE]
    while book.time < START + QUARTER:
        book.minute(101.0)
    assert [point.time for point in book.named(EquityPoint)] == [START + 2 * MINUTE, START + QUARTER]
    assert book.named(EquityPoint)[-1].equity == 10_050.0


def test_the_day_begins_with_the_equity_at_midnight_with_a_position() -> None:
    book = holding(plan_at(START), time=START + DAY - 3 * MINUTE)
    book.minute(101.0)
    assert book.time == START + DAY
    assert (book.account.day, book.account.day_equity) == ((START + DAY) // DAY, 10_050.0)


def test_the_day_begins_with_the_wallet_without_a_position() -> None:
    book = holding(plan_at(START))
    book.minute(99.8, 97.0)
    book.time = START + 2 * DAY
    book.minute(101.0)
    assert (book.account.day, book.account.day_equity) == ((START + 2 * DAY) // DAY, 9_900.0)


def test_the_day_loss_locks_entries_withdraws_waiting_ones_and_is_released_next_day() -> None:
    instruments = (instrument_of(), instrument_of("ETHUSDT"))
    book = Book(instruments, RiskRules(day_loss_pct=0.9))
    book.minute(101.0, plans=[plan_at(START)])
    book.minute(101.0, plans=[plan_at(START, "ETHUSDT")], place=1)
    book.minute(101.0, 99.8)
    both = {0: _said(book, 99.8, 97.0), 1: _said(book, 101.0, 101.0)}
    book.step(both)
    assert [fact.rule for fact in book.named(Halted)] == ["day_loss"]
    assert withdrawals(book) == ["day_loss"]
    book.minute(97.0, plans=[plan_at(START, number=2)])
    assert [fact.rule for fact in book.named(Rejection)] == ["day_loss"]
    book.time = START + DAY - MINUTE
    book.minute(101.0, plans=[plan_at(START, number=3)])
    assert book.account.slots[0].trade is not None
    assert book.account.day_equity == 9_900.0


def _said(book: Book, *prices: float) -> SymbolStep:
    return SymbolStep(minute_at(book.time, *prices))


def test_a_loss_on_paper_locks_the_day_but_the_trade_lives_on() -> None:
    book = holding(plan_at(START), rules=RiskRules(day_loss_pct=0.5))
    while book.time < START + QUARTER:
        book.minute(98.9)
    assert [fact.rule for fact in book.named(Halted)] == ["day_loss"]
    assert book.named(Closed) == []


def test_the_drawdown_stop_counts_from_the_peak_and_stays_over_the_days() -> None:
    book = holding(plan_at(START), rules=RiskRules(drawdown_pct=1.0, day_loss_pct=99.0))
    book.minute(99.8, 104.2)
    book.minute(104.2, 108.2)
    assert book.account.peak == 10_300.0
    lost = plan_at(START, number=1)
    book.minute(101.0, plans=[lost])
    book.minute(101.0, 97.0)
    assert book.account.wallet == 10_197.0
    assert [fact.rule for fact in book.named(Halted)] == ["drawdown_stop"]
    book.time = START + 3 * DAY
    book.minute(101.0, plans=[plan_at(book.time)])
    assert [fact.rule for fact in book.named(Rejection)] == ["drawdown_stop"]
    assert len(book.named(Halted)) == 1


def test_one_minute_may_open_and_close_a_trade_and_its_slot_is_free_at_t() -> None:
    book = book_with(plan_at(START))
    after = plan_at(START, number=1)
    book.minute(101.0, 97.0, plans=[after])
    assert [fill.name for fill in book.named(Fill)] == ["e", "s"]
    trade = book.account.slots[0].trade
    assert trade is not None
    assert trade.plan == after


def test_a_second_plan_on_a_symbol_is_refused_and_limits_bind_over_symbols() -> None:
    instruments = tuple(instrument_of(f"S{n}") for n in range(3))
    book = Book(instruments, RiskRules(max_positions=2))
    for place, one in enumerate(instruments):
        plans = [plan_at(START, one.symbol, number) for number in range(2)]
        book.minute(101.0, plans=plans, place=place)
    assert [fact.rule for fact in book.named(Rejection)] == [
        "slot_taken",
        "slot_taken",
        "max_positions",
        "max_positions",
    ]


def test_a_fill_that_no_trade_can_have_caused_is_an_error() -> None:
    book = Book()
    fill = Fill(START, "BTCUSDT", "tmabcde", "e", Role.ENTRY, 100.0, 1.0, 0.0)
    with pytest.raises(UnexpectedFillError, match="no trade holds"):
        book_fill(book.account, 0, fill, book.terms, [])


def test_every_reason_to_withdraw_has_its_words() -> None:
    reached = {"expired", "missed", "zone_gone", "opposite_choch", "day_loss", "drawdown_stop", "symbol_leaves"}
    reached |= {"symbol_unseen"}  # test_awaited_symbols.py
    reached |= {"paused", "by_hand"}  # by a person, test_commands.py
    assert set(WITHDRAWALS) == reached


def test_a_drawdown_withdraws_the_entries_of_other_symbols() -> None:
    instruments = (instrument_of(), instrument_of("ETHUSDT"))
    book = Book(instruments, RiskRules(drawdown_pct=0.5, day_loss_pct=99.0))
    book.minute(101.0, plans=[plan_at(START)])
    book.minute(101.0, plans=[plan_at(START, "ETHUSDT")], place=1)
    book.step({0: _said(book, 101.0, 97.0), 1: _said(book, 101.0)})
    assert withdrawals(book) == ["drawdown_stop"]
    assert is_idle(book.account)


# --- the first law for trading


def run(
    minutes: int,
    rules: RiskRules,
    *,
    every_minute: bool,
    seed: int,
    funding: bool = True,
    absences: tuple[Absence, ...] = (),
    ended: int | None = None,
) -> BacktestResult:
    """Trade synthetic candles; ``absences`` of every symbol, and when it ``ended``, count from the first minute."""
    start = START - START % (7 * DAY)
    series, signal_rules = [], []
    for one in DEMO_SYMBOLS:
        candles = synthetic_candles(seed, one.symbol, start, minutes, one.tick, one.step, one.start_price)
        gaps = slice(1000 + seed, 1060)
        for name in ("open", "high", "low", "close", "volume"):
            candles[name][gaps] = 0.0
        candles["gap"][gaps] = 1
        instrument = Instrument("binance_usdm", one.symbol, one.tick, one.step, 5.0, 0.0005, 0.0002, 0.004)
        rates = {start + n * 480 * MINUTE: 0.0001 * (-1) ** n for n in range(1, minutes // 480)} if funding else {}
        before = start // MINUTE
        missed = tuple(Absence(before + one.first, before + one.last) for one in absences if one.last is not None)
        stay = (Stint(before + 1),)
        if ended is not None:
            stay = (Stint(before + 1, before + ended - 1, None, before + ended),)
        member = Member(one.symbol, State.JOINED, Why.BY_HAND, instrument, before, stay, absences=missed)
        series.append(Series(instrument, candles, rates, member))
        signal_rules.append(SignalRules(PlanRules(min_rr=0.5), "5m", 5 * MINUTE, start, 50))
    terms = Terms(tuple(one.instrument for one in series), rules, FillRules())
    return backtest(series, terms, signal_rules, higher="1h", overrides={}, equity=10_000.0, every_minute=every_minute)


@pytest.mark.parametrize(
    ("rules", "seed"),
    [
        (RiskRules(), 1),
        (WIDE._replace(max_positions=2, leverage=20.0, risk_pct=3.0), 2),
        (RiskRules(day_loss_pct=1.0, drawdown_pct=5.0), 3),
    ],
)
def test_skipping_the_minutes_in_which_nothing_can_happen_changes_nothing(rules: RiskRules, seed: int) -> None:
    skipping = run(5 * 1440, rules, every_minute=False, seed=seed)
    stepping = run(5 * 1440, rules, every_minute=True, seed=seed)
    assert skipping.facts == stepping.facts
    for name in ("wallet", "equity", "peak", "day_locked", "drawdown_locked", "born"):
        assert getattr(skipping.account, name) == getattr(stepping.account, name)
    kinds = {type(fact) for fact in skipping.facts}
    assert kinds >= {Placed, Fill, Closed, EquityPoint, Rejection}
    assert len([fact for fact in skipping.facts if isinstance(fact, Closed)]) > 10


def test_a_backtest_takes_minutes_that_the_line_did_not_see_as_gaps_and_finds_the_same_events_in_them() -> None:
    absences = tuple(Absence(first, first + 20) for first in range(600, 7000, 67))
    unseen = [run(5 * 1440, RiskRules(), every_minute=way, seed=1, absences=absences) for way in (False, True)]
    seen = run(5 * 1440, RiskRules(), every_minute=False, seed=1)
    assert unseen[0].facts == unseen[1].facts
    assert unseen[0].events == seen.events
    start = START - START % (7 * DAY)

    def is_blind(time: int) -> bool:
        return any(one.holds((time - start) // MINUTE) for one in absences)

    facts = unseen[0].facts
    assert any(isinstance(fact, Withdrawn) and fact.rule == "symbol_unseen" for fact in facts)
    assert not any(isinstance(fact, Fill | Rejection) and is_blind(_time_of(fact)) for fact in facts)
    assert any(isinstance(fact, Fill | Rejection) and is_blind(_time_of(fact)) for fact in seen.facts)
    assert not any(isinstance(fact, Funded) and is_blind(fact.time) for fact in facts)
    assert any(isinstance(fact, Funded) and is_blind(fact.time) for fact in seen.facts)


def test_a_symbol_that_has_ended_is_settled_at_its_last_price_in_the_next_minute_that_the_market_does_not_have() -> (
    None
):
    """One is held from minute 3050 to 3125, if nothing happens."""
    ended, gap = 3060, Absence(3067, 3070)
    over = [run(5 * 1440, RiskRules(), every_minute=way, seed=1, absences=(gap,), ended=ended) for way in (False, True)]
    assert over[0].facts == over[1].facts
    one, start = DEMO_SYMBOLS[0], START - START % (7 * DAY)
    candles = synthetic_candles(1, one.symbol, start, gap.first, one.tick, one.step, one.start_price)
    (settled,) = [fact for fact in over[0].facts if isinstance(fact, Closed) and fact.reason == "settled"]
    assert (settled.symbol, settled.time) == (one.symbol, start + (gap.first - 1) * MINUTE)
    fill = [fact for fact in over[0].facts if isinstance(fact, Fill)][-1]
    assert (fill.time, fill.price) == (settled.time, candles["close"][gap.first - 2])
    assert is_idle(over[0].account)


def _time_of(fact: Fill | Rejection) -> int:
    """Return the close of the minute in which it happened."""
    return fact.plan.confirmed_at if isinstance(fact, Rejection) else (fact.time // MINUTE + 1) * MINUTE

"""What a person asks of the account: each command, its refusals, and that asking twice does nothing twice."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from sample_trades import DAY, MINUTE, START, Book, instrument_of, minute_at, plan_at, short_plan_at

from trading_system.rules.account import SymbolStep
from trading_system.rules.commands import COMMANDS, REPLIES, Reply, obey
from trading_system.rules.fact_record import pack_account, unpack_account
from trading_system.rules.facts import (
    DECLINES,
    Closed,
    Declined,
    Fact,
    Fill,
    Offered,
    Paused,
    Placed,
    Resumed,
    Withdrawn,
)
from trading_system.rules.risk import Rejection, RiskRules
from trading_system.rules.trade import open_risk
from trading_system.rules.trade_plan import Plan

WIDE = RiskRules(day_loss_pct=90.0, drawdown_pct=90.0)
PLAN = plan_at(START)


def asked(book: Book, command: str, **arguments: Any) -> Reply:
    """Let the book obey a command in its running minute."""
    facts: list[Fact] = []
    book.account, reply = obey(book.account, command, arguments, book.time + MINUTE, book.terms, facts)
    book.facts += facts
    assert reply.sentence  # every placeholder of it is filled
    return reply


def book_of(*symbols: str, rules: RiskRules = WIDE, advised: bool = False) -> Book:
    book = Book(tuple(instrument_of(symbol) for symbol in symbols or ("BTCUSDT",)), rules)
    book.terms = book.terms._replace(advised=advised)
    return book


def waiting() -> Book:
    book = book_of()
    book.minute(101.0, plans=[PLAN])
    return book


def holding() -> Book:
    book = waiting()
    book.minute(101.0, 99.8)
    assert book.named(Fill)
    return book


def offering(*plans: Plan, rules: RiskRules = WIDE, price: float = 101.0) -> Book:
    book = book_of(rules=rules, advised=True)
    book.minute(price, plans=plans or [PLAN])
    return book


def wanted(book: Book) -> list[str]:
    return [order.id[-1] for order in book.account.slots[0].orders]


# --- pause and resume


def test_pause_takes_back_waiting_entries_and_refuses_signals_until_resume() -> None:
    book = waiting()
    assert asked(book, "pause") == Reply(True, "paused", {"withdrawn": 1})
    assert (wanted(book), book.account.slots[0].trade) == ([], None)
    assert [(fact.plan, fact.rule) for fact in book.named(Withdrawn)] == [(PLAN.id, "paused")]
    assert book.named(Paused) == [Paused(book.time + MINUTE)]
    book.minute(101.0, plans=[plan_at(START, number=1)])
    assert [fact.rule for fact in book.named(Rejection)] == ["paused"]
    assert asked(book, "resume") == Reply(True, "resumed")
    assert book.named(Resumed) == [Resumed(book.time + MINUTE, 10_000.0)]
    book.minute(101.0, plans=[plan_at(START, number=2)])
    assert wanted(book) == ["e"]


def test_pause_leaves_the_stop_and_the_targets_of_a_position() -> None:
    book = holding()
    assert asked(book, "pause").numbers == {"withdrawn": 0}
    assert wanted(book) == ["s", "1", "2"]
    book.minute(101.0, 104.2)
    assert [fill.name for fill in book.named(Fill)] == ["e", "1"]


def test_what_is_off_or_on_already_is_not_switched_again() -> None:
    book = book_of()
    assert asked(book, "resume") == Reply(False, "already_on")
    asked(book, "pause")
    before = book.account
    assert asked(book, "pause") == Reply(False, "already_paused")
    assert book.account == before
    assert len(book.named(Paused)) == 1


def test_resume_ends_the_drawdown_stop_and_counts_falls_from_here() -> None:
    book = book_of(rules=RiskRules(day_loss_pct=90.0, drawdown_pct=0.5))
    book.minute(101.0, plans=[PLAN])
    book.minute(101.0, 101.0, 97.0, 97.0)
    assert book.account.drawdown_locked
    assert asked(book, "resume") == Reply(True, "resumed_with_new_peak", {"equity": 9_900.0})
    assert (book.account.drawdown_locked, book.account.peak) == (False, 9_900.0)
    book.minute(101.0, plans=[plan_at(START, number=1)])
    assert wanted(book) == ["e"]


def test_resume_does_not_lift_the_days_loss() -> None:
    book = book_of(rules=RiskRules(day_loss_pct=0.5, drawdown_pct=90.0))
    book.minute(101.0, plans=[PLAN])
    book.minute(101.0, 101.0, 97.0, 97.0)
    assert asked(book, "resume") == Reply(False, "day_loss")
    asked(book, "pause")
    assert asked(book, "resume") == Reply(True, "resumed_until_day")
    book.minute(101.0, plans=[plan_at(START, number=1)])
    assert [fact.rule for fact in book.named(Rejection)] == ["day_loss"]
    book.time = START + DAY
    book.minute(101.0, plans=[plan_at(book.time, number=2)])
    assert wanted(book) == ["e"]


# --- close and panic


def test_close_takes_back_an_entry_that_waits() -> None:
    book = waiting()
    assert asked(book, "close", symbol="BTCUSDT") == Reply(True, "entry_taken_back", {"symbol": "BTCUSDT"})
    assert [fact.rule for fact in book.named(Withdrawn)] == ["by_hand"]
    assert asked(book, "close", symbol="BTCUSDT") == Reply(False, "nothing_to_close", {"symbol": "BTCUSDT"})


def test_a_closed_position_keeps_its_stop_until_it_is_flat() -> None:
    book = holding()
    assert asked(book, "close", symbol="BTCUSDT").numbers == {"symbol": "BTCUSDT", "quantity": "50"}
    assert wanted(book) == ["s", "x"]
    assert asked(book, "close", symbol="BTCUSDT").reason == "leaving_already"
    book.minute(101.0)
    (closed,) = book.named(Closed)
    assert (closed.reason, closed.earned) == ("by_hand", 50.0)
    assert wanted(book) == []


def test_close_names_the_symbols_that_there_are() -> None:
    reply = asked(book_of("BTCUSDT", "ETHUSDT"), "close", symbol="btc")
    assert (reply.done, reply.sentence) == (False, "btc: expected a symbol of this line, BTCUSDT, ETHUSDT")


def test_panic_leaves_every_position_takes_back_every_entry_and_switches_entries_off() -> None:
    book = book_of("BTCUSDT", "ETHUSDT", "SOLUSDT")
    start = book.time
    plans = [plan_at(START), plan_at(START, "ETHUSDT"), plan_at(START, "SOLUSDT")]
    book.step({place: SymbolStep(minute_at(start, 101.0), (plan,)) for place, plan in enumerate(plans)})
    start = book.time
    book.step(
        {place: SymbolStep(minute_at(start, 101.0, 101.0, low, 101.0)) for place, low in enumerate((99, 99, 101))}
    )
    assert asked(book, "panic") == Reply(True, "panicked", {"withdrawn": 1, "leaving": 2})
    assert [[order.id[-1] for order in slot.orders] for slot in book.account.slots] == [["s", "x"], ["s", "x"], []]
    assert book.account.paused
    assert asked(book, "panic") == Reply(True, "panicked", {"withdrawn": 0, "leaving": 0})
    assert len(book.named(Paused)) == 1


# --- offers


def test_with_a_person_a_plan_that_the_account_would_take_is_offered_and_nothing_rests() -> None:
    book = offering()
    assert book.named(Offered) == [Offered(book.time, "BTCUSDT", PLAN)]
    assert (wanted(book), book.named(Placed), book.account.offers) == ([], [], (PLAN,))


def test_a_plan_that_the_account_would_not_take_is_not_offered() -> None:
    book = offering(plan_at(START, atr=50.0))
    assert book.named(Offered) == []
    assert len(book.named(Rejection)) == 1


@pytest.mark.parametrize("name", [PLAN.id, PLAN.id[:5], f"#{PLAN.id[:4].upper()}"])
def test_an_offer_that_is_taken_is_traded_as_if_it_had_just_been_given(name: str) -> None:
    book = offering()
    book.minute(101.0)
    reply = asked(book, "take", signal=name)
    assert reply == Reply(True, "taken", {"signal": PLAN.id, "symbol": "BTCUSDT", "quantity": "50"})
    assert (wanted(book), book.account.offers) == (["e"], ())
    assert asked(book, "take", signal=name).reason == "no_such_offer"
    book.minute(101.0, 99.8)
    assert [fill.name for fill in book.named(Fill)] == ["e"]


def test_an_offer_that_is_skipped_ends_with_a_fact() -> None:
    book = offering()
    assert asked(book, "skip", signal=PLAN.id) == Reply(True, "skipped", {"signal": PLAN.id})
    assert book.named(Declined) == [Declined(book.time + MINUTE, "BTCUSDT", PLAN.id, "skipped")]
    assert asked(book, "skip", signal=PLAN.id).sentence == f"{PLAN.id}: no such offer waits; waiting: none"


def test_an_offer_is_asked_for_again_with_the_numbers_of_the_moment_in_which_it_is_taken() -> None:
    second = plan_at(START, number=1)
    book = offering(PLAN, second)
    asked(book, "take", signal=PLAN.id)
    reply = asked(book, "take", signal=second.id)
    assert (reply.done, reply.reason, reply.numbers["rule"]) == (False, "not_admitted", "slot_taken")
    assert book.account.offers == (second,)
    asked(book, "close", symbol="BTCUSDT")
    assert asked(book, "take", signal=second.id).done


def test_nothing_is_taken_while_entries_are_off() -> None:
    book = offering()
    asked(book, "pause")
    assert asked(book, "take", signal=PLAN.id).numbers["rule"] == "paused"
    asked(book, "resume")
    assert asked(book, "take", signal=PLAN.id).done


def test_an_entry_at_market_is_sized_by_what_it_costs_when_it_is_taken() -> None:
    book = offering(plan_at(START, entry_type="market", entry=100.0), price=100.0)
    book.minute(102.0)
    asked(book, "take", signal=PLAN.id)
    trade = book.account.slots[0].trade
    assert trade is not None
    assert (trade.plan.entry, trade.quantity) == (102.0, 25.0)  # 1 % of 10,000 over a loss of 4
    assert open_risk(trade, book.instruments[0]) == 100.0


@pytest.mark.parametrize(
    ("said", "prices", "rule"),
    [
        ({"ended": frozenset({"zone"})}, (101.0,), "zone_gone"),
        ({"turned": -1}, (101.0,), "opposite_choch"),
        ({}, (101.0, 104.0), "missed"),
        ({}, (101.0, 98.0), "stop_reached"),
        ({"leaving": True}, (101.0,), "symbol_leaves"),
        ({"unseen": True}, (101.0,), "symbol_unseen"),
    ],
)
def test_an_offer_ends_when_its_reason_is_gone(said: dict[str, Any], prices: tuple[float, ...], rule: str) -> None:
    book = offering()
    book.minute(*prices, **said)
    assert book.named(Declined) == [Declined(book.time, "BTCUSDT", PLAN.id, rule)]
    assert book.account.offers == ()


def test_the_offer_of_a_short_ends_above_its_stop() -> None:
    book = offering(short_plan_at(START), price=99.0)
    book.minute(99.0, 101.9)
    assert book.named(Declined) == []
    book.minute(101.9, 102.0)
    assert [fact.rule for fact in book.named(Declined)] == ["stop_reached"]


def test_an_offer_at_market_is_missed_beyond_its_first_target() -> None:
    book = offering(plan_at(START, entry_type="market"))
    book.minute(101.0, 104.0)
    assert [fact.rule for fact in book.named(Declined)] == ["missed"]


def test_an_offer_expires_in_its_instant_and_a_gap_passes_no_price() -> None:
    book = offering(plan_at(START, expires_at=START + 3 * MINUTE))
    book.minute(200.0, gap=True)
    assert book.named(Declined) == []
    book.minute(gap=True)
    assert [fact.rule for fact in book.named(Declined)] == ["expired"]


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        (RiskRules(day_loss_pct=0.5, drawdown_pct=90.0), "day_loss"),
        (RiskRules(day_loss_pct=90.0, drawdown_pct=0.5), "drawdown_stop"),
    ],
)
def test_an_offer_ends_with_the_accounts_own_limits(rules: RiskRules, rule: str) -> None:
    book = offering(PLAN, plan_at(START, number=1, stop=90.0), rules=rules)
    asked(book, "take", signal=PLAN.id)
    book.minute(101.0, 101.0, 97.0, 97.0)
    assert [fact.rule for fact in book.named(Declined)] == [rule]


def test_every_end_of_an_offer_is_tried_here() -> None:
    tried = {"zone_gone", "opposite_choch", "missed", "stop_reached", "expired", "day_loss", "drawdown_stop", "skipped"}
    assert set(DECLINES) == tried | {"symbol_leaves", "symbol_unseen"}


def test_an_offer_of_another_symbol_is_left_alone_by_a_minute_that_is_not_its_own() -> None:
    book = book_of("BTCUSDT", "ETHUSDT", advised=True)
    book.minute(101.0, plans=[plan_at(START, "ETHUSDT")], place=1)
    book.minute(101.0, 104.0)
    assert len(book.account.offers) == 1


def test_a_price_beyond_the_stop_or_the_target_is_not_taken() -> None:
    book = offering()
    for price in (98.0, 104.0):
        book.account = book.account._replace(slots=(book.account.slots[0]._replace(close=price),))
        reply = asked(book, "take", signal=PLAN.id)
        assert (reply.reason, reply.numbers["price"]) == ("price_gone", f"{price:g}")


def test_half_an_id_that_fits_two_offers_takes_neither() -> None:
    book = offering(PLAN, plan_at(START, number=1))
    plans = tuple(plan._replace(id="abcd" + plan.id[4:]) for plan in book.account.offers)
    book.account = book.account._replace(offers=plans)
    reply = asked(book, "take", signal="abcd")
    assert (reply.reason, reply.numbers["offers"]) == ("ambiguous_offer", ", ".join(plan.id for plan in plans))
    assert asked(book, "take", signal="  ").reason == "no_such_offer"


# --- what is no command


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        ("buy", {}, "no_such_command"),
        ("", {}, "no_such_command"),
        ("close", {}, "argument"),
        ("close", {"symbol": 5}, "argument"),
        ("close", {"symbol": ""}, "argument"),
        ("close", {"symbol": "BTCUSDT", "size": 1}, "argument"),
        ("pause", {"until": "noon"}, "argument"),
        ("take", {"id": "x"}, "argument"),
    ],
)
def test_what_is_no_command_is_refused_and_changes_nothing(
    command: str, arguments: dict[str, Any], reason: str
) -> None:
    book = waiting()
    before = book.account
    reply = asked(book, command, **arguments)
    assert (reply.done, reply.reason) == (False, reason)
    assert book.account == before
    assert {name for _, name, _, _ in string.Formatter().parse(REPLIES[reason]) if name} <= set(reply.numbers)


def test_every_command_that_is_told_of_is_obeyed() -> None:
    for command in COMMANDS:
        assert asked(book_of(), command).reason != "no_such_command"


# --- the record


def test_a_paused_account_with_an_offer_comes_back_equal() -> None:
    book = offering()
    asked(book, "pause")
    assert unpack_account(pack_account(book.account)) == book.account


def test_an_account_of_an_earlier_version_is_neither_paused_nor_has_offers() -> None:
    account = waiting().account
    words = json.loads(pack_account(account))
    earlier = [*words[:9], [slot[:4] for slot in words[9]]]
    assert unpack_account(json.dumps(earlier).encode()) == account

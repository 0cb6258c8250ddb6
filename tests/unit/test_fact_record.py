"""Facts and accounts as bytes come back equal, and what is no fact is refused."""

from __future__ import annotations

import pytest
from sample_trades import QUARTER, START, Book, instrument_of, plan_at, short_plan_at

from trading_system.rules.fact_record import (
    UnreadableRecordError,
    pack_account,
    pack_fact,
    unpack_account,
    unpack_fact,
)
from trading_system.rules.facts import Closed, EquityPoint, Fact, Fill, Funded, Halted, Placed, Withdrawn
from trading_system.rules.risk import Rejection, RiskRules


def busy_book() -> Book:
    """Return a book in which every kind of fact has happened and a trade is open."""
    rules = RiskRules(day_loss_pct=0.5, drawdown_pct=90.0)
    book = Book((instrument_of(taker_fee=0.0005, maker_fee=0.0002),), rules, time=START + 30 * QUARTER)
    book.minute(103.0, plans=[plan_at(START), plan_at(START, number=1)])
    book.minute(103.0, 103.0, 99.0, 101.0)
    book.minute(101.0, funding=0.0001)
    book.minute(101.0, 101.0, 97.0, 97.0)
    book.time = START + 96 * QUARTER
    book.minute(97.0, plans=[plan_at(book.time, entry=90.0, stop=88.0, zone="gone")])
    book.minute(97.0, ended=frozenset({"gone"}))
    book.minute(97.0, plans=[short_plan_at(book.time)])
    book.minute(97.0, 101.0, 97.0, 99.0)
    return book


def test_every_kind_of_fact_comes_back_equal() -> None:
    facts = busy_book().facts
    kinds = {Placed, Fill, Withdrawn, Closed, Funded, EquityPoint, Halted, Rejection}
    assert {type(fact) for fact in facts} == kinds
    for fact in facts:
        again: Fact = unpack_fact(pack_fact(fact))
        assert again == fact
        assert type(again) is type(fact)
        assert pack_fact(again) == pack_fact(fact)


def test_an_account_with_an_open_trade_comes_back_equal_and_goes_on_as_before() -> None:
    book = busy_book()
    assert book.account.slots[0].trade is not None
    again = unpack_account(pack_account(book.account))
    assert again == book.account
    before, first = book.account, book.minute(99.0, 99.0, 91.0, 91.5)
    after = book.account
    book.account, book.time = unpack_account(pack_account(before)), book.time - 60_000
    assert book.minute(99.0, 99.0, 91.0, 91.5) == first
    assert book.account == after


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b'["Placed"]', b'["Nothing", {}]', b'[["Placed"], []]', b'["EquityPoint", ["x", 1.0]]'],
)
def test_what_is_no_fact_of_this_version_is_refused(payload: bytes) -> None:
    with pytest.raises(UnreadableRecordError, match="expected a fact of this version"):
        unpack_fact(payload)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1, 2]", b'["a"]'])
def test_what_is_no_account_of_this_version_is_refused(payload: bytes) -> None:
    with pytest.raises(UnreadableRecordError, match="expected an account of this version"):
        unpack_account(payload)

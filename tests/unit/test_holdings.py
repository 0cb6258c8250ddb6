"""What an account holds at given prices, held against the account's own marks."""

from __future__ import annotations

from sample_trades import Book, instrument_of, plan_at, short_plan_at

from trading_system.rules.account import Account
from trading_system.rules.facts import EquityPoint
from trading_system.rules.holdings import Holding, equity_at, holdings
from trading_system.rules.trade import leaving

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def held_of(account: Account, *closes: float) -> tuple[Holding, ...]:
    return holdings(account, SYMBOLS[: len(account.slots)], dict(zip(SYMBOLS, closes, strict=False)))


def test_a_waiting_entry_shows_its_plan_and_no_profit() -> None:
    book = Book()
    book.minute(101.0, plans=[plan_at(book.time + 60_000)])
    (one,) = held_of(book.account, 101.0)
    assert (one.waiting, one.quantity, one.entry, one.targets) == (True, 50.0, 100.0, (104.0, 108.0))
    assert (one.unrealised, one.r, one.covered) == (None, None, False)
    assert equity_at(book.account, [one]) == 10_000.0


def test_profit_and_equity_are_the_account_s_own_to_the_last_bit_while_two_positions_live() -> None:
    book = Book((instrument_of(taker_fee=0.0005, maker_fee=0.0002), instrument_of("ETHUSDT", taker_fee=0.0005)))
    plan = plan_at(book.time + 60_000)
    book.minute(101.0, plans=[plan])
    book.minute(101.0, place=1, plans=[short_plan_at(book.time + 60_000, "ETHUSDT")])
    book.minute(101.0, 99.7)
    book.minute(99.0, 100.3, place=1)
    marked = 0
    for n in range(60):
        book.minute(99.7 + n / 23, place=0)
        book.minute(100.3 - n / 31, place=1)
        account = book.account
        points = [point for point in book.named(EquityPoint) if point.time == book.time]
        held = held_of(account, *(slot.close for slot in account.slots))
        if points:
            marked += 1
            assert equity_at(account, held) == account.equity == points[-1].equity
    assert marked >= 2
    assert any(not one.waiting for one in held)


def test_r_counts_what_the_targets_brought_and_the_targets_left_are_named() -> None:
    book = Book()
    book.minute(101.0, plans=[plan_at(book.time + 60_000)])
    book.minute(101.0, 99.5)
    book.minute(99.5, 104.5)
    (one,) = held_of(book.account, 106.0)
    assert (one.quantity, one.targets, one.covered, one.trade.stop) == (25.0, (108.0,), True, 100.0)
    assert (one.unrealised, one.r) == (150.0, (100.0 + 150.0) / 100.0)


def test_a_position_whose_stop_is_smaller_than_itself_or_not_there_is_not_covered() -> None:
    book = Book()
    book.minute(101.0, plans=[plan_at(book.time + 60_000)])
    book.minute(101.0, 99.5)
    slot = book.account.slots[0]
    assert slot.trade is not None
    stop = slot.orders[0]
    smaller = slot._replace(orders=(stop._replace(quantity=stop.quantity / 2), *slot.orders[1:]))
    gone = slot._replace(trade=leaving(slot.trade, "stop_passed"), orders=())
    covered = [held_of(book.account._replace(slots=(one,)), 101.0)[0].covered for one in (slot, smaller, gone)]
    assert covered == [True, False, False]


def test_without_a_price_nothing_is_guessed() -> None:
    book = Book()
    book.minute(101.0, plans=[plan_at(book.time + 60_000)])
    book.minute(101.0, 99.5)
    (one,) = held_of(book.account)
    assert (one.last, one.unrealised, one.r, equity_at(book.account, [one])) == (None, None, None, None)

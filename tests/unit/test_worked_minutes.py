"""Every minute worked by hand, asked of the product and of the slow reference."""

from __future__ import annotations

import pytest
from product_trade import START_EQUITY, play_product
from reference_market import ReferenceTrade
from worked_minutes import MINUTE, START, WORKED, Prices, Worked

from trading_system.rules.matching import Minute, Role

Row = tuple[int, Role, int, float, float, float]


def minutes_of(rows: tuple[Prices | None, ...]) -> list[Minute]:
    minutes = []
    for place, row in enumerate(rows):
        opens_at = START + place * MINUTE
        minutes.append(Minute(opens_at, 0.0, 0.0, 0.0, 0.0, gap=True) if row is None else Minute(opens_at, *row))
    return minutes


def expected_rows(case: Worked) -> list[Row]:
    return [
        (START + one.at[0] * MINUTE + one.at[1] * 1000, one.role, one.target, one.price, one.quantity, one.fee)
        for one in case.fills
    ]


every_case = pytest.mark.parametrize("case", WORKED, ids=lambda case: case.name.replace(" ", "_"))


@every_case
def test_the_reference_agrees_with_the_hand(case: Worked) -> None:
    trade = ReferenceTrade(case.bracket, case.instrument, case.rules)
    rates = dict(case.funding)
    for place, minute in enumerate(minutes_of(case.minutes)):
        trade.minute(minute, rates.get(place))
    got = [(one.time, one.role, one.target, one.price, one.quantity, one.fee) for one in trade.fills]
    assert got == expected_rows(case), case.why
    assert trade.state == case.state, case.why
    assert sum(trade.cash) == pytest.approx(case.wallet, abs=1e-9), case.why


@every_case
def test_the_product_agrees_with_the_hand(case: Worked) -> None:
    fills, trade = play_product(
        case.bracket, case.instrument, case.rules, minutes_of(case.minutes), dict(case.funding), START
    )
    got = [
        (one.time, one.role, int(one.name) if one.name.isdigit() else 0, one.price, one.quantity, one.fee)
        for one in fills
    ]
    assert got == expected_rows(case), case.why
    assert trade.state == case.state, case.why
    assert trade.account.wallet - START_EQUITY == pytest.approx(case.wallet, abs=1e-6), case.why


def test_there_are_at_least_two_dozen_worked_minutes_and_each_has_a_name_of_its_own() -> None:
    assert len(WORKED) >= 24
    assert len({case.name for case in WORKED}) == len(WORKED)

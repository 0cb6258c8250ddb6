"""The life of one trade: its slices, the orders that should rest, and what it answers to a fill."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sample_trades import MINUTE, START, instrument_of, plan_at, short_plan_at

from trading_system.rules.grid import Grid
from trading_system.rules.matching import OrderType, Role
from trading_system.rules.trade import (
    Trade,
    entered,
    leaving,
    liquidation_price,
    open_risk,
    realised,
    reduced,
    slices_of,
    wanted_orders,
)
from trading_system.rules.trade_plan import Target

STEP = Grid(1, 1000)
INSTRUMENT = instrument_of(taker_fee=0.0005)


def trade_of(quantity: float = 1.0, side: int = 1, **changed: object) -> Trade:
    plan = (plan_at if side > 0 else short_plan_at)(START, **changed)
    return Trade(plan, quantity, slices_of(quantity, plan.targets, STEP, 5.0), 2.0 * quantity, plan.stop)


def opened(side: int = 1, price: float = 100.0, **changed: object) -> Trade:
    trade = trade_of(side=side, **changed)
    return entered(trade, price, trade.quantity, START + MINUTE + 15_000, 0.05, INSTRUMENT)


weights = st.lists(st.integers(1, 100), min_size=1, max_size=9)


@given(st.integers(1, 10**9), weights, st.sampled_from([0.0, 5.0, 100.0]), st.sampled_from([1, 10, 1000, 10**5]))
def test_slices_add_up_and_each_is_worth_the_minimum_unless_it_is_alone(
    units: int, shares: list[int], minimum: float, den: int
) -> None:
    step = Grid(1, den)
    quantity = step.price(units)
    targets = [Target(100.0 + n, share / sum(shares)) for n, share in enumerate(shares)]
    slices = slices_of(quantity, targets, step, minimum)
    assert len(slices) == len(targets)
    assert sum(step.units(one) for one in slices) == units
    assert all(step.holds(one) and one >= 0 for one in slices)
    sold = [(one, target.price) for one, target in zip(slices, targets, strict=True) if one]
    assert sold
    if len(sold) > 1:
        assert all(one * price >= minimum for one, price in sold)


@given(st.integers(1, 10**6), weights)
def test_a_slice_is_its_share_rounded_down_where_no_minimum_joins_it(units: int, shares: list[int]) -> None:
    assume(len(shares) > 1)
    targets = [Target(100.0, share / sum(shares)) for share in shares]
    slices = slices_of(STEP.price(units), targets, STEP, 0.0)
    assert [STEP.units(one) for one in slices[:-1]] == [units * share // sum(shares) for share in shares[:-1]]


def test_a_small_slice_joins_the_next_target_and_a_small_last_one_the_target_before() -> None:
    targets = [Target(100.0, 0.1), Target(110.0, 0.8), Target(120.0, 0.1)]
    assert slices_of(0.4, targets, STEP, 5.0) == (0.0, 0.4, 0.0)


def test_a_position_too_small_for_any_slice_is_sold_at_the_last_target() -> None:
    assert slices_of(0.01, [Target(100.0, 0.5), Target(110.0, 0.5)], STEP, 5.0) == (0.0, 0.01)


def test_a_waiting_trade_wants_its_entry_only() -> None:
    (want,) = wanted_orders(trade_of())
    assert want == ("e", Role.ENTRY, OrderType.LIMIT, 1, 100.0, 1.0)
    (want,) = wanted_orders(trade_of(entry_type="market"))
    assert want == ("e", Role.ENTRY, OrderType.MARKET, 1, 0.0, 1.0)


@pytest.mark.parametrize("side", [1, -1])
def test_an_open_trade_wants_its_stop_before_its_targets(side: int) -> None:
    wants = wanted_orders(opened(side))
    assert [want.name for want in wants] == ["s", "1", "2"]
    assert all(want.side == -side for want in wants)
    assert [want.quantity for want in wants] == [1.0, 0.5, 0.5]


def test_after_the_first_target_the_stop_is_at_the_price_of_the_entry() -> None:
    trade = reduced(opened(price=99.5), "1", 104.0, 0.5, 0.0, STEP)
    assert trade.stop == 99.5
    assert trade.held == 0.5
    assert [(want.name, want.price, want.quantity) for want in wanted_orders(trade)] == [
        ("s", 99.5, 0.5),
        ("2", 108.0, 0.5),
    ]


def test_break_even_never_loosens_a_stop() -> None:
    slipped_below_the_stop = opened(price=97.0)
    assert reduced(slipped_below_the_stop, "1", 104.0, 0.5, 0.0, STEP).stop == 98.0
    assert reduced(opened(-1, price=103.0), "1", 96.0, 0.5, 0.0, STEP).stop == 102.0


def test_a_trade_that_leaves_keeps_its_stop_but_not_its_targets() -> None:
    wants = wanted_orders(leaving(opened(), "time_stop"))
    assert [(want.name, want.type) for want in wants] == [("s", OrderType.STOP), ("x", OrderType.MARKET)]


def test_a_trade_whose_stop_is_passed_wants_nothing_but_to_leave() -> None:
    assert [want.name for want in wanted_orders(leaving(opened(), "stop_passed"))] == ["x"]


def test_the_first_reason_to_leave_stands() -> None:
    assert leaving(leaving(opened(), "time_stop"), "stop_passed").exit == "time_stop"


@pytest.mark.parametrize(("side", "gain"), [(1, 2.0), (-1, -2.0)])
def test_profit_is_counted_on_the_side_of_the_trade_and_fees_are_taken_off(side: int, gain: float) -> None:
    trade = opened(side)
    assert realised(trade, 104.0, 0.5) == gain
    assert reduced(trade, "x", 104.0, 0.5, 0.25, STEP).earned == -0.05 + gain - 0.25


def test_taking_off_slices_of_decimals_leaves_exactly_nothing() -> None:
    trade = entered(trade_of(0.3), 100.0, 0.3, START, 0.0, INSTRUMENT)._replace(slices=(0.1, 0.2))
    trade = reduced(trade, "1", 104.0, 0.1, 0.0, STEP)
    assert trade.held == 0.2
    assert reduced(trade, "2", 108.0, 0.2, 0.0, STEP).held == 0.0


def test_the_time_stop_counts_from_the_open_of_the_minute_of_the_entry() -> None:
    assert opened(time_stop=10 * MINUTE).leave_at == START + 11 * MINUTE


@pytest.mark.parametrize("leverage", [1.0, 3.0, 5.0, 20.0, 125.0])
def test_liquidation_lies_on_the_losing_side_and_on_the_grid(leverage: float) -> None:
    for side in (1, -1):
        edge = liquidation_price(side, 100.0, leverage, INSTRUMENT)
        assert INSTRUMENT.tick.holds(edge)
        assert (100.0 - edge) * side > 0 or leverage == 125.0
        exact = 100.0 * (1 - side / leverage) / (1 - side * INSTRUMENT.maintenance_margin)
        assert 0 <= (edge - exact) * side < 0.1 + 1e-9  # the earlier of the two ticks around it


def test_open_risk_counts_fees_and_is_never_negative() -> None:
    assert open_risk(trade_of(2.0), INSTRUMENT) == pytest.approx(2 * (2.0 + 0.0005 * 198.0))
    assert open_risk(opened(), INSTRUMENT) == pytest.approx(2.0 + 0.0005 * 198.0)
    at_profit = opened()._replace(stop=103.0)
    assert open_risk(at_profit, INSTRUMENT) == 0.0


def test_an_entry_that_fills_in_part_is_a_trade_of_that_size() -> None:
    part = entered(trade_of(1.0), 100.0, 0.4, START, 0.02, INSTRUMENT)
    assert (part.quantity, part.held, part.slices, part.risk) == (0.4, 0.4, (0.2, 0.2), 0.8)
    assert [(want.name, want.quantity) for want in wanted_orders(part)] == [("s", 0.4), ("1", 0.2), ("2", 0.2)]


def test_a_part_that_fills_later_is_added_at_its_price() -> None:
    whole = trade_of(1.0)
    for price, quantity in ((100.0, 0.4), (99.0, 0.6)):
        whole = entered(whole, price, quantity, START + round(quantity * 100), 0.02, INSTRUMENT)
    assert (whole.quantity, whole.held, whole.slices, whole.risk) == (1.0, 1.0, (0.5, 0.5), 2.0)
    assert (whole.entry_price, whole.opened_at) == (pytest.approx(99.4), START + 40)
    assert whole.earned == -0.04


def test_what_fills_after_the_first_target_goes_to_the_last() -> None:
    part = reduced(entered(trade_of(1.0), 100.0, 0.4, START, 0.0, INSTRUMENT), "1", 104.0, 0.2, 0.0, STEP)
    more = entered(part, 100.0, 0.6, START, 0.0, INSTRUMENT)
    assert (more.held, more.slices, more.quantity) == (0.8, (0.0, 0.8), 1.0)


def test_a_target_that_fills_in_part_keeps_its_rest() -> None:
    trade = reduced(opened(), "1", 104.0, 0.2, 0.0, STEP)
    assert (trade.held, trade.slices) == (0.8, (0.3, 0.5))
    assert reduced(trade, "1", 104.0, 0.3, 0.0, STEP).slices == (0.0, 0.5)

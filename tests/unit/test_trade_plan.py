from __future__ import annotations

import base64
import hashlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_system.rules.events import Event
from trading_system.rules.grid import Grid, Instrument, grid_of_text
from trading_system.rules.score import EventValueError
from trading_system.rules.trade_plan import (
    PLAN_REFUSALS,
    Plan,
    PlanRules,
    PlanRulesError,
    Refusal,
    SizeError,
    Target,
    check_plan_rules,
    ladder,
    loss_of,
    plan_of,
    r_multiple,
    size_of,
)

MINUTE = 60_000
QUARTER = 15 * MINUTE
AT = 1_700_000_100_000
FEE = 0.0005


def instrument_of(tick: str = "0.1", step: str = "0.001") -> Instrument:
    return Instrument(
        exchange="binance_usdm",
        symbol="BTCUSDT",
        tick=grid_of_text(tick),
        step=grid_of_text(step),
        min_notional=5.0,
        taker_fee=FEE,
        maker_fee=0.0002,
        maintenance_margin=0.004,
    )


def event_of(kind: str, direction: int, values: dict[str, float | int | str]) -> Event:
    return Event("event", kind, "binance_usdm", "BTCUSDT", "15m", direction, AT - 5 * QUARTER, AT, None, None, values)


def block_of(top: float, bottom: float, atr: float, direction: int = 1, **changed: float | str) -> Event:
    values: dict[str, float | int | str] = {
        "top": top,
        "bottom": bottom,
        "close": top if direction > 0 else bottom,
        "atr": atr,
        "volume": 480.0,
        "strength": 40.0,
        "displacement": 1.0,
        "has_fvg": 0,
        "break_kind": "bos",
        "confluence": 0,
        "trend": 0,
    }
    return event_of("ob_formed", direction, values | changed)


def flag_of(
    base: float, tip: float, extreme: float, close: float, atr: float, direction: int = 1, **changed: float | str
) -> Event:
    values: dict[str, float | int | str] = {
        "close": close,
        "base_price": base,
        "tip_price": tip,
        "extreme": extreme,
        "atr": atr,
        "width": 12,
        "pole_width": 40,
        "depth": 0.3,
        "shape": "flag",
        "confluence": 0,
        "trend": 0,
    }
    return event_of("flag_breakout", direction, values | changed)


def planned(event: Event, rules: PlanRules, instrument: Instrument, liquidity: tuple[float, ...] = ()) -> Plan:
    result = plan_of(event, instrument, rules, QUARTER, liquidity)
    assert isinstance(result, Plan), result
    return result


def refused(event: Event, rules: PlanRules, instrument: Instrument, liquidity: tuple[float, ...] = ()) -> Refusal:
    result = plan_of(event, instrument, rules, QUARTER, liquidity)
    assert isinstance(result, Refusal), result
    return result


BULL_BLOCK = block_of(30100.0, 29900.0, 400.0)
BEAR_BLOCK = block_of(2050.0, 2000.0, 20.0, direction=-1)
BULL_FLAG = flag_of(60000.0, 66000.0, 62000.0, 64200.0, 600.0)
SWING = PlanRules(block_targets="swing")

# Every row: case, event, rules, liquidity, step, entry, stop, targets, R multiples, net reward to loss, quantity.
PLANS = [
    ("P1", BULL_BLOCK, PlanRules(), (), "0.001", 30100.0, 29860.0, (30340.0, 30580.0, 30820.0), (1, 2, 3), 1.399, 0.37),
    (
        "P1b",
        BULL_BLOCK,
        SWING,
        (31250.0, 30800.0),
        "0.001",
        30100.0,
        29860.0,
        (30780.0, 31230.0),
        (2.833, 4.708),
        3.031,
        0.37,
    ),
    (
        "P2",
        BULL_BLOCK,
        PlanRules(entry_at=0.5),
        (),
        "0.001",
        30000.0,
        29860.0,
        (30140.0, 30280.0, 30420.0),
        (1, 2, 3),
        1.223,
        0.588,
    ),
    ("P3", BEAR_BLOCK, SWING, (1880.0, 1930.0), "0.01", 2000.0, 2052.0, (1931.0, 1881.0), (1.327, 2.288), 1.588, 1.85),
    (
        "P5",
        BULL_FLAG,
        PlanRules(flag_log="always"),
        (),
        "0.001",
        64200.0,
        61940.0,
        (65026.1, 68200.0),
        (0.366, 1.77),
        1.011,
        0.043,
    ),
    (
        "P6 without its filter",
        BULL_FLAG,
        PlanRules(min_rr=0.0),
        (),
        "0.001",
        64200.0,
        61940.0,
        (65000.0, 68000.0),
        (0.354, 1.681),
        0.962,
        0.043,
    ),
]


@pytest.mark.parametrize("row", PLANS, ids=[row[0] for row in PLANS])
def test_a_plan_has_the_numbers_worked_out_by_hand(row: tuple[Any, ...]) -> None:
    _, event, rules, liquidity, step, entry, stop, targets, multiples, rr_net, quantity = row
    instrument = instrument_of(step=step)
    plan = planned(event, rules, instrument, liquidity)
    assert (plan.entry, plan.stop) == (entry, stop)
    assert tuple(target.price for target in plan.targets) == targets
    assert tuple(round(r_multiple(plan, price), 3) for price in targets) == multiples
    assert round(plan.rr_net, 3) == rr_net
    assert size_of(loss_of(plan, FEE), 10_000.0, 1.0, instrument.step) == quantity


def test_p6_is_refused_because_its_measured_move_earns_less_than_it_risks() -> None:
    refusal = refused(BULL_FLAG, PlanRules(), instrument_of())
    assert (refusal.rule, round(refusal.numbers["rr_net"], 3), refusal.numbers["min_rr"]) == ("rr_too_low", 0.962, 1.0)


def test_a_reward_of_exactly_the_least_is_enough() -> None:
    rr_net = refused(BULL_FLAG, PlanRules(), instrument_of()).numbers["rr_net"]
    assert planned(BULL_FLAG, PlanRules(min_rr=rr_net), instrument_of()).rr_net == rr_net
    assert refused(BULL_FLAG, PlanRules(min_rr=math.nextafter(rr_net, 2.0)), instrument_of()).rule == "rr_too_low"


def test_a_level_at_the_entry_takes_no_weight_from_those_beyond() -> None:
    levels = (30100.0, 30800.0, 31250.0, 32000.0)
    assert planned(BULL_BLOCK, SWING, instrument_of(), levels).targets[2].price == 31980.0


def test_p7_is_refused_because_fees_eat_its_only_target() -> None:
    refusal = refused(BULL_BLOCK, SWING, instrument_of(), (30150.0,))
    assert refusal.rule == "rr_too_low"
    assert -0.0005 < refusal.numbers["rr_net"] < 0
    plan = planned(BULL_BLOCK, SWING._replace(min_rr=0.0), instrument_of(), (30200.0,))
    assert plan.targets == (Target(30180.0, 1.0),)


def test_the_loss_of_p1_is_its_risk_and_both_fees() -> None:
    plan = planned(BULL_BLOCK, PlanRules(), instrument_of())
    assert loss_of(plan, FEE) == pytest.approx(240 + 29.98, abs=1e-9)


def test_swing_weights_are_shared_out_over_the_levels_that_exist() -> None:
    plan = planned(BULL_BLOCK, SWING, instrument_of(), (30800.0, 31250.0))
    assert tuple(target.weight for target in plan.targets) == (0.625, 0.375)
    three = planned(BULL_BLOCK, SWING, instrument_of(), (31250.0, 30800.0, 31250.0, 32000.0, 33000.0, 30050.0))
    assert three.targets == (Target(30780.0, 0.5), Target(31230.0, 0.3), Target(31980.0, 0.2))


def test_a_level_whose_early_exit_lies_at_the_entry_is_dropped() -> None:
    plan = planned(BULL_BLOCK, SWING, instrument_of(), (30120.0, 31250.0))
    assert plan.targets == (Target(31230.0, 1.0),)


@pytest.mark.parametrize("liquidity", [(), (30100.0, 29000.0), (30120.0,)])
def test_a_block_without_a_level_beyond_its_entry_is_refused(liquidity: tuple[float, ...]) -> None:
    assert refused(BULL_BLOCK, SWING, instrument_of(), liquidity).rule == "no_target"


def test_a_flag_that_ran_past_its_first_target_gives_the_weight_to_the_other() -> None:
    late = flag_of(60000.0, 66000.0, 62000.0, 65000.0, 600.0)
    assert planned(late, PlanRules(min_rr=0.0), instrument_of()).targets == (Target(68000.0, 1.0),)
    later = flag_of(60000.0, 66000.0, 62000.0, 68000.0, 600.0)
    assert refused(later, PlanRules(), instrument_of()).rule == "no_target"


def test_a_dropped_target_s_weight_is_shared_in_proportion_and_equal_prices_become_one() -> None:
    wanted = [Target(9.0, 20.0), Target(12.0, 30.0), Target(11.0, 40.0), Target(12.0, 10.0)]
    assert ladder(wanted, 10.0, 1) == (Target(11.0, 0.5), Target(12.0, 0.5))
    assert ladder([Target(10.0, 1.0), Target(0.0, 1.0), Target(-3.0, 1.0)], 5.0, -1) == ()


def test_a_pole_above_a_fifth_in_log_price_is_measured_in_proportion() -> None:
    small = flag_of(100.0, 122.0, 115.0, 116.0, 1.0)
    tall = flag_of(100.0, 123.0, 115.0, 116.0, 1.0)
    assert planned(small, PlanRules(), instrument_of()).targets[1].price == 137.0
    assert planned(tall, PlanRules(), instrument_of()).targets[1].price == 141.4  # 115 * 1.23 = 141.45, down
    assert planned(tall, PlanRules(flag_log="never"), instrument_of()).targets[1].price == 138.0


def test_a_stop_lies_at_least_one_tick_beyond_the_pattern() -> None:
    quiet = block_of(30100.0, 29900.0, 0.0)
    assert planned(quiet, PlanRules(min_rr=0.0), instrument_of()).stop == 29899.9
    # 0.3 - 0.1 in floats is a little below 0.2 and would be snapped a tick too far.
    coins = block_of(0.5, 0.3, 0.0)
    assert planned(coins, PlanRules(min_rr=0.0), instrument_of()).stop == 0.2


def test_multiples_of_r_are_exact_ticks() -> None:
    plan = planned(block_of(0.3, 0.2, 0.0), PlanRules(min_rr=0.0), instrument_of())
    assert (plan.entry, plan.stop) == (0.3, 0.1)
    assert tuple(target.price for target in plan.targets) == (0.5, 0.7, 0.9)


def test_prices_between_two_ticks_go_down_for_a_long_and_up_for_a_short() -> None:
    long = planned(block_of(101.0, 100.0, 0.75), PlanRules(entry_at=0.33, min_rr=0.0), instrument_of())
    assert (long.entry, long.stop) == (100.6, 99.9)  # 100.67 and 99.925
    assert tuple(target.price for target in long.targets) == (101.3, 102.0, 102.7)
    short = planned(block_of(101.0, 100.0, 0.75, direction=-1), PlanRules(entry_at=0.33, min_rr=0.0), instrument_of())
    assert (short.entry, short.stop) == (100.4, 101.1)  # 100.33 and 101.075
    assert tuple(target.price for target in short.targets) == (99.7, 99.0, 98.3)


def test_a_block_plan_waits_as_a_limit_for_its_candles_and_has_no_time_stop() -> None:
    plan = planned(BULL_BLOCK, PlanRules(), instrument_of())
    assert (plan.pattern, plan.side, plan.entry_type, plan.zone) == ("order_block", 1, "limit", "event")
    assert (plan.time, plan.confirmed_at, plan.atr) == (AT - 5 * QUARTER, AT, 400.0)
    assert plan.expires_at == AT + 20 * QUARTER
    assert plan.time_stop == 0
    assert plan.score == 30 + 5 + 5 + 7 + 2
    assert plan.reasons == ("bos", "displacement", "fresh", "volume")
    assert sum(component.points for component in plan.components) == plan.score


@pytest.mark.parametrize(("width", "candles"), [(6, 40), (10, 40), (15, 60)])
def test_a_flag_plan_enters_at_market_and_ends_after_four_of_its_widths(width: int, candles: int) -> None:
    event = flag_of(60000.0, 66000.0, 62000.0, 64200.0, 600.0, width=width)
    plan = planned(event, PlanRules(flag_log="always"), instrument_of())
    assert (plan.pattern, plan.entry_type, plan.zone) == ("flag", "market", "")
    assert plan.time_stop == candles * QUARTER


def test_the_id_of_a_plan_is_the_hash_of_what_makes_it_unique() -> None:
    text = f"1|binance_usdm|BTCUSDT|15m|{AT}|order_block|1"
    expected = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16].lower()
    assert planned(BULL_BLOCK, PlanRules(), instrument_of()).id == expected


@pytest.mark.parametrize(
    ("mode", "allowed"),
    [("off", {-1, 0, 1}), ("not_against", {0, 1}), ("with", {1})],
)
def test_the_trend_mode_says_which_trends_a_side_may_meet(mode: Any, allowed: set[int]) -> None:
    for side in (1, -1):
        for trend in (-1, 0, 1):
            event = block_of(30100.0, 29900.0, 400.0, direction=side, trend=side * trend)
            result = plan_of(event, instrument_of(), PlanRules(trend=mode), QUARTER)
            assert isinstance(result, Plan) == (trend in allowed)
            if isinstance(result, Refusal):
                assert result.rule == "against_trend"
                assert result.numbers == {"trend": side * trend, "side": side}


def test_a_refusal_names_its_event_and_a_rule_of_the_closed_set() -> None:
    refusal = refused(BULL_FLAG, PlanRules(), instrument_of())
    assert refusal[1:8] == ("binance_usdm", "BTCUSDT", "15m", "flag", 1, AT, "event")
    assert refusal.rule in PLAN_REFUSALS
    assert set(PLAN_REFUSALS) == {"against_trend", "stop_not_a_price", "no_target", "rr_too_low"}


def test_a_stop_at_zero_is_refused() -> None:
    assert refused(block_of(0.5, 0.1, 0.0), PlanRules(min_rr=0.0), instrument_of()).rule == "stop_not_a_price"


@pytest.mark.parametrize("kind", ["swing_high", "bos", "ob_touched", "flag_pole", "flag_failed"])
def test_other_kinds_of_events_make_no_plan(kind: str) -> None:
    assert plan_of(event_of(kind, 1, {}), instrument_of(), PlanRules(), QUARTER) is None


@pytest.mark.parametrize("name", ["top", "bottom", "atr", "trend", "strength"])
def test_a_block_that_lacks_a_number_is_an_error(name: str) -> None:
    values = {key: value for key, value in BULL_BLOCK.values.items() if key != name}
    with pytest.raises(EventValueError, match=f"expected a finite number as '{name}', was None"):
        plan_of(event_of("ob_formed", 1, values), instrument_of(), PlanRules(), QUARTER)


def test_a_flag_whose_prices_contradict_each_other_is_an_error() -> None:
    with pytest.raises(EventValueError, match="losing side"):
        plan_of(flag_of(60000.0, 66000.0, 65000.0, 64200.0, 600.0), instrument_of(), PlanRules(), QUARTER)
    with pytest.raises(EventValueError, match="above 0"):
        plan_of(flag_of(0.0, 66000.0, 62000.0, 64200.0, 600.0), instrument_of(), PlanRules(), QUARTER)


def test_another_symbol_s_instrument_is_an_error() -> None:
    with pytest.raises(EventValueError, match="was that of binance_usdm ETHUSDT"):
        plan_of(BULL_BLOCK, instrument_of()._replace(symbol="ETHUSDT"), PlanRules(), QUARTER)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("entry_at", 1.1),
        ("entry_at", math.nan),
        ("stop_atr", -0.1),
        ("block_targets", "fib"),
        ("block_multiples", ()),
        ("block_weights", (50.0, 50.0)),
        ("block_weights", (50.0, 50.0, 0.0)),
        ("front_run_atr", math.inf),
        ("flag_targets", (0.5, -1.0)),
        ("flag_log", "maybe"),
        ("flag_time_stop", -1),
        ("ttl", 0),
        ("min_rr", -1.0),
        ("trend", "against"),
    ],
)
def test_a_setting_out_of_its_range_is_named_with_what_it_was(name: str, value: Any) -> None:
    with pytest.raises(PlanRulesError, match=f"{name}: expected .* was"):
        check_plan_rules(PlanRules()._replace(**{name: value}))


@pytest.mark.parametrize(("loss", "equity", "risk"), [(0.0, 1e4, 1.0), (1.0, 0.0, 1.0), (1.0, 1e4, math.nan)])
def test_nothing_is_sized_from_a_loss_equity_or_risk_that_is_not_positive(
    loss: float, equity: float, risk: float
) -> None:
    with pytest.raises(SizeError, match="expected a positive number"):
        size_of(loss, equity, risk, Grid(1, 1000))


@given(
    loss=st.floats(0.01, 1e5), equity=st.floats(1.0, 1e7), risk=st.floats(0.01, 5.0), den=st.sampled_from([1, 10, 1000])
)
def test_a_stop_out_costs_the_risk_at_most_and_less_than_one_step_under_it(
    loss: float, equity: float, risk: float, den: int
) -> None:
    step = Grid(1, den)
    quantity = size_of(loss, equity, risk, step)
    assert step.holds(quantity)
    budget = equity * risk / 100
    assert quantity * loss <= budget * (1 + 1e-12)
    assert (quantity + 1 / den) * loss >= budget * (1 - 1e-12)


# A tick that floats hold exactly, so that mirroring a price loses nothing.
QUARTER_TICK = Grid(1, 4)
MIRROR = 20_000.0
anywhere = st.integers(1, 80_000).map(QUARTER_TICK.price)
far_from_zero = st.integers(36_000, 44_000).map(QUARTER_TICK.price)
atrs = st.integers(0, 800).map(lambda eighths: eighths / 8)
sides = st.sampled_from([1, -1])
binary = instrument_of()._replace(tick=QUARTER_TICK)


@st.composite
def plan_rules(draw: st.DrawFn) -> PlanRules:
    return PlanRules(
        entry_at=draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])),
        stop_atr=draw(st.sampled_from([0.0, 0.125, 0.5, 1.0])),
        block_targets=draw(st.sampled_from(["r", "swing"])),
        front_run_atr=draw(st.sampled_from([0.0, 0.125])),
        flag_log=draw(st.sampled_from(["auto", "never"])),
        min_rr=0.0,
        trend="off",
    )


@st.composite
def events(draw: st.DrawFn, ticks: st.SearchStrategy[float]) -> Event:
    side, atr = draw(sides), draw(atrs)
    low, high = sorted((draw(ticks), draw(ticks)))
    if draw(st.booleans()):
        return block_of(high, low, atr, direction=side)
    # A bull flag has base < extreme <= close and tip >= extreme; a bear flag is its mirror.
    order = sorted((draw(ticks), low, high), reverse=side < 0)
    close = draw(ticks)
    close = max(close, order[1]) if side > 0 else min(close, order[1])
    return flag_of(order[0], order[2], order[1], close, atr, direction=side)


def mirrored(event: Event) -> Event:
    prices = {"top": "bottom", "bottom": "top"}
    values = dict(event.values)
    for name in ("top", "bottom", "close", "base_price", "tip_price", "extreme"):
        if name in event.values:
            values[prices.get(name, name)] = MIRROR - float(event.values[name])
    return event_of(event.kind, -event.direction, values)


@given(event=events(anywhere), rules=plan_rules(), levels=st.lists(anywhere, max_size=6))
def test_every_plan_loses_at_its_stop_wins_at_its_targets_and_lies_on_the_grid(
    event: Event, rules: PlanRules, levels: list[float]
) -> None:
    plan = plan_of(event, binary, rules, QUARTER, levels)
    assert plan is not None
    if isinstance(plan, Refusal):
        assert plan.rule in PLAN_REFUSALS
        return
    side = plan.side
    assert (plan.entry - plan.stop) * side >= QUARTER_TICK.price(1)
    distances = [(target.price - plan.entry) * side for target in plan.targets]
    assert all(distance > 0 for distance in distances)
    assert distances == sorted(set(distances))
    assert sum(target.weight for target in plan.targets) == pytest.approx(1.0)
    assert all(QUARTER_TICK.holds(price) for price in (plan.entry, plan.stop, *(t.price for t in plan.targets)))
    assert min(plan.entry, plan.stop, *(target.price for target in plan.targets)) > 0
    assert plan.rr_net >= 0
    assert 0 <= plan.score <= 100


@given(event=events(far_from_zero), rules=plan_rules(), levels=st.lists(far_from_zero, max_size=6))
def test_the_mirror_image_of_an_event_gives_the_mirror_image_of_its_plan(
    event: Event, rules: PlanRules, levels: list[float]
) -> None:
    rules = rules._replace(flag_log="never")  # proportions have no mirror image
    free = binary._replace(taker_fee=0.0)  # and fees grow with the price
    one = plan_of(event, free, rules, QUARTER, levels)
    other = plan_of(mirrored(event), free, rules, QUARTER, [MIRROR - level for level in levels])
    if isinstance(one, Refusal):
        assert isinstance(other, Refusal)
        assert other.rule == one.rule
        return
    assert isinstance(one, Plan)
    assert isinstance(other, Plan)
    assert other.side == -one.side
    assert (other.entry, other.stop) == (MIRROR - one.entry, MIRROR - one.stop)
    assert [(MIRROR - t.price, t.weight) for t in one.targets] == [tuple(t) for t in other.targets]
    assert (other.rr_net, other.score) == (one.rr_net, one.score)

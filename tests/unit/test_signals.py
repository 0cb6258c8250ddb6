"""Which events become plans and which are refused, from what the candles alone say."""

from __future__ import annotations

from typing import Any

import pytest
from test_trade_plan import AT, QUARTER, block_of, event_of, flag_of, instrument_of

from trading_system.rules.events import Event
from trading_system.rules.signals import NOTHING, SIGNAL_REFUSALS, Judged, SignalRules, judge
from trading_system.rules.trade_plan import PlanRules
from trading_system.rules.words import refusal_dto

BLOCK = block_of(100.0, 98.0, 2.0)
FLAG = flag_of(100.0, 120.0, 115.0, 118.0, 1.0)


def rules_of(**changed: Any) -> SignalRules:
    values = {"plans": PlanRules(), "signal_interval": "15m", "interval_ms": QUARTER, "origin": AT - 501 * QUARTER}
    return SignalRules(**{**values, **changed})


def judged(*events: Event, **changed: Any) -> Judged:
    return judge(events, instrument_of(), rules_of(**changed))


def life_of(kind: str, ref: str, interval: str = "15m", direction: int = 1) -> Event:
    return Event("e", kind, "binance_usdm", "BTCUSDT", interval, direction, AT - QUARTER, AT, ref, None, {})


def test_a_block_and_a_flag_become_plans_in_the_order_of_their_events() -> None:
    found = judged(FLAG, BLOCK)
    assert [plan.pattern for plan in found.plans] == ["flag", "order_block"]
    assert found.refusals == ()


def test_events_of_another_interval_say_nothing_about_trading() -> None:
    other = life_of("ob_mitigated", "zone", "4h")
    turned = life_of("choch", "swing", "4h", -1)
    assert judged(other, turned) == NOTHING


def test_no_signal_is_given_before_the_line_is_warm() -> None:
    found = judged(BLOCK, origin=AT - 500 * QUARTER)
    assert found.plans == ()
    assert [refusal.rule for refusal in found.refusals] == ["warm_up"]


def test_the_first_candle_after_the_warm_up_may_give_a_signal() -> None:
    assert judged(BLOCK, origin=AT - 501 * QUARTER).plans


def test_a_setup_that_is_switched_off_is_refused_by_name() -> None:
    found = judged(BLOCK, FLAG, setups=("flag",))
    assert [plan.pattern for plan in found.plans] == ["flag"]
    assert [(refusal.rule, refusal.pattern) for refusal in found.refusals] == [("setup_off", "order_block")]


@pytest.mark.parametrize("kind", ["ob_mitigated", "ob_expired"])
def test_a_block_that_is_over_is_named_by_its_birth(kind: str) -> None:
    assert judged(life_of(kind, "zone")) == NOTHING._replace(ended=frozenset({"zone"}))


@pytest.mark.parametrize("kind", ["ob_touched", "ob_invalidated", "bos", "swing_high", "flag_failed"])
def test_other_events_change_nothing(kind: str) -> None:
    assert judged(life_of(kind, "zone")) == NOTHING


def test_a_change_of_character_is_said_with_its_direction() -> None:
    assert judged(life_of("choch", "swing", direction=-1)).turned == -1


def test_each_refusal_has_its_sentence() -> None:
    against = block_of(100.0, 98.0, 2.0, trend=-1)
    worthless = block_of(100.0, 98.0, 2.0)
    cases = [judged(against), judged(worthless, plans=PlanRules(min_rr=50.0)), judged(BLOCK, setups=())]
    cases.append(judged(BLOCK, origin=AT))
    refusals = [refusal for found in cases for refusal in found.refusals]
    assert [refusal.rule for refusal in refusals] == ["against_trend", "rr_too_low", "setup_off", "warm_up"]
    for refusal in refusals:
        assert refusal_dto(refusal)["sentence"] == SIGNAL_REFUSALS[refusal.rule]


def test_judging_reads_nothing_but_its_arguments() -> None:
    event = event_of("ob_formed", 1, dict(BLOCK.values))
    assert judged(event, FLAG) == judged(event, FLAG)

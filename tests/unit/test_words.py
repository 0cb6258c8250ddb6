"""What leaves a room says exactly what the rules said: every word comes back equal over the wire."""

from __future__ import annotations

import numpy as np
import pytest
from detection_fold import candles_of, random_walk
from sample_trades import START, instrument_of, plan_at, short_plan_at

from trading_system.contracts import (
    serialize,
    to_candle,
    to_event,
    to_high_low,
    to_rejection,
    to_signal,
)
from trading_system.research.detect import detect
from trading_system.rules.events import Event
from trading_system.rules.risk import REJECTIONS, Rejection
from trading_system.rules.signals import SIGNAL_REFUSALS
from trading_system.rules.trade_plan import Plan, Refusal, Target
from trading_system.rules.words import (
    candle_dto,
    candle_record,
    event_dto,
    event_of,
    gap_record,
    high_low_dto,
    plan_of_signal,
    refusal_dto,
    rejection_dto,
    signal_dto,
    swing_of,
)

MINUTE = 60_000


@pytest.fixture(scope="module")
def found() -> list[Event]:
    """Return the events of a long walk, of every kind that it has."""
    walk = random_walk(11, 12_000)
    return detect(walk, instrument_of(), base="1m", signal="15m", higher="1h", overrides={"swings.left": 2})


def test_a_candle_comes_back_to_the_last_digit() -> None:
    record = candles_of([(100.1, 100.30000000000001, 99.9, 0.1 + 0.2 + 99.8, 12.345)], START)
    word = to_candle(serialize(candle_dto(record[0], "binance_usdm", "BTCUSDT", MINUTE)))
    assert word["interval"] == "1m"
    assert word["closed"] is True
    assert np.array_equal(candle_record(word), record)


def test_a_candle_without_a_volume_is_no_record() -> None:
    word = candle_dto(candles_of([(1.0, 1.0, 1.0, 1.0, 1.0)])[0], "binance_usdm", "BTCUSDT", MINUTE)
    del word["volume"]
    with pytest.raises(KeyError, match="volume"):
        candle_record(word)


def test_a_gap_has_its_time_and_no_prices() -> None:
    assert gap_record(START)[0].item() == (START, 0.0, 0.0, 0.0, 0.0, 0.0, 1)


def test_every_swing_comes_back_equal(found: list[Event]) -> None:
    swings = [event for event in found if event.kind.startswith("swing_")]
    assert len(swings) > 100
    assert any(swing.replaces for swing in swings)
    for swing in swings:
        assert swing_of(to_high_low(serialize(high_low_dto(swing)))) == swing


def test_every_event_comes_back_equal(found: list[Event]) -> None:
    kinds = {event.kind for event in found}
    assert kinds >= {"bos", "choch", "ob_formed", "ob_touched", "ob_mitigated", "flag_pole"}
    for event in found:
        again = event_of(to_event(serialize(event_dto(event))))
        assert again == event
        assert [type(value) for value in again.values.values()] == [type(value) for value in event.values.values()]


@pytest.mark.parametrize(
    "plan",
    [
        plan_at(START),
        short_plan_at(START),
        plan_at(START, pattern="flag", entry_type="market", zone="", time_stop=12_345_678, reasons=()),
        plan_at(START, targets=(Target(104.1, 1 / 3), Target(108.7, 2 / 3)), atr=0.1 + 0.2, rr_net=-0.0),
    ],
)
def test_a_plan_comes_back_from_its_signal(plan: Plan) -> None:
    assert plan_of_signal(to_signal(serialize(signal_dto(plan)))) == plan


def test_a_signal_of_another_program_is_no_plan_of_ours() -> None:
    word = signal_dto(plan_at(START))
    del word["atr"]
    with pytest.raises(KeyError, match="atr"):
        plan_of_signal(word)


@pytest.mark.parametrize("rule", SIGNAL_REFUSALS)
def test_a_refused_candidate_is_said_with_rule_numbers_and_sentence(rule: str) -> None:
    refusal = Refusal(rule, "binance_usdm", "BTCUSDT", "15m", "flag", -1, START, "e1", {"rr_net": 0.5})
    word = to_rejection(serialize(refusal_dto(refusal)))
    assert (word["rule"], word["side"], word["event"], word["numbers"]) == (rule, "short", "e1", {"rr_net": 0.5})
    assert word["sentence"] == SIGNAL_REFUSALS[rule]


@pytest.mark.parametrize("rule", REJECTIONS)
def test_a_rejected_signal_is_said_with_rule_numbers_and_sentence(rule: str) -> None:
    plan = plan_at(START)
    word = to_rejection(serialize(rejection_dto(Rejection(plan, rule, {"limit": 2}))))
    assert (word["rule"], word["side"], word["signal_id"], word["numbers"]) == (rule, "long", plan.id, {"limit": 2})
    assert word["sentence"] == REJECTIONS[rule]

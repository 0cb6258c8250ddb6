from __future__ import annotations

import math

import pytest

from trading_system.rules.events import Event
from trading_system.rules.score import SCORE_COMPONENTS, EventValueError, reasons_of, score_of

BLOCK: dict[str, float | int | str] = {
    "top": 30100.0,
    "bottom": 29900.0,
    "close": 30900.0,
    "atr": 400.0,
    "strength": 40.0,
    "displacement": 2.5,
    "has_fvg": 0,
    "break_kind": "choch",
    "confluence": 0,
}


def block(direction: int = 1, **changed: float | str) -> Event:
    return Event("id", "ob_formed", "binance_usdm", "BTCUSDT", "15m", direction, 0, 1, None, None, BLOCK | changed)


def flag(**changed: float | str) -> Event:
    values: dict[str, float | int | str] = {"atr": 600.0, "width": 12, "confluence": 0}
    return Event("id", "flag_breakout", "binance_usdm", "BTCUSDT", "15m", 1, 0, 1, None, None, values | changed)


def points(event: Event, rr_net: float = 1.4, trend: int = 0) -> dict[str, float]:
    return dict(score_of(event, rr_net, trend)[1])


def test_a_block_of_a_turn_without_a_trend_gets_base_displacement_freshness_and_volume() -> None:
    total, components = score_of(block(), 1.4, 0)
    assert components == (("base", 30.0), ("choch", 0.0), ("displacement", 12.5), ("fresh", 7.0), ("volume", 2.0))
    assert total == 52  # 51.5 rounded half up


def test_everything_that_can_speak_for_a_block_is_held_at_a_hundred() -> None:
    best = block(has_fvg=1, break_kind="bos", confluence=1, displacement=9.0, strength=100.0)
    total, components = score_of(best, 2.0, 1)
    assert sum(part.points for part in components) == 105.0
    assert total == 100


def test_the_trend_of_the_higher_interval_counts_for_its_own_side_and_against_the_other() -> None:
    assert points(block(1), trend=1)["trend_with"] == points(block(-1), trend=-1)["trend_with"] == 20.0
    assert points(block(1), trend=-1)["trend_against"] == points(block(-1), trend=1)["trend_against"] == -20.0
    assert not {"trend_with", "trend_against"} & points(block(), trend=0).keys()


def test_a_break_along_the_trend_is_worth_five_and_a_turn_nothing() -> None:
    assert points(block(break_kind="bos"))["bos"] == 5.0
    assert points(block(break_kind="choch"))["choch"] == 0.0


@pytest.mark.parametrize(("displacement", "worth"), [(0.0, 0.0), (1.0, 5.0), (3.0, 15.0), (7.0, 15.0)])
def test_displacement_counts_five_an_atr_and_fifteen_at_most(displacement: float, worth: float) -> None:
    assert points(block(displacement=displacement))["displacement"] == worth


def test_a_gap_counts_eight_and_confluence_ten() -> None:
    assert points(block(has_fvg=1))["fvg"] == 8.0
    assert points(block(confluence=1))["confluence"] == 10.0
    assert points(flag(confluence=1))["confluence"] == 10.0


@pytest.mark.parametrize(("strength", "worth"), [(0.0, 0.0), (45.0, 2.25), (100.0, 5.0)])
def test_volume_counts_up_to_five(strength: float, worth: float) -> None:
    assert points(block(strength=strength))["volume"] == worth


def test_a_reward_of_two_counts_five_and_a_little_less_counts_nothing() -> None:
    assert points(block(), rr_net=2.0)["reward"] == 5.0
    assert "reward" not in points(block(), rr_net=math.nextafter(2.0, 0.0))


def test_only_a_zone_taller_than_one_and_a_half_atr_costs_five() -> None:
    assert points(block(top=30501.0))["tall_zone"] == -5.0
    assert "tall_zone" not in points(block(top=30500.0))


def test_a_flag_has_no_points_for_what_only_a_block_has() -> None:
    assert score_of(flag(confluence=1), 2.5, 1) == (
        65,
        (("base", 30.0), ("trend_with", 20.0), ("confluence", 10.0), ("reward", 5.0)),
    )


def test_reasons_name_what_moved_the_score_and_the_kind_of_the_break() -> None:
    components = score_of(block(strength=0.0, has_fvg=1), 2.0, -1)[1]
    assert reasons_of(components) == ("trend_against", "choch", "displacement", "fvg", "fresh", "reward")


def test_every_component_is_in_the_closed_set() -> None:
    given: set[str] = set()
    for event in (block(has_fvg=1, confluence=1, top=30700.0), block(break_kind="bos")):
        for trend in (1, -1):
            given |= points(event, 3.0, trend).keys()
    assert given == SCORE_COMPONENTS.keys()


@pytest.mark.parametrize("missing", ["strength", "displacement", "has_fvg", "confluence", "top", "bottom", "atr"])
def test_a_missing_number_is_an_error_and_never_a_zero(missing: str) -> None:
    values = {name: value for name, value in BLOCK.items() if name != missing}
    event = Event("id", "ob_formed", "binance_usdm", "BTCUSDT", "15m", 1, 0, 1, None, None, values)
    with pytest.raises(EventValueError, match=f"expected a finite number as '{missing}', was None"):
        score_of(event, 1.0, 0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, "45", True])
def test_what_is_no_finite_number_is_an_error(wrong: float | str) -> None:
    with pytest.raises(EventValueError, match="'strength'"):
        score_of(block(strength=wrong), 1.0, 0)


def test_an_unknown_kind_of_break_is_an_error() -> None:
    with pytest.raises(EventValueError, match="expected 'bos' or 'choch'"):
        score_of(block(break_kind="mss"), 1.0, 0)

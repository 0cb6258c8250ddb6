from __future__ import annotations

from collections import defaultdict

import pytest
from detection_fold import MINUTE, candles_of, events, facts_of, random_walk
from detector_cases import BLOCKS, mirrored

from trading_system.rules.events import Event

NARROW = {"swings.left": 2, "swings.right": 2}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_case_worked_by_hand_gives_its_blocks(name: str) -> None:
    case = BLOCKS[name]
    settings = dict([f"blocks.{case.setting}".split("=")]) if case.setting else {}
    found = [fact for fact in facts_of(events(candles_of(case.candles), **NARROW, **settings)) if "flag" not in fact[1]]
    assert [fact[:4] for fact in found] == [fact[:4] for fact in case.expected]
    by_id = {event.id: event for *_, event in found}
    for (*_, event), (*_, numbers) in zip(found, case.expected, strict=True):
        for key, expected in numbers.items():
            if key == "swing":
                assert event.ref is not None
                assert by_id[event.ref].time == expected * MINUTE
            elif isinstance(expected, str):
                assert event.values[key] == expected
            else:
                assert event.values[key] == pytest.approx(expected, abs=5e-5)


def lives(found: list[Event]) -> dict[str, list[Event]]:
    """Return the later events of each block by the id of its birth."""
    by_birth: dict[str, list[Event]] = defaultdict(list)
    for event in found:
        if event.kind == "ob_formed":
            by_birth[event.id] = []
        elif event.kind.startswith("ob_"):
            assert event.ref is not None
            by_birth[event.ref].append(event)
    return by_birth


def test_a_block_is_touched_then_mitigated_then_ends_once() -> None:
    orders = {
        ("ob_touched",),
        ("ob_touched", "ob_mitigated"),
        ("ob_touched", "ob_mitigated", "ob_invalidated"),
        ("ob_touched", "ob_mitigated", "ob_expired"),
        ("ob_touched", "ob_expired"),
        ("ob_expired",),
        (),
    }
    seen = {
        tuple(e.kind for e in life) for life in lives(events(random_walk(8, 4000), **{"blocks.max_age": 60})).values()
    }
    assert seen <= orders
    assert len(seen) >= 5


def test_the_oldest_block_makes_room_when_too_many_live() -> None:
    found = events(random_walk(9, 4000), **NARROW, **{"blocks.max_active": 2})
    crowded = [event for event in found if event.values.get("reason") == "too_many"]
    assert crowded
    by_id = {event.id: event for event in found}
    for event in crowded:
        assert event.ref is not None
        assert by_id[event.ref].confirmed_at < event.confirmed_at
    alive: dict[int, list[str]] = {1: [], -1: []}
    for event in found:
        if event.kind == "ob_formed":
            alive[event.direction].append(event.id)
        if event.kind in {"ob_invalidated", "ob_expired"}:
            if event.values.get("reason") == "too_many":
                assert event.ref == alive[event.direction][0]
            alive[event.direction].remove(str(event.ref))
        assert len(alive[event.direction]) <= 3


def test_blocks_that_share_a_candle_keep_their_lives_apart() -> None:
    for seed in range(6):
        found = events(random_walk(seed, 1500), **NARROW)
        assert len({event.id for event in found}) == len(found)


def test_the_zone_can_be_the_body_and_the_candle_the_last_opposite_one() -> None:
    candles = BLOCKS["an equal close and a wick break nothing"].candles
    (body,) = [e for e in events(candles_of(candles), **NARROW, **{"blocks.zone": "body"}) if e.kind == "ob_formed"]
    assert (body.values["top"], body.values["bottom"]) == (10, 9.5)
    (opposite,) = [
        e for e in events(candles_of(candles), **NARROW, **{"blocks.candle": "last_opposite"}) if e.kind == "ob_formed"
    ]
    assert opposite.time == 4 * MINUTE  # candle 5 closed up, candle 4 down


def test_of_equal_lows_the_first_can_be_chosen() -> None:
    candles = candles_of(BLOCKS["of two equal lows the last is the block"].candles)
    (block,) = [e for e in events(candles, **NARROW, **{"blocks.tie": "first"}) if e.kind == "ob_formed"]
    assert block.time == 5 * MINUTE


def test_displacement_is_the_way_from_the_far_edge_in_average_true_ranges() -> None:
    formed = [event for event in events(random_walk(10, 800)) if event.kind == "ob_formed"]
    assert formed
    for event in formed:
        values = event.values
        if "atr" not in values:
            continue
        close, top, bottom = (float(values[name]) for name in ("close", "top", "bottom"))
        way = close - bottom if event.direction > 0 else top - close
        assert values["displacement"] == way / float(values["atr"])


def test_a_displacement_filter_lets_no_block_form_before_the_average_is_known() -> None:
    candles = candles_of(BLOCKS["life of a bullish block"].candles)
    kinds = [event.kind for event in events(candles, **NARROW, **{"blocks.min_displacement_atr": 0.1})]
    assert "bos" in kinds
    assert "ob_formed" not in kinds


def test_mirrored_candles_give_mirrored_blocks() -> None:
    candles = random_walk(11, 1200, tick=0.5)
    rows = [
        tuple(float(candles[n][k]) for k in ("open", "high", "low", "close", "volume")) for n in range(len(candles))
    ]
    turned = candles_of(mirrored(rows, 512.0))  # type: ignore[arg-type]
    names = ("ob_formed", "ob_touched", "ob_mitigated", "ob_invalidated", "ob_expired", "bos", "choch")
    upright = [f for f in facts_of(events(candles)) if f[1] in names]
    mirror = [f for f in facts_of(events(turned)) if f[1] in names]
    assert sorted((at, kind, side, k) for at, kind, side, k, _ in upright) == sorted(
        (at, kind, -side, k) for at, kind, side, k, _ in mirror
    )

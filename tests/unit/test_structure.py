from __future__ import annotations

from detection_fold import candles_of, events, facts_of, random_walk
from detector_cases import BLOCKS


def test_a_break_names_the_swing_it_broke() -> None:
    found = events(candles_of(BLOCKS["life of a bullish block"].candles), **{"swings.left": 2, "swings.right": 2})
    by_id = {event.id: event for event in found}
    for event in found:
        if event.kind in {"bos", "choch"}:
            assert event.ref is not None
            swing = by_id[event.ref]
            assert (swing.time, swing.direction, swing.values["price"]) == (
                event.time,
                event.direction,
                event.values["price"],
            )


def test_a_break_is_a_change_of_character_only_against_the_trend() -> None:
    trend = 0
    breaks = [event for event in events(random_walk(5, 3000)) if event.kind in {"bos", "choch"}]
    for event in breaks:
        assert event.kind == ("choch" if trend == -event.direction else "bos")
        trend = event.direction
    assert {event.kind for event in breaks} == {"bos", "choch"}


def test_each_swing_is_broken_once_and_by_the_first_close_beyond_it() -> None:
    candles = random_walk(6, 3000)
    closes = candles["close"]
    seen = set()
    for at, kind, direction, k, event in facts_of(events(candles)):
        if kind in {"bos", "choch"}:
            assert event.ref not in seen
            seen.add(event.ref)
            level = float(event.values["price"])
            assert direction * closes[at] > direction * level
            assert all(direction * close <= direction * level for close in closes[k + 6 : at])
    assert len(seen) > 50

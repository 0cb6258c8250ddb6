from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from detection_fold import MINUTE, STEP, candles_of, fold, random_walk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_system.rules import detection
from trading_system.rules.events import Event, events_of
from trading_system.rules.grid import Grid
from trading_system.rules.interval_table import IntervalError
from trading_system.rules.parameters import RULES, ParameterError, defaults, parameters
from trading_system.rules.records import EVENT, EventKind, Records

QUICK = {"swings.left": 2, "swings.right": 2, "flags.order": 2, "flags.min_flag_bars": 2, "flags.min_pole_atr": 0.5}


WIDE = {"flags.order": 4, "flags.max_width_ratio": 5.0, "flags.max_retrace": 1.5}


def line(higher: str | None = "15m", **overrides: float | str) -> Records:
    """Return parameters that make many events of few minutes."""
    return parameters("1m", "3m", higher, step=STEP, **{**QUICK, **overrides})


def named(records: Records) -> list[Event]:
    return events_of(records, "binance_usdm", "BTCUSDT")


def same(one: Records, other: Records) -> bool:
    return one.tobytes() == other.tobytes()


def test_every_split_of_a_series_gives_the_same_events_and_the_same_state() -> None:
    params = line()
    candles = random_walk(1, 330, gaps=0.05)
    whole = detection.new_state(params)
    events = fold(candles, params, whole)
    assert len(events) > 80
    for cut in range(len(candles) + 1):
        state = detection.new_state(params)
        parts = np.concatenate([fold(candles[:cut], params, state), fold(candles[cut:], params, state)])
        assert same(parts, events), cut
        assert same(state, whole), cut


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 1500), max_size=6),
    gaps=st.sampled_from([0.0, 0.02, 0.4]),
    tick=st.sampled_from([0.5, 0.01]),
    higher=st.sampled_from([None, "15m"]),
)
def test_any_pieces_of_any_walk_give_the_same_events_and_the_same_state(
    seed: int, cuts: list[int], gaps: float, tick: float, higher: str | None
) -> None:
    params = line(higher)
    candles = random_walk(seed, 1500, tick=tick, gaps=gaps)
    whole, pieced = detection.new_state(params), detection.new_state(params)
    events = fold(candles, params, whole)
    pieces = [fold(piece, params, pieced) for piece in np.split(candles, sorted(cuts))]
    assert same(np.concatenate(pieces), events)
    assert same(pieced, whole)


def test_one_candle_at_a_time_gives_the_same_as_all_at_once() -> None:
    params = line()
    candles = random_walk(2, 1000)
    state = detection.new_state(params)
    singles = np.concatenate([fold(candles[n : n + 1], params, state) for n in range(len(candles))])
    assert same(singles, fold(candles, params))


def test_what_is_known_at_a_close_does_not_depend_on_what_follows() -> None:
    params = line()
    candles = random_walk(3, 600)
    events = fold(candles, params)
    for length in range(0, 600, 23):
        now = length * MINUTE
        assert same(fold(candles[:length], params), events[events["confirmed_at"] <= now])


def test_a_restart_from_a_snapshot_goes_on_with_the_same_bytes() -> None:
    params = line()
    candles = random_walk(4, 900)
    whole, before = detection.new_state(params), detection.new_state(params)
    events = fold(candles, params, whole)
    first = fold(candles[:500], params, before)
    after = detection.state_of(params, before.tobytes())
    assert same(np.concatenate([first, fold(candles[500:], params, after)]), events)
    assert same(after, whole)
    with pytest.raises(detection.RoomError, match="replay from the origin"):
        detection.state_of(parameters(step=STEP, **{"blocks.max_age": 5000}), before.tobytes())


def test_a_small_array_for_events_only_means_more_calls() -> None:
    params = line(**{"blocks.max_active": 3})
    candles = random_walk(5, 2000)
    small = fold(candles, params)  # room for the events of one step
    state = detection.new_state(params)
    out = detection.new_out(params, 20_000)
    consumed, produced = detection.advance(state, params, candles, out)
    assert consumed == 2000
    assert same(out[:produced], small)
    with pytest.raises(detection.RoomError, match="use new_out"):
        detection.advance(state, params, candles, out[:5])


def test_mirrored_candles_give_mirrored_events_of_one_interval() -> None:
    candles = random_walk(6, 3000)
    turned = candles.copy()
    turned["open"], turned["close"] = 2048 - candles["open"], 2048 - candles["close"]
    turned["high"], turned["low"] = 2048 - candles["low"], 2048 - candles["high"]
    params = line(**{"flags.source": "close"})
    swap = {EventKind.SWING_HIGH: EventKind.SWING_LOW, EventKind.SWING_LOW: EventKind.SWING_HIGH}

    def facts(events: Records, side: int) -> list[tuple[int, ...]]:
        kinds = [int(kind) if side > 0 else int(swap.get(kind, kind)) for kind in map(EventKind, events["kind"])]
        columns = (events[name].tolist() for name in ("interval", "time", "confirmed_at"))
        return sorted(zip(kinds, (side * events["direction"]).tolist(), *columns, strict=True))

    upright, mirror = fold(candles, params), fold(turned, params)
    assert len(upright) > 500
    # A candle that is high and low before any swing goes high first, so the first few may differ.
    settled = 200 * MINUTE
    assert facts(upright[upright["time"] > settled], 1) == facts(mirror[mirror["time"] > settled], -1)


def test_the_order_inside_a_step_is_fixed() -> None:
    events = fold(random_walk(7, 6000), line())
    place = {
        **dict.fromkeys((EventKind.SWING_HIGH, EventKind.SWING_LOW), 0),
        **dict.fromkeys((EventKind.OB_TOUCHED, EventKind.OB_MITIGATED, EventKind.OB_INVALIDATED), 1),
        **dict.fromkeys((EventKind.BOS, EventKind.CHOCH, EventKind.OB_FORMED), 2),
        **dict.fromkeys((EventKind.FLAG_POLE, EventKind.FLAG_SUPERSEDED), 3),
    }
    keys = [
        (row["confirmed_at"], -row["interval"], place.get(EventKind(row["kind"]), 4))
        for row in events
        if row["kind"] != EventKind.OB_EXPIRED
    ]
    assert keys == sorted(keys)
    assert all(events["confirmed_at"] > events["time"])


def test_ids_are_unique_and_references_lead_to_earlier_events() -> None:
    seen: set[str] = set()
    for event in named(fold(random_walk(8, 20_000), line())):
        assert event.id not in seen
        assert event.ref is None or event.ref in seen
        assert event.replaces is None or event.replaces in seen
        seen.add(event.id)
    assert len(seen) > 5000


def test_signal_events_carry_the_last_break_of_the_higher_interval() -> None:
    trend = 0
    seen = set()
    for event in named(fold(random_walk(9, 12_000), line())):
        if event.interval == "15m" and event.kind in {"bos", "choch"}:
            trend = event.direction
        if event.interval == "3m" and not event.kind.startswith("swing"):
            assert event.values["trend"] == trend
            seen.add(trend)
    assert seen == {0, 1, -1}


def test_a_block_agrees_with_a_live_block_of_the_higher_interval_that_it_overlaps() -> None:
    live: dict[str, Event] = {}
    agreeing = 0
    for event in named(fold(random_walk(10, 30_000), line())):
        if event.interval == "15m":
            if event.kind == "ob_formed":
                live[event.id] = event
            if event.kind in {"ob_mitigated", "ob_expired"}:
                live.pop(str(event.ref), None)
        elif event.kind == "ob_formed":
            overlaps = any(
                block.direction == event.direction
                and min(float(block.values["top"]), float(event.values["top"]))
                > max(float(block.values["bottom"]), float(event.values["bottom"]))
                for block in live.values()
            )
            assert event.values["confluence"] == int(overlaps)
            agreeing += overlaps
    assert agreeing > 10


def test_swings_alone_are_the_swings_of_the_whole_fold() -> None:
    candles = random_walk(11, 4000)
    alone = named(fold(candles, line(stage="swings")))
    whole = [event for event in named(fold(candles, line())) if event.kind.startswith("swing")]
    assert [(event.id, event.values["price"]) for event in alone] == [
        (event.id, event.values["price"]) for event in whole
    ]


def test_candles_before_the_origin_are_dropped() -> None:
    params = line()
    candles = random_walk(12, 1000)
    candles["open_time"] += 15 * MINUTE
    early = candles.copy()
    early["open_time"] -= 7 * MINUTE
    assert detection.origin(detection.new_state(params)) is None
    state, other = detection.new_state(params), detection.new_state(params)
    events = fold(early, params, state)
    assert detection.origin(state) == 15 * MINUTE
    assert same(events, fold(early[7:], params, other))
    assert same(state, other)


def test_a_repeated_candle_is_ignored_and_a_hole_or_an_older_one_is_refused() -> None:
    params = line()
    candles = random_walk(13, 300)
    state, clean = detection.new_state(params), detection.new_state(params)
    fold(candles, params, clean)
    fold(np.concatenate([candles[:150], candles[149:150], candles[150:]]), params, state)
    assert same(state, clean)
    late = candles[299:].copy()
    late["open_time"] += 2 * MINUTE
    for wrong in (candles[200:201], late):
        with pytest.raises(detection.CandleOrderError, match="expected the candle of 18000000 ms"):
            fold(wrong, params, state)
        assert same(state, clean)


def test_a_gap_advances_no_detector_of_its_own_interval() -> None:
    params = parameters("1m", "1m", None, **QUICK)
    candles = random_walk(14, 500, gaps=0.3)
    priced = candles[candles["gap"] == 0].copy()
    events = fold(candles, params)
    priced["open_time"] = np.arange(len(priced)) * MINUTE
    assert events["kind"].tolist() == fold(priced, params)["kind"].tolist()


def test_the_average_true_range_is_wilders_and_unknown_for_thirteen_candles() -> None:
    candles = random_walk(15, 900)
    rows = candles.tolist()
    spreads = [rows[0][2] - rows[0][3]]
    for before, row in itertools.pairwise(rows):
        spreads.append(max(row[2], before[4]) - min(row[3], before[4]))
    averages = {13: sum(spreads[:14]) / 14}
    for n in range(14, len(rows)):
        averages[n] = (averages[n - 1] * 13 + spreads[n]) / 14
    formed = [event for event in named(fold(candles, parameters("1m", "1m", None))) if event.kind == "ob_formed"]
    assert len(formed) > 10
    for event in formed:
        known = averages.get(event.confirmed_at // MINUTE - 1)
        assert event.values.get("atr") == (None if known is None else pytest.approx(known))


def test_an_event_has_words_for_its_label_its_reason_and_its_shape() -> None:
    events = named(fold(random_walk(16, 20_000), line(**WIDE)))
    words = {(name, value) for event in events for name, value in event.values.items() if isinstance(value, str)}
    assert {value for name, value in words if name == "label"} == {"", "HH", "LH", "EQH", "HL", "LL", "EQL"}
    assert {value for name, value in words if name == "break_kind"} == {"bos", "choch"}
    assert {value for name, value in words if name == "shape"} == {"flag", "pennant"}
    assert {value for name, value in words if name == "reason"} >= {"flag_too_long", "retraced_too_deep"}


def test_no_kind_of_event_is_forgotten() -> None:
    events = named(fold(random_walk(17, 40_000), line(**{**WIDE, "blocks.max_age": 40})))
    assert {event.kind for event in events} == {kind.name.lower() for kind in EventKind}


def test_a_wrong_parameter_is_refused_in_one_sentence() -> None:
    with pytest.raises(ParameterError, match=r"did you mean swings\.left"):
        parameters(step=STEP, **{"swing.left": 3})
    with pytest.raises(ParameterError, match="from 1 to 1000, was 0"):
        parameters(step=STEP, **{"swings.left": 0})
    with pytest.raises(ParameterError, match=r"whole number, was 2\.5"):
        parameters(step=STEP, **{"swings.left": 2.5})
    with pytest.raises(ParameterError, match="one of last, first, all, none, was 'latest'"):
        parameters(step=STEP, **{"swings.ties": "latest"})
    with pytest.raises(ParameterError, match="expected a number, was 'many'"):
        parameters(step=STEP, **{"swings.left": "many"})
    with pytest.raises(ParameterError, match="finite"):
        parameters(step=STEP, **{"flags.tol": "nan"})
    with pytest.raises(ParameterError, match="volume grid"):
        parameters()
    with pytest.raises(ParameterError, match="divide one another"):
        parameters("3m", "5m", None, step=STEP)
    with pytest.raises(ParameterError, match="leave it out"):
        parameters("1m", "5m", "5m", step=STEP)
    with pytest.raises(IntervalError, match="did you mean"):
        parameters("1m", "15min", None, step=STEP)


def test_every_default_can_be_given_back_as_text() -> None:
    texts = {name: str(value) for name, value in defaults().items()}
    assert set(texts) == set(RULES)
    assert same(parameters(step=STEP, **texts), parameters(step=STEP))
    assert same(parameters(step=STEP, **{"flags.require_progress": "true"}), parameters(step=STEP))


def test_records_have_eight_byte_fields_and_candles_the_names_of_the_contract() -> None:
    assert EVENT.fields is not None
    assert all(field[0].itemsize == 8 for field in EVENT.fields.values())
    params = line()
    assert detection.new_state(params).nbytes % 8 == 0
    assert not detection.new_state(params).view(np.uint8).any()


@pytest.mark.parametrize("setting", [{}, {"flags.source": "close", "swings.ties": "all", "blocks.mitigation": "body"}])
def test_a_line_on_a_single_candle_never_fails(setting: dict[str, str]) -> None:
    assert len(fold(candles_of([(1, 1, 1, 1, 0)]), line(**setting))) == 0


PLAIN = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import numba
from detection_fold import fold, random_walk
from test_detection import line
from trading_system.rules import detection
assert numba.config.DISABLE_JIT
params = line()
state = detection.new_state(params)
events = fold(random_walk(18, 1200, tick=0.01, gaps=0.02), params, state)
print(hashlib.sha256(events.tobytes() + state.tobytes()).hexdigest())
"""


def test_plain_python_gives_the_same_bytes_as_the_compiled_rules() -> None:
    tests = Path(__file__).parent
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(tests.parents[1])}
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN, str(tests)], env=environment, capture_output=True, text=True, check=True
    )
    params = line()
    state = detection.new_state(params)
    events = fold(random_walk(18, 1200, tick=0.01, gaps=0.02), params, state)
    assert len(events) > 150
    assert plain.stdout.strip() == hashlib.sha256(events.tobytes() + state.tobytes()).hexdigest()


def test_the_volume_grid_is_part_of_the_parameters() -> None:
    assert not same(parameters(step=Grid(1, 10)), parameters(step=STEP))

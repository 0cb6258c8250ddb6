from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from detection_fold import candles_of, events, facts_of, random_walk
from detector_cases import SWINGS, SwingCase

from trading_system.rules.highs_lows import is_pivot
from trading_system.rules.records import HISTORY, Records, Source, Ties

CASES = [(name, setting) for name, case in SWINGS.items() for setting in case.expected]


def rows_of(case: SwingCase) -> list[tuple[float, float, float, float, float]]:
    return [((h + low) / 2, h, low, (h + low) / 2, 100) for h, low in zip(case.highs, case.lows, strict=True)]


def history_of(candles: Records) -> Records:
    size = 1 << max(len(candles) - 1, 1).bit_length()
    history = np.zeros(size, HISTORY)
    for name in ("open_time", "open", "high", "low", "close", "volume"):
        history[name][: len(candles)] = candles[name]
    return history


@pytest.mark.parametrize(("name", "setting"), CASES)
def test_a_case_worked_by_hand_gives_its_swings(name: str, setting: str) -> None:
    case = SWINGS[name]
    parameter, _, value = setting.partition("=")
    found = facts_of(
        events(candles_of(rows_of(case)), **{"swings.left": 2, "swings.right": 2, f"swings.{parameter}": value})
    )
    swings = [(at, direction, k, e.values["price"]) for at, kind, direction, k, e in found if kind.startswith("swing")]
    assert swings == [(p.known_at, p.side, p.k, p.price) for p in case.expected[setting] if p.swing]
    by_id = {e.id: k for *_, k, e in found}
    replaced = [by_id[e.replaces] if e.replaces else None for _, kind, *_, e in found if kind.startswith("swing")]
    assert replaced == [p.replaces for p in case.expected[setting] if p.swing]


@pytest.mark.parametrize(("name", "setting"), [case for case in CASES if case[1].startswith("ties")])
def test_a_case_worked_by_hand_gives_its_raw_pivots(name: str, setting: str) -> None:
    case = SWINGS[name]
    history = history_of(candles_of(rows_of(case)))
    ties = Ties[setting.partition("=")[2].upper()]
    found = {
        (side, k)
        for k in range(2, len(case.highs) - 2)
        for side in (1, -1)
        if is_pivot(history, k, 2, 2, ties.value, Source.HL.value, side)
    }
    assert found == {(p.side, p.k) for p in case.expected[setting]}


def is_pivot_in_words(prices: list[float], k: int, left: int, right: int, ties: Ties) -> bool:
    before, after = prices[k - left : k], prices[k + 1 : k + right + 1]
    if max(before + after) > prices[k]:
        return False
    equal_before, equal_after = prices[k] in before, prices[k] in after
    return {
        Ties.LAST: not equal_after,
        Ties.FIRST: not equal_before,
        Ties.ALL: True,
        Ties.NONE: not equal_before and not equal_after,
    }[ties]


@pytest.mark.parametrize("ties", list(Ties))
def test_pivots_are_those_of_the_definition_in_words(ties: Ties) -> None:
    candles = random_walk(7, 400)
    history = history_of(candles)
    highs, lows = candles["high"].tolist(), (-candles["low"]).tolist()
    for k in range(4, 397):
        for side, prices in ((1, highs), (-1, lows)):
            found = is_pivot(history, k, 4, 3, ties.value, Source.HL.value, side)
            assert found == is_pivot_in_words(prices, k, 4, 3, ties)


def test_swings_alternate_once_the_replaced_ones_are_gone() -> None:
    kinds: list[str] = []
    for event in events(random_walk(3, 2000), stage="swings"):
        if event.replaces:
            assert kinds[-1] == event.kind
        else:
            assert not kinds or kinds[-1] != event.kind
            kinds.append(event.kind)
    assert len(kinds) > 100


def test_a_label_compares_with_the_swing_of_its_kind_that_stays_in_the_list() -> None:
    highs: list[float] = []
    for event in events(random_walk(4, 2000)):
        if event.kind != "swing_high":
            continue
        price = float(event.values["price"])
        if event.replaces:
            highs.pop()
        before = highs[-1] if highs else None
        expected = "" if before is None else "EQH" if price == before else "HH" if price > before else "LH"
        assert event.values["label"] == expected
        highs.append(price)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("column", "source", "side"),
    [
        ("ta.pivothigh(10, 5)", Source.HL, 1),
        ("ta.pivothigh(close, 10, 5)", Source.CLOSE, 1),
        ("ta.pivotlow(10, 5)", Source.HL, -1),
        ("ta.pivotlow(close, 10, 5)", Source.CLOSE, -1),
    ],
)
def test_pivots_are_those_that_tradingview_exported(shared_data: Path, column: str, source: Source, side: int) -> None:
    with (shared_data / "expected" / "tradingview_ta" / "pivot.csv").open() as file:
        rows = list(csv.DictReader(file))
    candles = candles_of([[float(row[n]) for n in ("open", "high", "low", "close", "Volume")] for row in rows])
    history = history_of(candles)
    for i, row in enumerate(rows):
        expected = row[column]
        k = i - 5
        found = k >= 10 and is_pivot(history, k, 10, 5, Ties.LAST.value, source.value, side)
        assert found == (expected != "NaN"), i
        if found:
            name = "close" if source is Source.CLOSE else "high" if side > 0 else "low"
            assert float(expected) == candles[k][name]


@pytest.mark.shared
def test_swings_are_those_of_smartmoneyconcepts_but_for_its_two_invented_ends(shared_data: Path) -> None:
    folder = shared_data / "expected" / "smc"
    with (folder / "EURUSD_15M.csv").open() as file:
        rows = [[float(row[n]) for n in ("Open", "High", "Low", "Close", "Volume")] for row in csv.DictReader(file)]
    with (folder / "swing_highs_lows_result_data.csv").open() as file:
        expected = {
            n: (int(float(row["HighLow"])), float(row["Level"]))
            for n, row in enumerate(csv.DictReader(file))
            if row["HighLow"]
        }
    settings = {"left": 4, "right": 5, "ties": "all", "same_bar": "high", "first_index": 9}
    found = facts_of(
        events(candles_of(rows), **{f"swings.{name}": value for name, value in settings.items()}, stage="swings")
    )
    by_id = {e.id: k for *_, k, e in found}
    swings: dict[int, tuple[int, float]] = {}
    for _, _, direction, k, event in found:
        if event.replaces:
            del swings[by_id[event.replaces]]
        swings[k] = (direction, float(event.values["price"]))
    del expected[0], expected[len(rows) - 1]
    assert swings == expected

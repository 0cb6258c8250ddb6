"""Closed minutes in any order become steps, the first row the truth; what REST proves, and when it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_system.rules.sequencer import (
    Asked,
    ClosedCandle,
    Page,
    Read,
    Sequence,
    accept,
    ask_at,
    closed_rows,
    gap_at,
    newest_due,
    settle,
)

MINUTE = 60_000


def candle(number: int, close: float = 100.0) -> ClosedCandle:
    return ClosedCandle(number * MINUTE, 100.0, 101.0, 99.0, close, 1.0)


def after(number: int, *early: ClosedCandle) -> Sequence:
    return Sequence(candle(number), early)


def test_the_next_minute_is_published_at_once() -> None:
    done = accept(after(0), [candle(1), candle(2)])
    assert done.publish == (candle(1), candle(2))
    assert (done.sequence.last, done.sequence.early) == (candle(2), ())
    assert done.missing_from is None
    assert done.corrections == ()


def test_a_minute_that_came_too_early_waits_and_the_hole_is_named() -> None:
    done = accept(after(0), [candle(3), candle(2)])
    assert done.publish == ()
    assert done.sequence == after(0, candle(2), candle(3))
    assert done.missing_from == MINUTE


def test_filling_the_hole_lets_the_waiting_minutes_follow() -> None:
    done = accept(after(0, candle(2), candle(4)), [candle(1)])
    assert done.publish == (candle(1), candle(2))
    assert (done.sequence.last, done.sequence.early) == (candle(2), (candle(4),))
    assert done.missing_from == 3 * MINUTE


def test_a_minute_that_the_exchange_does_not_have_is_a_step_like_any_other() -> None:
    gap = ClosedCandle(MINUTE, 0.0, 0.0, 0.0, 0.0, 0.0, gap=True)
    done = accept(after(0, candle(2)), [gap])
    assert done.publish == (gap, candle(2))


def test_the_same_row_again_says_nothing() -> None:
    done = accept(after(1), [candle(1), candle(0)])
    assert done == (after(1), (), (), None, 0)


def test_other_numbers_for_the_newest_minute_are_a_correction_and_never_published() -> None:
    done = accept(after(1), [candle(1, close=100.5)])
    assert done.publish == ()
    assert done.corrections == (candle(1, close=100.5),)
    assert done.sequence == after(1)


def test_of_two_rows_for_a_waiting_minute_the_first_is_the_truth() -> None:
    done = accept(after(0, candle(2)), [candle(2, close=100.5), candle(1)])
    assert done.publish == (candle(1), candle(2))
    assert done.corrections == (candle(2, close=100.5),)


def test_nothing_delivered_changes_nothing() -> None:
    assert accept(after(0, candle(5)), ()) == (after(0, candle(5)), (), (), MINUTE, 0)


@given(st.lists(st.integers(1, 12), max_size=40), st.integers(1, 5))
def test_any_order_of_delivery_publishes_each_minute_once_and_in_order(numbers: list[int], size: int) -> None:
    sequence, published = after(0), []
    for start in range(0, len(numbers), size):
        done = accept(sequence, map(candle, numbers[start : start + size]))
        sequence = done.sequence
        published += done.publish
        assert done.corrections == ()
    reachable = next(n for n in range(1, 14) if n not in numbers) - 1
    assert published == [candle(n) for n in range(1, reachable + 1)]
    assert list(sequence.early) == [candle(n) for n in sorted(set(numbers)) if n > reachable]


def test_a_late_row_of_a_minute_that_is_past_is_a_correction_when_it_differs_and_nothing_when_it_does_not() -> None:
    sequence = accept(after(0), [candle(1), candle(2), candle(3)]).sequence
    assert accept(sequence, [candle(1), candle(2)]).corrections == ()
    assert accept(sequence, [candle(1, close=100.5)]).corrections == (candle(1, close=100.5),)


def test_a_minute_is_fresh_the_first_time_it_comes_published_or_not() -> None:
    done = accept(after(0), [candle(1), candle(3), candle(3), candle(1)])
    assert done.fresh == 2
    assert accept(done.sequence, [candle(2), candle(3)]).fresh == 1


def page(*numbers: int, proven: int | None = None, close: float = 100.0, more: bool = False) -> Page:
    """An answer whose newest row proves the ones before it, unless it says otherwise."""
    rows = tuple(candle(number, close) for number in numbers)
    return Page(rows, (numbers[-1] if proven is None else proven) * MINUTE, more)


def gap(number: int) -> ClosedCandle:
    return gap_at(number * MINUTE)


LATER = 1_000 * MINUTE


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0], []),  # it is the running one
        ([0, 1], [candle(0)]),
        ([0, 1, 2], [candle(0), candle(1)]),
        ([2], [gap(0), gap(1)]),  # a later minute runs: the ones asked for do not exist
        ([0, 3, 4], [candle(0), gap(1), gap(2), candle(3)]),
        ([1, 2], [gap(0), candle(1)]),
    ],
)
def test_without_a_clock_a_row_is_closed_when_a_newer_one_exists(
    numbers: list[int], expected: list[ClosedCandle]
) -> None:
    assert closed_rows(0, page(*numbers)) == expected


def settled(start: int, now: int, one: Page, earlier: Page | None = None, *, ago: int = 2_000) -> object:
    """What ``one`` proves from minute ``start`` on at ``now``, beside an ``earlier`` read of ``ago`` ms before."""
    done = settle(start * MINUTE, Read(one, now), None if earlier is None else Read(earlier, now - ago))
    return done if done.unproven_gap is not None else done.closed


def test_an_empty_answer_proves_nothing() -> None:
    empty = Page((), 0)
    assert settled(0, LATER, empty, empty) == ()
    assert closed_rows(0, empty) == []


@pytest.mark.parametrize("over_ms", [-30_000, 0, 999])
def test_a_row_whose_minute_is_not_over_by_a_second_is_not_closed_whatever_else_is_said(over_ms: int) -> None:
    assert settled(0, 2 * MINUTE + over_ms, page(0, 1, 2), page(0, 1, 2)) == (candle(0),)
    assert settled(0, 2 * MINUTE + 1_000, page(0, 1, 2)) == (candle(0), candle(1))


def test_the_newest_row_is_closed_when_two_reads_agree_and_not_when_they_differ() -> None:
    now = 2 * MINUTE + 3_000
    assert settled(0, now, page(0, 1)) == (candle(0),)
    assert settled(0, now, page(0, 1), page(0, 1)) == (candle(0), candle(1))
    assert settled(1, now, page(1), page(1, close=100.5)) == ()


def test_reads_agree_only_when_both_are_after_the_close_and_two_seconds_apart() -> None:
    close = 2 * MINUTE
    assert settled(1, close + 3_000, page(1), page(1), ago=2_000) == (candle(1),)
    assert settled(1, close + 3_000, page(1), page(1), ago=2_001) == ()  # it was not over by a second then
    assert settled(1, close + 9_000, page(1), page(1), ago=1_999) == ()


def test_two_reads_of_a_market_that_stands_still_close_nothing() -> None:
    assert settled(0, LATER, page(0), page(0)) == ()


def test_a_gap_needs_two_answers_that_lack_it_and_ten_seconds() -> None:
    now = 2 * MINUTE + 10_000
    unproven = ((), MINUTE)
    assert settled(1, now, page(2)) == unproven
    assert settled(1, now, page(2), page(2)) == (gap(1),)
    assert settled(1, now, page(2), page(2), ago=1_999) == unproven
    assert settled(1, now, page(2), page(1, 2)) == unproven  # the other answer has it
    assert settled(1, now, page(2), Page((), MINUTE)) == unproven  # the other answer knew of nothing newer
    assert settled(1, now - 1, page(2), page(2)) == ()


def test_an_old_gap_is_confirmed_by_a_second_answer_at_once() -> None:
    assert settled(0, LATER, page(0, 3, 4)) == ((candle(0),), MINUTE)
    assert settled(0, LATER, page(0, 3, 4), page(0, 3), ago=0) == (candle(0), gap(1), gap(2), candle(3))


def test_a_minute_is_proven_missing_as_far_as_the_answer_reaches() -> None:
    whole_window = page(0, 1, proven=5)
    assert closed_rows(0, whole_window) == [candle(0), candle(1), gap(2), gap(3), gap(4)]


def test_a_close_is_due_three_seconds_after_its_minute() -> None:
    assert newest_due(2 * MINUTE + 2_999) == 0
    assert newest_due(2 * MINUTE + 3_000) == MINUTE


def asked_times(last: int, begin: int, end: int) -> list[int]:
    """Look every 500 ms whether to ask, and return when."""
    times, asked = [], None
    for now in range(begin, end, 500):
        said = ask_at(last, now, asked)
        if said is not None:
            asked = said
            times.append(now)
    return times


def test_a_missing_close_is_asked_for_at_its_deadline_and_with_growing_pauses_until_half_a_minute_has_passed() -> None:
    close = 10 * MINUTE
    times = asked_times(8 * MINUTE, close, close + MINUTE)
    assert [time - close for time in times] == [3_000, 5_000, 9_000, 17_000]


def test_what_is_still_missing_is_asked_for_again_with_every_minute_for_ever() -> None:
    close = 10 * MINUTE
    times = asked_times(8 * MINUTE, close, close + 60 * MINUTE)
    assert {time // MINUTE for time in times} == set(range(10, 70))
    assert len(times) == 60 * 4


def test_what_came_in_time_is_never_asked_for() -> None:
    assert ask_at(9 * MINUTE, 10 * MINUTE + 59_999, None) is None
    assert ask_at(9 * MINUTE, 11 * MINUTE + 3_000, Asked(9 * MINUTE, 0, 2_000)) is not None

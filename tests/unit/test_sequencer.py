"""Closed minutes in any order become steps in order: each once, the first row is the truth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trading_system.rules.sequencer import ClosedCandle, Sequence, accept

MINUTE = 60_000


def candle(number: int, close: float = 100.0) -> ClosedCandle:
    return ClosedCandle(number * MINUTE, 100.0, 101.0, 99.0, close, 1.0)


def after(number: int, *early: ClosedCandle) -> Sequence:
    return Sequence(candle(number), early)


def test_the_next_minute_is_published_at_once() -> None:
    done = accept(after(0), [candle(1), candle(2)])
    assert done.publish == (candle(1), candle(2))
    assert done.sequence == after(2)
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
    assert done.sequence == after(2, candle(4))
    assert done.missing_from == 3 * MINUTE


def test_a_minute_that_the_exchange_does_not_have_is_a_step_like_any_other() -> None:
    gap = ClosedCandle(MINUTE, 0.0, 0.0, 0.0, 0.0, 0.0, gap=True)
    done = accept(after(0, candle(2)), [gap])
    assert done.publish == (gap, candle(2))


def test_the_same_row_again_says_nothing() -> None:
    done = accept(after(1), [candle(1), candle(0)])
    assert done == (after(1), (), (), None)


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
    assert accept(after(0, candle(5)), ()) == (after(0, candle(5)), (), (), MINUTE)


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

"""A trouble that lasts is said once, then at growing distances, and once when it is over."""

from __future__ import annotations

from trading_system.venues.lasting_trouble import FIRST_DISTANCE_S, LONGEST_DISTANCE_S, LastingTrouble


class Steady:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def said_in_a_day(every_s: float) -> list[tuple[float, str]]:
    clock = Steady()
    trouble = LastingTrouble(clock)
    said = []
    while clock.now < 1_000.0 + 86_400:
        if line := trouble.again("cut"):
            said.append((clock.now - 1_000.0, line))
        clock.now += every_s
    return said


def test_a_day_of_the_same_trouble_is_said_at_growing_distances_with_how_often_it_came() -> None:
    said = said_in_a_day(every_s=30.0)
    assert said[:4] == [
        (0.0, "cut"),
        (60.0, "cut (3 times by now)"),
        (180.0, "cut (7 times by now)"),
        (420.0, "cut (15 times by now)"),
    ]
    assert len(said) == 29
    assert said[-1][0] - said[-2][0] == LONGEST_DISTANCE_S


def test_its_end_is_said_once_and_only_if_its_beginning_was() -> None:
    clock = Steady()
    trouble = LastingTrouble(clock)
    assert not trouble.over()
    trouble.again("cut")
    assert (trouble.over(), trouble.over()) == (True, False)


def test_what_comes_back_at_once_is_the_same_trouble_and_what_comes_much_later_another() -> None:
    clock = Steady()
    trouble = LastingTrouble(clock)
    trouble.again("cut")
    trouble.over()
    clock.now += 1
    assert trouble.again("cut") is None
    assert not trouble.over()
    clock.now += FIRST_DISTANCE_S
    assert trouble.again("cut") == "cut"
    clock.now += 3 * LONGEST_DISTANCE_S
    assert trouble.again("cut") == "cut (2 times by now)"
    clock.now += FIRST_DISTANCE_S
    assert trouble.again("cut") == "cut (3 times by now)"

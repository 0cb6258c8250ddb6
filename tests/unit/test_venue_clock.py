"""The venue's clock is measured again while a line runs, at once where this machine's clocks part, and not waited for.

The machine of these tests has two clocks, as a real one: the one that stands still while it sleeps, and its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from sample_line import until
from sample_trades import instrument_of
from virtual_clock import START_MS

from trading_system.app import Line, Pace
from trading_system.services.execution_engine.ages import Ages
from trading_system.services.execution_engine.journal import Journal
from trading_system.settings import settings_with
from trading_system.venue_access import paper_access
from trading_system.venue_clock import VenueClock
from trading_system.venues.clock import SAMPLES, clock_offset

if TYPE_CHECKING:
    from trading_system.services.data_feed.service import DataFeed

MINUTE_MS = 60_000
AHEAD_MS = 80  # the venue, of this machine's clock


class Machine:
    """A machine beside a venue whose time passes evenly; ``asked``: after how many seconds awake the venue was."""

    def __init__(self) -> None:
        self.awake_ms = self.slept_ms = self.set_ms = 0
        self.asked: list[float] = []
        self.is_cut_off = False
        self.banned_ms = 0
        self.clock = VenueClock(self.ask, self.carried_ms, self.machine_ms, lambda: self.banned_ms)

    def carried_ms(self) -> int:
        return START_MS + self.awake_ms

    def machine_ms(self) -> int:
        return START_MS + self.awake_ms + self.slept_ms + self.set_ms

    def venue_ms(self) -> int:
        return START_MS + self.awake_ms + self.slept_ms + AHEAD_MS

    async def ask(self) -> int:
        self.asked.append(self.awake_ms / 1000)
        if self.is_cut_off:
            raise OSError("no answer")
        return self.venue_ms() - self.carried_ms()

    async def work(self, seconds: int, happens: Mapping[int, Callable[[], None]] | None = None) -> None:
        """Let the clock be kept right for so long; what ``happens`` does so by the second."""

        async def sleep(pause_s: float) -> None:
            self.awake_ms += round(pause_s * 1000)
            (happens or {}).get(self.awake_ms // 1000, lambda: None)()
            if self.awake_ms >= seconds * 1000:
                raise asyncio.CancelledError

        with suppress(asyncio.CancelledError):
            await self.clock.keep_right(sleep)

    def sleep(self, minutes: int = 8) -> None:
        self.slept_ms += minutes * MINUTE_MS

    def set(self, seconds: float) -> None:
        self.set_ms += round(seconds * 1000)

    def cut_off(self) -> None:
        self.is_cut_off = True

    def join(self) -> None:
        self.is_cut_off = False


async def test_the_difference_is_measured_every_ten_minutes() -> None:
    machine = Machine()
    assert machine.clock.now_ms() == START_MS
    assert machine.clock.off_ms is None
    await machine.work(1_500)
    assert machine.asked == [0, 600, 1_200]
    assert machine.clock.now_ms() == machine.venue_ms()
    assert machine.clock.off_ms == AHEAD_MS


async def test_where_there_is_no_answer_the_old_difference_is_kept_and_it_is_asked_again_soon(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    await machine.clock.measure()
    await machine.work(615, {590: machine.cut_off})
    assert machine.asked == [0, 600, 610]
    assert machine.clock.now_ms() == machine.venue_ms()
    assert machine.clock.off_ms is None
    assert [one.message for one in caplog.records] == [
        "the venue's clock cannot be asked, the last answer counts: no answer"
    ]
    await machine.work(700, {617: machine.join})
    assert machine.asked == [0, 600, 610, 620]
    assert machine.clock.off_ms == AHEAD_MS


async def test_after_the_machine_slept_the_difference_is_measured_at_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    await machine.clock.measure()
    await machine.work(31, {30: machine.sleep})
    assert machine.asked == [0, 30]
    assert machine.clock.now_ms() == machine.clock.latest_ms() == machine.venue_ms()
    assert machine.clock.off_ms == AHEAD_MS  # it slept, but its own clock is right
    assert [one.message for one in caplog.records] == [
        "the machine's clock went +480.0 s against the time that passed; asking the venue"
    ]
    await machine.work(60)
    assert machine.asked == [0, 30]


@pytest.mark.parametrize(("seconds", "is_asked"), [(3.0, True), (-3.0, True), (0.9, False), (-0.9, False)])
async def test_a_clock_that_is_set_leads_to_a_question_in_both_directions_and_a_small_step_to_none(
    seconds: float, *, is_asked: bool
) -> None:
    machine = Machine()
    await machine.clock.measure()
    await machine.work(60, {30: lambda: machine.set(seconds)})
    assert machine.asked == [0, 30][: 1 + is_asked]
    assert machine.clock.now_ms() == machine.venue_ms()
    if is_asked:
        assert machine.clock.off_ms == AHEAD_MS - seconds * 1000


async def test_until_the_venue_answers_a_signal_is_as_old_as_the_later_clock_says(tmp_path: Path) -> None:
    machine = Machine()
    await machine.clock.measure()
    ages = Ages(machine.clock.latest_ms, 60_000, Journal(tmp_path / "journal.db"))
    said_at = machine.venue_ms()
    machine.sleep()
    assert ages.age_s(said_at) == 480  # before anybody has looked at the clocks
    assert machine.clock.now_ms() == said_at
    assert machine.clock.off_ms is None
    machine.cut_off()
    await machine.work(15)
    machine.set(-600)
    assert ages.age_s(said_at) == 15  # the clock that was set back makes nothing younger
    machine.set(600)
    assert ages.age_s(said_at) == 495
    machine.join()
    await machine.work(30)
    assert ages.age_s(said_at) == 510


async def test_sleep_while_the_venue_is_asked_is_measured_again() -> None:
    machine = Machine()
    answer = machine.ask

    async def ask() -> int:
        said = await answer()
        if len(machine.asked) == 1:
            machine.sleep()
        return said

    machine.clock = VenueClock(ask, machine.carried_ms, machine.machine_ms)
    await machine.work(3)
    assert machine.asked == [0, 1]
    assert machine.clock.now_ms() == machine.clock.latest_ms() == machine.venue_ms()


async def test_a_venue_that_bans_is_not_asked_for_its_time() -> None:
    machine = Machine()
    await machine.clock.measure()
    machine.banned_ms = 1
    await machine.work(700, {100: machine.sleep, 650: lambda: setattr(machine, "banned_ms", 0)})
    assert machine.asked == [0, 650]


async def test_of_several_answers_the_one_that_was_quickest_tells_the_difference() -> None:
    ways_ms = [(90, 10), (40, 0), (3, 5), (0, 30), (200, 200)]  # there and back; the venue is 1000 ms ahead
    now_ms = 0

    async def server_time() -> int:
        nonlocal now_ms
        there, back = ways_ms.pop(0)
        now_ms += there
        said = now_ms + 1_000
        now_ms += back
        return said

    assert len(ways_ms) == SAMPLES
    assert await clock_offset(server_time, lambda: now_ms) == 999
    assert ways_ms == []


class Beat:
    """A feed that counts how often it is polled."""

    failure = None

    def __init__(self) -> None:
        self.polled = 0

    async def poll(self) -> None:
        self.polled += 1


async def test_a_question_for_the_time_that_never_returns_holds_up_nothing_of_a_line(tmp_path: Path) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def ask() -> int:
        asked.set()
        await never.wait()
        raise AssertionError

    nowhere = ["market.rest=http://127.0.0.1:1", "market.stream=ws://127.0.0.1:1", "monitoring.port=0"]
    settings = settings_with([*nowhere, "symbols=BTCUSDT"])
    access = paper_access(settings)
    clock = VenueClock(ask, lambda: START_MS, lambda: START_MS)
    bitcoin = [instrument_of("BTCUSDT")]
    line = Line(tmp_path, settings, bitcoin, 0, access, Pace(poll_s=0.0), clock=clock, services=("monitoring_engine",))
    beat = Beat()
    line._feeds.append(cast("DataFeed", beat))
    await line.start()
    try:
        await until(lambda: asked.is_set() and beat.polled > 3)
        assert line.monitoring.view is not None
        assert line.monitoring.view.clock_off_ms is None
    finally:
        await line.stop()

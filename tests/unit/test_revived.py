"""A service beside trading that fails is opened anew, after pauses that grow, as often as it takes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from trading_system.revived import LONGEST_PAUSE_S, LOOK_S, Revived
from trading_system.services.vital_signs import Vitals


class Teller:
    """One life: begins unless it is told not to, and ends on its stack."""

    name = "telegram_engine"

    def __init__(self, number: int, refuses: Exception | None) -> None:
        self.number = number
        self.failure: Exception | None = None
        self.ended = False
        self._refuses = refuses

    async def start(self) -> None:
        if self._refuses is not None:
            raise self._refuses

    def health(self) -> Vitals:
        return Vitals(self.number, {}, "next_step")

    async def stop(self) -> None:
        self.ended = True


class Stage:
    """Lives as they are made, and a clock that a test lets go on: each sleep is one turn."""

    def __init__(self) -> None:
        self.lives: list[Teller] = []
        self.refusals: list[Exception | None] = []
        self.slept: list[float] = []
        self._asleep = asyncio.Event()
        self._turn = asyncio.Event()
        self.revived = Revived("telegram_engine", self._make, sleep=self._sleep)

    def _make(self, stack: AsyncExitStack) -> Teller:
        life = Teller(len(self.lives), self.refusals.pop(0) if self.refusals else None)
        self.lives.append(life)
        stack.push_async_callback(life.stop)
        return life

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._asleep.set()
        await self._turn.wait()
        self._turn.clear()

    async def asleep(self) -> None:
        await self._asleep.wait()
        self._asleep.clear()

    async def go_on(self) -> None:
        self._turn.set()
        await self.asleep()


async def test_a_life_that_failed_is_followed_by_another_after_a_growing_pause() -> None:
    stage = Stage()
    await stage.revived.start()
    await stage.asleep()
    for _ in range(12):
        stage.lives[-1].failure = OSError("no answer")
        assert isinstance(stage.revived.failure, OSError)
        await stage.go_on()
        await stage.go_on()
        assert stage.revived.failure is None
    assert [one.ended for one in stage.lives] == [True] * 12 + [False]
    assert stage.revived.health().step == 12
    pauses = stage.slept[1::2]
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    await stage.revived.stop()
    await stage.revived.stop()
    assert stage.lives[-1].ended


async def test_a_life_that_cannot_begin_is_tried_again_and_its_sentence_is_said_meanwhile() -> None:
    stage = Stage()
    await stage.revived.start()
    await stage.asleep()
    stage.lives[0].failure = OSError("no answer")
    stage.refusals = [ConnectionError("still away")]
    await stage.go_on()
    await stage.go_on()
    assert str(stage.revived.failure) == "still away"
    await stage.go_on()
    assert stage.revived.failure is None
    assert stage.slept == [LOOK_S, 1.0, 2.0, LOOK_S]
    await stage.revived.stop()
    assert all(one.ended for one in stage.lives)


async def test_the_first_life_that_cannot_begin_ends_the_start() -> None:
    stage = Stage()
    stage.refusals = [ValueError("nobody is allowed")]
    with pytest.raises(ValueError, match="nobody is allowed"):
        await stage.revived.start()
    await stage.revived.stop()
    assert stage.lives[0].ended

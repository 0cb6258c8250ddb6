"""The inbox of commands: numbered, stored before its bell, nobody's request lost when two send at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from trading_system.bus.memory import MemoryBus
from trading_system.contracts import SYSTEM_COMMAND, CommandDTO, ContractError, from_ms, serialize, to_command
from trading_system.services.inbox import ASKING_AGAIN_S, DONE, Inbox, InboxError, answers_to, requests_of
from trading_system.services.room import Letterbox
from trading_system.store.memory import MemoryStore
from trading_system.store.sqlite import SqliteStore

EXCHANGE = "binance_usdm"
NOW = 1_700_000_000_000


class Desk:
    """A store, a bus, and what was heard on the channel of commands."""

    def __init__(self) -> None:
        self.store, self.bus = MemoryStore(), MemoryBus()
        self.letterbox = Letterbox(self.store, self.bus)
        self.heard: list[CommandDTO] = []
        self.slept: list[float] = []

    async def listen(self) -> None:
        async def hear(payload: bytes) -> None:
            assert await self.store.head(requests_of(EXCHANGE, "cli")) is not None
            self.heard.append(to_command(payload))

        await self.bus.subscribe(SYSTEM_COMMAND, hear)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def inbox(self) -> Inbox:
        return Inbox(self.letterbox, EXCHANGE, "cli", wall_ms=lambda: NOW, sleep=self.sleep)

    async def answer(self, number: int) -> None:
        word: CommandDTO = {
            "id": f"cli-{number}",
            "sender": "cli",
            "command": "pause",
            "time": from_ms(NOW),
            "status": DONE,
            "answer": "entries are off",
        }
        head = await self.store.head(answers_to(EXCHANGE, "cli"))
        await self.store.append(answers_to(EXCHANGE, "cli"), number, [serialize(word)], after=head)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_requests_are_numbered_from_one_and_in_the_store_before_their_bell(desk: Desk) -> None:
    await desk.listen()
    inbox = desk.inbox()
    assert [await inbox.ask("pause"), await inbox.ask("close", symbol="BTCUSDT")] == [1, 2]
    rows = await desk.store.read(requests_of(EXCHANGE, "cli"), None, 10)
    assert [to_command(row.payload) for row in rows] == desk.heard
    assert desk.heard == [
        {"id": "cli-1", "sender": "cli", "command": "pause", "time": from_ms(NOW), "status": "new"},
        {
            "id": "cli-2",
            "sender": "cli",
            "command": "close",
            "time": from_ms(NOW),
            "status": "new",
            "arguments": {"symbol": "BTCUSDT"},
        },
    ]
    await desk.store.rollback()
    assert await desk.store.head(requests_of(EXCHANGE, "cli")) == 2


async def test_a_request_keeps_the_id_that_its_sender_gives_it(desk: Desk) -> None:
    await desk.listen()
    await desk.inbox().ask("pause", id="update-77")
    assert desk.heard[0]["id"] == "update-77"


async def test_an_answer_is_none_until_it_is_written(desk: Desk) -> None:
    inbox = desk.inbox()
    number = await inbox.ask("pause")
    assert await inbox.answer(number) is None
    await desk.answer(number)
    answer = await inbox.answer(number)
    assert answer is not None
    assert (answer["status"], answer["answer"]) == ("done", "entries are off")


async def test_waiting_ends_with_the_answer(desk: Desk) -> None:
    inbox = desk.inbox()
    number = await inbox.ask("pause")

    async def answering(seconds: float) -> None:
        desk.slept.append(seconds)
        if len(desk.slept) == 3:
            await desk.answer(number)

    waiting = Inbox(desk.letterbox, EXCHANGE, "cli", sleep=answering)
    answer = await waiting.wait(number, 60.0)
    assert answer is not None
    assert desk.slept == [ASKING_AGAIN_S] * 3


async def test_waiting_in_vain_ends_after_the_time_allowed(desk: Desk) -> None:
    inbox = desk.inbox()
    assert await inbox.wait(await inbox.ask("pause"), 2.0) is None
    assert sum(desk.slept) == pytest.approx(2.0)


async def test_two_processes_of_one_sender_lose_no_request(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "store.db") for _ in range(2)]
    inboxes = [Inbox(Letterbox(store, MemoryBus()), EXCHANGE, "cli") for store in stores]
    numbers = [await inboxes[n % 2].ask("pause") for n in range(6)]  # each finds a head that the other has moved
    assert numbers == [1, 2, 3, 4, 5, 6]
    for store in stores:
        await store.close()


async def test_a_sender_that_was_overtaken_tries_the_next_number() -> None:
    class Overtaken(MemoryStore):
        """A store in which another process moves the head between a look at it and the next write, twice."""

        overtaken = 0

        async def head(self, stream: Any) -> int | None:
            was = await super().head(stream)
            if self.overtaken < 2:
                self.overtaken += 1
                await super().append(stream, (was or 0) + 1, [b"{}"], after=was)
            return was

    assert await Inbox(Letterbox(Overtaken(), MemoryBus()), EXCHANGE, "cli").ask("pause") == 3


async def test_many_requests_at_once_get_numbers_of_their_own(desk: Desk) -> None:
    numbers = await asyncio.gather(*(desk.inbox().ask("pause") for _ in range(20)))
    assert sorted(numbers) == list(range(1, 21))


async def test_an_endless_race_ends_with_a_sentence() -> None:
    class Racing(MemoryStore):
        async def head(self, stream: Any) -> int | None:
            was = await super().head(stream)
            await super().append(stream, (was or 0) + 1, [b"{}"], after=was)
            return was

    with pytest.raises(InboxError, match="was overtaken 100 times; ask again"):
        await Inbox(Letterbox(Racing(), MemoryBus()), EXCHANGE, "cli").ask("pause")


def test_nobody_else_may_send(desk: Desk) -> None:
    stranger: Any = "stranger"
    with pytest.raises(InboxError, match="out of cli, telegram, dashboard, was 'stranger'"):
        Inbox(desk.letterbox, EXCHANGE, stranger)


async def test_what_json_cannot_hold_is_not_written(desk: Desk) -> None:
    with pytest.raises(ContractError):
        await desk.inbox().ask("close", size=float("nan"))
    assert await desk.store.head(requests_of(EXCHANGE, "cli")) is None

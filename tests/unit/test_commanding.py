"""A person's hand on the account through execution: stored before it counts, acted on once, answered always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sample_desk import Desk
from sample_line import until
from sample_trades import EXCHANGE, MINUTE, START, plan_at

from trading_system.bus.memory import MemoryBus
from trading_system.contracts import SYSTEM_COMMAND, CommandDTO, from_ms, serialize, to_command
from trading_system.rules.facts import Closed, Declined, Fact, Fill, Offered, Paused, Placed, Resumed, Withdrawn
from trading_system.services.execution_engine.commands import MAX_AGE_MS, REMEMBERED
from trading_system.services.execution_engine.journal import State
from trading_system.services.inbox import Inbox, answers_to, requests_of
from trading_system.services.room import Letterbox
from trading_system.store.errors import StoreAwayError, StoreWriteError

PLAN = plan_at(START)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    await made.live()
    yield made
    await made.die()


@pytest.fixture
async def advised(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, advised=True)
    await made.live()
    yield made
    await made.die()


def inbox_of(desk: Desk, *, rings: bool = True) -> Inbox:
    bus = desk.bus if rings else MemoryBus()
    return Inbox(Letterbox(desk.store, bus), EXCHANGE, "cli", wall_ms=desk.clock.wall_ms)


async def ask(desk: Desk, command: str, **arguments: str) -> CommandDTO:
    """Ask, and return the answer."""
    number = await inbox_of(desk).ask(command, **arguments)
    await desk.quiet()
    return await answer(desk, number)


async def answer(desk: Desk, number: int) -> CommandDTO:
    found = await inbox_of(desk).answer(number)
    assert found is not None
    return found


async def put(desk: Desk, *payloads: bytes, number: int = 1) -> None:
    """Write a row into the inbox as any program with the store at hand could."""
    stream = requests_of(EXCHANGE, "cli")
    await desk.store.append(stream, number, payloads, after=await desk.store.head(stream))
    await desk.store.commit()
    await desk.execution.catch_up()
    await desk.quiet()


def word(**changed: Any) -> bytes:
    made: Any = {"id": "x", "sender": "cli", "command": "pause", "time": from_ms(0), "status": "new", **changed}
    return serialize(made)


def of(facts: list[Fact], kind: type[Any]) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


# --- each command reaches the venue


async def test_pause_cancels_what_waits_and_the_venue_is_told_before_the_answer_rings(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    said = await ask(desk, "pause")
    assert (said["status"], said["reason"], said["numbers"]) == ("done", "paused", {"withdrawn": 1})
    assert said["answer"].startswith("entries are off until `resume`; entries taken back: 1;")
    assert (desk.live_names(), desk.states()) == ([], {"e00": State.CANCELLED})
    await desk.minute(101.0, plans=[plan_at(START, number=1)])
    assert desk.live_names() == []
    facts = await desk.facts()
    assert [fact.rule for fact in of(facts, Withdrawn)] == ["paused"]
    assert len(of(facts, Paused)) == 1
    await ask(desk, "resume")
    await desk.minute(101.0, plans=[plan_at(START, number=2)])
    assert desk.live_names() == ["e"]
    assert len(of(await desk.facts(), Resumed)) == 1


async def test_pause_leaves_stop_and_targets_where_they_are(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    before = desk.venue.live()
    await ask(desk, "pause")
    assert desk.venue.live() == before


async def test_a_position_that_is_closed_leaves_at_market_under_its_stop(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    await desk.minute(101.0, 100.5)
    said = await ask(desk, "close", symbol="BTCUSDT")
    assert said["numbers"] == {"symbol": "BTCUSDT", "quantity": "50"}
    assert desk.live_names() == ["s", "x"]
    await desk.fill("x", 100.5)
    await desk.minute(100.5)
    assert desk.live_names() == []
    (closed,) = of(await desk.facts(), Closed)
    assert (closed.reason, closed.earned) == ("by_hand", 25.0)


async def test_panic_closes_all_and_a_second_one_finds_nothing_left(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    assert (await ask(desk, "panic"))["numbers"] == {"withdrawn": 0, "leaving": 1}
    assert (await ask(desk, "panic"))["numbers"] == {"withdrawn": 0, "leaving": 0}
    assert [name[-3] for name in desk.venue.requests("place")].count("x") == 1


async def test_an_offer_rests_nothing_until_it_is_taken(advised: Desk) -> None:
    await advised.minute(101.0, plans=[PLAN])
    assert advised.venue.requests("place") == []
    said = await ask(advised, "take", signal=PLAN.id[:6])
    assert said["numbers"] == {"signal": PLAN.id, "symbol": "BTCUSDT", "quantity": "50"}
    assert advised.prices() == {"e": (100.0, 50.0)}
    await advised.fill("e", 100.0, at=2 * MINUTE)
    await advised.minute(101.0, 100.0)
    facts = await advised.facts()
    assert [type(fact).__name__ for fact in facts[:3]] == ["Offered", "Placed", "Fill"]


async def test_an_offer_that_is_skipped_or_expires_ends_with_a_fact(advised: Desk) -> None:
    await advised.minute(101.0, plans=[PLAN, plan_at(START, number=1, expires_at=START + 2 * MINUTE)])
    assert (await ask(advised, "skip", signal=PLAN.id))["status"] == "done"
    await advised.minute(101.0)
    facts = await advised.facts()
    assert len(of(facts, Offered)) == 2
    assert [fact.rule for fact in of(facts, Declined)] == ["skipped", "expired"]
    assert of(facts, Placed) == []
    assert (await ask(advised, "take", signal=PLAN.id))["reason"] == "no_such_offer"


# --- once, whatever is lost


async def test_a_command_whose_bell_was_lost_is_found_in_the_store(desk: Desk) -> None:
    number = await inbox_of(desk, rings=False).ask("pause")
    await desk.quiet()
    assert await inbox_of(desk).answer(number) is None
    await desk.execution.catch_up()
    await desk.quiet()
    assert (await answer(desk, number))["status"] == "done"


async def test_a_bell_without_a_stored_command_does_nothing(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.bus.publish(SYSTEM_COMMAND, word(command="panic"))
    await desk.bus.publish(SYSTEM_COMMAND, b"\xff\x00")
    await desk.quiet()
    assert desk.live_names() == ["e"]
    assert not desk.execution.account.paused


async def test_commands_that_waited_for_a_start_are_acted_on_in_their_order(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.die()
    inbox = inbox_of(desk)
    numbers = [await inbox.ask(command) for command in ("pause", "resume", "resume")]
    await desk.live()
    assert [(await answer(desk, n))["reason"] for n in numbers] == ["paused", "resumed", "already_on"]


@pytest.mark.parametrize("command", ["pause", "close", "panic"])
@pytest.mark.parametrize("dies_at", [1, 2, 3])
async def test_a_restart_before_or_after_a_command_changes_nothing(tmp_path: Path, command: str, dies_at: int) -> None:
    stories = []
    for death in (0, dies_at):
        desk = Desk(tmp_path / str(death))
        await desk.live()
        stories.append(await story(desk, command, death))
        await desk.die()
    assert stories[0] == stories[1]


async def story(desk: Desk, command: str, dies_at: int) -> tuple[list[Fact], list[str], list[str]]:
    """Enter, ask in the middle of a minute in which something filled, and play on; be killed once."""

    async def moment(number: int) -> None:
        if number == dies_at:
            await desk.die()
            await desk.live()

    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    await moment(1)
    said = await ask(desk, command, **({"symbol": "BTCUSDT"} if command == "close" else {}))
    await moment(2)
    await desk.minute(101.0, 100.5)
    await moment(3)
    await desk.fill("s", 98.0)
    await desk.minute(100.5, 98.0, plans=[plan_at(START, number=1)])
    await desk.minute(101.0)
    return await desk.facts(), [name[-3:] for name in desk.venue.requests("place")], [said["reason"]]


async def test_facts_before_a_command_in_the_same_minute_outlive_a_death(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    await desk.fill("1", 104.0)
    await ask(desk, "pause")
    await desk.fill("2", 108.0)
    await desk.die()
    await desk.live()
    await desk.minute(101.0, 108.0)
    facts = await desk.facts()
    assert [fill.name for fill in of(facts, Fill)] == ["e", "1", "2"]
    assert len(of(facts, Closed)) == len(of(facts, Paused)) == 1


async def test_what_could_not_be_committed_was_not_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    number = await inbox_of(desk, rings=False).ask("panic")

    async def full(*, forced: bool = False) -> None:
        if forced:
            raise StoreWriteError("the disk takes no more")

    commit, desk.store.commit = desk.store.commit, full  # type: ignore[method-assign]
    await desk.execution.catch_up()
    await until(lambda: desk.execution.store_lost is not None)
    assert (desk.live_names(), desk.execution.account.paused) == (["s", "1", "2"], False)
    assert "entries are off, stops and exits are still sent" in caplog.text
    desk.store.commit = commit  # type: ignore[method-assign]
    await desk.die()
    await desk.live()
    assert (await answer(desk, number))["reason"] == "panicked"
    assert desk.live_names() == ["s", "x"]
    await desk.die()


async def test_a_store_that_is_away_in_the_middle_of_a_command_holds_back_the_venue_until_it_is_back(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    number = await inbox_of(desk, rings=False).ask("pause")
    commit, is_away = desk.store.commit, True

    async def away(*, forced: bool = False) -> None:
        if is_away and (forced or desk.execution._watch.is_missing):
            raise StoreAwayError("nobody answers")
        await commit()

    desk.store.commit = away  # type: ignore[method-assign]
    await desk.execution.catch_up()
    await until(lambda: desk.execution._watch.is_missing)
    assert desk.live_names() == ["e"]
    is_away = False
    await until(lambda: not desk.execution._watch.is_missing)
    await desk.minute(101.0)
    assert desk.live_names() == []
    assert (await answer(desk, number))["reason"] == "paused"
    await desk.die()


# --- answered, never acted on


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "unreadable"),
        (b"{}", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b"\xff\xfe", "unreadable"),
        (word(sender="telegram"), "unreadable"),
        (word(status="done"), "unreadable"),
        (word(command="sell_everything"), "no_such_command"),
        (word(arguments={"symbol": "BTCUSDT"}), "argument"),
    ],
)
async def test_what_is_no_command_is_answered_and_the_next_one_is_obeyed(
    desk: Desk, payload: bytes, reason: str
) -> None:
    await put(desk, payload)
    said = await answer(desk, 1)
    assert (said["status"], said["reason"]) == ("refused", reason)
    assert not desk.execution.account.paused
    await put(desk, word(id="y"), number=2)
    assert desk.execution.account.paused


async def test_a_jump_in_the_numbers_and_an_empty_row_are_passed_over(desk: Desk) -> None:
    await put(desk, number=3)
    await put(desk, word(), word(command="panic"), number=1_000_000_000)
    assert (await answer(desk, 1_000_000_000))["reason"] == "paused"
    assert await inbox_of(desk).answer(3) is None


async def test_a_request_that_comes_again_under_its_id_is_not_acted_on_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    inbox = inbox_of(desk)
    numbers = [await inbox.ask("pause", id="update-7"), await inbox.ask("resume", id="update-8")]
    await desk.quiet()
    await desk.die()
    await desk.live()
    numbers += [await inbox.ask("pause", id="update-7"), await inbox.ask("pause", id="update-9")]
    await desk.quiet()
    reasons = [(await answer(desk, number))["reason"] for number in numbers]
    assert reasons == ["paused", "resumed", "repeated", "paused"]
    await desk.die()


async def test_one_id_twice_in_one_look_counts_once(desk: Desk) -> None:
    inbox = inbox_of(desk, rings=False)
    numbers = [await inbox.ask("pause", id="7"), await inbox.ask("resume", id="7")]
    await desk.execution.catch_up()
    await desk.quiet()
    assert [(await answer(desk, number))["reason"] for number in numbers] == ["paused", "repeated"]
    assert REMEMBERED > 1


@pytest.mark.parametrize(
    ("age_ms", "reason"),
    [(MAX_AGE_MS, "paused"), (MAX_AGE_MS + 1, "stale"), (-MAX_AGE_MS, "paused"), (-MAX_AGE_MS - 1, "ahead")],
)
async def test_a_request_is_as_old_as_the_venues_clock_says(tmp_path: Path, age_ms: int, reason: str) -> None:
    desk = Desk(tmp_path, live=True)
    await desk.live()
    await put(desk, word(time=from_ms(desk.clock.wall_ms() - age_ms)))
    assert (await answer(desk, 1))["reason"] == reason
    await desk.die()


async def test_where_market_time_stands_still_no_request_is_too_old(desk: Desk) -> None:
    await put(desk, word(time=from_ms(0)))
    assert (await answer(desk, 1))["reason"] == "paused"


async def test_the_answer_is_rung_for_who_waits(desk: Desk) -> None:
    heard: list[CommandDTO] = []

    async def hear(payload: bytes) -> None:
        heard.append(to_command(payload))

    await desk.bus.subscribe(SYSTEM_COMMAND, hear)
    await ask(desk, "pause")
    assert [one["status"] for one in heard] == ["new", "done"]
    assert await desk.store.head(answers_to(EXCHANGE, "cli")) == 1


async def test_every_sender_has_answers_of_its_own(desk: Desk) -> None:
    letterbox = Letterbox(desk.store, desk.bus)
    numbers = [await Inbox(letterbox, EXCHANGE, "telegram").ask("pause"), await inbox_of(desk).ask("resume")]
    await desk.quiet()
    assert numbers == [1, 1]
    assert (await answer(desk, 1))["sender"] == "cli"
    theirs = await Inbox(letterbox, EXCHANGE, "telegram").answer(1)
    assert theirs is not None
    assert theirs["command"] == "pause"


# --- a venue that plays whole minutes


async def test_on_paper_nothing_acts_on_the_beginning_of_a_minute_in_whose_middle_it_was_asked(tmp_path: Path) -> None:
    desk = Desk(tmp_path, paper=True)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    await desk.minute(101.0, 99.0)
    number = await inbox_of(desk).ask("close", symbol="BTCUSDT")
    await asyncio.sleep(0)
    assert await inbox_of(desk).answer(number) is None
    await desk.minute(99.5, 102.0)  # whoever left at its open would not have seen its close
    assert (await answer(desk, number))["reason"] == "leaving"
    await desk.minute(102.0)
    (closed,) = of(await desk.facts(), Closed)
    assert closed.reason == "by_hand"
    assert of(await desk.facts(), Fill)[-1].price == 101.9  # the next open, less a tick
    await desk.die()


async def test_on_paper_who_has_nothing_there_waits_for_no_minute_but_an_offer_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path, paper=True, advised=True)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    assert (await ask(desk, "pause"))["status"] == (await ask(desk, "resume"))["status"] == "done"
    number = await inbox_of(desk).ask("take", signal=PLAN.id)
    await asyncio.sleep(0)
    assert await inbox_of(desk).answer(number) is None
    await desk.minute(101.0, 99.0)
    assert of(await desk.facts(), Fill) == []
    assert (await answer(desk, number))["reason"] == "taken"
    await desk.minute(101.0, 99.0)
    assert [fill.price for fill in of(await desk.facts(), Fill)] == [100.0]
    await desk.die()


async def test_on_paper_a_command_between_two_minutes_outlives_a_death(tmp_path: Path) -> None:
    desk = Desk(tmp_path, paper=True)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    await desk.minute(101.0, 99.0)
    number = await inbox_of(desk).ask("close", symbol="BTCUSDT")
    await desk.minute(101.0)
    assert (await answer(desk, number))["reason"] == "leaving"
    await desk.die()
    await desk.live()
    await desk.minute(102.0)
    assert [type(fact).__name__ for fact in (await desk.facts())[-4:]] == ["Placed", "Fill", "Closed", "EquityPoint"]
    await desk.die()

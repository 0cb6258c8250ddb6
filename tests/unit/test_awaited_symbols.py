"""A symbol whose minutes do not come: it is named, may be removed, and after a while the account goes on without it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sample_desk import ORIGIN, Desk
from sample_line import until
from sample_trades import EXCHANGE, MINUTE, plan_at

from trading_system.rules.facts import Closed, Fill, Withdrawn
from trading_system.rules.roster import Absence, Place, State
from trading_system.services.execution_engine.awaiting import Awaiting
from trading_system.services.inbox import DONE, Inbox
from trading_system.services.room import Letterbox

BTC, ETH, SOL = "BTCUSDT", "ETHUSDT", "SOLUSDT"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, others=(ETH, SOL))
    await made.live()
    yield made
    await made.die()


async def said(desk: Desk, *symbols: str, minutes: int = 1) -> None:
    for _ in range(minutes):
        for symbol in symbols:
            await desk.say(symbol, 101.0)


async def comes_to(desk: Desk, minutes: int) -> None:
    await until(lambda: desk.execution.progress.step == ORIGIN + minutes)
    desk.step = ORIGIN + minutes
    await desk.quiet()


async def removed(desk: Desk, symbol: str) -> State:
    inbox = Inbox(Letterbox(desk.store, desk.bus), EXCHANGE, "cli", wall_ms=lambda: 0)
    answer = await inbox.wait(await inbox.ask("remove_symbol", symbol=symbol), 10.0)
    assert answer is not None
    assert answer["status"] == DONE
    return desk.execution.roster.members[symbol].state


async def test_who_is_a_minute_late_is_named_and_who_is_on_its_way_is_not(desk: Desk) -> None:
    await said(desk, BTC, ETH, SOL)
    await comes_to(desk, 1)
    await said(desk, ETH)
    await desk.quiet()
    assert desk.execution.awaits == []
    await said(desk, ETH)
    await until(lambda: desk.execution.awaits == [BTC, SOL])
    await said(desk, SOL)
    await until(lambda: desk.execution.awaits == [BTC])
    vitals = desk.execution.health()
    assert (vitals.progress["awaits"], vitals.waits_for, vitals.status) == (BTC, "symbols", "waiting")
    await said(desk, BTC, SOL, minutes=2)
    await comes_to(desk, 3)
    assert desk.execution.awaits == []
    assert desk.execution.health().status == "ok"


async def test_an_awaited_symbol_with_nothing_open_leaves_at_once_and_the_others_go_on(desk: Desk) -> None:
    await said(desk, BTC, ETH, SOL)
    await comes_to(desk, 1)
    await said(desk, ETH, SOL, minutes=3)
    await until(lambda: desk.execution.awaits == [BTC])
    assert await removed(desk, BTC) == State.LEFT
    await comes_to(desk, 4)


async def test_an_awaited_symbol_that_leaves_is_let_go_when_its_stop_at_the_venue_has_closed_the_position(
    desk: Desk,
) -> None:
    await desk.say(BTC, 101.0, plans=[plan_at((ORIGIN + 1) * MINUTE)])
    await said(desk, ETH, SOL)
    await comes_to(desk, 1)
    await desk.fill("e", 100.0)
    await said(desk, ETH, SOL, minutes=3)
    await until(lambda: desk.execution.awaits == [BTC])
    assert await removed(desk, BTC) == State.LEAVING
    assert desk.execution.progress.step == ORIGIN + 1
    desk.venue.push(desk.trade("s", 98.0))
    await comes_to(desk, 4)
    assert desk.execution.roster.members[BTC].state == State.LEFT
    assert desk.execution.roster.members[BTC].stints[-1].left == ORIGIN + 1


PATIENCE = 10


class Machine:
    """Seconds of this machine, which a test lets pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s


@pytest.fixture
async def machine(desk: Desk) -> Machine:
    """Let the desk's next lives go on without a symbol after ten minutes."""
    made = Machine()
    desk.awaiting = Awaiting(PATIENCE, made.monotonic_s)
    await desk.die()
    await desk.live()
    return made


async def entering(desk: Desk) -> None:
    """Bring the account to its first step, with an entry of the first symbol at the venue."""
    await desk.say(BTC, 101.0, plans=[plan_at((ORIGIN + 1) * MINUTE)])
    await said(desk, ETH, SOL)
    await comes_to(desk, 1)


async def silence_of_the_first(desk: Desk, machine: Machine) -> None:
    """Let the others go on until nobody waits for the first symbol any more."""
    await said(desk, ETH, SOL, minutes=2)
    await until(lambda: desk.execution.awaits == [BTC])
    await desk.quiet()
    await said(desk, ETH, SOL, minutes=PATIENCE - 2)
    machine.now_s += 60.0 * PATIENCE
    await said(desk, ETH, SOL)
    await comes_to(desk, PATIENCE + 2)


def absences(desk: Desk) -> tuple[Absence, ...]:
    return desk.execution.roster.members[BTC].absences


async def test_the_account_goes_on_without_a_symbol_whose_minutes_do_not_come(
    desk: Desk, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    await entering(desk)
    assert desk.live_names() == ["e"]
    await silence_of_the_first(desk, machine)
    assert absences(desk) == (Absence(ORIGIN + 2),)
    assert desk.live_names() == []
    assert [fact.rule for fact in await desk.facts() if isinstance(fact, Withdrawn)] == ["symbol_unseen"]
    assert desk.execution.health().progress["unseen"] == BTC
    assert f"{BTC}: its minutes do not come; from step {ORIGIN + 2} on the account goes on without them" in caplog.text
    await said(desk, ETH, SOL)
    await comes_to(desk, PATIENCE + 3)  # nobody waits for it again


async def test_the_stop_of_a_position_stays_and_its_fill_is_booked_while_the_symbol_is_not_seen(
    desk: Desk, machine: Machine
) -> None:
    await entering(desk)
    await desk.fill("e", 100.0)
    await silence_of_the_first(desk, machine)
    assert desk.live_names() == ["s", "1", "2"]
    await desk.fill("s", 98.0)
    await said(desk, ETH, SOL)
    await comes_to(desk, PATIENCE + 3)
    assert [fact.reason for fact in await desk.facts() if isinstance(fact, Closed)] == ["stop"]


@pytest.mark.parametrize("restarted", [False, True], ids=["in one life", "started again meanwhile"])
async def test_minutes_that_come_late_are_not_folded_and_the_symbol_takes_part_again(
    desk: Desk, machine: Machine, *, restarted: bool
) -> None:
    await entering(desk)
    await silence_of_the_first(desk, machine)
    before = desk.execution.account
    if restarted:
        await desk.die()
        await desk.live()
        assert desk.execution.account == before
        assert desk.execution.roster.members[BTC].unseen
    for minute in range(2, PATIENCE + 2):  # a signal among them is of a step that is closed
        await desk.say(BTC, 101.0, plans=[plan_at((ORIGIN + minute) * MINUTE)] if minute == 5 else [])
    await desk.quiet()
    assert desk.execution.roster.members[BTC].unseen
    assert desk.execution.account == before
    await desk.say(BTC, 101.0)
    await until(lambda: absences(desk) == (Absence(ORIGIN + 2, ORIGIN + PATIENCE + 2),))
    await said(desk, ETH, SOL, minutes=2)
    await until(lambda: desk.execution.awaits == [BTC])
    assert desk.execution.progress.step == ORIGIN + PATIENCE + 2
    await desk.say(BTC, 101.0, plans=[plan_at((ORIGIN + PATIENCE + 3) * MINUTE)])
    await desk.say(BTC, 101.0)
    await comes_to(desk, PATIENCE + 4)
    assert desk.live_names() == ["e"]
    assert not any(isinstance(fact, Fill) for fact in await desk.facts())


async def test_a_restart_knows_no_price_of_a_minute_that_came_too_late(desk: Desk, machine: Machine) -> None:
    await entering(desk)
    await desk.fill("e", 100.0)
    await silence_of_the_first(desk, machine)
    roster, account = desk.execution.roster, desk.execution.account
    await desk.die()
    await desk.say(BTC, 90.0, plans=[])
    await desk.live()
    assert desk.execution.roster == roster
    assert desk.execution.account == account
    assert roster.at(ORIGIN + 2)[0] == Place.UNSEEN


async def test_a_pause_of_the_machine_or_of_the_whole_feed_is_no_symbols_fault(desk: Desk, machine: Machine) -> None:
    await said(desk, BTC, ETH, SOL)
    await comes_to(desk, 1)
    await said(desk, ETH, SOL, minutes=PATIENCE - 1)
    await until(lambda: desk.execution.awaits == [BTC])
    await desk.quiet()
    machine.now_s += 3600.0
    await said(desk, ETH, SOL)  # the market has not gone on by ten minutes beyond the step
    await desk.quiet()
    assert absences(desk) == ()
    await said(desk, ETH, SOL)
    await until(lambda: absences(desk) == (Absence(ORIGIN + 2),))


async def test_a_symbol_that_catches_up_is_awaited_although_it_is_far_behind(desk: Desk, machine: Machine) -> None:
    await said(desk, BTC, ETH, SOL)
    await comes_to(desk, 1)
    await said(desk, ETH, SOL, minutes=3 * PATIENCE)
    for minute in range(2, 6):
        machine.now_s += 60.0 * (PATIENCE - 1)
        await said(desk, BTC)
        await comes_to(desk, minute)
    assert absences(desk) == ()


async def test_without_patience_a_symbol_is_awaited_for_ever(desk: Desk) -> None:
    await said(desk, BTC, ETH, SOL)
    await comes_to(desk, 1)
    await said(desk, ETH, SOL, minutes=3 * PATIENCE)
    await until(lambda: desk.execution.awaits == [BTC])
    await desk.quiet()
    assert desk.execution.progress.step == ORIGIN + 1

"""A symbol whose minutes do not come: who is awaited is said, and who is removed is awaited no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sample_desk import ORIGIN, Desk
from sample_line import until
from sample_trades import EXCHANGE, MINUTE, plan_at

from trading_system.rules.roster import State
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

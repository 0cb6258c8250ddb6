"""A line's symbols change while it runs: one joins and one leaves at stated steps, and the rest is as it would be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from paper_exchange import PublicFeed, assert_equal_to_its_backtest
from small_markets import SIX, made_market, small_settings

from trading_system.app import Line
from trading_system.contracts import CommandDTO
from trading_system.paper_run import paper_line, paper_run
from trading_system.replay import LocalLine, LocalMarket, conduct
from trading_system.research.runs import Run
from trading_system.rules.roster import State
from trading_system.services.inbox import DONE, Inbox
from trading_system.simulated_run import REPLAY_PACE
from trading_system.stored_run import run_of

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = SIX[0], SIX[1], SIX[2]


@pytest.fixture
async def feed() -> AsyncIterator[PublicFeed]:
    public = PublicFeed(made_market(small_settings(), 4, SIX[:3], 1000))
    await public.open()
    yield public
    await public.server.stop()


async def line_of(feed: PublicFeed, folder: Path) -> Line:
    found = await paper_line([FIRST, SECOND], feed.settings, folder, pace=REPLAY_PACE, venue_ms=lambda: 0)
    return found.line


async def asked(line: Line, command: str, symbol: str) -> CommandDTO:
    inbox = Inbox(line.letterbox, line.instruments[0].exchange, "cli", wall_ms=lambda: 0)
    answer = await inbox.wait(await inbox.ask(command, symbol=symbol), 10.0)
    assert answer is not None
    return answer


async def stands(line: Line, symbol: str, state: State) -> None:
    async with asyncio.timeout(20):
        while line.execution.roster.members[symbol].state != state:
            await asyncio.sleep(0.02)


async def play(line: Line, feed: PublicFeed, steps: int | None = None) -> None:
    """Conduct the market, through ``steps`` minutes or to its end."""
    market = LocalMarket(feed.server)
    if steps is None:
        await conduct(LocalLine(line), market)
        return
    standing = await market.standing()
    end = standing.step + steps
    while standing.step < end:
        report = await LocalLine(line).quiet(standing)
        standing = await market.advance(end if report.until is None else min(end, report.until))
    await LocalLine(line).quiet(standing)


async def finished(line: Line, feed: PublicFeed) -> Run:
    await play(line, feed)
    return paper_run(await run_of(line), line, 0.0)


async def test_a_symbol_joins_and_another_leaves_and_the_backtest_of_the_store_is_equal(
    feed: PublicFeed, tmp_path: Path
) -> None:
    folder = tmp_path / "paper"
    line = await line_of(feed, folder)
    try:
        await line.start()
        await play(line, feed, 40)
        assert (await asked(line, "add_symbol", THIRD))["status"] == DONE
        await stands(line, THIRD, State.JOINING)
        await asyncio.sleep(0.5)
        await play(line, feed, 60)
        await stands(line, THIRD, State.JOINED)
        assert (await asked(line, "remove_symbol", FIRST))["status"] == DONE
        await play(line, feed, 60)
        run = await finished(line, feed)
    finally:
        await line.stop()
    members = line.execution.roster.members
    print(members[THIRD].stints, members[FIRST].stints, run.summary)
    assert members[FIRST].state == State.LEFT
    assert {trade.symbol for trade in run.record.trades} == {FIRST, SECOND, THIRD}
    await assert_equal_to_its_backtest(folder, run)

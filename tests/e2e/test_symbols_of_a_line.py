"""A line's symbols change while it runs: one joins and one leaves at stated steps, and the rest is as it would be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from line_processes import PATIENCE_S, Disturbance, Play, Stage, assert_equal, played
from paper_exchange import PublicFeed, assert_equal_to_its_backtest, clock_by
from redis_server import RedisServer
from service_plays import BUSY, WARM_UP_MINUTES
from small_markets import MINUTE, SIX, made_market, quick_settings, small_settings, write_candles

from trading_system.app import Line
from trading_system.contracts import CommandDTO
from trading_system.paper_run import paper_line, paper_run
from trading_system.replay import LocalLine, LocalMarket, conduct, require_alive
from trading_system.research.line_rows import status_of
from trading_system.research.line_view import read_line
from trading_system.research.runs import run_backtest, write
from trading_system.research.stored_candles import read_stored
from trading_system.rules.roster import Change, Member, State, Why
from trading_system.service_run import FOLDER
from trading_system.services.execution_engine.joining import SILENT_STEPS, Membership
from trading_system.services.inbox import DONE, Inbox
from trading_system.simulated_run import REPLAY_PACE
from trading_system.stored_run import run_of

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = SIX[0], SIX[1], SIX[2]


@pytest.fixture
async def feed() -> AsyncIterator[PublicFeed]:
    public = PublicFeed(made_market(small_settings(), 8, SIX[:3], 900))
    await public.open()
    yield public
    await public.server.stop()


async def line_of(feed: PublicFeed, folder: Path) -> Line:
    clock = clock_by(lambda: 0)
    found = await paper_line([FIRST, SECOND], feed.settings, folder, pace=REPLAY_PACE, clock=clock)
    return found.line


async def asked(line: Line, command: str, symbol: str) -> CommandDTO:
    inbox = Inbox(line.letterbox, line.instruments[0].exchange, "cli", wall_ms=lambda: 0)
    answer = await inbox.wait(await inbox.ask(command, symbol=symbol), 10.0)
    assert answer is not None
    return answer


async def stands(line: Line, symbol: str, *states: State) -> None:
    """Wait until the line's own store says so."""

    async def look() -> None:
        while line.execution.roster.members[symbol].state not in states:
            require_alive(line)
            line.execution.moved.clear()
            await asyncio.wait({asyncio.ensure_future(line.execution.moved.wait())}, timeout=0.1)

    await asyncio.wait_for(look(), 20)


async def play(line: Line, feed: PublicFeed, minutes: int | None = None) -> None:
    """Conduct the market up to a minute of it, or to its end."""
    market = LocalMarket(feed.server)
    if minutes is None:
        await conduct(LocalLine(line), market)
        return
    standing = await market.standing()
    end = feed.inputs.origin // MINUTE + minutes
    while standing.step < end:
        report = await LocalLine(line).quiet(standing)
        standing = await market.advance(end if report.until is None else min(end, report.until))
    await LocalLine(line).quiet(standing)


async def again(line: Line, feed: PublicFeed, *, how: bool) -> Line:
    """Return the line as it goes on after a restart, or as it is."""
    if not how:
        return line
    await line.stop()
    line = await line_of(feed, line.folder)
    await line.start()
    return line


@pytest.mark.parametrize("restarted", [False, True], ids=["in one life", "started again at every turn"])
async def test_a_symbol_joins_and_another_leaves_and_the_backtest_of_the_store_is_equal(
    feed: PublicFeed, tmp_path: Path, *, restarted: bool
) -> None:
    """The first symbol holds a position from minute 600 to 651; the third, which trades from 780 on, was not there."""
    line = await line_of(feed, tmp_path / "paper")
    try:
        await line.start()
        await play(line, feed, 590)
        assert (await asked(line, "add_symbol", THIRD))["status"] == DONE
        line = await again(line, feed, how=restarted)
        await stands(line, THIRD, State.JOINING, State.JOINED)
        line = await again(line, feed, how=restarted)
        await stands(line, THIRD, State.JOINED)
        line = await again(line, feed, how=restarted)
        await play(line, feed, 620)
        answer = await asked(line, "remove_symbol", FIRST)
        assert answer.get("reason") == "leaves"
        line = await again(line, feed, how=restarted)
        await play(line, feed, 640)
        assert line.execution.roster.members[FIRST].state == State.LEAVING
        line = await again(line, feed, how=restarted)
        await play(line, feed)
        run = paper_run(await run_of(line), line, 0.0)
    finally:
        await line.stop()
    members, origin = line.execution.roster.members, feed.inputs.origin // MINUTE
    (stay,) = members[FIRST].stints
    assert (stay.leaving, stay.left) == (origin + 621, origin + 652)
    assert 590 < members[THIRD].stints[0].joined - origin <= 592
    assert [trade.symbol for trade in run.record.trades] == [FIRST, THIRD]
    status = status_of(await read_line(tmp_path / "paper"))
    assert (status["symbols"], status["left"]) == ([SECOND, THIRD], [FIRST])
    await assert_equal_to_its_backtest(tmp_path / "paper", run)


@pytest.mark.parametrize("restarted", [False, True], ids=["in one life", "started again meanwhile"])
async def test_minutes_that_the_account_went_on_without_are_gaps_for_the_backtest_of_the_store_too(
    feed: PublicFeed, tmp_path: Path, *, restarted: bool
) -> None:
    """The first symbol, which holds a position from minute 600 to 651, is not seen from 606 on: its end is another."""

    async def looked(line: Line, change: Callable[[int], list[Change]]) -> None:
        step = line.execution.progress.step
        await line.execution._members.write(change(step), step)
        await line.letterbox.store.commit()

    line = await line_of(feed, tmp_path / "paper")
    try:
        await line.start()
        await play(line, feed, 605)
        with patch.object(Membership, "seen", lambda *_: []):  # as if its minutes did not come
            await looked(line, lambda step: line.execution._members.unseen(step, [FIRST]))
            await play(line, feed, 630)
            line = await again(line, feed, how=restarted)
            await play(line, feed, 670)
        await play(line, feed)
        run = paper_run(await run_of(line), line, 0.0)
    finally:
        await line.stop()
    (absence,) = line.execution.roster.members[FIRST].absences
    assert absence.first == feed.inputs.origin // MINUTE + 606
    assert absence.last is not None
    assert absence.last - absence.first >= 60
    (trade, *_) = [trade for trade in run.record.trades if trade.symbol == FIRST]
    assert trade.time // MINUTE >= absence.last
    await assert_equal_to_its_backtest(tmp_path / "paper", run)


def while_it_stands(stage: Stage, *words: str, dies: str, symbol: str, states: Sequence[State]) -> None:
    """Ask while the market stands still, let a service die, and wait until the store says what came of it."""
    stage.conductor.kill()
    stage.ask("symbols", *words)
    stage.services[dies].restart()
    ends_at = time.monotonic() + PATIENCE_S
    while members_in(stage.folder)[symbol].state not in states:
        stage.require_alive()
        assert time.monotonic() < ends_at, stage.tails()
        time.sleep(0.1)
    stage.conductor.start()


def members_in(folder: Path) -> Mapping[str, Member]:
    return asyncio.run(read_line(folder / FOLDER)).roster.members


def test_eight_processes_follow_the_store_when_their_symbols_change(tmp_path: Path, redis_server: RedisServer) -> None:
    """Two symbols join and one leaves, asked from the command line, while services die; equal to its backtest."""
    market = made_market(quick_settings(), 9, SIX[:3], WARM_UP_MINUTES + 340)
    files = [(write_candles(tmp_path / f"{name}.csv", market.candles[name]), name) for name in SIX[:3]]
    (candles, symbol), *beside = files
    joined, gone = (State.JOINED,), (State.LEAVING, State.LEFT)

    def asks(action: str, name: str, dies: str, states: Sequence[State]) -> Callable[[Stage], None]:
        return lambda stage: while_it_stands(stage, action, name, dies=dies, symbol=name, states=states)

    done = played(
        Play(candles, symbol, BUSY, tuple(beside)),
        tmp_path / "apart",
        redis_server.url,
        "",
        [
            Disturbance(0.2, "the second joins", asks("add", SECOND, "data_feed", joined)),
            Disturbance(0.4, "the third joins", asks("add", THIRD, "execution_engine", joined)),
            Disturbance(0.6, "the first leaves", asks("remove", FIRST, "strategy_engine", gone)),
        ],
    )
    members = members_in(tmp_path / "apart")
    assert {name: one.state for name, one in members.items()} == {
        FIRST: State.LEFT,
        SECOND: State.JOINED,
        THIRD: State.JOINED,
    }
    assert {trade.symbol for trade in done.run.record.trades} == {FIRST, SECOND, THIRD}
    stored = asyncio.run(read_stored(tmp_path / "apart" / FOLDER))
    tested = run_backtest(stored.inputs, stored.settings, late=stored.late)
    write(tmp_path / "backtest", tested)
    assert_equal(tmp_path / "apart", tmp_path / "backtest")
    assert done.fingerprint == tested.summary["fingerprint"]


async def test_a_symbol_that_ended_while_the_line_was_down_keeps_the_others_from_nothing(
    feed: PublicFeed, tmp_path: Path
) -> None:
    line = await line_of(feed, tmp_path / "paper")
    try:
        await line.start()
        await play(line, feed, 660)
        feed.server.exchange.delist(FIRST)
        line = await again(line, feed, how=True)
        await play(line, feed)
        run = paper_run(await run_of(line), line, 0.0)
    finally:
        await line.stop()
    left = line.execution.roster.members[FIRST]
    assert (left.state, left.why) == (State.LEFT, Why.ENDED)
    assert line.execution.progress.step == feed.server.exchange.last_step
    await assert_equal_to_its_backtest(tmp_path / "paper", run)


@pytest.mark.parametrize("restarted", [False, True], ids=["in one life", "started again at every turn"])
async def test_a_symbol_that_ends_while_it_holds_a_position_is_settled_at_its_last_price_and_leaves(
    feed: PublicFeed, tmp_path: Path, *, restarted: bool
) -> None:
    """The first symbol holds a position from minute 600 on; after 606 there is no minute of it any more."""
    line = await line_of(feed, tmp_path / "paper")
    try:
        await line.start()
        await play(line, feed, 606)
        last = feed.server.exchange.book(FIRST).last
        feed.server.exchange.delist(FIRST)
        line = await again(line, feed, how=restarted)
        await play(line, feed, 607 + SILENT_STEPS)
        await stands(line, FIRST, State.LEAVING, State.LEFT)
        line = await again(line, feed, how=restarted)
        await play(line, feed, 610 + SILENT_STEPS)
        line = await again(line, feed, how=restarted)
        await play(line, feed)
        run = paper_run(await run_of(line), line, 0.0)
    finally:
        await line.stop()
    left = line.execution.roster.members[FIRST]
    (stay,) = left.stints
    assert (left.state, left.why) == (State.LEFT, Why.ENDED)
    assert stay.leaving is not None
    assert stay.left == stay.leaving + 1
    (trade,) = [trade for trade in run.record.trades if trade.symbol == FIRST]
    assert (trade.reason, trade.time) == ("settled", stay.leaving * MINUTE)
    assert line.execution.idle
    assert [fill.price for fill in run.record.fills if fill.time == trade.time and fill.symbol == FIRST] == [last]
    await assert_equal_to_its_backtest(tmp_path / "paper", run)


async def test_a_symbol_that_is_halted_for_more_than_an_hour_is_not_settled_and_its_trade_goes_on_with_the_market(
    feed: PublicFeed, tmp_path: Path
) -> None:
    """The first symbol holds a position from minute 600 on."""
    line, resumed = await line_of(feed, tmp_path / "paper"), feed.inputs.origin // MINUTE + 620 + SILENT_STEPS
    try:
        await line.start()
        await play(line, feed, 606)
        feed.server.exchange.halt(FIRST, resumed)
        await play(line, feed)
        run = paper_run(await run_of(line), line, 0.0)
    finally:
        await line.stop()
    assert line.execution.roster.members[FIRST].state == State.JOINED
    (trade, *_) = [trade for trade in run.record.trades if trade.symbol == FIRST]
    assert trade.reason != "settled"
    assert trade.time >= resumed * MINUTE
    await assert_equal_to_its_backtest(tmp_path / "paper", run)

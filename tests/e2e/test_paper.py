"""Paper trading on a venue's public feed: equal to a backtest of what it stored, however often it is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from both_sides import assert_each_signal_entered_once
from paper_exchange import PublicFeed, assert_equal_to_its_backtest, clock_by
from proxies import proxy, socks5
from sample_line import until
from small_markets import SIX, made_market, quick_settings, small_settings, with_gaps

from trading_system.app import PAPER_FILE
from trading_system.line_terms import OtherLineError
from trading_system.paper_run import paper_line, trade_paper
from trading_system.replay import LineFailedError, LocalMarket
from trading_system.research.line_rows import status_of
from trading_system.research.line_view import read_line
from trading_system.research.runs import run_backtest
from trading_system.rules.risk import Rejection
from trading_system.secret import Secret
from trading_system.simulated_run import REPLAY_PACE
from trading_system.simulator import paper_venue
from trading_system.simulator.paper_venue import PaperStateError, PaperVenue
from trading_system.terms import origin_before
from trading_system.venue_clock import VenueClock
from trading_system.venues.known import MARKETS, VENUES
from trading_system.venues.market_errors import MarketAwayError, UnknownSymbolError

pytestmark = pytest.mark.slow


@pytest.fixture
async def feed() -> AsyncIterator[PublicFeed]:
    public = PublicFeed()
    await public.open()
    yield public
    await public.server.stop()


class KilledError(RuntimeError):
    """The process died here, as far as the test is concerned."""


async def test_a_paper_run_equals_the_backtest_of_what_it_stored_and_signs_nothing(
    feed: PublicFeed, tmp_path: Path
) -> None:
    run = await feed.trade(await feed.line(tmp_path / "paper"))
    tested = await assert_equal_to_its_backtest(tmp_path / "paper", run)
    assert run.summary["trades"] == 2
    assert feed.server.wire["signed_requests"] == 0
    assert feed.server.wire["user_events"] == 0
    plain = run_backtest(feed.inputs, feed.settings)
    assert plain.summary["fingerprint"] == tested.summary["fingerprint"]


async def test_a_paper_line_behind_socks_alone_trades_and_nothing_passes_the_proxy_by(
    feed: PublicFeed, tmp_path: Path
) -> None:
    """The name of the venue is known to the proxy alone."""
    async with proxy(socks5) as way:
        port = int(feed.settings.market.rest.rpartition(":")[2])
        hosts = {"rest": f"http://venue.invalid:{port}", "stream": f"ws://venue.invalid:{port}"}
        market = feed.settings.market.model_copy(update=hosts)
        address = Secret(f"socks5://me:secret@127.0.0.1:{way.port}")
        feed.settings = feed.settings.model_copy(update={"market": market, "proxy": address})
        run = await feed.trade(await feed.line(tmp_path / "paper"))
    assert run.summary["trades"] == 2
    assert len(way.reached) > 1
    assert set(way.reached) == {("venue.invalid", port)}


@pytest.mark.parametrize("market", sorted(set(MARKETS) - set(VENUES)))
async def test_a_spot_market_is_followed_and_traded_on_paper_as_a_margin_account_would(
    tmp_path: Path, market: str
) -> None:
    feed = PublicFeed(None, f"exchange={market}")
    await feed.open()
    try:
        line = await feed.line(tmp_path / "paper")
        run = await feed.trade(line)
    finally:
        await feed.server.stop()
    tested = await assert_equal_to_its_backtest(tmp_path / "paper", run)
    assert run.summary["trades"] == 2
    assert run.summary["signals"] == tested.summary["signals"] > 0
    assert [one.exchange for one in line.instruments] == [market]
    assert feed.server.wire["frames"] > 0
    assert feed.server.wire["signed_requests"] == 0


async def test_several_symbols_with_holes_trade_one_paper_account(tmp_path: Path) -> None:
    whole = made_market(small_settings(), 4, SIX[:3], 780)
    holes = with_gaps(whole, {"BNBUSDT": range(560, 580), "ADAUSDT": [551, 700]})
    feed = PublicFeed(holes)
    await feed.open()
    try:
        run = await feed.trade(await feed.line(tmp_path / "paper"))
    finally:
        await feed.server.stop()
    await assert_equal_to_its_backtest(tmp_path / "paper", run)
    assert run.summary["fills"] > 3


async def test_an_account_that_forgets_its_old_trades_goes_on_as_one_that_does_not(
    feed: PublicFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_venue, "TRADES_KEPT", 1)
    run = await feed.trade(await feed.line(tmp_path / "paper"))
    await assert_equal_to_its_backtest(tmp_path / "paper", run)
    again = await feed.line(tmp_path / "paper")
    await again.start()
    assert isinstance(again.venue, PaperVenue)
    assert again.venue.trades == run.summary["fills"] == 5
    assert len(again.venue.fingerprint_lines()) <= 2
    await again.stop()


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("method", ["play", "place", "cancel"])
async def test_a_line_killed_behind_the_back_of_its_paper_account_goes_on_without_a_difference(
    feed: PublicFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, nth: int
) -> None:
    """The account has done what it was asked and has it on the disk; the line dies before it hears of it."""
    whole = getattr(PaperVenue, method)
    count = 0

    def play_and_die(self: PaperVenue, *words: object) -> object:
        nonlocal count
        done = whole(self, *words)
        if done.events:
            count += 1
            if count == nth:
                raise KilledError
        return done

    async def do_and_die(self: PaperVenue, *words: object) -> object:
        nonlocal count
        done = await whole(self, *words)
        count += 1
        if count == nth:
            raise KilledError
        return done

    monkeypatch.setattr(PaperVenue, method, play_and_die if method == "play" else do_and_die)
    with pytest.raises(LineFailedError):
        await feed.trade(await feed.line(tmp_path / "paper"))
    run = await feed.trade(await feed.line(tmp_path / "paper"))
    assert count >= nth
    await assert_equal_to_its_backtest(tmp_path / "paper", run)
    assert_each_signal_entered_once(tmp_path / "paper")


async def test_a_line_started_after_an_outage_plays_the_missed_minutes_and_refuses_the_stale_signals(
    feed: PublicFeed, tmp_path: Path
) -> None:
    """Down while the market went on to its end: resting orders meet the minutes, signals of then are too old."""
    folder = tmp_path / "paper"
    first = await feed.line(folder, clock_by(lambda: 0))
    await first.start()
    await first.stop()
    market = LocalMarket(feed.server)
    end = feed.server.exchange.last_step
    while (await market.standing()).step < end:
        await market.advance(end)
    last = end * 60_000

    run = await feed.trade(await feed.line(folder, clock_by(lambda: last)))

    assert run.summary["signals"] > 0
    assert run.summary["orders"] == 0
    assert run.summary["refused_by"]["signal_stale"] == run.summary["signals"]
    await assert_equal_to_its_backtest(folder, run)
    view = await read_line(folder)
    stale = [fact for fact in view.facts_of(Rejection) if fact.rule == "signal_stale"]
    assert all(fact.numbers["age_s"] > 60 for fact in stale)


@pytest.mark.parametrize(("age_ms", "is_acted_on"), [(60_000, True), (60_001, False)])
async def test_a_signal_is_acted_on_up_to_its_sixtieth_second(
    feed: PublicFeed, tmp_path: Path, age_ms: int, *, is_acted_on: bool
) -> None:
    exchange = feed.server.exchange
    run = await feed.trade(await feed.line(tmp_path / "paper", clock_by(lambda: exchange.now + age_ms)))
    assert (run.summary["orders"] > 0) == is_acted_on
    assert ("signal_stale" in run.summary["refused_by"]) != is_acted_on
    await assert_equal_to_its_backtest(tmp_path / "paper", run)


async def test_no_signal_is_acted_on_after_the_machine_slept_while_the_venue_cannot_be_asked(
    feed: PublicFeed, tmp_path: Path
) -> None:
    exchange, slept_ms = feed.server.exchange, 0

    async def cut_off() -> int:
        raise OSError

    clock = VenueClock(cut_off, lambda: exchange.now, lambda: exchange.now + slept_ms)
    slept_ms = 480_000
    run = await feed.trade(await feed.line(tmp_path / "paper", clock))
    assert run.summary["orders"] == 0
    assert run.summary["refused_by"]["signal_stale"] == run.summary["signals"] > 0


async def test_a_ban_of_the_stream_s_handshake_keeps_the_line_s_questions_away_as_well(
    feed: PublicFeed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        del request
        return web.Response(status=418, headers={"Retry-After": "300"})

    app = web.Application()
    app.router.add_get("/{path:.*}", refuse)
    banning = TestServer(app)
    await banning.start_server()
    feed.settings = small_settings(
        f"market.rest={feed.settings.market.rest}", f"market.stream=ws://127.0.0.1:{banning.port}"
    )
    line = await feed.line(tmp_path / "paper")
    budget = line._access.budget
    try:
        await line.start()
        await until(lambda: budget.banned_ms > 0)
        assert 290_000 < budget.banned_ms <= 300_000
        assert budget.shut_out_ms == 0  # no stop waits on the word of the stream's host
        (said,) = [message for message in caplog.messages if "no request before" in message]
        assert said.endswith("UTC, for it says HTTP 418 to a stream's handshake")
    finally:
        await line.stop()
        await banning.close()


async def test_a_stop_asked_for_ends_the_run_cleanly_and_the_next_start_goes_on(
    feed: PublicFeed, tmp_path: Path
) -> None:
    folder = tmp_path / "paper"
    stop = asyncio.Event()
    line = await feed.line(folder)
    began = asyncio.Event()
    trading = asyncio.create_task(trade_paper(line, stop, trading=began.set))
    await began.wait()
    half = feed.server.exchange.step + 60
    market = LocalMarket(feed.server)
    while (await market.standing()).step < half:
        await market.advance(half)
    stop.set()
    run = await trading
    assert run is not None
    await assert_equal_to_its_backtest(folder, run)
    whole = await feed.trade(await feed.line(folder))
    await assert_equal_to_its_backtest(folder, whole)
    assert whole.summary["trades"] == 2


async def test_until_ends_with_the_minute_that_it_names(feed: PublicFeed, tmp_path: Path) -> None:
    until = (feed.server.exchange.step + 20) * 60_000
    began = asyncio.Event()
    line = await feed.line(tmp_path / "paper")
    trading = asyncio.create_task(trade_paper(line, asyncio.Event(), until=until, trading=began.set))
    await began.wait()
    market = LocalMarket(feed.server)
    while (await market.standing()).step < until // 60_000:
        await market.advance(until // 60_000)
    run = await trading
    assert run is not None
    assert run.summary["candles"] == (until - line.origin) // 60_000


async def test_a_stop_during_the_warm_up_gives_no_run(feed: PublicFeed, tmp_path: Path) -> None:
    stop = asyncio.Event()
    line = await feed.line(tmp_path / "paper")
    assert await trade_paper(line, stop, warmed=lambda _: stop.set()) is None
    run = await feed.trade(await feed.line(tmp_path / "paper"))
    await assert_equal_to_its_backtest(tmp_path / "paper", run)


async def test_a_paper_line_is_known_as_one_from_its_first_start_on(feed: PublicFeed, tmp_path: Path) -> None:
    line = await feed.line(tmp_path / "paper")
    await line.start()
    try:
        assert status_of(await read_line(tmp_path / "paper"))["mode"] == "paper"
    finally:
        await line.stop()


async def test_what_cannot_be_traded_is_said_before_anything_is_made(feed: PublicFeed, tmp_path: Path) -> None:
    with pytest.raises(UnknownSymbolError, match=r"BTCUSD: expected one of the 1 symbols .* did you mean BTCUSDT"):
        await paper_line(["BTCUSD"], feed.settings, tmp_path / "paper")
    nowhere = small_settings("market.rest=http://127.0.0.1:9")
    with pytest.raises(MarketAwayError, match=r"expected the venue's public answer"):
        await paper_line(["BTCUSDT"], nowhere, tmp_path / "paper")
    assert not (tmp_path / "paper").exists()
    line = await feed.line(tmp_path / "paper")
    await line.start()
    await line.stop()
    with pytest.raises(OtherLineError, match="expected the symbols of its line, BTCUSDT, was ETHUSDT"):
        await paper_line(["ETHUSDT"], feed.settings, tmp_path / "paper", pace=REPLAY_PACE)
    (tmp_path / "paper" / PAPER_FILE).write_text("{}")
    broken = await feed.line(tmp_path / "paper")
    with pytest.raises(PaperStateError, match=r"paper.json: expected the state of a paper account"):
        await broken.start()
    await broken.stop()


def test_a_new_origin_leaves_the_whole_warm_up_before_now() -> None:
    settings = quick_settings("warm_up=40")
    for now in (1_736_121_600_000, 1_736_121_660_000, 1_736_125_140_000):
        origin = origin_before(now, settings)
        assert origin % (15 * 60_000) == 0
        assert 0 <= now - origin - 40 * 5 * 60_000 < 15 * 60_000


async def test_the_control_one_tick_changed_in_a_stored_candle_is_a_difference(
    feed: PublicFeed, tmp_path: Path
) -> None:
    run = await feed.trade(await feed.line(tmp_path / "paper"))
    run.record.candles[0]["high"][600] += 0.1
    with pytest.raises(AssertionError, match="candles"):
        await assert_equal_to_its_backtest(tmp_path / "paper", run)

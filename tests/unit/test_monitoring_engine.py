"""The monitoring engine: its view is the store's, each trouble is told once, and no message can mislead it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from sample_desk import ORIGIN
from sample_trades import EXCHANGE, MINUTE, plan_at
from watched_line import SYMBOL, WATCHED, WatchedLine

from trading_system.bus.errors import BusUnreachableError
from trading_system.contracts import SYSTEM_HEALTH, from_ms, serialize
from trading_system.rules.facts import EquityPoint, Fill
from trading_system.services.monitoring_engine.service import MonitoringEngine
from trading_system.services.room import ALERTS, CANDLES, WHOLE_ACCOUNT, Letterbox
from trading_system.services.vital_signs import Limits
from trading_system.store.errors import StoreAwayError, StoreError
from trading_system.store.port import Row, Stream
from trading_system.store.sqlite import SqliteStore


async def test_positions_and_equity_are_the_account_s_own_at_every_mark(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0, plans=[plan_at((line.desk.step + 1) * MINUTE)])
    await line.pass_time(1)
    view = line.engine.view
    assert view is not None
    (one,) = view.held
    assert (one.waiting, view.open_positions, view.equity) == (True, [], 10_000.0)
    await line.desk.fill("e", 100.0, fee=2.5)
    marked = 0
    for n in range(31):
        if n == 20:
            await line.desk.fill("1", 104.0, fee=1.25)
        await line.minute(100.0 + n * 0.37)
        await line.pass_time(1)
        view, account = line.engine.view, line.desk.execution.account
        assert view is not None
        assert view.account is not None
        (one,) = view.open_positions
        slot = account.slots[0]
        assert slot.trade is not None
        assert (one.last, one.quantity, one.trade.stop) == (slot.close, slot.trade.held, slot.trade.stop)
        assert view.protected(one)
        points = [fact for fact in await line.desk.facts() if isinstance(fact, EquityPoint)]
        if points[-1].time == line.desk.step * MINUTE:
            marked += 1
            assert view.equity == account.equity == points[-1].equity
    assert marked >= 3
    assert one.r == (one.unrealised + 25 * 4.0 - 2.5 - 1.25) / 100.0  # type: ignore[operator]
    facts = await line.desk.facts()
    assert sum(line.engine.tallies.fills.values()) == sum(isinstance(fact, Fill) for fact in facts) == 2
    assert line.engine.tallies.fees == 3.75
    assert await line.alerts() == []
    await line.end()


async def test_a_service_that_dies_is_told_once_and_so_is_its_return(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0)
    await line.pass_time(60)
    assert await line.alerts() == []
    line.beating.discard("strategy_engine")
    await line.pass_time(20)
    assert await line.alerts() == []
    await line.pass_time(100)
    assert await line.told() == [("service_silent", "strategy_engine", False)]
    assert line.engine.standstill() == ["service_silent strategy_engine"]
    line.beating.add("strategy_engine")
    await line.pass_time(60)
    assert await line.told() == [
        ("service_silent", "strategy_engine", False),
        ("service_silent", "strategy_engine", True),
    ]
    assert line.rung() == await line.alerts()
    assert line.engine.standstill() == []
    await line.end()


async def test_a_new_life_of_the_watch_repeats_nothing_and_ends_what_ended_while_it_was_away(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    line.beating -= {"strategy_engine", "data_feed"}
    await line.pass_time(30)
    assert len(await line.alerts()) == 2
    await line.engine.stop()
    line.engine = line.new_engine()
    await line.engine.start()
    await line.pass_time(30)
    assert len(await line.alerts()) == 2
    await line.engine.stop()
    line.beating.add("data_feed")
    line.engine = line.new_engine()
    await line.engine.start()
    await line.pass_time(30)
    assert (await line.told())[2:] == [("service_silent", "data_feed", True)]
    await line.end()


async def test_a_service_that_failed_says_why(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    line.desk.execution.failure = ArithmeticError("the sums do not add up")
    await line.pass_time(30)
    (alert,) = await line.alerts()
    assert (alert["kind"], alert["subject"]) == ("service_failed", "execution_engine")
    assert alert["numbers"] == {"sentence": "ArithmeticError: the sums do not add up"}
    assert not line.engine.is_up("execution_engine")
    line.desk.execution.failure = None
    await line.end()


async def test_a_position_without_its_stop_at_the_venue_is_told_after_some_seconds_and_counted(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0, plans=[plan_at((line.desk.step + 1) * MINUTE)])
    await line.desk.fill("e", 100.0)
    await line.minute(100.5)
    await line.pass_time(15)
    assert await line.alerts() == []
    stop = next(order for order in line.desk.journal.live(SYMBOL) if order.name == "s")
    line.desk.journal.unknown_outcome(stop.client_id, "cut")
    await line.pass_time(8)
    assert await line.alerts() == []
    assert list(line.engine.bare_since) == [SYMBOL]
    await line.pass_time(60)
    assert await line.told() == [("position_unprotected", SYMBOL, False), ("orders_unknown", "account", False)]
    line.desk.journal.acked(stop.client_id, "1")
    await line.pass_time(12)
    assert (await line.told())[2:] == [("position_unprotected", SYMBOL, True), ("orders_unknown", "account", True)]
    await line.end()


async def test_a_symbol_that_the_account_does_not_see_is_told_until_it_takes_part_again(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0)
    members = line.desk.execution._members
    await members.write(members.unseen(line.desk.step, [SYMBOL]), line.desk.step)
    await line.pass_time(10)
    assert await line.told() == [("symbol_unseen", SYMBOL, False)]
    await members.write(members.seen(line.desk.step, {SYMBOL: line.desk.step}), line.desk.step)
    await line.pass_time(30)
    assert await line.told() == [("symbol_unseen", SYMBOL, False), ("symbol_unseen", SYMBOL, True)]
    await line.end()


async def test_a_bare_position_is_not_called_protected_while_execution_is_silent(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0, plans=[plan_at((line.desk.step + 1) * MINUTE)])
    await line.desk.fill("e", 100.0)
    await line.minute(100.5)
    stop = next(order for order in line.desk.journal.live(SYMBOL) if order.name == "s")
    line.desk.journal.unknown_outcome(stop.client_id, "cut")
    await line.pass_time(40)
    line.beating.discard("execution_engine")
    await line.pass_time(40)
    await line.engine.stop()
    line.desk.bus._kept.clear()  # as by a server that was started anew
    line.engine = line.new_engine()
    await line.engine.start()
    await line.pass_time(60)
    assert await line.told() == [
        ("position_unprotected", SYMBOL, False),
        ("orders_unknown", "account", False),
        ("service_silent", "execution_engine", False),
    ]
    await line.end()


async def test_a_room_that_falls_behind_is_told_by_the_heads_in_the_store(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    for _ in range(7):
        await line.desk.minute(101.0)  # the swings' room stands still
    await line.pass_time(20)
    view = line.engine.view
    assert view is not None
    assert view.lags == {"data_feed": 0, "indicator_engine": 7, "strategy_engine": 0, "execution_engine": 0}
    assert await line.alerts() == []
    await line.pass_time(30)
    (alert,) = await line.alerts()
    assert (alert["kind"], alert["subject"], alert["numbers"]) == ("service_behind", "indicator_engine", {"behind": 7})
    await line.end()


async def test_a_silent_market_is_told_by_the_venue_s_time_and_not_at_all_in_lockstep(tmp_path: Path) -> None:
    venue = {"ms": 0}
    for number, venue_ms in enumerate((None, lambda: venue["ms"])):
        (tmp_path / str(number)).mkdir()
        line = WatchedLine(tmp_path / str(number), venue_ms=venue_ms)
        await line.begin()
        await line.minute(101.0)
        venue["ms"] = line.desk.step * MINUTE + 100_000
        await line.pass_time(5)
        assert await line.alerts() == []
        venue["ms"] += 51_000
        await line.pass_time(5)
        expected = [("feed_silent", SYMBOL, False)] if number else []
        assert await line.told() == expected
        assert line.engine.standstill() == [f"feed_silent {SYMBOL}"] * number
        await line.end()


async def test_the_machine_s_disk_and_clock_are_watched(tmp_path: Path) -> None:
    machine: dict[str, int | None] = {"free": 600_000_000, "off": 300}
    line = WatchedLine(tmp_path, free_disk_bytes=lambda: machine["free"], clock_off_ms=lambda: machine["off"])
    await line.begin()
    await line.pass_time(60)
    assert await line.alerts() == []
    machine |= {"free": 400_000_000, "off": 2_500}
    await line.pass_time(60)
    assert await line.told() == [("disk_low", "machine", False), ("clock_off", "machine", False)]
    assert (await line.alerts())[1]["numbers"] == {"off_s": 2.5}
    machine["off"] = None  # nobody knows: what was told is neither over nor told again
    await line.pass_time(60)
    assert line.engine.view is not None
    assert line.engine.view.clock_off_ms is None
    assert len(await line.alerts()) == 2
    await line.end()


async def test_limits_of_the_account_are_told_with_their_numbers(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0, plans=[plan_at((line.desk.step + 1) * MINUTE)])
    await line.desk.fill("e", 100.0)
    await line.minute(100.0)
    await line.desk.fill("s", 90.0)
    await line.minute(90.0)
    await line.pass_time(5)
    (alert,) = await line.alerts()
    assert (alert["kind"], alert["numbers"]) == ("day_loss", {"from": 10_000.0, "equity": 9_500.0, "loss_pct": 5.0})
    assert line.engine.standstill() == []  # a limit that did its work is no standstill
    await line.end()


async def test_forged_and_broken_heartbeats_are_counted_and_have_no_effect(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0)
    await line.pass_time(5)
    good = line.engine.view
    assert good is not None
    old = serialize({"service": "data_feed", "status": "failed", "time": from_ms(0)})
    far = serialize({"service": "data_feed", "status": "ok", "time": from_ms(line.clock.wall_ms() + 10**10)})
    stranger = serialize({"service": "somebody", "status": "ok", "time": from_ms(line.clock.wall_ms())})
    broken = [b"", b"{", b"[" * 100_000, b"null", b'{"service": 5}', b"\xff\xfe", stranger]
    broken.append(serialize({"service": "data_feed", "status": "splendid", "time": from_ms(0)}))
    for payload in [*broken, old, far]:
        await line.desk.bus.publish(SYSTEM_HEALTH, payload)
    assert line.engine.refused_messages == len(broken)
    await line.pass_time(30)
    view = line.engine.view
    assert view is not None
    assert view.health.keys() == good.health.keys()
    assert await line.told() == [("bad_messages", "monitoring_engine", False)]
    await line.pass_time(60)
    assert (await line.told())[1:] == [("bad_messages", "monitoring_engine", True)]
    await line.end()


async def test_what_the_bus_of_the_watch_drops_is_told_as_its_own_bad_messages(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.pass_time(2)
    line.desk.bus._counts["overflowed"] += 7
    line.beating.clear()
    await line.sign("monitoring_engine", progress={"bad_bells": 0})
    await line.pass_time(2)
    (alert,) = await line.alerts()
    assert (alert["kind"], alert["subject"], alert["numbers"]) == ("bad_messages", "monitoring_engine", {"messages": 7})
    await line.end()


async def test_a_room_that_gets_forged_bells_is_named_and_its_restart_is_no_new_attack(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0)
    line.beating.discard("strategy_engine")
    for bad in (3, 3, 9, 0, 0):
        await line.sign("strategy_engine", step=line.desk.step, progress={"bad_bells": bad})
        await line.pass_time(2)
    (alert,) = await line.alerts()
    assert (alert["kind"], alert["subject"], alert["numbers"]) == ("bad_messages", "strategy_engine", {"messages": 9})
    await line.end()


async def test_while_the_bus_is_away_one_alert_is_told_and_nobody_is_called_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.pass_time(5)

    async def away(_: str) -> bytes | None:
        raise BusUnreachableError("redis", "nobody there")

    line.beating.clear()
    with monkeypatch.context() as patched:
        patched.setattr(line.desk.bus, "newest", away)
        await line.pass_time(120)
        assert await line.told() == [("bus_away", "bus", False)]
    line.beating = set(WATCHED)
    await line.pass_time(30)
    assert (await line.told())[1:] == [("bus_away", "bus", True)]
    await line.end()


async def test_a_store_that_is_away_leaves_the_view_as_old_as_it_is_and_loses_no_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.minute(101.0)
    await line.pass_time(5)
    before = line.engine.view

    async def away(_: Stream) -> int | None:
        raise StoreError("the store is away")

    line.beating.discard("data_feed")
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(line.desk.store, "head", away)
        await line.pass_time(60)
        assert line.engine.view is before
        assert (line.engine.health().waits_for, line.engine.health().status) == ("store", "waiting")
        assert line.engine.standstill() == ["store_silent store"]
    assert line.engine.failure is None
    await line.pass_time(1)
    assert await line.told() == [("service_silent", "data_feed", False)]
    await line.end()


@pytest.mark.parametrize(("seconds", "told"), [(10, 0), (60, 1)])
async def test_that_the_store_was_away_is_told_afterwards_with_how_long(
    seconds: int, told: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Stream) -> int | None:
        raise StoreAwayError("the store is away")

    line = WatchedLine(tmp_path)
    await line.begin()
    await line.pass_time(5)
    for _ in range(2):  # one that comes and goes is one outage
        with monkeypatch.context() as patched:
            patched.setattr(line.desk.store, "head", away)
            await line.pass_time(seconds)
            assert len(line.engine.lasting) == told
        await line.pass_time(5)
    assert await line.alerts() == []
    await line.pass_time(20)
    alerts = await line.alerts()
    assert [(one["kind"], one["subject"], one["over"], one["numbers"]) for one in alerts] == [
        ("store_away", "store", True, {"lasted_s": 2 * seconds + 5})
    ] * told
    assert line.rung() == alerts
    assert line.engine.lasting == []
    await line.end()


async def test_a_second_watch_on_the_same_line_repeats_nothing_and_ends_neither(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.pass_time(1)
    other = line.new_engine()
    await other.start()
    line.beating.discard("data_feed")
    await line.pass_time(30)
    await other.poll()
    line.clock.now_ms += 21_000
    await other.poll()
    await other.poll()
    assert (line.engine.failure, other.failure) == (None, None)
    assert (await line.told()).count(("service_silent", "data_feed", False)) == 1
    await other.stop()
    await line.end()


@pytest.mark.parametrize("done", [True, False])
async def test_an_alert_whose_commit_got_no_answer_is_told_once_and_the_watch_goes_on(
    done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    await line.pass_time(1)
    own = line.engine._letterbox.store
    commit, rollback, lost = own.commit, own.rollback, []

    async def cut() -> None:
        if lost:
            return await commit()
        lost.append(done)
        await (commit() if done else rollback())
        raise StoreAwayError("no answer came")

    monkeypatch.setattr(own, "commit", cut)
    line.beating.discard("data_feed")
    await line.pass_time(40)
    assert lost == [done]
    assert line.engine.failure is None
    line.beating.add("data_feed")
    await line.pass_time(30)
    assert await line.told() == [("service_silent", "data_feed", False), ("service_silent", "data_feed", True)]
    await line.end()


async def test_on_a_store_of_its_own_it_sees_what_is_committed_and_commits_nobody_else_s_half_step(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    line = WatchedLine(tmp_path)
    line.desk.store = SqliteStore(path)  # type: ignore[assignment]
    own = SqliteStore(path)
    line.engine = MonitoringEngine(
        Letterbox(own, line.desk.bus), EXCHANGE, {SYMBOL: ORIGIN}, line.clock.wall_ms, **line.how
    )
    await line.begin()
    await line.minute(101.0)
    await line.desk.store.commit()
    await line.pass_time(2)
    view = line.engine.view
    assert view is not None
    assert view.step == line.desk.step
    half = Stream(CANDLES, EXCHANGE, SYMBOL)
    await line.desk.store.append(half, line.desk.step + 1, [b"{}"], after=line.desk.step)
    line.beating.discard("data_feed")
    await line.pass_time(30)
    assert await line.told() == [("service_silent", "data_feed", False)]
    await line.desk.store.rollback()
    assert await own.head(half) == line.desk.step
    await line.end()
    await own.close()
    await line.desk.store.close()


async def test_before_the_first_step_nothing_is_guessed(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    assert line.engine.health().status == "waiting"
    await line.engine.start()
    assert line.engine.standstill() == ["store_silent store"]
    await line.engine.poll()
    view = line.engine.view
    assert view is not None
    assert (view.step, view.account, view.equity, view.held) == (None, None, None, ())
    assert view.heads == {SYMBOL: None}
    assert view.candle_age_s(SYMBOL) is None
    assert view.execution_number("unknown") is None
    assert line.engine.health().waits_for == "services"
    await line.engine.stop()
    await line.engine.stop()


async def test_every_alert_is_a_row_of_one_stream_numbered_from_one(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path, limits=Limits(silent_s=5))
    await line.begin()
    await line.pass_time(2)
    line.beating.clear()
    await line.pass_time(20)
    stream = Stream(ALERTS, EXCHANGE, WHOLE_ACCOUNT)
    rows: list[Row] = await line.desk.store.read(stream, None, 9)
    assert [(row.step, row.n) for row in rows] == [(1, 0), (1, 1), (1, 2), (1, 3)]
    assert await line.desk.store.head(Stream(CANDLES, EXCHANGE, SYMBOL)) is None
    assert line.desk.step == ORIGIN
    await line.end()

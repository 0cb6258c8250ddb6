"""Execution: what is stored is traded, protection before profit, every fill once, and a restart changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_venue import TAKEN_ANSWER_LOST
from sample_desk import ORIGIN, Desk
from sample_trades import MINUTE, START, plan_at

from trading_system.contracts import (
    order_updated_channel,
    position_updated_channel,
    serialize,
    signal_rejected_channel,
    strategy_step_channel,
    to_order,
    to_position,
    to_rejection,
    trade_signal_channel,
)
from trading_system.rules.account import UnexpectedFillError
from trading_system.rules.facts import Closed, EquityPoint, Fact, Fill, Placed, Withdrawn
from trading_system.rules.matching import Role
from trading_system.rules.risk import Rejection
from trading_system.rules.words import signal_dto
from trading_system.services.execution_engine.journal import State
from trading_system.venues.errors import RefusedError, StopPassedError
from trading_system.venues.port import OrderChanged, OrderStatus, VenueFill

PLAN = plan_at(START)
REFUSAL = RefusedError(-2019, "Margin is insufficient.")
PASSED = StopPassedError(-2021, "Order would immediately trigger.")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    await made.live()
    yield made
    await made.die()


async def entered(desk: Desk) -> None:
    """Take the plan and fill its entry."""
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)


def kinds(facts: list[Fact]) -> list[str]:
    return [
        f"{type(fact).__name__}:{fact.order.id[-1]}" if isinstance(fact, Placed) else type(fact).__name__
        for fact in facts
    ]


def placed(facts: list[Fact]) -> list[tuple[str, float, float]]:
    return [(one.order.id[-1], one.order.price, one.order.quantity) for one in facts if isinstance(one, Placed)]


def of(facts: list[Fact], kind: type[Any]) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


# --- one trade from its signal to its end


async def test_a_stored_signal_becomes_a_sized_entry(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    assert desk.prices() == {"e": (100.0, 50.0)}
    assert desk.states() == {"e00": State.ACKED}
    assert placed(await desk.facts()) == [("e", 100.0, 50.0)]


async def test_after_the_entry_the_stop_is_sent_before_the_targets(desk: Desk) -> None:
    await entered(desk)
    sent = [client_id[-3] for client_id in desk.venue.requests("place")]
    assert sent == ["e", "s", "1", "2"]
    assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}


async def test_after_the_first_target_the_stop_protects_the_rest_at_the_entry(desk: Desk) -> None:
    await entered(desk)
    await desk.fill("1", 104.0)
    assert desk.prices() == {"s": (100.0, 25.0), "2": (108.0, 25.0)}
    about_stops = [line.split()[0] for line in desk.venue.log if line.split()[1][-3] == "s"]
    assert about_stops == ["place", "place", "cancel"]  # never without a stop


async def test_a_trade_is_booked_from_entry_to_end_in_order(desk: Desk) -> None:
    await entered(desk)
    await desk.minute(101.0, 100.5)
    await desk.fill("1", 104.0, fee=0.5)
    await desk.fill("s", 99.9, at=30_000)
    await desk.minute(104.0, 99.9)
    facts = await desk.facts()
    assert kinds(facts) == [
        "Placed:e",
        "Fill",
        "Placed:s",
        "Placed:1",
        "Placed:2",
        "EquityPoint",
        "Fill",
        "Placed:s",
        "Fill",
        "Closed",
        "EquityPoint",
    ]
    (closed,) = of(facts, Closed)
    assert (closed.reason, closed.earned) == ("stop", 100.0 - 0.5 - 2.5)
    assert of(facts, EquityPoint)[-1].equity == 10_097.0
    assert desk.live_names() == []
    assert desk.execution.idle


async def test_what_happens_is_rung_for_others(desk: Desk) -> None:
    await entered(desk)
    await desk.fill("s", 98.0)
    await desk.minute(98.0)
    await desk.minute(98.0)
    rung = desk.bus.rung
    orders = [to_order(payload) for channel, payload in rung if channel == order_updated_channel("BTCUSDT")]
    assert [(one["role"], one["status"]) for one in orders[:3]] == [("e", "new"), ("e", "filled"), ("s", "new")]
    assert orders[1]["average_price"] == 100.0
    (position,) = [to_position(payload) for channel, payload in rung if channel == position_updated_channel("BTCUSDT")]
    assert (position["quantity"], position["r"], position["signal_id"]) == (0.0, -1.0, PLAN.id)


async def test_a_waiting_entry_is_cancelled_when_its_zone_is_gone(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    gone = desk.event("ob_mitigated", desk.step + 1, ref="zone")
    await desk.minute(101.0, events=[gone])
    assert desk.live_names() == []
    assert desk.states() == {"e00": State.CANCELLED}
    assert [fact.rule for fact in of(await desk.facts(), Withdrawn)] == ["zone_gone"]


async def test_events_of_the_higher_interval_do_not_touch_a_waiting_entry(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    step = desk.step + 1
    above = [
        desk.event("ob_mitigated", step, ref="zone", interval="4h"),
        desk.event("choch", step, direction=-1, interval="4h"),
    ]
    await desk.minute(101.0, events=above)
    assert desk.live_names() == ["e"]


async def test_an_opposite_turn_withdraws_the_entry(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.minute(101.0, events=[desk.event("choch", desk.step + 1, direction=-1)])
    assert [fact.rule for fact in of(await desk.facts(), Withdrawn)] == ["opposite_choch"]


# --- only what is stored


async def test_a_forged_step_or_signal_trades_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, leaves_process=True)
    await desk.live()
    forged = desk.word(desk.step + 1, 101.0, plans=[PLAN])
    await desk.bus.publish(strategy_step_channel("BTCUSDT"), serialize(forged))
    await desk.bus.publish(trade_signal_channel("BTCUSDT"), serialize(signal_dto(PLAN)))
    await desk.quiet()
    assert (desk.venue.requests("place"), desk.execution.progress.step) == ([], ORIGIN)
    await desk.minute(101.0, rung=False)
    await desk.bus.publish(strategy_step_channel("BTCUSDT"), serialize(forged))
    await desk.quiet()
    assert (desk.venue.requests("place"), desk.execution.progress.step) == ([], ORIGIN + 1)
    await desk.minute(101.0, plans=[PLAN])
    assert desk.live_names() == ["e"]  # the control: the same plan, stored
    await desk.die()


async def test_a_forged_signal_in_a_true_step_counts_as_stored_even_within_the_process(desk: Desk) -> None:
    await desk.minute(101.0, rung=False)
    forged = desk.word(desk.step, 101.0, plans=[PLAN])
    await desk.bus.publish(strategy_step_channel("BTCUSDT"), serialize(forged))
    await desk.quiet()
    assert desk.venue.requests("place") == []
    assert desk.execution.progress.step == ORIGIN + 1


async def test_a_step_whose_bell_was_lost_is_read_from_the_store(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN], rung=False)
    assert desk.live_names() == []
    await desk.execution.catch_up()
    await desk.quiet()
    assert desk.live_names() == ["e"]


# --- what the venue refuses


async def test_a_stop_that_is_passed_becomes_a_market_exit_and_was_never_placed(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    desk.venue.placings.append(PASSED)
    await desk.fill("e", 100.0)
    assert desk.live_names() == ["x"]
    await desk.fill("x", 97.5)
    await desk.minute(97.5)
    facts = await desk.facts()
    assert [name for name, _, _ in placed(facts)] == ["e", "x"]
    (closed,) = of(facts, Closed)
    assert (closed.reason, closed.earned) == ("stop_passed", -125.0)


async def test_a_break_even_stop_that_is_passed_was_never_placed_and_the_old_one_stays_until_the_exit(
    desk: Desk,
) -> None:
    await entered(desk)
    desk.venue.placings.append(PASSED)
    await desk.fill("1", 104.0)
    assert sorted(desk.live_names()) == ["s", "x"]
    await desk.fill("x", 99.0)
    await desk.minute(99.0)
    facts = await desk.facts()
    assert placed(facts) == [
        ("e", 100.0, 50.0),
        ("s", 98.0, 50.0),
        ("1", 104.0, 25.0),
        ("2", 108.0, 25.0),
        ("x", 0.0, 25.0),
    ]
    assert desk.live_names() == []


async def test_a_refused_entry_is_a_rejection_and_frees_the_slot(desk: Desk) -> None:
    desk.venue.placings.append(REFUSAL)
    await desk.minute(101.0, plans=[PLAN])
    facts = await desk.facts()
    assert placed(facts) == []
    assert [(fact.rule, fact.plan.id) for fact in of(facts, Rejection)] == [("venue_refused", PLAN.id)]
    assert desk.execution.idle
    await desk.minute(101.0, plans=[plan_at(START, number=1)])
    assert desk.live_names() == ["e"]
    rung = [
        to_rejection(payload) for channel, payload in desk.bus.rung if channel == signal_rejected_channel("BTCUSDT")
    ]
    assert [word["rule"] for word in rung] == ["venue_refused"]


async def test_a_plan_that_risk_refuses_reaches_no_venue(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN, plan_at(START, number=1)])
    assert desk.live_names() == ["e"]
    assert [fact.rule for fact in of(await desk.facts(), Rejection)] == ["slot_taken"]


async def test_a_lost_answer_is_resolved_and_the_order_is_sent_once(desk: Desk) -> None:
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    await desk.minute(101.0, plans=[PLAN])
    assert len(desk.venue.requests("place")) == 1
    assert desk.states() == {"e00": State.ACKED}
    assert desk.execution.progress[2:] == (0, 0)


# --- every fill once


async def test_a_fill_that_is_heard_twice_is_booked_once(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill = await desk.fill("e", 100.0)
    await desk.hear(fill, fill)
    await desk.minute(101.0)
    assert len(of(await desk.facts(), Fill)) == 1
    assert desk.execution.progress.trade == 1


async def test_fills_of_a_cut_are_read_when_the_stream_is_back(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    entry = desk.trade("e", 100.0)
    await desk.cut_and_reconnect()
    assert desk.live_names() == ["s", "1", "2"]
    first = desk.trade("1", 104.0, at=30_000)
    await desk.cut_and_reconnect()
    await desk.hear(entry, first)
    await desk.minute(101.0, 104.0)
    assert [fill.name for fill in of(await desk.facts(), Fill)] == ["e", "1"]
    assert desk.prices() == {"s": (100.0, 25.0), "2": (108.0, 25.0)}


async def test_an_order_that_ended_without_our_doing_is_sent_again(desk: Desk) -> None:
    await entered(desk)
    client_id = next(name for name in desk.venue.live() if name[-3] == "s")
    desk.venue.held[client_id].status = OrderStatus.CANCELLED
    await desk.hear(OrderChanged(client_id, "BTCUSDT", OrderStatus.CANCELLED, "2"))
    assert desk.prices()["s"] == (98.0, 50.0)


async def test_an_order_that_ended_while_the_stream_was_cut_is_sent_again(desk: Desk) -> None:
    await entered(desk)
    client_id = next(name for name in desk.venue.live() if name[-3] == "s")
    desk.venue.held[client_id].status = OrderStatus.EXPIRED
    await desk.cut_and_reconnect()
    assert desk.prices()["s"] == (98.0, 50.0)


async def test_a_trade_of_another_program_is_left_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.hear(VenueFill("7", 7, "web_123", "BTCUSDT", START, 100.0, 1.0, 0.0, False))
    await desk.minute(101.0)
    assert of(await desk.facts(), Fill) == []
    assert "not ours" in caplog.text
    assert desk.execution.progress.trade == 7


async def test_a_fill_that_no_trade_explains_stops_execution(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.minute(101.0, plans=[PLAN])
    order = desk.venue.held[desk.venue.live()[0]].order
    stray = VenueFill("9", 9, order.client_id[:-3] + "200", "BTCUSDT", START, 100.0, 1.0, 0.0, False)
    await desk.minute(101.0, events=[desk.event("ob_mitigated", desk.step + 1, ref="zone")])
    with pytest.raises(UnexpectedFillError, match="no trade holds the symbol's slot"):
        await desk.hear(stray)
    assert "execution stopped" in caplog.text
    desk.execution.failure = None


# --- restart


async def test_a_restart_in_the_middle_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    stories: dict[int, tuple[list[Fact], list[str]]] = {}
    for dies_at in (0, 1, 2, 3, 4, 5):
        folder = tmp_path / str(dies_at)
        desk = Desk(folder)
        await desk.live()
        await play(desk, dies_at)
        stories[dies_at] = (await desk.facts(), desk.venue.requests("place"))
        await desk.die()
    facts, _ = stories[0]
    assert {type(fact) for fact in facts} == {Placed, Fill, Closed, EquityPoint}
    for dies_at, story in stories.items():
        assert story == stories[0], f"killed at {dies_at}"


async def play(desk: Desk, dies_at: int) -> None:
    """Play one trade; be killed once, at one of five moments."""

    async def moment(number: int) -> None:
        if number == dies_at:
            await desk.die()
            await desk.live()

    await desk.minute(101.0, plans=[PLAN])
    await moment(1)
    await desk.fill("e", 100.0)
    await moment(2)  # between a fill and the step in which it happened
    await desk.minute(101.0, 100.0)
    await moment(3)
    await desk.fill("1", 104.0)
    await moment(4)
    await desk.minute(101.0, 104.0)
    await desk.minute(104.0, 103.0)
    await moment(5)
    await desk.fill("s", 99.9)
    await desk.minute(103.0, 99.9)


async def test_fills_that_happened_while_nobody_lived_are_booked_at_the_start(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    await desk.die()
    desk.trade("e", 100.0)
    await desk.live()
    assert desk.live_names() == ["s", "1", "2"]
    await desk.minute(101.0, 100.0)
    assert [fill.name for fill in of(await desk.facts(), Fill)] == ["e"]
    await desk.die()


async def test_a_fill_booked_before_the_close_of_the_minute_before_it_is_booked_once_over_a_restart(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    # the candle of a minute comes late: a fill of the next one is heard before it
    await desk.fill("e", 100.0, at=MINUTE + 15_000)
    await desk.minute(101.0, 101.0)
    assert len(of(await desk.facts(), Fill)) == 1
    await desk.die()
    await desk.live()
    await desk.minute(101.0, 100.0)
    assert len(of(await desk.facts(), Fill)) == 1
    assert desk.live_names() == ["s", "1", "2"]
    await desk.die()


async def test_what_was_traded_on_the_account_before_the_first_start_is_none_of_ours(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.venue.trades.append(VenueFill("41", 41, "web_1", "BTCUSDT", START - 1, 100.0, 1.0, 0.0, False))
    await desk.live()
    assert desk.journal.unread("BTCUSDT").number == 42
    assert desk.journal.fills_since(0) == []
    await desk.die()


async def test_steps_that_were_stored_while_nobody_lived_are_closed_and_what_they_want_rests(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.die()
    await desk.minute(101.0, plans=[PLAN], rung=False)
    await desk.minute(101.0, rung=False)
    await desk.live()
    assert desk.execution.progress.step == ORIGIN + 2
    assert desk.live_names() == ["e"]
    await desk.die()


def test_the_plan_of_these_tests_has_the_size_they_say() -> None:
    assert (PLAN.entry - PLAN.stop) * 50.0 == 100.0
    assert Role.STOP < Role.TARGET

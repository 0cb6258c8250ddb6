"""A symbol whose grid becomes another one at the venue: what must rest is placed on it, and the symbol leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_desk import Desk
from sample_line import until
from sample_membership import BTC, Line, Market
from sample_trades import MINUTE, plan_at

from trading_system.rules.changed_grid import on_grid
from trading_system.rules.grid import Grid
from trading_system.rules.matching import Order, OrderType, Role
from trading_system.rules.roster import Change, State, Why
from trading_system.services.execution_engine.joining import Joining
from trading_system.venues.errors import OutcomeUnknownError, RefusedError, StopPassedError
from trading_system.venues.port import VenueOrder

COARSER = BTC._replace(tick=Grid(1, 1))
TENTHS = BTC._replace(step=Grid(1, 10))
DAY = 1440


@pytest.mark.parametrize(
    ("role", "kind", "side", "price", "placed"),
    [
        (Role.STOP, OrderType.STOP, -1, 99.7, 99.0),
        (Role.STOP, OrderType.STOP, 1, 100.2, 101.0),
        (Role.TARGET, OrderType.LIMIT, -1, 104.9, 104.0),
        (Role.TARGET, OrderType.LIMIT, 1, 95.1, 96.0),
        (Role.STOP, OrderType.STOP, -1, 99.0, 99.0),
        (Role.EXIT, OrderType.MARKET, -1, 0.0, 0.0),
    ],
)
def test_a_stop_is_never_nearer_and_a_target_never_farther_than_planned(
    role: Role, kind: OrderType, side: int, price: float, placed: float
) -> None:
    order = Order("a", role, kind, side, price, 1.0, 0)
    assert on_grid(order, COARSER) == order._replace(price=placed)


@pytest.mark.parametrize(("size", "placed"), [(0.123, 0.1), (0.2, 0.2), (0.099, 0.0)])
def test_no_order_asks_for_more_than_there_is(size: float, placed: float) -> None:
    order = Order("a", Role.STOP, OrderType.STOP, -1, 99.0, size, 0)
    assert on_grid(order, TENTHS) == order._replace(quantity=placed)


async def test_a_grid_that_changed_is_found_once_a_day_and_known_to_the_next_life() -> None:
    line = Line()
    members = await line.live()
    await until(lambda: not len(members.doubts))
    assert members.due(line.step, []) == []
    line.market.known["BTCUSDT"] = COARSER
    members.day_begins(line.step + 1)
    assert line.market.lists == 1
    line.step += DAY
    members.day_begins(line.step)
    await line.settled(members, "BTCUSDT", State.LEAVING)
    member = members.roster.members["BTCUSDT"]
    assert (member.why, member.changed) == (Why.CHANGED, COARSER)
    assert "expected tick 0.1 and step 0.001, with which this line traded it, was tick 1 and" in member.detail
    assert "on a line of its own" in member.detail
    assert members.roster.members["ETHUSDT"].state == State.JOINED
    await members.stop()
    again = await line.live()
    assert (again.doubts.changed("BTCUSDT"), again.doubts.changed("ETHUSDT")) == (COARSER, None)
    await again.stop()


async def test_what_the_venue_refuses_is_looked_up_at_once_and_a_known_grid_is_no_news() -> None:
    line = Line()
    members = await line.live()
    assert not await members.doubts.has_new_grid("BTCUSDT")
    line.market.known["BTCUSDT"] = COARSER
    assert await members.doubts.has_new_grid("BTCUSDT")
    assert members.doubts.changed("BTCUSDT") == COARSER
    assert not await members.doubts.has_new_grid("BTCUSDT")
    assert [change.why for change in members.due(line.step, [])] == [Why.CHANGED]
    await members.stop()


async def test_a_venue_that_does_not_say_its_grids_holds_up_no_order_and_is_asked_beside_the_trading() -> None:
    line = Line()
    members = await line.live()
    await until(lambda: not len(members.doubts))
    line.market.known["BTCUSDT"] = COARSER
    line.market.raises["traded"] = [OutcomeUnknownError("no answer"), OutcomeUnknownError("no answer")]
    assert not await members.doubts.has_new_grid("BTCUSDT")
    await line.settled(members, "BTCUSDT", State.LEAVING)
    assert len(line.pauses) == 1
    await members.stop()


async def test_a_symbol_that_left_is_no_more_in_doubt_and_who_left_meanwhile_is_not_compared() -> None:
    line = Line()
    members = await line.live()
    await until(lambda: not len(members.doubts))
    line.market.raises["traded"] = [OutcomeUnknownError("no answer")] * 3
    members.doubts.about("BTCUSDT")
    await members.write([Change("BTCUSDT", State.LEFT, line.step)], line.step)
    assert not len(members.doubts)
    line.market.raises.clear()
    line.market.known["BTCUSDT"] = COARSER
    assert not await members.doubts.has_new_grid("BTCUSDT")
    await members.stop()


async def test_a_grid_that_changes_while_its_symbol_leaves_is_known_to_the_next_life_too() -> None:
    line = Line()
    members = await line.live()
    await members.write([Change("BTCUSDT", State.LEAVING, line.step + 1)], line.step)
    line.market.known["BTCUSDT"] = COARSER
    assert await members.doubts.has_new_grid("BTCUSDT")
    await members.write(members.due(line.step, []), line.step)
    member = members.roster.members["BTCUSDT"]
    assert (member.state, member.why, member.changed) == (State.LEAVING, Why.BY_HAND, COARSER)
    await members.stop()
    again = await line.live()
    assert again.doubts.changed("BTCUSDT") == COARSER
    await again.stop()


async def with_a_position(desk: Desk, size: float) -> None:
    """Let the desk hold ``size`` with stop and targets, and the venue then take whole tenths alone."""
    market = Market()
    desk.joining = Joining(market, lambda now: now, market.make_ready)
    await desk.live()
    await desk.minute(101.0, plans=[plan_at((desk.step + 1) * MINUTE)])
    entry = desk.venue.held[desk.venue.live()[0]]
    entry.order = entry.order._replace(quantity=size)
    market.known["BTCUSDT"] = TENTHS

    def takes_tenths(order: VenueOrder) -> None:
        if not TENTHS.step.holds(order.quantity) or not order.quantity:
            raise RefusedError(-1111, "Precision is over the maximum defined for this asset.")

    desk.venue.before_place = takes_tenths


async def test_a_position_has_its_stop_and_its_exit_on_a_coarser_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path)
    await with_a_position(desk, 0.523)
    await desk.fill("e", 100.0)
    assert desk.prices()["s"] == (98.0, 0.5)
    assert [one.order.quantity for one in desk.venue.held.values() if one.order.role == Role.TARGET] == [0.2, 0.2]
    await desk.cut_and_reconnect()
    await desk.minute(101.0)
    (said,) = [one.getMessage() for one in caplog.records if "close what remains" in one.getMessage()]
    assert said.startswith("BTCUSDT: expected a stop or an exit for 0.523, was possible for 0.5 only")
    await desk.die()


async def test_an_exit_that_is_refused_for_a_coarser_step_is_sent_on_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await with_a_position(desk, 0.523)
    takes_tenths = desk.venue.before_place

    def has_passed_the_stop(order: VenueOrder) -> None:
        if order.role == Role.STOP:
            raise StopPassedError(-2021, "Order would immediately trigger.")
        assert takes_tenths is not None
        takes_tenths(order)

    desk.venue.before_place = has_passed_the_stop
    await desk.fill("e", 100.0)
    await desk.fill("x", 97.0)
    await desk.minute(97.0)
    assert desk.venue.quantity == 0.023
    assert desk.live_names() == []
    assert len([line for line in desk.venue.log if line.startswith("place") and line[-3] == "x"]) == 2
    await desk.die()


async def test_a_position_that_no_order_can_be_small_enough_for_is_said_and_nothing_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path)
    await with_a_position(desk, 0.05)
    await desk.fill("e", 100.0)
    await desk.minute(101.0)
    sent = len(desk.venue.log)
    await desk.minute(101.0)
    assert desk.venue.log[sent:] == []
    assert desk.live_names() == []
    assert len([one for one in caplog.records if "was possible for 0 only" in one.getMessage()]) == 1
    await desk.die()

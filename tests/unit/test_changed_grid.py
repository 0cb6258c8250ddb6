"""A symbol whose grid becomes another one at the venue: what must rest is placed on it, and the symbol leaves."""

from __future__ import annotations

import pytest
from sample_line import until
from sample_membership import BTC, Line

from trading_system.rules.changed_grid import on_tick
from trading_system.rules.grid import Grid
from trading_system.rules.matching import Order, OrderType, Role
from trading_system.rules.roster import Change, State, Why
from trading_system.venues.errors import OutcomeUnknownError

COARSER = BTC._replace(tick=Grid(1, 1))
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
    assert on_tick(order, Grid(1, 1)) == order._replace(price=placed)


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
    assert (again.doubts.new_tick("BTCUSDT"), again.doubts.new_tick("ETHUSDT")) == (Grid(1, 1), None)
    await again.stop()


async def test_what_the_venue_refuses_is_looked_up_at_once_and_a_known_grid_is_no_news() -> None:
    line = Line()
    members = await line.live()
    assert not await members.doubts.has_new_grid("BTCUSDT")
    line.market.known["BTCUSDT"] = COARSER
    assert await members.doubts.has_new_grid("BTCUSDT")
    assert members.doubts.new_tick("BTCUSDT") == Grid(1, 1)
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
    assert again.doubts.new_tick("BTCUSDT") == Grid(1, 1)
    await again.stop()

"""A venue that says an entry is cancelled before it says that a part of it has executed: the part is not forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sample_desk import Desk
from sample_trades import MINUTE, START, plan_at

from trading_system.rules.facts import Closed, Withdrawn
from trading_system.rules.risk import Rejection
from trading_system.services.execution_engine.journal import State
from trading_system.venues.port import OrderChanged, OrderStatus, VenueFill

PLAN = plan_at(START)
NEXT = plan_at(START, number=1, zone="other")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    await made.live()
    await made.minute(101.0, plans=[PLAN])
    yield made
    await made.die()


def executed(desk: Desk, quantity: float) -> VenueFill:
    """Let a part of the entry execute at the venue, of which nobody hears."""
    client_id = next(name for name in desk.venue.live() if name[-3] == "e")
    held = desk.venue.held[client_id]
    held.filled = quantity
    desk.venue.quantity = quantity
    time, number = desk.step * MINUTE + 15_000, len(desk.venue.trades) + 1
    fill = VenueFill(str(number), number, client_id, held.order.symbol, time, 100.0, quantity, 0.0, False)
    desk.venue.trades.append(fill)
    return fill


def cancelled(desk: Desk, fill: VenueFill) -> OrderChanged:
    """Let the venue end the rest of the order, and return its message."""
    desk.venue.held[fill.client_id].status = OrderStatus.CANCELLED
    return OrderChanged(fill.client_id, fill.symbol, OrderStatus.CANCELLED, "1", filled=fill.quantity)


@pytest.mark.parametrize("overtakes", [False, True], ids=["in their order", "the end first"])
async def test_a_part_of_an_entry_is_a_trade_whichever_message_comes_first(desk: Desk, *, overtakes: bool) -> None:
    fill = executed(desk, 20.0)
    end = cancelled(desk, fill)
    if overtakes:
        await desk.hear(end)
        assert desk.states() == {"e00": State.FILLED}
        assert desk.live_names() == []
        await desk.hear(fill)
    else:
        await desk.hear(fill, end)
    assert desk.prices() == {"s": (98.0, 20.0), "1": (104.0, 10.0), "2": (108.0, 10.0)}
    await desk.minute(101.0)
    assert not [fact for fact in await desk.facts() if isinstance(fact, Rejection | Withdrawn)]
    await desk.fill("s", 98.0)
    await desk.minute(98.0)
    (closed,) = [fact for fact in await desk.facts() if isinstance(fact, Closed)]
    assert (closed.reason, closed.earned) == ("stop", -40.0)


async def test_a_trade_that_is_announced_and_never_comes_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading_system.services.execution_engine.venue_events.RETRY_S", 0.0)
    await desk.hear(cancelled(desk, executed(desk, 20.0)))
    assert desk.prices() == {"s": (98.0, 20.0), "1": (104.0, 10.0), "2": (108.0, 10.0)}


async def test_no_other_entry_is_sent_before_a_part_of_one_that_was_taken_back_is_booked(desk: Desk) -> None:
    fill = executed(desk, 20.0)
    gone = desk.event("ob_mitigated", desk.step + 1, ref="zone")
    await desk.minute(101.0, plans=[NEXT], events=[gone])
    assert len(desk.venue.requests("place")) == 1
    await desk.hear(fill)
    assert desk.prices() == {"s": (98.0, 20.0), "x": (0.0, 20.0)}
    assert [fact.rule for fact in await desk.facts() if isinstance(fact, Rejection)] == ["slot_taken"]


async def taken_back(desk: Desk, zone: str) -> None:
    await desk.minute(101.0, events=[desk.event("ob_mitigated", desk.step + 1, ref=zone)])


async def test_a_late_fill_is_explained_although_another_entry_was_taken_back_before_it(desk: Desk) -> None:
    await taken_back(desk, "zone")
    await desk.minute(101.0, plans=[NEXT])
    fill = desk.trade("e", 100.0)  # at the venue, and nobody has heard of it
    await taken_back(desk, "other")
    await desk.hear(fill)
    assert desk.live_names() == ["s", "x"]


async def test_a_late_fill_is_explained_although_other_entries_were_given_up_after_it(desk: Desk) -> None:
    fill = desk.trade("e", 100.0)
    await taken_back(desk, "zone")
    await desk.minute(101.0, plans=[NEXT])
    await taken_back(desk, "other")
    await desk.die()  # what is known of them survives
    desk.venue.trades.clear()
    await desk.live()
    await desk.hear(fill)
    assert desk.live_names() == ["s", "x"]

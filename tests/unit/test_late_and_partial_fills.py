"""What fills while it is taken back, or in parts: booked as it came, and covered by a stop of its size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_venue import entry
from sample_desk import Desk
from sample_trades import MINUTE, START, instrument_of, plan_at

from trading_system.contracts import order_updated_channel, to_order
from trading_system.rules.account import (
    Account,
    Instant,
    SymbolStep,
    Terms,
    UnexpectedFillError,
    book_fill,
    close_step,
    new_account,
    withdraw,
)
from trading_system.rules.client_ids import canonical_id
from trading_system.rules.facts import Closed, Fact, Fill, Placed, Withdrawn
from trading_system.rules.matching import FillRules, Minute, Role
from trading_system.rules.risk import Rejection, RiskRules
from trading_system.services.execution_engine.journal import State
from trading_system.services.execution_engine.snapshot import BOOKED
from trading_system.services.inbox import Inbox
from trading_system.services.room import Letterbox
from trading_system.venues.errors import StopPassedError
from trading_system.venues.port import OrderStatus, VenueFill

PLAN = plan_at(START)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    await made.live()
    yield made
    await made.die()


def of(facts: list[Fact], kind: type[Any]) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


async def pause(desk: Desk) -> None:
    await Inbox(Letterbox(desk.store, desk.bus), "binance_usdm", "cli").ask("pause")
    await desk.quiet()


def part(desk: Desk, name: str, quantity: float, price: float) -> VenueFill:
    """Let a part of a live order fill at the venue; the order stays."""
    client_id = next(client_id for client_id in desk.venue.live() if client_id[-3] == name)
    order = desk.venue.held[client_id].order
    desk.venue.quantity = round(desk.venue.quantity + order.side * quantity, 3)
    time, number = desk.step * MINUTE + 15_000, len(desk.venue.trades) + 1
    fill = VenueFill(str(number), number, client_id, order.symbol, time, price, quantity, 0.0, False)
    desk.venue.trades.append(fill)
    return fill


# --- late


async def test_an_entry_that_filled_while_it_was_taken_back_leaves_under_its_stop(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill = desk.trade("e", 100.0)  # at the venue, and nobody has heard of it
    await pause(desk)
    assert desk.states() == {"e00": State.FILLED}
    await desk.hear(fill)
    assert desk.prices() == {"s": (98.0, 50.0), "x": (0.0, 50.0)}
    await desk.fill("x", 99.5)
    await desk.minute(101.0, 99.5)
    facts = await desk.facts()
    assert [fact.rule for fact in of(facts, Withdrawn)] == ["paused"]
    (closed,) = of(facts, Closed)
    assert (closed.reason, closed.earned) == ("late_fill", -25.0)
    assert desk.live_names() == []


async def test_a_late_fill_is_booked_after_a_death_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    desk.trade("e", 100.0)
    await pause(desk)
    await desk.die()
    await desk.live()
    assert desk.live_names() == ["s", "x"]
    await desk.die()


async def test_a_late_fill_whose_stop_is_passed_leaves_at_once(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill = desk.trade("e", 100.0)
    await pause(desk)
    desk.venue.placings.append(StopPassedError(-2021, "Order would immediately trigger."))
    await desk.hear(fill)
    assert desk.live_names() == ["x"]


async def test_no_other_entry_is_sent_before_a_late_fill_is_booked(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    fill = desk.trade("e", 100.0)
    gone = desk.event("ob_mitigated", desk.step + 1, ref="zone")
    await desk.minute(101.0, plans=[plan_at(START, number=1, zone="other")], events=[gone])
    assert len(desk.venue.requests("place")) == 1
    await desk.hear(fill)
    assert desk.live_names() == ["s", "x"]
    await desk.minute(101.0)
    facts = await desk.facts()
    assert [fact.rule for fact in of(facts, Rejection)] == ["slot_taken"]
    assert [fact.order.id[-1] for fact in of(facts, Placed)] == ["e", "s", "x"]


def late(account: Account, plan: str, name: str = "e") -> Fill:
    role = Role.ENTRY if name == "e" else Role.STOP
    return Fill(START + 1, "BTCUSDT", canonical_id(plan, name), name, role, 100.0, 50.0, 0.0)


@pytest.mark.parametrize(("plan", "name"), [(PLAN.id, "s"), (entry().id[2:-1], "e")])
def test_only_the_entry_that_was_taken_back_last_is_accepted_late(plan: str, name: str) -> None:
    terms = Terms((instrument_of(),), RiskRules(), FillRules())
    account, facts = account_with(PLAN, terms)
    account = withdraw(account, 0, "paused", START, terms, facts)
    with pytest.raises(UnexpectedFillError, match="no trade holds the symbol's slot"):
        book_fill(account, 0, late(account, plan, name), terms, facts)
    assert book_fill(account, 0, late(account, PLAN.id), terms, facts).slots[0].trade is not None


def test_a_fill_of_another_plan_is_never_taken_for_the_slots_own() -> None:
    terms = Terms((instrument_of(),), RiskRules(), FillRules())
    account, facts = account_with(PLAN, terms)
    with pytest.raises(UnexpectedFillError, match="another trade holds the symbol's slot"):
        book_fill(account, 0, late(account, entry().id[2:-1]), terms, facts)


def account_with(plan: Any, terms: Terms) -> tuple[Account, list[Fact]]:
    facts: list[Fact] = []
    said = SymbolStep(Minute(START - MINUTE, 101.0, 101.0, 101.0, 101.0), (plan,))
    return close_step(new_account(10_000.0, 1, START), Instant(START, False, {0: said}), terms, facts), facts


async def test_a_liquidation_is_booked_and_rung_like_any_other_fill(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    await desk.minute(101.0)
    desk.venue.quantity = 0.0
    await desk.hear(VenueFill("9", 9, "autoclose-1", "BTCUSDT", desk.step * MINUTE + 1, 80.5, 50.0, 0.0, False))
    await desk.minute(81.0)
    (closed,) = of(await desk.facts(), Closed)
    assert (closed.reason, closed.earned) == ("liquidation", -975.0)
    rung = [to_order(payload) for channel, payload in desk.bus.rung if channel == order_updated_channel("BTCUSDT")]
    assert [one["role"] for one in rung if one["status"] == "filled"] == ["e", "l"]


async def test_a_fill_that_an_earlier_version_booked_by_its_number_is_not_booked_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    await desk.minute(101.0)
    await desk.store.put_document(BOOKED, "binance_usdm", desk.step, b"1")
    await desk.store.commit()
    await desk.die()
    await desk.live()
    assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}
    await desk.fill("1", 104.0)
    await desk.minute(101.0, 104.0)
    assert [fill.name for fill in of(await desk.facts(), Fill)] == ["e", "1"]
    await desk.die()


async def test_an_account_that_an_earlier_version_kept_by_the_last_trade_s_id_goes_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    await desk.minute(101.0)
    await desk.store.put_document(BOOKED, "binance_usdm", desk.step, b'{"BTCUSDT":1}')
    await desk.store.commit()
    await desk.die()
    await desk.live()
    await desk.fill("1", 104.0)
    await desk.minute(101.0, 104.0)
    assert [fill.name for fill in of(await desk.facts(), Fill)] == ["e", "1"]
    await desk.die()


async def test_two_trades_of_one_match_are_booked_once_each_though_a_death_lies_between_them(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[PLAN])
    first = part(desk, "e", 20.0, 100.0)
    second = part(desk, "e", 30.0, 100.0)._replace(number=first.number)
    desk.venue.trades[-1] = second
    desk.venue.held[first.client_id].status = OrderStatus.FILLED
    await desk.hear(first)
    await desk.minute(101.0)  # the account is kept with the first of them
    await desk.die()
    for _ in range(2):
        await desk.live()
        assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}
        await desk.minute(101.0)
        await desk.die()
    assert [fill.quantity for fill in of(await desk.facts(), Fill)] == [20.0, 30.0]


async def test_a_trade_counts_as_answered_when_its_stop_and_its_targets_are_out(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    seen: list[int] = []
    desk.venue.before_place = lambda _: seen.append(desk.execution.progress.trade)
    await desk.fill("e", 100.0)
    assert (seen, desk.execution.progress.trade) == ([0, 0, 0], 1)


# --- in parts


async def test_a_part_of_an_entry_gets_its_stop_before_the_rest_is_taken_back(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    desk.venue.log.clear()
    await desk.hear(part(desk, "e", 20.0, 100.0))
    done = [f"{line.split()[0]} {line.split()[1][-3]}" for line in desk.venue.log if line.startswith(("place", "canc"))]
    assert done == ["place s", "place 1", "place 2", "cancel e"]
    assert desk.prices() == {"s": (98.0, 20.0), "1": (104.0, 10.0), "2": (108.0, 10.0)}


async def test_an_entry_in_parts_is_one_trade_whose_stop_covers_all_of_it(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    first, second = part(desk, "e", 20.0, 100.0), part(desk, "e", 30.0, 100.0)
    name = first.client_id
    desk.venue.held[name].status = OrderStatus.FILLED
    await desk.hear(first, second)
    assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}
    await desk.fill("s", 98.0)
    await desk.minute(101.0, 98.0)
    (closed,) = of(await desk.facts(), Closed)
    assert (closed.earned, closed.r) == (-100.0, -1.0)


async def test_a_target_in_parts_is_sold_to_its_end_and_no_further(desk: Desk) -> None:
    await desk.minute(101.0, plans=[PLAN])
    await desk.fill("e", 100.0)
    first, second = part(desk, "1", 10.0, 104.0), part(desk, "1", 15.0, 104.0)
    desk.venue.held[first.client_id].status = OrderStatus.FILLED
    await desk.hear(first)
    assert desk.prices()["s"] == (100.0, 40.0)
    assert "1" not in desk.live_names()  # the rest has filled, though nobody has heard of it: it is not sent again
    await desk.hear(second)
    assert desk.prices() == {"s": (100.0, 25.0), "2": (108.0, 25.0)}

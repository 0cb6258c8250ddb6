"""Reconcile: in which order the venue is made to agree, and what becomes of lost answers and refusals."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fake_venue import (
    LOST,
    NEVER,
    OTHER_PLAN,
    START_MS,
    TAKEN,
    TAKEN_ANSWER_LOST,
    FakeVenue,
    VirtualClock,
    client_id,
    entry,
    fill_of,
    leave,
    stop,
    target,
)

from trading_system.rules.matching import Order, Role
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.execution_engine.reconcile import Outcome, Reconciler
from trading_system.venues.errors import (
    NoSuchOrderError,
    NothingToReduceError,
    NotTakenError,
    OutcomeUnknownError,
    RefusedError,
    StopPassedError,
)
from trading_system.venues.port import (
    BINANCE_USDM,
    OrderChanged,
    OrderStatus,
    VenueOrder,
)

SYMBOL = "BTCUSDT"
REFUSAL = RefusedError(-1022, "Signature for this request is not valid.")
AGREED = Outcome()


class Desk(NamedTuple):
    """Everything that reconcile works with, on a clock that only waiting moves."""

    clock: VirtualClock
    venue: FakeVenue
    journal: Journal
    reconciler: Reconciler

    async def want(self, *desired: Order) -> Outcome:
        return await self.reconciler.reconcile(SYMBOL, desired)

    def states(self) -> dict[str, State]:
        return {order.client_id: order.state for order in self.journal.orders_since(0)}

    def passed_ms(self) -> int:
        return self.clock.now_ms - START_MS


def new_desk(path: Path) -> Desk:
    clock = VirtualClock()
    venue = FakeVenue(clock)
    journal = Journal(path)
    return Desk(clock, venue, journal, Reconciler(journal, venue, BINANCE_USDM, clock))


def restarted(desk: Desk) -> Desk:
    desk.journal.close()
    journal = Journal(desk.journal.path)
    return Desk(desk.clock, desk.venue, journal, Reconciler(journal, desk.venue, BINANCE_USDM, desk.clock))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = new_desk(tmp_path / "journal.db")
    yield made
    made.journal.close()


async def test_orders_are_sent_in_the_order_in_which_they_are_desired(desk: Desk) -> None:
    assert await desk.want(stop(), target(1), target(2)) == AGREED
    assert desk.venue.log == [f"place {client_id(name)}" for name in "s12"]
    assert set(desk.states().values()) == {State.ACKED}
    assert desk.reconciler.live_ids(SYMBOL) == {stop().id, target(1).id, target(2).id}


async def test_doing_it_twice_changes_nothing(desk: Desk) -> None:
    await desk.want(stop(), target())
    before = list(desk.venue.log)
    assert await desk.want(stop(), target()) == AGREED
    assert desk.venue.log == before


async def test_the_intent_is_on_the_disk_when_the_order_reaches_the_venue(desk: Desk) -> None:
    read: list[tuple[str, str]] = []

    def read_the_file(order: VenueOrder) -> None:
        other = sqlite3.connect(desk.journal.path)
        read.extend(other.execute("SELECT client_id, state FROM orders WHERE client_id = ?", (order.client_id,)))
        other.close()

    desk.venue.before_place = read_the_file
    await desk.want(stop(), target())
    assert read == [(client_id("s"), "INTENT"), (client_id("1"), "INTENT")]


async def test_a_request_on_its_way_is_counted(desk: Desk) -> None:
    counted: list[tuple[int, int]] = []
    desk.venue.before_place = lambda _: counted.append((desk.reconciler.in_flight, desk.reconciler.unknown))
    await desk.want(stop())
    assert counted == [(1, 1)]
    assert (desk.reconciler.in_flight, desk.reconciler.unknown) == (0, 0)


async def test_a_changed_stop_is_placed_and_confirmed_before_the_old_one_goes(desk: Desk) -> None:
    await desk.want(stop(95.0), target())
    desk.venue.log.clear()
    assert await desk.want(stop(100.0), target()) == AGREED
    assert desk.venue.log == [f"place {client_id('s', 1)}", f"cancel {client_id('s', 0)}"]
    assert desk.venue.live() == [client_id("1"), client_id("s", 1)]


async def test_the_old_stop_stays_while_its_successor_is_refused(desk: Desk) -> None:
    await desk.want(stop(95.0))
    desk.venue.placings.extend([REFUSAL] * 6)
    outcome = await desk.want(stop(100.0), target())
    assert outcome.unprotectable
    assert desk.venue.live() == [client_id("s")]
    assert len(desk.venue.requests("place")) == 7
    assert desk.venue.requests("cancel") == []


async def test_a_stop_that_price_has_passed_is_said_and_nothing_else_is_done(desk: Desk) -> None:
    await desk.want(stop(95.0))
    desk.venue.placings.append(StopPassedError(-2021, "Order would immediately trigger."))
    outcome = await desk.want(stop(100.0), target())
    assert outcome == Outcome(stop_passed=True)
    assert desk.venue.live() == [client_id("s")]


async def test_the_stop_stays_while_the_trade_leaves_and_goes_when_it_is_flat(desk: Desk) -> None:
    await desk.want(stop(), target())
    assert await desk.want(leave()) == AGREED
    assert desk.venue.live() == [client_id("s"), client_id("x")]
    desk.journal.fill(fill_of(leave(), 1))
    desk.venue.held[client_id("x")].status = OrderStatus.FILLED
    assert await desk.want() == AGREED
    assert desk.venue.live() == []


async def test_targets_wait_for_the_stop(desk: Desk) -> None:
    desk.venue.placings.extend([REFUSAL] * 6)
    assert (await desk.want(stop(), target())).unprotectable
    assert desk.venue.requests("place") == [client_id("s", generation) for generation in range(6)]
    assert desk.passed_ms() <= 15_000


async def test_a_refused_stop_is_sent_again_under_a_new_name(desk: Desk) -> None:
    desk.venue.placings.append(REFUSAL)
    assert await desk.want(stop(), target()) == AGREED
    assert desk.venue.live() == [client_id("s", 1), client_id("1")]
    assert desk.states()[client_id("s", 0)] == State.REJECTED


async def test_targets_that_are_no_longer_wanted_are_cancelled(desk: Desk) -> None:
    await desk.want(stop(), target(1), target(2))
    assert await desk.want(stop(), leave()) == AGREED
    assert desk.venue.live() == [client_id("s"), client_id("x")]


async def test_a_target_of_another_size_never_rests_beside_the_old_one(desk: Desk) -> None:
    await desk.want(stop(), target(quantity=1.0))
    desk.venue.log.clear()
    await desk.want(stop(), target(quantity=0.5))
    assert desk.venue.log == [f"cancel {client_id('1', 0)}", f"place {client_id('1', 1)}"]


async def test_a_waiting_entry_that_lost_its_reason_is_withdrawn(desk: Desk) -> None:
    await desk.want(entry())
    assert await desk.want() == AGREED
    assert desk.venue.live() == []
    assert desk.states() == {client_id("e"): State.CANCELLED}


async def test_a_new_trade_begins_only_when_nothing_is_left_of_the_old_one(desk: Desk) -> None:
    await desk.want(stop(), target())
    desk.venue.log.clear()
    await desk.want(entry(plan=OTHER_PLAN))
    assert desk.venue.log == [
        f"cancel {client_id('s')}",
        f"cancel {client_id('1')}",
        f"place {client_id('e', plan=OTHER_PLAN)}",
    ]


async def test_an_entry_is_not_sent_while_an_old_order_cannot_be_removed(desk: Desk) -> None:
    await desk.want(stop())
    desk.venue.cancels.extend([REFUSAL] * 6)
    outcome = await desk.want(entry(plan=OTHER_PLAN))
    assert outcome.unsettled == (client_id("s"),)
    assert desk.venue.requests("place") == [client_id("s")]
    assert await desk.want(entry(plan=OTHER_PLAN)) == AGREED
    assert desk.venue.live() == [client_id("e", plan=OTHER_PLAN)]


async def test_a_lost_answer_of_an_order_that_arrived_ends_with_that_order(desk: Desk) -> None:
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    assert await desk.want(entry()) == AGREED
    assert desk.venue.requests("place") == [client_id("e")]
    assert desk.states() == {client_id("e"): State.ACKED}


async def test_an_entry_is_proven_absent_after_its_fence_and_two_looks_two_seconds_apart(desk: Desk) -> None:
    desk.venue.placings.append(LOST)
    assert await desk.want(entry()) == Outcome(entry_not_placed=True)
    assert desk.states() == {client_id("e"): State.NOT_PLACED}
    assert 18_000 + 2_000 <= desk.passed_ms() < 21_000
    assert desk.venue.requests("place") == [client_id("e")]
    assert desk.venue.log[-2:] == [f"list {SYMBOL}", f"fills {SYMBOL}"]


async def test_an_entry_proven_absent_is_sent_anew_only_when_it_is_still_desired(desk: Desk) -> None:
    desk.venue.placings.append(LOST)
    await desk.want(entry())
    assert await desk.want(entry()) == AGREED
    assert desk.venue.requests("place") == [client_id("e", 0), client_id("e", 1)]


async def test_an_order_that_shows_up_late_but_before_its_fence_is_found(desk: Desk) -> None:
    desk.venue.visible_after_ms = 17_000
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    assert await desk.want(entry()) == AGREED
    assert desk.venue.requests("place") == [client_id("e")]


async def test_an_order_that_queries_do_not_find_but_lists_do_is_there(desk: Desk) -> None:
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    desk.venue.visible_after_ms = NEVER
    listed = desk.venue.open_orders

    async def open_orders(symbol: str):  # type: ignore[no-untyped-def]
        desk.venue.held[client_id("e")].seen_from_ms = 0
        return await listed(symbol)

    desk.venue.open_orders = open_orders  # type: ignore[method-assign]
    assert await desk.want(entry()) == AGREED
    assert desk.states() == {client_id("e"): State.ACKED}


async def test_an_order_of_which_there_is_a_trade_was_placed(desk: Desk) -> None:
    desk.venue.placings.append(LOST)
    desk.venue.trades.append(fill_of(entry(), 7))
    assert (await desk.want(entry())).awaited == (client_id("e"),)
    assert desk.states() == {client_id("e"): State.FILLED}


async def test_a_look_that_fails_is_no_proof_and_no_timer_ends_the_looking(desk: Desk) -> None:
    desk.venue.placings.append(LOST)
    desk.venue.reads.extend([OutcomeUnknownError("outage")] * 100)
    assert await desk.want(entry()) == Outcome(entry_not_placed=True)
    assert desk.passed_ms() > 10 * 60_000
    assert max(desk.clock.sleeps) <= 10.0


async def test_a_read_that_is_refused_is_no_proof_either(desk: Desk) -> None:
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    desk.venue.reads.extend([REFUSAL, NotTakenError(-1003, "Too many requests.")])
    assert await desk.want(entry()) == AGREED


async def test_a_stop_of_unknown_outcome_does_not_leave_the_position_bare_for_a_minute(desk: Desk) -> None:
    desk.venue.placings.append(LOST)
    outcome = await desk.want(stop(), target())
    assert desk.venue.live() == [client_id("s", 1), client_id("1")]
    assert outcome.unsettled == (client_id("s", 0),)
    assert desk.passed_ms() <= 6_000
    assert desk.states()[client_id("s", 0)] == State.UNKNOWN
    assert desk.reconciler.unknown == 1


async def test_an_unknown_stop_that_only_the_list_shows_is_protection_enough(desk: Desk) -> None:
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    desk.venue.visible_after_ms = NEVER
    listed = desk.venue.open_orders

    async def open_orders(symbol: str):  # type: ignore[no-untyped-def]
        desk.venue.held[client_id("s")].seen_from_ms = 0
        return await listed(symbol)

    desk.venue.open_orders = open_orders  # type: ignore[method-assign]
    assert await desk.want(stop()) == AGREED
    assert desk.venue.requests("place") == [client_id("s")]


async def test_no_target_is_placed_once_the_stop_has_filled(desk: Desk) -> None:
    await desk.want(stop())
    desk.journal.fill(fill_of(stop(), 1))
    assert (await desk.want(stop(), target())).awaited == (client_id("s"),)
    assert desk.venue.requests("place") == [client_id("s")]


async def test_the_stop_beside_it_is_proven_absent_after_a_minute(desk: Desk) -> None:
    desk.venue.placings.append(LOST)
    await desk.want(stop())
    await desk.clock.sleep(60.0)
    assert await desk.want(stop()) == AGREED
    assert desk.states() == {client_id("s", 0): State.NOT_PLACED, client_id("s", 1): State.ACKED}


async def test_a_flat_symbol_waits_the_whole_minute_for_proof_of_a_stop(desk: Desk) -> None:
    desk.venue.placings.append(LOST)
    await desk.want(stop())
    assert await desk.want() == AGREED
    assert 60_000 + 2_000 <= desk.passed_ms() < 64_000
    assert desk.states() == {client_id("s", 0): State.NOT_PLACED, client_id("s", 1): State.CANCELLED}


async def test_a_stop_that_shows_up_late_beside_its_successor_is_cancelled(desk: Desk) -> None:
    desk.venue.visible_after_ms = 30_000
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    await desk.want(stop())
    desk.venue.visible_after_ms = 0
    await desk.clock.sleep(30.0)
    assert await desk.want(stop()) == AGREED
    assert desk.venue.live() == [client_id("s", 1)]


async def test_after_four_unknown_stops_beside_each_other_the_trade_must_leave(desk: Desk) -> None:
    desk.venue.placings.extend([LOST] * 9)
    assert (await desk.want(stop(), target())).unprotectable
    assert len(desk.venue.requests("place")) == 4


async def test_a_lost_target_is_proven_absent_and_placed_again(desk: Desk) -> None:
    desk.venue.placings.extend([TAKEN, LOST])
    assert await desk.want(stop(), target()) == AGREED
    assert desk.venue.live() == [client_id("s"), client_id("1", 1)]


async def test_a_kill_between_intent_and_send_never_sends_that_order(desk: Desk) -> None:
    desk.journal.intend(entry(), SYMBOL, 0, created_ms=START_MS, fence_at_ms=START_MS + 18_000)
    again = restarted(desk)
    assert again.reconciler.unknown == 1
    assert await again.want(entry()) == Outcome(entry_not_placed=True)
    assert again.venue.requests("place") == []
    assert again.states() == {client_id("e"): State.NOT_PLACED}
    again.journal.close()


async def test_a_kill_between_send_and_answer_finds_the_order_again(desk: Desk) -> None:
    desk.venue.placings.append(TAKEN_ANSWER_LOST)
    never_answered = asyncio.CancelledError()

    async def query_is_cut_off(*_: object) -> None:
        raise never_answered

    kept, desk.venue.order = desk.venue.order, query_is_cut_off  # type: ignore[method-assign,assignment]
    with pytest.raises(asyncio.CancelledError):
        await desk.want(entry())
    desk.venue.order = kept  # type: ignore[method-assign]
    again = restarted(desk)
    assert await again.want(entry()) == AGREED
    assert again.venue.requests("place") == [client_id("e")]
    again.journal.close()


async def test_two_looks_are_two_seconds_apart_also_long_after_the_fence(desk: Desk) -> None:
    desk.journal.intend(entry(), SYMBOL, 0, created_ms=START_MS - 90_000, fence_at_ms=START_MS - 72_000)
    again = restarted(desk)
    assert await again.want(entry()) == Outcome(entry_not_placed=True)
    assert 2_000 <= again.passed_ms() < 3_000
    again.journal.close()


async def test_a_second_restart_changes_nothing(desk: Desk) -> None:
    await desk.want(stop(), target())
    for _ in range(2):
        desk = restarted(desk)
        assert await desk.want(stop(), target()) == AGREED
    assert len(desk.venue.requests("place")) == 2
    desk.journal.close()


async def test_the_first_look_after_a_start_finds_what_ended_meanwhile(desk: Desk) -> None:
    await desk.want(stop(), target())
    desk.venue.held[client_id("1")].status = OrderStatus.EXPIRED
    again = restarted(desk)
    assert await again.want(stop(), target()) == AGREED
    assert again.venue.live() == [client_id("s"), client_id("1", 1)]
    again.journal.close()


async def test_what_rests_is_read_again_when_asked_after_a_cut(desk: Desk) -> None:
    await desk.want(stop(), target())
    desk.venue.held[client_id("s")].status = OrderStatus.CANCELLED
    await desk.reconciler.refresh(SYMBOL)
    assert desk.states()[client_id("s")] == State.CANCELLED
    assert await desk.want(stop(), target()) == AGREED
    assert desk.venue.live() == [client_id("1"), client_id("s", 1)]


async def test_lists_that_cannot_be_read_are_not_empty_lists(desk: Desk) -> None:
    await desk.want(stop())
    desk.venue.reads.append(OutcomeUnknownError("outage"))
    with pytest.raises(OutcomeUnknownError):
        await desk.reconciler.refresh(SYMBOL)
    assert desk.states() == {client_id("s"): State.ACKED}


async def test_a_filled_order_is_never_placed_again_while_its_fill_is_on_the_way(desk: Desk) -> None:
    await desk.want(entry())
    desk.venue.held[client_id("e")].status = OrderStatus.FILLED
    await desk.reconciler.refresh(SYMBOL)
    assert (await desk.want(entry())).awaited == (client_id("e"),)
    assert desk.venue.requests("place") == [client_id("e")]


async def test_a_cancel_that_comes_too_late_believes_the_venue(desk: Desk) -> None:
    await desk.want(entry())
    desk.venue.held[client_id("e")].status = OrderStatus.FILLED
    assert (await desk.want()).awaited == (client_id("e"),)
    assert desk.states() == {client_id("e"): State.FILLED}


async def test_a_cancel_whose_answer_is_lost_is_looked_up_before_it_is_repeated(desk: Desk) -> None:
    await desk.want(entry())
    desk.venue.log.clear()
    desk.venue.cancels.extend([LOST, TAKEN_ANSWER_LOST])
    assert await desk.want() == AGREED
    words = [line.split()[0] for line in desk.venue.log]
    assert words == ["cancel", "query", "cancel", "query"]
    assert desk.states() == {client_id("e"): State.CANCELLED}


async def test_an_order_neither_cancelled_nor_found_ends_by_proof(desk: Desk) -> None:
    await desk.want(entry())
    del desk.venue.held[client_id("e")]
    assert await desk.want() == AGREED
    assert desk.states() == {client_id("e"): State.EXPIRED}
    assert desk.passed_ms() >= 18_000


async def test_a_refused_cancel_is_tried_again(desk: Desk) -> None:
    await desk.want(entry())
    desk.venue.cancels.extend([REFUSAL, NotTakenError(-1008, "throttled", 3.0), NoSuchOrderError("not yet seen")])
    assert await desk.want() == AGREED
    assert desk.venue.live() == []
    assert 3.0 in desk.clock.sleeps


async def test_a_refused_entry_is_said_and_never_sent_again(desk: Desk) -> None:
    desk.venue.placings.append(RefusedError(-2019, "Margin is insufficient."))
    expected = Outcome(entry_refused=(-2019, "Margin is insufficient."))
    assert await desk.want(entry()) == expected
    assert await desk.want(entry()) == expected
    assert await restarted(desk).want(entry()) == expected
    assert desk.venue.requests("place") == [client_id("e")]


async def test_an_entry_that_the_venue_had_no_time_for_is_tried_again_after_the_wait_it_asks_for(desk: Desk) -> None:
    desk.venue.placings.append(NotTakenError(-1003, "Too many requests.", 30.0))
    assert await desk.want(entry()) == AGREED
    assert desk.venue.live() == [client_id("e", 1)]
    assert desk.passed_ms() >= 30_000


async def test_an_entry_is_given_up_after_three_times_without_time(desk: Desk) -> None:
    desk.venue.placings.extend([NotTakenError(-1008, "throttled")] * 3)
    assert (await desk.want(entry())).entry_refused == (-1008, "throttled")
    assert len(desk.venue.requests("place")) == 3


async def test_an_entry_that_somebody_cancelled_by_hand_is_not_fought_for(desk: Desk) -> None:
    await desk.want(entry())
    assert desk.reconciler.changed(OrderChanged(client_id("e"), SYMBOL, OrderStatus.CANCELLED, "1"))
    assert (await desk.want(entry())).entry_refused == (0, "the venue says cancelled")
    assert desk.venue.requests("place") == [client_id("e")]


async def test_a_stop_that_somebody_cancelled_by_hand_is_placed_again(desk: Desk) -> None:
    await desk.want(stop())
    desk.venue.held[client_id("s")].status = OrderStatus.CANCELLED
    assert desk.reconciler.changed(OrderChanged(client_id("s"), SYMBOL, OrderStatus.CANCELLED, "1"))
    assert await desk.want(stop()) == AGREED
    assert desk.venue.live() == [client_id("s", 1)]


async def test_news_of_our_own_doing_asks_for_nothing(desk: Desk) -> None:
    await desk.want(stop())
    assert not desk.reconciler.changed(OrderChanged(client_id("s"), SYMBOL, OrderStatus.NEW, "1"))
    await desk.want()
    assert not desk.reconciler.changed(OrderChanged(client_id("s"), SYMBOL, OrderStatus.CANCELLED, "1"))
    assert not desk.reconciler.changed(OrderChanged("somebody-else", SYMBOL, OrderStatus.CANCELLED, "1"))


async def test_a_target_without_a_position_reads_the_position_and_says_flat(desk: Desk) -> None:
    desk.venue.placings.extend([TAKEN, NothingToReduceError(-2022, "ReduceOnly Order is rejected.")])
    assert (await desk.want(stop(), target())).flat
    assert desk.venue.requests("position") == [SYMBOL]
    assert len(desk.venue.requests("place")) == 2


async def test_an_exit_is_tried_again_while_there_is_a_position(desk: Desk) -> None:
    desk.venue.quantity = 2.0
    desk.venue.placings.extend([NothingToReduceError(-2022, "ReduceOnly Order is rejected."), REFUSAL])
    assert await desk.want(leave()) == AGREED
    assert desk.venue.live() == [client_id("x", 2)]


async def test_an_exit_backs_off_and_is_given_up_after_six_refusals(desk: Desk) -> None:
    desk.venue.quantity = 2.0
    desk.venue.placings.extend([REFUSAL] * 6)
    outcome = await desk.want(leave())
    assert outcome.refused == ((client_id("x", 5), REFUSAL.code, REFUSAL.message),)
    assert desk.venue.requests("position") == [SYMBOL] * 6
    assert desk.clock.sleeps == [0.0, 0.5, 1.0, 2.0, 4.0]


async def test_a_position_that_cannot_be_read_is_not_flat(desk: Desk) -> None:
    desk.venue.placings.append(NothingToReduceError(-2022, "ReduceOnly Order is rejected."))
    desk.venue.reads.append(OutcomeUnknownError("outage"))
    assert await desk.want(leave()) == AGREED
    assert desk.venue.live() == [client_id("x", 1)]


async def test_two_calls_for_one_symbol_wait_for_each_other(desk: Desk) -> None:
    await asyncio.gather(desk.want(entry()), desk.want(entry()), desk.want(entry()))
    assert desk.venue.log == [f"place {client_id('e')}"]


async def test_an_entry_carries_the_stop_of_its_position_and_nothing_else_does(desk: Desk) -> None:
    sent: list[VenueOrder] = []
    desk.venue.before_place = sent.append
    assert await desk.reconciler.reconcile(SYMBOL, [entry()], 95.0) == AGREED
    assert desk.journal.fill(fill_of(entry(), 1))
    desk.venue.quantity = 2.0
    assert await desk.reconciler.reconcile(SYMBOL, [stop(), target()], 95.0) == AGREED
    assert [(order.role, order.protection) for order in sent] == [
        (Role.ENTRY, 95.0),
        (Role.STOP, 0.0),
        (Role.TARGET, 0.0),
    ]


async def test_an_entry_whose_stop_is_passed_already_is_refused_and_leaves_nothing_to_leave(desk: Desk) -> None:
    desk.venue.placings.append(StopPassedError(10001, "StopLoss set for Buy position should lower than base_price"))
    outcome = await desk.reconciler.reconcile(SYMBOL, [entry()], 95.0)
    assert not outcome.stop_passed
    assert outcome.entry_refused is not None


async def test_an_entry_that_was_taken_and_then_rejected_is_refused(desk: Desk) -> None:
    await desk.want(entry())
    rejected = OrderChanged(client_id("e"), SYMBOL, OrderStatus.REJECTED, "1")
    assert desk.reconciler.changed(rejected)
    assert (await desk.want(entry())).entry_refused == (0, "the venue says rejected")


async def test_a_target_that_is_taken_and_then_rejected_again_and_again_is_sent_ever_more_seldom(desk: Desk) -> None:
    desk.venue.quantity = 2.0
    for generation in range(4):
        assert await desk.want(stop(), target()) == AGREED
        desk.venue.held[client_id("1", generation)].status = OrderStatus.REJECTED
        assert desk.reconciler.changed(
            OrderChanged(client_id("1", generation), SYMBOL, OrderStatus.REJECTED, str(generation))
        )
    assert [wait for wait in desk.clock.sleeps if wait] == [0.5, 1.0]
    desk.venue.quantity = 0.0
    assert await desk.want(stop(), target()) == Outcome(flat=True)
    assert len(desk.venue.requests("place")) == 5


async def test_a_refusal_that_may_be_of_another_grid_ends_the_call_if_the_record_can_be_read(
    desk: Desk,
) -> None:
    desk.venue.placings.append(REFUSAL)
    outcome = await desk.reconciler.reconcile(SYMBOL, [stop(), target()], doubts=True)
    assert (outcome.doubted, outcome.unprotectable) == (True, False)
    assert desk.venue.live() == []
    assert await desk.want(stop(), target()) == AGREED

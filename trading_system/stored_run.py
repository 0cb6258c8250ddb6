"""A line's store and journal read back as a run, the one held against the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from trading_system.app import Line
from trading_system.contracts import RejectionDTO, to_step
from trading_system.research.runs import Run, record_of, rejections_of, summary_of
from trading_system.research.stored_candles import stored_minutes
from trading_system.rules.client_ids import client_order_id
from trading_system.rules.events import Event
from trading_system.rules.fact_record import unpack_account, unpack_fact
from trading_system.rules.facts import Fact, Placed
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.roster import new_roster
from trading_system.rules.words import event_of, swing_of
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.room import EXECUTION, HIGHS_LOWS, SNAPSHOT, STRATEGY, WHOLE_ACCOUNT
from trading_system.services.roster_log import RosterLog
from trading_system.store.port import Store, Stream
from trading_system.venues.port import Venue


class WireMismatchError(RuntimeError):
    """The exchange's own trades are not those that the account booked."""


async def run_of(line: Line) -> Run:
    """Read a line's store and journal back as a run."""
    run = await run_in(line.letterbox.store, line.journal, line.instruments, line.origin, line.venue)
    recovered = {
        "cuts": line.feed.counts.get("cut", 0),
        "bad_frames": line.feed.counts.get("bad_frame", 0),
        "minutes_repaired": line.feed.counts.get("repaired", 0),
        "answers_lost": list(line.execution.answers_lost),
    }
    return Run(run.record, {**run.summary, "recovered": recovered})


async def run_in(
    store: Store, journal: Journal, instruments: Sequence[Instrument], origin: int, venue: Venue | None = None
) -> Run:
    """Read what a line wrote into ``store`` and ``journal`` as a run.

    origin: where its history begins (ms UTC); instruments: those with which it began.

    Raises: WireMismatchError when neither the journal nor the ``venue`` knows the orders of the account.
    """
    exchange = instruments[0].exchange
    candles: list[Any] = []
    events: list[Event] = []
    refused: list[RejectionDTO] = []
    signals = 0
    account = Stream(EXECUTION, exchange, WHOLE_ACCOUNT)
    head = await store.head(account) or 0  # what is newer is not traded yet
    roster = await RosterLog(store, exchange).read(new_roster(origin // MINUTE_MS, instruments))
    for one in roster.instruments:
        end = roster.members[one.symbol].end(head)
        candles.append(await stored_minutes(store, one, origin, head, end))
        for row in await store.read(Stream(HIGHS_LOWS, exchange, one.symbol), None, end):
            events.extend(swing_of(swing) for swing in to_step(row.payload).get("swings", ()))
        for row in await store.read(Stream(STRATEGY, exchange, one.symbol), None, end):
            step = to_step(row.payload)
            events.extend(map(event_of, step.get("events", ())))
            signals += len(step.get("signals", ()))
            refused.extend(step.get("refused", ()))
    rows = await store.read(account, None, head)
    facts = [unpack_fact(row.payload) for row in rows]
    await _check_orders(journal, venue, facts)
    refused.extend(rejections_of(facts))
    record = record_of(roster.instruments, candles, events, facts, refused)
    snapshot = await store.document(SNAPSHOT, exchange)
    if snapshot is None:
        raise WireMismatchError(f"expected the account of {exchange} in the store, was none; the line never traded")
    summary = summary_of(record, facts, signals, roster.instruments)
    return Run(record, {"kind": "run", **summary, "equity_final": unpack_account(snapshot[1]).equity})


async def _check_orders(journal: Journal, venue: Venue | None, facts: Sequence[Fact]) -> None:
    """Hold what the account says it placed against the journal: each such order was taken by the venue.

    A venue that answers first and decides afterwards may have rejected one that it had taken. What the journal lacks,
    because its disk took no more in an earlier life, the venue itself is asked for.
    """
    orders = journal.orders_since(0)
    untaken = (State.INTENT, State.REJECTED, State.NOT_PLACED)
    taken = Counter(order.canonical for order in orders if order.state not in untaken)
    taken_back = Counter(order.canonical for order in orders if order.state == State.REJECTED and order.venue_id)
    placed = Counter(fact.order.id for fact in facts if isinstance(fact, Placed))
    last = {fact.order.id: fact for fact in facts if isinstance(fact, Placed)}
    for id_, count in placed.items():
        known = taken[id_]
        known += min(taken_back[id_], max(count - known, 0))
        if known < count and venue is not None:
            known += await _unwritten(journal, venue, last[id_], count - known)
        if known != count:
            raise WireMismatchError(f"order {id_}: placed {count} times by the account, taken {known} times")


async def _unwritten(journal: Journal, venue: Venue, placed: Placed, most: int) -> int:
    """Count the generations of an order, up to ``most``, that the venue took and the journal does not know."""
    plan, name = placed.order.id[2:-1], placed.order.id[-1]
    first = journal.generation_for(plan, name)
    for count in range(most):
        client_id = client_order_id(plan, name, first + count)
        if await venue.order(placed.symbol, client_id, placed.order.type) is None:
            return count
    return most

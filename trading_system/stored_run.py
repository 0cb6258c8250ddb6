"""A line's store and journal read back as a run, the one held against the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from trading_system.app import Line
from trading_system.contracts import RejectionDTO, to_step
from trading_system.research.runs import Run, record_of, rejections_of, summary_of
from trading_system.research.stored_candles import stored_minutes
from trading_system.rules.events import Event
from trading_system.rules.fact_record import unpack_account, unpack_fact
from trading_system.rules.facts import Fact, Placed
from trading_system.rules.grid import Instrument
from trading_system.rules.words import event_of, swing_of
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.room import EXECUTION, HIGHS_LOWS, SNAPSHOT, STRATEGY, WHOLE_ACCOUNT
from trading_system.store.port import Store, Stream


class WireMismatchError(RuntimeError):
    """The exchange's own trades are not those that the account booked."""


async def run_of(line: Line) -> Run:
    """Read a line's store and journal back as a run."""
    run = await run_in(line.letterbox.store, line.journal, line.instruments, line.origin)
    recovered = {
        "cuts": line.feed.counts.get("cut", 0),
        "bad_frames": line.feed.counts.get("bad_frame", 0),
        "minutes_repaired": line.feed.counts.get("repaired", 0),
        "answers_lost": list(line.execution.answers_lost),
    }
    return Run(run.record, {**run.summary, "recovered": recovered})


async def run_in(store: Store, journal: Journal, instruments: Sequence[Instrument], origin: int) -> Run:
    """Read what a line, whose history begins at ``origin`` (ms UTC), wrote into ``store`` and ``journal`` as a run.

    Raises: WireMismatchError when the journal does not know the orders of the account.
    """
    exchange = instruments[0].exchange
    candles: list[Any] = []
    events: list[Event] = []
    refused: list[RejectionDTO] = []
    signals = 0
    account = Stream(EXECUTION, exchange, WHOLE_ACCOUNT)
    head = await store.head(account) or 0  # what is newer is not traded yet
    for one in instruments:
        candles.append(await stored_minutes(store, one, origin, head))
        for row in await store.read(Stream(HIGHS_LOWS, exchange, one.symbol), None, head):
            events.extend(swing_of(swing) for swing in to_step(row.payload).get("swings", ()))
        for row in await store.read(Stream(STRATEGY, exchange, one.symbol), None, head):
            step = to_step(row.payload)
            events.extend(map(event_of, step.get("events", ())))
            signals += len(step.get("signals", ()))
            refused.extend(step.get("refused", ()))
    rows = await store.read(account, None, head)
    facts = [unpack_fact(row.payload) for row in rows]
    _check_orders(journal, facts)
    refused.extend(rejections_of(facts))
    record = record_of(instruments, candles, events, facts, refused)
    snapshot = await store.document(SNAPSHOT, exchange)
    if snapshot is None:
        raise WireMismatchError(f"expected the account of {exchange} in the store, was none; the line never traded")
    summary = summary_of(record, facts, signals, instruments)
    return Run(record, {"kind": "run", **summary, "equity_final": unpack_account(snapshot[1]).equity})


def _check_orders(journal: Journal, facts: Iterable[Fact]) -> None:
    """Hold what the account says it placed against the journal: each such order was taken by the venue."""
    taken = Counter(
        order.canonical
        for order in journal.orders_since(0)
        if order.state not in (State.INTENT, State.REJECTED, State.NOT_PLACED)
    )
    placed = Counter(fact.order.id for fact in facts if isinstance(fact, Placed))
    for id_, count in placed.items():
        if taken[id_] != count:
            raise WireMismatchError(f"order {id_}: placed {count} times by the account, taken {taken[id_]} times")

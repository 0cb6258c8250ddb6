"""A store that is away for a while: rooms wait, entries are off, exits are not, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sample_desk import ORIGIN, Desk
from sample_line import ListeningBus, until
from sample_trades import MINUTE, START, instrument_of, plan_at

from trading_system.contracts import serialize, strategy_step_channel
from trading_system.rules.account import Terms
from trading_system.rules.facts import Placed
from trading_system.rules.matching import FillRules
from trading_system.rules.risk import Rejection, RiskRules
from trading_system.rules.trade_plan import Plan
from trading_system.services.execution_engine.journal import Journal
from trading_system.services.execution_engine.reconcile import Reconciler
from trading_system.services.execution_engine.service import ExecutionEngine
from trading_system.services.room import CANDLES, STRATEGY, Letterbox
from trading_system.store import StoreAwayError, StoreWriteError, Stream
from trading_system.store.memory import MemoryStore
from trading_system.store.patience import FIRST_PAUSE_S, LONGEST_PAUSE_S, Pauses, patiently
from trading_system.store.port import Store
from trading_system.venues.port import BINANCE_USDM, answering_at_once

PLAN = plan_at(START)


class Outage:
    """A store whose server comes and goes: while it is away the calls in ``refuses`` fail."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refuses: set[str] = set()
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._store, name)

        async def ask(*arguments: Any, **named: Any) -> Any:
            if name in self.refuses:
                self.refused += 1
                raise StoreAwayError("mongodb://host/line: expected an answer within 5 s, was no answer")
            return await asked(*arguments, **named)

        return ask


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    await made.live()
    yield made
    await made.die()


def unreliable(desk: Desk) -> Outage:
    outage: Any = Outage(desk.store)
    desk.execution._letterbox = desk.execution._writer._letterbox = Letterbox(outage, desk.bus)
    made: Outage = outage
    return made


async def said(desk: Desk, price: float, *, plans: Sequence[Plan] = (), moves: bool = True) -> None:
    """Let the strategy say a step, stored and rung, that nobody waits for."""
    desk.step += moves
    word = desk.word(desk.step, price, plans=plans)
    await desk._append(CANDLES, desk.step, [serialize(word["candles"][0])])
    await desk._append(STRATEGY, desk.step, [serialize(word)] if plans else [])
    await desk.bus.publish(strategy_step_channel(desk.instrument.symbol), serialize(word))


async def a_while() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_an_entry_waits_for_the_store_and_is_then_sent_once(desk: Desk) -> None:
    outage = unreliable(desk)
    await desk.minute(101.0)
    outage.refuses = {"commit"}
    await said(desk, 101.0, plans=[PLAN])
    await until(lambda: outage.refused > 1)
    await said(desk, 101.5)
    await a_while()
    assert desk.venue.requests("place") == []
    assert (desk.execution.progress.step, desk.execution.failure) == (ORIGIN + 1, None)
    outage.refuses = set()
    await desk.quiet()
    assert len(desk.venue.requests("place")) == 1
    assert [fact.order.id[-1] for fact in await desk.facts() if isinstance(fact, Placed)] == ["e"]
    assert desk.execution.progress.step == ORIGIN + 3


async def test_a_signal_that_grew_old_while_the_store_was_away_is_refused(desk: Desk) -> None:
    outage = unreliable(desk)
    desk.execution._ages.max_age_ms = 60_000
    desk.execution._ages.venue_ms = lambda: (ORIGIN + 1) * MINUTE + 10_000
    outage.refuses = {"commit"}
    await said(desk, 101.0, plans=[PLAN])
    await until(lambda: outage.refused > 1)
    desk.execution._ages.venue_ms = lambda: (ORIGIN + 1) * MINUTE + 90_000
    outage.refuses = set()
    await desk.quiet()
    assert desk.venue.requests("place") == []
    assert [(fact.rule, fact.numbers) for fact in await desk.facts() if isinstance(fact, Rejection)] == [
        ("signal_stale", {"age_s": 90.0})
    ]


async def test_stops_and_exits_are_sent_while_the_store_is_away_and_stored_when_it_is_back(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    outage = unreliable(desk)
    await desk.minute(101.0, plans=[PLAN])
    outage.refuses = {"commit"}
    await desk.fill("e", 100.0)
    assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}
    await desk.fill("1", 104.0)
    assert desk.prices() == {"s": (100.0, 25.0), "2": (108.0, 25.0)}
    outage.refuses = set()
    await until(lambda: not desk.execution._watch.is_missing)
    await desk.minute(104.0)
    names = [fact.order.id[-1] for fact in await desk.facts() if isinstance(fact, Placed)]
    assert names[0] == "e"
    assert {"s", "1", "2"} <= set(names)
    warned = [record.getMessage() for record in caplog.records if "entries are" in record.getMessage()]
    assert [text.partition(":")[0] for text in warned] == [
        "entries are off while the store is away, stops and exits are still sent",
        "the store is back",
    ]


async def test_a_death_while_the_store_is_away_is_made_up_for_by_the_journal(desk: Desk) -> None:
    outage = unreliable(desk)
    await desk.minute(101.0, plans=[PLAN])
    outage.refuses = {"commit"}
    await desk.fill("e", 100.0)
    await desk.die()
    await desk.live()
    await desk.minute(101.0)
    assert desk.prices() == {"s": (98.0, 50.0), "1": (104.0, 25.0), "2": (108.0, 25.0)}


async def test_a_signal_that_cannot_be_read_back_yet_is_acted_on_when_it_can(desk: Desk) -> None:
    outage = unreliable(desk)
    outage.refuses = {"read"}
    await said(desk, 101.0, plans=[PLAN])
    await a_while()
    assert (outage.refused, desk.execution.failure) == (1, None)
    assert desk.venue.requests("place") == []
    outage.refuses = set()
    await desk.execution.catch_up()
    await desk.quiet()
    assert len(desk.venue.requests("place")) == 1


async def test_a_store_that_comes_back_full_ends_the_entries_for_good(desk: Desk) -> None:
    class Full(Outage):
        async def commit(self) -> None:
            self.refused += 1
            if self.refused < 3:
                raise StoreAwayError("away")
            raise StoreWriteError("full")

    full: Any = Full(desk.store)
    desk.execution._letterbox = desk.execution._writer._letterbox = Letterbox(full, desk.bus)
    await said(desk, 101.0, plans=[PLAN])
    await until(lambda: desk.execution.failure is not None)
    assert isinstance(desk.execution.failure, StoreWriteError)
    assert desk.venue.requests("place") == []


async def test_an_expiry_in_the_step_of_an_outage_is_acted_on_and_an_entry_of_that_step_is_refused(
    tmp_path: Path,
) -> None:
    """Two symbols in one step: what makes the account smaller goes out, what makes it larger does not."""
    desk = Desk(tmp_path)
    desk.journal = Journal(tmp_path / "journal.db")
    both = (instrument_of("BTCUSDT"), instrument_of("ETHUSDT"))
    outage: Any = Outage(desk.store)
    desk.execution = ExecutionEngine(
        Letterbox(outage, desk.bus),
        Terms(both, RiskRules(), FillRules()),
        {one.symbol: ORIGIN for one in both},
        desk.venue,
        desk.journal,
        Reconciler(desk.journal, desk.venue, answering_at_once(BINANCE_USDM), desk.clock),
        equity=10_000.0,
        signal_interval="15m",
    )
    await desk.execution.start()

    async def step(btc: Sequence[Plan], eth: Sequence[Plan]) -> None:
        desk.step += 1
        for instrument, plans in zip(both, (btc, eth), strict=True):
            desk.instrument = instrument
            await said(desk, 101.0, plans=plans, moves=False)

    quarter = ORIGIN + 15
    await step([plan_at(START, "BTCUSDT", expires_at=quarter * MINUTE)], [])
    while desk.step < quarter - 1:
        await step([], [])
    await desk.quiet()
    assert desk.live_names() == ["e"]
    outage.refuses = {"commit"}
    await step([], [plan_at(quarter * MINUTE, "ETHUSDT")])
    await until(lambda: desk.execution.progress.step == quarter)
    assert desk.live_names() == []
    assert len(desk.venue.requests("place")) == 1
    outage.refuses = set()
    await until(lambda: not desk.execution._watch.is_missing)
    await step([], [])
    await desk.quiet()
    assert [fact.rule for fact in await desk.facts() if isinstance(fact, Rejection)] == ["signal_stale"]
    assert len(desk.venue.requests("place")) == 1
    await desk.die()


async def test_a_step_is_posted_when_the_store_is_back_and_its_bell_rings_after_it() -> None:
    outage: Any = Outage(MemoryStore())
    bus, stream = ListeningBus(leaves_process=True), Stream(CANDLES, "binance_usdm", "BTCUSDT")
    outage.refuses = {"append", "commit"}
    post = asyncio.create_task(Letterbox(outage, bus).post(stream, 1, [b"x"], after=None, bells=[("bell", b"x")]))
    await until(lambda: outage.refused == 2)
    outage.refuses = {"commit"}
    await until(lambda: outage.refused == 4)
    assert bus.rung == []
    outage.refuses = set()
    await post
    assert (await outage.head(stream), bus.rung) == (1, [("bell", b"x")])


async def test_only_an_absence_is_waited_for() -> None:
    asked: list[int] = []

    async def ask() -> int:
        asked.append(1)
        if len(asked) < 3:
            raise StoreAwayError("away")
        if len(asked) == 4:
            raise StoreWriteError("full")
        return len(asked)

    assert await patiently(ask) == 3
    with pytest.raises(StoreWriteError):
        await patiently(ask)


def test_pauses_grow_to_the_longest_and_stay_there() -> None:
    pauses = Pauses()
    taken = [pauses.take() for _ in range(12)]
    assert taken[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert taken[-1] == LONGEST_PAUSE_S
    assert taken == sorted(taken)

"""What every whole venue promises execution, proven on each against its own simulated exchange, over its own wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import wished_orders
from odd_clocks import SkewedClock
from simulated_venue import CALM, KEY, SECRET, START, SYMBOL, Prices, cid, next_of, running
from wished_orders import wanted

from trading_system.rules.matching import OrderType
from trading_system.secret import Secret
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.execution_engine.reconcile import Outcome, Reconciler
from trading_system.simulator.faults import Fault, FaultKind
from trading_system.simulator.server import SimulatorServer
from trading_system.symbol_source import AccountSource, PublicSource
from trading_system.venues.errors import (
    EndedSymbolError,
    HaltedSymbolError,
    NoSuchOrderError,
    NoSuchSymbolError,
    NothingToReduceError,
    NotTakenError,
    OutcomeUnknownError,
    RefusedError,
    StopPassedError,
)
from trading_system.venues.known import VENUES
from trading_system.venues.market_port import AccountTerms
from trading_system.venues.port import (
    LIQUIDATED,
    KnownStops,
    OrderStatus,
    Position,
    StreamCut,
    StreamUp,
    TradePoint,
    Venue,
    VenueFill,
    VenueOrder,
    VenueRecord,
    answering_at_once,
)
from trading_system.venues.proxy import open_http
from trading_system.venues.rest_budget import RestBudget, unmetered

FALL = (100.0, 100.5, 90.0, 91.0)
RISE = (100.0, 112.0, 99.9, 111.0)


class Place(NamedTuple):
    """A venue with an account of ours: its exchange, its record, and the way to open another life of the account."""

    name: str
    server: SimulatorServer
    record: VenueRecord
    clock: SkewedClock
    http: str
    ws: str

    def account(self, known_stops: KnownStops | None = None) -> Venue:
        key, secret = Secret(KEY), Secret(SECRET)
        made = VENUES[self.name].account
        return made(self.http, self.ws, key, secret, record=self.record, clock=self.clock, known_stops=known_stops)


@pytest.fixture(params=sorted(VENUES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def trading(
    name: str, *rows: Prices, faults: tuple[Fault, ...] = (), skew_ms: int = 0
) -> AsyncIterator[tuple[Place, Venue]]:
    """An exchange of the venue ``name`` whose market stands at the end of START, and an account there."""
    async with running(name, *rows, faults=faults) as (server, at):
        record = answering_at_once(VENUES[name].record)
        place = Place(name, server, record, SkewedClock(skew_ms), at.http, at.ws)
        account = place.account()
        try:
            yield place, account
        finally:
            await account.close()


def sent(role: str, kind: OrderType, side: int, price: float = 0.0, quantity: float = 1.0) -> VenueOrder:
    return wished_orders.sent(role, kind, side, price, quantity, 95.0 if role == "e" else 0.0)


ENTRY = wanted("e", OrderType.MARKET, 1, 0.0, 2.0, 1)
STOP = wanted("s", OrderType.STOP, -1, 95.0, 2.0, 2)
FIRST = wanted("1", OrderType.LIMIT, -1, 105.0, 1.0, 3)
SECOND = wanted("2", OrderType.LIMIT, -1, 110.0, 1.0, 4)
BREAK_EVEN = wanted("s", OrderType.STOP, -1, 100.0, 1.0, 5)


async def place(at: Place, account: Venue, order: VenueOrder) -> str:
    return (await account.place(order, at.clock.wall_ms())).venue_id


async def advance(at: Place, steps: int = 1) -> None:
    """Play to the next fill, or ``steps`` times."""
    for _ in range(steps):
        await at.server.advance()


async def test_the_instrument_is_the_record_that_the_exchange_was_made_of(name: str) -> None:
    async with trading(name, CALM) as (at, account):
        (record,) = await account.instruments([SYMBOL])
        assert record == at.server.exchange.books[SYMBOL].instrument
        with pytest.raises(NoSuchSymbolError, match="NOSUCH"):
            await account.instruments(["NOSUCH"])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(FaultKind.HALTED, START + 1, SYMBOL, steps=5), HaltedSymbolError),
        (Fault(FaultKind.DELISTED, START + 1, SYMBOL), EndedSymbolError),
    ],
)
async def test_a_halt_is_told_from_an_end_by_the_account_and_by_the_market(
    name: str, fault: Fault, error: type[NoSuchSymbolError]
) -> None:
    async with trading(name, CALM, CALM, faults=(fault,)) as (at, account), open_http() as http:
        await advance(at)
        known = VENUES[name].market
        budget = RestBudget(unmetered(known.budget), at.clock)
        market = known.open(http, at.http, budget, at.clock, AccountTerms(0.0, 0.0, 0.0))
        for source in (PublicSource(market), AccountSource(account, market)):
            assert await source.traded() == {}
            with pytest.raises(error, match=SYMBOL):
                await source.instrument(SYMBOL)
            with pytest.raises(NoSuchSymbolError, match="NOSUCH") as unknown:
                await source.instrument("NOSUCH")
            assert type(unknown.value) is NoSuchSymbolError


async def test_mode_leverage_and_margin_are_set_and_what_is_so_already_is_fine(name: str) -> None:
    async with trading(name, CALM) as (_, account):
        assert await account.position_mode_is_one_way(SYMBOL)
        for _ in range(2):
            await account.set_leverage(SYMBOL, 5)
            await account.set_isolated_margin(SYMBOL)
        assert await account.position(SYMBOL) == Position(SYMBOL, 0.0, 0.0)


async def test_an_order_is_placed_found_listed_and_cancelled(name: str) -> None:
    async with trading(name, CALM) as (at, account):
        order = sent("e", OrderType.LIMIT, 1, 97.0)
        venue_id = await place(at, account, order)
        state = await account.order(SYMBOL, order.client_id, order.type)
        assert state is not None
        assert (state.client_id, state.venue_id, state.status) == (order.client_id, venue_id, OrderStatus.NEW)
        assert await account.open_orders(SYMBOL) == [state]
        await account.cancel(SYMBOL, order.client_id, order.type)
        assert await account.open_orders(SYMBOL) == []
        after = await account.order(SYMBOL, order.client_id, order.type)
        assert (after and after.status) == OrderStatus.CANCELLED
        with pytest.raises(NoSuchOrderError):
            await account.cancel(SYMBOL, order.client_id, order.type)


async def test_what_never_was_is_not_found(name: str) -> None:
    async with trading(name, CALM) as (_, account):
        assert await account.order(SYMBOL, cid("e"), OrderType.LIMIT) is None
        assert await account.order(SYMBOL, cid("s"), OrderType.STOP) is None
        assert await account.fills(SYMBOL) == []
        assert (await account.newest_trade(SYMBOL)).number == 0


async def test_an_id_is_never_taken_twice_while_its_order_is_open(name: str) -> None:
    async with trading(name, CALM) as (at, account):
        await place(at, account, sent("e", OrderType.LIMIT, 1, 97.0))
        with pytest.raises(OutcomeUnknownError):
            await place(at, account, sent("e", OrderType.LIMIT, 1, 97.0))
        assert len(await account.open_orders(SYMBOL)) == 1


async def test_refusals_have_their_own_types(name: str) -> None:
    async with trading(name, CALM, CALM) as (at, account):
        with pytest.raises(NothingToReduceError):
            await place(at, account, sent("x", OrderType.MARKET, -1))
        with pytest.raises(RefusedError):
            await place(at, account, sent("e", OrderType.MARKET, 1, quantity=0.001))
        await place(at, account, sent("e", OrderType.MARKET, 1)._replace(client_id=cid("e", "01")))
        await advance(at)
        with pytest.raises(StopPassedError):
            await place(at, account, sent("s", OrderType.STOP, -1, 120.0))


@pytest.mark.parametrize("rows", [(CALM, FALL), (CALM, RISE, FALL)], ids=["stopped out", "first target and break-even"])
async def test_a_bracket_trade_is_played_and_every_fill_has_the_name_of_its_order(
    name: str, rows: tuple[Prices, ...], tmp_path: Path
) -> None:
    async with trading(name, *rows) as (at, account):
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, account, at.record, at.clock)
        fills: list[VenueFill] = []
        async with aclosing(account.user_events()) as events:
            assert await anext(events) == StreamUp()
            assert await reconciler.reconcile(SYMBOL, [ENTRY], STOP.price) == Outcome()
            await advance(at)
            fills.append(await next_of(events, VenueFill))
            assert journal.fill(fills[-1])
            assert await reconciler.reconcile(SYMBOL, [STOP, FIRST, SECOND], STOP.price) == Outcome()
            assert {state.client_id for state in await account.open_orders(SYMBOL)} == {cid("s"), cid("1"), cid("2")}
            held = await account.order(SYMBOL, cid("s"), OrderType.STOP)
            assert (held and held.status) == OrderStatus.NEW
            while at.server.exchange.books[SYMBOL].position.side:
                before = len(at.server.exchange.trades())
                await advance(at)
                if len(at.server.exchange.trades()) == before:
                    continue
                fills.append(await next_of(events, VenueFill))
                assert journal.fill(fills[-1])
                rest = [BREAK_EVEN, SECOND] if fills[-1].client_id == cid("1") else []
                if not at.server.exchange.books[SYMBOL].position.side:
                    rest = []
                assert await reconciler.reconcile(SYMBOL, rest) == Outcome()
            assert await reconciler.reconcile(SYMBOL, []) == Outcome()
            assert await account.open_orders(SYMBOL) == []
            assert (await account.position(SYMBOL)).quantity == 0.0
        owners = [at.server.exchange.owner(trade)[:-2] for trade in at.server.exchange.trades()]
        assert [fill.client_id[:-2] for fill in fills] == owners
        assert [fill.client_id for fill in fills if fill.maker] == ([cid("1"), cid("2")] if RISE in rows else [])
        assert await account.fills(SYMBOL) == fills
        assert all(order.state in (State.FILLED, State.CANCELLED) for order in journal.orders_since(0))
        journal.close()


async def test_a_stop_that_is_passed_when_its_entry_fills_does_not_fire_and_the_trade_leaves_at_market(
    name: str, tmp_path: Path
) -> None:
    async with trading(name, (94.0, 94.5, 93.0, 94.0), CALM) as (at, account):
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, account, at.record, at.clock)
        assert await reconciler.reconcile(SYMBOL, [ENTRY], STOP.price) == Outcome()
        await advance(at)
        for fill in await account.fills(SYMBOL):
            assert journal.fill(fill)
        assert (await reconciler.reconcile(SYMBOL, [STOP, SECOND], STOP.price)).stop_passed
        leave = wanted("x", OrderType.MARKET, -1, 0.0, 2.0, 3)
        assert await reconciler.reconcile(SYMBOL, [leave], STOP.price) == Outcome()
        await advance(at)
        fills = await account.fills(SYMBOL)
        assert [fill.client_id for fill in fills] == [cid("e"), cid("x")]
        assert fills[0].time == fills[1].time
        journal.close()


async def test_the_order_by_which_the_venue_ends_a_position_is_named_so(name: str) -> None:
    async with trading(name, CALM, (100.0, 100.0, 60.0, 61.0)) as (at, account):
        async with aclosing(account.user_events()) as events:
            assert await anext(events) == StreamUp()
            await place(at, account, sent("e", OrderType.MARKET, 1)._replace(protection=0.0))
            await advance(at, 3)
            heard = [await next_of(events, VenueFill) for _ in range(2)]
        fills = await account.fills(SYMBOL)
        assert heard == fills
        assert fills[1].client_id.startswith(LIQUIDATED)
        assert await account.position(SYMBOL) == Position(SYMBOL, 0.0, 0.0)


async def test_a_position_is_bare_no_longer_than_the_record_says(name: str) -> None:
    async with trading(name, CALM) as (at, account):
        await place(at, account, sent("e", OrderType.MARKET, 1))
        await advance(at)
        listed = await account.open_orders(SYMBOL)
        assert bool(listed) == at.record.born_protected
        assert bool(at.server.exchange.books[SYMBOL].open) == at.record.born_protected


async def test_trades_are_read_on_from_a_point_and_none_is_left_out(name: str) -> None:
    async with trading(name, CALM, FALL) as (at, account):
        await place(at, account, sent("e", OrderType.MARKET, 1))
        await advance(at)
        await place(at, account, sent("s", OrderType.STOP, -1, 95.0))
        await advance(at, 2)
        fills = await account.fills(SYMBOL)
        assert [fill.client_id[:-2] for fill in fills] == [cid("e")[:-2], cid("s")[:-2]]
        assert len({fill.trade_id for fill in fills}) == 2
        assert fills[0].number < fills[1].number
        assert await account.fills(SYMBOL, TradePoint(fills[1].number, fills[1].time)) == fills[1:]
        assert (await account.newest_trade(SYMBOL)).number == fills[1].number


async def test_another_life_knows_the_fill_of_a_stop_of_an_earlier_one(name: str, tmp_path: Path) -> None:
    async with trading(name, CALM, FALL) as (at, account):
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, account, at.record, at.clock)
        await reconciler.reconcile(SYMBOL, [ENTRY], STOP.price)
        await advance(at)
        await reconciler.reconcile(SYMBOL, [STOP], STOP.price)
        await advance(at, 2)
        other = at.account(journal.stops_without_fill)
        try:
            assert [fill.client_id for fill in await other.fills(SYMBOL)] == [cid("e"), cid("s")]
            state = await other.order(SYMBOL, cid("s"), OrderType.STOP)
            assert state is not None
            assert (state.status, state.filled) == (OrderStatus.FILLED, 2.0)
        finally:
            await other.close()
        journal.close()


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_an_order_that_was_taken_and_whose_answer_is_lost_is_found_and_not_sent_again(
    name: str, nth: int, tmp_path: Path
) -> None:
    faults = (Fault(FaultKind.LOST_ANSWER, nth=nth),)
    async with trading(name, CALM, CALM, faults=faults) as (at, account):
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, account, at.record, at.clock)
        assert await reconciler.reconcile(SYMBOL, [ENTRY], STOP.price) == Outcome()
        await advance(at)
        for fill in await account.fills(SYMBOL):
            journal.fill(fill)
        assert await reconciler.reconcile(SYMBOL, [STOP, SECOND], STOP.price) == Outcome()
        assert len(reconciler.answers_lost) == 1
        listed = {state.client_id for state in await account.open_orders(SYMBOL)}
        assert listed == {cid("s"), cid("2")}
        assert [(order.client_id, order.state) for order in journal.orders_since(0)] == [
            (cid("e"), State.FILLED),
            (cid("s"), State.ACKED),
            (cid("2"), State.ACKED),
        ]
        journal.close()


async def test_an_entry_that_never_arrived_is_proven_absent(name: str, tmp_path: Path) -> None:
    async with trading(name, CALM) as (at, account):
        journal = Journal(tmp_path / "journal.db")
        journal.intend(ENTRY, SYMBOL, 0, created_ms=0, fence_at_ms=50)
        journal.close()
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, account, at.record, at.clock)
        assert await reconciler.reconcile(SYMBOL, [ENTRY], STOP.price) == Outcome(entry_not_placed=True)
        assert await account.open_orders(SYMBOL) == []
        journal.close()


async def test_a_stop_that_was_meant_and_never_sent_is_sent_by_the_next_life(name: str, tmp_path: Path) -> None:
    async with trading(name, CALM, CALM) as (at, account):
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, account, at.record, at.clock)
        await reconciler.reconcile(SYMBOL, [ENTRY], STOP.price)
        await advance(at)
        for fill in await account.fills(SYMBOL):
            journal.fill(fill)
        moved = STOP._replace(price=97.0)
        journal.intend(moved, SYMBOL, 0, created_ms=0, fence_at_ms=50)
        journal.close()
        journal = Journal(tmp_path / "journal.db")
        again = at.account(journal.stops_without_fill)
        try:
            reconciler = Reconciler(journal, again, at.record, at.clock)
            assert await reconciler.reconcile(SYMBOL, [moved], moved.price) == Outcome()
        finally:
            await again.close()
        live = [order.price for order in at.server.exchange.books[SYMBOL].open.values()]
        assert live == [97.0]
        assert journal.orders_since(0)[-1].state == State.ACKED
        journal.close()


async def test_a_refused_signature_is_a_refusal_of_the_venue_s_own_words(name: str, tmp_path: Path) -> None:
    faults = (Fault(FaultKind.REFUSED_SIGNATURE, nth=1),)
    async with trading(name, CALM, faults=faults) as (at, account):
        journal = Journal(tmp_path / "journal.db")
        reconciler = Reconciler(journal, account, at.record, at.clock)
        outcome = await reconciler.reconcile(SYMBOL, [ENTRY], STOP.price)
        (order,) = journal.orders_since(0)
        assert order.state == State.REJECTED
        assert outcome.entry_refused == (order.code, order.reason)
        assert order.code in (-1022, 10004)
        assert await account.open_orders(SYMBOL) == []
        journal.close()


async def test_a_clock_that_is_wrong_is_measured_and_one_that_jumps_costs_an_order_one_refusal(name: str) -> None:
    async with trading(name, CALM, skew_ms=-3_600_000) as (at, account):
        assert abs(await account.server_time_offset() - 3_600_000) < 1_000
        at.clock.skew_ms = 60_000
        with pytest.raises(NotTakenError):
            await place(at, account, sent("e", OrderType.LIMIT, 1, 97.0))
        await place(at, account, sent("e", OrderType.LIMIT, 1, 97.0))
        at.clock.skew_ms = -60_000
        assert len(await account.open_orders(SYMBOL)) == 1


async def test_a_cut_stream_says_so_comes_again_and_what_it_missed_is_read(name: str) -> None:
    faults = (Fault(FaultKind.USER_CUT, nth=1),)
    async with trading(name, CALM, CALM, faults=faults) as (at, account):
        async with aclosing(account.user_events()) as events:
            assert await anext(events) == StreamUp()
            await place(at, account, sent("e", OrderType.MARKET, 1))
            await advance(at, 2)
            assert await next_of(events, StreamCut)
            assert await next_of(events, StreamUp) == StreamUp()
        assert [fill.client_id for fill in await account.fills(SYMBOL)] == [cid("e")]

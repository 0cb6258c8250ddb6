"""Signals in; orders, fills and the account out. One worker does everything in order, so nothing here races.

The account of ``rules/account.py`` says what should rest; ``reconcile.py`` makes the venue agree. A step is closed when
every symbol has brought it. What a crash interrupts is done again from the last snapshot: the same step gives the same
orders, and the journal knows which of them are out already.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from trading_system.contracts import StepDTO, strategy_step_channel, to_candle, to_step
from trading_system.rules.account import (
    Account,
    Instant,
    SymbolStep,
    Terms,
    book_fill,
    close_step,
    drop_entry,
    is_idle,
    new_account,
    roll_day,
    settle,
    stop_passed,
)
from trading_system.rules.client_ids import LIQUIDATION, canonical, canonical_id, is_ours
from trading_system.rules.fact_record import pack_account, pack_fact, unpack_account
from trading_system.rules.facts import Fact, Fill, Placed
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS, Order, Role
from trading_system.services.execution_engine.journal import Journal, JournalFill, State
from trading_system.services.execution_engine.newest_account import NewestAccount
from trading_system.services.execution_engine.news import bells_of
from trading_system.services.execution_engine.points import Point, Reached, unwatched
from trading_system.services.execution_engine.reconcile import Reconciler
from trading_system.services.execution_engine.steps import same_but_prices, step_close, symbol_step
from trading_system.services.execution_engine.venues.errors import VenueError
from trading_system.services.execution_engine.venues.port import (
    MinuteMarket,
    OrderChanged,
    StreamCut,
    StreamUp,
    UserEvent,
    Venue,
    VenueFill,
)
from trading_system.services.room import (
    CANDLES,
    EXECUTION,
    SNAPSHOT,
    STRATEGY,
    WHOLE_ACCOUNT,
    Letterbox,
    Room,
    StepInput,
)
from trading_system.store.errors import StoreAwayError, StoreError
from trading_system.store.patience import patiently
from trading_system.store.port import Stream

log = logging.getLogger(__name__)

BOOKED = "booked"  # the journal's number of the last fill that the snapshot holds
ROLES = {"e": Role.ENTRY, "s": Role.STOP, "x": Role.EXIT, "l": Role.LIQUIDATION}
OUTCOMES_A_STEP = 20
RETRY_S = 1.0
LIQUIDATED = "autoclose-"  # how Binance names the order by which it ends a position
PRICE_LOOKBACK = 1_440  # steps; a symbol without a price for a day keeps the snapshot's


class Progress(NamedTuple):
    """How far execution has come: the last closed step, the last trade booked, and what is still open."""

    step: int
    trade: int
    in_flight: int
    unknown: int


class ExecutionEngine(Room):
    """Trades one account over the line's symbols, in the order of ``terms.instruments``."""

    source = STRATEGY
    target = EXECUTION

    def __init__(
        self,
        letterbox: Letterbox,
        terms: Terms,
        origins: Mapping[str, int],
        venue: Venue,
        journal: Journal,
        reconciler: Reconciler,
        *,
        equity: float,
        signal_interval: str,
        market: MinuteMarket | None = None,
        venue_ms: Callable[[], int] | None = None,
        signal_max_age_ms: int = 0,
        reached: Reached = unwatched,
    ) -> None:
        """Keep what the account is traded with.

        market: the venue itself if it is told its minutes (paper). venue_ms: the venue's time now, by which a signal's
        age is taken; without it, or with a ``signal_max_age_ms`` of 0, no signal is too old.
        """
        super().__init__(letterbox, terms.instruments[0].exchange, origins)
        self._terms = terms
        self._place = {one.symbol: n for n, one in enumerate(terms.instruments)}
        self._venue = venue
        self._journal = journal
        self._reconciler = reconciler
        self._market = market
        self._newest = NewestAccount(letterbox, terms)
        self._venue_ms = venue_ms
        self._max_age_ms = signal_max_age_ms
        self._reached = reached
        self._signal_interval = signal_interval
        self._signal_ms = interval_ms(signal_interval)
        self._step = min(origins.values())
        self._trade = 0
        self.account: Account = new_account(equity, len(terms.instruments), self._step * MINUTE_MS)
        self._stored: Account | None = None
        self._orders: dict[str, Order] = {}
        self._facts: list[Fact] = []
        self._unrung: list[tuple[str, bytes]] = []  # bells of steps that are not committed yet
        self._pending: dict[int, dict[int, SymbolStep]] = {}
        self._inbox: deque[UserEvent] = deque()
        self._disagreeing: set[int] = set()  # places where the venue is not yet as wanted
        self._booked = 0
        self._held: list[JournalFill] = []  # booked by the venue in steps that this life has not closed yet
        self._rejoined = False  # the past has been done again, and from now on the venue is made to agree
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._storeless: StoreError | None = None  # why the store takes no more: exits only, from memory
        self._return: asyncio.Task[None] | None = None  # waits for a store that is away; meanwhile as without one
        self.moved = asyncio.Event()

    async def start(self) -> None:
        """Take up the account where its snapshot and the journal leave it, and make the venue agree."""
        stored = await self._letterbox.store.document(SNAPSHOT, self._exchange)
        if stored is not None:
            self.account = self._stored = unpack_account(stored[1])
        head = await self._letterbox.store.head(self.output(""))
        if head is not None:
            self._step = head
            await self._recall_prices()
        for slot in self.account.slots:
            self._orders.update({order.id: order for order in slot.orders})
        booked = await self._letterbox.store.document(BOOKED, self._exchange)
        self._booked = 0 if booked is None else int(booked[1])
        self._held = self._journal.fills_since(self._booked)
        self._trade = max((fill.trade_id for fill in self._journal.fills_since(0)), default=0)
        if head is None and stored is None:
            for instrument in self._terms.instruments:  # what the account traded before is none of ours
                newest = await self._venue.newest_trade_id(instrument.symbol)
                self._journal.begin_trades_at(instrument.symbol, newest)
        await self._read_fills()
        await super().start()
        if self._market is None:
            while self._ready():
                await self._close()
        else:
            await self._play_on()
        await self._commit()
        await self._rejoin()
        await self._keep_account()
        self._tasks = [
            asyncio.create_task(self._work(), name="execution"),
            asyncio.create_task(self._hear_venue(), name="execution:user_stream"),
        ]
        self._wake.set()

    async def _rejoin(self) -> None:
        """Book the fills of the running minute and make the venue agree, unless the past must be done again first.

        The store may have lost steps that an earlier life has acted on. What rested then is gone or filled by now:
        until their last one is closed again nothing is sent, and fills wait for their own minute.
        """
        if self._step < self._journal.acted_step or (self._held and self._held[-1].time >= self._now()):
            return
        for fill in self._held:
            self._book(fill)
        self._held = []
        for place in range(len(self._terms.instruments)):
            await self._agree(place, self._now())
        self._rejoined = True

    async def stop(self) -> None:
        """Stop working; orders and stops stay at the venue."""
        await super().stop()
        tasks = [*self._tasks, self._return] if self._return is not None else self._tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _recall_prices(self) -> None:
        """Give every slot its last price as of the snapshot's step; the snapshot itself need not be that new."""
        slots = list(self.account.slots)
        for place, instrument in enumerate(self._terms.instruments):
            stream = self.stream(CANDLES, instrument.symbol)
            rows = await self._letterbox.store.read(stream, self._step - PRICE_LOOKBACK, self._step)
            for row in rows:
                candle = to_candle(row.payload)
                if candle.get("interval") == "1m":
                    slots[place] = slots[place]._replace(close=candle["close"])
        self.account = self.account._replace(slots=tuple(slots))

    @property
    def progress(self) -> Progress:
        """Return how far execution has come, for whoever must wait until all is quiet."""
        step = self._step if self._rejoined else self._step - 1  # what must rest after it does not rest yet
        return Progress(step, self._trade, self._reconciler.in_flight, self._reconciler.unknown)

    @property
    def answers_lost(self) -> Sequence[str]:
        """Return the client ids of orders whose answer was lost in this life, all of them resolved by proof since."""
        return self._reconciler.answers_lost

    @property
    def store_lost(self) -> StoreError | None:
        """Return why the store takes no more, None while it does; from then on fills are answered and nothing else."""
        return self._storeless

    @property
    def idle(self) -> bool:
        """Tell whether the account has neither a position nor an order."""
        return is_idle(self.account)

    def channel(self, symbol: str) -> str:
        """Listen to the strategy's steps."""
        return strategy_step_channel(symbol)

    def output(self, symbol: str) -> Stream:
        """All symbols share the account's stream."""
        del symbol
        return Stream(EXECUTION, self._exchange, WHOLE_ACCOUNT)

    async def restore(self, symbol: str, origin: int, checkpoint: int) -> None:
        """Do nothing: the snapshot holds the account."""

    async def handle(self, symbol: str, said: StepInput) -> None:
        """Keep what a symbol brings to a step until every symbol has brought it."""
        word = said.said
        if word is not None and word.get("signals"):
            word = await self._as_stored(symbol, said.step)
        self._pending.setdefault(said.step, {})[self._place[symbol]] = symbol_step(said, word, self._signal_interval)
        self._wake.set()

    async def _as_stored(self, symbol: str, step: int) -> StepDTO | None:
        """Return the strategy's row of a step: a signal counts as far as it is stored, whatever a bell claims."""
        rows = await self._letterbox.store.read(self.stream(STRATEGY, symbol), step - 1, step)
        return to_step(rows[0].payload) if rows else None

    async def _work(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._inbox or self._ready():
                    if self._inbox:
                        await self._commit()
                        await self._on_event(self._inbox.popleft())
                    elif not self._rejoined or await self._is_played():
                        await self._close()
                        if not self._rejoined:
                            await self._rejoin()
                await self._commit()
                if self.store_lost is not None:
                    await self._wind_down()
                await self._keep_account()
                self.moved.set()
        except Exception as error:
            log.exception("execution stopped")
            self.failure = error
            self.moved.set()

    async def _play_on(self) -> None:
        """Bring a venue that is told its minutes, and the account with it, to the last stored step.

        What an earlier life acted on is done again first: the venue has played those minutes already.
        """
        await self._rejoin()
        while self._ready():
            if not self._rejoined:
                await self._close()
                await self._rejoin()
            elif await self._is_played():
                await self._close()

    async def _is_played(self) -> bool:
        """Tell whether the next step's minute is over at the venue; one that is told its minutes plays on."""
        if self._market is None:
            return True
        if not self._market.idle:
            await self._commit()  # what led to a fill is stored before the fill
            if self._without_store:
                return False
        step = self._step + 1
        pending = self._pending[step]
        minutes = {one.symbol: pending[place].minute for place, one in enumerate(self._terms.instruments)}
        played = self._market.play(step, minutes)
        for event in played.events:
            await self._on_event(event)
        return played.over

    async def _hear_venue(self) -> None:
        try:
            async for event in self._venue.user_events():
                self._take_in(event)
        except Exception as error:
            log.exception("the user stream stopped")
            self.failure = error
            self.moved.set()

    async def _on_event(self, event: UserEvent) -> None:
        if isinstance(event, VenueFill):
            await self._on_fill(event)
        elif isinstance(event, StreamUp):
            await self._look_around(event)
        elif isinstance(event, OrderChanged):
            if self._reconciler.changed(event) and self._rejoined:  # it ended without our doing
                await self._agree(self._place[event.symbol], self._now())
        elif isinstance(event, StreamCut):
            log.warning("user stream: %s", event.reason)

    async def _look_around(self, event: StreamUp) -> None:
        """Read what the user stream may have missed; a read that fails is not empty, so it is tried again."""
        try:
            await self._read_fills()
            if not self._rejoined:
                return
            held, self._held = self._held, []
            for fill in held:
                await self._react(fill)
            for place, instrument in enumerate(self._terms.instruments):
                await self._reconciler.refresh(instrument.symbol)
                await self._agree(place, self._now())
        except VenueError as error:
            log.warning("the venue cannot be read now (%s); asking again", error)
            asyncio.get_running_loop().call_later(RETRY_S, self._take_in, event)

    def _take_in(self, event: UserEvent) -> None:
        self._inbox.append(event)
        self._wake.set()

    async def _on_fill(self, fill: VenueFill) -> None:
        if self._journal.fill(fill):
            await self._react(self._journal.as_fill(fill))
        self._trade = max(self._trade, fill.trade_id)

    async def _read_fills(self) -> None:
        """Ask the venue for trades that the user stream may have missed; they wait in ``_held``."""
        for instrument in self._terms.instruments:
            for fill in await self._venue.fills(
                instrument.symbol, after_id=self._journal.last_trade(instrument.symbol)
            ):
                if self._journal.fill(fill):
                    self._held.append(self._journal.as_fill(fill))
                self._trade = max(self._trade, fill.trade_id)
        self._held.sort(key=lambda fill: fill.trade_id)

    async def _react(self, fill: JournalFill) -> None:
        if not self._rejoined:
            self._held.append(fill)
        elif self._book(fill):
            await self._agree(self._place[fill.symbol], step_close(fill.time))

    def _book(self, fill: JournalFill) -> bool:
        """Book a journaled fill and let the trade say what should rest now."""
        self._booked = max(self._booked, fill.seq)
        place = self._place[fill.symbol]
        trade = self.account.slots[place].trade
        if is_ours(fill.client_id):
            id_ = canonical(fill.client_id)
        elif fill.client_id.startswith(LIQUIDATED) and trade is not None:
            id_ = canonical_id(trade.plan.id, LIQUIDATION)
        else:
            log.warning("a trade that is not ours on %s: %s", fill.symbol, fill.client_id)
            return False
        role = ROLES.get(id_[-1], Role.TARGET)
        booked = Fill(fill.time, fill.symbol, id_, id_[-1], role, fill.price, fill.quantity, fill.fee)
        self.account = roll_day(self.account, fill.time)
        self.account = book_fill(self.account, place, booked, self._terms, self._facts)
        self.account = settle(self.account, place, step_close(fill.time), self._terms, self._facts)
        if role == Role.ENTRY:
            self._reached(Point.AFTER_ENTRY_FILL)
        return True

    def _now(self) -> int:
        """Return the close of the step that is being played."""
        return (self._step + 1) * MINUTE_MS

    def _ready(self) -> bool:
        return not self._without_store and len(self._pending.get(self._step + 1, ())) == len(self._place)

    async def _close(self) -> None:
        """Close the next step: the account first, then the venue, then the store; bells wait for the commit."""
        step = self._step + 1
        time = step * MINUTE_MS
        while self._held and self._held[0].time < time:
            self._book(self._held.pop(0))
        said = self._pending.pop(step)
        symbols = self._dated(said, time)
        before, earlier = self.account, list(self._facts)
        self.account = roll_day(self.account, time - MINUTE_MS)
        instant = Instant(time, time % self._signal_ms == 0, symbols)
        self.account = close_step(self.account, instant, self._terms, self._facts)
        if self._rejoined:
            changed = [
                place
                for place, (old, new) in enumerate(zip(before.slots, self.account.slots, strict=True))
                if old.orders != new.orders or place in self._disagreeing
            ]
            if changed:
                await self._commit()  # what is acted on is stored
                if self._without_store:
                    entering = [place for place in changed if _is_entering(self.account.slots[place].orders)]
                    if entering == changed and not self._storeless:  # the step waits for the store, and its entries too
                        self.account, self._facts, self._pending[step] = before, earlier, said
                        return
                    changed = [place for place in changed if place not in entering]
                    for place in entering:
                        if not self._storeless:
                            self._give_up_entry(place, time)
                self._journal.act_at(step)
            if any(_is_entering(self.account.slots[place].orders) for place in changed):
                self._reached(Point.AFTER_SLOT)
            for place in changed:
                await self._agree(place, time)
        facts, self._facts = self._facts, []
        after = None if self._step == min(self._origins.values()) else self._step
        try:
            await self._write_step(step, facts, after)
        except StoreError as error:
            self.lose_store(error)
        self._unrung.extend(bells_of(facts, self._exchange, self._known_orders(facts)))

    async def _write_step(self, step: int, facts: Sequence[Fact], after: int | None) -> None:
        payloads, store = [pack_fact(fact) for fact in facts], self._letterbox.store
        await patiently(lambda: store.append(self.output(""), step, payloads, after=after))
        self._step = step
        if self._stored is None or not same_but_prices(self.account, self._stored):
            if facts:
                self._reached(Point.BETWEEN_OUTPUTS_AND_CHECKPOINT)
            await self._letterbox.store.put_document(SNAPSHOT, self._exchange, step, pack_account(self.account))
            await self._letterbox.store.put_document(BOOKED, self._exchange, step, str(self._booked).encode())
            self._stored = self.account

    def lose_store(self, error: StoreError) -> None:
        """Close no step any more and enter nothing; fills are still answered, from memory and the journal.

        ``failure`` follows as soon as there is no position left to protect.
        """
        if self._storeless is None:
            log.critical("entries are off, stops and exits are still sent: %s", error)
            self._storeless = error
            self._wake.set()

    async def _wind_down(self) -> None:
        """Without a store no entry may wait, and the failure is said once there is no position to protect either.

        A venue that is told its minutes gets none any more: nothing can happen there, and its next start goes on.
        """
        if self._market is not None:
            self.failure = self._storeless
            return
        settled = not self._inbox
        for place, slot in enumerate(self.account.slots):
            if slot.trade is None:
                continue
            if not slot.trade.waiting:
                settled = False
                continue
            try:
                outcome = await self._reconciler.reconcile(self._terms.instruments[place].symbol, ())
            except VenueError as error:
                log.warning("the venue cannot be read now (%s); asking again", error)
                asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)
                return
            settled &= not outcome.awaited  # it filled first: the fill is on its way and gets its stop
            if outcome.unsettled:
                settled = False
                asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)
        if settled and not self._inbox:
            self.failure = self._storeless

    @property
    def _without_store(self) -> bool:
        return self._storeless is not None or self._return is not None

    def _miss_store(self, error: StoreError) -> None:
        """Enter nothing and close no step until the store is back; fills are still answered."""
        log.warning("entries are off while the store is away, stops and exits are still sent: %s", error)
        self._return = asyncio.create_task(self._await_store(), name="execution:store")

    async def _await_store(self) -> None:
        try:
            await patiently(self._letterbox.store.commit)
            log.warning("the store is back: entries are on")
        except StoreError as error:
            self.lose_store(error)
        self._return = None
        self._wake.set()

    def _give_up_entry(self, place: int, time: int) -> None:
        """Refuse an entry that could not go out in its step because the store was away; one that did go out stays."""
        order = self.account.slots[place].orders[0]
        if self._journal.newest(order.id) is not None:
            self._disagreeing.add(place)
            return
        self._forget_placed(place)
        age = 0.0 if self._venue_ms is None else (self._venue_ms() - time) / 1000
        self.account = drop_entry(self.account, place, "signal_stale", self._facts, {"age_s": age})

    def _dated(self, symbols: Mapping[int, SymbolStep], time: int) -> Mapping[int, SymbolStep]:
        """Mark the signals of T = ``time`` that are too old to be acted on; one whose entry went out is acted on."""
        if self._venue_ms is None or not self._max_age_ms or not any(said.plans for said in symbols.values()):
            return symbols
        age = self._venue_ms() - time
        if age <= self._max_age_ms:
            return symbols
        dated = dict(symbols)
        for place, said in symbols.items():
            late = {plan.id for plan in said.plans if self._journal.newest(canonical_id(plan.id, "e")) is None}
            dated[place] = said._replace(late=frozenset(late), age=age / 1000)
        return dated

    async def _commit(self) -> None:
        """Commit the steps closed since the last commit, then ring their bells.

        Quiet steps share a commit; before an order is sent or a fill is booked, what led to it is committed.
        """
        if self._without_store:
            return
        try:
            await self._letterbox.store.commit()
        except StoreAwayError as error:
            self._miss_store(error)
            return
        except StoreError as error:
            self.lose_store(error)
            return
        unrung, self._unrung = self._unrung, []
        for channel, payload in unrung:
            await self._letterbox.bus.publish(channel, payload)

    async def _keep_account(self) -> None:
        """Keep what people and programs look at, when nothing is left to do: no order waits for it."""
        if not self._storeless:
            await self._newest.keep(self.account, self._step)

    def _known_orders(self, facts: Sequence[Fact]) -> Mapping[str, Order]:
        """Return the orders that ``facts`` may speak of, by name; those of ended trades are forgotten afterwards."""
        self._orders.update({fact.order.id: fact.order for fact in facts if isinstance(fact, Placed)})
        known = dict(self._orders)
        if self.idle:
            self._orders.clear()
        return known

    async def _agree(self, place: int, time: int) -> None:
        """Make the venue agree with what should rest, and let the trade answer to what the venue refuses."""
        symbol = self._terms.instruments[place].symbol
        for _ in range(OUTCOMES_A_STEP):
            orders = self.account.slots[place].orders
            outcome = await self._reconciler.reconcile(symbol, orders)
            if outcome.stop_passed or outcome.unprotectable:
                self._forget_placed(place)
                self.account = stop_passed(self.account, place)
                self.account = settle(self.account, place, time, self._terms, self._facts)
            elif outcome.entry_refused is not None:
                log.warning("%s: the venue refused the entry: %s", symbol, outcome.entry_refused)
                self._forget_placed(place)
                self.account = drop_entry(self.account, place, "venue_refused", self._facts)
            elif not outcome.entry_not_placed:
                if outcome.refused or outcome.unsettled:  # not as wanted yet: the next step asks again
                    self._disagreeing.add(place)
                else:
                    self._disagreeing.discard(place)
                return
        raise NoAgreementError(symbol, OUTCOMES_A_STEP)

    def _forget_placed(self, place: int) -> None:
        """Take back the facts of orders that the venue did not take: what never rested was never placed."""
        resting = {order.born for order in self.account.slots[place].orders}
        live = [have for have in self._journal.live(self._terms.instruments[place].symbol) if have.state == State.ACKED]
        self._facts = [
            fact
            for fact in self._facts
            if not (
                isinstance(fact, Placed)
                and fact.order.born in resting
                and not any(have.is_for(fact.order) for have in live)
            )
        ]


def _is_entering(orders: Sequence[Order]) -> bool:
    return bool(orders) and orders[0].role == Role.ENTRY


class NoAgreementError(RuntimeError):
    """The venue and the account do not come to agree."""

    def __init__(self, symbol: str, attempts: int) -> None:
        super().__init__(
            f"{symbol}: expected the venue to hold the wanted orders, was still different after {attempts} attempts; "
            "the line stops, orders and stops at the venue stay; look at the venue's own order list"
        )

"""An execution engine over a store, a journal and a venue whose fills a test decides; the strategy is said by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fake_venue import FakeVenue, VirtualClock
from sample_line import ListeningBus, until
from sample_trades import EXCHANGE, MINUTE, START, instrument_of

from trading_system.contracts import StepDTO, from_ms, serialize, strategy_step_channel
from trading_system.rules.account import Terms
from trading_system.rules.fact_record import unpack_fact
from trading_system.rules.facts import Fact
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import FillRules, Order
from trading_system.rules.records import CANDLE
from trading_system.rules.risk import RiskRules
from trading_system.rules.trade_plan import Plan
from trading_system.rules.words import candle_dto, signal_dto
from trading_system.services.execution_engine.awaiting import Awaiting
from trading_system.services.execution_engine.joining import Joining
from trading_system.services.execution_engine.journal import Journal, State
from trading_system.services.execution_engine.reconcile import Reconciler
from trading_system.services.execution_engine.service import ExecutionEngine
from trading_system.services.room import CANDLES, EXECUTION, STRATEGY, WHOLE_ACCOUNT, Letterbox
from trading_system.simulator.paper_venue import PaperVenue
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream
from trading_system.venues.port import (
    BINANCE_USDM,
    OrderStatus,
    StreamCut,
    StreamUp,
    UserEvent,
    Venue,
    VenueFill,
    answering_at_once,
)

ORIGIN = START // MINUTE  # the step before the first


class HeardVenue(FakeVenue):
    """The venue in memory with a user stream: what a test pushes is heard, in order."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.heard: asyncio.Queue[UserEvent] = asyncio.Queue()

    async def user_events(self) -> AsyncGenerator[UserEvent, None]:
        yield StreamUp()
        while True:
            yield await self.heard.get()

    def push(self, *events: UserEvent) -> None:
        for event in events:
            self.heard.put_nowait(event)


class Desk:
    """One life after another of an execution engine on one symbol."""

    def __init__(
        self,
        folder: Path,
        *,
        leaves_process: bool = False,
        advised: bool = False,
        live: bool = False,
        paper: bool = False,
        others: Sequence[str] = (),
    ) -> None:
        """``advised``: plans are offered to a person. ``live``: ages are taken by the venue's time, the clock's.

        ``paper``: the venue is a paper account that is told its minutes, and ``venue`` stays unused.
        ``others`` are symbols beside the first, whose steps are said one by one (``say``).
        """
        self.folder = folder
        self.clock = VirtualClock()
        self.venue = HeardVenue(self.clock)
        self.store = MemoryStore()
        self.bus = ListeningBus(leaves_process=leaves_process)
        self.instrument: Instrument = instrument_of()
        self.instruments = (self.instrument, *map(instrument_of, others))
        self.step = ORIGIN
        self.advised = advised
        self.is_paper = paper
        self.record = answering_at_once(BINANCE_USDM)
        self.venue_ms = self.clock.wall_ms if live else None
        self.awaiting: Awaiting | None = None
        self.joining: Joining | None = None

    async def live(self) -> None:
        """Begin a life from what store, journal and venue hold."""
        self.journal = Journal(self.folder / "journal.db")
        terms = Terms(self.instruments, RiskRules(), FillRules(), self.advised)
        paper = self._paper() if self.is_paper else None
        venue: Venue = paper or self.venue
        self.execution = ExecutionEngine(
            Letterbox(self.store, self.bus),
            terms,
            {one.symbol: ORIGIN for one in self.instruments},
            venue,
            self.journal,
            Reconciler(self.journal, venue, self.record, self.clock),
            market=paper,
            equity=10_000.0,
            signal_interval="15m",
            venue_ms=self.venue_ms,
            joining=self.joining,
            awaiting=self.awaiting,
        )
        await self.execution.start()
        await self.quiet()

    async def die(self) -> None:
        """Be killed: what the store has not committed is undone."""
        await self.execution.stop()
        await self.store.rollback()
        self.journal.close()

    async def quiet(self) -> None:
        """Wait until all that was said and heard is handled."""

        def is_quiet() -> bool:
            return self.execution.failure is not None or (
                self.execution.progress.step == self.step
                and self.venue.heard.empty()
                and not self.execution._events
                and not self.execution._wake.is_set()
                and self.execution._commands.next is None
                and not self.execution._held
            )

        for _ in range(3):  # an answer may lead to the next question
            await until(is_quiet)
            for _ in range(10):
                await asyncio.sleep(0)
        if self.execution.failure is not None:
            raise self.execution.failure

    async def minute(
        self,
        *prices: float,
        plans: Sequence[Plan] = (),
        events: Sequence[dict[str, Any]] = (),
        stored: bool = True,
        rung: bool = True,
    ) -> None:
        """Let the strategy say the next step: stored, and rung, unless a test wants otherwise."""
        word = self.word(self.step + 1, *prices, plans=plans, events=events)
        payload = serialize(word)
        if stored:
            self.step += 1
            await self._append(CANDLES, self.step, [serialize(word["candles"][0])])
            await self._append(STRATEGY, self.step, [payload] if word.get("events") else [])
            await self.store.commit()
        if rung:
            await self.bus.publish(strategy_step_channel(self.instrument.symbol), payload)
            if stored:
                await self.quiet()

    async def say(self, symbol: str, *prices: float, plans: Sequence[Plan] = ()) -> None:
        """Let the strategy say the next step of one symbol, stored and rung, which nobody waits for."""
        step = (await self.store.head(Stream(STRATEGY, EXCHANGE, symbol)) or ORIGIN) + 1
        word = self.word(step, *prices, plans=plans, symbol=symbol)
        await self._append(CANDLES, step, [serialize(word["candles"][0])], symbol)
        await self._append(STRATEGY, step, [serialize(word)] if word.get("events") else [], symbol)
        await self.store.commit()
        await self.bus.publish(strategy_step_channel(symbol), serialize(word))

    def word(
        self,
        step: int,
        *prices: float,
        plans: Sequence[Plan] = (),
        events: Sequence[dict[str, Any]] = (),
        symbol: str = "",
    ) -> StepDTO:
        """Return one step as the strategy says it, of the first symbol unless another is named."""
        symbol = symbol or self.instrument.symbol
        record = np.zeros(1, CANDLE)
        record[0] = ((step - 1) * MINUTE, prices[0], max(prices), min(prices), prices[-1], 1.0, 0)
        candle = candle_dto(record[0], EXCHANGE, symbol, MINUTE)
        word: Any = {"exchange": EXCHANGE, "symbol": symbol, "step": step, "candles": [candle]}
        found = [*events, *([self.event("bos", step)] if plans else [])]
        if found:
            word |= {"events": found, "signals": [signal_dto(plan) for plan in plans], "refused": []}
        made: StepDTO = word
        return made

    def event(
        self, kind: str, step: int, *, direction: int = 1, ref: str = "", interval: str = "15m"
    ) -> dict[str, Any]:
        """Return an event as the strategy says it."""
        word: dict[str, Any] = {
            "id": f"{kind}{step}",
            "kind": kind,
            "exchange": EXCHANGE,
            "symbol": self.instrument.symbol,
            "interval": interval,
            "direction": direction,
            "time": from_ms((step - 15) * MINUTE),
            "confirmed_at": from_ms(step * MINUTE),
            "values": {},
        }
        return {**word, "ref": ref} if ref else word

    def order(self, name: str) -> Order:
        """Return the order that the account wants by its role letter."""
        return next(order for order in self.execution.account.slots[0].orders if order.id[-1] == name)

    def live_names(self) -> list[str]:
        """Return the role letters of what rests at the venue, in the order in which it was sent."""
        return [client_id[-3] for client_id in self.venue.live()]

    def prices(self) -> dict[str, tuple[float, float]]:
        """Return price and quantity of what rests at the venue, by role letter."""
        held = self.venue.held
        return {name[-3]: (held[name].order.price, held[name].order.quantity) for name in self.venue.live()}

    def trade(self, name: str, price: float, *, fee: float = 0.0, at: int = 15_000) -> VenueFill:
        """Let the live order of a role fill whole at the venue; it is heard only if the test pushes it."""
        client_id = next(client_id for client_id in self.venue.live() if client_id[-3] == name)
        order = self.venue.held[client_id].order
        self.venue.held[client_id].status = OrderStatus.FILLED
        self.venue.quantity = round(self.venue.quantity + order.side * order.quantity, 3)
        number = len(self.venue.trades) + 1
        time = self.step * MINUTE + at
        fill = VenueFill(str(number), number, client_id, order.symbol, time, price, order.quantity, fee, False)
        self.venue.trades.append(fill)
        return fill

    async def fill(self, name: str, price: float, **how: Any) -> VenueFill:
        """Let an order fill and the stream say so."""
        fill = self.trade(name, price, **how)
        self.venue.push(fill)
        await self.quiet()
        return fill

    async def hear(self, *events: UserEvent) -> None:
        """Let the user stream say something."""
        self.venue.push(*events)
        await self.quiet()

    async def cut_and_reconnect(self) -> None:
        """Break the user stream and connect it anew."""
        await self.hear(StreamCut("reset by peer"), StreamUp())

    async def facts(self) -> list[Fact]:
        """Return every fact that execution has stored."""
        stream = Stream(EXECUTION, EXCHANGE, WHOLE_ACCOUNT)
        head = await self.store.head(stream)
        rows = [] if head is None else await self.store.read(stream, None, head)
        return [unpack_fact(row.payload) for row in rows]

    def states(self) -> dict[str, State]:
        """Return how each order of the journal stands, by role letter and generation."""
        return {order.client_id[-3:]: order.state for order in self.journal.orders_since(0)}

    def _paper(self) -> PaperVenue:
        path = self.folder / "paper.json"
        return PaperVenue(path, self.instruments, ORIGIN, FillRules(), leverage=5, equity=10_000.0)

    async def _append(self, kind: str, step: int, payloads: list[bytes], symbol: str = "") -> None:
        stream = Stream(kind, EXCHANGE, symbol or self.instrument.symbol)
        await self.store.append(stream, step, payloads, after=await self.store.head(stream))

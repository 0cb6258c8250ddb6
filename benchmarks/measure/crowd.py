"""A line of hundreds of symbols in this process: a market that stands still until told, and the real rooms behind it.

The socket and the history are made up; the data feed, the rooms, execution, the paper exchange, the store and the
journal are those of every line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from measure.markets import START_MS
from trading_system.bus.ending import ended
from trading_system.bus.port import Bus
from trading_system.collector import searching_seldom
from trading_system.research.candle_inputs import CandleInputs, inputs_of
from trading_system.research.runs import Run
from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS, FillRules
from trading_system.rules.records import Records
from trading_system.rules.sequencer import ClosedCandle, Page
from trading_system.services.data_feed.service import DataFeed
from trading_system.services.execution_engine.journal import Journal
from trading_system.services.execution_engine.reconcile import Reconciler
from trading_system.services.execution_engine.service import ExecutionEngine
from trading_system.services.heartbeat import Heartbeat
from trading_system.services.indicator_engine.service import IndicatorEngine
from trading_system.services.room import Letterbox, Room
from trading_system.services.strategy_engine.service import StrategyEngine
from trading_system.services.symbol_fold import FoldTerms
from trading_system.settings import Settings, settings_with
from trading_system.simulator.market import synthetic_candles
from trading_system.simulator.paper_venue import PaperVenue
from trading_system.store.port import Store
from trading_system.stored_run import run_in
from trading_system.terms import signal_rules_of, terms_of
from trading_system.venues.clock import SystemClock
from trading_system.venues.port import BINANCE_USDM, answering_at_once

SEED = 6
TICK, STEP, START_PRICE = Grid(1, 10_000), Grid(1, 10), 10.0
ROWS_A_CALL = 1_000


def line_settings() -> Settings:
    """Return the settings of a whole line: signals on 15m, the trend of 4h, six trades at a time."""
    return settings_with(["warm_up=20", "account.max_positions=6", "account.open_risk_pct=6"])


def crowd(settings: Settings, symbols: int, minutes: int) -> CandleInputs:
    """Return ``minutes`` of the synthetic market for each of ``symbols`` symbols, no two alike, as a run's inputs."""
    venue = settings.venue
    fees = (venue.min_notional, venue.taker_fee, venue.maker_fee, venue.maintenance_margin)
    names = [f"C{n:03d}USDT" for n in range(symbols)]
    instruments = [Instrument(settings.exchange, name, TICK, STEP, *fees) for name in names]
    candles = {name: synthetic_candles(SEED, name, START_MS, minutes, TICK, STEP, START_PRICE) for name in names}
    return inputs_of(instruments, candles, settings)


class StillMarket:
    """An exchange's public side in this process: the first ``upto`` minutes are over, the next close when told.

    It is the data feed's socket and its history at once.
    """

    def __init__(self, candles: Mapping[str, Records], upto: int) -> None:
        """Keep the minutes of each symbol, CANDLE[n] over the same minutes."""
        self._candles = candles
        self._first = int(next(iter(candles.values()))["open_time"][0])
        self.upto = upto
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        self._events: list[tuple[Any, ...]] = []

    @property
    def step(self) -> int:
        """The last step that is closed."""
        return self._first // MINUTE_MS + self.upto

    def close(self, minutes: int = 1) -> None:
        """Close the next minutes, each of all symbols at once."""
        columns = {name: rows[self.upto : self.upto + minutes].tolist() for name, rows in self._candles.items()}
        for n in range(minutes):
            self._events += [("candle", name, *rows[n][:6], 0) for name, rows in columns.items()]
        self.upto += minutes
        os.write(self._in, b"x")

    async def minutes(self, symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> Page:
        """Return minutes from ``start`` (ms UTC) on, as many as one call gives; those that are gaps are left out."""
        del urgent
        first = (start - self._first) // MINUTE_MS
        end = min(first + (most or ROWS_A_CALL), self.upto)
        rows = [ClosedCandle(*row[:6]) for row in self._candles[symbol][first:end].tolist() if not row[6]]
        return Page(tuple(rows), self._first + end * MINUTE_MS, end < self.upto)

    async def trading(self) -> Mapping[str, bool]:
        """Return that every symbol trades."""
        return dict.fromkeys(self._candles, True)

    def add(self, symbols: Sequence[str]) -> None:
        """Do nothing: every symbol is here from the start."""

    def remove(self, symbols: Sequence[str]) -> None:
        """Do nothing: nobody listens to one alone."""

    def start(self) -> None:
        """Do nothing: nobody is to be reached."""

    def stop(self) -> None:
        """Let go of the pipe."""
        for descriptor in (self._out, self._in):
            os.close(descriptor)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there are events."""
        return self._out

    def drain(self) -> list[tuple[Any, ...]]:
        """Return what came since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._out, 4096)
        events, self._events = self._events, []
        return events


class CrowdLine:
    """The rooms of one line over ``inputs``, with a paper exchange; not started yet."""

    def __init__(
        self, inputs: CandleInputs, settings: Settings, folder: Path, store: Store, bus: Bus, *, upto: int
    ) -> None:
        """Make the line; ``upto`` minutes are history, the rest closes when ``market`` is told."""
        one = inputs.instruments
        self.inputs, self.instruments = inputs, one
        self.letterbox = Letterbox(store, bus)
        self.market = StillMarket(inputs.candles, upto)
        self.journal = Journal(folder / "journal.db")
        origin = inputs.origin // MINUTE_MS
        origins = {each.symbol: origin for each in one}
        rules, account = FillRules(settings.venue.slippage_ticks, settings.venue.limit_fill), settings.account
        self.venue = PaperVenue(
            folder / "paper.json", one, origin, rules, leverage=int(account.leverage), equity=account.equity
        )
        folds = FoldTerms(settings.signal_interval, settings.higher_interval or None, settings.detection)
        signals = {each.symbol: signal_rules_of(settings, inputs.origin) for each in one}
        longer = [interval_ms(name) for name in (settings.signal_interval, settings.higher_interval) if name]
        self.execution = ExecutionEngine(
            self.letterbox,
            terms_of(settings, one),
            origins,
            self.venue,
            self.journal,
            Reconciler(self.journal, self.venue, answering_at_once(BINANCE_USDM), SystemClock()),
            equity=account.equity,
            signal_interval=settings.signal_interval,
            market=self.venue,
        )
        self.rooms: list[Room] = [
            self.execution,
            StrategyEngine(self.letterbox, one, folds, signals, origins),
            IndicatorEngine(self.letterbox, one, folds, origins),
        ]
        self.feed = DataFeed(self.letterbox, one, origins, longer, self.market, self.market, ask_after_s=1e9)
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start every room and fetch the history."""
        self._opened.enter_context(searching_seldom())  # as every line does
        self._opened.callback(self.journal.close)
        self._opened.push_async_callback(self.letterbox.store.close)
        self._opened.push_async_callback(self.venue.close)
        for room in self.rooms:
            self._opened.push_async_callback(room.stop)
            await room.start()
        self._opened.push_async_callback(self.feed.stop)
        await self.feed.start()
        await self.quiet()
        gc.freeze()
        heartbeat = Heartbeat(self.letterbox.bus, [self.feed, *self.rooms], SystemClock().wall_ms)
        self._opened.push_async_callback(heartbeat.stop)
        await heartbeat.start()
        self._opened.push_async_callback(ended, [asyncio.create_task(self._poll(), name="poll")])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything, the last first."""
        await self._opened.aclose()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for room in self.rooms:
                await room.catch_up()
            await self.feed.poll()
            await self.letterbox.store.tidy()

    async def quiet(self) -> None:
        """Wait until the account has closed the market's last minute. Raises: the failure of a part."""
        while self.execution.progress.step < self.market.step:
            self.execution.moved.clear()
            for part in (self.feed, *self.rooms):
                if part.failure is not None:
                    raise part.failure
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self.execution.moved.wait()

    async def play(self, upto: int) -> None:
        """Close the minutes up to ``upto``, one at a time, and wait each time until the line is quiet."""
        while self.market.upto < upto:
            self.market.close()
            await self.quiet()

    async def run(self) -> Run:
        """Return what the store and the journal say happened."""
        return await run_in(self.letterbox.store, self.journal, self.instruments, self.inputs.origin, self.venue)

"""The rooms of a line over one store and one bus, fed by hand: a history, a socket, and a bus that loses bells."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sample_files import MONDAY

from trading_system.bus.memory import MemoryBus
from trading_system.rules.grid import Instrument
from trading_system.rules.records import Records
from trading_system.rules.sequencer import ClosedCandle, Page
from trading_system.rules.signals import SignalRules
from trading_system.rules.trade_plan import PlanRules
from trading_system.services.data_feed.service import DataFeed
from trading_system.services.indicator_engine.service import IndicatorEngine
from trading_system.services.room import Letterbox
from trading_system.services.strategy_engine.service import StrategyEngine
from trading_system.services.symbol_fold import FoldTerms
from trading_system.simulator.market import DEMO_SYMBOLS
from trading_system.store.port import Row, Store, Stream

MINUTE = 60_000
EXCHANGE = "binance_usdm"
ORIGIN = MONDAY // MINUTE  # the step before the first
INTERVALS = [5 * MINUTE, 60 * MINUTE]
TERMS = FoldTerms("5m", "1h", {"swings.left": 3, "swings.right": 2})


class ListeningBus(MemoryBus):
    """A bus that keeps every message, and hands on only those that ``hears`` lets through."""

    def __init__(self, hears: Callable[[str], bool] = lambda _: True, *, leaves_process: bool = False) -> None:
        super().__init__()
        self.hears = hears
        self.leaves_process = leaves_process
        self.rung: list[tuple[str, bytes]] = []

    async def publish_many(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.rung += messages
        await super().publish_many([message for message in messages if self.hears(message[0])])


class History:
    """A public market's minutes, out of records; ``upto`` is how many are over, ``calls`` what was asked for.

    ``listed``: whether each symbol trades; ``answers``: pages to give before the true ones.
    """

    def __init__(self, candles: Mapping[str, Records], upto: int | None = None, rows_a_call: int = 500) -> None:
        self.candles = candles
        self.upto = upto
        self.calls: list[tuple[str, int]] = []
        self.failures: list[Exception] = []
        self.answers: list[Page] = []
        self.listed = dict.fromkeys(candles, True)
        self.most: list[int] = []
        self._rows_a_call = rows_a_call

    async def minutes(self, symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> Page:
        del urgent
        self.calls.append((symbol, start))
        self.most.append(most)
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        if self.answers:
            return self.answers.pop(0)
        rows = self.candles[symbol]
        first = (start - int(rows["open_time"][0])) // MINUTE
        last = len(rows) if self.upto is None else self.upto
        end = min(first + (most or self._rows_a_call), last)
        stated = tuple(closed(row) for row in rows[first:end] if not row["gap"])
        return Page(stated, int(rows["open_time"][0]) + end * MINUTE, end < last)

    async def trading(self) -> Mapping[str, bool]:
        await asyncio.sleep(0)
        return self.listed


class Socket:
    """A market socket whose events a test says; readable while there are any."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        self._events: list[tuple[Any, ...]] = []
        self.running = False
        self.changes: list[tuple[str, tuple[str, ...]]] = []

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False
        for descriptor in (self._out, self._in):
            os.close(descriptor)

    def fileno(self) -> int:
        return self._out

    def add(self, symbols: Sequence[str]) -> None:
        self.changes.append(("add", tuple(symbols)))

    def remove(self, symbols: Sequence[str]) -> None:
        self.changes.append(("remove", tuple(symbols)))

    def say(self, *events: tuple[Any, ...]) -> None:
        self._events += events
        os.write(self._in, b"x" * len(events))

    def drain(self) -> list[tuple[Any, ...]]:
        with contextlib.suppress(BlockingIOError):
            os.read(self._out, 4096)
        events, self._events = self._events, []
        return events


def closed(row: Any) -> ClosedCandle:
    """Return one record as the exchange's closed candle."""
    open_time, *numbers, gap = row.item()
    return ClosedCandle(open_time, *numbers, gap=bool(gap))


def candle_event(symbol: str, row: Any) -> tuple[Any, ...]:
    """Return what the socket says of one closed candle."""
    return ("candle", symbol, *row.item()[:6], 0)


def demo_instruments(*symbols: str) -> tuple[Instrument, ...]:
    """Return demo instruments in the order of their symbols."""
    wanted = [one for one in DEMO_SYMBOLS if one.symbol in symbols]
    return tuple(Instrument(EXCHANGE, one.symbol, one.tick, one.step, 5.0, 0.0005, 0.0002, 0.004) for one in wanted)


def origins_of(instruments: Sequence[Instrument]) -> dict[str, int]:
    """Return the same origin for every symbol."""
    return {one.symbol: ORIGIN for one in instruments}


def feed_of(
    letterbox: Letterbox,
    instruments: Sequence[Instrument],
    history: History,
    socket: Socket | None = None,
    now_ms: Callable[[], int] | None = None,
) -> DataFeed:
    """Return a feed of 1m, 5m and 1h candles."""
    origins = origins_of(instruments)
    return DataFeed(letterbox, instruments, origins, INTERVALS, socket or Socket(), history, now_ms=now_ms)


def indicator_of(letterbox: Letterbox, instruments: Sequence[Instrument]) -> IndicatorEngine:
    """Return the room of highs and lows."""
    return IndicatorEngine(letterbox, instruments, TERMS, origins_of(instruments))


def strategy_of(letterbox: Letterbox, instruments: Sequence[Instrument]) -> StrategyEngine:
    """Return the room of blocks, flags and signals, warm after 20 candles."""
    rules = SignalRules(PlanRules(min_rr=0.1, trend="off"), "5m", 5 * MINUTE, MONDAY, 20)
    return StrategyEngine(
        letterbox, instruments, TERMS, {one.symbol: rules for one in instruments}, origins_of(instruments)
    )


async def rows_of(store: Store, kind: str, symbol: str) -> tuple[int | None, list[Row]]:
    """Return a whole stream: its head and its rows."""
    stream = Stream(kind, EXCHANGE, symbol)
    head = await store.head(stream)
    return head, [] if head is None else await store.read(stream, None, head)


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Let the other tasks run until ``condition`` holds; a test that waits for ever is a failed one."""
    async with asyncio.timeout(10):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0)

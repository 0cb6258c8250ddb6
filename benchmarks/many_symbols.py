"""How fast hundreds of symbols are: a minute of 500 stored and rung, and the whole line of 200 from close to signal.

``--week`` trades a simulated week of 200 symbols instead, some ten minutes, and says what memory each day leaves.
``--month`` trades a month of them, some half an hour, and holds it against its backtest.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from measure.crowd import CrowdLine, StillMarket, crowd, line_settings
from measure.figures import Figure, Took
from measure.live_line import LiveLine
from measure.live_venue import UPDATES_A_SECOND
from measure.parity import beside_its_backtest
from results import report

from trading_system.bus.memory import MemoryBus
from trading_system.collector import searching_seldom
from trading_system.contracts import candle_close_channel, trade_signal_channel
from trading_system.research.candle_inputs import CandleInputs
from trading_system.rules.interval_table import INTERVALS, interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.services.data_feed.service import DataFeed
from trading_system.services.room import Letterbox
from trading_system.store.sqlite import SqliteStore

FEED_SYMBOLS, LINE_SYMBOLS = 500, 200
DAY = 1_440
MIDNIGHTS = 3
RUNS = 3
WARM_UP = 720  # minutes of history before the line is measured
LIVE = 240
PAUSE_S = 0.2  # between two closes, in which what is polled gets its turn, as it does in a minute
DRAWN_S = 1.0  # what the picture of a signal takes, which is drawn long before the next minute closes
IDLE_S = 60.0  # a whole minute, for not all of it is alike


def main() -> None:
    """Measure and print."""
    logging.disable(logging.WARNING)
    if "--week" in sys.argv[1:]:
        asyncio.run(week())
        return
    if "--month" in sys.argv[1:]:
        asyncio.run(month())
        return
    asyncio.run(feed_alone())
    asyncio.run(whole_line())


# --- the feed alone


async def feed_alone() -> None:
    """500 symbols close a minute: from the socket's word to the last bell, each candle committed before its bell."""
    inputs = crowd(line_settings(), FEED_SYMBOLS, DAY + 1)
    plain = [took.waited for took in await closes(inputs, upto=10, minutes=60)]
    for rows in inputs.candles.values():
        rows["gap"][: DAY - 10] = 1  # the day before its last minutes is not looked at, only its longer candles
    midnights = [(await closes(inputs, upto=DAY - 1, minutes=1))[0].waited for _ in range(MIDNIGHTS)]
    minute, night = f"{FEED_SYMBOLS} symbols close a minute", f"{FEED_SYMBOLS} symbols close a day, with all intervals"
    many = len(intervals()) + 1
    report(
        "The feed: closed candles stored and rung, memory bus and SQLite, to the last of them",
        [Figure(minute, "ms", plain, 50.0), Figure(night, "ms", midnights, 250.0)],
        [f"at midnight each symbol closes candles of {many} intervals, from 1m to 1d"],
        {
            minute: {"sqlite3 executemany and commit": bare_inserts(FEED_SYMBOLS, 1)},
            night: {"sqlite3 executemany and commit": bare_inserts(FEED_SYMBOLS, many)},
        },
    )


def intervals() -> list[int]:
    """Return every interval up to a day that is built of minutes, in ms."""
    return [length for length in map(interval_ms, INTERVALS) if MINUTE_MS < length <= DAY * MINUTE_MS]


class LeavingBus(MemoryBus):
    """A bus in memory that is treated as one between processes: what rings is committed."""

    leaves_process = True


class Ear:
    """Hears many channels, and when as many messages as are wanted that have ``counted`` in them have come."""

    def __init__(self, wanted: int, counted: bytes = b"") -> None:
        self._wanted = wanted
        self._counted = counted
        self._heard = 0
        self.done = asyncio.Event()

    async def __call__(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self._heard += sum(self._counted in payload for _, payload in messages)
        if self._heard >= self._wanted:
            self._heard = 0
            self.done.set()


async def closes(inputs: CandleInputs, *, upto: int, minutes: int) -> list[Took]:
    """Return what each of ``minutes`` closes took, after a history of ``upto`` minutes."""
    with tempfile.TemporaryDirectory() as folder, searching_seldom():
        store, bus, ear = (
            SqliteStore(Path(folder, "store.db")),
            LeavingBus(),
            Ear(len(inputs.instruments), b'"interval":"1m"'),
        )
        market = StillMarket(inputs.candles, upto)
        origins = {one.symbol: inputs.origin // MINUTE_MS for one in inputs.instruments}
        letterbox = Letterbox(store, bus)
        feed = DataFeed(letterbox, inputs.instruments, origins, intervals(), market, market, ask_after_s=1e9)
        await feed.start()
        await bus.subscribe_many([candle_close_channel(one.symbol) for one in inputs.instruments], ear)
        gc.freeze()
        spent = []
        for _ in range(minutes):
            await store.tidy()
            ear.done.clear()
            began, cpu = time.perf_counter(), time.process_time()
            market.close()
            await ear.done.wait()
            spent.append(Took((time.perf_counter() - began) * 1e3, (time.process_time() - cpu) * 1e3))
        await feed.stop()
        await store.close()
    return spent


def bare_inserts(symbols: int, rows: int) -> list[float]:
    """Return what sqlite3 alone takes in ms for as many rows and heads in one transaction, with the store's schema."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bare.db")
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000;"
            "CREATE TABLE rows (symbol TEXT, step INTEGER, n INTEGER, payload BLOB, PRIMARY KEY (symbol, step, n))"
            " WITHOUT ROWID; CREATE TABLE heads (symbol TEXT PRIMARY KEY, step INTEGER) WITHOUT ROWID"
        )
        names = [f"C{n:03d}USDT" for n in range(symbols)]
        connection.executemany("INSERT INTO heads VALUES (?, 0)", [(name,) for name in names])
        for step in range(1, 61):
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("UPDATE heads SET step = ? WHERE symbol = ?", [(step, name) for name in names])
            connection.executemany(
                "INSERT INTO rows VALUES (?, ?, ?, ?)",
                [(name, step, n, b"x" * 210) for name in names for n in range(rows)],
            )
            connection.execute("COMMIT")
            spent.append((time.perf_counter() - began) * 1e3)
        connection.close()
    return spent


# --- the whole line


class Lived(NamedTuple):
    """One life of the whole line: what each close took from its first frame to all stored that follows of it, the ms of
    those that brought a signal, and the share of a core in between, of this process alone.
    """

    closes: list[Took]
    with_signals: list[float]
    idle: float


async def whole_line() -> None:
    """200 symbols from the venue's socket to the signal in the store, and what the line costs while nothing closes."""
    lives = [await life() for _ in range(RUNS)]
    updates = LINE_SYMBOLS * UPDATES_A_SECOND
    waited = [[took.waited for took in one.closes] for one in lives]
    signals = [latest(one.with_signals) for one in lives]
    worked = [[took.worked for took in one.closes] for one in lives]
    report(
        f"The whole line, {LINE_SYMBOLS} symbols of 1m with 15m signals, on paper over a socket of another process",
        [
            Figure("the whole line: close to stored, median", "ms", [statistics.median(one) for one in waited]),
            Figure("the whole line: close to stored, p99", "ms", [latest(one) for one in waited], 100.0),
            Figure("the whole line: close to stored, median", "ms cpu", [statistics.median(one) for one in worked]),
            Figure("the whole line: close to stored, p99", "ms cpu", [latest(one) for one in worked]),
            Figure("the whole line: close to signal stored, p99", "ms", signals, 100.0),
            Figure("the whole line: processor between closes", "% of a core", [one.idle * 100 for one in lives], 5.0),
        ],
        [
            f"{LIVE} closes a run, {len(lives[0].with_signals)} of them with a signal; memory bus, SQLite",
            f"each symbol trades in every quarter of a second, a minute closes or not: {updates} running candles and",
            f"{LINE_SYMBOLS} mark prices a second come over a socket, without TLS",
            "the venue is another process, whose work is not counted but takes its share of the same machine",
        ],
    )


async def life() -> Lived:
    """Let one line live through ``LIVE`` closes, and then through a while in which nothing closes."""
    closes: list[Took] = []
    with_signals: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with LiveLine(line_settings(), Path(folder), LINE_SYMBOLS, WARM_UP + LIVE + 1, WARM_UP) as live:
            signals = Ear(1)
            channels = [trade_signal_channel(one.symbol) for one in live.line.instruments]
            await live.line.letterbox.bus.subscribe_many(channels, signals)
            for _ in range(LIVE):
                signals.done.clear()
                closes.append(await live.close())
                await asyncio.sleep(PAUSE_S)
                if signals.done.is_set():
                    with_signals.append(closes[-1].waited)
                    await asyncio.sleep(DRAWN_S)
            cpu, began = time.process_time(), time.perf_counter()
            await asyncio.sleep(IDLE_S)
            idle = (time.process_time() - cpu) / (time.perf_counter() - began)
    return Lived(closes, with_signals, idle)


def latest(values: Sequence[float]) -> float:
    """Return the 99th percentile, which of fewer than a hundred values is the greatest."""
    return sorted(values)[min(int(len(values) * 0.99), len(values) - 1)]


# --- a week


async def week() -> None:
    """Trade a week of the whole line as fast as it goes; the process's memory at the end of each day."""
    settings = line_settings()
    inputs = crowd(settings, LINE_SYMBOLS, 7 * DAY + WARM_UP)
    sizes: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "store.db"))
        async with CrowdLine(inputs, settings, Path(folder), store, MemoryBus(), upto=WARM_UP) as line:
            print(f"day 0: {resident_mb():8.1f} MB", flush=True)
            for day in range(1, 8):
                await line.play(WARM_UP + day * DAY)
                sizes.append(resident_mb())
                print(f"day {day}: {sizes[-1]:8.1f} MB", flush=True)
    report(
        f"A simulated week of the whole line, {LINE_SYMBOLS} symbols",
        [
            Figure("memory at the end of each day of a week", "MB", sizes),
            Figure("memory gained from the first day to the seventh", "MB", [sizes[-1] - sizes[0]]),
        ],
    )


async def month() -> None:
    """Trade a month of the whole line and hold it against its backtest."""
    with tempfile.TemporaryDirectory() as folder:
        found = await beside_its_backtest(line_settings(), LINE_SYMBOLS, 30, Path(folder))
    report(
        f"A month of {LINE_SYMBOLS} symbols in a line and in a backtest",
        [
            Figure("a month of the line", "s", [found.line_s]),
            Figure("a month in a backtest", "s", [found.backtest_s]),
        ],
        [
            f"{found.fills} fills, {found.events} events, up to {found.most} trades at a time",
            f"the line differs from its backtest in: {', '.join(found.differs) or 'nothing'}",
            f"fingerprints {found.fingerprints[0][:16]} and {found.fingerprints[1][:16]}",
        ],
    )


def resident_mb() -> float:
    """Return what this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()

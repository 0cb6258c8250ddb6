"""The exchange in, closed candles out: stored first, then rung, each minute once and in order.

The socket lives in the Rust crate, order and holes in ``rules/sequencer.py``; this file joins them with the history
that REST gives, and builds the longer intervals.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from trading_system.contracts import (
    candle_close_channel,
    from_ms,
    last_candle_key,
    real_time_channel,
    serialize,
    to_candle,
)
from trading_system.contracts.types import Vital
from trading_system.rules.grid import Instrument
from trading_system.rules.intervals import LongerCandles, past_boundary
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.records import Records
from trading_system.rules.sequencer import ClosedCandle, accept
from trading_system.rules.sequencer import Sequence as Minutes
from trading_system.rules.words import candle_dto, candle_record, gap_record
from trading_system.services.data_feed.backfill import HistoryUnavailableError
from trading_system.services.room import CANDLES, Letterbox, Post
from trading_system.services.vital_signs import Vitals
from trading_system.store.errors import StoreError
from trading_system.store.port import Stream

log = logging.getLogger(__name__)
CORRECTIONS = "corrections"


class MarketSocket(Protocol):
    """What the Rust feed offers: events in a queue, and a file descriptor that becomes readable when there are any."""

    def start(self) -> None:
        """Connect, and stay connected."""

    def stop(self) -> None:
        """Let go of the sockets."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""

    def drain(self) -> list[tuple[Any, ...]]:
        """Return what came in since the last call."""


class ClosedMinutes(Protocol):
    """Where closed minutes can be asked for."""

    async def closed_from(self, symbol: str, start: int) -> list[ClosedCandle]:
        """Return closed minutes from ``start`` on, as many as one call gives."""


class DataFeed:
    """One line's market data.

    ``longer``: the intervals (ms) to build beside the minute. ``origins``: the step before the first, by symbol.
    ``ask_after_s``: how long nothing may be heard before the exchange is asked by REST whether a close was missed.
    """

    name = "data_feed"

    def __init__(
        self,
        letterbox: Letterbox,
        instruments: Sequence[Instrument],
        origins: Mapping[str, int],
        longer: Sequence[int],
        socket: MarketSocket,
        history: ClosedMinutes,
        ask_after_s: float = 5.0,
    ) -> None:
        self._letterbox = letterbox
        self._instruments = {one.symbol: one for one in instruments}
        self._origins = origins
        self._longer = {one.symbol: LongerCandles(MINUTE_MS, longer, one.step) for one in instruments}
        self._longest = max(longer, default=MINUTE_MS)
        self._socket = socket
        self._history = history
        self._minutes: dict[str, Minutes] = {}
        self._ask_after_s = ask_after_s
        self._heard = 0.0
        self._begun: set[str] = set()
        self._last: dict[str, bytes] = {}  # the newest closed minute as it was said
        self._behind: set[str] = set()
        self._wanted: set[str] = set()
        self._wake = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._stopped = False
        self.counts: dict[str, int] = {}
        self._waits_for = "history"
        self.failure: Exception | None = None

    async def start(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Take up where the store ends, fetch history up to now, then listen. ``progress`` gets minutes fetched."""
        for symbol, origin in self._origins.items():
            await self._resume(symbol, origin)
        await self._warm_up(progress)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._wake.set)
        self._socket.start()
        self._waits_for = "socket"
        self._pump = asyncio.create_task(self._listen(), name="data_feed")

    async def stop(self) -> None:
        """Stop listening and close the sockets; a second call changes nothing."""
        if self._stopped:
            return
        self._stopped = True
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.stop()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    async def poll(self) -> None:
        """Ask for the minutes of symbols that stayed behind the others since the last poll, or of all in silence."""
        now = asyncio.get_running_loop().time()
        if now - self._heard >= self._ask_after_s:
            self._heard = now
            self._wanted.update(self._minutes)
            self._wake.set()
        newest = max(minutes.last.open_time for minutes in self._minutes.values())
        behind = {symbol for symbol, minutes in self._minutes.items() if minutes.last.open_time < newest}
        late, self._behind = behind & self._behind, behind
        for symbol in late:
            self._wanted.add(symbol)
        if late:
            self._wake.set()

    def health(self) -> Vitals:
        """Return the last minute stored for every symbol, and how often the socket was cut and minutes were missed."""
        steps = [minutes.last.open_time // MINUTE_MS + 1 for minutes in self._minutes.values()]
        step = min(steps, default=None)
        if step is not None and step <= min(self._origins.values()):
            step = None
        status: Vital = "ok" if self._waits_for == "next_minute" else "waiting"
        counts = {name: self.counts.get(name, 0) for name in ("cut", "bad_frame", "repaired", "corrections")}
        return Vitals(step, {**counts}, self._waits_for, status)

    async def repair(self, symbol: str) -> int:
        """Ask the exchange for what follows the newest minute, until it has no more; return how many came."""
        total = 0
        while True:
            start = self._minutes[symbol].last.open_time + MINUTE_MS
            rows = await self._history.closed_from(symbol, start)
            if self._waits_for == "history":
                self._waits_for = "next_minute"
            if not rows:
                return total
            total += len(rows)
            await self._take([(symbol, rows)])

    async def _resume(self, symbol: str, origin: int) -> None:
        stream = self._stream(symbol)
        head = await self._letterbox.store.head(stream)
        last = ClosedCandle((origin - 1) * MINUTE_MS, 0.0, 0.0, 0.0, 0.0, 0.0, gap=True)
        if head is not None:
            self._begun.add(symbol)
            into_bucket = int(past_boundary(head * MINUTE_MS, self._longest)) // MINUTE_MS
            first = max(head - into_bucket, origin)  # the bucket of the longest interval that is still open
            minutes: dict[int, Records] = {}
            for row in await self._letterbox.store.read(stream, first, head):
                candle = to_candle(row.payload)
                if candle.get("interval") == "1m":
                    minutes[row.step] = candle_record(candle)
                    self._last[symbol] = row.payload
            for step in range(first + 1, head + 1):
                self._longer[symbol].step(minutes.get(step, gap_record((step - 1) * MINUTE_MS)))
            last = await self._newest(symbol, head)
            await self._keep_newest(symbol, head)
        self._minutes[symbol] = Minutes(last)

    async def _newest(self, symbol: str, head: int) -> ClosedCandle:
        for row in await self._letterbox.store.read(self._stream(symbol), head - 1, head):
            candle = to_candle(row.payload)
            if candle.get("interval") == "1m":
                self._last[symbol] = row.payload
                open_time, *numbers = candle_record(candle)[0].item()[:6]
                return ClosedCandle(open_time, *numbers)
        return ClosedCandle((head - 1) * MINUTE_MS, 0.0, 0.0, 0.0, 0.0, 0.0, gap=True)

    async def _warm_up(self, progress: Callable[[int], None]) -> None:
        """Fetch all symbols' history side by side, oldest first, so that no symbol runs ahead of the account."""
        fetched = 0
        while True:
            chunks: dict[str, list[ClosedCandle]] = {}
            for symbol, minutes in self._minutes.items():
                chunks[symbol] = await self._history.closed_from(symbol, minutes.last.open_time + MINUTE_MS)
            longest = max(len(chunk) for chunk in chunks.values())
            if longest == 0:
                return
            for n in range(longest):
                wave = [(symbol, chunk[n : n + 1]) for symbol, chunk in chunks.items() if n < len(chunk)]
                await self._take(wave)
                fetched += len(wave)
                if n % 200 == 0:
                    progress(fetched)
                    await asyncio.sleep(0)
            progress(fetched)

    async def _listen(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if events := self._socket.drain():
                    self._heard = asyncio.get_running_loop().time()
                    await self._on_events(events)
                for symbol in sorted(self._wanted):
                    await self._repair_all(symbol)
                self._wanted.clear()
        except StoreError as error:
            self.failure = error  # its sentence is the line's; a traceback adds nothing
        except Exception as error:
            log.exception("the data feed stopped")
            self.failure = error

    async def _on_events(self, events: Sequence[tuple[Any, ...]]) -> None:
        """Take what came together; candles that follow each other are one wave."""
        wave: list[tuple[str, Sequence[ClosedCandle]]] = []
        for event in events:
            self.counts[event[0]] = self.counts.get(event[0], 0) + 1
            if event[0] == "candle":
                self._waits_for = "next_minute"
                wave.append((event[1], (ClosedCandle(*event[2:8]),)))
                continue
            await self._take(wave)
            wave = []
            await self._on_event(event)
        await self._take(wave)

    async def _on_event(self, event: tuple[Any, ...]) -> None:
        kind = event[0]
        if kind == "running":
            await self._show(event)
        elif kind == "subscribed":
            self._waits_for = "next_minute"
            await self._repair_all()
        elif kind == "silent":
            await self._repair_all(event[1])
        elif kind in ("cut", "bad_frame"):
            log.warning("market data: %s: %s", kind, event[1])
            if kind == "cut":
                self._waits_for = "socket"
            else:
                await self._repair_all()

    async def _repair_all(self, only: str = "") -> None:
        for symbol in [only] if only else list(self._minutes):
            try:
                repaired = await self.repair(symbol)
            except HistoryUnavailableError as error:
                log.warning("%s", error)
                self._waits_for = "history"
                continue
            if repaired:
                self.counts["repaired"] = self.counts.get("repaired", 0) + repaired

    async def _take(self, wave: Sequence[tuple[str, Sequence[ClosedCandle]]]) -> None:
        """Sequence what came of several symbols, post it together, and then ask for what is missing of them."""
        posts: list[Post] = []
        missing: list[str] = []
        for symbol, candles in wave:
            done = accept(self._minutes[symbol], candles)
            self._minutes[symbol] = done.sequence
            posts += [self._post_of(symbol, candle) for candle in done.publish]
            for candle in done.corrections:
                await self._correct(symbol, candle)
            if done.missing_from is not None:
                missing.append(symbol)
        await self._letterbox.post_many(posts)
        for post in posts:
            await self._keep_newest(post.stream.symbol, post.step)
        for symbol in missing:
            await self._repair_all(symbol)

    async def _correct(self, symbol: str, candle: ClosedCandle) -> None:
        step = candle.open_time // MINUTE_MS + 1
        payload = serialize(candle._asdict())
        await self._letterbox.store.put_document(CORRECTIONS, f"{symbol}:{candle.open_time}", step, payload)
        self.counts["corrections"] = self.counts.get("corrections", 0) + 1

    def _post_of(self, symbol: str, closed: ClosedCandle) -> Post:
        exchange = self._instruments[symbol].exchange
        record = gap_record(closed.open_time)
        if not closed.gap:
            record[0] = (*closed[:6], 0)
        payloads = [
            serialize(candle_dto(candle[0], exchange, symbol, interval))
            for interval, candle in self._longer[symbol].step(record)
        ]
        step = closed.open_time // MINUTE_MS + 1
        if not closed.gap:
            payloads.append(serialize(candle_dto(record[0], exchange, symbol, MINUTE_MS)))
            self._last[symbol] = payloads[-1]
        channel = candle_close_channel(symbol)
        after = step - 1 if symbol in self._begun else None
        self._begun.add(symbol)
        bells = [(channel, payload) for payload in payloads]
        return Post(self._stream(symbol), step, payloads, after, bells)

    async def _keep_newest(self, symbol: str, step: int) -> None:
        if symbol in self._last:
            await self._letterbox.keep(last_candle_key(symbol), step, self._last[symbol])

    async def _show(self, event: tuple[Any, ...]) -> None:
        """Ring the running candle; no decision ever reads it."""
        _, symbol, open_time, open_, high, low, close, volume, _ = event
        word = {
            "symbol": symbol,
            "open_time": from_ms(open_time),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
            "interval": "1m",
            "closed": False,
        }
        await self._letterbox.bus.publish(real_time_channel(symbol), serialize(word))

    def _stream(self, symbol: str) -> Stream:
        return Stream(CANDLES, self._instruments[symbol].exchange, symbol)

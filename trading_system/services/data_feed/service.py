"""The exchange in, closed candles out: stored first, then rung, each minute once and in order.

The socket lives in the Rust crate; order, deadlines and proofs in ``rules/sequencer.py``; what REST proves in
``history.py``. This file joins them, and writes alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal

from trading_system.contracts import from_ms, last_candle_key, mark_price_key, real_time_channel, serialize
from trading_system.contracts.types import Vital
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import Asked, ClosedCandle, accept, ask_at
from trading_system.rules.sequencer import Sequence as Minutes
from trading_system.services.data_feed.candle_posts import CandlePosts
from trading_system.services.data_feed.history import History
from trading_system.services.data_feed.market_socket import MarketSocket, ban_of
from trading_system.services.data_feed.questions import Questions
from trading_system.services.data_feed.warm_up import WarmUp
from trading_system.services.room import Letterbox, Post
from trading_system.services.vital_signs import Vitals
from trading_system.store.errors import StoreError
from trading_system.venues.lasting_trouble import LastingTrouble
from trading_system.venues.market_errors import MarketError, UnknownSymbolError
from trading_system.venues.market_port import ClosedMinutes
from trading_system.venues.public_rest import Ban

log = logging.getLogger(__name__)
CORRECTIONS = "corrections"
PROGRESS_EVERY = 200  # minutes of all symbols
Source = Literal["ws", "rest"]
Wave = Sequence[tuple[str, Sequence[ClosedCandle]]]
COUNTED = ("cut", "bad_frame", "bad_mark", "repaired", "corrections", "ws", "rest", "gaps", "refused")


class DataFeed:
    """One line's market data.

    ``longer``: the intervals (ms) to build beside the minute. ``origins``: the step before the first, by symbol.
    ``ask_after_s``: how long nothing may be heard before the exchange is asked by REST whether a close was missed.
    ``now_ms``: the exchange's time, by which closes are missed; None where the market's time does not pass by itself.
    ``leave_alone``: is told of a ban that the exchange answered to its socket.
    """

    name = "data_feed"

    def __init__(
        self,
        letterbox: Letterbox,
        instruments: Sequence[Instrument],
        origins: Mapping[str, int],
        longer: Sequence[int],
        socket: MarketSocket,
        market: ClosedMinutes,
        ask_after_s: float = 5.0,
        now_ms: Callable[[], int] | None = None,
        leave_alone: Callable[[Ban], None] = lambda _: None,
    ) -> None:
        self._letterbox = letterbox
        self._longer = longer
        self._origins = {one.symbol: origins[one.symbol] for one in instruments}
        self._posts = {one.symbol: CandlePosts(one, longer) for one in instruments}
        self._socket = socket
        self._now_ms = now_ms
        self._leave_alone = leave_alone
        self._history = History(market, now_ms)
        self._questions = Questions(self._ask)
        self._minutes: dict[str, Minutes] = {}
        self._asked: dict[str, Asked] = {}
        self._away: dict[str, str] = {}  # symbols whose last question was not answered, and the kind of trouble
        self._unanswered_by: defaultdict[str, LastingTrouble] = defaultdict(LastingTrouble)
        self._cut = LastingTrouble()
        self._ask_after_s = ask_after_s
        self._heard = 0.0
        self._behind: set[str] = set()
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._pump: asyncio.Task[None] | None = None
        self._stopped = False
        self._waits_for = "history"
        self._lag_ms = 0
        self.counts: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        self.failure: Exception | None = None

    async def start(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Take up where the store ends, fetch history up to now, then listen. ``progress`` gets minutes fetched.

        A symbol whose history does not come is left behind and asked for again while the others go on.
        Raises: MarketError when none comes.
        """
        for symbol, origin in self._origins.items():
            self._minutes[symbol] = await self._resumed(symbol, origin)
        await self._warm_up(progress)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._wake.set)
        self._socket.start()
        self._waits_for = "socket"
        self._questions.start()
        self._pump = asyncio.create_task(self._listen(), name="data_feed")

    async def stop(self) -> None:
        """Stop listening and close the sockets; a second call changes nothing."""
        if self._stopped:
            return
        self._stopped = True
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        if self._pump is not None:
            self._pump.cancel()
        self._socket.stop()
        await self._questions.stop()
        if self._pump is not None:
            await asyncio.gather(self._pump, return_exceptions=True)

    async def add(self, instrument: Instrument, origin: int) -> None:
        """Feed one more symbol, whose first step follows ``origin``; it warms up while the others go on.

        It is listened to first and then fetched, so that nothing is lost in between.
        """
        symbol = instrument.symbol
        posts = CandlePosts(instrument, self._longer)
        last = await posts.resume(self._letterbox.store, origin)
        async with self._writing:
            self._origins[symbol] = origin
            self._posts[symbol] = posts
            self._minutes[symbol] = Minutes(last)
        self._socket.add([symbol])
        self._questions.want(symbol)

    async def remove(self, symbol: str) -> None:
        """Let go of a symbol; what still comes of it is dropped."""
        async with self._writing:
            for kept in (self._origins, self._posts, self._minutes, self._asked, self.refused):
                kept.pop(symbol, None)
            self._away.pop(symbol, None)
            self._behind.discard(symbol)
            self._history.forget(symbol)
        self._socket.remove([symbol])

    async def poll(self) -> None:
        """Ask for what is overdue: closes past their deadline; without a clock, what stayed behind or is silent."""
        if self._now_ms is not None:
            self._ask_overdue(self._now_ms())
            return
        now = asyncio.get_running_loop().time()
        if now - self._heard >= self._ask_after_s:
            self._heard = now
            self._want_all()
        newest = self._newest()
        behind = {symbol for symbol, minutes in self._minutes.items() if minutes.last.open_time < newest}
        for symbol in behind & (self._behind | self._history.halted):
            self._questions.want(symbol)
        self._behind = behind

    def health(self) -> Vitals:
        """Return the last minute stored for every symbol, what happened how often, and the lag of the last close."""
        steps = [minutes.last.open_time // MINUTE_MS + 1 for minutes in self._minutes.values()]
        step = min(steps, default=None)
        if step is not None and step <= min(self._origins.values()):
            step = None
        waits_for = self._waits_for
        if waits_for == "next_minute" and self._away.keys() >= self._minutes.keys():
            waits_for = "history"
        status: Vital = "ok" if waits_for == "next_minute" else "waiting"
        counts: dict[str, float | int | str] = {name: self.counts[name] for name in COUNTED}
        counts["lag_ms"] = self._lag_ms
        counts["halted"] = " ".join(sorted(self._history.halted))
        counts["away"] = " ".join(sorted(self._away))
        return Vitals(step, counts, waits_for, status)

    async def _resumed(self, symbol: str, origin: int) -> Minutes:
        last = await self._posts[symbol].resume(self._letterbox.store, origin)
        await self._keep_newest(symbol, last.open_time // MINUTE_MS + 1)
        return Minutes(last)

    async def _warm_up(self, progress: Callable[[int], None]) -> None:
        starts = {symbol: minutes.last.open_time + MINUTE_MS for symbol, minutes in self._minutes.items()}
        warm_up = WarmUp(self._history, starts)
        fetched = told = 0
        async with aclosing(warm_up.minutes()) as minutes:
            async for minute in minutes:
                await self._take([(symbol, (candle,)) for symbol, candle in minute], "rest")
                fetched += len(minute)
                if fetched - told >= PROGRESS_EVERY:
                    told = fetched
                    progress(fetched)
                    await asyncio.sleep(0)
        self._away.update({symbol: _kind(symbol, error) for symbol, error in warm_up.failed.items()})
        progress(fetched)

    def _ask_overdue(self, now: int) -> None:
        for symbol, minutes in self._minutes.items():
            asked = ask_at(minutes.last.open_time, now, self._asked.get(symbol))
            if asked is not None:
                self._asked[symbol] = asked
                self._questions.want(symbol)

    def _want_all(self) -> None:
        """Ask for every symbol of which a minute may have been missed."""
        if self._now_ms is None:
            missed = list(self._minutes)
        else:
            newest = self._now_ms() // MINUTE_MS * MINUTE_MS - MINUTE_MS
            missed = [symbol for symbol, minutes in self._minutes.items() if minutes.last.open_time < newest]
        for symbol in missed:
            self._questions.want(symbol)

    async def _ask(self, symbol: str) -> None:
        """Ask the exchange for what follows the newest minute, until it has no more."""
        try:
            more = True
            while more and symbol in self._minutes and self.failure is None:
                start = self._minutes[symbol].last.open_time + MINUTE_MS
                fetched = await self._history.closed_from(symbol, start, self._newest() + MINUTE_MS)
                more = fetched.more
                before = self.counts["rest"]
                async with self._writing:
                    await self._take([(symbol, fetched.closed)], "rest")
                self.counts["repaired"] += self.counts["rest"] - before
            self._answered(symbol)
        except MarketError as error:
            self._unanswered(symbol, error)
        except StoreError as error:
            self._fail(error)
        except Exception as error:
            log.exception("the data feed stopped")
            self._fail(error)

    def _newest(self) -> int:
        """Return the open time of the newest minute of any symbol: how far the market has come."""
        return max((minutes.last.open_time for minutes in self._minutes.values()), default=0)

    def _answered(self, symbol: str) -> None:
        kind = self._away.pop(symbol, None)
        if kind is not None and kind not in self._away.values() and self._unanswered_by[kind].over():
            log.warning("%s: the exchange answers again", symbol)

    def _unanswered(self, symbol: str, error: MarketError) -> None:
        """Say what hundreds of symbols may meet at the same time once; what one symbol meets is its own."""
        kind = self._away[symbol] = _kind(symbol, error)
        if line := self._unanswered_by[kind].again(f"{symbol}: {error}"):
            log.warning("%s", line)

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error

    async def _listen(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if events := self._socket.drain():
                    self._heard = asyncio.get_running_loop().time()
                    async with self._writing:
                        await self._on_events(events)
        except StoreError as error:  # its sentence is the line's; a traceback adds nothing
            self._fail(error)
        except Exception as error:
            log.exception("the data feed stopped")
            self._fail(error)

    async def _on_events(self, events: Sequence[tuple[Any, ...]]) -> None:
        """Take what came together; candles that follow each other are one wave, and what is only shown comes last."""
        wave: list[tuple[str, Sequence[ClosedCandle]]] = []
        running: list[tuple[Any, ...]] = []
        counts = self.counts
        for event in events:
            kind = event[0]
            counts[kind] += 1
            if kind == "running":
                running.append(event)
            elif kind == "mark":
                await self._keep_mark(*event[1:])
            elif kind == "candle":
                self._waits_for = "next_minute"
                wave.append((event[1], (ClosedCandle(*event[2:8]),)))
            else:
                await self._take(wave, "ws")
                wave = []
                await self._on_event(event)
        if wave:
            await self._take(wave, "ws")
        if running:
            await self._show(running)

    async def _on_event(self, event: tuple[Any, ...]) -> None:
        match event[0]:
            case "subscribed":
                if self._cut.over():
                    log.warning("market data: heard again")
                self._waits_for = "next_minute"
                self._want_all()
            case "silent" if event[1] in self._minutes:
                self._questions.want(event[1])
            case "silent":
                self._want_all()
            case "refused":
                self._hear_refusal(*event[1:3])
            case "cut":
                if line := self._cut.again(f"market data: cut: {event[1]}"):
                    log.warning("%s", line)
                self._waits_for = "socket"
                self._hear_ban(event[1])
            case "rotation_failed":
                self._hear_ban(event[1])
            case "bad_frame":
                log.warning("market data: bad_frame: %s", event[1])
                if self._now_ms is None:  # otherwise what it may have been is asked for at its deadline
                    self._want_all()
            case "bad_mark":  # no minute is in doubt: there is nothing to ask for
                log.warning("market data: a mark price was refused: %s", event[1])

    def _hear_ban(self, reason: str) -> None:
        """Let the market's questions wait as well when the venue bans the socket: it bans an address, no protocol."""
        if ban := ban_of(reason):
            self._leave_alone(ban)

    async def _keep_mark(self, symbol: str, time: int, price: float) -> None:
        """Keep the price by which positions are valued for whoever shows it."""
        word = serialize({"symbol": symbol, "time": from_ms(time), "price": price})
        await self._letterbox.keep(mark_price_key(symbol), time, word)

    def _hear_refusal(self, symbols: Sequence[str], reason: str) -> None:
        """Name the symbols that the socket will not bring; REST brings them, as late as a missed close."""
        log.warning(
            "the exchange's socket refuses %s (%s); they are asked for by REST, the others go on",
            " ".join(symbols),
            reason,
        )
        self.refused.update(dict.fromkeys(symbols, reason))

    async def _take(self, wave: Wave, source: Source) -> None:
        """Sequence what came of several symbols, post it together, and then ask for what is missing of them."""
        posts: list[Post] = []
        for symbol, candles in wave:
            minutes = self._minutes.get(symbol)
            if minutes is None:  # it was removed, and this is its last word
                continue
            done = accept(minutes, candles)
            self._minutes[symbol] = done.sequence
            self.counts[source] += done.fresh
            if done.publish and not done.publish[-1].gap:
                self._history.trades_again(symbol)
            for candle in done.publish:
                posts.append(self._posts[symbol].post(candle))
                self.counts["gaps"] += candle.gap
            for candle in done.corrections:
                await self._correct(symbol, candle, source)
            if done.missing_from is not None and (source == "ws" or done.publish):
                self._questions.want(symbol)
        if source == "ws" and self._now_ms is not None and posts:
            self._lag_ms = self._now_ms() - posts[-1].step * MINUTE_MS
        await self._letterbox.post_many(posts)
        for post in posts:
            await self._keep_newest(post.stream.symbol, post.step)

    async def _correct(self, symbol: str, candle: ClosedCandle, source: Source) -> None:
        step = candle.open_time // MINUTE_MS + 1
        said: dict[str, object] = {**candle._asdict(), "source": source}
        if self._now_ms is not None:
            said["lag_ms"] = self._now_ms() - step * MINUTE_MS
        await self._letterbox.store.put_document(CORRECTIONS, f"{symbol}:{candle.open_time}", step, serialize(said))
        self.counts["corrections"] += 1

    async def _keep_newest(self, symbol: str, step: int) -> None:
        if newest := self._posts[symbol].newest:
            await self._letterbox.keep(last_candle_key(symbol), step, newest)

    async def _show(self, events: Sequence[tuple[Any, ...]]) -> None:
        """Ring running candles, as far as somebody may hear them; no decision ever reads one.

        One whose minute has closed meanwhile comes too late to be shown.
        """
        bus = self._letterbox.bus
        bells: list[tuple[str, bytes]] = []
        for _, symbol, open_time, open_, high, low, close, volume, _ in events:
            minutes, channel = self._minutes.get(symbol), real_time_channel(symbol)
            if minutes is None or open_time <= minutes.last.open_time or not bus.is_heard(channel):
                continue
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
            bells.append((channel, serialize(word)))
        await bus.publish_many(bells)


def _kind(symbol: str, error: MarketError) -> str:
    return symbol if isinstance(error, UnknownSymbolError) else type(error).__name__

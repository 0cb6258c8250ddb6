"""The skeleton of every room that turns one stream into another: each step once, in order, whatever bell was lost.

The bell carries the step for speed; a room that missed one reads the store. Its checkpoint is the head of its own
output, so there is one integer a symbol and nothing to keep in step with it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from trading_system.bus.port import Bus, Subscription
from trading_system.contracts import CandleDTO, ContractError, StepDTO, to_candle, to_ms, to_step
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.records import Records
from trading_system.rules.words import candle_record, gap_record
from trading_system.services.step_bell import heard_step
from trading_system.services.vital_signs import BAD_BELLS, Vitals
from trading_system.store.errors import StoreAwayError
from trading_system.store.patience import patiently
from trading_system.store.port import Store, Stream

log = logging.getLogger(__name__)

CANDLES = "candles"
HIGHS_LOWS = "highs_lows"
STRATEGY = "strategy"
EXECUTION = "execution"
ALERTS = "alerts"  # of the whole account; its step is a running number from 1, a row an AlertDTO
STEPS_IN_A_ROW = 50
BEHIND_STEPS = 2  # one minute may be on its way
WHOLE_ACCOUNT = "*"  # in place of a symbol: the stream is of the account
CACHE_S = 600.0  # how long a newest fact outlives its room
SNAPSHOT = "account"  # the kind of the document that holds the account


class StepInput(NamedTuple):
    """What a room reads of one step: the closed candles, longest first, and what the room before said."""

    step: int
    candles: Sequence[CandleDTO]
    said: StepDTO | None

    @property
    def minute(self) -> CandleDTO | None:
        """The candle of the minute itself, None where the exchange has none."""
        if self.candles and self.candles[-1].get("interval", "1m") == "1m":
            return self.candles[-1]
        return None

    def record(self) -> Records:
        """Return the minute as CANDLE[1], a gap where there is none."""
        minute = self.minute
        return gap_record((self.step - 1) * MINUTE_MS) if minute is None else candle_record(minute)


class Post(NamedTuple):
    """A step of one stream, and the bells (channel, payload) that tell of it. ``after``: the stream's head before."""

    stream: Stream
    step: int
    payloads: Sequence[bytes]
    after: int | None
    bells: Sequence[tuple[str, bytes]]


class Letterbox(NamedTuple):
    """Store and bus as one: what is posted is in the store before its bell rings."""

    store: Store
    bus: Bus

    async def post(
        self,
        stream: Stream,
        step: int,
        payloads: Sequence[bytes],
        *,
        after: int | None,
        bells: Sequence[tuple[str, bytes]],
    ) -> None:
        """Post one step; see ``post_many``."""
        await self.post_many((Post(stream, step, payloads, after, bells),))

    async def post_many(self, posts: Sequence[Post]) -> None:
        """Append all steps, then ring their bells in order; a bus that leaves the process hears of what is committed.

        One commit for all: a wave of symbols that close the same minute costs as much as one of them.
        While the store is away this waits for it: no bell rings of what is not stored.
        """
        store = self.store
        for stream, step, payloads, after, _ in posts:
            await patiently(partial(store.append, stream, step, payloads, after=after))
        if self.bus.leaves_process:
            await patiently(store.commit)
        for post in posts:
            for channel, payload in post.bells:
                await self.bus.publish(channel, payload)

    async def keep(self, key: str, step: int, payload: bytes) -> None:
        """Keep the newest fact under ``key`` for whoever shows it; said again now and then, it outlives a lost server."""
        await self.bus.put_newest(key, step, payload, CACHE_S)


class Room(ABC):
    """One service's work on one line. A room that failed stays failed: it is started anew, from what is stored."""

    name = ""
    source = CANDLES  # the stream that wakes the room
    target = ""  # the stream that it writes, whose head is its checkpoint

    def __init__(self, letterbox: Letterbox, exchange: str, origins: Mapping[str, int]) -> None:
        self._letterbox = letterbox
        self._exchange = exchange
        self._origins = dict(origins)  # the step before the first, by symbol
        self._checkpoints: dict[str, int] = {}
        self._heads: dict[str, int] = {}  # how far the room before had come when the store was last asked
        self._away = False  # the store did not answer when it was last asked
        self._longer: dict[str, list[CandleDTO]] = {symbol: [] for symbol in origins}
        self._midway: set[str] = set()  # symbols whose step was begun: one that was cut short is never begun again
        self._locks = {symbol: asyncio.Lock() for symbol in origins}
        self._subscriptions: list[Subscription] = []
        self._bells: dict[str, Subscription] = {}
        self._new: set[str] = set()  # symbols that were added while running and have not reached the others yet
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None

    async def start(self) -> None:
        """Rebuild the room's state from the store, listen, and handle what came while it was away."""
        for symbol in self._origins:
            await self._take_up(symbol)
        for symbol in self._origins:
            await self._listen(symbol)
        for symbol in self._origins:
            await self.keep_newest(symbol, self._checkpoints[symbol])
        await self.catch_up()

    async def add(self, instrument: Instrument, origin: int) -> None:
        """Work on one more symbol, from where its stream stands; ``origin``: the step before its first. Once is enough.

        The others go on meanwhile. Raises: StoreError, with the symbol not added.
        """
        symbol = instrument.symbol
        if symbol in self._origins:
            return
        self.prepare(instrument, origin)
        self._longer[symbol], self._locks[symbol] = [], asyncio.Lock()
        self._origins[symbol] = origin
        self._new.add(symbol)
        try:
            await self._take_up(symbol)
            await self._listen(symbol)
            await self.keep_newest(symbol, self._checkpoints[symbol])
            async with self._locks[symbol]:
                await self._catch_up(symbol)
        except StoreAwayError:
            await self.remove(symbol)
            raise

    async def remove(self, symbol: str) -> None:
        """Let go of a symbol after the step that is being handled; of one that is not known nothing happens."""
        if symbol not in self._origins:
            return
        async with self._locks[symbol]:
            bell = self._bells.pop(symbol, None)
            if bell is not None:
                await bell.cancel()
            for known in (self._origins, self._checkpoints, self._heads, self._longer):
                known.pop(symbol, None)
            self._new.discard(symbol)
        self._locks.pop(symbol, None)
        self.forget(symbol)

    def prepare(self, instrument: Instrument, origin: int) -> None:  # noqa: B027  not every room has a state a symbol
        """Make the state of a symbol that is added."""

    def forget(self, symbol: str) -> None:  # noqa: B027  not every room has a state a symbol
        """Let go of the state of a symbol that was removed."""

    async def stop(self) -> None:
        """Stop listening."""
        for subscription in (*self._subscriptions, *self._bells.values()):
            await subscription.cancel()
        self._subscriptions.clear()
        self._bells.clear()

    async def catch_up(self) -> None:
        """Handle every stored step that no bell brought, for every symbol."""
        for symbol in list(self._origins):
            lock = self._locks.get(symbol)
            if lock is None:  # removed meanwhile
                continue
            async with lock:
                if symbol in self._origins:
                    await self._catch_up(symbol)

    def health(self) -> Vitals:
        """Return how far the room has come for every symbol, and by how much it is behind what is stored for it."""
        done = max(self._checkpoints.values(), default=0)
        self._new = {symbol for symbol in self._new if self._checkpoints.get(symbol, 0) + BEHIND_STEPS < done}
        steps = [step for symbol, step in self._checkpoints.items() if symbol not in self._new]
        if not steps or min(steps) == min(self._origins.values()):
            return Vitals(None, {}, "first_step", "waiting")
        return self.vitals(min(steps), done)

    def vitals(self, step: int, done: int) -> Vitals:
        """Return the signs of a room that has done ``step`` for every symbol and ``done`` for the first of them."""
        behind = max(max(self._heads.values(), default=done) - step, 0)
        numbers: dict[str, float | int | str] = {"behind": behind, BAD_BELLS: self.counts[BAD_BELLS]}
        if self._away:
            return Vitals(step, numbers, "store", "waiting")
        return Vitals(step, numbers, "next_step", "behind" if behind > BEHIND_STEPS else "ok")

    @abstractmethod
    def channel(self, symbol: str) -> str:
        """Return the channel whose bell wakes the room."""

    def is_whole(self, said: StepInput) -> bool:
        """Tell whether a bell brought all of its step; what it did not bring is read from the store."""
        del said
        return True

    def output(self, symbol: str) -> Stream:
        """Return the stream that this room writes for ``symbol``."""
        return self.stream(self.target, symbol)

    async def restore(self, symbol: str, origin: int, checkpoint: int) -> None:
        """Bring the state to what it was after ``checkpoint``: the steps since the origin are folded once more."""
        for said in await self.stored_steps(symbol, origin, checkpoint):
            self.rebuild(symbol, said)

    def rebuild(self, symbol: str, said: StepInput) -> None:  # noqa: B027  a room that keeps a snapshot folds nothing
        """Fold a step that was handled in an earlier life; nothing is said about it again."""

    async def keep_newest(self, symbol: str, step: int) -> None:  # noqa: B027  not every room has a newest fact
        """Keep the room's newest facts of ``symbol`` in the cache, as they are after ``step``."""

    @abstractmethod
    async def handle(self, symbol: str, said: StepInput) -> None:
        """Handle one step and post what follows from it."""

    def stream(self, kind: str, symbol: str) -> Stream:
        """Return this line's stream of ``kind``."""
        return Stream(kind, self._exchange, symbol)

    def after(self, symbol: str) -> int | None:
        """Return the head that this room's stream has before the next step, None while it has not begun."""
        checkpoint = self._checkpoints[symbol]
        return None if checkpoint == self._origins[symbol] else checkpoint

    async def stored_steps(self, symbol: str, after: int, upto: int) -> list[StepInput]:
        """Read steps (after, upto] of the candles and of the room before; a step without a minute is a gap."""
        if upto <= after:
            return []
        store = self._letterbox.store
        candles: dict[int, list[CandleDTO]] = {}
        for row in await store.read(self.stream(CANDLES, symbol), after, upto):
            candles.setdefault(row.step, []).append(to_candle(row.payload))
        said: dict[int, StepDTO] = {}
        if self.source != CANDLES:
            for row in await store.read(self.stream(self.source, symbol), after, upto):
                said[row.step] = to_step(row.payload)
        return [StepInput(step, candles.get(step, ()), said.get(step)) for step in range(after + 1, upto + 1)]

    async def _listen(self, symbol: str) -> None:
        async def hear(payload: bytes) -> None:
            await self._hear(symbol, payload)

        self._bells[symbol] = await self._letterbox.bus.subscribe(self.channel(symbol), hear)

    async def _take_up(self, symbol: str) -> None:
        """Bring a symbol's state to where this room's own stream ends."""
        origin = self._origins[symbol]
        head = await self._letterbox.store.head(self.output(symbol))
        self._checkpoints[symbol] = origin if head is None else head
        await self.restore(symbol, origin, self._checkpoints[symbol])

    async def _hear(self, symbol: str, payload: bytes) -> None:
        try:
            said = self._read_bell(symbol, payload)
        except ContractError as error:  # whoever may speak on the bus may speak nonsense
            if not self.counts[BAD_BELLS]:
                log.warning("%s: a bell of %s is none (%s); more are only counted", type(self).__name__, symbol, error)
            self.counts[BAD_BELLS] += 1
            return
        if said is None:
            return
        lock = self._locks.get(symbol)
        if lock is None:  # a bell that was on its way when the symbol was removed
            return
        async with lock:
            if symbol not in self._origins:
                return
            expected = self._checkpoints[symbol] + 1
            if said.step == expected and not self._letterbox.bus.leaves_process and self.is_whole(said):
                await self._handle(symbol, said)
            elif said.step >= expected:  # what came from outside this process counts only as far as it is stored
                await self._catch_up(symbol)

    def _read_bell(self, symbol: str, payload: bytes) -> StepInput | None:
        """Return the step that a bell completes; a longer candle only announces that its minute follows."""
        if self.source != CANDLES:
            said = heard_step(payload)
            return StepInput(said["step"], said["candles"], said)
        candle = to_candle(payload)
        longer = self._longer[symbol]
        if candle.get("interval", "1m") != "1m":
            if not self._letterbox.bus.leaves_process:  # otherwise the step is read from the store
                longer.append(candle)
            return None
        step = to_ms(candle["open_time"]) // MINUTE_MS + 1
        # one whose own minute never rang was read from the store then, and must not join a later minute
        candles = [one for one in longer if closing_step(one) == step]
        longer.clear()
        return StepInput(step, [*candles, candle], None)

    async def _catch_up(self, symbol: str) -> None:
        try:
            head = await self._letterbox.store.head(self.stream(self.source, symbol))
        except StoreAwayError:
            self._away = True
            raise
        self._away = False
        checkpoint = self._checkpoints[symbol]
        if head is not None:
            self._heads[symbol] = head
        if head is None or head <= checkpoint:
            return
        for n, said in enumerate(await self.stored_steps(symbol, checkpoint, head), 1):
            await self._handle(symbol, said)
            if n % STEPS_IN_A_ROW == 0:  # a long history of one symbol must not hold up the others
                await asyncio.sleep(0)

    async def _handle(self, symbol: str, said: StepInput) -> None:
        if self.failure is not None or symbol in self._midway:
            raise RoomFailedError(type(self).__name__) from self.failure
        self._midway.add(symbol)
        try:
            await self.handle(symbol, said)
        except StoreAwayError:  # a read before anything changed: the step is handled when it is asked for again
            self._midway.discard(symbol)
            raise
        except Exception as error:
            self.failure = error
            raise
        self._midway.discard(symbol)
        self._checkpoints[symbol] = said.step
        await self.keep_newest(symbol, said.step)


class RoomFailedError(RuntimeError):
    """A room that failed earlier was asked to go on."""

    def __init__(self, room: str) -> None:
        super().__init__(f"{room} failed and handles nothing more; start the line again, it resumes from the store")


def closing_step(candle: CandleDTO) -> int:
    """Return the step in which a closed candle closes."""
    return (to_ms(candle["open_time"]) + interval_ms(candle.get("interval", "1m"))) // MINUTE_MS

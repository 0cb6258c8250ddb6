"""The skeleton of every room that turns one stream into another: each step once, in order, whatever bell was lost.

The bell carries the step for speed; a room that missed one reads the store. Its checkpoint is the head of its own
output, so there is one integer a symbol and nothing to keep in step with it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from trading_system.bus.port import Bus, Message, Subscription
from trading_system.contracts import CandleDTO, ContractError, StepDTO, to_candle, to_ms, to_step
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.records import Records
from trading_system.rules.words import candle_record, gap_record
from trading_system.services.newest_facts import CACHE_S, NewestFacts
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
STRETCH = 500  # steps of a symbol that are read from the store at a time
BEHIND_STEPS = 2  # one minute may be on its way
WHOLE_ACCOUNT = "*"  # in place of a symbol: the stream is of the account
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


Wave = Sequence[tuple[str, StepInput]]
"""Steps of several symbols that are handled together; those of one symbol in order and without a hole."""


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
        store, rest = self.store, list(reversed(posts))

        async def append_rest() -> None:
            while rest:
                stream, step, payloads, after, _ = rest[-1]
                await store.append(stream, step, payloads, after=after)
                rest.pop()

        if not rest:
            return
        await patiently(append_rest)
        if self.bus.leaves_process:
            await patiently(store.commit)
        await self.bus.publish_many([bell for post in posts for bell in post.bells])

    async def keep(self, key: str, step: int, payload: bytes) -> None:
        """Keep the newest fact under ``key`` for whoever shows it; it outlives its room."""
        await self.bus.put_newest(key, step, payload, CACHE_S)


class Room(ABC):
    """One service's work on one line. A room that failed stays failed: it is started anew, from what is stored.

    What closes together is handled together: a wave of symbols is one batch for the store and one message to the rooms
    behind, which is what makes hundreds of symbols cheap.
    """

    name = ""
    source = CANDLES  # the stream that wakes the room
    target = ""  # the stream that it writes, whose head is its checkpoint

    def __init__(self, letterbox: Letterbox, exchange: str, origins: Mapping[str, int]) -> None:
        self._letterbox = letterbox
        self._exchange = exchange
        self._checkpoints: dict[str, int] = {}
        self._heads: dict[str, int] = {}  # how far the room before had come when the store was last asked
        self._away = False  # the store did not answer when it was last asked
        self._midway: set[str] = set()  # symbols whose step was begun: one that was cut short is never begun again
        self._rung: set[str] = set()  # symbols that rang while the room was at work
        self._lock = asyncio.Lock()
        self._facts = NewestFacts(letterbox.bus)
        self._subscriptions: list[Subscription] = []
        self._bells: Subscription | None = None
        self._new: set[str] = set()  # symbols that were added while running and have not reached the others yet
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None
        self.work_on(origins)

    def work_on(self, origins: Mapping[str, int]) -> None:
        """Know the symbols, each with the step before its first, before the start."""
        self._origins = dict(origins)
        self._longer: dict[str, list[CandleDTO]] = {symbol: [] for symbol in origins}
        self._symbols = {self.channel(symbol): symbol for symbol in origins}

    async def start(self) -> None:
        """Rebuild the room's state from the store, listen, and handle what came while it was away."""
        for symbol, origin in self._origins.items():
            await self._take_up(symbol, origin)
        await self._listen()
        await self._keep_newest(self._origins)
        await self.catch_up()

    async def add(self, instrument: Instrument, origin: int) -> None:
        """Work on one more symbol, from where its stream stands; ``origin``: the step before its first.

        The others go on meanwhile; a second call changes nothing. Raises: StoreError, with the symbol not added.
        """
        symbol = instrument.symbol
        if symbol in self._origins:
            return
        self.prepare(instrument, origin)
        self._longer[symbol] = []
        await self._take_up(symbol, origin)
        self._new.add(symbol)
        self._origins[symbol] = origin
        self._symbols[self.channel(symbol)] = symbol
        await self._listen()
        await self._keep_newest([symbol])

    async def remove(self, symbol: str) -> None:
        """Let go of a symbol after the wave that is being handled; of one that is not known nothing happens."""
        if symbol not in self._origins:
            return
        async with self._lock:
            del self._symbols[self.channel(symbol)]
            for known in (self._origins, self._checkpoints, self._heads, self._longer):
                known.pop(symbol, None)
            self._new.discard(symbol)
            self._rung.discard(symbol)
            self.forget(symbol)
        await self._listen()

    def prepare(self, instrument: Instrument, origin: int) -> None:  # noqa: B027  not every room has a state a symbol
        """Make the state of a symbol that is added."""

    def forget(self, symbol: str) -> None:  # noqa: B027  not every room has a state a symbol
        """Let go of the state of a symbol that was removed."""

    async def stop(self) -> None:
        """Stop listening."""
        for subscription in (*self._subscriptions, *([] if self._bells is None else [self._bells])):
            await subscription.cancel()
        self._subscriptions.clear()
        self._bells = None

    async def catch_up(self) -> None:
        """Handle every stored step that no bell brought, for every symbol."""
        for symbol in list(self._origins):
            more = True
            while more:  # a long history of one symbol must not hold up the others
                async with self._lock:
                    more = symbol in self._origins and bool(await self._stretch([symbol]))

    def health(self) -> Vitals:
        """Return how far the room has come for every symbol, and by how much it is behind what is stored for it."""
        done = max(self._checkpoints.values(), default=0)
        self._new = {symbol for symbol in self._new if self._checkpoints[symbol] + BEHIND_STEPS < done}
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

    def newest(self, symbol: str) -> Sequence[tuple[str, bytes]]:
        """Return the room's newest facts of ``symbol``, each under its key in the cache; not every room has some."""
        del symbol
        return ()

    @abstractmethod
    async def handle(self, wave: Wave) -> None:
        """Handle the next step of each symbol in ``wave``, or its next few, and post what follows from them."""

    def stream(self, kind: str, symbol: str) -> Stream:
        """Return this line's stream of ``kind``."""
        return Stream(kind, self._exchange, symbol)

    def after(self, symbol: str, step: int) -> int | None:
        """Return the head that this room's stream has before ``step``, None while it has not begun."""
        return None if step == self._origins[symbol] + 1 else step - 1

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

    async def _listen(self) -> None:
        """Hear the bells of all symbols, and only then no more those of before: what rings twice counts once."""
        before, self._bells = self._bells, await self._letterbox.bus.subscribe_many(list(self._symbols), self._hear)
        if before is not None:
            await before.cancel()

    async def _take_up(self, symbol: str, origin: int) -> None:
        """Bring a symbol's state to where this room's own stream ends."""
        head = await self._letterbox.store.head(self.output(symbol))
        self._checkpoints[symbol] = origin if head is None else head
        await self.restore(symbol, origin, self._checkpoints[symbol])

    async def _hear(self, messages: Sequence[Message]) -> None:
        """Handle what the bells brought whole and next; for the rest they only say that the store has more."""
        heard: list[tuple[str, StepInput]] = []
        for channel, payload in messages:
            symbol = self._symbols.get(channel)
            if symbol is None:  # a bell that was on its way when the symbol was removed
                continue
            try:
                said = self._read_bell(symbol, payload)
            except ContractError as error:  # whoever may speak on the bus may speak nonsense
                if not self.counts[BAD_BELLS]:
                    log.warning(
                        "%s: a bell of %s is none (%s); more are only counted", type(self).__name__, symbol, error
                    )
                self.counts[BAD_BELLS] += 1
                continue
            if said is not None:
                heard.append((symbol, said))
        if self._letterbox.bus.leaves_process:  # what came from outside this process counts only as far as it is stored
            self._rung.update(symbol for symbol, said in heard if said.step > self._checkpoints[symbol])
            heard.clear()
        async with self._lock:
            wave, behind = self._next_of([one for one in heard if one[0] in self._origins])
            if wave:
                await self._handle(wave)
            rung, self._rung = self._rung, set()
            behind.update(dict.fromkeys(sorted(rung)))
            if behind:
                await self._catch_up(*behind)

    def _next_of(self, heard: Wave) -> tuple[Wave, dict[str, None]]:
        """Part what was heard into the steps that are next, and the symbols of which the store knows more."""
        wave: list[tuple[str, StepInput]] = []
        behind: dict[str, None] = {}
        done: dict[str, int] = {}
        for symbol, said in heard:
            expected = done.get(symbol, self._checkpoints[symbol]) + 1
            if said.step < expected:
                continue
            if said.step == expected and symbol not in behind and self.is_whole(said):
                wave.append((symbol, said))
                done[symbol] = expected
            else:
                behind[symbol] = None
        return wave, behind

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
        if not longer:
            return StepInput(step, (candle,), None)
        # one whose own minute never rang was read from the store then, and must not join a later minute
        candles = [one for one in longer if closing_step(one) == step]
        longer.clear()
        return StepInput(step, [*candles, candle], None)

    async def _catch_up(self, *symbols: str) -> None:
        """Handle all that the store has for ``symbols``, a bounded stretch of each at a time."""
        left: Sequence[str] = symbols
        while left:
            left = await self._stretch(left)

    async def _stretch(self, symbols: Sequence[str]) -> list[str]:
        """Handle a bounded stretch of what the store has for ``symbols``, and return of which it has more."""
        wave: list[tuple[str, StepInput]] = []
        more: list[str] = []
        for symbol in symbols:
            checkpoint, head = self._checkpoints[symbol], await self._head_before(symbol)
            if head is not None and head > checkpoint:
                upto = min(head, checkpoint + STRETCH)
                wave.extend((symbol, said) for said in await self.stored_steps(symbol, checkpoint, upto))
                if upto < head:
                    more.append(symbol)
        if wave:
            await self._handle(wave)
        return more

    async def _head_before(self, symbol: str) -> int | None:
        """Return how far the room before has come."""
        try:
            head = await self._letterbox.store.head(self.stream(self.source, symbol))
        except StoreAwayError:
            self._away = True
            raise
        self._away = False
        if head is not None:
            self._heads[symbol] = head
        return head

    async def _handle(self, wave: Wave) -> None:
        symbols = {symbol: said.step for symbol, said in wave}
        if self.failure is not None or not self._midway.isdisjoint(symbols):
            raise RoomFailedError(type(self).__name__) from self.failure
        self._midway.update(symbols)
        try:
            await self.handle(wave)
        except StoreAwayError:  # a read before anything changed: the steps are handled when they are asked for again
            self._midway.difference_update(symbols)
            raise
        except Exception as error:
            self.failure = error
            raise
        self._midway.difference_update(symbols)
        self._checkpoints.update(symbols)
        await self._keep_newest(symbols)

    async def _keep_newest(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            for key, payload in self.newest(symbol):
                await self._facts.keep(key, self._checkpoints[symbol], payload)


class RoomFailedError(RuntimeError):
    """A room that failed earlier was asked to go on."""

    def __init__(self, room: str) -> None:
        super().__init__(f"{room} failed and handles nothing more; start the line again, it resumes from the store")


def closing_step(candle: CandleDTO) -> int:
    """Return the step in which a closed candle closes."""
    return (to_ms(candle["open_time"]) + interval_ms(candle.get("interval", "1m"))) // MINUTE_MS

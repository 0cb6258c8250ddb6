"""What goes to a Redis server: rings, newest facts and questions, sent in order by one task with bounded memory.

Whoever rings goes on at once. While the server is away the newest rings wait, the oldest are dropped and counted; of
the facts to keep only the newest of each key waits.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from .errors import BusClosedError, BusRefusedError
from .port import LARGEST_PAYLOAD
from .redis_link import LINK_ERRORS, Link, within

log = logging.getLogger(__name__)

LONGEST_QUEUE: Final = 4_096
LARGEST_QUEUE: Final = 8 * LARGEST_PAYLOAD
MOST_KEYS: Final = 16_384
_BATCH = 512

_KEEP = """
local order = tonumber(redis.call('GET', KEYS[2]) or '')
if order and order > tonumber(ARGV[1]) then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
return 1
"""


class _Ring(NamedTuple):
    channel: str
    payload: bytes

    def command(self) -> tuple[str | bytes, ...]:
        return ("PUBLISH", self.channel, self.payload)


class _Fact(NamedTuple):
    key: str
    order: int
    payload: bytes
    ends_at: float

    def command(self, now: float) -> tuple[str | bytes, ...]:
        life = str(max(1, math.ceil((self.ends_at - now) * 1000)))
        return ("EVAL", _KEEP, "2", self.key, f"{self.key}:order", str(self.order), self.payload, life)


class _Question(NamedTuple):
    words: tuple[str, ...]
    answer: asyncio.Future[bytes | None]


class _Batch(NamedTuple):
    facts: list[_Fact]
    rings: list[_Ring]
    questions: list[_Question]


class Sending:
    """The sending half of a RedisBus; ``run`` is its task."""

    def __init__(self, link: Link, counts: Counter[str], *, deadline_s: float, monotonic: Callable[[], float]) -> None:
        self._link = link
        self._counts = counts
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._rings: deque[_Ring] = deque()
        self._size = 0
        self._facts: dict[str, _Fact] = {}
        self._questions: list[_Question] = []
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def ring(self, channel: str, payload: bytes) -> None:
        """Queue a message; the oldest gives way where there is no room."""
        self._rings.append(_Ring(channel, payload))
        self._size += len(payload)
        while len(self._rings) > LONGEST_QUEUE or self._size > LARGEST_QUEUE:
            self._size -= len(self._rings.popleft().payload)
            self._counts["lost"] += 1
        self._awake()

    def keep(self, key: str, order: int, payload: bytes, ttl_s: float) -> None:
        """Queue a fact for the cache; of one key only the newest waits."""
        now = self._monotonic()
        waiting = self._facts.get(key)
        if waiting is not None and waiting.order > order and waiting.ends_at > now:
            return
        if waiting is None and len(self._facts) >= MOST_KEYS:
            self._counts["lost"] += 1
            return
        self._facts[key] = _Fact(key, order, payload, now + ttl_s)
        self._awake()

    async def ask(self, *words: str) -> bytes | None:
        """Return the server's answer to a command, sent after what was rung and kept before.

        Raises: BusUnreachableError, BusRefusedError, BusClosedError.
        """
        if self._link.failure is not None:
            raise self._link.failure
        question = _Question(words, asyncio.get_running_loop().create_future())
        self._questions.append(question)
        self._awake()
        return await question.answer

    async def flush(self) -> None:
        """Wait until everything is sent, or at most one deadline."""
        if self._link.failure is None:
            with suppress(TimeoutError):
                async with within(self._deadline_s):
                    await self._empty.wait()

    async def run(self) -> None:
        """Send what is queued, for as long as the bus is open."""
        try:
            while True:
                try:
                    connection = await self._link.open()
                    self._link.works()
                    await self._serve(connection)
                except LINK_ERRORS as error:
                    self._fail(self._questions, self._link.failed(error))
                except Exception as error:  # what nobody foresaw must not leave the bus dumb
                    log.exception("the bus, sending, failed; it connects anew")
                    self._fail(self._questions, self._link.failed(error))
                finally:
                    await self._link.drop()
                await self._link.pause()
        finally:
            self._fail(self._questions, BusClosedError("ask the bus's server"))

    def _awake(self) -> None:
        self._empty.clear()
        self._wake.set()

    async def _serve(self, connection: AbstractConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._rings or self._facts or self._questions:
                if (
                    await connection.can_read()
                ):  # nothing was asked: it is the end of the connection, so nothing is lost
                    self._wake.set()
                    raise ConnectionResetError("the server closed the connection")
                await self._exchange(connection, self._take())
            self._empty.set()

    def _take(self) -> _Batch:
        rings = [self._rings.popleft() for _ in range(min(_BATCH, len(self._rings)))]
        self._size -= sum(len(ring.payload) for ring in rings)
        # Facts and questions go whole, so that whoever keeps and then asks is answered by what was kept.
        facts, self._facts = list(self._facts.values()), {}
        questions, self._questions = self._questions, []
        return _Batch(facts, rings, questions)

    async def _exchange(self, connection: AbstractConnection, batch: _Batch) -> None:
        now = self._monotonic()
        facts = [fact for fact in batch.facts if fact.ends_at > now]
        commands = [fact.command(now) for fact in facts]
        commands += [ring.command() for ring in batch.rings]
        commands += [question.words for question in batch.questions]
        try:
            async with within(self._deadline_s):
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                for _ in facts:
                    await self._answer(connection)
                for _ in batch.rings:
                    self._counts["rung"] += await self._answer(connection)
                for question in batch.questions:
                    await self._hand_over(connection, question)
        except BaseException:
            self._undo(batch)
            raise

    async def _answer(self, connection: AbstractConnection) -> bool:
        try:
            await connection.read_response()
        except ResponseError as error:
            if not self._counts["refused"]:
                log.warning("the bus's server refuses a command: %s; more of this is only counted", error)
            self._counts["refused"] += 1
            return False
        return True

    async def _hand_over(self, connection: AbstractConnection, question: _Question) -> None:
        try:
            answer = await connection.read_response()
        except ResponseError as error:
            if not question.answer.done():
                question.answer.set_exception(BusRefusedError(self._link.server, str(error)))
            return
        if not question.answer.done():
            question.answer.set_result(answer)

    def _undo(self, batch: _Batch) -> None:
        """Count the rings of a batch that broke off, for nobody knows which were heard; its facts wait again."""
        self._counts["lost"] += len(batch.rings)
        for fact in batch.facts:
            newer = self._facts.get(fact.key)
            if newer is None or newer.order < fact.order:
                self._facts[fact.key] = fact
        self._wake.set()
        self._questions = batch.questions + self._questions  # they fail with the connection

    @staticmethod
    def _fail(questions: list[_Question], error: RuntimeError) -> None:
        while questions:
            answer = questions.pop().answer
            if not answer.done():
                answer.set_exception(error)

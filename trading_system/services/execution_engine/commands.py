"""The account's side of the inbox: which requests wait, which of them are not to be acted on, and their answers.

What a command does is decided by ``rules/commands.py``, when it is safe to do it by ``service.py``. A request counts
only as far as it is stored, whatever a bell claims, and is answered once: the answer is committed with the account.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from trading_system.contracts import CommandDTO, ContractError, from_ms, serialize, to_command, to_ms
from trading_system.rules.commands import Reply
from trading_system.services.inbox import DONE, NEW, REFUSED, SENDERS, Sender, answers_to, requests_of
from trading_system.store.port import Store

MAX_AGE_MS = 60_000
REMEMBERED = 100  # answers of a sender whose ids are known: a request that comes again comes soon
UNREADABLE = "unreadable"


class Request(NamedTuple):
    """A request that waits for its answer. ``refusal`` is set when it may not be acted on."""

    sender: Sender
    number: int
    word: CommandDTO
    refusal: Reply | None

    @property
    def command(self) -> str:
        """What is asked for, "" when it may not be acted on."""
        return "" if self.refusal is not None else self.word["command"]


class CommandDesk:
    """Reads the requests of every sender, and writes their answers; the caller commits."""

    def __init__(self, store: Store, exchange: str, venue_ms: Callable[[], int] | None) -> None:
        """Keep where to read. venue_ms: the venue's time now, by which a request's age is taken; None: never too old.

        Without it market time stands still, and the age of what a person asks has no meaning.
        """
        self._store = store
        self._exchange = exchange
        self._venue_ms = venue_ms
        self._read: dict[Sender, int] = {}
        self._answered: dict[Sender, int | None] = {}
        self._ids: dict[Sender, deque[str]] = {}
        self._waiting: deque[Request] = deque()
        self._looking = asyncio.Lock()

    @property
    def next(self) -> Request | None:
        """The request that waits longest, None when none waits."""
        return self._waiting[0] if self._waiting else None

    async def look(self) -> None:
        """Take in what was asked since the last look; a request's age is its age at this moment.

        A look that the store interrupts has taken nothing in. Raises: StoreError.
        """
        async with self._looking:  # a bell and the poll may come together
            for sender in SENDERS:
                requests = requests_of(self._exchange, sender)
                head = await self._store.head(requests)
                if head is None:
                    continue
                if sender not in self._read:
                    await self._recall(sender)
                rows = await self._store.read(requests, self._read[sender], head) if head > self._read[sender] else []
                for row in rows:
                    if row.n == 0:
                        self._waiting.append(self._request(sender, row.step, row.payload))
                self._read[sender] = max(head, self._read[sender])

    async def answer(self, request: Request, reply: Reply, now_ms: int) -> bytes:
        """Write the answer to the request that waits longest, and return it as it is rung. Raises: StoreError."""
        word: CommandDTO = {
            "id": request.word["id"],
            "sender": request.sender,
            "command": request.word["command"],
            "time": from_ms(now_ms),
            "status": DONE if reply.done else REFUSED,
            "answer": reply.sentence,
            "reason": reply.reason,
            "numbers": dict(reply.numbers),
        }
        payload = serialize(word)
        stream = answers_to(self._exchange, request.sender)
        await self._store.append(stream, request.number, [payload], after=self._answered[request.sender])
        return payload

    def close(self, request: Request) -> None:
        """Let go of a request whose answer is committed."""
        self._answered[request.sender] = request.number
        self._waiting.remove(request)

    async def _recall(self, sender: Sender) -> None:
        """Read how far an earlier life has answered, and to which ids."""
        stream = answers_to(self._exchange, sender)
        self._answered[sender] = head = await self._store.head(stream)
        last = await self._store.last(stream, REMEMBERED)
        self._ids[sender] = deque((to_command(row.payload)["id"] for row in last), REMEMBERED)
        self._read[sender] = 0 if head is None else head

    def _request(self, sender: Sender, number: int, payload: bytes) -> Request:
        try:
            word = _from(sender, payload)
        except ContractError as error:
            unread: CommandDTO = {
                "id": f"{sender}-{number}",
                "sender": sender,
                "command": UNREADABLE,
                "time": from_ms(0),
                "status": NEW,
            }
            return Request(sender, number, unread, Reply(False, UNREADABLE, {"error": str(error)}))
        refusal = self._refusal(sender, word)
        self._ids[sender].append(word["id"])
        return Request(sender, number, word, refusal)

    def _refusal(self, sender: Sender, word: CommandDTO) -> Reply | None:
        if word["id"] in self._ids[sender]:
            return Reply(False, "repeated", {"id": word["id"]})
        age = 0 if self._venue_ms is None else self._venue_ms() - to_ms(word["time"])
        if age > MAX_AGE_MS:
            return Reply(False, "stale", {"age": age // 1000, "limit": MAX_AGE_MS // 1000})
        return Reply(False, "ahead", {"age": -age // 1000}) if age < -MAX_AGE_MS else None


def _from(sender: Sender, payload: bytes) -> CommandDTO:
    """Return a request of ``sender``. Raises: ContractError."""
    word = to_command(payload)
    for field, expected in (("sender", sender), ("status", NEW)):
        if word.get(field) != expected:
            raise ContractError("CommandDTO", field, expected, repr(word.get(field)))
    return word

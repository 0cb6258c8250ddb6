"""The inbox of commands: what a person asks of the account, as rows of the store, and the account's answers.

A sender writes its requests, numbered from 1, to a stream of its own; execution writes one answer for each number to
the sender's other stream, whose head is therefore how far it has come. What may be asked, and what comes of it, is
decided by ``rules/commands.py``; this file only carries the letters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal, get_args

from trading_system.contracts import SYSTEM_COMMAND, CommandDTO, from_ms, serialize, to_command
from trading_system.services.room import Letterbox
from trading_system.store.errors import HeadMovedError
from trading_system.store.port import Stream

Sender = Literal["cli", "telegram", "dashboard"]
SENDERS: tuple[Sender, ...] = get_args(Sender)
COMMANDS = "commands"
ANSWERS = "answers"
NEW, DONE, REFUSED = "new", "done", "refused"
ASKING_AGAIN_S = 0.1
MOST_TRIES = 100  # each lost try means that another process of the same sender was faster


class InboxError(RuntimeError):
    """A command that could not be put into the inbox."""


def requests_of(exchange: str, sender: str) -> Stream:
    """Return the stream of what ``sender`` asks for."""
    return Stream(COMMANDS, exchange, sender)


def answers_to(exchange: str, sender: str) -> Stream:
    """Return the stream of what execution answers to ``sender``."""
    return Stream(ANSWERS, exchange, sender)


class Inbox:
    """One sender's side of the inbox of one line. Several processes may send under the same name."""

    def __init__(
        self,
        letterbox: Letterbox,
        exchange: str,
        sender: Sender,
        *,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Keep where to write. ``wall_ms`` stamps requests (ms UTC), ``sleep`` paces the waiting for an answer.

        Raises: InboxError for a sender that is none of ``SENDERS``.
        """
        if sender not in SENDERS:
            raise InboxError(f"expected a sender out of {', '.join(SENDERS)}, was {sender!r}; name one of them")
        self._letterbox = letterbox
        self._sender = sender
        self._requests = requests_of(exchange, sender)
        self._answers = answers_to(exchange, sender)
        self._wall_ms = wall_ms
        self._sleep = sleep

    async def ask(self, command: str, /, *, id: str = "", **arguments: float | str) -> int:  # noqa: A002 - its field
        """Write a request and ring for it; return its number. It is in the store for good when this returns.

        id: names the request; one that comes again under the same id is answered and not acted on. Left out, it is
        the sender and the number, so that every call is a request of its own.
        Raises: ContractError for what JSON cannot hold; StoreError; InboxError.
        """
        store = self._letterbox.store
        for _ in range(MOST_TRIES):
            head = await store.head(self._requests)
            number = 1 if head is None else head + 1
            word: CommandDTO = {
                "id": id or f"{self._sender}-{number}",
                "sender": self._sender,
                "command": command,
                "time": from_ms(self._wall_ms()),
                "status": NEW,
            }
            if arguments:
                word["arguments"] = dict(arguments)
            payload = serialize(to_command(word))
            try:
                await store.append(self._requests, number, [payload], after=head)
                await store.commit()  # where it is found out, in some stores, that another process was faster
            except HeadMovedError:
                continue
            await self._letterbox.bus.publish(SYSTEM_COMMAND, payload)
            return number
        raise InboxError(
            f"{'/'.join(self._requests)}: expected to add a request, was overtaken {MOST_TRIES} times; ask again"
        )

    async def answer(self, number: int) -> CommandDTO | None:
        """Return the answer to request ``number``, None while there is none."""
        rows = await self._letterbox.store.read(self._answers, number - 1, number)
        return to_command(rows[0].payload) if rows else None

    async def wait(self, number: int, timeout_s: float) -> CommandDTO | None:
        """Wait for the answer to request ``number`` up to ``timeout_s``; None: it stays in the inbox, unanswered.

        The bell of an answer may be lost or never come from another process, so the store is read ten times a second.
        """
        for _ in range(max(1, round(timeout_s / ASKING_AGAIN_S))):
            answer = await self.answer(number)
            if answer is not None:
                return answer
            await self._sleep(ASKING_AGAIN_S)
        return await self.answer(number)

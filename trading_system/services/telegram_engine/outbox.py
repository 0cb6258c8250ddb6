"""Sends each chat its news in order, at the pace that Telegram allows, and remembers how far it has come.

What waits is in the store (the news) and so is each chat's place in it: an hour without Telegram delays messages and
loses none. A death of the process may repeat the one message that was on its way, marked as a repeat.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from trading_system.services.telegram_engine.bookmark import Bookmark
from trading_system.services.telegram_engine.chats import Chat, Chats
from trading_system.services.telegram_engine.letter import Letter
from trading_system.services.telegram_engine.markup import (
    LONGEST_TEXT,
    as_html,
    length_of,
    pieces,
    sendable,
    shortened,
)
from trading_system.services.telegram_engine.messenger import (
    ChatClosedError,
    Messenger,
    NotParsedError,
    NotTakenError,
    TooFastError,
    UnreachableError,
)
from trading_system.services.telegram_engine.rates import Rates
from trading_system.store.patience import patiently
from trading_system.store.port import Row, Store, Stream

log = logging.getLogger(__name__)

THREADS = "telegram_threads"
THREADS_KEPT = 256
FLOOD = 10
"""With more rows waiting than this, neighbours that are mere texts share a message; nothing is left out."""
LEAST_PAUSE_MS, MOST_PAUSE_MS = 1_000, 60_000
BETWEEN = "\n\n"

LettersOf = Callable[[Stream, Row, Chat], Sequence[Letter]]
"""Says a stored row in the language of a chat."""


@dataclass(slots=True)
class _Box:
    """One chat's waiting mail."""

    bookmarks: list[Bookmark]
    threads: dict[str, int]
    replies: deque[Letter] = field(default_factory=deque)
    repeats: bool = False  # the first reply may have been sent already
    retry_at: int = 0
    pause_ms: int = 0
    said: tuple[Stream, int, int, str] | None = None  # the row whose letters these are, and their language
    letters: list[Letter] = field(default_factory=list)


class _Due(NamedTuple):
    """The next message: its texts, and what is done with it; ``bookmark`` is None for a reply."""

    letter: Letter
    texts: tuple[str, ...]
    bookmark: Bookmark | None
    rows: int
    part: int


class Outbox:
    """The mail of all chats. ``sent`` counts messages, ``failures`` what was not taken or could not be made."""

    def __init__(
        self,
        store: Store,
        streams: Sequence[Stream],
        chats: Chats,
        messenger: Messenger,
        letters_of: LettersOf,
        again: Callable[[str], str],
        now_ms: Callable[[], int],
    ) -> None:
        """Keep what is sent. again: how a repeat is marked in a language. now_ms: a clock that never runs backwards."""
        self._store = store
        self._streams = streams
        self._chats = chats
        self._messenger = messenger
        self._letters_of = letters_of
        self._again = again
        self._now = now_ms
        self._rates = Rates()
        self._boxes: dict[int, _Box] = {}
        self._retry_at = 0
        self._pause_ms = 0
        self.sent = 0
        self.failures = 0

    async def open(self) -> None:
        """Take up every chat's place; a chat that is new hears from now on."""
        for chat in self._chats:
            await self._box(chat)

    async def waiting(self) -> int:
        """Return how many rows and replies wait, over all chats."""
        count = 0
        for chat in self._chats:
            box = await self._box(chat)
            count += len(box.replies)
            for bookmark in box.bookmarks:
                count += len(await bookmark.waiting())
        return count

    async def reply(self, chat: Chat, letter: Letter) -> None:
        """Put an answer before the news that wait; it is not kept over a restart, where it can be asked for again."""
        box = await self._box(chat)
        box.replies.extend(_parts(letter))

    async def message_of(self, chat: Chat, thread: str) -> int | None:
        """Return the number of the message that opened a thread, None if this chat has none."""
        return (await self._box(chat)).threads.get(thread)

    async def deliver(self) -> int | None:
        """Send all that may be sent now; return the ms until more may be, None when nothing waits."""
        waits = []
        for chat in self._chats:
            wait = await self._empty(await self._box(chat), chat)
            if wait is not None:
                waits.append(wait)
        return min(waits, default=None)

    async def _box(self, chat: Chat) -> _Box:
        box = self._boxes.get(chat.id)
        if box is None:
            kept = await self._store.document(THREADS, str(chat.id))
            threads = {} if kept is None else msgspec.json.decode(kept[1], type=dict[str, int])
            box = _Box([Bookmark(self._store, stream, f"chat {chat.id}") for stream in self._streams], threads)
            for bookmark in box.bookmarks:
                await bookmark.open(at_end=True)
            self._boxes[chat.id] = box
        return box

    async def _empty(self, box: _Box, chat: Chat) -> int | None:
        while True:
            due = await self._next(box, chat)
            if due is None:
                return None
            now = self._now()
            wait = max(self._rates.wait_ms(chat.id, now), box.retry_at - now, self._retry_at - now)
            if wait > 0:
                return wait
            await self._attempt(box, chat, due)

    async def _next(self, box: _Box, chat: Chat) -> _Due | None:
        if box.replies:
            letter = box.replies[0]
            return _Due(letter, (letter.text,), None, 0, 0)
        for bookmark in box.bookmarks:
            while rows := await bookmark.waiting():
                letters = self._said(box, bookmark, rows[0], chat)
                part = bookmark.place.part
                if part >= len(letters):  # nothing (more) to say of this row
                    await bookmark.done(1)
                    continue
                if len(rows) > FLOOD and not part and (texts := self._together(bookmark, rows, chat)):
                    return _Due(Letter(""), texts, bookmark, len(texts), 0)
                whole = part + 1 == len(letters)
                return _Due(letters[part], (letters[part].text,), bookmark, int(whole), part + 1)
        return None

    def _said(self, box: _Box, bookmark: Bookmark, row: Row, chat: Chat) -> list[Letter]:
        """Return the letters of a row; one that cannot be said is left out, logged and counted."""
        key = (bookmark.stream, row.step, row.n, chat.language)
        if box.said != key:
            box.said, box.letters = key, self._worded(bookmark.stream, row, chat)
        return box.letters

    def _worded(self, stream: Stream, row: Row, chat: Chat) -> list[Letter]:
        try:
            return [part for letter in self._letters_of(stream, row, chat) for part in _parts(letter)]
        except Exception:
            self.failures += 1
            place = "/".join(stream)
            log.exception("row %d.%d of %s could not be put into words; it is left out", row.step, row.n, place)
            return []

    def _together(self, bookmark: Bookmark, rows: Sequence[Row], chat: Chat) -> tuple[str, ...]:
        """Return the texts of the first rows that can share one message, () when fewer than two can."""
        texts: list[str] = []
        length = 0
        for row in rows:
            letters = self._worded(bookmark.stream, row, chat)
            if len(letters) != 1 or not _is_mere_text(letters[0]):
                break
            length += length_of(letters[0].text) + len(BETWEEN)
            if length > LONGEST_TEXT:
                break
            texts.append(letters[0].text)
        return tuple(texts) if len(texts) > 1 else ()

    async def _attempt(self, box: _Box, chat: Chat, due: _Due) -> None:
        """Try to send one message and take note of what came of it."""
        bookmark = due.bookmark
        again = box.repeats if bookmark is None else bookmark.place.flying
        if bookmark is not None and not again:
            await bookmark.fly()
        try:
            message = await self._send(box, chat, due, again=again)
        except TooFastError as error:
            box.retry_at = self._now() + error.retry_ms
            _landed(bookmark, again)
        except ChatClosedError as error:
            box.pause_ms = min(max(box.pause_ms * 2, LEAST_PAUSE_MS), 10 * MOST_PAUSE_MS)
            box.retry_at = self._now() + box.pause_ms
            log.warning("chat %d takes nothing (%s); its messages wait", chat.id, error)
            _landed(bookmark, again)
        except UnreachableError as error:
            self._pause_ms = min(max(self._pause_ms * 2, LEAST_PAUSE_MS), MOST_PAUSE_MS)
            self._retry_at = self._now() + self._pause_ms
            log.warning("Telegram is out of reach (%s); trying again in %d s", error, self._pause_ms // 1000)
            if not error.arrived:
                _landed(bookmark, again)
            elif bookmark is None:
                box.repeats = True
        except NotTakenError as error:
            self.failures += 1
            log.error("Telegram does not take a message to chat %d (%s); it is left out", chat.id, error)  # noqa: TRY400
            await self._done(box, chat, due, None)
        else:
            self._pause_ms = box.pause_ms = 0
            await self._done(box, chat, due, message)

    async def _done(self, box: _Box, chat: Chat, due: _Due, message: int | None) -> None:
        if message is not None:
            self.sent += 1
            self._rates.sent(chat.id, self._now())
            if due.letter.opens:
                box.threads[due.letter.thread] = message
                for old in list(box.threads)[:-THREADS_KEPT]:
                    del box.threads[old]
                threads = msgspec.json.encode(box.threads)
                await patiently(lambda: self._store.put_document(THREADS, str(chat.id), 0, threads))
        if due.bookmark is None:
            box.replies.popleft()
            box.repeats = False
        else:
            await due.bookmark.done(due.rows, due.part)

    async def _send(self, box: _Box, chat: Chat, due: _Due, *, again: bool) -> int | None:
        """Send one message and return its number, None where there was nothing to send. Raises: MessengerError."""
        letter = due.letter
        texts = (self._again(chat.language), *due.texts) if again else due.texts
        texts = tuple(sendable(text) for text in texts if text)
        picture = await self._painted(letter)
        if not texts and picture is None:
            return None
        html = BETWEEN.join(map(as_html, texts))
        try:
            return await self._sent(box, chat, letter, html, picture, html=True)
        except NotParsedError as error:
            log.warning("Telegram could not read the mark-up of a message (%s); it goes as plain text", error)
        try:
            return await self._sent(box, chat, letter, BETWEEN.join(texts), picture, html=False)
        except NotParsedError as error:
            raise NotTakenError(str(error)) from error

    async def _sent(
        self, box: _Box, chat: Chat, letter: Letter, text: str, picture: bytes | None, *, html: bool
    ) -> int | None:
        reply_to = None if letter.opens else box.threads.get(letter.thread)
        if letter.settles and reply_to is not None:
            with contextlib.suppress(NotTakenError):  # they are gone already
                await self._messenger.hide_buttons(chat.id, reply_to)
        if picture is not None:
            return await self._messenger.send_picture(chat.id, picture, text, html=html, reply_to=reply_to)
        if letter.edits:
            await self._messenger.edit(chat.id, letter.edits, text, html=html)
            return letter.edits
        return await self._messenger.send(chat.id, text, letter.buttons, html=html, reply_to=reply_to)

    async def _painted(self, letter: Letter) -> bytes | None:
        if letter.picture is None:
            return None
        try:
            return await letter.picture()
        except Exception:
            self.failures += 1
            log.exception("a picture could not be made; its message goes without it")
            return None


def _landed(bookmark: Bookmark | None, again: bool) -> None:
    """Take note that a message was certainly not sent this time; an earlier time stays unknown."""
    if bookmark is not None and not again:
        bookmark.landed()


def _is_mere_text(letter: Letter) -> bool:
    return letter.picture is None and not (letter.buttons or letter.opens or letter.edits or letter.settles)


def _parts(letter: Letter) -> list[Letter]:
    """Return a letter in parts that Telegram takes: a long text in pieces, buttons under the last, a short caption."""
    if letter.picture is not None:
        return [letter._replace(text=shortened(letter.text))]
    room = LONGEST_TEXT - 200  # a repeat is marked in its first line
    texts = pieces(letter.text, room) or [""]
    parts = [letter._replace(text=text, buttons=()) for text in texts]
    parts[-1] = parts[-1]._replace(buttons=letter.buttons)
    return [parts[0], *(part._replace(opens=False, edits=0) for part in parts[1:])]

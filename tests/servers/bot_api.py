"""Telegram's Bot API on loopback, as strict as the real one: lengths, rates, marks, files, updates and presses.

Its time is handed in, so that an hour passes when a test says so. What it sent is in ``chats``; what people do is said
by ``write`` and ``press``.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from aiohttp import web

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
LONGEST_TEXT, LONGEST_CAPTION, LARGEST_PHOTO = 4096, 1024, 10 * 1024 * 1024
TAGS = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a"}
KNOWN_ENTITIES = {"lt", "gt", "amp", "quot"}


@dataclass
class Message:
    """One message in a chat, as its people see it; ``html`` is what was sent, ``text`` what is read."""

    id: int
    text: str
    html: str
    buttons: list[tuple[str, str]] = field(default_factory=list)
    photo: bytes = b""
    reply_to: int | None = None
    at: int = 0


class RefusedError(Exception):
    """An answer other than ok."""

    def __init__(self, code: int, description: str, retry_after: int = 0) -> None:
        super().__init__(description)
        self.code, self.description, self.retry_after = code, description, retry_after


class Marks(HTMLParser):
    """Reads Telegram's HTML: a few tags, well nested, four named entities."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text, self.open = "", []

    def handle_starttag(self, tag: str, _: list[Any]) -> None:
        if tag not in TAGS:
            raise RefusedError(
                400, f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}" at byte offset 0'
            )
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise RefusedError(400, "Bad Request: can't parse entities: Unexpected end tag at byte offset 0")

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise RefusedError(400, 'Bad Request: can\'t parse entities: Unsupported start tag "" at byte offset 0')
        self.text += data

    def handle_entityref(self, name: str) -> None:
        self.text += {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}[name] if name in KNOWN_ENTITIES else f"&{name};"

    def handle_charref(self, name: str) -> None:
        self.text += chr(int(name[1:], 16) if name[0] in "xX" else int(name))


def read_html(html: str) -> str:
    """Return what people read of ``html``. Raises: RefusedError for what Telegram could not parse."""
    marks = Marks()
    marks.feed(html)
    marks.close()
    if marks.open or marks.rawdata:
        raise RefusedError(400, "Bad Request: can't parse entities: Can't find end tag")
    return marks.text.strip()


def units(text: str) -> int:
    """Return a length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


class BotApi:
    """One bot's server. ``people`` are the chats that exist; a negative number is a group."""

    def __init__(self, now_ms: Callable[[], int], *people: int) -> None:
        self.now_ms = now_ms
        self.refusing: set[int] = set()  # chats to which no message is ever taken
        self.people = set(people)
        self.chats: dict[int, list[Message]] = {one: [] for one in people}
        self.commands: dict[str, list[tuple[str, str]]] = {}
        self.answered: dict[str, str] = {}
        self.blocked: set[int] = set()
        self.calls: list[str] = []
        self.too_fast = 0
        self.lose_answers = 0  # so many messages are taken, and their answer is lost on the way
        self.break_marks = 0  # so many messages with marks are said to be unreadable
        self.updates: list[dict[str, Any]] = []
        self.next_update = 1
        self._next_id = 100
        self._sent: dict[int, deque[int]] = {}
        self._sent_all: deque[int] = deque(maxlen=30)
        self._written = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Open the port, the same one as before after a ``stop``."""
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port: nobody can be reached."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def texts(self, chat: int) -> list[str]:
        """Return the texts of a chat, in order; a picture is its caption, or its mark."""
        return [message.text or "🖼" for message in self.chats[chat]]

    def write(self, user: int, text: str, *, chat: int | None = None, age_s: int = 0, **more: Any) -> None:
        """Let ``user`` write in their own chat, or in the group ``chat``."""
        self._next_id += 1
        kind = "private" if chat is None else "group"
        message = {
            "message_id": self._next_id,
            "date": self.now_ms() // 1000 - age_s,
            "chat": {"id": chat or user, "type": kind, "first_name": "A"},
            "from": {"id": user, "is_bot": False, "first_name": "A"},
            "text": text,
            **more,
        }
        self._say(message=message)

    def press(self, user: int, message: Message, data: str, *, chat: int | None = None) -> str:
        """Let ``user`` press the button with ``data`` under a message; return the number of the press."""
        query = f"q{self.next_update}"
        under = {
            "message_id": message.id,
            "date": message.at // 1000,
            "chat": {"id": chat or user, "type": "private" if chat is None else "group", "first_name": "A"},
            "text": message.text,
        }
        person = {"id": user, "is_bot": False, "first_name": "A"}
        self._say(callback_query={"id": query, "from": person, "message": under, "chat_instance": "1", "data": data})
        return query

    def _say(self, **update: Any) -> None:
        self.updates.append({"update_id": self.next_update, **update})
        self.next_update += 1
        self._written.set()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        found = re.fullmatch(r"/bot([^/]+)/(\w+)", request.path)
        if found is None or found[1] != TOKEN:
            return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
        self.calls.append(found[2])
        try:
            form = await request.post()
            given = {
                key: value.file.read() if isinstance(value, web.FileField) else value for key, value in form.items()
            }
            result = await getattr(self, re.sub("[A-Z]", lambda one: f"_{one[0].lower()}", f"_{found[2]}"))(given)
        except RefusedError as refused:
            body: dict[str, Any] = {"ok": False, "error_code": refused.code, "description": refused.description}
            if refused.retry_after:
                body["parameters"] = {"retry_after": refused.retry_after}
            return web.json_response(body, status=refused.code)
        if self.lose_answers and found[2].startswith("send"):
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"ok": True, "result": result})

    async def _send_message(self, given: dict[str, Any]) -> dict[str, Any]:
        text = self._readable(given, "text", LONGEST_TEXT, "message is too long")
        if not text:
            raise RefusedError(400, "Bad Request: message text is empty")
        return self._sent_message(given, text, given["text"])

    async def _send_photo(self, given: dict[str, Any]) -> dict[str, Any]:
        caption = self._readable(given, "caption", LONGEST_CAPTION, "message caption is too long")
        photo = given.get("photo", b"")
        if not isinstance(photo, bytes):  # named by the form as attach://
            photo = given[str(photo).removeprefix("attach://")]
        if len(photo) > LARGEST_PHOTO:
            raise RefusedError(413, "Request Entity Too Large")
        if not photo.startswith(b"\x89PNG"):
            raise RefusedError(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return self._sent_message(given, caption, given.get("caption", ""), photo)

    async def _edit_message_text(self, given: dict[str, Any]) -> dict[str, Any]:
        message = self._message(given)
        text, buttons = self._readable(given, "text", LONGEST_TEXT, "message is too long"), _buttons(given)
        if (text, buttons) == (message.text, message.buttons):
            raise RefusedError(400, "Bad Request: message is not modified")
        message.text, message.html, message.buttons = text, given["text"], buttons
        return self._shown(int(given["chat_id"]), message)

    async def _edit_message_reply_markup(self, given: dict[str, Any]) -> dict[str, Any]:
        message = self._message(given)
        buttons = _buttons(given)
        if buttons == message.buttons:
            raise RefusedError(400, "Bad Request: message is not modified")
        message.buttons = buttons
        return self._shown(int(given["chat_id"]), message)

    async def _answer_callback_query(self, given: dict[str, Any]) -> bool:
        query = given["callback_query_id"]
        if query in self.answered:
            raise RefusedError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if units(given.get("text", "")) > 200:
            raise RefusedError(400, "Bad Request: MESSAGE_TOO_LONG")
        self.answered[query] = given.get("text", "")
        return True

    async def _set_my_commands(self, given: dict[str, Any]) -> bool:
        commands = [(one["command"], one["description"]) for one in json.loads(given["commands"])]
        for command, description in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command) or not 1 <= len(description) <= 256:
                raise RefusedError(400, "Bad Request: BOT_COMMAND_INVALID")
        self.commands[given.get("language_code", "")] = commands
        return True

    async def _get_updates(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        offset = int(given.get("offset", 0))
        self.updates = [one for one in self.updates if one["update_id"] >= offset]
        if not self.updates and int(given.get("timeout", 0)):
            self._written.clear()
            try:
                await asyncio.wait_for(self._written.wait(), int(given["timeout"]))
            except TimeoutError:
                return []
        return self.updates[: int(given.get("limit", 100))]

    def _readable(self, given: dict[str, Any], name: str, longest: int, complaint: str) -> str:
        """Return what people read of a text. Raises: RefusedError for bad marks or a text that is too long."""
        text = given.get(name, "")
        if given.get("parse_mode") == "HTML":
            if self.break_marks:
                self.break_marks -= 1
                raise RefusedError(
                    400, "Bad Request: can't parse entities: Can't find end tag corresponding to start tag b"
                )
            text = read_html(text)
        if units(text) > longest:
            raise RefusedError(400, f"Bad Request: {complaint}")
        return text.strip()

    def _sent_message(self, given: dict[str, Any], text: str, html: str, photo: bytes = b"") -> dict[str, Any]:
        chat = int(given["chat_id"])
        if chat not in self.people:
            raise RefusedError(400, "Bad Request: chat not found")
        if chat in self.refusing:
            raise RefusedError(400, "Bad Request: PEER_ID_INVALID")
        if chat in self.blocked:
            raise RefusedError(403, "Forbidden: bot was blocked by the user")
        self._pace(chat)
        reply = json.loads(given["reply_parameters"])["message_id"] if "reply_parameters" in given else None
        self._next_id += 1
        message = Message(self._next_id, text, html, _buttons(given), photo, reply, self.now_ms())
        self.chats[chat].append(message)
        return self._shown(chat, message)

    def _pace(self, chat: int) -> None:
        """Count a message. Raises: RefusedError (429) for one that comes too soon."""
        now = self.now_ms()
        sent = self._sent.setdefault(chat, deque(maxlen=20))
        free = [sent[-1] + 1_000] if sent else []
        free += [sent[0] + 60_000] if chat < 0 and len(sent) == 20 else []
        free += [self._sent_all[0] + 1_000] if len(self._sent_all) == 30 else []
        if free and max(free) > now:
            self.too_fast += 1
            wait = math.ceil((max(free) - now) / 1000)
            raise RefusedError(429, f"Too Many Requests: retry after {wait}", wait)
        sent.append(now)
        self._sent_all.append(now)

    def _message(self, given: dict[str, Any]) -> Message:
        for message in self.chats[int(given["chat_id"])]:
            if message.id == int(given["message_id"]):
                return message
        raise RefusedError(400, "Bad Request: message to edit not found")

    def _shown(self, chat: int, message: Message) -> dict[str, Any]:
        kind = "private" if chat > 0 else "group"
        shown = {"message_id": message.id, "date": message.at // 1000, "chat": {"id": chat, "type": kind}}
        return {**shown, "text": message.text}


def _buttons(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the buttons of a message. Raises: RefusedError for data that are too long."""
    keyboard = json.loads(given.get("reply_markup", "{}")).get("inline_keyboard", [])
    buttons = [(one["text"], one["callback_data"]) for row in keyboard for one in row]
    if any(len(data.encode()) > 64 for _, data in buttons):
        raise RefusedError(400, "Bad Request: BUTTON_DATA_INVALID")
    return buttons

"""Answers what people do in their chats: commands, confirmations, and the Take and Skip of an offered signal.

A stranger, a group, a forwarded, old or repeated text has no effect and no answer; ``/start`` with a living code is the
one open door. What changes the account goes into the inbox of commands, where execution finds and answers it.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from trading_system.contracts import CommandDTO
from trading_system.languages.catalogue import LANGUAGES
from trading_system.services.inbox import DONE, Inbox
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.replies import reply_text
from trading_system.services.telegram_engine.answers import Answers
from trading_system.services.telegram_engine.chats import NEEDED, Chat, Chats
from trading_system.services.telegram_engine.letter import Button, Letter
from trading_system.services.telegram_engine.messages import short_id
from trading_system.services.telegram_engine.messenger import Messenger, MessengerError, Update
from trading_system.services.telegram_engine.outbox import Outbox
from trading_system.services.telegram_engine.pairing import knock
from trading_system.services.telegram_engine.pictures import NothingToShowError, Pictures
from trading_system.services.telegram_engine.telling import SKIP, TAKE, Voice
from trading_system.store.errors import StoreAwayError
from trading_system.store.patience import patiently
from trading_system.store.port import Store

log = logging.getLogger(__name__)

UPDATES = "telegram_updates"  # the document whose step is the number of the next update
ASKED = "telegram_asked"
OLDEST_MS = 60_000
QUESTION_MS = 30_000
A_MINUTE_MS, IN_A_MINUTE = 60_000, 20
LATE_MS = 10_000
YES, NO = "yes", "no"


class Question(NamedTuple):
    """A question with buttons that waits for its answer. ``ends``: ms UTC."""

    chat: int
    command: str
    symbol: str
    ends: int


class Asked(NamedTuple):
    """A request in the inbox whose answer goes to ``chat``; ``warned``: it was said that it waits since ``since``."""

    number: int
    chat: int
    what: str
    since: int
    warned: bool = False


class Desk:
    """One line's desk. ``ignored`` counts what had no effect: strangers, groups, old and repeated updates."""

    def __init__(
        self,
        store: Store,
        exchange: str,
        symbols: LineSymbols,
        chats: Chats,
        outbox: Outbox,
        inbox: Inbox,
        messenger: Messenger,
        answers: Answers,
        pictures: Pictures,
        voice_of: Callable[[str], Voice],
        language: str,
        wall_ms: Callable[[], int],
    ) -> None:
        """Keep what the desk works with.

        language: of chats that are paired. wall_ms: the time by which texts are old and questions end, ms UTC.
        """
        self._store = store
        self._exchange = exchange
        self._symbols = symbols
        self._chats = chats
        self._outbox = outbox
        self._inbox = inbox
        self._messenger = messenger
        self._answers = answers
        self._pictures = pictures
        self._voice_of = voice_of
        self._language = language
        self._wall = wall_ms
        self._questions: dict[str, Question] = {}
        self._asked: list[Asked] = []
        self._recent: dict[int, deque[int]] = {}
        self._heard_at: int | None = None
        self._presses_are_late = True
        self.offset = 0
        self.ignored = 0

    async def open(self) -> None:
        """Take up where an earlier life stopped hearing, and what it had asked."""
        heard = await self._store.document(UPDATES, self._exchange)
        self.offset = 0 if heard is None else heard[0]
        asked = await self._store.document(ASKED, self._exchange)
        self._asked = [] if asked is None else msgspec.json.decode(asked[1], type=list[Asked])

    async def hear(self, updates: Sequence[Update]) -> None:
        """Handle updates, each once in a life; a kill in the middle handles one again, whose request keeps its id.

        A press has no time of its own: one that may have waited while nobody listened counts as late.
        """
        now = self._wall()
        self._presses_are_late = self._heard_at is None or now - self._heard_at > OLDEST_MS
        self._heard_at = now
        for update in updates:
            if update.id < self.offset:
                self.ignored += 1
                continue
            self.offset = update.id + 1
            try:
                await self._handle(update)
            except StoreAwayError as error:
                log.warning("update %d could not be answered now: %s", update.id, error)
                await self._say_away(update)
            except Exception:
                log.exception("update %d could not be answered; the next one is", update.id)
            await self._keep(UPDATES, self.offset, b"")

    async def look_for_answers(self) -> None:
        """Pass on what execution has answered since; what is asked meanwhile waits for the next look."""
        over: list[Asked] = []
        warned: list[Asked] = []
        for asked in tuple(self._asked):
            chat = self._chats.of(asked.chat)
            answer = await self._inbox.answer(asked.number)
            if chat is None:  # not allowed any more
                over.append(asked)
            elif answer is not None:
                await self._say(chat, self._answered(asked, answer, self._voice_of(chat.language)))
                over.append(asked)
            elif not asked.warned and self._wall() - asked.since > LATE_MS:
                await self._say(chat, self._voice_of(chat.language).chat.say("answer.not_yet", what=asked.what))
                warned.append(asked)
        if over or warned:
            await self._keep_asked(
                [one._replace(warned=one.warned or one in warned) for one in self._asked if one not in over]
            )

    async def _handle(self, update: Update) -> None:
        chat = self._chats.of(update.chat) if update.alone else None
        late = update.time is not None and self._wall() - update.time > OLDEST_MS
        if chat is None and update.alone and not late and update.text:
            await self._knock(update)
        elif chat is None or late or self._is_too_much(chat, update):
            self.ignored += 1
        elif update.press:
            await self._pressed(chat, update)
        elif update.text.startswith("/"):
            await self._command(chat, update.text)
        else:
            self.ignored += 1

    def _is_too_much(self, chat: Chat, update: Update) -> bool:
        if update.text.startswith("/panic") or update.press.startswith(f"{YES}:"):
            return False  # what ends a danger is never one too many
        now = self._wall()
        recent = self._recent.setdefault(chat.id, deque(maxlen=IN_A_MINUTE))
        if len(recent) == IN_A_MINUTE and now - recent[0] < A_MINUTE_MS:
            return True
        recent.append(now)
        return False

    async def _knock(self, update: Update) -> None:
        """Let a stranger in who knows the code; whoever does not gets no answer."""
        word, _, code = update.text.partition(" ")
        role = await knock(self._store, self._exchange, code, self._wall()) if word == "/start" and code else None
        if role is None:
            self.ignored += 1
            return
        chat = Chat(update.chat, role, self._language, paired=True)
        log.warning("chat %d is paired as %s", chat.id, role)
        for other in self._chats:
            if other.role == "owner":
                say = self._voice_of(other.language).chat.say
                await self._say(other, say("answer.another", chat=chat.id, role=say(f"role.{role}")))
        await self._chats.keep(chat)
        say = self._voice_of(chat.language).chat.say
        await self._say(chat, say("answer.welcome", role=say(f"role.{role}")))

    async def _command(self, chat: Chat, text: str) -> None:
        words = text.split()
        name = words[0][1:].partition("@")[0].lower()
        voice = self._voice_of(chat.language)
        if name == "start":
            name = "help"
        if name not in NEEDED:
            await self._say(chat, voice.chat.say("answer.unknown", command=words[0][:32]))
        elif not chat.may(NEEDED[name]):
            await self._say(chat, self._forbidden(chat, name, voice))
        elif name in {"status", "positions", "signals"}:
            answer = {
                "status": self._answers.status,
                "positions": self._answers.positions,
                "signals": self._answers.signals,
            }[name]
            await self._say(chat, await answer(voice))
        elif name == "help":
            await self._say(chat, self._answers.help(chat, voice))
        elif name == "lang":
            await self._choose_language(chat, words[1:], voice)
        elif name in {"pause", "resume"}:
            await self._ask(chat, name, f"/{name}")
        elif name == "panic":
            await self._question(chat, name, "", voice)
        else:
            symbol = await self._symbol(chat, words[1:], voice)
            if symbol is not None:
                await self._about(chat, name, symbol, voice)

    async def _about(self, chat: Chat, name: str, symbol: str, voice: Voice) -> None:
        if name == "close":
            await self._question(chat, name, symbol, voice)
        elif name == "why":
            await self._say(chat, await self._answers.why(symbol, voice))
        else:
            venue = voice.alerts.named("venue", self._exchange)
            try:
                png = await self._pictures.of_symbol(symbol, venue, voice.look)
            except NothingToShowError:
                await self._say(chat, voice.chat.say("answer.no_candles", symbol=symbol))
            else:
                await self._outbox.reply(chat, Letter("", partial(_ready, png)))

    async def _symbol(self, chat: Chat, words: Sequence[str], voice: Voice) -> str | None:
        """Return the symbol that a command names, or the only one there is; otherwise say which there are."""
        await self._symbols.look()
        traded = self._symbols.traded
        symbols = " ".join(traded)
        if not words:
            if len(traded) == 1:
                return traded[0]
            await self._say(chat, voice.chat.say("answer.which_symbol", symbols=symbols))
            return None
        found = next((one for one in traded if one.casefold() == words[0].casefold()), None)
        if found is None:
            await self._say(chat, voice.chat.say("answer.no_symbol", symbol=words[0][:32], symbols=symbols))
        return found

    async def _choose_language(self, chat: Chat, words: Sequence[str], voice: Voice) -> None:
        language = words[0].lower() if words else ""
        if language not in LANGUAGES:
            await self._say(chat, voice.chat.say("answer.which_language", languages=" ".join(LANGUAGES)))
            return
        chosen = chat._replace(language=language)
        await self._chats.keep(chosen)
        await self._say(chosen, self._voice_of(language).chat.say("answer.language"))

    async def _question(self, chat: Chat, command: str, symbol: str, voice: Voice) -> None:
        token = secrets.token_hex(8)
        now = self._wall()
        self._questions = {key: one for key, one in self._questions.items() if one.ends > now}
        self._questions[token] = Question(chat.id, command, symbol, now + QUESTION_MS)
        say = voice.chat.say
        text = say(f"answer.confirm_{command}", seconds=QUESTION_MS // 1000, **({"symbol": symbol} if symbol else {}))
        yes = say(f"button.{command}", **({"symbol": symbol} if symbol else {}))
        buttons = (Button(yes, f"{YES}:{token}"), Button(say("button.cancel"), f"{NO}:{token}"))
        await self._outbox.reply(chat, Letter(text, buttons=buttons))

    async def _pressed(self, chat: Chat, update: Update) -> None:
        word, _, rest = update.press.partition(":")
        note = ""
        if self._presses_are_late:
            self.ignored += 1
            note = self._voice_of(chat.language).chat.say("answer.press_again")
        elif word in {YES, NO}:
            note = await self._decided(chat, word, rest, update)
        elif word in {TAKE, SKIP}:
            note = await self._chosen(chat, word, rest)
        else:
            self.ignored += 1
        with contextlib.suppress(MessengerError):  # only the small clock on the button goes on turning
            await self._messenger.answer_press(update.press_id, note)

    async def _decided(self, chat: Chat, word: str, token: str, update: Update) -> str:
        """Answer a press under a question; each question is decided once."""
        voice = self._voice_of(chat.language)
        question = self._questions.get(token)
        if question is not None and question.chat != chat.id:
            self.ignored += 1
            return ""
        self._questions.pop(token, None)
        if question is None or question.ends < self._wall():
            said = voice.chat.say("answer.too_late")
        elif word == NO:
            said = voice.chat.say("answer.cancelled")
        elif not chat.may(NEEDED[question.command]):
            said = self._forbidden(chat, question.command, voice)
        else:
            what = f"/{question.command} {question.symbol}".rstrip()
            await self._ask(chat, question.command, what, **({"symbol": question.symbol} if question.symbol else {}))
            said = what
        await self._outbox.reply(chat, Letter(said, edits=update.message))
        return said

    async def _chosen(self, chat: Chat, word: str, signal: str) -> str:
        """Pass a Take or Skip on; the same press again is answered by execution as the same request."""
        voice = self._voice_of(chat.language)
        if not chat.may("trader"):
            said = self._forbidden(chat, "close", voice)
            await self._say(chat, said)
            return said
        await self._ask(chat, word, f"{voice.chat.say(f'button.{word}')} #{short_id(signal)}", signal=signal)
        return ""

    def _forbidden(self, chat: Chat, name: str, voice: Voice) -> str:
        say = voice.chat.say
        return say("answer.not_allowed", role=say(f"role.{chat.role}"), needed=say(f"role.{NEEDED[name]}"))

    async def _ask(self, chat: Chat, command: str, what: str, **arguments: str) -> None:
        number = await self._inbox.ask(command, id=f"telegram-{self.offset}", **arguments)
        await self._keep_asked([*self._asked, Asked(number, chat.id, what, self._wall())])

    def _answered(self, asked: Asked, answer: CommandDTO, voice: Voice) -> str:
        key = "answer.done" if answer["status"] == DONE else "answer.refused"
        return voice.chat.say(key, what=asked.what, why=reply_text(answer, voice.replies))

    async def _keep_asked(self, asked: list[Asked]) -> None:
        self._asked = asked
        await self._keep(ASKED, 0, msgspec.json.encode(asked))

    async def _keep(self, kind: str, step: int, payload: bytes) -> None:
        await patiently(lambda: self._store.put_document(kind, self._exchange, step, payload))
        await patiently(self._store.commit)

    async def _say_away(self, update: Update) -> None:
        chat = self._chats.of(update.chat) if update.alone else None
        if chat is not None:
            await self._say(chat, self._voice_of(chat.language).chat.say("answer.store_away"))

    async def _say(self, chat: Chat, text: str) -> None:
        await self._outbox.reply(chat, Letter(text))


async def _ready(png: bytes) -> bytes:
    return png

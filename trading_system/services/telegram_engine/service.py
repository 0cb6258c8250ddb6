"""Tells people what the line does: on Telegram where there is a token, in a folder where there is none.

What is told is read from the store (``news_room``), so neither a lost bell nor a restart loses or repeats a message;
the bus only wakes. The line never waits for a message or a picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from trading_system.bus.port import Subscription
from trading_system.charts.look import Look
from trading_system.charts.picture import Mode
from trading_system.contracts import (
    order_updated_channel,
    position_updated_channel,
    signal_rejected_channel,
    trade_signal_channel,
)
from trading_system.languages.catalogue import LANGUAGES
from trading_system.rules.account import Terms as AccountTerms
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.roster import new_roster
from trading_system.services.inbox import Inbox
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.newest import Newest
from trading_system.services.room import Letterbox
from trading_system.services.telegram_engine.answers import Answers
from trading_system.services.telegram_engine.bookmark import Bookmark
from trading_system.services.telegram_engine.chats import NEEDED, Chat, Chats
from trading_system.services.telegram_engine.day_book import DayBook
from trading_system.services.telegram_engine.desk import Desk
from trading_system.services.telegram_engine.folder import AlertFolder
from trading_system.services.telegram_engine.folder_teller import FolderTeller
from trading_system.services.telegram_engine.letter import Letter, Painting
from trading_system.services.telegram_engine.messages import quote_of
from trading_system.services.telegram_engine.messenger import Messenger, MessengerError, TooFastError
from trading_system.services.telegram_engine.news import News, Signalled, TradeEnded, unpack_news
from trading_system.services.telegram_engine.news_fold import NewsFold
from trading_system.services.telegram_engine.news_room import NewsRoom, news_of
from trading_system.services.telegram_engine.outbox import Outbox
from trading_system.services.telegram_engine.pairing import LIFE_MS, is_open, open_door
from trading_system.services.telegram_engine.pictures import Pictures
from trading_system.services.telegram_engine.telling import Terms, Voice, letters_of
from trading_system.services.vital_signs import Vitals
from trading_system.store.errors import StoreAwayError
from trading_system.store.patience import Pauses, patiently
from trading_system.store.port import Row, Stream

log = logging.getLogger(__name__)

LOOK_S = 1.0  # how long a lost bell can delay a message
LISTEN_S = 25
MOST_PAUSE_S = 60.0


class Telling(NamedTuple):
    """What the engine knows of the line. ``risk_percent``: of equity, that one trade risks.

    ``origin``: the instant (ms UTC) at which the line's history begins; ``told_from``: the end of its warm-up, before
    which no day is summed up. ``zone``: whose midnights end a day. ``language``: of the folder and of new chats.
    """

    signal_interval: str
    mode: Mode
    risk_percent: float
    leverage: float
    equity: float
    origin: int
    told_from: int
    zone: tzinfo = UTC
    language: str = "en"


class AlertSource(NamedTuple):
    """Alerts of the line's health: a stream of rows, and what one says in a language ("" for one not to be told)."""

    stream: Stream
    say: Callable[[bytes, str], str]


class NobodyAllowedError(ValueError):
    """There is a token, but nobody who may be told anything."""

    def __init__(self) -> None:
        super().__init__(
            "expected at least one chat that is allowed, was none; name it in telegram.chats, such as 123456:owner, or "
            "set telegram.pairing = true and send the code that is shown to your bot"
        )


class TelegramEngine:
    """Tells of one line. ``failure``: what ended its work, if something did; ``poll`` does at once what is due."""

    name = "telegram_engine"

    def __init__(
        self,
        letterbox: Letterbox,
        instruments: Mapping[str, Instrument],
        telling: Telling,
        look: Callable[[str], Look],
        *,
        account: AccountTerms,
        folder: AlertFolder | None = None,
        messenger: Messenger | None = None,
        chats: Sequence[Chat] = (),
        pairing: bool = True,
        alerts: AlertSource | None = None,
        show_code: Callable[[str], None] | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        now_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        """Prepare; nothing is read or connected before ``start``.

        instruments: by symbol, those with which the line began. look: how pictures look in a language.
        account: the terms of the account that is told of.
        folder: where alerts go; messenger: where they go instead when it is given, to ``chats`` and to whom is paired.
        pairing: while no chat is allowed, a code is made and handed to ``show_code`` (default: the log).
        alerts: what chats hear of the line's health. wall_ms: time in UTC; now_ms: time that never goes back.
        """
        exchange = next(iter(instruments.values())).exchange
        store = letterbox.store
        symbols = LineSymbols(store, exchange, new_roster(telling.origin // MINUTE_MS, list(instruments.values())))
        self._letterbox = letterbox
        self._symbols = symbols
        self._exchange = exchange
        self._telling = telling
        self._terms = Terms(telling.mode, telling.risk_percent, telling.leverage)
        self._look = look
        self._voices: dict[str, Voice] = {}
        self._wall = wall_ms
        self._pairing = pairing
        self._alerts = alerts
        self._waiting = 0
        self._show_code = show_code
        quote = quote_of(next(iter(instruments)))
        day = DayBook(telling.equity, telling.origin, telling.zone, mode=telling.mode, quote=quote)
        fold = NewsFold(day, telling.told_from)
        self._news = NewsRoom(store, exchange, symbols, fold)
        self._pictures = Pictures(store, symbols, telling.signal_interval, telling.mode, telling.risk_percent)
        self._folder: FolderTeller | None = None
        self._messenger = messenger
        if messenger is None and folder is not None:
            mark = Bookmark(store, news_of(exchange), "folder")
            self._folder = FolderTeller(folder, mark, self._pictures, self._terms, self.voice(telling.language))
        if messenger is not None:
            self._chats = Chats(store, chats)
            streams = [news_of(exchange), *([alerts.stream] if alerts is not None else [])]
            self._outbox = Outbox(store, streams, self._chats, messenger, self._letters, self._again, now_ms)
            answers = Answers(
                store, Newest(letterbox, account), exchange, symbols, telling.signal_interval, telling.mode
            )
            inbox = Inbox(letterbox, exchange, "telegram", wall_ms=wall_ms)
            self._desk = Desk(
                store,
                exchange,
                symbols,
                self._chats,
                self._outbox,
                inbox,
                messenger,
                answers,
                self._pictures,
                self.voice,
                telling.language,
                wall_ms,
            )
        self._subscriptions: list[Subscription] = []
        self._heard: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._busy = asyncio.Lock()
        self.failure: Exception | None = None

    async def open(self) -> None:
        """Take up an earlier life's place; from here on ``poll`` and ``listen`` can do the work.

        Raises: NobodyAllowedError; StoreError.
        """
        await self._news.start()
        if self._folder is not None:
            await self._folder.open()
        if self._messenger is not None:
            await self._open_chats(self._messenger)

    async def start(self) -> None:
        """Open, and keep telling and listening until ``stop``. Raises: as ``open``."""
        await self.open()
        await self._listen_to_all()
        self._tasks.append(asyncio.create_task(self._tell(), name="telegram"))
        if self._messenger is not None:
            self._tasks.append(asyncio.create_task(self._hear(self._messenger), name="telegram:updates"))

    async def _listen_to_all(self) -> None:
        """Be woken by what happens on each symbol; of one that has left nothing happens."""
        for symbol in self._symbols.places:
            if symbol in self._heard:
                continue
            self._heard.add(symbol)
            for channel in (
                trade_signal_channel(symbol),
                order_updated_channel(symbol),
                signal_rejected_channel(symbol),
                position_updated_channel(symbol),
            ):
                self._subscriptions.append(await self._letterbox.bus.subscribe(channel, self._ring))

    async def stop(self) -> None:
        """Stop listening and finish what is due in the folder; what waits for Telegram stays in the store."""
        for subscription in self._subscriptions:
            await subscription.cancel()
        self._subscriptions.clear()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.drain()
        if self._messenger is not None:
            await self._messenger.close()
        self._pictures.close()

    async def drain(self) -> None:
        """Wait until the files of every alert that is due are written; Telegram is not waited for."""
        if self._folder is not None and self.failure is None:
            await self.poll()

    async def poll(self) -> int | None:
        """Do at once what is due: store the news, tell them, answer; return the ms until more can be sent, or None."""
        async with self._busy:
            before = self._news.checkpoint
            await self._news.catch_up()
            if self._news.checkpoint != before:
                await patiently(self._letterbox.store.commit)
            if self._folder is not None:
                await self._folder.deliver()
            if self._messenger is None:
                return None
            await self._desk.look_for_answers()
            wait_ms = await self._outbox.deliver()
            self._waiting = 0 if wait_ms is None else await self._outbox.waiting()
            return wait_ms

    async def listen(self, wait_s: int = 0) -> None:
        """Hear what people did, waiting up to ``wait_s`` for it, and act on it. Raises: MessengerError; StoreError."""
        if self._messenger is not None:
            await self._desk.hear(await self._messenger.updates(self._desk.offset, wait_s))

    @property
    def alerts(self) -> int:
        """How many signals have their files."""
        return 0 if self._folder is None else self._folder.alerts

    @property
    def closings(self) -> int:
        """How many ended trades have their picture."""
        return 0 if self._folder is None else self._folder.closings

    @property
    def failures(self) -> int:
        """How many alerts or messages could not be made, or were not taken."""
        return (0 if self._folder is None else self._folder.failures) + (
            0 if self._messenger is None else self._outbox.failures
        )

    def health(self) -> Vitals:
        """Return the last step whose news are stored, counters, and whether messages wait for Telegram."""
        numbers: dict[str, float | int | str] = {"failures": self.failures}
        if self._messenger is None:
            return Vitals(self._news.checkpoint, {**numbers, "alerts": self.alerts}, "next_step")
        numbers |= {"sent": self._outbox.sent, "waiting": self._waiting, "ignored": self._desk.ignored}
        if self._waiting:
            return Vitals(self._news.checkpoint, numbers, "telegram", "waiting")
        return Vitals(self._news.checkpoint, numbers, "next_step")

    def voice(self, language: str) -> Voice:
        """Return how ``language`` is spoken. Raises: CatalogueError."""
        if language not in self._voices:
            self._voices[language] = Voice.of(language, self._look)
        return self._voices[language]

    async def _open_chats(self, messenger: Messenger) -> None:
        await self._chats.open()
        if not len(self._chats):
            if not self._pairing:
                raise NobodyAllowedError
            await self._offer_pairing()
        await self._outbox.open()
        await self._desk.open()
        await messenger.open()

    async def _offer_pairing(self) -> None:
        """Make a code and show it, unless another process has opened the door already."""
        if await is_open(self._letterbox.store, self._exchange, self._wall()):
            return
        code = await open_door(self._letterbox.store, self._exchange, self._wall())
        if self._show_code is not None:
            self._show_code(code)
        else:
            log.warning(
                "nobody is allowed yet: send  /start %s  to your bot within %d minutes", code, LIFE_MS // 60_000
            )

    async def _ring(self, payload: bytes) -> None:
        """Wake: what a bell says counts as far as it is stored."""
        del payload
        self._wake.set()

    async def _tell(self) -> None:
        try:
            pauses = Pauses()
            while True:
                try:
                    wait_ms = await self.poll()
                    await self._listen_to_all()
                except StoreAwayError as error:
                    log.warning("nothing can be told now: %s", error)
                    await asyncio.sleep(pauses.take())
                    continue
                pauses = Pauses()
                wait_s = LOOK_S if wait_ms is None else min(max(wait_ms, 10) / 1000, LOOK_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait_s)
                self._wake.clear()
        except Exception as error:
            log.exception("nothing is told any more; trading goes on")
            self.failure = error

    async def _hear(self, messenger: Messenger) -> None:
        pause_s = 0.0
        menu_shown = False
        try:
            while True:
                try:
                    if not menu_shown:
                        await self._show_menu(messenger)
                        menu_shown = True
                    await self.listen(LISTEN_S)
                    pause_s = 0.0
                    self._wake.set()
                except TooFastError as error:
                    await asyncio.sleep(error.retry_ms / 1000)
                except MessengerError as error:
                    if not pause_s:
                        log.warning("Telegram cannot be heard now (%s); trying again", error)
                    pause_s = min(max(pause_s * 2, 1.0), MOST_PAUSE_S)
                    await asyncio.sleep(pause_s)
        except Exception as error:
            log.exception("nobody's commands are heard any more; trading goes on")
            self.failure = error

    async def _show_menu(self, messenger: Messenger) -> None:
        for language in LANGUAGES:
            say = self.voice(language).chat.say
            commands = [(name, say(f"menu.{name}")) for name in NEEDED]
            await messenger.offer_commands(commands, "" if language == LANGUAGES[0] else language)

    def _letters(self, stream: Stream, row: Row, chat: Chat) -> list[Letter]:
        voice = self.voice(chat.language)
        if self._alerts is not None and stream == self._alerts.stream:
            said = self._alerts.say(row.payload, chat.language)
            return [Letter(said)] if said else []
        news = unpack_news(row.payload)
        return letters_of(news, self._terms, voice, self._painting(news, voice))

    def _painting(self, news: News, voice: Voice) -> Painting | None:
        if isinstance(news, Signalled):
            signalled = news

            async def alert() -> bytes:
                return (await self._pictures.of_signal(signalled, voice))[1]

            return alert
        if isinstance(news, TradeEnded):
            ended = news

            async def closing() -> bytes:
                return (await self._pictures.of_trade(ended, voice))[1]

            return closing
        return None

    def _again(self, language: str) -> str:
        return self.voice(language).chat.say("again")

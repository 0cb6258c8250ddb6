"""A stored line without a market: an account stepped by its own rules, and a Telegram engine that reads what it stored.

Time stands still unless a test moves it; ``settle`` lets it pass as far as the messages need.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bot_api import TOKEN, BotApi
from sample_trades import EXCHANGE, MINUTE, START, Book, instrument_of, plan_at

from trading_system.bus.memory import MemoryBus
from trading_system.charts.look import Look
from trading_system.contracts import EventDTO, serialize, to_command
from trading_system.rules.commands import obey
from trading_system.rules.fact_record import pack_account, pack_fact
from trading_system.rules.facts import Fact
from trading_system.rules.records import CANDLE
from trading_system.rules.trade_plan import Plan
from trading_system.rules.words import candle_dto, signal_dto
from trading_system.secret import Secret
from trading_system.services.inbox import answers_to, requests_of
from trading_system.services.room import CANDLES, EXECUTION, SNAPSHOT, STRATEGY, WHOLE_ACCOUNT, Letterbox
from trading_system.services.telegram_engine.bot import TelegramBot
from trading_system.services.telegram_engine.chats import Chat
from trading_system.services.telegram_engine.folder import AlertFolder
from trading_system.services.telegram_engine.service import TelegramEngine, Telling
from trading_system.spoken import look_in
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream

OWNER, TRADER, VIEWER, STRANGER, GROUP = 1001, 1002, 1003, 6666, -500
SYMBOL = "BTCUSDT"
QUARTER = 15 * MINUTE
WALL = 1_800_000_000_000


class Clock:
    """Time that a test moves, in ms."""

    def __init__(self) -> None:
        self.ms = WALL

    def __call__(self) -> int:
        return self.ms


class StoredLine:
    """One symbol's line: every minute is stored as the rooms would store it."""

    def __init__(self, *, advised: bool = False) -> None:
        self.store = MemoryStore()
        self.bus = MemoryBus()
        self.clock = Clock()
        self.book = Book((instrument_of(),))
        self.book.terms = self.book.terms._replace(advised=advised)
        self.api = BotApi(self.clock, OWNER, TRADER, VIEWER, GROUP)
        self.step = START // MINUTE
        self._minutes: list[Any] = []
        self.engine: TelegramEngine | None = None

    @property
    def time(self) -> int:
        """The close of the last stored minute."""
        return self.book.time

    async def minute(
        self, *prices: float, plans: Sequence[Plan] = (), events: Sequence[EventDTO] = (), more: Sequence[Fact] = ()
    ) -> list[Fact]:
        """Step and store one minute; commands that wait in the inbox are obeyed first."""
        facts: list[Fact] = []
        await self._obey(facts)
        self.book.facts.clear()
        facts += [*self.book.minute(*prices, plans=plans), *more]
        self.step += 1
        await self._append(CANDLES, SYMBOL, self._candles(*prices))
        word = {"exchange": EXCHANGE, "symbol": SYMBOL, "step": self.step, "candles": []}
        word |= {"gap": True, "signals": [signal_dto(plan) for plan in plans], "events": list(events), "refused": []}
        await self._append(STRATEGY, SYMBOL, [serialize(word)] if plans else [])
        await self._append(EXECUTION, WHOLE_ACCOUNT, [pack_fact(fact) for fact in facts])
        await self.store.put_document(SNAPSHOT, EXCHANGE, self.step, pack_account(self.book.account))
        await self.store.commit()
        return facts

    async def to_quarter(self, price: float = 101.0) -> None:
        """Let minutes pass until the next one to be stored closes a signal candle."""
        while (self.time + MINUTE) % QUARTER:
            await self.minute(price)

    async def signal(
        self, price: float = 101.0, number: int = 0, events: Sequence[EventDTO] = (), **changed: Any
    ) -> Plan:
        """Let a signal be given at the next close of a signal candle: entry 100, stop 98, targets 104 and 108."""
        await self.to_quarter(price)
        plan = plan_at(self.time + MINUTE, number=number, **{"zone": "", **changed})
        await self.minute(price, plans=[plan], events=events)
        return plan

    def telling(self, **changed: Any) -> Telling:
        """Return what the engine is told of the line."""
        whole = Telling("15m", "PAPER", 1.0, 5.0, 10_000.0, START, START)
        return whole._replace(**changed)

    async def live(self, *chats: Chat, folder: Path | None = None, **changed: Any) -> TelegramEngine:
        """Begin a life of the engine."""
        bot = None if folder is not None else TelegramBot(Secret(TOKEN), self.api.url)
        pairing = changed.pop("pairing", True)
        show_code = changed.pop("show_code", None)
        alerts = changed.pop("alerts", None)
        self.engine = TelegramEngine(
            Letterbox(self.store, self.bus),
            {SYMBOL: self.book.instruments[0]},
            self.telling(**changed),
            _look,
            account=self.book.terms,
            folder=None if folder is None else AlertFolder(folder),
            messenger=bot,
            chats=chats,
            pairing=pairing,
            alerts=alerts,
            show_code=show_code,
            wall_ms=self.clock,
            now_ms=self.clock,
        )
        await self.engine.open()
        return self.engine

    async def die(self) -> None:
        """Be killed: what the store has not committed is undone."""
        assert self.engine is not None
        await self.store.rollback()
        if self.engine._messenger is not None:
            await self.engine._messenger.close()
        self.engine._pictures.close()
        self.engine = None

    async def settle(self, most_ms: int = 3_600_000) -> None:
        """Hear and tell everything, letting time pass as far as the messages need, up to ``most_ms``."""
        assert self.engine is not None
        await self.engine.listen()
        end = self.clock.ms + most_ms
        while (wait := await self.engine.poll()) is not None and self.clock.ms + wait <= end:
            self.clock.ms += wait

    async def _obey(self, facts: list[Fact]) -> None:
        """Answer the inbox as execution does."""
        requests, answers = requests_of(EXCHANGE, "telegram"), answers_to(EXCHANGE, "telegram")
        head, done = await self.store.head(requests), await self.store.head(answers)
        for row in [] if head is None else await self.store.read(requests, done, head):
            word = to_command(row.payload)
            arguments = word.get("arguments", {})
            close = self.book.time + MINUTE
            self.book.account, reply = obey(
                self.book.account, word["command"], arguments, close, self.book.terms, facts
            )
            answer = {**word, "status": "done" if reply.done else "refused", "answer": reply.sentence}
            answer |= {"reason": reply.reason, "numbers": dict(reply.numbers)}
            await self.store.append(answers, row.step, [serialize(answer)], after=await self.store.head(answers))

    def _candles(self, *prices: float) -> list[bytes]:
        record = np.zeros(1, CANDLE)
        record[0] = (self.time - MINUTE, prices[0], max(prices), min(prices), prices[-1], 1.0, 0)
        self._minutes.append(record[0])
        candles = []
        if self.time % QUARTER == 0 and len(self._minutes) >= 15:
            last = self._minutes[-15:]
            whole = np.zeros(1, CANDLE)
            high, low = max(one["high"] for one in last), min(one["low"] for one in last)
            whole[0] = (self.time - QUARTER, last[0]["open"], high, low, last[-1]["close"], 15.0, 0)
            candles.append(serialize(candle_dto(whole[0], EXCHANGE, SYMBOL, QUARTER)))
        return [*candles, serialize(candle_dto(record[0], EXCHANGE, SYMBOL, MINUTE))]

    async def _append(self, kind: str, symbol: str, payloads: list[bytes]) -> None:
        stream = Stream(kind, EXCHANGE, symbol)
        await self.store.append(stream, self.step, payloads, after=await self.store.head(stream))


def _look(language: str) -> Look:
    return look_in(language)


def owner(language: str = "en") -> Chat:
    return Chat(OWNER, "owner", language)

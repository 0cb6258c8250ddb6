"""Reads what the strategy and the account have stored and stores the news of it, each step once and in order.

The head of the news is the checkpoint, so whatever bell was lost and whenever the process died, no news is lost and
none is made twice. Nothing here decides a trade, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading_system.contracts import StepDTO, to_step
from trading_system.rules.fact_record import unpack_fact
from trading_system.rules.facts import Fact
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.roster import Place
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.room import EXECUTION, STRATEGY, WHOLE_ACCOUNT
from trading_system.services.telegram_engine.news import News, pack_news
from trading_system.services.telegram_engine.news_fold import NewsFold
from trading_system.store.patience import patiently
from trading_system.store.port import Store, Stream

NEWS = "news"
STEPS_AT_ONCE = 10_080  # a week of minutes; a long absence is read piece by piece


def news_of(exchange: str) -> Stream:
    """Return the stream of an account's news."""
    return Stream(NEWS, exchange, WHOLE_ACCOUNT)


class NewsRoom:
    """The maker of one account's news. ``checkpoint`` is the last step whose news are stored."""

    def __init__(self, store: Store, exchange: str, symbols: LineSymbols, fold: NewsFold) -> None:
        """Keep what is read."""
        self._store = store
        self._account = Stream(EXECUTION, exchange, WHOLE_ACCOUNT)
        self._symbols = symbols
        self._exchange = exchange
        self._news = news_of(exchange)
        self._fold = fold
        self._begun = False
        self.checkpoint = symbols.roster.origin

    async def start(self) -> None:
        """Fold what an earlier life has told already; nothing of it is told again."""
        head = await self._store.head(self._news)
        if head is None:
            return
        self._begun, self.checkpoint = True, head
        before = self._symbols.roster.origin
        while before < head:
            upto = min(before + STEPS_AT_ONCE, head)
            for _ in await self._folded(before, upto):
                pass
            before = upto

    async def catch_up(self) -> int:
        """Store the news of every step that the account has closed since, and return how many there were."""
        head = await self._store.head(self._account)
        told = 0
        while head is not None and self.checkpoint < head:
            upto = min(self.checkpoint + STEPS_AT_ONCE, head)
            for step, news in await self._folded(self.checkpoint, upto):
                await self._append(step, news)
                told += len(news)
            if self.checkpoint < upto:
                await self._append(upto, ())
        return told

    async def _append(self, step: int, news: Sequence[News]) -> None:
        after = self.checkpoint if self._begun else None
        rows = [pack_news(one) for one in news]
        # The fold is past this step already, so what it said must be written before anything else is read.
        await patiently(lambda: self._store.append(self._news, step, rows, after=after))
        self._begun, self.checkpoint = True, step

    async def _folded(self, after: int, upto: int) -> list[tuple[int, list[News]]]:
        """Return the news of each step in (after, upto] that has any; a day may also end in the last of them.

        The account has closed ``upto``, so the roster, read afterwards, knows who took part in these steps.
        """
        roster = await self._symbols.look()
        words: dict[int, list[StepDTO]] = {}
        for symbol in roster.places:
            member = roster.members[symbol]
            for row in await self._store.read(Stream(STRATEGY, self._exchange, symbol), after, upto):
                here = member.at(row.step)
                if here != Place.OUT and not here.is_unseen:
                    words.setdefault(row.step, []).append(to_step(row.payload))
        facts: dict[int, list[Fact]] = {}
        for row in await self._store.read(self._account, after, upto):
            facts.setdefault(row.step, []).append(unpack_fact(row.payload))
        return self._in_order(words, facts, upto)

    def _in_order(
        self, words: Mapping[int, list[StepDTO]], facts: Mapping[int, list[Fact]], upto: int
    ) -> list[tuple[int, list[News]]]:
        found = []
        for step in sorted({*words, *facts, upto}):
            news = self._fold.step(step * MINUTE_MS, words.get(step, ()), facts.get(step, ()))
            if news:
                found.append((step, news))
        return found

"""What a chat is told when it asks: where the account stands, what it holds, its signals, and why it did not trade.

Everything is read when it is asked for: prices, blocks and equity out of the cache, what is held and what was said out
of the store. Nothing that trades reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from trading_system.contracts import TradeSignalDTO, to_step
from trading_system.rules.account import Account
from trading_system.rules.grid import text_of
from trading_system.rules.holdings import Holding, holdings
from trading_system.rules.matching import MINUTE_MS
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.newest import SIDES, Newest
from trading_system.services.room import HIGHS_LOWS, STRATEGY, closing_step
from trading_system.services.stored_account import stored_account
from trading_system.services.telegram_engine.chats import NEEDED, Chat
from trading_system.services.telegram_engine.messages import money_text, quantity_text, short_id, signed
from trading_system.services.telegram_engine.news import (
    EntryFilled,
    EntryRefused,
    EntryWithdrawn,
    News,
    OfferEnded,
    Ordered,
    Signalled,
    TradeEnded,
    unpack_news,
)
from trading_system.services.telegram_engine.news_room import news_of
from trading_system.services.telegram_engine.telling import Voice, chat_side
from trading_system.store.port import Store, Stream

SIGNALS_SHOWN = 10
NEWS_READ = 2_000  # steps with news in which the newest signals are looked for


class Answers:
    """The answers of one line."""

    def __init__(
        self, store: Store, newest: Newest, exchange: str, symbols: LineSymbols, interval: str, mode: str
    ) -> None:
        """Keep what is asked about. interval: of the signals."""
        self._store = store
        self._newest = newest
        self._exchange = exchange
        self._symbols = symbols
        self._interval = interval
        self._mode = mode

    async def status(self, voice: Voice) -> str:
        """Return where the account stands. Raises: StoreError."""
        chat = voice.chat
        step, account = await stored_account(self._store, self._exchange)
        await self._symbols.look()
        mode = voice.alerts.named("mode", self._mode)
        lines = [chat.say("status.head", mode=mode, symbols=" ".join(self._symbols.traded))]
        if step is None or account is None:
            return "\n".join([*lines, chat.say("status.no_minute")])
        trades = [slot.trade for slot in account.slots if slot.trade is not None]
        waiting = sum(1 for trade in trades if trade.waiting)
        newest = await self._newest.account(step)
        equity = account.equity if newest is None else newest["equity"]
        positions = chat.counted("status.positions", len(trades) - waiting)
        entries = chat.counted("status.entries", waiting)
        lines += [
            chat.say("status.equity", equity=f"{equity:,.2f}"),
            chat.say("status.both", positions=positions, entries=entries),
            chat.say("status.minute", time=_time(step * MINUTE_MS)),
        ]
        off = [chat.named("halt", rule) for rule in _switches(account)]
        lines.append(chat.say("status.off", why=". ".join(off)) if off else chat.say("status.on"))
        for symbol in self._symbols.traded:
            lines += await self._market(symbol, step, voice)
        return "\n".join(lines)

    async def _market(self, symbol: str, step: int, voice: Voice) -> list[str]:
        """Return a symbol's last close with its minute, and the live order block nearest to it on each side."""
        candle = await self._newest.candle(symbol, step)
        if candle is None:
            return []
        time = _time(closing_step(candle) * MINUTE_MS)
        lines = [voice.chat.say("status.last", symbol=symbol, price=text_of(candle["close"]), time=time)]
        for side in SIDES:
            block = await self._newest.order_block(symbol, side)
            if block is not None:
                lines.append(
                    voice.chat.say(
                        "status.block",
                        side=voice.alerts.say(f"side.{side}"),
                        bottom=text_of(block["bottom"]),
                        top=text_of(block["top"]),
                        interval=block["interval"],
                    )
                )
        return lines

    async def positions(self, voice: Voice) -> str:
        """Return what each symbol holds, at the last closed minute. Raises: StoreError."""
        step, account = await stored_account(self._store, self._exchange)
        if step is None or account is None:
            return voice.chat.say("positions.none")
        account = await self._symbols.slots_of(account)
        closes = {}
        for symbol in self._symbols.places:
            candle = await self._newest.candle(symbol, step)
            if candle is not None:
                closes[symbol] = candle["close"]
        held = holdings(account, self._symbols.places, closes)
        return "\n\n".join(_holding(one, voice) for one in held) if held else voice.chat.say("positions.none")

    async def signals(self, voice: Voice) -> str:
        """Return the newest signals and what became of each, the newest first. Raises: StoreError."""
        fates: dict[str, tuple[TradeSignalDTO, str]] = {}
        for row in await self._store.last(news_of(self._exchange), NEWS_READ):
            news = unpack_news(row.payload)
            fate = _fate(news, voice)
            if fate is not None:
                fates[fate[0]["id"]] = fate
        newest = list(fates.values())[-SIGNALS_SHOWN:]
        lines = [
            voice.chat.say(
                "signals.line",
                time=signal["confirmed_at"].strftime("%m-%d %H:%M"),
                symbol=signal["symbol"],
                side=chat_side(signal, voice),
                id=short_id(signal["id"]),
                fate=fate,
            )
            for signal, fate in reversed(newest)
        ]
        return "\n".join(lines) if lines else voice.chat.say("signals.none")

    async def why(self, symbol: str, voice: Voice) -> str:
        """Return how a symbol's candles became signals, or why they did not. Raises: StoreError."""
        chat = voice.chat
        kinds: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        signals = 0
        for kind in (HIGHS_LOWS, STRATEGY):
            stream = Stream(kind, self._exchange, symbol)
            head = await self._store.head(stream)
            for row in [] if head is None else await self._store.read(stream, None, head):
                word = to_step(row.payload)
                kinds.update("swing" for one in word.get("swings", ()) if self._is_ours(one) and kind == HIGHS_LOWS)
                kinds.update(one["kind"] for one in word.get("events", ()) if self._is_ours(one))
                refused.update(one["rule"] for one in word.get("refused", ()))
                signals += len(word.get("signals", ()))
        by_account = await self._refused_by_account(symbol)
        found = {"swings": kinds["swing"], "blocks": kinds["ob_formed"], "flags": kinds["flag_breakout"]}
        lines = [
            chat.say("why.head", symbol=symbol, interval=self._interval),
            chat.say("why.found", **found),
            chat.counted("why.candidates", signals + refused.total()),
            *_refusals(refused, voice),
            chat.counted("why.signals", signals),
            *_refusals(by_account, voice),
        ]
        return "\n".join(lines)

    def help(self, chat: Chat, voice: Voice) -> str:
        """Return the commands that ``chat`` may give."""
        say = voice.chat.say
        lines = [say("help.head", role=say(f"role.{chat.role}"))]
        lines += [say("help.line", command=name, what=say(f"menu.{name}")) for name in NEEDED if chat.may(NEEDED[name])]
        return "\n".join(lines)

    def _is_ours(self, word: Mapping[str, object]) -> bool:
        return word["interval"] == self._interval

    async def _refused_by_account(self, symbol: str) -> Counter[str]:
        refused: Counter[str] = Counter()
        for row in await self._store.last(news_of(self._exchange), NEWS_READ):
            news = unpack_news(row.payload)
            if isinstance(news, Signalled) and news.refused is not None and news.signal["symbol"] == symbol:
                refused[news.refused["rule"]] += 1
        return refused


def _switches(account: Account) -> list[str]:
    switches = {"paused": account.paused, "day_loss": account.day_locked, "drawdown_stop": account.drawdown_locked}
    return [rule for rule, on in switches.items() if on]


def _holding(held: Holding, voice: Voice) -> str:
    chat, trade = voice.chat, held.trade
    side = voice.alerts.say("side.long" if held.side > 0 else "side.short")
    if held.waiting:
        return chat.say("positions.waits", symbol=held.symbol, side=side, entry=text_of(held.entry))
    quantity = quantity_text(held.symbol, held.quantity)
    lines = [chat.say("positions.open", symbol=held.symbol, side=side, quantity=quantity, entry=text_of(held.entry))]
    if held.last is not None and held.unrealised is not None and held.r is not None:
        money = money_text(signed(held.unrealised, 2), held.symbol)
        lines.append(chat.say("positions.now", last=text_of(held.last), r=signed(held.r, 1), money=money))
    targets = " ".join(text_of(price) for price in held.targets)
    lines.append(chat.say("positions.levels", stop=text_of(trade.stop), targets=targets))
    if not held.covered:
        lines.append(chat.say("positions.bare"))
    return "\n".join(lines)


def _fate(news: News, voice: Voice) -> tuple[TradeSignalDTO, str] | None:
    """Return the signal that ``news`` speaks of and what it says became of it, None where it says nothing new."""
    say = voice.chat.say
    if isinstance(news, Signalled):
        if news.refused is not None:
            return news.signal, say("fate.refused", why=voice.alerts.named("refused", news.refused["rule"]))
        return news.signal, say("fate.offered" if news.offered else "fate.waits")
    if isinstance(news, EntryRefused):
        return news.signal, say("fate.refused", why=voice.alerts.named("refused", news.refused["rule"]))
    if isinstance(news, TradeEnded):
        return news.signal, say("fate.closed", r=signed(news.r, 1))
    if isinstance(news, OfferEnded):
        return news.signal, say("fate.waits" if news.how == "taken" else "fate.declined")
    if isinstance(news, EntryWithdrawn):
        return news.signal, say("fate.withdrawn")
    if isinstance(news, EntryFilled):
        return news.signal, say("fate.open")
    return (news.signal, say("fate.waits")) if isinstance(news, Ordered) else None


def _refusals(refused: Counter[str], voice: Voice) -> list[str]:
    return [
        voice.chat.say("why.refused", count=count, why=voice.alerts.named("refused", rule))
        for rule, count in refused.most_common()
    ]


def _time(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M")

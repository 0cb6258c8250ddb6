"""News in a language: which messages each piece of news becomes, their buttons and their pictures.

The wording of a signal's life is in ``messages``; here stands what needs no layout of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from trading_system.charts.look import Look
from trading_system.contracts import TradeSignalDTO, to_alert
from trading_system.languages.speech import Speech
from trading_system.services.health_words import alert_sentence, health_in
from trading_system.services.replies import replies_in
from trading_system.services.telegram_engine.chat_wording import chat_in
from trading_system.services.telegram_engine.letter import Button, Letter, Painting
from trading_system.services.telegram_engine.messages import (
    alert_text,
    fill_text,
    money_text,
    order_text,
    quantity_text,
    refusal_text,
    short_id,
    signed,
    stop_text,
    summary_text,
    target_text,
)
from trading_system.services.telegram_engine.news import (
    DayEnded,
    EntriesHalted,
    EntriesResumed,
    EntryFilled,
    EntryRefused,
    EntryWithdrawn,
    Left,
    News,
    OfferEnded,
    Ordered,
    Signalled,
    TargetHit,
    TradeEnded,
)
from trading_system.services.telegram_engine.wording import alerts_in

TAKE, SKIP = "take", "skip"
TOLD_AS_NEWS = frozenset({"day_loss", "drawdown_stop"})


class Voice(NamedTuple):
    """One language: how alerts, chats and the account's replies speak in it, and how pictures look."""

    alerts: Speech
    chat: Speech
    replies: Speech
    look: Look

    @classmethod
    def of(cls, language: str, look: Callable[[str], Look]) -> Voice:
        """Return the voice of ``language``; ``look`` says how its pictures look. Raises: CatalogueError."""
        return cls(alerts_in(language), chat_in(language), replies_in(language), look(language))


class Terms(NamedTuple):
    """What an alert says of the account: the money behind it, and the size of its trades."""

    mode: str
    risk_percent: float
    leverage: float


def signal_text(news: Signalled, terms: Terms, voice: Voice) -> str:
    """Return the text of a signal: what it is, and what became of it."""
    taken = news.refused is None
    quantity = None if news.quantity is None else quantity_text(news.signal["symbol"], news.quantity)
    return alert_text(
        news.signal,
        mode=terms.mode,
        risk_percent=terms.risk_percent if taken else None,
        quantity=quantity,
        leverage=terms.leverage if taken else None,
        refused=news.refused,
        speech=voice.alerts,
    )


def letters_of(news: News, terms: Terms, voice: Voice, picture: Painting | None) -> list[Letter]:
    """Return the messages of ``news`` in their order; ``picture`` paints the one that belongs to it."""
    if isinstance(news, DayEnded):
        return [Letter(summary_text(news.summary, voice.alerts))]
    if isinstance(news, EntriesHalted):
        why = voice.chat.named("halt", news.rule)
        return [Letter(f"{voice.chat.say('halted.head')}\n{voice.chat.say('halted.line', why=why)}")]
    if isinstance(news, EntriesResumed):
        return [Letter(voice.chat.say("resumed"))]
    thread = news.signal["id"]
    if isinstance(news, Signalled):
        return _signalled(news, terms, voice, picture)
    if isinstance(news, TradeEnded):
        caption = voice.chat.say(
            "ended.caption",
            **_name(news.signal),
            r=signed(news.r, 1),
            money=money_text(signed(news.earned, 2), news.signal["symbol"]),
        )
        return [Letter(caption, picture, thread=thread)]
    return [Letter(_life_text(news, voice), thread=thread, settles=isinstance(news, OfferEnded))]


def alert_text_of(payload: bytes, language: str) -> str:
    """Return what a stored alert of the line's health says, "" where the account's own news have said it already."""
    alert = to_alert(payload)
    told = alert["kind"] in TOLD_AS_NEWS and not alert["over"]
    return "" if told else alert_sentence(alert, health_in(language))


def _signalled(news: Signalled, terms: Terms, voice: Voice, picture: Painting | None) -> list[Letter]:
    id_, text = news.signal["id"], signal_text(news, terms, voice)
    buttons: tuple[Button, ...] = ()
    if news.offered:
        ends = news.signal["expires_at"].strftime("%Y-%m-%d %H:%M")
        text = f"{text}\n{voice.chat.say('offer.ends', time=ends)}"
        buttons = tuple(Button(voice.chat.say(f"button.{word}"), f"{word}:{id_}") for word in (TAKE, SKIP))
    letters = [Letter(text, buttons=buttons, thread=id_, opens=True)]
    if picture is not None:
        letters.append(Letter("", picture, thread=id_))
    return letters


def _life_text(
    news: OfferEnded | Ordered | EntryRefused | EntryWithdrawn | EntryFilled | TargetHit | Left, voice: Voice
) -> str:
    signal, chat = news.signal, voice.chat
    if isinstance(news, Ordered):
        return order_text(signal, news.order, stop_armed=False, speech=voice.alerts)
    if isinstance(news, EntryFilled):
        return fill_text(signal, news.fill, voice.alerts)
    if isinstance(news, TargetHit):
        return target_text(
            signal, news.fill, news.number, rest=news.rest, stop_moved=news.stop_moved, speech=voice.alerts
        )
    if isinstance(news, Left):
        return stop_text(signal, news.fill, held_ms=news.held_ms, by_stop=news.by_stop, speech=voice.alerts)
    if isinstance(news, OfferEnded):
        key = f"offer.{news.how}" if news.how in {"taken", "skipped"} else "offer.ended"
        return chat.say(key, **_name(signal), **({"why": _why(news.how, voice)} if key == "offer.ended" else {}))
    side = chat_side(signal, voice)
    if isinstance(news, EntryRefused):
        why = refusal_text(news.refused, voice.alerts)
        head = chat.say("refused.head", side=side, **_name(signal))
        return f"{head}\n{chat.say('refused.line', why=why)}"
    head = chat.say("withdrawn.head", side=side, **_name(signal))
    return f"{head}\n{chat.say('withdrawn.line', why=_why(news.rule, voice))}"


def chat_side(signal: TradeSignalDTO, voice: Voice) -> str:
    """Return LONG or SHORT in the language of ``voice``."""
    return voice.alerts.say(f"side.{signal['side']}")


def _why(rule: str, voice: Voice) -> str:
    """Return why a waiting entry or offer came to its end."""
    words = voice.chat if f"withdrawal.{rule}" in voice.chat.words else voice.alerts
    return words.named("withdrawal" if words is voice.chat else "refused", rule)


def _name(signal: TradeSignalDTO) -> dict[str, str]:
    return {"symbol": signal["symbol"], "id": short_id(signal["id"])}

"""Every phrase about the health of a line: its alerts, what a service waits for, and what is wrong with it.

Who tells them: the Telegram engine the alerts, the command line the rest. When an alert is due is decided by the
monitoring engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.contracts import AlertDTO
from trading_system.languages.speech import Speech
from trading_system.services.vital_signs import WAITS, Trouble

DOMAIN = "health"
ALERTS: Mapping[str, str] = {
    "service_silent": "a service has given no sign for too long",
    "service_failed": "a service failed and does nothing more until it is started again",
    "service_behind": "a service is behind the feed and does not catch up",
    "bus_away": "the bus cannot be reached; the services go on through the store",
    "store_away": "the store cannot be reached; told when it is back, for nothing can be written before",
    "feed_silent": "no candle of a symbol has closed for too long by the venue's time",
    "symbol_unseen": "the account goes on without a symbol, whose minutes have not come for too long",
    "position_unprotected": "a position has no stop at the venue",
    "orders_unknown": "the venue has not said what became of an order",
    "day_loss": "today's loss has switched entries off",
    "drawdown_stop": "the fall from the peak has switched entries off",
    "bad_messages": "somebody says on the bus what is no message of ours; it has no effect",
    "disk_low": "the disk is nearly full",
    "clock_off": "the clock of a machine is wrong",
}
"""What a person is alerted of, once when it begins and once when it is over."""

ENGLISH: Mapping[str, str] = {
    "service_silent.begun": "🩺 {subject} has given no sign for {age_s} s.",
    "service_silent.over": "✅ {subject} gives signs again, after {lasted_s} s.",
    "service_failed.begun": "🛑 {subject} failed: {sentence}",
    "service_failed.over": "✅ {subject} works again, after {lasted_s} s.",
    "service_behind.begun": "🩺 {subject} is behind the feed by {behind} min.",
    "service_behind.over": "✅ {subject} has caught up with the feed.",
    "bus_away.begun": "🩺 The bus cannot be reached. The services go on through the store.",
    "bus_away.over": "✅ The bus is back, after {lasted_s} s.",
    "store_away.begun": "🛑 The store cannot be reached.",
    "store_away.over": "✅ The store is back. It was away for {lasted_s} s.",
    "feed_silent.begun": "🩺 No candle of {subject} for {age_s} s.",
    "feed_silent.over": "✅ Candles of {subject} come again.",
    "symbol_unseen.begun": "🩺 The account goes on without {subject}: its minutes do not come. No entries there; "
    "a stop at the venue stays.",
    "symbol_unseen.over": "✅ {subject} takes part again.",
    "position_unprotected.begun": "🛑 The position in {subject} has no stop at the venue.",
    "position_unprotected.over": "✅ The position in {subject} is protected or closed, after {lasted_s} s.",
    "orders_unknown.begun": "🩺 Orders without an answer from the venue: {unknown}.",
    "orders_unknown.over": "✅ It is known what became of every order.",
    "day_loss.begun": "🛑 Today's loss is {loss_pct}%. No entries until the next UTC day.",
    "day_loss.over": "✅ A new day has begun. Entries are on again.",
    "drawdown_stop.begun": "🛑 The account fell by {loss_pct}% from its peak. No entries until `resume`.",
    "drawdown_stop.over": "✅ The drawdown stop is lifted. Entries are on again.",
    "bad_messages.begun": "🩺 Messages at {subject} that are none of ours, too many or refused: {messages} so far.",
    "bad_messages.over": "✅ {subject} gets no more bad messages.",
    "disk_low.begun": "🩺 Only {free_mb} MB are left on the disk.",
    "disk_low.over": "✅ There is room on the disk again.",
    "clock_off.begun": "🩺 The clock of {subject} is wrong by {off_s} s.",
    "clock_off.over": "✅ The clock of {subject} is right again.",
    # what a health check answers
    "healthy": "✅ {subject} is in order.",
    # a service's status
    "vital.ok": "ok",
    "vital.waiting": "waiting",
    "vital.behind": "behind",
    "vital.failed": "failed",
    "vital.silent": "silent",
    **{f"waits.{code}": phrase for code, phrase in WAITS.items()},
}


def health_in(language: str) -> Speech:
    """Return how health is spoken of in ``language``. Raises: CatalogueError."""
    return Speech.of(DOMAIN, ENGLISH, language)


def alert_sentence(alert: AlertDTO, speech: Speech) -> str:
    """Return what a person is told of an alert; a kind that this version does not know is told by its name."""
    return alert_phrase(alert["kind"], alert["subject"], alert["numbers"], speech, over=alert["over"])


def alert_phrase(
    kind: str, subject: str, numbers: Mapping[str, float | int | str], speech: Speech, *, over: bool = False
) -> str:
    """Return what a person is told of one end of an episode."""
    key = f"{kind}.{'over' if over else 'begun'}"
    return _said(key, subject, numbers, speech) if key in speech.words else f"{kind}: {subject}"


def trouble_sentence(subject: str, trouble: Trouble | None, speech: Speech) -> str:
    """Return what a health check answers of ``subject``."""
    if trouble is None:
        return speech.say("healthy", subject=subject)
    return _said(f"{trouble.kind}.begun", subject, trouble.numbers, speech)


def _said(key: str, subject: str, numbers: Mapping[str, float | int | str], speech: Speech) -> str:
    return speech.say(key, **{"subject": subject, **{name: _shown(value) for name, value in numbers.items()}})


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.10g}"

"""Every phrase that a chat hears besides the alerts: news without a signal's layout, answers, buttons, the menu."""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.languages.speech import Speech

DOMAIN = "telegram"
ENGLISH: Mapping[str, str] = {
    # news
    "withdrawn.head": "⌛ Entry taken back · {symbol} {side} #{id}",
    "withdrawn.line": "{why}. Nothing was opened.",
    "refused.head": "⚠️ Order rejected · {symbol} {side} #{id}",
    "refused.line": "{why}. Nothing was opened.",
    "ended.caption": "{symbol} #{id}: {r}R · {money}",
    "halted.head": "⛔ Entries are off",
    "halted.line": "{why}. Stops and targets stay on the exchange.",
    "resumed": "▶️ Entries are on again",
    "offer.ends": "Waits for you until {time} UTC.",
    "offer.taken": "✅ Taken · {symbol} #{id}",
    "offer.skipped": "❌ Skipped · {symbol} #{id}",
    "offer.ended": "⌛ The offer has ended · {symbol} #{id}: {why}",
    "again": "(sent again: the answer to the first sending was lost)",
    # why an entry was taken back
    "withdrawal.expired": "It did not fill in its time",
    "withdrawal.missed": "Price reached the first target before it filled",
    "withdrawal.zone_gone": "Price went through the order block, or the block expired",
    "withdrawal.opposite_choch": "The structure turned against the plan",
    "withdrawal.day_loss": "The loss limit of the day is reached",
    "withdrawal.drawdown_stop": "The drawdown limit is reached",
    "withdrawal.paused": "Entries were switched off",
    "withdrawal.by_hand": "It was closed by hand",
    "withdrawal.symbol_leaves": "The symbol leaves the line",
    "withdrawal.symbol_unseen": "The symbol's minutes did not come",
    "withdrawal.stop_reached": "Price reached the stop before it was taken",
    # why entries are off
    "halt.day_loss": "The loss limit of the day is reached; they are on again with the next UTC day",
    "halt.drawdown_stop": "The drawdown limit is reached; they stay off until /resume",
    "halt.paused": "You or another person switched them off; they stay off until /resume",
    # buttons
    "button.take": "✅ Take it",
    "button.skip": "❌ Skip",
    "button.close": "Yes, close {symbol}",
    "button.panic": "Yes, close everything",
    "button.cancel": "No",
    # answers
    "answer.welcome": "This chat is paired as {role}. /help names the commands.",
    "answer.another": "Chat {chat} is paired as {role} now. Was it you? If not, stop the line and change its chats.",
    "answer.not_allowed": "Your role is {role}; this command needs {needed}.",
    "answer.unknown": "There is no command {command}. /help names those there are.",
    "answer.no_symbol": "{symbol} is not traded here. This line trades {symbols}.",
    "answer.which_symbol": "Which symbol? This line trades {symbols}.",
    "answer.language": "From now on in English.",
    "answer.which_language": "Which language? There are {languages}.",
    "answer.done": "✅ {what}: {why}",
    "answer.refused": "⚠️ {what}: {why}",
    "answer.not_yet": "{what}: asked, not answered yet. The answer follows as soon as the account runs.",
    "answer.store_away": "The store cannot be reached now; it is not certain that this was taken. See /status.",
    "answer.confirm_close": "Close {symbol} at market, or take its entry back? This question ends in {seconds} s.",
    "answer.confirm_panic": "Switch entries off, cancel every waiting entry and close every position at market? "
    "This question ends in {seconds} s.",
    "answer.cancelled": "Nothing was done.",
    "answer.press_again": "Nobody was listening; press again if you still mean it.",
    "answer.too_late": "Too late: the question has ended. Nothing was done.",
    "answer.no_candles": "There is no closed candle of {symbol} yet.",
    # status
    "status.head": "{mode} · {symbols}",
    "status.equity": "Equity {equity}",
    "status.minute": "Last minute closed: {time} UTC",
    "status.no_minute": "No minute is closed yet.",
    "status.positions.one": "{count} position",
    "status.positions.other": "{count} positions",
    "status.entries.one": "{count} entry waits",
    "status.entries.other": "{count} entries wait",
    "status.both": "{positions}, {entries}",
    "status.on": "Entries are on.",
    "status.off": "⛔ Entries are off. {why}.",
    "status.last": "{symbol} {price} at {time} UTC",
    "status.block": "Nearest order block {side}: {bottom} – {top} ({interval})",
    # positions
    "positions.none": "No position, no waiting entry.",
    "positions.open": "{symbol} {side} · {quantity} @ {entry}",
    "positions.waits": "{symbol} {side} · waits for {entry}",
    "positions.now": "now {last} · {r}R ({money})",
    "positions.levels": "stop {stop} · targets {targets}",
    "positions.bare": "⚠️ no stop covers all of it",
    # signals
    "signals.none": "No signal yet. /why says what became of the candidates.",
    "signals.line": "{time} {symbol} {side} #{id}: {fate}",
    "fate.refused": "refused, {why}",
    "fate.offered": "offered",
    "fate.waits": "its entry waits",
    "fate.withdrawn": "taken back",
    "fate.open": "open",
    "fate.declined": "declined",
    "fate.closed": "closed {r}R",
    # why
    "why.head": "{symbol} · {interval}",
    "why.found": "swings {swings} · order blocks {blocks} · flags {flags}",
    "why.candidates.one": "{count} candidate",
    "why.candidates.other": "{count} candidates",
    "why.refused": "− {count}: {why}",
    "why.signals.one": "{count} signal",
    "why.signals.other": "{count} signals",
    # roles and the menu
    "role.owner": "owner",
    "role.trader": "trader",
    "role.viewer": "viewer",
    "help.head": "What you may ask (your role: {role}):",
    "help.line": "/{command} {what}",
    "menu.status": "where the account stands",
    "menu.positions": "positions and waiting entries",
    "menu.signals": "the newest signals and what became of them",
    "menu.chart": "a chart of a symbol",
    "menu.why": "why there was no trade",
    "menu.pause": "switch entries off",
    "menu.resume": "switch entries on",
    "menu.close": "close a symbol",
    "menu.panic": "entries off and everything closed",
    "menu.lang": "choose the language: en or ar",
    "menu.help": "this list",
}


def chat_in(language: str) -> Speech:
    """Return how a chat is spoken to in ``language``. Raises: CatalogueError."""
    return Speech.of(DOMAIN, ENGLISH, language)

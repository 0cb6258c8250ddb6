# ruff: noqa: INP001
"""Writes the tables of the papers that are made from the code, each between two marks in a page.

Which sets are closed and what their members mean is said in the code; where a table stands is said in the page.
Run with ``--check`` it writes nothing and exits 1 if a page is stale.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, get_type_hints

import typer

from trading_system import contracts
from trading_system.cli.exit_codes import EXIT_CODES
from trading_system.cli.group import app
from trading_system.contracts import channels
from trading_system.known_errors import known_names
from trading_system.rules.commands import COMMANDS as ASKED
from trading_system.rules.commands import REPLIES
from trading_system.rules.facts import DECLINES, WITHDRAWALS
from trading_system.rules.parameters import RULES, Choice
from trading_system.rules.risk import REJECTIONS
from trading_system.rules.signals import SIGNAL_REFUSALS
from trading_system.services.health_words import ALERTS
from trading_system.services.monitoring_engine.metrics import METERS
from trading_system.services.telegram_engine.chat_wording import chat_in
from trading_system.services.telegram_engine.chats import NEEDED
from trading_system.services.telegram_engine.telling import Terms as TelegramTerms
from trading_system.services.telegram_engine.telling import Voice, letters_of
from trading_system.settings import DETECTION_GROUPS, secret_keys, setting_keys, variable_of
from trading_system.spoken import look_in

sys.path.insert(0, str(Path(__file__).parent))
from sample_news import sample_news

ROOT = Path(__file__).parents[1]
PAGES = tuple(sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]))
MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
EXAMPLE = "BTCUSDT"
# Names that belong to no symbol are plain constants, which cannot carry a sentence of their own.
FOR_ALL_SYMBOLS = {
    "SYSTEM_HEALTH": "the channel of the services' heartbeats (HealthDTO)",
    "SYSTEM_ALERT": "the doorbell of the stream of alerts (AlertDTO)",
    "SYSTEM_COMMAND": "the doorbell of the command inbox (CommandDTO)",
    "ACCOUNT_KEY": "the cache key of the account after its last step (AccountDTO)",
}


class PageError(ValueError):
    """A page and the tables do not fit together."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def settings_table() -> str:
    """Every key of ``--set`` outside detection, its name in the environment, its default and its meaning."""
    rows = [
        (f"`{key}`", f"`{variable_of(key)}`", _shown(default), meaning)
        for key, (default, meaning) in setting_keys().items()
    ]
    return table(("key", "in the environment", "default", "meaning"), rows)


def secrets_table() -> str:
    """Every secret, its name in the environment and its meaning."""
    rows = [(f"`{variable_of(key)}`", meaning) for key, meaning in secret_keys().items()]
    return table(("in `.env` or in the environment", "meaning"), rows)


def detection_table() -> str:
    """Every parameter of the detectors, its default and what it may be."""
    rows = []
    for name, rule in RULES.items():
        if name.partition(".")[0] not in DETECTION_GROUPS:
            continue
        if isinstance(rule, Choice):
            allowed = ", ".join(_shown(word) for word in rule.words)
        else:
            allowed = f"{rule.least} to {rule.most}"
        rows.append((f"`{name}`", _shown(rule.default), allowed))
    return table(("key", "default", "allowed"), rows)


def reasons_table(reasons: Mapping[str, str], what: str = "rule") -> str:
    """One closed set of reasons and what each means."""
    return table((what, "meaning"), [(f"`{rule}`", _sentence(meaning)) for rule, meaning in reasons.items()])


def commands_table() -> str:
    """Every command of the command line."""
    rows = [(f"`{name}`", _first_line(command.help)) for name, command in _commands(typer.main.get_command(app))]
    return table(("command", "what it does"), rows)


def channels_table() -> str:
    """Every channel and cache key, as named for one symbol."""
    rows = [
        (f"`{value}`", f"`{name}`", FOR_ALL_SYMBOLS[name]) for name, value in vars(channels).items() if name.isupper()
    ]
    for name, function in inspect.getmembers(channels, inspect.isfunction):
        if name.startswith("_") or name not in contracts.__all__:
            continue
        words = {"symbol": EXAMPLE, "service": "data_feed", "side": "long"}
        value = function(*(words[parameter] for parameter in inspect.signature(function).parameters))
        rows.append((f"`{value}`", f"`{name}`", _first_line(function.__doc__).removeprefix("Return ")))
    return table(("name", "in `contracts`", "what it is"), rows)


def messages_table() -> str:
    """Every message, with its fields; those that may be left out are marked."""
    rows = []
    for name in contracts.__all__:
        word = getattr(contracts, name)
        if not name.endswith("DTO"):
            continue
        optional = word.__optional_keys__
        fields = [f"{field}?" if field in optional else field for field in get_type_hints(word)]
        rows.append((f"`{name}`", " ".join(fields), _first_line(word.__doc__)))
    return table(("message", "fields (`?`: may be left out)", "what it says"), rows)


def errors_table() -> str:
    """Every error whose sentence says what a person can do."""
    rows = []
    for module, name in known_names():
        error = getattr(importlib.import_module(module), name)
        rows.append((f"`{name}`", _first_line(error.__doc__), f"`{module.removeprefix('trading_system.')}`"))
    return table(("error", "what it means", "said by"), sorted(rows))


def exit_codes_table() -> str:
    """Every exit code of the command line."""
    return table(("code", "meaning"), [(f"`{code}`", meaning) for code, meaning in EXIT_CODES.items()])


def metrics_table() -> str:
    """Every metric with its kind, its label and its meaning."""
    rows = []
    for meter in METERS:
        kind = "counter" if meter.name.endswith("_total") else "gauge"
        rows.append((f"`{meter.name}`", kind, f"`{meter.label}`" if meter.label else "", meter.meaning))
    return table(("metric", "kind", "label", "meaning"), rows)


def alerts_table() -> str:
    """Every alert and what it means."""
    return table(("kind", "meaning"), [(f"`{kind}`", meaning) for kind, meaning in ALERTS.items()])


def chat_commands_table(language: str) -> str:
    """Every command of a chat, who may give it, and what it does."""
    say = chat_in(language).say
    head = {"en": ("command", "from", "what it does"), "ar": ("الأمر", "لمن", "ما يفعل")}[language]
    rows = [(f"`/{name}`", say(f"role.{role}"), say(f"menu.{name}")) for name, role in NEEDED.items()]
    return table(head, rows)


def transcript(language: str) -> str:
    """One message of every kind, as a chat reads it; [brackets] are buttons."""
    voice = Voice.of(language, look_in)
    blocks = []
    for news in sample_news():
        for letter in letters_of(news, TelegramTerms("PAPER", 1.0, 3.0), voice, None):
            buttons = " ".join(f"[{button.label}]" for button in letter.buttons)
            blocks.append("\n".join(part for part in (letter.text, buttons) if part))
    return "\n\n".join(f"```text\n{block}\n```" for block in blocks)


TABLES = {
    "metrics": metrics_table,
    "alerts": alerts_table,
    "settings": settings_table,
    "secrets": secrets_table,
    "detection": detection_table,
    "signal_refusals": lambda: reasons_table(SIGNAL_REFUSALS),
    "rejections": lambda: reasons_table(REJECTIONS),
    "withdrawals": lambda: reasons_table(WITHDRAWALS),
    "declines": lambda: reasons_table(DECLINES),
    "asked": lambda: reasons_table(ASKED, "command"),
    "replies": lambda: reasons_table(REPLIES, "reply"),
    "commands": commands_table,
    "errors": errors_table,
    "exit_codes": exit_codes_table,
    "channels": channels_table,
    "messages": messages_table,
    "chat_commands": lambda: chat_commands_table("en"),
    "chat_commands_ar": lambda: chat_commands_table("ar"),
    "transcript_en": lambda: transcript("en"),
    "transcript_ar": lambda: transcript("ar"),
}


def renewed(text: str) -> str:
    """Return a page's text with every marked table made anew. Raises: PageError for a table that nobody makes."""

    def fill(found: re.Match[str]) -> str:
        name = found[2]
        if name not in TABLES:
            raise PageError(f"expected a table out of {', '.join(TABLES)}, was {name!r}; correct the mark in the page")
        return f"{found[1]}{TABLES[name]()}\n{found[3]}"

    return MARKED.sub(fill, text)


def tables_in(text: str) -> list[str]:
    """Return the names of the tables that a page's text holds."""
    return [found[2] for found in MARKED.finditer(text)]


def stale_pages() -> dict[Path, str]:
    """Return the pages that are not as the code says, each with the text that it should have."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    return {page: new for page, text in texts.items() if (new := renewed(text)) != text}


def main(arguments: Sequence[str]) -> int:
    """Renew the pages, or only name the stale ones with ``--check``; return the exit code."""
    check = "--check" in arguments
    stale = stale_pages()
    for page, text in stale.items():
        if not check:
            page.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{page.relative_to(ROOT)}: {'stale, run `make docs`' if check else 'renewed'}\n")
    return int(check and bool(stale))


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command of a group by its whole name, those of the groups inside it too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _shown(value: Any) -> str:
    if isinstance(value, IntEnum):
        return f"`{value.name.lower()}`"
    if isinstance(value, tuple):
        return "`" + ",".join(str(part) for part in value) + "`"
    return f"`{value}`" if str(value) else "(empty)"


def _sentence(text: str) -> str:
    return text[0].lower() + text[1:].rstrip(".")


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n\n")[0].replace("\n", " ").replace("``", "`").rstrip(".")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Writes help: the listing of all commands, in any language, and a command's own page where it is not English.

An English page of a command is laid out by typer. Nothing here imports a command.
"""

import re
from collections.abc import Mapping
from typing import Any

from trading_system.cli.command_table import ABOUT, COMMANDS, OPTIONS, PROGRAM
from trading_system.languages.catalogue import ENGLISH, texts_of
from trading_system.languages.isolates import ISOLATE, POP, isolated

DOMAIN = "help"
TITLES = ("Usage", "Options", "Commands", "Arguments")
REMARKS = ("default: {value}", "required")
HELP_OPTION = "Show this message and exit."
WIDTH = 80
_EXTRAS = re.compile(r"\s*\[([^\[\]]*)\]$")
_HELD = "\ue000"  # stands for a blank inside an isolate while lines are broken
_INSIDE = re.compile(f"{ISOLATE}[^{POP}]*{POP}")


def listing(language: str = ENGLISH) -> str:
    """Return what ``--help`` prints, without a line break at its end; made without importing any command."""
    usage = _from_the_left(f"{PROGRAM} COMMAND ...", language)
    lines = [f"{said('Usage', language)}: {usage}", ""]
    lines += [*(f"  {said(sentence, language)}" for sentence in ABOUT), ""]
    lines += [f"{said('Options', language)}:", *_columns(OPTIONS, language), ""]
    lines += [f"{said('Commands', language)}:"]
    lines += _columns({name: row.line for name, row in COMMANDS.items()}, language)
    return "\n".join(lines)


def page_of(command: Any, ctx: Any, language: str) -> str:
    """Return the help of a command of typer's in ``language``, without a line break at its end."""
    usage = _from_the_left(" ".join([ctx.command_path, *command.collect_usage_pieces(ctx)]), language)
    lines = [f"{said('Usage', language)}: {usage}", ""]
    lines += [f"  {line}" for line in _broken(said(flat(command.help), language), WIDTH - 2)]
    sections: dict[str, dict[str, str]] = {}
    for parameter in command.get_params(ctx):
        title = "Arguments" if parameter.param_type_name == "argument" else "Options"
        record = parameter.get_help_record(ctx)
        if record is not None:
            sections.setdefault(title, {})[record[0]] = record[1]
    if hasattr(command, "list_commands"):
        inner = {name: command.get_command(ctx, name) for name in command.list_commands(ctx)}
        sections["Commands"] = {name: flat(one.help) for name, one in inner.items()}
    for title, rows in sections.items():
        lines += ["", f"{said(title, language)}:", *_columns(rows, language)]
    return "\n".join(lines)


def said(text: str, language: str) -> str:
    """Return a text of the help in ``language``; in English where the catalogue has none."""
    return text if language == ENGLISH else texts_of(DOMAIN, language).get(text, text)


def flat(text: str | None) -> str:
    """Return a text without the line breaks of its source."""
    return " ".join((text or "").split())


def _columns(rows: Mapping[str, str], language: str) -> list[str]:
    wide = max(map(len, rows))
    lines = []
    for name, text in rows.items():
        first, *rest = _broken(_with_remarks(text, language), WIDTH - wide - 4)
        lines.append(f"  {_from_the_left(name, language)}{' ' * (wide - len(name))}  {first}")
        lines += [f"{' ' * (wide + 4)}{line}" for line in rest]
    return lines


def _with_remarks(text: str, language: str) -> str:
    """Translate a row of help; what typer writes behind it in brackets, piece by piece."""
    found = _EXTRAS.search(text)
    if language == ENGLISH or found is None:
        return said(text, language)
    pieces = []
    for piece in found[1].split("; "):
        name, colon, value = piece.partition(": ")
        remark = said(f"{name}: {{value}}" if colon else name, language)
        # What is no word of the catalogue, such as x>=0, is written from the left.
        pieces.append(remark.format(value=isolated(value, space=" ")) if colon else isolated(remark, space=" "))
    return f"{said(text[: found.start()], language)} ({'؛ '.join(pieces)})".strip()


def _from_the_left(text: str, language: str) -> str:
    return text if language == ENGLISH else isolated(text, space=" ")


def _broken(text: str, width: int) -> list[str]:
    """Break a text into lines, never inside what is written from the left."""
    if len(text) <= width:
        return [text]
    from textwrap import wrap

    held = _INSIDE.sub(lambda found: found[0].replace(" ", _HELD), text)
    return [line.replace(_HELD, " ") for line in wrap(held, width, break_long_words=False, break_on_hyphens=False)]

"""The help of every command exists in every language, fits a terminal and keeps what is written from the left."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from trading_system.cli import help_page
from trading_system.cli.command_table import ABOUT, COMMANDS, OPTIONS
from trading_system.cli.group import app
from trading_system.cli.help_page import WIDTH, flat, listing
from trading_system.languages.catalogue import LANGUAGES, texts_of
from trading_system.languages.isolates import ISOLATE, POP

OTHERS = LANGUAGES[1:]


def commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield command
        if hasattr(command, "commands"):
            yield from commands(command)


def help_texts() -> set[str]:
    texts = {*ABOUT, *OPTIONS.values(), *help_page.TITLES, *help_page.REMARKS, help_page.HELP_OPTION}
    texts |= {row.line for row in COMMANDS.values()}
    for command in commands(get_command(app)):
        texts.add(flat(command.help))
        texts |= {parameter.help for parameter in command.params if parameter.help}
    return texts


def outside_isolates(text: str) -> str:
    return re.sub(f"{ISOLATE}[^{POP}]*{POP}", "", text)


@pytest.mark.parametrize("language", OTHERS)
def test_every_help_text_is_translated_and_none_that_is_gone(language: str) -> None:
    have, said = set(texts_of(help_page.DOMAIN, language)), help_texts()
    assert sorted(said - have) == []
    assert sorted(have - said) == []


@pytest.mark.parametrize("language", OTHERS)
def test_no_translated_help_leaves_latin_letters_where_they_could_turn_round(language: str) -> None:
    for text in texts_of(help_page.DOMAIN, language).values():
        left = outside_isolates(text)
        assert text.count(ISOLATE) == text.count(POP), text
        assert not re.search(r"[A-Za-z⟦⟧\u0660-\u0669]", "".join(part[0] for part in string.Formatter().parse(left))), (
            text
        )


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS), ("config", "show")])
def test_arabic_help_is_arabic_and_no_line_is_cut(words: tuple[str, ...], tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "trading_system.cli", *words, "--help", "--lang", "ar"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=tmp_path,
    )
    lines = told.stdout.splitlines()
    assert lines[0].startswith("الاستعمال: ")
    for line in lines:
        assert len(line.replace(ISOLATE, "").replace(POP, "")) <= WIDTH
        assert line.count(ISOLATE) == line.count(POP)
        assert not re.search(r"[A-Za-z]", outside_isolates(line)), line


def test_the_listing_is_there_in_every_language() -> None:
    for language in LANGUAGES:
        assert all(name in listing(language) for name in COMMANDS)

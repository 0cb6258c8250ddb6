"""The table of commands: each row leads to its command, fits a narrow terminal, and is shown without importing any."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from trading_system.cli.command_table import COMMANDS, PROGRAM
from trading_system.cli.group import Commands, app
from trading_system.cli.help_page import listing

NARROW = 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_row_leads_to_a_command_of_its_name_with_a_help_of_its_own(name: str) -> None:
    command = Commands()[name]
    assert command.name == name
    assert command.help


def test_the_program_has_the_commands_of_the_table_and_no_others() -> None:
    found = get_command(app).commands  # type: ignore[attr-defined]
    assert list(found) == list(COMMANDS)
    assert len(found) == len(COMMANDS)
    assert "trade" not in found


def test_the_listing_names_every_command_on_a_line_that_is_not_cut() -> None:
    lines = listing().splitlines()
    assert lines[0] == f"Usage: {PROGRAM} COMMAND ..."
    for name, row in COMMANDS.items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.endswith(row.line)
    assert max(map(len, lines)) <= NARROW


@pytest.mark.parametrize("words", [["--help"], ["--config", "x.toml", "--help"], []])
def test_help_is_the_listing_however_it_is_asked_for(words: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "trading_system.cli", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert (told.stdout or told.stderr) == listing() + "\n"
    assert told.returncode == (0 if words else 2)


def test_help_imports_no_command_and_nothing_of_others() -> None:
    code = (
        "import sys; sys.argv = ['trading-system', '--help'];"
        "from trading_system.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*[name for name in sys.modules if name.partition('.')[0] in ('typer', 'click', 'rich', 'pydantic')])\n"
        "print(*[name for name in sys.modules if name.startswith('trading_system.cli.')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    *_, others, ours = told.stdout.splitlines()
    assert others == ""
    assert set(ours.split()) == {
        f"trading_system.cli.{name}" for name in ("entry", "command_table", "exit_codes", "help_page", "language")
    }

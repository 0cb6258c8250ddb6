"""Makes the table of commands into one that can be called: the module of a command is imported when it is named."""

import gc
import importlib
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from trading_system.cli import given
from trading_system.cli.command_table import COMMANDS, PROGRAM
from trading_system.cli.help_page import listing, page_of
from trading_system.cli.language import OPTION, spoken
from trading_system.cli.said import refuse
from trading_system.languages.catalogue import ENGLISH, LANGUAGES


class Commands(Mapping[str, Any]):
    """The commands of the table by name, each made when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        """Return a command, importing its module. Raises: KeyError."""
        written = getattr(importlib.import_module(f"trading_system.cli.{COMMANDS[name].module}"), name)
        command = typer.main.get_command(typer_of(written))
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        """Yield the names in the order of the table."""
        return iter(COMMANDS)

    def __len__(self) -> int:
        """Return how many commands there are."""
        return len(COMMANDS)


class CommandGroup(TyperGroup):
    """The program itself, whose commands and help are those of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("Any", Commands())  # a Mapping only: nothing is ever added

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  every list is the same
        """Return the names of the commands; imports none of them."""
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the listing as the table has it."""
        formatter.write(listing(spoken.get()) + "\n")


class SpokenCommand(TyperCommand):
    """A command whose help is in the language of this start."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page; typer's own where it is English."""
        if spoken.get() == ENGLISH:
            super().format_help(ctx, formatter)
        else:
            formatter.write(page_of(self, ctx, spoken.get()) + "\n")


class SpokenGroup(TyperGroup):
    """A command with commands of its own, whose help is in the language of this start."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page; typer's own where it is English."""
        if spoken.get() == ENGLISH:
            super().format_help(ctx, formatter)
        else:
            formatter.write(page_of(self, ctx, spoken.get()) + "\n")


def typer_of(written: Any) -> typer.Typer:
    """Return what a command's module offers, a function or functions by name round a first one, as typer takes it."""
    made = typer.Typer(
        cls=SpokenGroup,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    if callable(written):
        made.command(cls=SpokenCommand)(written)
        return made
    about, *inner = written
    made.callback()(about)
    for function in inner:
        # one whose name is a word of Python's is written with a line behind it
        made.command(function.__name__.rstrip("_"), cls=SpokenCommand)(function)
    return made


app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def begin(
    config: Annotated[Path | None, typer.Option("--config", readable=False, metavar="FILE")] = None,
    lang: Annotated[str | None, typer.Option(OPTION, metavar="|".join(LANGUAGES))] = None,
) -> None:
    """Make ready for a command: its settings file, its language, and a log that shows no secret."""
    from trading_system.redaction import PROCESS, RedactingFormatter

    gc.enable()
    if lang is not None and lang not in LANGUAGES:
        refuse(f"{OPTION}: expected {' or '.join(map(repr, LANGUAGES))}, was {lang!r}")
    given.config_file.set(config)
    given.language.set(lang)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"), PROCESS))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def called(words: list[str]) -> Any:
    """Run the command that ``words`` name; return its exit code, or nothing. Raises: what the command raised."""
    # Not standalone, so that errors come here; an exit code, also that of Ctrl-C, then comes back as a value.
    return app(words, prog_name=PROGRAM, standalone_mode=False)

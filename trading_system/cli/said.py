"""What a command says: notes and refusals on standard error, a run's result on standard output."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from trading_system.cli.exit_codes import WRONG_INPUT
from trading_system.cli.language import speech, spoken
from trading_system.languages.sentences import said_in

if TYPE_CHECKING:
    from trading_system.settings import Settings


def say(sentence: str) -> None:
    """Print a sentence for the person who watches."""
    typer.echo(sentence, err=True)


def in_our_language(sentence: str) -> str:
    """Return an English sentence of the code in the language of this start."""
    return said_in(sentence, spoken.get())


def say_error(sentence: str) -> None:
    """Print what is wrong, an English sentence, in the language of this start."""
    say(speech().say("error", sentence=in_our_language(sentence)))


def refuse(sentence: str) -> NoReturn:
    """Say what was expected, what was given and what mends it, and end with the code of a wrong input."""
    say_error(sentence)
    raise typer.Exit(WRONG_INPUT)


def print_run(summary: dict[str, Any], folder: Path, settings: "Settings", as_json: bool) -> None:
    """Print what came of a run, as a table or as one object."""
    from trading_system.cli.given import speech_of
    from trading_system.console import print_json, print_summary

    if as_json:
        print_json({**summary, "folder": str(folder)})
    else:
        print_summary(summary, folder, speech_of(settings))

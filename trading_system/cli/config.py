"""`config`: the settings printed, checked and described. What a setting is stands in ``settings``."""

import json as json_format
from typing import Annotated, Any

import typer

from trading_system.cli.exit_codes import WRONG_INPUT
from trading_system.cli.given import config_file
from trading_system.cli.language import speech
from trading_system.cli.options import AsJson, Sets
from trading_system.cli.said import say_error


def begin() -> None:
    """Read the settings: which value counts, whether all are in order, what may be set."""


def show(
    origin: Annotated[bool, typer.Option("--origin", help="say where each value comes from")] = False,
    set_: Sets = None,
    json: AsJson = False,
) -> None:
    """Print every setting with the value that counts; secrets as ***."""
    from trading_system.console import print_json
    from trading_system.settings import load
    from trading_system.settings_view import as_json, shown_settings

    rows = shown_settings(load(set_ or [], config_file.get()))
    if json:
        print_json(as_json(rows, origin=origin))
        return
    wide = max(len(row.key) for row in rows)
    widest = max(len(_text(row.value)) for row in rows) if origin else 0
    for row in rows:
        typer.echo(f"{row.key:{wide}}  {_text(row.value):{widest}}  {row.origin if origin else ''}".rstrip())


def check(set_: Sets = None, json: AsJson = False) -> None:
    """Read all sources and name every problem with its file and line; exit 2 if there is one."""
    from trading_system.console import print_json
    from trading_system.settings import SettingsError, load

    try:
        given, problems = len(load(set_ or [], config_file.get()).given), tuple[str, ...]()
    except SettingsError as error:
        given, problems = 0, error.problems
    if json:
        print_json({"ok": not problems, "problems": list(problems)})
    elif not problems:
        typer.echo(speech().say("config.in_order", count=given))
    for problem in [] if json else problems:
        say_error(problem)
    if problems:
        raise typer.Exit(WRONG_INPUT)


def schema() -> None:
    """Print the JSON schema of trading.toml, for editors that complete and check it."""
    from trading_system.settings_view import schema as made

    typer.echo(json_format.dumps(made(), indent=2))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if value != "" else speech().say("config.empty")


config = (begin, show, check, schema)

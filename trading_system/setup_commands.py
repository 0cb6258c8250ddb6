# ruff: noqa: PLC0415
"""The commands that look after the set-up: ``config``, ``doctor`` and ``init``. What they need is imported inside them.

What a setting is stands in ``settings``, what is looked at in ``doctor``; here it is only read and printed.
"""

import json as json_format
import os
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import typer

FAILED = 1
WRONG_INPUT = 2

Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change one setting; repeatable")]
AsJson = Annotated[bool, typer.Option("--json", help="print one object on standard output, nothing else")]


config_file: ContextVar[Path | None] = ContextVar("config_file", default=None)
"""What ``--config`` named; set anew by each start of the command line."""

config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@config.callback()
def begin() -> None:
    """Read the settings: which value counts, whether all are in order, what may be set."""


@config.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="say where each value comes from")] = False,
    set_: Sets = None,
    json: AsJson = False,
) -> None:
    """Print every setting with the value that counts; secrets as ***."""
    from trading_system.settings import load
    from trading_system.settings_view import as_json, shown_settings

    rows = shown_settings(load(set_ or [], config_file.get()))
    if json:
        _print_json(as_json(rows, origin=origin))
        return
    wide = max(len(row.key) for row in rows)
    widest = max(len(_text(row.value)) for row in rows) if origin else 0
    for row in rows:
        typer.echo(f"{row.key:{wide}}  {_text(row.value):{widest}}  {row.origin if origin else ''}".rstrip())


@config.command()
def check(set_: Sets = None, json: AsJson = False) -> None:
    """Read all sources and name every problem with its file and line; exit 2 if there is one."""
    from trading_system.settings import SettingsError, load

    try:
        given, problems = len(load(set_ or [], config_file.get()).given), tuple[str, ...]()
    except SettingsError as error:
        given, problems = 0, error.problems
    if json:
        _print_json({"ok": not problems, "problems": list(problems)})
    elif not problems:
        typer.echo(f"the settings are in order; {given} differ from the defaults")
    for problem in [] if json else problems:
        typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(WRONG_INPUT)


@config.command()
def schema() -> None:
    """Print the JSON schema of trading.toml, for editors that complete and check it."""
    from trading_system.settings_view import schema as made

    typer.echo(json_format.dumps(made(), indent=2))


def doctor(
    json: AsJson = False,
    offline: Annotated[bool, typer.Option("--offline", help="ask nothing of the network")] = False,
) -> None:
    """Look at the machine and the set-up: ok, warn or fail, with the command that mends it; exit 1 on a fail."""
    from trading_system.doctor import examine, failed

    rows = examine(config_file.get(), offline=offline)
    if json:
        _print_json({"ok": not failed(rows), "rows": [row._asdict() for row in rows]})
    else:
        _print_findings(rows)
    if failed(rows):
        raise typer.Exit(FAILED)


def init(
    json: AsJson = False,
) -> None:
    """Write a commented trading.toml and an empty .env for secrets into this folder; never overwrites."""
    from trading_system.setting_sources import DOTENV_FILE, TOML_FILE
    from trading_system.settings_view import first_dotenv, first_file

    toml = config_file.get() or Path(TOML_FILE)
    wrote = {str(toml): _write_new(toml, first_file(), 0o644)}
    wrote[DOTENV_FILE] = _write_new(Path(DOTENV_FILE), first_dotenv(), 0o600)
    if json:
        _print_json({"wrote": [path for path, new in wrote.items() if new]})
        return
    for path, new in wrote.items():
        typer.echo(f"{path}: {'written' if new else 'is there already and was left as it is'}")
    typer.echo("next: trading-system doctor")


def _write_new(path: Path, text: str, mode: int) -> bool:
    """Write a file that is not there yet, readable as ``mode`` says from its first byte on; tell whether it was new."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _print_findings(rows: list[Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    colours = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
    out = Console(highlight=False, soft_wrap=True)
    wide = max(len(row.what) for row in rows)
    for row in rows:
        line = Text(f"{row.verdict:4}", style=colours[row.verdict])
        line.append(f"  {row.what:{wide}}  {row.seen}", style="default")
        if row.mend:
            line.append(f"  ->  {row.mend}", style="default")
        out.print(line)


def _print_json(value: Any) -> None:
    typer.echo(json_format.dumps(value))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if value != "" else "(empty)"

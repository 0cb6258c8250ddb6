"""`init`: the first files of a set-up, written where there are none."""

import os
from pathlib import Path

import typer

from trading_system.cli.given import config_file
from trading_system.cli.options import AsJson


def init(
    json: AsJson = False,
) -> None:
    """Write a commented trading.toml and an empty .env for secrets into this folder; never overwrites."""
    from trading_system.console import print_json
    from trading_system.setting_sources import DOTENV_FILE, TOML_FILE
    from trading_system.settings_view import first_dotenv, first_file

    toml = config_file.get() or Path(TOML_FILE)
    wrote = {str(toml): _write_new(toml, first_file(), 0o644)}
    wrote[DOTENV_FILE] = _write_new(Path(DOTENV_FILE), first_dotenv(), 0o600)
    if json:
        print_json({"wrote": [path for path, new in wrote.items() if new]})
        return
    for path, new in wrote.items():
        typer.echo(f"{path}: {'written' if new else 'is there already and was left as it is'}")
    typer.echo("next: trading-system doctor")


def _write_new(path: Path, text: str, mode: int) -> bool:
    """Write a file that is not there yet, readable as ``mode`` says from its first byte on; tell whether it was new."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        os.link(part, path)  # there whole or not at all, and never over another
    except FileExistsError:
        return False
    finally:
        part.unlink(missing_ok=True)
    return True

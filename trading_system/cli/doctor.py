"""`doctor`: the machine and the set-up, row by row. What is looked at stands in ``trading_system.doctor``."""

from typing import Annotated, Any

import typer

from trading_system.cli.exit_codes import FAILED
from trading_system.cli.given import config_file
from trading_system.cli.options import AsJson


def doctor(
    json: AsJson = False,
    offline: Annotated[bool, typer.Option("--offline", help="ask nothing of the network")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="first mend what is safe to mend: .env's mode, folders")] = False,
) -> None:
    """Look at the machine and the set-up: ok, warn or fail, with the command that mends it; exit 1 on a fail."""
    from trading_system.console import print_json
    from trading_system.doctor import examine, failed, mend

    mended = mend(config_file.get()) if fix else []
    rows = examine(config_file.get(), offline=offline)
    if json:
        print_json({"ok": not failed(rows), "rows": [row._asdict() for row in rows], "mended": mended})
    else:
        for command in mended:
            typer.echo(f"mended: {command}")
        _print_findings(rows)
    if failed(rows):
        raise typer.Exit(FAILED)


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

"""`doctor`: the machine and the set-up, row by row. What is looked at stands in ``trading_system.doctor``."""

from functools import partial
from typing import Annotated, Any

import typer

from trading_system.cli.exit_codes import FAILED
from trading_system.cli.given import config_file
from trading_system.cli.language import speech, spoken
from trading_system.cli.options import AsJson, Exchange, Sets


def doctor(
    exchange: Exchange = None,
    set_: Sets = None,
    json: AsJson = False,
    offline: Annotated[bool, typer.Option("--offline", help="ask nothing of the network")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="first mend what is safe to mend: .env's mode, folders")] = False,
) -> None:
    """Look at the machine and the set-up: ok, warn or fail, with the command that mends it; exit 1 on a fail."""
    from trading_system.console import print_json
    from trading_system.doctor import examine, failed, mend
    from trading_system.settings import load

    read = partial(load, set_ or [], config_file.get(), exchange=exchange)
    mended = mend(read) if fix else []
    rows = examine(read, offline=offline)
    if json:
        print_json({"ok": not failed(rows), "rows": [row._asdict() for row in rows], "mended": mended})
    else:
        for command in mended:
            typer.echo(speech().say("doctor.mended", command=command))
        _print_findings(rows)
    if failed(rows):
        raise typer.Exit(FAILED)


def _print_findings(rows: list[Any]) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    from trading_system.languages.catalogue import reads_from_the_right
    from trading_system.languages.isolates import isolated
    from trading_system.languages.sentences import said_in

    colours = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
    out = Console(highlight=False, soft_wrap=True)
    language, words = spoken.get(), speech()
    from_right = reads_from_the_right(language)
    arrow = "<-" if from_right else "->"

    def shown(sentence: str) -> str:
        said = said_in(sentence, language)
        return isolated(said, space=" ") if from_right and said == sentence else said

    def column(cells: list[str]) -> list[str]:
        wide = max(map(cell_len, cells))
        return [cell + " " * (wide - cell_len(cell)) for cell in cells]

    verdicts = column([words.say(f"verdict.{row.verdict}") for row in rows])
    names = column([shown(row.what) for row in rows])
    for row, verdict, name in zip(rows, verdicts, names, strict=True):
        line = Text(verdict, style=colours[row.verdict])
        line.append(f"  {name}  {shown(row.seen)}", style="default")
        if row.mend:
            line.append(f"  {arrow}  {shown(row.mend)}", style="default")
        out.print(line)

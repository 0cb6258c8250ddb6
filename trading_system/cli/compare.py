"""`compare`: two runs step by step."""

from pathlib import Path
from typing import Annotated

import typer

from trading_system.cli.exit_codes import FAILED
from trading_system.cli.given import settings_of, speech_of
from trading_system.cli.options import AsJson
from trading_system.cli.said import in_our_language


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="a run's folder")],
    second: Annotated[Path, typer.Argument(metavar="B", help="another run's folder")],
    json: AsJson = False,
) -> None:
    """Walk two run folders step by step; exit 1 and name the first difference."""
    from trading_system.console import print_json
    from trading_system.research.parity import compare as compare_folders
    from trading_system.terminal_words import counts_text

    speech = speech_of(settings_of(None))
    result = compare_folders(first, second)
    difference = result.difference
    if json:
        print_json(
            {"equal": difference is None, "counts": result.counts, "difference": difference and difference._asdict()}
        )
    elif difference is None:
        typer.echo(speech.say("compare.equal", counts=counts_text(result.counts, speech)))
    else:
        typer.echo(speech.say("compare.different", difference=in_our_language(difference.sentence())))
    if difference is not None:
        raise typer.Exit(FAILED)

"""`detect`: every event of a candle file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trading_system.cli.given import bounds_of, settings_of
from trading_system.cli.options import From, Sets, SymbolOfFile, To
from trading_system.cli.said import refuse


def detect(
    candles: Annotated[
        Path, typer.Option("--candles", readable=False, metavar="FILE", help="candle file of any interval")
    ],
    interval: Annotated[str | None, typer.Option(help="interval to detect on; default: the file's own")] = None,
    symbol: SymbolOfFile = None,
    from_: From = None,
    to: To = None,
    set_: Sets = None,
    format_: Annotated[str, typer.Option("--format", help="jsonl: one object a line")] = "jsonl",
) -> None:
    """Print every event of a candle file: swings, structure breaks, order blocks and flags."""
    from trading_system.research.detect_file import events_of_file

    if format_ != "jsonl":
        refuse(f"--format {format_}: expected jsonl")
    first, last = bounds_of(from_, to)
    for line in events_of_file(candles, settings_of(set_), interval, symbol, first=first, last=last):
        sys.stdout.write(line)

"""`detect`: every event of a candle file, or of fetched minutes."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trading_system.cli.given import bounds_of, settings_of
from trading_system.cli.options import Exchange, From, Sets, SymbolOfFile, To
from trading_system.cli.said import refuse


def detect(
    candles: Annotated[
        Path | None, typer.Option("--candles", readable=False, metavar="FILE", help="candle file of any interval")
    ] = None,
    interval: Annotated[str | None, typer.Option(help="interval to detect on; default: the file's own")] = None,
    symbol: SymbolOfFile = None,
    exchange: Exchange = None,
    from_: From = None,
    to: To = None,
    set_: Sets = None,
    format_: Annotated[str, typer.Option("--format", help="jsonl: one object a line")] = "jsonl",
) -> None:
    """Print every event: swings, structure breaks, order blocks and flags, of a file or of fetched minutes."""
    from trading_system.research.detect_file import events_of_file, events_of_history

    if format_ != "jsonl":
        refuse(f"--format {format_}: expected jsonl")
    first, last = bounds_of(from_, to)
    settings = settings_of(set_, exchange=exchange)
    if candles is not None:
        lines = events_of_file(candles, settings, interval, symbol, first=first, last=last)
    elif symbol is not None:
        from trading_system.research.fetched.desk import shelf_of
        from trading_system.research.fetched.reading import fetched_history

        history = fetched_history(shelf_of(settings), settings.exchange, symbol, first, last)
        lines = events_of_history(history, settings, interval)
    else:
        refuse("expected --candles FILE, or --symbol with fetched minutes")
    for line in lines:
        sys.stdout.write(line)

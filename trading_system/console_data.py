"""The table of fetched minutes: what ``data fetch`` and ``data list`` print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from trading_system.languages.speech import Speech
from trading_system.research.fetched.catalogue import Kept
from trading_system.research.fetched.errors import written
from trading_system.terminal_table import cell, print_table

_NUMBERS = ("minutes", "missing", "archive", "rest", "lacking", "damaged")


def print_kept(rows: Sequence[Kept], out: Console, speech: Speech) -> None:
    """Print one row for each symbol."""
    table = Table(box=None, pad_edge=False)
    for name in ("exchange", "symbol", "first", "until"):
        table.add_column(speech.say(f"column.{name}"))
    for name in _NUMBERS:
        table.add_column(speech.say(f"column.{name}"), justify="right")
    for row in rows:
        words = (row.exchange, row.symbol, written(row.first), written(row.until))
        table.add_row(
            *(cell(word, speech.language) for word in words), *(f"{getattr(row, name):,}" for name in _NUMBERS)
        )
    print_table(table, out, speech.language)

"""What a person sees at the terminal: progress and notes on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from trading_system.research.run_folder import RunRecord
    from trading_system.settings import Settings

notes = Console(stderr=True, highlight=False, soft_wrap=True)

_SHOWN = (
    ("candles", "minutes of all symbols"),
    ("swings", "highs and lows"),
    ("order_blocks", "order blocks"),
    ("flags", "flag breakouts"),
    ("signals", "signals"),
    ("refused", "candidates refused"),
    ("orders", "orders placed"),
    ("fills", "fills"),
    ("trades", "trades closed"),
    ("won", "of them with a gain"),
)


def say(sentence: str) -> None:
    """Print a note for the person who watches."""
    notes.print(sentence, markup=False)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while something runs; gives a function that is told how much of ``total`` is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=not sys.stderr.isatty(), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
    if not sys.stderr.isatty():
        say(f"{what}: done")


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on standard output."""
    sys.stdout.write(json.dumps(value) + "\n")


def print_summary(summary: Mapping[str, Any], folder: Path) -> None:
    """Print a run's counts and its result as a table."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, words in _SHOWN:
        table.add_row(words, f"{summary[key]:,}")
    for rule, count in summary["refused_by"].items():
        table.add_row(f"  refused: {rule}", f"{count:,}")
    table.add_row("equity at the end", f"{summary['equity_final']:,.2f}")
    if summary["halted"]:
        table.add_row("entries were switched off by", ", ".join(dict.fromkeys(summary["halted"])))
    if "wire" in summary:
        wire = summary["wire"]
        text = f"{wire['frames']:,} frames, {wire['signed_requests']:,} signed requests, {wire['user_events']:,} events"
        table.add_row("over the wire", text)
    table.add_row("fingerprint", summary["fingerprint"][:16])
    table.add_row("seconds", f"{summary['seconds']:.2f}")
    table.add_row("folder", str(folder))
    out = Console(highlight=False, soft_wrap=True)
    out.print(table)


def print_statistics_of(record: RunRecord, summary: Mapping[str, Any], settings: Settings) -> None:
    """Print the statistics of a run as tables."""
    from trading_system.research.report_facts import facts_of
    from trading_system.research.report_terminal import print_statistics

    print_statistics(Console(highlight=False, soft_wrap=True), facts_of(record, summary, settings).statistics)

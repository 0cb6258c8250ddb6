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

from trading_system.terminal_table import cell, print_table

if TYPE_CHECKING:
    from trading_system.languages.speech import Speech
    from trading_system.research.run_folder import RunRecord
    from trading_system.settings import Settings

notes = Console(stderr=True, highlight=False, soft_wrap=True)

_SHOWN = ("candles", "swings", "order_blocks", "flags", "signals", "refused", "orders", "fills", "trades", "won")


def say(sentence: str) -> None:
    """Print a note for the person who watches."""
    notes.print(sentence, markup=False)


@contextmanager
def progress(key: str, total: int, speech: Speech) -> Iterator[Callable[[int], None]]:
    """Show a bar while ``key`` of the terminal's words runs; gives a function told how much of ``total`` is done."""
    what = speech.say(key)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes, transient=not sys.stderr.isatty(), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
    if not sys.stderr.isatty():
        say(speech.say("progress.done", what=what))


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on standard output."""
    sys.stdout.write(json.dumps(value) + "\n")


def print_summary(summary: Mapping[str, Any], folder: Path, speech: Speech) -> None:
    """Print a run's counts and its result as a table."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for key in _SHOWN:
        table.add_row(speech.say(f"summary.{key}"), f"{summary[key]:,}")
    for rule, count in summary["refused_by"].items():
        table.add_row("  " + speech.say("summary.refused_by", rule=rule), f"{count:,}")
    table.add_row(speech.say("summary.equity"), f"{summary['equity_final']:,.2f}")
    if summary["halted"]:
        table.add_row(speech.say("summary.halted"), cell(", ".join(dict.fromkeys(summary["halted"])), speech.language))
    if "wire" in summary:
        wire = summary["wire"]
        counts = {"frames": "frames", "requests": "signed_requests", "events": "user_events"}
        text = speech.say("summary.wire.counts", **{name: f"{wire[key]:,}" for name, key in counts.items()})
        table.add_row(speech.say("summary.wire"), text)
    table.add_row(speech.say("summary.fingerprint"), cell(summary["fingerprint"][:16], speech.language))
    table.add_row(speech.say("summary.seconds"), f"{summary['seconds']:.2f}")
    table.add_row(speech.say("summary.folder"), cell(str(folder), speech.language))
    print_table(table, Console(highlight=False, soft_wrap=True), speech.language)


def print_statistics_of(record: RunRecord, summary: Mapping[str, Any], settings: Settings) -> None:
    """Print the statistics of a run as tables."""
    from trading_system.research.report_facts import facts_of
    from trading_system.research.report_terminal import print_statistics
    from trading_system.spoken import report_in

    words = report_in(settings.language)
    print_statistics(Console(highlight=False, soft_wrap=True), facts_of(record, summary, settings).statistics, words)

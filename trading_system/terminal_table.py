"""Prints tables in the direction in which their language is read; in a pipe without blanks at the end of a row."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from trading_system.languages.catalogue import reads_from_the_right
from trading_system.languages.isolates import RIGHT_TO_LEFT, isolated


def cell(text: str, language: str) -> str:
    """Return what stands in a cell, kept in order beside letters that are read from the right."""
    return isolated(text, space=" ") if reads_from_the_right(language) else text


def print_table(table: Table, out: Console, language: str) -> None:
    """Print a table; in a pipe without the blanks that fill its last column."""
    mark = RIGHT_TO_LEFT if reads_from_the_right(language) else ""
    if out.is_terminal and not mark:
        out.print(table)
        return
    with out.capture() as printed:
        out.print(table)
    for line in printed.get().splitlines():
        # A row may begin with what is written from the left; the mark keeps all rows in one direction.
        out.out(f"{mark}{line.rstrip()}", highlight=False)

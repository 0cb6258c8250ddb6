"""The report on a terminal: the same figures, groups and funnel as the page, as tables of rich."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trading_system.research.report_facts import ReportFacts, Statistics
from trading_system.research.report_numbers import figure_text, reason_text, signed, tone
from trading_system.research.report_words import ENGLISH, Words, named, rule_sentence
from trading_system.terminal_table import cell, print_table

_COLOURS = {"up": "green", "down": "red", "": ""}
_GROUPS = ("setup", "side", "symbol", "exit")


def print_statistics(console: Console, statistics: Statistics, words: Words = ENGLISH) -> None:
    """Print every figure, then the closed trades by setup, side, symbol and exit; a dash says why it is one."""
    language = words["lang"]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, value in statistics.figures.items():
        text = Text(cell(figure_text(words, name, value), language), _COLOURS[tone(name, value)])
        table.add_row(words[name], text, reason_text(words, value))
    print_table(table, console, language)
    for name in _GROUPS:
        groups = statistics.groups[name]
        if not groups or (name == "symbol" and len(groups) < 2):
            continue
        table = Table(box=None, pad_edge=False)
        table.add_column(words[f"group.{name}"], min_width=22)
        for column in ("trades", "win_rate", "expectancy", "profit_factor", "total_r"):
            table.add_column(words[f"column.{column}"], justify="right")
        for group in groups:
            table.add_row(
                cell(named(words, name, group.name), language),
                f"{group.trades:,}",
                cell(figure_text(words, "win_rate_pct", group.win_rate), language),
                Text(
                    cell(figure_text(words, "expectancy_r", group.expectancy), language),
                    _COLOURS[tone("expectancy_r", group.expectancy)],
                ),
                figure_text(words, "profit_factor", group.profit_factor),
                cell(signed(group.total_r, 1), language),
            )
        console.print()
        print_table(table, console, language)


def print_funnel(console: Console, facts: ReportFacts, words: Words = ENGLISH) -> None:
    """Print how candles became trades: what was left, and indented what each rule took."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for stage in facts.funnel:
        if stage.kind == "kept":
            table.add_row(Text(words[f"stage.{stage.code}"], "bold"), f"{stage.number:,}")
        else:
            table.add_row(
                Text("  " + rule_sentence(words, stage.code), "dim"),
                Text(cell(f"−{stage.number:,}", words["lang"]), "dim"),
            )
    print_table(table, console, words["lang"])

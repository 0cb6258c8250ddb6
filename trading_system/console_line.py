"""The rows of ``research/line_rows.py`` and ``why.py`` as tables: colours on a terminal, plain text in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAIN, _LOSS, _QUIET = "green", "red", "dim"
_OUTCOMES = {
    "open": "bold",
    "waiting": "yellow",
    "refused": _QUIET,
    "withdrawn": _QUIET,
    "declined": _QUIET,
    "offered": "yellow",
    "unseen": "yellow",
}
LEAST_WIDTH = 110
PIPE_WIDTH = 1_000


def console() -> Console:
    """Return standard output: what is piped has neither colours nor a width."""
    screen = Console(highlight=False)
    # A table too wide for the screen is wrapped by the screen, never cut; a pipe gets each row on one line.
    wide = max(screen.width, LEAST_WIDTH) if screen.is_terminal else PIPE_WIDTH
    return Console(highlight=False, soft_wrap=True, width=wide)


def print_status(status: Mapping[str, Any], out: Console) -> None:
    """Print where a line stands; what it waits for comes first."""
    table = _plain()
    process = status["process"]
    running = Text(f"yes, process {process}", style=_GAIN) if process is not None else Text("no", style=_LOSS)
    table.add_row("waits for", Text(status["waits_for"], style="bold"))
    table.add_row("running", running)
    table.add_row("mode", status["mode"])
    table.add_row("symbols", " ".join(status["symbols"]))
    table.add_row("signal interval", status["signal_interval"])
    table.add_row("last minute closed", status["last_minute"] or "none yet")
    table.add_row("signals from", status["first_signal"])
    table.add_row("equity", f"{status['equity']:,.2f}")
    table.add_row("positions", str(status["positions"]))
    table.add_row("entries waiting", str(status["waiting_entries"]))
    if status["offers"]:
        table.add_row("offers waiting", str(status["offers"]))
    table.add_row("signals", f"{status['signals']:,}")
    table.add_row("trades closed", f"{status['trades']:,}")
    table.add_row("earned by them", _money(status["earned"]))
    if status["entries_off"]:
        table.add_row("entries are off", Text(", ".join(status["entries_off"]), style=_LOSS))
    table.add_row("folder", status["folder"])
    _show(table, out)


def print_positions(rows: Sequence[Mapping[str, Any]], out: Console) -> None:
    """Print positions and waiting entries."""
    _print(
        out,
        ("symbol", "state", "side", "quantity", "entry", "last", "stop", "targets", "open", "R", "since"),
        [
            (
                row["symbol"],
                _outcome(row["state"]),
                row["side"],
                _number(row["quantity"]),
                _number(row["entry"]),
                _number(row["last"]),
                _number(row["stop"]),
                " ".join(map(_number, row["targets"])),
                _money(row["open"]),
                _r(row["r"]),
                row["since"],
            )
            for row in rows
        ],
        "no position, no waiting entry",
    )


def print_signals(rows: Sequence[Mapping[str, Any]], out: Console) -> None:
    """Print signals and what came of them."""
    _print(
        out,
        ("time", "symbol", "pattern", "side", "entry", "stop", "net RR", "score", "outcome", "because", "R"),
        [
            (
                row["time"],
                row["symbol"],
                row["pattern"],
                row["side"],
                _number(row["entry"]),
                _number(row["stop"]),
                f"{row['rr_net']:.2f}",
                f"{row['score']:.0f}",
                _outcome(row["outcome"]),
                " ".join([row["because"], _numbers(row["numbers"])]).strip(),
                _r(row["r"]),
            )
            for row in rows
        ],
        "no signal yet; `trading-system why SYMBOL` says what became of the candidates",
    )


def print_trades(rows: Sequence[Mapping[str, Any]], out: Console) -> None:
    """Print ended trades."""
    _print(
        out,
        ("opened", "closed", "symbol", "pattern", "side", "quantity", "entry", "reason", "fees", "earned", "R"),
        [
            (
                row["opened_at"],
                row["closed_at"],
                row["symbol"],
                row["pattern"],
                row["side"],
                _number(row["quantity"]),
                _number(row["entry"]),
                row["reason"],
                f"{row['fees']:,.2f}",
                _money(row["earned"]),
                _r(row["r"]),
            )
            for row in rows
        ],
        "no trade has ended yet",
    )


def print_why(funnel: Mapping[str, Any], out: Console) -> None:
    """Print a symbol's funnel, step by step, refusals below the step that made them."""
    table = _plain()
    interval = funnel["signal_interval"]
    table.add_row(funnel["symbol"], "", Text(f"setups on {interval} candles", style=_QUIET))
    table.add_row("minutes", f"{funnel['minutes']:,}", "")
    table.add_row("swings", f"{funnel['swings']:,}", "")
    table.add_row("order blocks", f"{funnel['order_blocks']:,}", "")
    table.add_row("flag breakouts", f"{funnel['flags']:,}", "")
    table.add_row("candidates", f"{funnel['candidates']:,}", "")
    _add_refusals(table, funnel["refused"])
    table.add_row("signals", f"{funnel['signals']:,}", "")
    _add_refusals(table, funnel["refused_by_account"])
    for row in funnel["withdrawn"]:
        table.add_row(f"  withdrawn: {row['rule']}", f"{row['count']:,}", Text(row["meaning"], style=_QUIET))
    for row in funnel["live"]:
        table.add_row(f"  {row['outcome']}", "1", f"{row['side']} at {_number(row['entry'])} since {row['time']}")
    won = Text(f"{funnel['won']} won, earned ").append_text(_money(funnel["earned"])) if funnel["trades"] else Text()
    table.add_row("trades", f"{funnel['trades']:,}", won)
    _show(table, out)


def _add_refusals(table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        newest = row["newest"]
        numbers = _numbers(newest["numbers"])
        words = f"{row['meaning'].rstrip('.')}; newest {newest['time']} {newest['pattern']} {newest['side']}".rstrip()
        text = Text(words, style=_QUIET)
        table.add_row(f"  refused: {row['rule']}", f"{row['count']:,}", text.append(f" {numbers}" if numbers else ""))


def _show(table: Table, out: Console) -> None:
    """Print a table; in a pipe without the blanks that fill its last column."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as printed:
        out.print(table)
    for line in printed.get().splitlines():
        out.file.write(line.rstrip() + "\n")


def _plain() -> Table:
    return Table(show_header=False, box=None, pad_edge=False)


def _print(out: Console, head: Sequence[str], rows: Sequence[Sequence[str | Text]], nothing: str) -> None:
    if not rows:
        out.print(nothing)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        right = name in ("quantity", "entry", "last", "stop", "open", "R", "net RR", "score", "fees", "earned")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    _show(table, out)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.10g}"


def _numbers(numbers: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in numbers.items())


def _money(value: float | None) -> Text:
    return Text("") if value is None else Text(f"{value:+,.2f}", style=_GAIN if value >= 0 else _LOSS)


def _r(value: float | None) -> Text:
    return Text("") if value is None else Text(f"{value:+.2f}", style=_GAIN if value >= 0 else _LOSS)


def _outcome(word: str) -> Text:
    return Text(word, style=_OUTCOMES.get(word, ""))

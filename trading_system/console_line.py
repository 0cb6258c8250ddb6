"""The rows of ``research/line_rows.py`` and ``why.py`` as tables: colours on a terminal, plain text in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trading_system.languages.sentences import said_in
from trading_system.languages.speech import Speech
from trading_system.services.health_words import alert_phrase
from trading_system.terminal_table import cell, print_table

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
_NUMBERS = {
    "quantity",
    "entry",
    "last",
    "stop",
    "open",
    "r",
    "rr_net",
    "score",
    "fees",
    "earned",
    "heartbeat",
    "behind",
}
_VITALS = {"ok": _GAIN, "waiting": "yellow", "behind": "yellow", "failed": _LOSS, "silent": _LOSS}
LEAST_WIDTH = 110
PIPE_WIDTH = 1_000


def console() -> Console:
    """Return standard output: what is piped has neither colours nor a width."""
    screen = Console(highlight=False)
    # A table too wide for the screen is wrapped by the screen, never cut; a pipe gets each row on one line.
    wide = max(screen.width, LEAST_WIDTH) if screen.is_terminal else PIPE_WIDTH
    return Console(highlight=False, soft_wrap=True, width=wide)


def print_status(status: Mapping[str, Any], out: Console, speech: Speech, health: Speech) -> None:
    """Print where a line stands; what it waits for comes first, how its services are last.

    health: how the words of ``services/health_words.py`` are said.
    """
    table = _plain()

    def row(key: str, value: str | Text) -> None:
        table.add_row(speech.say(f"status.{key}"), value if isinstance(value, Text) else cell(value, speech.language))

    process = status["process"]
    elsewhere = "status.running.services" if status["trading"] else "status.running.no"
    running = elsewhere if process is None else "status.running.yes"
    row("waits_for", Text(said_in(status["waits_for"], speech.language), style="bold"))
    row("running", Text(speech.say(running, process=process), style=_GAIN if status["trading"] else _LOSS))
    row("mode", speech.say(f"status.mode.{status['mode']}"))
    row("symbols", " ".join(status["symbols"]))
    if status["left"]:
        row("left", " ".join(status["left"]))
    row("signal_interval", status["signal_interval"])
    row("last_minute", status["last_minute"] or speech.say("status.last_minute.none"))
    row("first_signal", status["first_signal"])
    row("equity", f"{status['equity']:,.2f}")
    row("positions", str(status["positions"]))
    row("waiting_entries", str(status["waiting_entries"]))
    if status["offers"]:
        row("offers", str(status["offers"]))
    row("signals", f"{status['signals']:,}")
    row("trades", f"{status['trades']:,}")
    row("earned", _money(status["earned"], speech))
    if status["entries_off"]:
        row("entries_off", Text(cell(", ".join(status["entries_off"]), speech.language), style=_LOSS))
    for alert in status["alerts"]:
        sentence = alert_phrase(alert["kind"], alert["subject"], alert["numbers"], health)
        row("alert", Text(speech.say("status.alert.since", sentence=sentence, since=alert["since"]), style=_LOSS))
    row("folder", status["folder"])
    print_table(table, out, speech.language)
    if status["market"]:
        _print_market(status["market"], out, speech)
    if status["services"]:
        _print_services(status["services"], out, speech, health)


def _print_market(rows: Sequence[Mapping[str, Any]], out: Console, speech: Speech) -> None:
    _print(
        out,
        speech,
        "market",
        ("symbol", "last", "last_minute", "long_block", "short_block"),
        [
            (
                row["symbol"],
                _number(row["last"]),
                row["last_minute"] or "",
                _block(row["long_block"]),
                _block(row["short_block"]),
            )
            for row in rows
        ],
    )


def _print_services(rows: Sequence[Mapping[str, Any]], out: Console, speech: Speech, health: Speech) -> None:
    _print(
        out,
        speech,
        "services",
        ("service", "status", "last_minute", "heartbeat", "behind", "waits_for"),
        [
            (
                row["service"],
                Text(health.say(f"vital.{row['status']}"), style=_VITALS[row["status"]]),
                row["last_minute"] or "",
                "" if row["age_s"] is None else f"{row['age_s']:.0f} s",
                "" if row["behind"] is None else f"{row['behind']:,}",
                health.say(f"waits.{row['waits_for']}") if row["waits_for"] else row["failure"],
            )
            for row in rows
        ],
    )


def print_positions(rows: Sequence[Mapping[str, Any]], out: Console, speech: Speech) -> None:
    """Print positions and waiting entries."""
    _print(
        out,
        speech,
        "positions",
        ("symbol", "state", "side", "quantity", "entry", "last", "stop", "targets", "open", "r", "since"),
        [
            (
                row["symbol"],
                _outcome(row["state"], speech),
                _word("side", row["side"], speech),
                _number(row["quantity"]),
                _number(row["entry"]),
                _number(row["last"]),
                _number(row["stop"]),
                " ".join(map(_number, row["targets"])),
                _money(row["open"], speech),
                _money(row["r"], speech),
                row["since"],
            )
            for row in rows
        ],
    )


def print_symbols(rows: Sequence[Mapping[str, Any]], out: Console, speech: Speech) -> None:
    """Print the symbols of a line as they stand."""
    _print(
        out,
        speech,
        "symbols",
        ("symbol", "state", "why", "joined", "left", "detail"),
        [
            (
                row["symbol"],
                _word("member", row["state"], speech),
                _word("why_member", row["why"], speech),
                row["joined"] or "",
                row["left"] or "",
                said_in(row["detail"], speech.language),
            )
            for row in rows
        ],
    )


def print_signals(rows: Sequence[Mapping[str, Any]], out: Console, speech: Speech) -> None:
    """Print signals and what came of them; a rule keeps its name, by which the papers explain it."""
    _print(
        out,
        speech,
        "signals",
        ("time", "symbol", "pattern", "side", "entry", "stop", "rr_net", "score", "outcome", "because", "r"),
        [
            (
                row["time"],
                row["symbol"],
                _word("pattern", row["pattern"], speech),
                _word("side", row["side"], speech),
                _number(row["entry"]),
                _number(row["stop"]),
                f"{row['rr_net']:.2f}",
                f"{row['score']:.0f}",
                _outcome(row["outcome"], speech),
                " ".join([_because(row, speech), _numbers(row["numbers"])]).strip(),
                _money(row["r"], speech),
            )
            for row in rows
        ],
    )


def print_trades(rows: Sequence[Mapping[str, Any]], out: Console, speech: Speech) -> None:
    """Print ended trades."""
    _print(
        out,
        speech,
        "trades",
        ("opened", "closed", "symbol", "pattern", "side", "quantity", "entry", "reason", "fees", "earned", "r"),
        [
            (
                row["opened_at"],
                row["closed_at"],
                row["symbol"],
                _word("pattern", row["pattern"], speech),
                _word("side", row["side"], speech),
                _number(row["quantity"]),
                _number(row["entry"]),
                _word("reason", row["reason"], speech),
                f"{row['fees']:,.2f}",
                _money(row["earned"], speech),
                _money(row["r"], speech),
            )
            for row in rows
        ],
    )


def print_why(funnel: Mapping[str, Any], out: Console, speech: Speech, rules: Mapping[str, str]) -> None:
    """Print a symbol's funnel, step by step, refusals below the step that made them.

    rules: what each ``rule.code`` means in the language of ``speech``.
    """
    table = _plain()

    def row(key: str, count: int, text: Text | str = "") -> None:
        table.add_row(speech.say(f"why.{key}"), f"{count:,}", text)

    setups = speech.say("why.setups", interval=funnel["signal_interval"])
    table.add_row(cell(funnel["symbol"], speech.language), "", Text(setups, style=_QUIET))
    for key in ("minutes", "swings", "order_blocks", "flags", "candidates"):
        row(key, funnel[key])
    _add_refusals(table, funnel["refused"], speech, rules)
    row("signals", funnel["signals"])
    _add_refusals(table, funnel["refused_by_account"], speech, rules)
    for one in funnel["withdrawn"]:
        meaning = Text(rules[f"rule.{one['rule']}"], style=_QUIET)
        table.add_row("  " + speech.say("why.withdrawn", rule=one["rule"]), f"{one['count']:,}", meaning)
    for one in funnel["live"]:
        side, entry = _word("side", one["side"], speech), _number(one["entry"])
        text = speech.say("why.live", side=side, entry=entry, time=one["time"])
        table.add_row("  " + _word("outcome", one["outcome"], speech), "1", text)
    won = speech.say("why.won", won=funnel["won"], earned=_money(funnel["earned"], speech).plain)
    row("trades", funnel["trades"], Text(won, style=_colour(funnel["earned"])) if funnel["trades"] else "")
    print_table(table, out, speech.language)


def _add_refusals(table: Table, rows: Sequence[Mapping[str, Any]], speech: Speech, rules: Mapping[str, str]) -> None:
    for row in rows:
        newest = row["newest"]
        words = [newest["time"], _word("pattern", newest["pattern"], speech), _word("side", newest["side"], speech)]
        words = [cell(word, speech.language) for word in [*words, _numbers(newest["numbers"])] if word]
        meaning = rules[f"rule.{row['rule']}"].rstrip(".")
        text = Text(speech.say("why.newest", meaning=meaning, newest=" ".join(words)), style=_QUIET)
        table.add_row("  " + speech.say("why.refused", rule=row["rule"]), f"{row['count']:,}", text)


def _plain() -> Table:
    return Table(show_header=False, box=None, pad_edge=False)


def _print(out: Console, speech: Speech, what: str, head: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    if not rows:
        out.print(speech.say(f"nothing.{what}"))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        right = "right" if name in _NUMBERS else "left"
        table.add_column(speech.say(f"column.{name}"), justify=right, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(one if isinstance(one, Text) else cell(one, speech.language) for one in row))
    print_table(table, out, speech.language)


def _word(kind: str, code: str, speech: Speech) -> str:
    """Return the word for a code; one of a set that is open, such as a user's own pattern, is its own word."""
    return speech.words.get(f"{kind}.{code}", code)


def _because(row: Mapping[str, Any], speech: Speech) -> str:
    because = str(row["because"])
    return _word("reason", because, speech) if row["outcome"] == "closed" else because


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.10g}"


def _block(row: Mapping[str, Any] | None) -> str:
    return "" if row is None else f"{_number(row['bottom'])} - {_number(row['top'])} ({row['interval']})"


def _numbers(numbers: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in numbers.items())


def _money(value: float | None, speech: Speech) -> Text:
    return Text("") if value is None else Text(cell(f"{value:+,.2f}", speech.language), style=_colour(value))


def _colour(value: float) -> str:
    return _GAIN if value >= 0 else _LOSS


def _outcome(word: str, speech: Speech) -> Text:
    return Text(_word("outcome", word, speech), style=_OUTCOMES.get(word, ""))

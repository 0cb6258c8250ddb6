"""One self-contained HTML page about a finished run: what it earned, what it refused, what it assumes, each trade.

It decides what stands on the page and what a reader must be warned of. The page asks nothing of a network and the same
run gives the same bytes. The numbers are ``statistics``', the terminal's version is ``report_terminal``.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from trading_system import __version__
from trading_system.research import report_sections as sections
from trading_system.research import statistics as st
from trading_system.research.report_facts import BEST_TRADES, ReportFacts, facts_of
from trading_system.research.report_groups import exit_of, setup_of
from trading_system.research.report_numbers import date_text, duration_text, plain, signed, tone
from trading_system.research.report_page import card, page
from trading_system.research.report_trade import trade_chart
from trading_system.research.report_words import ENGLISH, Words, counted, named, say
from trading_system.research.run_folder import RunRecord
from trading_system.rules.account import DAY_MS
from trading_system.rules.events import Event
from trading_system.rules.facts import Closed
from trading_system.rules.grid import text_of
from trading_system.rules.matching import MINUTE_MS
from trading_system.settings import Settings

FEW_TRADES = 30
SOME_TRADES = 100
SHORT_DAYS = 180
MOST_CHARTS = 400
"""Trades with a chart of their own; more would make a page that phones cannot open."""

_COLUMNS = ("number", "symbol", "setup", "opened", "result", "net", "mae", "mfe", "held", "exit")
_HIDDEN_ON_PHONES = {"symbol", "net", "mae", "mfe", "held"}


def write_report(
    path: Path, record: RunRecord, summary: Mapping[str, Any], settings: Settings, words: Words = ENGLISH
) -> None:
    """Write the page about a run to ``path``, whole or not at all; missing folders are made.

    ``record`` and ``summary`` are those of the finished ``Run``, ``settings`` those it ran with.
    Raises: ReportError when the run has no candles or a summary of another kind; OSError when it cannot be written.
    """
    text = report_page(facts_of(record, summary, settings), words)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def report_page(facts: ReportFacts, words: Words = ENGLISH) -> str:
    """Return the page about a run."""
    exits = {plan: [fill.price for fill in fills if fill.name != "e"] for plan, fills in _fills(facts).items()}
    excursions = [
        st.excursions_r(closed, exits[closed.trade.plan.id], facts.candles_of(closed.symbol)) for closed in facts.trades
    ]
    symbols = " · ".join(facts.record.symbols)
    return page(
        f"{symbols} {facts.period.interval} – {words['title']}",
        [
            _header(facts, symbols, words),
            _warnings(facts, words),
            sections.tiles(facts, words),
            sections.equity_section(facts, words),
            sections.months_section(facts, words),
            sections.results_section(facts, words),
            sections.excursions_section(facts, excursions, words),
            sections.groups_section(facts, words),
            sections.funnel_section(facts, words),
            sections.figures_section(facts, words),
            _trades(facts, excursions, words),
            sections.fills_section(facts, words),
            sections.settings_section(facts, words),
            f'<p class="foot">{escape(words["foot"])}</p>',
        ],
        words,
    )


def warnings_of(facts: ReportFacts, words: Words = ENGLISH) -> list[str]:
    """Return what a reader must know before believing the numbers, the gravest first."""
    figures, trades = facts.statistics.figures, len(facts.trades)
    found = []
    if trades == 0:
        found.append(words["warn.no_trades"])
    elif trades < SOME_TRADES:
        found.append(counted(words, "warn.few" if trades < FEW_TRADES else "warn.some", trades))
    mean, error, needed = figures["expectancy_r"], figures["expectancy_error_r"], figures["trades_needed"]
    if isinstance(mean, float) and isinstance(error, float):
        numbers = {"mean": signed(mean, 2), "error": plain(error, 2)}
        if abs(mean) > 2 * error:
            found.append(say(words, "warn.edge" if mean > 0 else "warn.loses", **numbers))
        else:
            sentence = say(words, "warn.no_edge", **numbers)
            if mean > 0 and not isinstance(needed, st.Undefined):
                sentence += " " + counted(words, "warn.needed", round(needed))
            found.append(sentence)
    share = figures["best_trades_pct"]
    if trades > BEST_TRADES and not isinstance(share, st.Undefined) and share >= 50:
        found.append(say(words, "warn.best", percent=plain(share, 0), count=BEST_TRADES))
    found += _interruptions(facts, words)
    days = (facts.period.end - facts.period.start) // DAY_MS
    if days < SHORT_DAYS:
        found.append(counted(words, "warn.short", days))
    still_open = sum(stage.number for stage in facts.funnel if stage.code == "still_open")
    if still_open:
        found.append(counted(words, "warn.open", still_open))
    if facts.period.base > MINUTE_MS:
        found.append(words["warn.base"])
    if facts.gaps:
        found.append(counted(words, "warn.gaps", facts.gaps))
    return found


def _interruptions(facts: ReportFacts, words: Words) -> list[str]:
    halted = Counter(facts.summary.get("halted", ()))
    found = []
    if halted["drawdown_stop"]:
        last = max((fill.time for fill in facts.record.fills if fill.name == "e"), default=facts.period.start)
        found.append(say(words, "warn.stopped", when=date_text(words, last, clock=True)))
    if halted["day_loss"]:
        found.append(counted(words, "warn.day_loss", halted["day_loss"]))
    return found


def _header(facts: ReportFacts, symbols: str, words: Words) -> str:
    period, settings, summary = facts.period, facts.settings, facts.summary
    candles = facts.funnel[0].number
    parts = [
        say(words, "period", start=date_text(words, period.start), end=date_text(words, period.end)),
        counted(words, "days", (period.end - period.start) // DAY_MS),
        counted(words, "candles", candles, interval=period.interval),
        counted(words, "warm_up_note", settings.plans.warm_up),
        named(words, "kind", str(summary.get("kind", "run"))),
    ]
    if "seconds" in summary:
        parts.append(say(words, "seconds", seconds=f"{summary['seconds']:.2f}"))
    first = summary["instrument"][0]
    chips = [
        say(words, "chip.equity", equity=plain(settings.account.equity, 0)),
        say(words, "chip.risk", percent=text_of(settings.account.risk_pct)),
        say(words, "chip.leverage", leverage=text_of(settings.account.leverage)),
        say(words, "chip.fees", maker=_bps(first["maker_fee"]), taker=_bps(first["taker_fee"])),
        say(words, "chip.slippage", ticks=settings.venue.slippage_ticks),
        say(words, "chip.settings", hash=_settings_hash(facts)),
        say(words, "chip.data", hash=_data_hash(facts)),
        say(words, "chip.code", version=__version__),
        say(words, "chip.fingerprint", hash=str(summary["fingerprint"])[:16]),
    ]
    row = "".join(f'<span class="chip">{escape(chip)}</span>' for chip in chips)
    return (
        f'<header><h1><bdi>{escape(symbols)}</bdi> — <bdi>{escape(period.interval)}</bdi></h1><p class="sub">'
        f'{escape(" · ".join(parts))}</p><div class="chips">{row}</div></header>'
    )


def _warnings(facts: ReportFacts, words: Words) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in warnings_of(facts, words))
    return card(words["warn.title"], f"<ul>{items}</ul>", css="warn") if items else ""


def _trades(facts: ReportFacts, excursions: Sequence[tuple[float, float]], words: Words) -> str:
    """Return the list of trades: each row folds its chart away, the headings sort."""
    title = words["section.trades"]
    if not facts.trades:
        return card(title, f"<p>{escape(words['no_trades_here'])}</p>")
    by_id = {event.id: event for event in facts.record.events if event.kind == "ob_formed"}
    breakouts = {
        (event.symbol, event.interval, event.confirmed_at, event.direction): event
        for event in facts.record.events
        if event.kind == "flag_breakout"
    }
    fills = _fills(facts)
    rows = []
    for number, (closed, excursion) in enumerate(zip(facts.trades, excursions, strict=True), start=1):
        plan = closed.trade.plan
        breakout = breakouts.get((closed.symbol, plan.interval, plan.confirmed_at, plan.side))
        found = by_id.get(plan.zone) if plan.pattern == "order_block" else breakout
        events: list[Event] = [] if found is None else [found]
        chart = ""
        if number <= MOST_CHARTS:
            chart = trade_chart(closed, fills[plan.id], events, facts.candles_of(closed.symbol), words)
        rows.append(_trade_row(number, closed, excursion, chart, words))
    note = words["trades.note"]
    if len(rows) > MOST_CHARTS:
        note += "; " + say(words, "trades.capped", count=MOST_CHARTS)
    heads = "".join(
        f'<button data-key="{column}" aria-pressed="{"true" if column == "number" else "false"}" data-turn="1" '
        f'class="{_optional(column)}">{escape(words["column." + column])}</button>'
        for column in _COLUMNS
    )
    body = f'<div class="row" data-sorts="trades">{heads}</div><div class="list" id="trades">{"".join(rows)}</div>'
    return card(title, body, css="trades-card", note=f"{len(rows):,} · {note}")


def _trade_row(number: int, closed: Closed, excursion: tuple[float, float], chart: str, words: Words) -> str:
    trade, plan = closed.trade, closed.trade.plan
    side = words["side.long" if plan.side > 0 else "side.short"]
    setup = f"{side} · {named(words, 'setup', setup_of(closed))}"
    ended = named(words, "exit", exit_of(closed))
    held = closed.time - trade.opened_at
    colour = tone("expectancy_r", closed.r)
    # column: what is shown, what is sorted by, class
    cells = {
        "number": (f"#{number}", number, ""),
        "symbol": (closed.symbol, closed.symbol, ""),
        "setup": (setup, setup, ""),
        "opened": (date_text(words, trade.opened_at, clock=True, year=False), trade.opened_at, ""),
        "result": (f"{signed(closed.r, 2)} R", round(closed.r, 6), f"n {colour}"),
        "net": (signed(closed.earned, 2), round(closed.earned, 6), "n"),
        "mae": (f"{excursion[0]:.2f}", round(excursion[0], 4), "n"),
        "mfe": (f"{excursion[1]:.2f}", round(excursion[1], 4), "n"),
        "held": (duration_text(words, held), held, "n"),
        "exit": (ended, ended, ""),
    }
    data = " ".join(f'data-{name}="{escape(str(value))}"' for name, (_, value, _) in cells.items())
    shown = "".join(
        f'<span class="{css} {_optional(name)}">{escape(text)}</span>' for name, (text, _, css) in cells.items()
    )
    sentence = say(
        words,
        "trade.sentence",
        side=f"{side} {closed.symbol}",
        quantity=text_of(trade.quantity),
        entry=plain_price(trade.entry_price),
        stop=plain_price(plan.stop),
        rr=plain(plan.rr_net, 2),
        score=plan.score,
        reason=ended[0].upper() + ended[1:],
        closed=date_text(words, closed.time, clock=True),
        net=signed(closed.earned, 2),
        r=signed(closed.r, 2),
    )
    return f'<details {data}><summary class="row">{shown}</summary><p>{escape(sentence)}</p>{chart}</details>'


def plain_price(price: float) -> str:
    """Return a price with the digits it has, and thousands separators."""
    return plain(price, len(text_of(price).partition(".")[2]))


def _optional(column: str) -> str:
    return "opt" if column in _HIDDEN_ON_PHONES else ""


def _fills(facts: ReportFacts) -> dict[str, list[Any]]:
    return st.fills_by_plan(facts.record.fills)


def _bps(rate: float) -> str:
    return text_of(round(rate * 10_000, 4))


def _settings_hash(facts: ReportFacts) -> str:
    text = "\n".join(f"{key}={value}" for key, value, _, _ in sections.shown_settings(facts))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _data_hash(facts: ReportFacts) -> str:
    digest = hashlib.sha256()
    for symbol, candles in zip(facts.record.symbols, facts.record.candles, strict=True):
        digest.update(symbol.encode())
        digest.update(candles.tobytes())
    return digest.hexdigest()[:8]

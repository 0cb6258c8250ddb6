"""Every phrase that the command line says about its work: notes, progress, the table of a run, the demo's verdict.

Errors, help and ``--json`` are English in every language: they are searched for, and read by programs.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.languages.speech import Speech

DOMAIN = "terminal"
ENGLISH: Mapping[str, str] = {
    # the table of a run
    "summary.candles": "minutes of all symbols",
    "summary.swings": "highs and lows",
    "summary.order_blocks": "order blocks",
    "summary.flags": "flag breakouts",
    "summary.signals": "signals",
    "summary.refused": "candidates refused",
    "summary.orders": "orders placed",
    "summary.fills": "fills",
    "summary.trades": "trades closed",
    "summary.won": "of them with a gain",
    "summary.refused_by": "refused: {rule}",
    "summary.equity": "equity at the end",
    "summary.halted": "entries were switched off by",
    "summary.wire": "over the wire",
    "summary.wire.counts": "{frames} frames, {requests} signed requests, {events} events",
    "summary.fingerprint": "fingerprint",
    "summary.seconds": "seconds",
    "summary.folder": "folder",
    # progress
    "progress.done": "{what}: done",
    "progress.warm_up": "fetching the warm-up by REST",
    "progress.lockstep": "trading in lockstep",
    # notes
    "note.alerts": "Alert pictures: {folder}",
    "note.base": "The base interval is {minutes} minutes: fills are decided on those candles, not on minutes.",
    "note.paper": "Paper trading {symbols} on {url}; the account is in {folder}",
    "note.paper_trading": "Trading from the next closed minute on; Ctrl-C ends it and writes the summary.",
    "note.paper_interrupted": "interrupted while fetching the history; the same command goes on with {folder}",
    "note.replaced": "{folder}: an earlier backtest with other results stood here and was replaced",
    "note.report": "report: {file}",
    "note.chart": "chart: {file}",
    "note.dropped.one": "{symbol}: {count} row lies outside the common span that begins at the origin, and is not used",
    "note.dropped.other": "{symbol}: {count} rows lie outside the common span that begins at the origin, "
    "and are not used",
    "note.gaps": "{symbol}: {missing} in {gaps}; they become GAP steps",
    "note.gaps.missing.one": "{count} candle is missing",
    "note.gaps.missing.other": "{count} candles are missing",
    "note.gaps.places.one": "{count} gap",
    "note.gaps.places.other": "{count} gaps",
    # asking
    "ask.panic": "Close every position at market, take back every entry and switch entries off?",
    # comparing
    "compare.equal": "equal: {counts}",
    "compare.different": "different at {difference}",
    "compare.between": ", ",
    "compare.candles.one": "{count} candle",
    "compare.candles.other": "{count} candles",
    "compare.events.one": "{count} event",
    "compare.events.other": "{count} events",
    "compare.orders.one": "{count} order",
    "compare.orders.other": "{count} orders",
    "compare.fills.one": "{count} fill",
    "compare.fills.other": "{count} fills",
    "compare.equity.one": "{count} equity",
    "compare.equity.other": "{count} equity",
    # the demo
    "demo.market": "Making a synthetic market from seed {seed}: {symbols}, {days} after the warm-up ...",
    "demo.symbols.one": "{count} symbol",
    "demo.symbols.other": "{count} symbols",
    "demo.days.one": "{count} day",
    "demo.days.other": "{count} days",
    "demo.digest": "market {digest}",
    "demo.backtest": "Running the same candles through the backtest ...",
    "demo.cut": "The feed was cut {times} on purpose: it came back and fetched {minutes} again by REST; "
    "none is missing.",
    "demo.cut.times.one": "{count} time",
    "demo.cut.times.other": "{count} times",
    "demo.cut.minutes.one": "{count} minute",
    "demo.cut.minutes.other": "{count} minutes",
    "demo.lost": "The answer to order {order} was lost on purpose: it counted as unknown, was not sent again, and the "
    "exchange proved by its id that it had arrived.",
    "demo.equal": "Equal to the backtest, to the last digit: {counts}.",
    "demo.different": "NOT EQUAL: {difference}",
    "demo.few.one": "But there was only {count} trade, which proves too little.",
    "demo.few.other": "But there were only {count} trades, which proves too little.",
}


def terminal_in(language: str) -> Speech:
    """Return how the command line speaks in ``language``. Raises: CatalogueError."""
    return Speech.of(DOMAIN, ENGLISH, language)


def counts_text(counts: Mapping[str, int], speech: Speech) -> str:
    """Return how many of each kind were compared, such as ``12 candles, 3 events``."""
    return speech.words["compare.between"].join(
        speech.counted(f"compare.{what}", count) for what, count in counts.items()
    )

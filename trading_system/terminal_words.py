"""Every phrase that the command line says about its work: notes, progress, its tables, the demo's verdict.

Errors and help have catalogues of their own, whose English stands where it is used; ``--json`` is English always.
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
    # the end of a command
    "error": "error: {sentence}",
    "interrupted": "interrupted; what was not finished leaves no summary, start it again",
    # where a line stands
    "status.waits_for": "waits for",
    "status.running": "running",
    "status.running.yes": "yes, process {process}",
    "status.running.services": "yes, as services of their own",
    "status.running.no": "no",
    "status.mode": "mode",
    "status.mode.paper": "paper",
    "status.mode.simulated": "simulated",
    "status.symbols": "symbols",
    "status.signal_interval": "signal interval",
    "status.last_minute": "last minute closed",
    "status.last_minute.none": "none yet",
    "status.first_signal": "signals from",
    "status.equity": "equity",
    "status.positions": "positions",
    "status.waiting_entries": "entries waiting",
    "status.signals": "signals",
    "status.trades": "trades closed",
    "status.earned": "earned by them",
    "status.entries_off": "entries are off",
    "status.alert": "alert",
    "status.alert.since": "{sentence} Since {since}.",
    "status.folder": "folder",
    # the columns of its tables
    "column.symbol": "symbol",
    "column.state": "state",
    "column.side": "side",
    "column.quantity": "quantity",
    "column.entry": "entry",
    "column.last": "last",
    "column.stop": "stop",
    "column.targets": "targets",
    "column.open": "open",
    "column.r": "R",
    "column.since": "since",
    "column.service": "service",
    "column.status": "status",
    "column.last_minute": "last minute",
    "column.long_block": "long order block",
    "column.short_block": "short order block",
    "column.heartbeat": "heartbeat",
    "column.behind": "behind",
    "column.waits_for": "waits for",
    "column.time": "time",
    "column.pattern": "pattern",
    "column.rr_net": "net RR",
    "column.score": "score",
    "column.outcome": "outcome",
    "column.because": "because",
    "column.exchange": "exchange",
    "column.first": "from",
    "column.until": "until",
    "column.minutes": "minutes",
    "column.missing": "missing there",
    "column.archive": "archive",
    "column.rest": "REST",
    "column.lacking": "months lacking",
    "column.damaged": "damaged",
    "column.opened": "opened",
    "column.closed": "closed",
    "column.reason": "reason",
    "column.fees": "fees",
    "column.earned": "earned",
    # what stands in them; in English each code is its own word
    "outcome.waiting": "waiting",
    "outcome.open": "open",
    "outcome.refused": "refused",
    "outcome.withdrawn": "withdrawn",
    "outcome.closed": "closed",
    "outcome.unseen": "unseen",
    "side.long": "long",
    "side.short": "short",
    "pattern.order_block": "order_block",
    "pattern.flag": "flag",
    "reason.stop": "stop",
    "reason.target": "target",
    "reason.liquidation": "liquidation",
    "reason.time_stop": "time_stop",
    "reason.stop_passed": "stop_passed",
    # nothing in them
    "nothing.market": "no symbol is traded",
    "nothing.services": "no service has given a sign",
    "nothing.positions": "no position, no waiting entry",
    "nothing.signals": "no signal yet; `trading-system why SYMBOL` says what became of the candidates",
    "nothing.trades": "no trade has ended yet",
    "nothing.fetched": "no minutes have been fetched; `trading-system data fetch --help` says how",
    # why a line did not trade
    "why.setups": "setups on {interval} candles",
    "why.minutes": "minutes",
    "why.swings": "swings",
    "why.order_blocks": "order blocks",
    "why.flags": "flag breakouts",
    "why.candidates": "candidates",
    "why.signals": "signals",
    "why.trades": "trades",
    "why.refused": "refused: {rule}",
    "why.withdrawn": "withdrawn: {rule}",
    "why.newest": "{meaning}; newest {newest}",
    "why.live": "{side} at {entry} since {time}",
    "why.won": "{won} won, earned {earned}",
    # the set-up
    "config.in_order": "the settings are in order; {count} differ from the defaults",
    "config.empty": "(empty)",
    "init.written": "{file}: written",
    "init.kept": "{file}: is there already and was left as it is",
    "init.next": "next: {command}",
    "doctor.mended": "mended: {command}",
    "verdict.ok": "ok",
    "verdict.warn": "warn",
    "verdict.fail": "fail",
    "verdict.skip": "skip",
    # progress
    "progress.done": "{what}: done",
    "progress.fetch": "fetching minutes, in months of a symbol",
    "progress.warm_up": "fetching the warm-up by REST",
    "progress.lockstep": "trading in lockstep",
    # notes
    "note.alerts": "Alert pictures: {folder}",
    "note.base": "The base interval is {minutes} minutes: fills are decided on those candles, not on minutes.",
    "note.paper": "Paper trading {symbols} on {url}; the account is in {folder}",
    "note.paper_trading": "Trading from the next closed minute on; Ctrl-C ends it and writes the summary.",
    "note.paper_interrupted": "interrupted while fetching the history; the same command goes on with {folder}",
    "note.pair": "Send this line to your bot within ten minutes; its role will be {role}.",
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
    "note.begins": "{symbol}: the exchange has no minute of it before {first}",
    "note.other_grid": "{symbol}: not all prices lie on the exchange's tick of now; the tick is taken from the prices",
    # fetching
    "note.fetch.rest_away": "{problem}; only the archive is asked",
    "note.fetch.archive_file": "{symbol} {month}: {problem}; what it would have given is asked of the next source",
    "note.fetch.damaged": "{symbol} {month}: {problem}; the month is fetched again",
    "note.fetch.not_traded": "{problem}; its history is fetched all the same",
    "note.fetch.differs": "{symbol} {month}: minutes that {source} states otherwise: {count}, the first at {first}; "
    "what is kept stays, `trading-system data check --source` shows both",
    "note.fetch.short": "{symbol}: not all minutes before {wanted} could be had; the first that is lacking is {lacks}",
    # checking what was fetched
    "data.gap.one": "{symbol} {month}: {exchange} has no minute at {first}",
    "data.gap.other": "{symbol} {month}: {exchange} has no minutes for {count} minutes from {first} on",
    "data.damaged": "{symbol} {month}: {problem}; run {command}",
    "data.never": "{symbol} {month}: never fetched from {exchange}; run {command}",
    "data.lacking.one": "{symbol} {month}: the minute at {first} was not fetched from {exchange}; run {command}",
    "data.lacking.other": "{symbol} {month}: {count} minutes from {first} on were not fetched from {exchange}; "
    "run {command}",
    "data.differs.one": "{symbol} {month}: one minute is stated otherwise by {source}: at {first} kept {ours}, there "
    "{theirs}",
    "data.differs.other": "{symbol} {month}: {count} minutes are stated otherwise by {source}, the first at {first}: "
    "kept {ours}, there {theirs}",
    "data.no_minute": "no minute",
    "data.checked.one": "{count} month checked",
    "data.checked.other": "{count} months checked",
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

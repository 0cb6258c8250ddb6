"""Every word of the report, in one table by key, so that a catalogue of another language can take its place.

A table of a language written from right to left sets ``dir`` to rtl; the page needs no other change for it. The
English sentences of the rules' refusals are the rules' own.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.languages.catalogue import plural_form
from trading_system.languages.isolates import filled
from trading_system.rules.facts import DECLINES, WITHDRAWALS
from trading_system.rules.risk import REJECTIONS
from trading_system.rules.signals import SIGNAL_REFUSALS

Words = Mapping[str, str]

_RULES: Words = {**DECLINES, **WITHDRAWALS, **REJECTIONS, **SIGNAL_REFUSALS}
ENGLISH: Words = {
    "lang": "en",
    "dir": "ltr",
    "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "dash": "–",
    # header
    "title": "Report of a run",
    "period": "{start} → {end} UTC",
    "warm_up_note.one": "after a warm-up of {count} candle",
    "warm_up_note.other": "after a warm-up of {count} candles",
    "candles.one": "{count} candle of {interval}",
    "candles.other": "{count} candles of {interval}",
    "days.one": "{count} day",
    "days.other": "{count} days",
    "seconds": "run {seconds} s",
    "kind.backtest": "backtest",
    "kind.run": "run over the simulated exchange",
    "chip.equity": "start {equity}",
    "chip.risk": "risk {percent}% a trade",
    "chip.leverage": "leverage {leverage}x",
    "chip.fees": "fees {maker} / {taker} bps",
    "chip.slippage": "slippage {ticks} tick(s)",
    "chip.settings": "settings {hash}",
    "chip.data": "data {hash}",
    "chip.code": "code {version}",
    "chip.fingerprint": "fingerprint {hash}",
    # warnings
    "warn.title": "Before you believe it",
    "warn.no_trades": "No trade closed: there is nothing to judge. The table of refusals below says where it ended.",
    "warn.few.one": "{count} closed trade is far too few to judge a strategy by; results like these are mostly luck.",
    "warn.few.other": "{count} closed trades are far too few to judge a strategy by; results like these are mostly "
    "luck.",
    "warn.some.one": "{count} closed trade is few; figures by setup, hour or month rest on a handful of trades each.",
    "warn.some.other": "{count} closed trades are few; figures by setup, hour or month rest on a handful of trades "
    "each.",
    "warn.no_edge": "The mean result of {mean} R a trade is within two standard errors (± {error} R) of zero: "
    "this run does not show an edge.",
    "warn.needed.one": "If that mean were real, about {count} trade would be needed to tell it from zero.",
    "warn.needed.other": "If that mean were real, about {count} trades would be needed to tell it from zero.",
    "warn.loses": "The mean result of {mean} R a trade (± {error} R) is below zero: these rules lost on these candles.",
    "warn.edge": "The mean of {mean} R a trade (± {error} R) differs from zero on this data only. "
    "If the settings were chosen on it, that proves nothing.",
    "warn.best": "{percent}% of all gains came from the best {count} trades.",
    "warn.stopped": "No entries after {when}: the account had fallen by its drawdown limit, and nobody resumed it.",
    "warn.day_loss.one": "On {count} day entries were off after the day's loss limit.",
    "warn.day_loss.other": "On {count} days entries were off after the day's loss limit.",
    "warn.gaps.one": "{count} minute is missing in the candles; nothing fills in it.",
    "warn.gaps.other": "{count} minutes are missing in the candles; nothing fills in them.",
    "warn.short.one": "{count} day sees one kind of market only.",
    "warn.short.other": "{count} days see one kind of market only.",
    "warn.open.one": "{count} trade was open at the end: counted in equity at the last price, in no figure of trades.",
    "warn.open.other": "{count} trades were open at the end: counted in equity at the last price, in no figure of "
    "trades.",
    "warn.base": "The candles are longer than a minute: the order of what happened inside each is assumed.",
    # headlines
    "section.equity": "Equity",
    "section.drawdown": "Drawdown",
    "section.months": "Return by month, %",
    "section.results": "Result of each trade, R",
    "section.excursions": "Excursions: are stops and targets in the right place?",
    "section.groups": "Where the results come from",
    "section.funnel": "From candles to trades: what was refused, and why",
    "section.figures": "All figures",
    "section.trades": "Trades",
    "section.fills": "What the fills assume",
    "section.settings": "Settings and instruments",
    "strategy": "strategy",
    "hold": "buy & hold",
    "with_figure": "{name} {value}",
    "year": "Year",
    "no_trades_here": "No closed trade.",
    "excursion.x": "worst against (MAE, R)",
    "excursion.y": "best in favour (MFE, R)",
    "won": "gain",
    "lost": "loss",
    "trades.note": "a row opens its chart; a heading sorts",
    "trades.capped": "charts of the first {count} trades only",
    "funnel.note": "bars on a logarithmic scale; all symbols, signal interval",
    "groups.note": "few trades in a row of these tables mean little",
    # columns
    "column.number": "#",
    "column.symbol": "Symbol",
    "column.setup": "Setup",
    "column.opened": "Opened, UTC",
    "column.result": "Result",
    "column.net": "Net",
    "column.mae": "MAE",
    "column.mfe": "MFE",
    "column.held": "Held",
    "column.exit": "Ended by",
    "column.trades": "Trades",
    "column.win_rate": "Win rate",
    "column.expectancy": "Mean R",
    "column.profit_factor": "Profit factor",
    "column.total_r": "Sum R",
    # groups and their values
    "group.setup": "Setup",
    "group.side": "Side",
    "group.symbol": "Symbol",
    "group.exit": "Ended by",
    "group.score": "Score",
    "group.hour": "Hour of entry, UTC",
    "setup.order_block": "Order block",
    "setup.flag": "Flag",
    "setup.flag_on_block": "Flag + order block",
    "side.long": "Long",
    "side.short": "Short",
    "exit.stop": "stop",
    "exit.target": "last target",
    "exit.liquidation": "liquidation",
    "exit.time_stop": "time stop",
    "exit.settled": "settled by the exchange",
    "exit.stop_passed": "stop passed, left at market",
    "exit.by_hand": "left at market by hand",
    "exit.late_fill": "filled while it was taken back, left at market",
    "exit.break_even": "stop after a target",
    # figures: name, definition
    "net_profit": "Net profit",
    "net_profit.def": "Equity at the end less equity at the start, after fees and funding, open trades at last price.",
    "return_pct": "Total return",
    "return_pct.def": "Net profit in per cent of the starting equity.",
    "cagr_pct": "CAGR",
    "cagr_pct.def": "The yearly rate (365 days) that leads from the first to the last equity; from 90 days on.",
    "max_drawdown_pct": "Max drawdown",
    "max_drawdown_pct.def": "The deepest fall of equity from its highest point so far, in per cent of that point. "
    "Equity is marked at fills, signal closes, fundings and midnights, not at every minute.",
    "sharpe": "Sharpe",
    "sharpe.def": "Mean over standard deviation of daily UTC returns, times the root of 365; the risk-free rate is 0.",
    "sharpe_error": "Sharpe, standard error",
    "sharpe_error.def": "What luck alone moves the Sharpe ratio by, for independent normal days (Lo 2002).",
    "sortino": "Sortino",
    "sortino.def": "Mean daily return over the root of the mean squared loss of all days, times the root of 365.",
    "profit_factor": "Profit factor",
    "profit_factor.def": "What the winning trades brought over what the losing ones cost, after fees.",
    "win_rate_pct": "Win rate",
    "win_rate_pct.def": "The share of closed trades that brought money after fees.",
    "expectancy_r": "Expectancy",
    "expectancy_r.def": "The mean result of a trade in units of the risk that was planned for it (R), after fees.",
    "expectancy_error_r": "Expectancy, standard error",
    "expectancy_error_r.def": "The standard deviation of the trades' R over the root of their number.",
    "trades": "Trades",
    "trades.def": "Trades that were opened and closed.",
    "sqn": "SQN",
    "sqn.def": "Expectancy over its standard error (Tharp), not capped; below 2 it is hard to tell from luck.",
    "equity_start": "Equity at the start",
    "equity_start.def": "The account that the run was given.",
    "equity_end": "Equity at the end",
    "equity_end.def": "Cash and open trades at the last price.",
    "open_profit": "Of it in open trades",
    "open_profit.def": "The part of the net profit that closed trades did not bring.",
    "buy_and_hold_pct": "Buy & hold",
    "buy_and_hold_pct.def": "The same period with the account spread over the symbols at the first close and kept; "
    "no costs, no funding, no leverage.",
    "volatility_pct": "Volatility",
    "volatility_pct.def": "The standard deviation of the daily returns, times the root of 365.",
    "calmar": "Calmar",
    "calmar.def": "CAGR over max drawdown.",
    "longest_drawdown_ms": "Longest drawdown",
    "longest_drawdown_ms.def": "The longest time from a peak until equity reached it again, or until the end.",
    "exposure_pct": "Exposure",
    "exposure_pct.def": "The share of the period in which at least one position was held.",
    "average_win_r": "Average win",
    "average_win_r.def": "The mean R of the trades that brought money.",
    "average_loss_r": "Average loss",
    "average_loss_r.def": "The mean R of the trades that cost money.",
    "longest_losing_streak": "Longest losing streak",
    "longest_losing_streak.def": "The most losing trades in a row, by the time they closed.",
    "trades_per_month": "Trades a month",
    "trades_per_month.def": "Closed trades over the period, for a month of 365/12 days.",
    "best_trades_pct": "Best 3 trades' share",
    "best_trades_pct.def": "How much of all gains the three best trades brought.",
    "trades_needed": "Trades needed",
    "trades_needed.def": "How many such trades it takes until a mean of this size lies two standard errors from zero.",
    "fees_paid": "Fees paid",
    "fees_paid.def": "The fees of all fills, those of open trades included.",
    "funding_paid": "Funding paid",
    "funding_paid.def": "What closed trades paid for funding, less what they received; 0 when no rates were given.",
    # reasons for a dash
    "reason.no_trades": "no trade closed",
    "reason.no_losses": "nothing was lost",
    "reason.no_wins": "nothing was won",
    "reason.no_spread": "all results are equal",
    "reason.one_trade": "one trade has no spread",
    "reason.few_days": "fewer than two days",
    "reason.short_period": "period shorter than 90 days",
    "reason.ruined": "nothing is left",
    "reason.no_time": "nothing after the warm-up",
    "reason.no_drawdown": "equity never fell",
    "reason.no_prices": "no price in the period",
    # funnel
    "stage.candles": "Candles",
    "stage.swings": "Swings",
    "stage.order_blocks": "Order blocks",
    "stage.flags": "Flag breakouts",
    "stage.candidates": "Candidates",
    "stage.signals": "Signals",
    "stage.accepted": "Accepted",
    "stage.entered": "Entered",
    "stage.trades": "Closed trades",
    **{f"rule.{code}": sentence for code, sentence in _RULES.items()},
    "rule.still_waiting": "the entry still waited at the end",
    "rule.still_open": "still open at the end",
    # trade
    "trade.entry": "entry",
    "trade.stop": "stop",
    "trade.target": "TP{number}",
    "trade.sentence": "{side} {quantity} at {entry}, planned stop {stop}, planned reward {rr} R after fees, "
    "score {score}. {reason} at {closed}: {net} = {r} R.",
    # fills
    "fills.minutes": "Fills are decided on {interval} candles: a path from the open over both extremes to the close.",
    "fills.unkind": "The extreme against the trade comes first; a bad path, though not provably the worst one.",
    "fills.nearest": "The extreme nearer to the open comes first, which can be kinder than the market was.",
    "fills.through": "A limit order fills only when price goes at least one tick through it.",
    "fills.touch": "A limit order fills when price touches it, which is kinder than a real queue.",
    "fills.slippage": "Market and stop orders fill {ticks} tick(s) worse than their price; at the open if it gaps.",
    "fills.whole": "Orders fill whole and at once: no queue, no partial fills, no outage, no effect on the market.",
    "fills.reaction": "Stops and targets rest at the very point where the entry filled; an exchange needs time.",
    "fills.candles": "Past candles are no promise; the rules read closed candles only and never look ahead.",
    "time.minutes": "{minutes} m",
    "time.hours": "{hours} h {minutes} m",
    "time.days": "{days} d {hours} h",
    "setting": "Setting",
    "value": "Value",
    "default": "Default",
    "foot": "No advice, no promise of profit. Made from the run's own record alone.",
}


def say(words: Words, key: str, **values: object) -> str:
    """Return the phrase ``key`` with ``values`` filled in. Raises: KeyError when a text is missing."""
    return filled(words[key], values) if words["dir"] == "rtl" else words[key].format(**values)


def counted(words: Words, key: str, number: int, **values: object) -> str:
    """Return the phrase ``key`` in the plural form of ``number``, which fills ``{count}``. Raises: KeyError."""
    return say(words, f"{key}.{plural_form(words['lang'], number)}", count=f"{number:,}", **values)


def named(words: Words, prefix: str, code: str) -> str:
    """Return the phrase for a code of an open set; its own words when the table has none."""
    return words.get(f"{prefix}.{code}", code.replace("_", " "))


def rule_sentence(words: Words, code: str) -> str:
    """Return why candidates or signals ended at the rule ``code``; the code's own words when the table has none."""
    sentence = words.get(f"rule.{code}") or code.replace("_", " ")
    return sentence[0].upper() + sentence[1:].rstrip(".")

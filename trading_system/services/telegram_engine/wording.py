"""Every phrase of the messages and of an alert picture's texts, in one table, so that a catalogue can take its place.

Names in braces are filled in by ``messages`` and ``alert``; which phrase is due when is decided there.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.languages.speech import Speech

DOMAIN = "alerts"
ENGLISH: Mapping[str, str] = {
    # signal
    "signal.head": "{light} {side} {symbol} · {interval}",
    "signal.setup": "{setup} · score {score}/100",
    "signal.entry": "Entry: {price}",
    "signal.stop": "Stop: {price} (−{percent}%)",
    "signal.target": "Take profit {number}: {price} ({r}R, {weight}%)",
    "signal.risk": "Risk {percent}%",
    "signal.size": "size {quantity}",
    "signal.leverage": "leverage {leverage}x",
    "signal.not_taken": "Not taken: {why}",
    "signal.foot": "{mode} · {venue} · #{id}",
    # life of a trade
    "order.head": "📤 Order placed · {symbol} {side} #{id}",
    "order.limit": "Limit {verb} {quantity} @ {price}",
    "order.market": "Market {verb} {quantity}",
    "order.stop_armed": "stop {price} armed on the exchange",
    "order.stop_later": "stop {price} follows the fill",
    "fill.head": "✅ Filled · {symbol} {side} #{id}",
    "fill.line": "{quantity} @ {price} (slip {slip}) · fee {fee}",
    "target.head": "🎯 TP{number} hit · {symbol} #{id}  {r}R",
    "target.line": "{verb} {quantity} @ {price}",
    "target.stop_moved": "Stop moved to entry.",
    "target.half": "Half is still running.",
    "target.rest": "{percent}% is still running.",
    "target.done": "Nothing is left open.",
    "stop.head": "🛑 Stop hit · {symbol} {side} #{id}  {r}R",
    "exit.head": "🚪 Closed · {symbol} {side} #{id}  {r}R",
    "stop.line": "Closed {quantity} @ {price}",
    "stop.held": "held {duration}",
    # summary
    "summary.head": "📊 {period} · {mode}",
    "summary.net": "Net {percent}% ({money}) · {trades}: {won} won, {lost} lost",
    "summary.trades.one": "{count} trade",
    "summary.trades.other": "{count} trades",
    "summary.equity": "Equity {equity} · drawdown −{drawdown}%",
    "summary.best": "Best {best} {best_r}R · worst {worst} {worst_r}R",
    "summary.signals": "Signals {signals}: {fates}",
    "summary.taken": "{count} taken",
    "summary.refused": "{count} {why}",
    # words
    "mode.DEMO": "DEMO",
    "mode.PAPER": "PAPER",
    "mode.LIVE": "LIVE",
    "between": ", ",
    "with_profit": "{line} · {money}",
    "time.minutes": "{minutes} m",
    "time.hours": "{hours} h {minutes} m",
    "time.days": "{days} d {hours} h",
    "side.long": "LONG",
    "side.short": "SHORT",
    "buy": "buy",
    "sell": "sell",
    "bought": "Bought",
    "sold": "Sold",
    # setups
    "setup.order_block": "Order block, entry on the retest",
    "setup.flag": "Flag breakout",
    "setup.confluence": "{setup} + order block",
    "zone.long": "Bullish OB",
    "zone.short": "Bearish OB",
    # reasons, by the code of the score's component
    "reason.trend_with": "With the higher trend",
    "reason.trend_against": "Against the higher trend",
    "reason.bos": "Break of structure",
    "reason.choch": "Change of character",
    "reason.displacement": "Strong move away",
    "reason.fvg": "Left a fair value gap",
    "reason.fresh": "Zone not touched yet",
    "reason.volume": "Volume on the break",
    "reason.confluence": "Order block in the same place",
    "reason.reward": "Reward at least twice the loss",
    "reason.tall_zone": "Tall zone, stop far away",
    # why a signal was not taken, by the rule that refused it
    "refused.rr_too_low": "R:R too low",
    "refused.against_trend": "against the higher trend",
    "refused.no_target": "without a target",
    "refused.stop_not_a_price": "stop at or below zero",
    "refused.warm_up": "too few candles so far",
    "refused.setup_off": "setup switched off",
    "refused.paused": "entries switched off by a person",
    "refused.drawdown_stop": "stopped after the drawdown, until resumed",
    "refused.day_loss": "loss limit of the day reached",
    "refused.symbol_leaves": "the symbol leaves the line",
    "refused.slot_taken": "the symbol has a trade already",
    "refused.max_positions": "too many positions",
    "refused.size_zero": "risk too small for one step of quantity",
    "refused.below_min_notional": "below the smallest order of the exchange",
    "refused.margin": "not enough free balance",
    "refused.liquidation_near": "liquidation too near the stop",
    "refused.open_risk": "too much open risk",
    "refused.signal_stale": "signal too old",
    "refused.venue_refused": "refused by the exchange",
    "refused.not_placed": "entry never reached the exchange",
    # the numbers beside a reason
    "number.equity": "equity",
    "number.step": "step",
    "number.notional": "notional",
    "number.minimum": "minimum",
    "number.needed": "needed",
    "number.free": "free",
    "number.liquidation": "liquidation",
    "number.stop": "stop",
    "number.atr": "atr",
    "number.would_be": "would be",
    "number.limit": "limit",
    "number.limit_pct": "limit pct",
    "number.positions": "positions",
    # venues
    "venue.binance": "Binance spot",
    "venue.binance_usdm": "Binance USDT-M",
    "venue.bybit": "Bybit spot",
    "venue.bybit_linear": "Bybit perp",
}

IN_ENGLISH = Speech(ENGLISH)


def alerts_in(language: str) -> Speech:
    """Return how alerts speak in ``language``. Raises: CatalogueError."""
    return Speech.of(DOMAIN, ENGLISH, language)

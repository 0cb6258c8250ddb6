"""Whether the account takes a plan, and with what size; a refusal names its rule and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trading_system.rules.grid import Instrument
from trading_system.rules.trade import Trade, liquidation_price, open_risk, slices_of
from trading_system.rules.trade_plan import Plan, loss_of, size_of


class RiskRules(NamedTuple):
    """The limits of one account; every ``_pct`` is in per cent of equity."""

    risk_pct: float = 1.0
    leverage: float = 5.0
    max_positions: int = 3
    open_risk_pct: float = 3.0
    day_loss_pct: float = 3.0
    drawdown_pct: float = 15.0


class Standing(NamedTuple):
    """What the admission of a plan reads of the account: the ledger as this instant has left it so far."""

    equity: float
    free: float
    day_locked: bool
    drawdown_locked: bool
    slot_taken: bool
    positions: int
    open_risk: float
    paused: bool = False


class Rejection(NamedTuple):
    """A plan that the account does not take."""

    plan: Plan
    rule: str
    numbers: Mapping[str, float]


REJECTIONS: Mapping[str, str] = {
    "paused": "a person switched entries off; they stay off until `resume`",
    "drawdown_stop": "the account fell from its peak by the drawdown limit; entries stay off until `resume`",
    "day_loss": "today's loss reached the daily limit; entries are off until the next UTC day",
    "symbol_leaves": "the symbol leaves the line and takes no new entries",
    "slot_taken": "a plan waits or a trade lives on this symbol",
    "max_positions": "as many trades as allowed wait or live already",
    "size_zero": "the risk allowed buys less than one step of quantity",
    "below_min_notional": "the position would be worth less than the venue's minimum",
    "margin": "the initial margin exceeds the free balance",
    "liquidation_near": "the liquidation price would not lie beyond the stop by one ATR",
    "open_risk": "the open risk of all trades together would exceed its limit",
    "signal_stale": "the signal was older than allowed when it could have been acted on",
    "venue_refused": "the venue refused the entry",
    "not_placed": "the entry is proven not to have reached the venue and the signal is too old to send it again",
}


def admit(plan: Plan, standing: Standing, instrument: Instrument, rules: RiskRules) -> Trade | Rejection:
    """Give ``plan`` a size and a slot, or refuse it by the first rule it breaks."""
    refused = _locked(plan, standing, rules)
    if refused is not None:
        return refused
    loss = loss_of(plan, instrument.taker_fee)
    if standing.equity <= 0:
        return Rejection(plan, "size_zero", {"equity": standing.equity})
    affordable = instrument.step.floor(standing.equity * rules.leverage / plan.entry)
    quantity = min(size_of(loss, standing.equity, rules.risk_pct, instrument.step), affordable)
    notional = quantity * plan.entry
    margin = notional / rules.leverage
    if quantity == 0:
        return Rejection(plan, "size_zero", {"equity": standing.equity, "step": instrument.step.price(1)})
    if notional < instrument.min_notional:
        return Rejection(plan, "below_min_notional", {"notional": notional, "minimum": instrument.min_notional})
    if margin > standing.free:
        return Rejection(plan, "margin", {"needed": margin, "free": standing.free})
    edge = liquidation_price(plan.side, plan.entry, rules.leverage, instrument)
    if (plan.stop - edge) * plan.side < plan.atr:
        return Rejection(plan, "liquidation_near", {"liquidation": edge, "stop": plan.stop, "atr": plan.atr})
    slices = slices_of(quantity, plan.targets, instrument.step, instrument.min_notional)
    trade = Trade(plan, quantity, slices, loss * quantity, plan.stop)
    limit = standing.equity * rules.open_risk_pct / 100
    heat = standing.open_risk + open_risk(trade, instrument)
    if heat > limit:
        return Rejection(plan, "open_risk", {"would_be": heat, "limit": limit})
    return trade


def _locked(plan: Plan, standing: Standing, rules: RiskRules) -> Rejection | None:
    if standing.paused:
        return Rejection(plan, "paused", {})
    if standing.drawdown_locked:
        return Rejection(plan, "drawdown_stop", {"limit_pct": rules.drawdown_pct})
    if standing.day_locked:
        return Rejection(plan, "day_loss", {"limit_pct": rules.day_loss_pct})
    if standing.slot_taken:
        return Rejection(plan, "slot_taken", {})
    if standing.positions >= rules.max_positions:
        return Rejection(plan, "max_positions", {"positions": standing.positions, "limit": rules.max_positions})
    return None

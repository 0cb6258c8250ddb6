"""The public market of Bybit's linear contracts by REST: as spot, under another category."""

from __future__ import annotations

from trading_system.venues.bybit.market import BybitMarket, BybitWire
from trading_system.venues.rest_budget import BudgetTerms

LINEAR = BybitWire("linear", "qty_step", "min_notional_value", "LinearPerpetual")
LINEAR_BUDGET = BudgetTerms("bybit_linear", 600, 5_000)


class BybitLinearMarket(BybitMarket):
    """The public market of Bybit linear; what trades is its perpetual contracts in USDT."""

    name = "bybit_linear"
    wire = LINEAR

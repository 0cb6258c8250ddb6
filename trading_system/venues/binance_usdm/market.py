"""The public market of Binance USDT-M by REST: as spot, over other paths, with weights that grow with the rows."""

from __future__ import annotations

from trading_system.venues.binance.market import BinanceMarket, BinanceWire
from trading_system.venues.rest_budget import BudgetTerms

USDM_BUDGET = BudgetTerms("binance_usdm", 2_400, 60_000)
ENDED = frozenset({"PRE_SETTLE", "SETTLING", "PRE_DELIVERING", "DELIVERING", "DELIVERED", "CLOSE"})
_WEIGHTS = ((100, 1), (500, 2), (1001, 5))  # fewer rows than: weight


def rows_weight(rows: int) -> int:
    """Return what a request of ``rows`` minutes weighs; 499 rows for 2 are the cheapest each."""
    return next((weight for fewer_than, weight in _WEIGHTS if rows < fewer_than), 10)


USDM = BinanceWire("/fapi/v1", 499, rows_weight, 1, 40, ("MIN_NOTIONAL", "notional"), "PERPETUAL")


class BinanceUsdmMarket(BinanceMarket):
    """The public market of Binance USDT-M; what trades is its perpetual contracts."""

    name = "binance_usdm"
    ended = ENDED
    wire = USDM

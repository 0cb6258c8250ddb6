"""The account and its positions as the words of ``contracts``."""

from __future__ import annotations

from collections.abc import Sequence

from trading_system.contracts import AccountDTO, PositionDTO, from_ms
from trading_system.rules.account import Account, Terms, standing_of
from trading_system.rules.holdings import Holding, equity_at
from trading_system.rules.matching import MINUTE_MS


def position_dto(held: Holding, exchange: str) -> PositionDTO:
    """Return an open position; ``time`` is when it was opened. Without a price it says no profit."""
    trade = held.trade
    word: PositionDTO = {
        "exchange": exchange,
        "symbol": held.symbol,
        "side": "long" if held.side > 0 else "short",
        "quantity": held.quantity,
        "entry_price": held.entry,
        "time": from_ms(held.since),
        "protected": held.covered,
        "stop_loss": trade.stop,
        "take_profits": [
            {"price": target.price, "weight": target.weight}
            for target, left in zip(trade.plan.targets, trade.slices, strict=True)
            if left > 0
        ],
        "signal_id": trade.plan.id,
        "realized": trade.earned,
    }
    if held.unrealised is not None and held.r is not None:
        word["unrealized"] = held.unrealised
        word["r"] = held.r
    return word


def account_dto(account: Account, terms: Terms, held: Sequence[Holding], step: int) -> AccountDTO:
    """Return the account after ``step``; where an open position has no price, equity is that of the last mark."""
    now = equity_at(account, held)
    equity = account.equity if now is None else now
    return {
        "exchange": terms.instruments[0].exchange,
        "step": step,
        "time": from_ms(step * MINUTE_MS),
        "equity": equity,
        "wallet": account.wallet,
        "peak": account.peak,
        "day_result": equity - account.day_equity,
        "day_locked": account.day_locked,
        "drawdown_locked": account.drawdown_locked,
        "paused": account.paused,
        "open_risk": standing_of(account, 0, terms).open_risk,
        "positions": [one.symbol for one in held if not one.waiting],
        "waiting": [one.symbol for one in held if one.waiting],
    }

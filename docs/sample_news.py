# ruff: noqa: INP001
"""One signal's life and what else is told, as the news of it: what the transcripts of the papers are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from trading_system.contracts import FillDTO, OrderDTO, RejectionDTO, TradeSignalDTO
from trading_system.services.telegram_engine.messages import RunSummary
from trading_system.services.telegram_engine.news import (
    DayEnded,
    EntriesHalted,
    EntryFilled,
    EntryRefused,
    EntryWithdrawn,
    Left,
    News,
    OfferEnded,
    Ordered,
    Signalled,
    TargetHit,
    TradeEnded,
)

AT = datetime(2025, 11, 18, 6, 30, tzinfo=UTC)
TIME = 1_763_447_400_000
PLACE = {"exchange": "binance_usdm", "symbol": "BTCUSDT"}
SIGNAL = cast(
    "TradeSignalDTO",
    {
        **PLACE,
        "id": "a41fxyzxyzxyzxyz",
        "interval": "15m",
        "pattern": "flag",
        "side": "long",
        "time": AT - timedelta(minutes=15),
        "confirmed_at": AT,
        "entry_type": "limit",
        "entry_price": 68_790.0,
        "stop_loss": 67_600.0,
        "take_profits": [{"price": 69_980.0, "weight": 0.5}, {"price": 71_170.0, "weight": 0.5}],
        "rr_net": 1.4,
        "score": 82.0,
        "reasons": ["trend_with", "confluence"],
        "expires_at": AT + timedelta(hours=5),
    },
)
REFUSED = cast(
    "RejectionDTO", {**PLACE, "rule": "max_positions", "confirmed_at": AT, "numbers": {"positions": 3, "limit": 3}}
)
ORDER = cast("OrderDTO", {**PLACE, "side": "buy", "type": "limit", "price": 68_790.0, "quantity": 0.083})
SUMMARY = RunSummary(
    "2025-11-18", "PAPER", 1.24, 145.2, "USDT", 4, 3, 1, 11_842.6, 0.4, ("BTCUSDT", 2.0), ("XRPUSDT", -1.0), 9, 4,
    {"margin": 3, "slot_taken": 2},
)  # fmt: skip


def fill(price: float, quantity: float, **more: Any) -> FillDTO:
    """Return one fill of the signal's trade."""
    word = {**PLACE, "price": price, "quantity": quantity, "fee": 2.28, "side": "sell", **more}
    return cast("FillDTO", word)


def sample_news() -> list[News]:
    """Return one piece of news of every kind, in the order in which they may happen."""
    return [
        Signalled(TIME, SIGNAL, 0.083),
        Ordered(TIME, SIGNAL, ORDER),
        EntryFilled(TIME, SIGNAL, fill(68_791.2, 0.083)),
        TargetHit(TIME, SIGNAL, fill(69_980.0, 0.0415, realized=49.33), 1, 0.5, stop_moved=True),
        Left(TIME, SIGNAL, fill(68_791.2, 0.0415, realized=-1.14), 12_000_000, by_stop=True),
        TradeEnded(TIME, SIGNAL, 0.083, 68_791.2, 48.19, 0.5, ()),
        Signalled(TIME, SIGNAL, refused=REFUSED),
        Signalled(TIME, SIGNAL, offered=True),
        OfferEnded(TIME, SIGNAL, "taken"),
        OfferEnded(TIME, SIGNAL, "missed"),
        EntryWithdrawn(TIME, SIGNAL, "zone_gone"),
        EntryRefused(TIME, SIGNAL, cast("RejectionDTO", {**REFUSED, "rule": "venue_refused"})),
        EntriesHalted(TIME, "day_loss"),
        DayEnded(TIME, SUMMARY),
    ]

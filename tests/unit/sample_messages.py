"""One sound message of every kind, by the name of its reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

AT = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=15)
SEED_CANDLE = {"symbol": "BTCUSDT", "open_time": AT, "open": 100.5, "high": 101.0, "low": 99.0, "close": 100.0}
PLACE = {"exchange": "binance_usdm", "symbol": "BTCUSDT"}
BORN = {"id": "a1", **PLACE, "interval": "15m", "time": AT, "confirmed_at": LATER}

MESSAGES: dict[str, dict[str, Any]] = {
    "to_candle": {**SEED_CANDLE, "volume": 12.5, "interval": "1m", "exchange": "binance_usdm", "closed": True},
    "to_high_low": {**BORN, "kind": "high", "price": 101.0, "label": "HH", "replaces": "a0"},
    "to_order_block": {
        **BORN,
        "direction": -1,
        "top": 101.0,
        "bottom": 100.5,
        "state": "touched",
        "volume": 3.0,
        "strength": 80.0,
    },
    "to_event": {
        **BORN,
        "kind": "flag_breakout",
        "direction": 1,
        "ref": "a0",
        "values": {"close": 101.5, "width": 7, "shape": "pennant"},
    },
    "to_signal": {
        **BORN,
        "pattern": "order_block",
        "side": "long",
        "entry_type": "limit",
        "entry_price": 100.0,
        "stop_loss": 99.0,
        "take_profits": [{"price": 101.0, "weight": 0.5}, {"price": 102.0, "weight": 0.5}],
        "rr_net": 1.4,
        "score": 65.0,
        "reasons": ["bos", "fvg"],
        "expires_at": LATER + timedelta(hours=5),
        "atr": 0.75,
        "time_stop": 36000.0,
        "zone": "a0",
    },
    "to_order": {
        **PLACE,
        "client_id": "tmabcs00",
        "venue_id": "17",
        "side": "sell",
        "type": "stop",
        "trigger_price": 99.0,
        "quantity": 0.5,
        "reduce_only": True,
        "status": "new",
        "filled": 0.0,
        "signal_id": "a1",
        "role": "s",
    },
    "to_fill": {
        **PLACE,
        "trade_id": "9",
        "client_id": "tmabce00",
        "side": "buy",
        "price": 100.0,
        "quantity": 0.5,
        "fee": -0.01,
        "time": AT,
        "maker": True,
    },
    "to_position": {
        **PLACE,
        "side": "short",
        "quantity": 0.5,
        "entry_price": 100.0,
        "time": AT,
        "protected": True,
        "stop_loss": 99.0,
        "take_profits": [{"price": 101.0, "weight": 1.0}],
        "r": -0.25,
    },
    "to_account": {
        "exchange": "binance_usdm",
        "step": 28_401_120,
        "time": LATER,
        "equity": 10_012.5,
        "wallet": 10_000.0,
        "peak": 10_020.0,
        "day_result": -7.5,
        "day_locked": False,
        "drawdown_locked": False,
        "open_risk": 100.0,
        "positions": ["BTCUSDT"],
        "waiting": [],
    },
    "to_rejection": {**PLACE, "rule": "slot_taken", "confirmed_at": LATER, "numbers": {"positions": 3, "limit": 3}},
    "to_health": {"service": "data_feed", "status": "ok", "time": AT, "step": 28_000_000, "progress": {"frames": 5}},
    "to_mark_price": {"symbol": "BTCUSDT", "time": AT, "price": 61_000.5},
    "to_alert": {
        "id": "service_silent:data_feed:1",
        "kind": "service_silent",
        "subject": "data_feed",
        "over": False,
        "time": AT,
        "began": AT,
        "numbers": {"age_s": 20.5},
    },
    "to_command": {
        "id": "c1",
        "sender": "cli",
        "command": "flatten",
        "time": AT,
        "status": "new",
        "arguments": {"a": 1},
    },
}
MESSAGES["to_step"] = {
    **PLACE,
    "step": 28_000_000,
    "candles": [MESSAGES["to_candle"]],
    "swings": [MESSAGES["to_high_low"]],
    "events": [MESSAGES["to_event"]],
    "signals": [MESSAGES["to_signal"]],
    "refused": [MESSAGES["to_rejection"]],
}

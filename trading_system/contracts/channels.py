"""The names under which services meet: a channel per symbol and kind of news, and the keys of the newest facts.

What travels on them is in ``types.py``; who speaks and who listens is wired by the application.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from .errors import ContractError

SYSTEM_HEALTH = "System_Health"
SYSTEM_COMMAND = "System_Command"
SYSTEM_ALERT = "System_Alert"
ACCOUNT_KEY = "Account"


def is_name(text: object) -> bool:
    """Tell whether ``text`` can name a symbol or a service: not empty, printable, without any white space."""
    # isprintable is false for every white space but the plain blank.
    return isinstance(text, str) and text != "" and " " not in text and text.isprintable()


@lru_cache(maxsize=4_096)  # a line says the same few names every minute
def _named(subject: str, text: str) -> str:
    if not is_name(text):
        raise ContractError(
            subject,
            "",
            "a printable name without white space",
            repr(text),
            "give the exchange's own spelling, such as BTCUSDT",
        )
    return text


def candle_close_channel(symbol: str) -> str:
    """Return the channel of the step's closed candles, longest interval first, one CandleDTO a message."""
    return f"{_named('symbol', symbol)}_Close_Candle"


def real_time_channel(symbol: str) -> str:
    """Return the channel of the running, unclosed candle, the newest at most four times a second; it decides nothing.

    Those in between, and one that comes after its own close, are left out.
    """
    return f"{_named('symbol', symbol)}_RealTime"


def hl_updated_channel(symbol: str) -> str:
    """Return the channel of a step's candles and swings (StepDTO)."""
    return f"{_named('symbol', symbol)}_HL_Updated"


def strategy_step_channel(symbol: str) -> str:
    """Return the channel of a step's candles, events, signals and refused candidates (StepDTO)."""
    return f"{_named('symbol', symbol)}_Strategy_Step"


def trade_signal_channel(symbol: str) -> str:
    """Return the channel that repeats each signal (TradeSignalDTO) for people and other programs."""
    return f"{_named('symbol', symbol)}_Trade_Signal"


def order_updated_channel(symbol: str) -> str:
    """Return the channel of an order's changes (OrderDTO) and its fills (FillDTO)."""
    return f"{_named('symbol', symbol)}_Order_Updated"


def position_updated_channel(symbol: str) -> str:
    """Return the channel of a position's changes (PositionDTO)."""
    return f"{_named('symbol', symbol)}_Position_Updated"


def signal_rejected_channel(symbol: str) -> str:
    """Return the channel of signals that the account refused, with rule and numbers (RejectionDTO)."""
    return f"{_named('symbol', symbol)}_Signal_Rejected"


def last_candle_key(symbol: str) -> str:
    """Return the cache key of the newest closed candle (CandleDTO)."""
    return f"{_named('symbol', symbol)}_Last_Candle"


def mark_price_key(symbol: str) -> str:
    """Return the cache key of the price by which positions are valued (MarkPriceDTO)."""
    return f"{_named('symbol', symbol)}_Mark_Price"


def last_hl_key(symbol: str) -> str:
    """Return the cache key of the newest high or low (HighLowDTO)."""
    return f"{_named('symbol', symbol)}_Last_HL"


def nearest_order_block_key(symbol: str, side: Literal["long", "short"]) -> str:
    """Return the cache key of the live block nearest to price on ``side`` (OrderBlockDTO)."""
    if side not in {"long", "short"}:
        raise ContractError("side", "", "long or short", repr(side))
    return f"{_named('symbol', symbol)}_Nearest_Order_Block_{side.capitalize()}"


def position_key(symbol: str) -> str:
    """Return the cache key of the symbol's position (PositionDTO)."""
    return f"{_named('symbol', symbol)}_Position"


def health_key(service: str) -> str:
    """Return the cache key of a service's newest heartbeat (HealthDTO)."""
    return f"Health:{_named('service', service)}"

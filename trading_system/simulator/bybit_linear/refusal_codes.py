"""The refusals of Bybit v5: a closed set of codes with their sentences, and the exchange's own in them.

Every one of them comes with HTTP 200; the code is in the body. When a request deserves one is decided by whoever raises
it.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.simulator.refusals import Refusal, RefusedError

REFUSALS: Mapping[int, str] = {
    10001: "params error: {}",
    10002: (
        "invalid request, please check your server timestamp or recv_window param. {}; the request is outside of the "
        "time window"
    ),
    10003: "API key is invalid.",
    10004: "error sign! please check your signature generation algorithm.",
    10006: "Too many visits. Exceeded the API Rate Limit.",
    34040: "not modified",
    110001: "order not exists or too late to cancel",
    110007: "ab not enough for new order",
    110009: "The number of stop orders exceeds maximum limit allowed",
    110012: "Insufficient available balance.",
    110013: "cannot set leverage due to risk limit level",
    110017: "current position is zero, cannot fix reduce-only order qty",
    110025: "Position mode is not modified",
    110029: "Hedge mode is not available for this symbol",
    110043: "leverage not modified",
    110072: "OrderLinkedID is duplicate",
    110074: "This contract is not live",
    110092: "expect Rising, but trigger_price[{}] <= current??LastPrice",
    110093: "expect Falling, but trigger_price[{}] >= current??LastPrice",
    110094: "Order does not meet minimum order value {}USDT",
    3400045: "Set margin mode failed",
}

_CODES: Mapping[Refusal, int] = {
    Refusal.UNKNOWN_SYMBOL: 10001,
    Refusal.NOT_TRADING: 110074,
    Refusal.NOT_OPEN: 110001,
    Refusal.ID_IN_USE: 110072,
    Refusal.NOTHING_TO_REDUCE: 110017,
    Refusal.TOO_SMALL: 110094,
    Refusal.NO_MARGIN: 110007,
    Refusal.STOP_PASSED: 110093,
    Refusal.WOULD_TAKE: 10001,
    Refusal.STOP_BEYOND_ENTRY: 10001,
    Refusal.SECOND_CLOSING_STOP: 10001,
    Refusal.LEVERAGE_OF_POSITION: 110012,
}


class CodedRefusalError(Exception):
    """The venue's definite no: ``code`` and ``message`` as its body says them."""

    def __init__(self, code: int, detail: str = "", *, message: str | None = None) -> None:
        self.code = code
        self.message = REFUSALS.get(code, "Unknown error.").format(detail) if message is None else message
        super().__init__(f"{code}: {self.message}")


class LostAnswerError(Exception):
    """Something was accepted whose answer must not arrive."""


def coded(refused: RefusedError, *, rising: bool = False) -> CodedRefusalError:
    """Return what the exchange refused as this venue says it; ``rising``: the trigger waits for a higher price."""
    if refused.reason == Refusal.STOP_PASSED and rising:
        return CodedRefusalError(110092, refused.detail)
    detail = {
        Refusal.UNKNOWN_SYMBOL: "symbol invalid",
        Refusal.WOULD_TAKE: "a post-only order would be a taker",
        Refusal.STOP_BEYOND_ENTRY: f"{refused.detail} is on the wrong side of the base_price",
        Refusal.SECOND_CLOSING_STOP: "an order that closes the position is active",
    }.get(refused.reason, refused.detail)
    return CodedRefusalError(_CODES[refused.reason], detail)


def beyond_base_price(what: str, price: float, side: int) -> CodedRefusalError:
    """Return the refusal of a stop or target, named ``what``, that a position of ``side`` cannot have at ``price``."""
    lower = (side > 0) == (what == "StopLoss")
    held, where = "Buy" if side > 0 else "Sell", "lower" if lower else "higher"
    sentence = f"{what}:{round(price * 10_000)} set for {held} position should {where} than base_price??LastPrice"
    return CodedRefusalError(10001, message=sentence)

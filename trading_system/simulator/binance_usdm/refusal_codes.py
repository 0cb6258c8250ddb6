"""The refusals of Binance USDT-M: a closed set of codes with HTTP status and sentence, and the exchange's own in them.

When a request deserves one is decided by whoever raises it.
"""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.simulator.refusals import Refusal, RefusedError

REFUSALS: Mapping[int, tuple[int, str]] = {
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -1022: (400, "Signature for this request is not valid."),
    -1102: (400, "Mandatory parameter '{}' was not sent, was empty/null, or malformed."),
    -1111: (400, "Precision is over the maximum defined for this asset."),
    -1115: (400, "Invalid timeInForce."),
    -1116: (400, "Invalid orderType."),
    -1117: (400, "Invalid side."),
    -1120: (400, "Invalid interval."),
    -1121: (400, "Invalid symbol."),
    -1125: (400, "This listenKey does not exist."),
    -1130: (400, "Data sent for parameter '{}' is not valid."),
    -1131: (400, "recvWindow must be less than 60000."),
    -2011: (400, "Unknown order sent."),
    -2013: (400, "Order does not exist."),
    -2014: (401, "API-key format invalid."),
    -2015: (401, "Invalid API-key, IP, or permissions for action."),
    -2019: (400, "Margin is insufficient."),
    -2021: (400, "Order would immediately trigger."),
    -2022: (400, "ReduceOnly Order is rejected."),
    -2028: (400, "Leverage is smaller than permitted: insufficient margin balance."),
    -4001: (400, "Price less than 0."),
    -4003: (400, "Quantity less than or equal to zero."),
    -4014: (400, "Price not increased by tick size."),
    -4015: (400, "Client order id is not valid."),
    -4023: (400, "Qty not increased by step size."),
    -4028: (400, "Leverage {} is not valid."),
    -4046: (400, "No need to change margin type."),
    -4059: (400, "No need to change position side."),
    -4061: (400, "Order's position side does not match user's setting."),
    -4116: (400, "ClientOrderId is duplicated."),
    -4120: (
        400,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    ),
    -4130: (400, "An open stop or take profit order with GTE and closePosition in the direction is existing."),
    -4137: (400, "Quantity must be zero with closePosition equals true."),
    -4138: (400, "Reduce only must be true with closePosition equals true."),
    -4140: (400, "Invalid symbol status for opening position."),
    -4164: (400, "Order's notional must be no smaller than {} (unless you choose reduce only)."),
    -5022: (400, "Due to the order could not be executed as maker, the Post Only order will be rejected."),
    -5000: (404, "Path {} is not served here."),
}


CODES: Mapping[Refusal, int] = {
    Refusal.UNKNOWN_SYMBOL: -1121,
    Refusal.NOT_TRADING: -4140,
    Refusal.NOT_OPEN: -2011,
    Refusal.ID_IN_USE: -4116,
    Refusal.NOTHING_TO_REDUCE: -2022,
    Refusal.TOO_SMALL: -4164,
    Refusal.NO_MARGIN: -2019,
    Refusal.STOP_PASSED: -2021,
    Refusal.WOULD_TAKE: -5022,
    Refusal.STOP_BEYOND_ENTRY: -2021,
    Refusal.SECOND_CLOSING_STOP: -4130,
    Refusal.LEVERAGE_OF_POSITION: -2028,
}


class CodedRefusalError(Exception):
    """The venue's definite no: ``code`` and ``message`` as its error body says them, ``status`` of HTTP."""

    def __init__(self, code: int, detail: str = "", *, message: str | None = None) -> None:
        status, sentence = REFUSALS.get(code, (400, "Unknown error."))
        self.code = code
        self.status = status
        self.message = sentence.format(detail) if message is None else message
        super().__init__(f"{code}: {self.message}")


def coded(refused: RefusedError) -> CodedRefusalError:
    """Return what the exchange refused as this venue says it."""
    return CodedRefusalError(CODES[refused.reason], refused.detail)

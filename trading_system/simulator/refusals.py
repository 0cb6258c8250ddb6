"""What the simulated exchange refuses, in words of its own; each wire says it with the code of its venue."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """A rule of the exchange that a request broke."""

    UNKNOWN_SYMBOL = "the symbol is not traded here"
    NOT_TRADING = "the symbol is not traded now"
    NOT_OPEN = "the order is not open"
    ID_IN_USE = "an open order has this client id"
    NOTHING_TO_REDUCE = "there is no position that the order could reduce"
    TOO_SMALL = "the order's value is below the smallest one"
    NO_MARGIN = "the account has not enough margin"
    STOP_PASSED = "the price is beyond the trigger already"
    WOULD_TAKE = "a post-only order would fill at once"
    STOP_BEYOND_ENTRY = "what the entry carries is beyond its price"
    SECOND_CLOSING_STOP = "a stop that closes the position in this direction is open"
    LEVERAGE_OF_POSITION = "the leverage of an open position cannot be lowered"


class RefusedError(Exception):
    """The exchange's definite no. ``reason``: the rule; ``detail``: its number where it has one."""

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason.value}{f' ({detail})' if detail else ''}")

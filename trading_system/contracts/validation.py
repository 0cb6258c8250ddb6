"""What a decoded message must satisfy beyond the types of its fields, and how a refusal is put into words.

Whether a sound message is a sensible trade is not asked here; that is decided by ``rules``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from msgspec import inspect

from .channels import is_name
from .errors import ContractError
from .instants import in_utc
from .types import (
    AccountDTO,
    AlertDTO,
    CandleDTO,
    CommandDTO,
    EventDTO,
    FillDTO,
    HealthDTO,
    HighLowDTO,
    MarkPriceDTO,
    OrderBlockDTO,
    OrderDTO,
    PositionDTO,
    RejectionDTO,
    StepDTO,
    TradeSignalDTO,
)

LONGEST_QUOTE = 80
_INFINITE = math.inf
_NUMBER_WORDS = {"`float`": "a number", "`int`": "a whole number", "`str`": "a text", "`bool`": "true or false"}
_NUMBER_WORDS |= {"`array`": "a list", "`object`": "an object", "`datetime`": "an RFC 3339 time"}


def quoted(value: object) -> str:
    """Return ``value`` as an error shows it: its repr, cut at 80 characters."""
    text = repr(value)
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 3] + "..."


def check_candle(candle: CandleDTO, field: str = "") -> None:
    """Refuse a candle that is crossed, not finite or of a nameless symbol; bring its time to UTC.

    Raises: ContractError.
    """
    high, low = candle["high"], candle["low"]
    # Written so that a NaN, for which every comparison is false, is refused as well.
    if not (low <= candle["open"] <= high < _INFINITE and low <= candle["close"] <= high):
        _refuse_prices(candle, field)
    if not 0 <= candle.get("volume", 0.0) < _INFINITE:
        raise ContractError("CandleDTO", f"{field}volume", "a finite number", quoted(candle.get("volume")))
    symbol = candle["symbol"]
    if " " in symbol or not symbol.isprintable():  # is_name spelt out, as it is asked once a candle
        raise _unnamed("CandleDTO", f"{field}symbol", symbol)
    if candle["open_time"].tzinfo is not UTC:
        candle["open_time"] = placed("CandleDTO", f"{field}open_time", candle["open_time"])


def _refuse_prices(candle: CandleDTO, field: str) -> None:
    for name in ("open", "high", "low", "close"):
        if not math.isfinite(candle[name]):
            raise ContractError("CandleDTO", field + name, "a finite number", quoted(candle[name]))
    low, high = candle["low"], candle["high"]
    if high < low:
        raise ContractError("CandleDTO", f"{field}high", f"at least the low of {low!r}", repr(high))
    name = "open" if not low <= candle["open"] <= high else "close"
    was = candle["open"] if name == "open" else candle["close"]
    raise ContractError("CandleDTO", field + name, f"a price from the low {low!r} to the high {high!r}", repr(was))


def check_block(block: OrderBlockDTO) -> None:
    """Refuse a block whose top lies below its bottom. Raises: ContractError."""
    if block["top"] < block["bottom"]:
        was = repr(block["top"])
        raise ContractError("OrderBlockDTO", "top", f"at least the bottom of {block['bottom']!r}", was)


def check_step(step: StepDTO) -> None:
    """Check each candle of a step; only a gap may come without candles. Raises: ContractError."""
    for n, candle in enumerate(step["candles"]):
        check_candle(candle, f"candles[{n}].")
    if not step["candles"] and not step.get("gap", False):
        raise ContractError("StepDTO", "candles", "at least one candle, or gap: true", "an empty list")


def settle(subject: str, message: dict[str, Any], field: str = "") -> None:
    """Bring every time of ``message`` to UTC in place and refuse numbers that are not finite, nested ones included.

    Also refuses a ``symbol`` or ``exchange`` that cannot name a channel. Raises: ContractError.
    """
    for key, value in message.items():
        kind = type(value)
        if kind is str:
            if key in {"symbol", "exchange"} and not is_name(value):
                raise _unnamed(subject, field + key, value)
        elif kind is float:
            if not -_INFINITE < value < _INFINITE:
                raise ContractError(subject, field + key, "a finite number", quoted(value))
        elif kind is dict:
            settle(subject, value, f"{field}{key}.")
        elif kind is list:
            if key == "candles":  # a step's candles are checked one by one, and more sharply, in check_step
                continue
            for n, item in enumerate(value):
                if type(item) is dict:
                    settle(subject, item, f"{field}{key}[{n}].")
        elif getattr(value, "tzinfo", UTC) is not UTC:
            message[key] = placed(subject, field + key, value)


def placed(subject: str, field: str, instant: datetime) -> datetime:
    """Return ``instant`` in UTC, a naive one read as local time. Raises: ContractError beyond the calendar's ends."""
    try:
        return in_utc(instant)
    except (ValueError, OverflowError, OSError) as error:
        raise ContractError(subject, field, "a time that the calendar can hold in UTC", quoted(instant)) from error


def _unnamed(subject: str, field: str, value: object) -> ContractError:
    return ContractError(subject, field, "a printable name without white space", quoted(value))


CHECKS: Mapping[type, Callable[[Any], None] | None] = {
    CandleDTO: check_candle,
    HighLowDTO: None,
    OrderBlockDTO: check_block,
    EventDTO: None,
    TradeSignalDTO: None,
    OrderDTO: None,
    FillDTO: None,
    PositionDTO: None,
    AccountDTO: None,
    RejectionDTO: None,
    HealthDTO: None,
    MarkPriceDTO: None,
    AlertDTO: None,
    CommandDTO: None,
    StepDTO: check_step,
}


def explained(subject: type, complaint: str, message: object) -> ContractError:
    """Turn the decoder's ``complaint`` about ``message`` (decoded without types) into field, expected and was."""
    reason, _, place = complaint.partition(" - at `$")
    path = re.findall(r"[^.\[\]]+|\.\.\.", place.rstrip("`").replace("[...]", ".[...]"))
    name = subject.__name__
    if missing := re.search(r"missing required field `(\w+)`", reason):
        return ContractError(name, _joined([*path, missing[1]]), "a value", "missing")
    value, path = _found(message, path, reason)
    field = _joined(path)
    if reason.startswith("Invalid enum value"):
        return ContractError(name, field, _choices(subject, path), quoted(value))
    if reason.startswith("Number out of range"):
        was = "a number too large" if message is None else quoted(value)
        return ContractError(name, field, "a finite number", was)
    if reason.startswith("Invalid RFC3339") or "timezone" in reason:
        return ContractError(name, field, "an RFC 3339 time with its zone, such as 2024-05-01T00:00:00Z", quoted(value))
    expected = reason.partition(", got ")[0].removeprefix("Expected ")
    for word, plain in _NUMBER_WORDS.items():
        expected = expected.replace(word, plain)
    return ContractError(name, field, expected.replace("`", "").replace(" | ", " or "), quoted(value))


def _joined(path: Iterable[str]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text


def _found(message: object, path: list[str], reason: str) -> tuple[object, list[str]]:
    """Walk ``path``; where the decoder only says "some value of this object", name the first that does not fit."""
    walked: list[str] = []
    value = message
    for part in path:
        if part == "..." and isinstance(value, Mapping):
            fits = (bool, list, dict, type(None)) if "got" in reason else (float,)
            part = next((str(key) for key, item in value.items() if isinstance(item, fits)), part)  # noqa: PLW2901
        walked.append(part)
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
    return value, walked


def _choices(subject: type, path: list[str]) -> str:
    kind: inspect.Type = inspect.type_info(subject)
    for part in path:
        if isinstance(kind, inspect.TypedDictType):
            kind = next(field.type for field in kind.fields if field.encode_name == part)
        elif isinstance(kind, inspect.ListType):
            kind = kind.item_type
    values = cast("inspect.LiteralType", kind).values
    return " or ".join(str(value) for value in values)

"""Messages to JSON and back: strict in what is read, finite in what is written.

Writing takes any message; reading either gives an untyped dictionary (``deserialize``) or one checked word of
``types.py`` (``to_candle`` and its neighbours), from such a dictionary or, quicker, from the bytes themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

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
from .validation import CHECKS, check_candle, explained, placed, quoted, settle

Text = bytes | bytearray | memoryview | str
Message = Mapping[str, object] | Text
T = TypeVar("T")
_TEXTS = (bytes, str, bytearray, memoryview)

LARGEST_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes; a message of this system is a few kilobytes, so anything above is an accident or an attack."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def serialize(dto: Mapping[str, object]) -> bytes:
    """Return ``dto`` as JSON in UTF-8. Times become RFC 3339 in UTC; a naive datetime means local time.

    Raises: ContractError for NaN and infinity (named by field) and for what JSON has no word for.
    """
    try:
        return _encode(dto if _is_plain(dto) else _writable(dto, ""))
    except (RecursionError, TypeError, UnicodeError, msgspec.MsgspecError) as error:
        raise ContractError("message", "", "values that JSON can hold", str(error)) from error


def deserialize(payload: Text) -> dict[str, Any]:
    """Return the JSON object in ``payload`` without checking any field; times stay texts.

    Raises: ContractError if it is too large, not JSON (NaN and infinity are not) or not an object.
    """
    message = _untyped("message", payload)
    if not isinstance(message, dict):
        raise ContractError("message", "", "a JSON object", quoted(message))
    return message


def to_candle(message: Message) -> CandleDTO:
    """Return ``message`` as a checked candle: finite, not negative, not crossed. Raises: ContractError."""
    candle = _CANDLE.typed(message)
    check_candle(candle)
    return candle


def to_high_low(message: Message) -> HighLowDTO:
    """Return ``message`` as a checked swing. Raises: ContractError."""
    return _HIGH_LOW.read(message)


def to_order_block(message: Message) -> OrderBlockDTO:
    """Return ``message`` as a checked order block, its top not below its bottom. Raises: ContractError."""
    return _ORDER_BLOCK.read(message)


def to_event(message: Message) -> EventDTO:
    """Return ``message`` as a checked event of detection. Raises: ContractError."""
    return _EVENT.read(message)


def to_signal(message: Message) -> TradeSignalDTO:
    """Return ``message`` as a checked signal; whether it makes sense is for ``rules``. Raises: ContractError."""
    return _SIGNAL.read(message)


def to_order(message: Message) -> OrderDTO:
    """Return ``message`` as a checked order. Raises: ContractError."""
    return _ORDER.read(message)


def to_fill(message: Message) -> FillDTO:
    """Return ``message`` as a checked fill. Raises: ContractError."""
    return _FILL.read(message)


def to_position(message: Message) -> PositionDTO:
    """Return ``message`` as a checked position. Raises: ContractError."""
    return _POSITION.read(message)


def to_account(message: Message) -> AccountDTO:
    """Return ``message`` as a checked account. Raises: ContractError."""
    return _ACCOUNT.read(message)


def to_rejection(message: Message) -> RejectionDTO:
    """Return ``message`` as a checked rejection. Raises: ContractError."""
    return _REJECTION.read(message)


def to_health(message: Message) -> HealthDTO:
    """Return ``message`` as a checked heartbeat. Raises: ContractError."""
    return _HEALTH.read(message)


def to_alert(message: Message) -> AlertDTO:
    """Return ``message`` as a checked alert. Raises: ContractError."""
    return _ALERT.read(message)


def to_mark_price(message: Message) -> MarkPriceDTO:
    """Return ``message`` as a checked mark price. Raises: ContractError."""
    return _MARK_PRICE.read(message)


def to_command(message: Message) -> CommandDTO:
    """Return ``message`` as a checked command. Raises: ContractError."""
    return _COMMAND.read(message)


def to_step(message: Message) -> StepDTO:
    """Return ``message`` as a checked step, every candle in it included. Raises: ContractError."""
    return _STEP.read(message)


class _Word(Generic[T]):
    """One type of message with its decoder."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._check = CHECKS[kind]

    def read(self, message: Message) -> T:
        """Return the message with sound fields, times in UTC, and whatever its type demands across fields."""
        word = self.typed(message)
        settle(self._kind.__name__, cast("dict[str, Any]", word))
        if self._check is not None:
            self._check(word)
        return word

    def typed(self, message: Message) -> T:
        """Return the message with every field of its type; on the bytes this is one pass."""
        if type(message) is bytes or isinstance(message, _TEXTS):
            if len(message) > LARGEST_MESSAGE:
                raise _too_large(self._kind.__name__, message)
            try:
                return self._decode(message)
            except (RecursionError, UnicodeError, msgspec.MsgspecError) as error:
                raise self._unreadable(message, str(error)) from error
        try:
            return msgspec.convert(message, self._kind)
        except msgspec.ValidationError as error:
            zoned = _with_zones(message)
            if zoned == message:
                raise explained(self._kind, str(error), message) from error
        try:
            return msgspec.convert(zoned, self._kind)
        except msgspec.ValidationError as error:
            raise explained(self._kind, str(error), message) from error

    def _unreadable(self, message: Text, complaint: str) -> ContractError:
        if "out of range" in complaint:
            return explained(self._kind, complaint, None)
        return explained(self._kind, complaint, _untyped(self._kind.__name__, message))


_CANDLE = _Word(CandleDTO)
_HIGH_LOW = _Word(HighLowDTO)
_ORDER_BLOCK = _Word(OrderBlockDTO)
_EVENT = _Word(EventDTO)
_SIGNAL = _Word(TradeSignalDTO)
_ORDER = _Word(OrderDTO)
_FILL = _Word(FillDTO)
_POSITION = _Word(PositionDTO)
_ACCOUNT = _Word(AccountDTO)
_REJECTION = _Word(RejectionDTO)
_HEALTH = _Word(HealthDTO)
_MARK_PRICE = _Word(MarkPriceDTO)
_ALERT = _Word(AlertDTO)
_COMMAND = _Word(CommandDTO)
_STEP = _Word(StepDTO)


def _untyped(subject: str, payload: Text) -> Any:
    if len(payload) > LARGEST_MESSAGE:
        raise _too_large(subject, payload)
    try:
        return _decode(payload)
    except (RecursionError, UnicodeError, msgspec.MsgspecError) as error:
        raise ContractError(subject, "", "JSON", f"{quoted(payload)} ({error})") from error


def _too_large(subject: str, payload: Text) -> ContractError:
    return ContractError(subject, "", f"at most {LARGEST_MESSAGE} bytes", f"{len(payload)}")


def _is_plain(value: Mapping[str, object]) -> bool:
    """Tell whether JSON holds ``value`` as it stands, which is so for nearly every message and quick to see."""
    for item in value.values():
        kind = type(item)
        if kind is float:
            if item - item != 0.0:  # type: ignore[operator]  # NaN and infinity alone do not give zero
                return False
        elif kind is datetime:
            if item.tzinfo is not UTC or item.microsecond:  # type: ignore[attr-defined]
                return False
        elif kind is list:
            for part in item:  # type: ignore[attr-defined]
                if type(part) is not str and not (type(part) is dict and _is_plain(part)):
                    return False
        elif kind is dict:
            if not _is_plain(item):  # type: ignore[arg-type]
                return False
        elif kind is not str and kind is not int and kind is not bool:
            return False
    return True


def _writable(value: Mapping[str, object], field: str) -> Mapping[str, object]:
    """Return a copy of ``value`` in which times are texts and numbers plain; ``field`` is where it stands."""
    return {key: _plain(item, f"{field}{key}") for key, item in value.items()}


def _plain(item: object, field: str) -> object:
    if item is None or isinstance(item, str | int | Enum):
        return item
    if isinstance(item, float):
        if not math.isfinite(item):
            raise ContractError("message", field, "a finite number", str(float(item)))
        return float(item)
    if isinstance(item, datetime):
        return _written(item, field)
    if isinstance(item, Mapping):
        return _writable(item, f"{field}.")
    if isinstance(item, list | tuple):
        return [_plain(part, f"{field}[{n}]") for n, part in enumerate(item)]
    raise ContractError("message", field, "a text, number, time, list or object", f"a {type(item).__name__}")


def _written(instant: datetime, field: str) -> str:
    """Return RFC 3339 in UTC with as many digits as the instant needs: seconds, milliseconds or microseconds."""
    utc = placed("message", field, instant)
    digits = "seconds" if not utc.microsecond else "microseconds" if utc.microsecond % 1000 else "milliseconds"
    return utc.replace(tzinfo=None).isoformat(timespec=digits) + "Z"


def _with_zones(value: Any) -> Any:
    """Return ``value`` with every naive datetime read as local time; texts are left alone, their zone is required."""
    if isinstance(value, datetime):
        try:
            return in_utc(value)
        except (ValueError, OverflowError, OSError):
            return value
    if isinstance(value, Mapping):
        return {key: _with_zones(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_zones(item) for item in value]
    return value

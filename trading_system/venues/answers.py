"""A venue's words read as what we expect of them; what is otherwise leaves open what became of the request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from trading_system.venues.errors import OutcomeUnknownError
from trading_system.venues.port import OrderStatus

Shape = TypeVar("Shape")


def decoded(body: bytes | str | msgspec.Raw, shape: type[Shape]) -> Shape:
    """Return ``body`` as ``shape``. Raises: OutcomeUnknownError when it is something else."""
    try:
        return msgspec.json.decode(body, type=shape, strict=False)
    except msgspec.MsgspecError as error:
        raise OutcomeUnknownError(f"the venue's answer cannot be read: {error}") from error


def finite(value: float) -> float:
    """Return ``value``. Raises: OutcomeUnknownError when it is no number."""
    if not math.isfinite(value):
        raise OutcomeUnknownError(f"expected a number from the venue, was {value}")
    return value


def status_of(table: Mapping[str, OrderStatus], word: str) -> OrderStatus:
    """Return the standing that the venue calls ``word``. Raises: OutcomeUnknownError for a word that is new to us."""
    try:
        return table[word]
    except KeyError:
        raise OutcomeUnknownError(f"expected one of {', '.join(table)} as an order's status, was {word!r}") from None

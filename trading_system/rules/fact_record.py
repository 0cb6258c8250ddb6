"""The account's facts and the account itself as bytes: what execution stores, and what a restart reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from trading_system.rules.account import Account
from trading_system.rules.facts import (
    Closed,
    Declined,
    EquityPoint,
    Fact,
    Fill,
    Funded,
    Halted,
    Offered,
    Paused,
    Placed,
    Resumed,
    Withdrawn,
)
from trading_system.rules.matching import Order
from trading_system.rules.risk import Rejection

_TRADING = (Placed, Fill, Withdrawn, Closed, Funded, EquityPoint, Halted, Rejection)
_OF_A_PERSON = (Paused, Resumed, Offered, Declined)
_KINDS: Mapping[str, type[Fact]] = {kind.__name__: kind for kind in (*_TRADING, *_OF_A_PERSON)}
_account = msgspec.json.Decoder(Account)


class UnreadableRecordError(ValueError):
    """Stored bytes that are no fact and no account of this version."""


def pack_fact(fact: Fact) -> bytes:
    """Return one fact as JSON: its kind and its fields."""
    return msgspec.json.encode([type(fact).__name__, fact])


def unpack_fact(payload: bytes) -> Fact:
    """Return the fact that ``pack_fact`` wrote. Raises: UnreadableRecordError."""
    try:
        kind, fields = msgspec.json.decode(payload)
        return msgspec.convert(fields, _KINDS[kind])
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise UnreadableRecordError(
            f"expected a fact of this version, was {payload[:80]!r} ({error}); replay the line into a new folder"
        ) from error


def pack_running(facts: Sequence[Fact], orders: Sequence[Order]) -> bytes:
    """Return what has happened in a step that is not over, and the orders that it may speak of."""
    return msgspec.json.encode([[[type(fact).__name__, fact] for fact in facts], orders])


def unpack_running(payload: bytes) -> tuple[list[Fact], list[Order]]:
    """Return what ``pack_running`` wrote. Raises: UnreadableRecordError."""
    try:
        facts, orders = msgspec.json.decode(payload)
        return [msgspec.convert(fields, _KINDS[kind]) for kind, fields in facts], msgspec.convert(orders, list[Order])
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise UnreadableRecordError(
            f"expected the facts of a running step, was {payload[:80]!r} ({error}); replay the line into a new folder"
        ) from error


def pack_account(account: Account) -> bytes:
    """Return a snapshot of the account."""
    return msgspec.json.encode(account)


def unpack_account(payload: bytes) -> Account:
    """Return the account of a snapshot; one of an earlier version is not paused and has no offers.

    Raises: UnreadableRecordError.
    """
    try:
        return _account.decode(payload)
    except msgspec.MsgspecError as error:
        raise UnreadableRecordError(
            f"expected an account of this version, was something else ({error}); replay the line into a new folder"
        ) from error

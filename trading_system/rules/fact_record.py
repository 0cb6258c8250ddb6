"""The account's facts and the account itself as bytes: what execution stores, and what a restart reads."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading_system.rules.account import Account
from trading_system.rules.facts import Closed, EquityPoint, Fact, Fill, Funded, Halted, Placed, Withdrawn
from trading_system.rules.risk import Rejection

_KINDS: Mapping[str, type[Fact]] = {
    kind.__name__: kind for kind in (Placed, Fill, Withdrawn, Closed, Funded, EquityPoint, Halted, Rejection)
}
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


def pack_account(account: Account) -> bytes:
    """Return a snapshot of the account."""
    return msgspec.json.encode(account)


def unpack_account(payload: bytes) -> Account:
    """Return the account of a snapshot. Raises: UnreadableRecordError."""
    try:
        return _account.decode(payload)
    except msgspec.MsgspecError as error:
        raise UnreadableRecordError(
            f"expected an account of this version, was something else ({error}); replay the line into a new folder"
        ) from error

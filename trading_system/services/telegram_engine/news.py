"""What is told to people, as frozen facts without a language: each holds all that its message and its picture need.

Which of them a step brings is decided in ``news_fold``; how they are worded, in ``telling``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from trading_system.contracts import FillDTO, OrderDTO, RejectionDTO, TradeSignalDTO
from trading_system.services.telegram_engine.messages import RunSummary


class Signalled(NamedTuple):
    """A signal whose fate is known: taken with ``quantity``, refused by a rule, or offered to a person."""

    time: int
    signal: TradeSignalDTO
    quantity: float | None = None
    refused: RejectionDTO | None = None
    offered: bool = False


class OfferEnded(NamedTuple):
    """An offered signal waits for nobody any more; ``how`` is ``taken`` or the rule that ended it."""

    time: int
    signal: TradeSignalDTO
    how: str


class Ordered(NamedTuple):
    """The entry of a signal began to rest."""

    time: int
    signal: TradeSignalDTO
    order: OrderDTO


class EntryRefused(NamedTuple):
    """An entry that was placed already is refused after all."""

    time: int
    signal: TradeSignalDTO
    refused: RejectionDTO


class EntryWithdrawn(NamedTuple):
    """A waiting entry was taken back, for the reason ``rule``."""

    time: int
    signal: TradeSignalDTO
    rule: str


class EntryFilled(NamedTuple):
    """The entry of a signal filled."""

    time: int
    signal: TradeSignalDTO
    fill: FillDTO


class TargetHit(NamedTuple):
    """Target ``number`` (from 1) filled; ``rest`` is the share (0..1) of the position that is still open."""

    time: int
    signal: TradeSignalDTO
    fill: FillDTO
    number: int
    rest: float
    stop_moved: bool


class Left(NamedTuple):
    """What was open of a position was closed, by its stop or otherwise, ``held_ms`` after its entry."""

    time: int
    signal: TradeSignalDTO
    fill: FillDTO
    held_ms: int
    by_stop: bool


class TradeFill(NamedTuple):
    """One fill of a trade that ended: ``role`` is e, s, x, l or a target's digit."""

    time: int
    role: str
    price: float


class TradeEnded(NamedTuple):
    """A trade is over: what it earned after fees, that in units of its risk, and its fills in their order."""

    time: int
    signal: TradeSignalDTO
    quantity: float
    entry_price: float
    earned: float
    r: float
    fills: tuple[TradeFill, ...]


class EntriesHalted(NamedTuple):
    """A limit of the account, or a person, switched entries off."""

    time: int
    rule: str


class EntriesResumed(NamedTuple):
    """A person switched entries on again."""

    time: int


class DayEnded(NamedTuple):
    """A day of the account is over."""

    time: int
    summary: RunSummary


News = (
    Signalled
    | OfferEnded
    | Ordered
    | EntryRefused
    | EntryWithdrawn
    | EntryFilled
    | TargetHit
    | Left
    | TradeEnded
    | EntriesHalted
    | EntriesResumed
    | DayEnded
)

_KINDS: Mapping[str, type[News]] = {kind.__name__: kind for kind in News.__args__}


class UnreadableNewsError(ValueError):
    """Stored bytes that are no news of this version."""


def pack_news(news: News) -> bytes:
    """Return one piece of news as JSON: its kind and its fields."""
    return msgspec.json.encode([type(news).__name__, news])


def unpack_news(payload: bytes) -> News:
    """Return the news that ``pack_news`` wrote. Raises: UnreadableNewsError."""
    try:
        kind, fields = msgspec.json.decode(payload)
        return msgspec.convert(fields, _KINDS[kind])
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise UnreadableNewsError(
            f"expected news of this version, was {payload[:80]!r} ({error}); it is left out, the trade is in the store"
        ) from error

"""Which symbols a line trades at which step: a fold over the changes that its store keeps in their order.

A symbol is asked for, joins while its history comes, is joined at a stated step, leaves (no new entries, fed until it
is flat), and has left after a stated step. It may join again; its history then goes on where it ended. While its
minutes do not come the account may go on without seeing them, from one stated step to another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import NamedTuple

import msgspec

from trading_system.rules.grid import Instrument


class State(StrEnum):
    """Where a symbol stands in its life on the line; the last two tell whether its minutes come, wherever it stands."""

    ASKED = "asked"
    JOINING = "joining"
    JOINED = "joined"
    LEAVING = "leaving"
    LEFT = "left"
    UNSEEN = "unseen"
    SEEN = "seen"


FED = frozenset({State.JOINING, State.JOINED, State.LEAVING})
"""The states in which closed candles are fetched and every room works on the symbol."""


class Why(StrEnum):
    """Why a symbol came or went; what a person decided is never undone by a choice by volume."""

    BY_HAND = "by_hand"
    BY_VOLUME = "by_volume"
    REFUSED = "refused"
    ENDED = "ended"
    CHANGED = "changed"


class Place(Enum):
    """What the account does with a symbol in a step."""

    OUT = auto()
    IN = auto()
    LEAVING = auto()  # no new entries
    ENDED = auto()  # leaving, and what it holds is settled in the first minute that the market does not have
    UNSEEN = auto()  # a gap, whatever its minute is found to have been later, and no entry waits
    ENDED_UNSEEN = auto()

    @property
    def leaves(self) -> bool:
        """Whether there are no new entries."""
        return self in (Place.LEAVING, Place.ENDED)

    @property
    def has_ended(self) -> bool:
        """Whether the venue trades the symbol no more."""
        return self in (Place.ENDED, Place.ENDED_UNSEEN)

    @property
    def is_unseen(self) -> bool:
        """Whether the step is taken as a gap."""
        return self in (Place.UNSEEN, Place.ENDED_UNSEEN)


class Change(NamedTuple):
    """One row of the stream of changes.

    step: of ``joined`` the first step that the account takes of the symbol, of ``leaving`` the first without new
    entries, of ``left`` the last that it took, of ``unseen`` the first that it took as a gap, of ``seen`` the first
    that it took again as it was; otherwise the account's step at that moment. instrument and origin (the step before
    the first of its history) come with ``joining``; with ``leaving`` comes the instrument of a symbol that the venue
    trades on another grid now. detail: the venue's own words.
    """

    symbol: str
    state: State
    step: int
    why: Why = Why.BY_HAND
    instrument: Instrument | None = None
    origin: int = 0
    detail: str = ""


class Stint(NamedTuple):
    """The steps of one stay: the first, the first without new entries, and the last; None where it still lasts.

    ``ended``: the first in which a venue that trades the symbol no more may settle it. It is one later than the change
    that says so, as a minute of the market may have begun by then.
    """

    joined: int
    leaving: int | None = None
    left: int | None = None
    ended: int | None = None

    def at(self, step: int) -> Place:
        """Return what the account does with the symbol in ``step``."""
        if step < self.joined or (self.left is not None and step > self.left):
            return Place.OUT
        if self.ended is not None and step >= self.ended:
            return Place.ENDED
        return Place.LEAVING if self.leaving is not None and step >= self.leaving else Place.IN


class Absence(NamedTuple):
    """The steps in which the account did not see a symbol: the first and the last, None while it lasts."""

    first: int
    last: int | None = None

    def holds(self, step: int) -> bool:
        """Tell whether the symbol was not seen in ``step``."""
        return self.first <= step and (self.last is None or step <= self.last)


class Member(NamedTuple):
    """One symbol. ``instrument`` is None while it is only asked for the first time.

    ``changed`` is the record of a symbol that the venue trades on another grid than that of ``instrument`` by now.
    """

    symbol: str
    state: State
    why: Why
    instrument: Instrument | None = None
    origin: int = 0
    stints: tuple[Stint, ...] = ()
    detail: str = ""
    absences: tuple[Absence, ...] = ()
    changed: Instrument | None = None

    @property
    def unseen(self) -> bool:
        """Whether the account goes on without its minutes."""
        return bool(self.absences) and self.absences[-1].last is None

    def at(self, step: int) -> Place:
        """Return what the account does with the symbol in ``step``."""
        here = next((here for stint in self.stints if (here := stint.at(step)) != Place.OUT), Place.OUT)
        if here != Place.OUT and any(one.holds(step) for one in self.absences):
            return Place.ENDED_UNSEEN if here == Place.ENDED else Place.UNSEEN
        return here

    def end(self, head: int) -> int:
        """Return the last step up to ``head`` that is part of what the line did with the symbol."""
        left = self.stints[-1].left if self.stints else None
        return head if left is None else min(left, head)


class Roster(NamedTuple):
    """All symbols that a line ever knew. ``places``: those that ever joined, in the order of the account's slots.

    ``origin``: the step before the line's first. ``known``: how many changes are folded in.
    """

    origin: int
    members: Mapping[str, Member]
    places: tuple[str, ...]
    known: int = 0

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments in the order of the account's slots."""
        return tuple(self.instrument(symbol) for symbol in self.places)

    @property
    def fed(self) -> tuple[str, ...]:
        """The symbols on which the rooms work, those with a slot first."""
        others = [symbol for symbol in self.members if symbol not in self.places]
        return tuple(symbol for symbol in (*self.places, *others) if self.members[symbol].state in FED)

    @property
    def origins(self) -> dict[str, int]:
        """The step before the first, of the symbols on which the rooms work."""
        return {symbol: self.members[symbol].origin for symbol in self.fed}

    @property
    def fed_instruments(self) -> tuple[Instrument, ...]:
        """The instruments of the symbols on which the rooms work."""
        return tuple(self.instrument(symbol) for symbol in self.fed)

    def of_state(self, *states: State) -> list[Member]:
        """Return the symbols that stand in one of ``states``."""
        return [one for one in self.members.values() if one.state in states]

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument of a symbol. Raises: KeyError for one that never began to join."""
        found = self.members[symbol].instrument
        if found is None:
            raise KeyError(symbol)
        return found

    def at(self, step: int) -> dict[int, Place]:
        """Return the places of the account that take part in ``step``."""
        places = ((place, self.members[symbol].at(step)) for place, symbol in enumerate(self.places))
        return {place: here for place, here in places if here != Place.OUT}

    @property
    def settled_after(self) -> int:
        """The step after which ``at`` says the same of every step, as far as is known."""
        spans = [span for one in self.members.values() for span in (*one.stints, *one.absences)]
        return max((edge for span in spans for edge in span if edge is not None), default=self.origin)


def new_roster(origin: int, instruments: Sequence[Instrument], pinned: Collection[str] | None = None) -> Roster:
    """Return the roster of a line that begins after step ``origin`` with ``instruments``.

    pinned: of a line whose symbols are chosen by volume, those that stay whatever it is.
    """

    def why(symbol: str) -> Why:
        return Why.BY_HAND if pinned is None or symbol in pinned else Why.BY_VOLUME

    stay = (Stint(origin + 1),)
    members = {one.symbol: Member(one.symbol, State.JOINED, why(one.symbol), one, origin, stay) for one in instruments}
    return Roster(origin, members, tuple(members))


def roster_of_names(origins: Mapping[str, int]) -> Roster:
    """Return the roster of a line that began after ``origins``, for whoever needs no instrument."""
    members = {
        symbol: Member(symbol, State.JOINED, Why.BY_HAND, None, origin, (Stint(origin + 1),))
        for symbol, origin in origins.items()
    }
    return Roster(min(origins.values()), members, tuple(members))


def after(roster: Roster, changes: Iterable[Change]) -> Roster:
    """Return the roster after ``changes``, which follow those that it holds."""
    members, places, known = dict(roster.members), roster.places, roster.known
    for change in changes:
        known += 1
        symbol, state = change.symbol, change.state
        have = members.get(symbol, Member(symbol, state, change.why))
        if state in (State.UNSEEN, State.SEEN):
            members[symbol] = _looked_at(have, change)
            continue
        have = have._replace(state=state, why=change.why, detail=change.detail)
        if state == State.JOINING:
            origin = have.origin if have.instrument is not None else change.origin
            have = have._replace(instrument=change.instrument, origin=origin, changed=None)
        elif state == State.JOINED:
            have = have._replace(stints=(*have.stints, Stint(change.step)))
            if symbol not in places:
                places = (*places, symbol)
        elif state in (State.LEAVING, State.LEFT) and have.stints and have.stints[-1].left is None:
            *earlier, last = have.stints
            leaving = change.step if last.leaving is None and state == State.LEAVING else last.leaving
            left = change.step if state == State.LEFT else None
            ends = last.ended is None and state == State.LEAVING and change.why == Why.ENDED
            ended = change.step + 1 if ends else last.ended
            have = have._replace(stints=(*earlier, Stint(last.joined, leaving, left, ended)))
            have = have._replace(changed=change.instrument or have.changed)
            if left is not None and have.unseen:
                have = _seen_after(have, left)
        members[symbol] = have
    return Roster(roster.origin, members, places, known)


def _looked_at(member: Member, change: Change) -> Member:
    if change.state == State.UNSEEN:
        return member._replace(absences=(*member.absences, Absence(change.step)))
    return _seen_after(member, change.step - 1)


def _seen_after(member: Member, step: int) -> Member:
    *earlier, last = member.absences
    return member._replace(absences=(*earlier, last._replace(last=step)))


_change = msgspec.json.Decoder(Change)


class UnreadableChangeError(ValueError):
    """Stored bytes that are no change of a line's symbols."""


def pack_change(change: Change) -> bytes:
    """Return a change as JSON."""
    return msgspec.json.encode(change)


def unpack_change(payload: bytes) -> Change:
    """Return what ``pack_change`` wrote. Raises: UnreadableChangeError."""
    try:
        return _change.decode(payload)
    except msgspec.MsgspecError as error:
        raise UnreadableChangeError(
            f"expected a change of a line's symbols, was {payload[:80]!r} ({error}); replay the line into a new folder"
        ) from error

"""What a person may ask of a line's set of symbols, and what the daily choice by volume makes of it: changes in order.

Nothing here waits for history or a venue: who was asked for joins when both are there, who leaves has left when flat.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from trading_system.rules.commands import NONE, Reply
from trading_system.rules.roster import FED, Change, Roster, State, Why
from trading_system.rules.symbols import SymbolError, checked_symbol

SYMBOL_COMMANDS: Mapping[str, str] = {
    "add_symbol": "trade a symbol as well: it joins as soon as its history is there",
    "remove_symbol": "trade a symbol no more: no new entries, and it is fed until it is flat",
    "choose_symbols": "choose the symbols by volume again, as at every midnight (UTC)",
}


class Asked(NamedTuple):
    """What comes of a request: the changes to be stored, and the answer."""

    changes: tuple[Change, ...]
    reply: Reply


def asked_for(
    roster: Roster,
    command: str,
    arguments: Mapping[str, object],
    step: int,
    flat: Collection[str],
    *,
    chooses: bool,
    finds: bool,
) -> Asked:
    """Return what comes of ``command`` after ``step``.

    flat: the symbols with neither an order nor a position. chooses: the line's symbols are chosen by volume. finds:
    the line can look up a symbol that it does not know.
    """
    wanted = [] if command == "choose_symbols" else ["symbol"]
    if sorted(arguments) != wanted or not all(isinstance(one, str) and one for one in arguments.values()):
        was = ", ".join(f"{name}={arguments[name]!r}" for name in sorted(arguments))[:80] or NONE
        expected = "the text symbol" if wanted else "no arguments"
        return _no("argument", command=command, expected=expected, was=was)
    if command == "choose_symbols":
        return Asked((), Reply(True, "choosing")) if chooses else _no("not_chosen")
    try:
        symbol = checked_symbol(str(arguments["symbol"]))
    except SymbolError as error:
        return _no("bad_symbol", error=str(error))
    return _added(roster, symbol, step, finds=finds) if command == "add_symbol" else removed(roster, symbol, step, flat)


def _added(roster: Roster, symbol: str, step: int, *, finds: bool) -> Asked:
    member = roster.members.get(symbol)
    if member is not None and member.state == State.LEAVING:
        return _no("leaves_still", symbol=symbol)
    if member is not None and member.state != State.LEFT:
        return _no("traded_already", symbol=symbol)
    if not finds:
        return _no("cannot_join", symbol=symbol)
    return Asked((Change(symbol, State.ASKED, step),), Reply(True, "asked", {"symbol": symbol}))


def removed(roster: Roster, symbol: str, step: int, flat: Collection[str], why: Why = Why.BY_HAND) -> Asked:
    """Return what comes of letting ``symbol`` go after ``step``."""
    member = roster.members.get(symbol)
    if member is None or member.state == State.LEFT:
        symbols = ", ".join(one.symbol for one in roster.members.values() if one.state != State.LEFT)
        return _no("no_such_symbol", symbol=symbol, symbols=symbols)
    if member.state == State.LEAVING:
        return _no("leaves_still", symbol=symbol)
    if member.state in (State.ASKED, State.JOINING):
        return Asked((Change(symbol, State.LEFT, step, why),), Reply(True, "left", {"symbol": symbol}))
    if len(roster.of_state(State.JOINED)) == 1:
        return _no("last_symbol", symbol=symbol)
    if symbol in flat:
        return Asked((Change(symbol, State.LEFT, step, why),), Reply(True, "left", {"symbol": symbol}))
    return Asked((Change(symbol, State.LEAVING, step + 1, why),), Reply(True, "leaves", {"symbol": symbol}))


def chosen(
    roster: Roster, wanted: Sequence[str], pinned: Collection[str], step: int, flat: Collection[str]
) -> tuple[Change, ...]:
    """Return the changes by which the line follows a new choice: ``wanted`` by volume, ``pinned`` whatever it is.

    What a person added stays, and what a person removed stays away.
    """
    changes: list[Change] = []
    for symbol in dict.fromkeys([*pinned, *wanted]):
        member = roster.members.get(symbol)
        if member is None or (member.state == State.LEFT and member.why != Why.BY_HAND):
            changes.append(Change(symbol, State.ASKED, step, Why.BY_VOLUME))
    keep = {*wanted, *pinned}
    for member in roster.of_state(*FED, State.ASKED):
        if member.why == Why.BY_VOLUME and member.symbol not in keep:
            changes.extend(removed(roster, member.symbol, step, flat, Why.BY_VOLUME).changes)
    return tuple(changes)


def _no(reason: str, **numbers: str) -> Asked:
    return Asked((), Reply(False, reason, numbers))

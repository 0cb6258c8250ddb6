"""What a person may ask of the account, and what comes of it; who may ask, and how it arrives, is left to others.

A command changes the account as a fill or a signal does: facts in order, and the orders that should rest afterwards.
Asked a second time it finds nothing left to do and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from trading_system.rules.account import (
    DAY_MS,
    Account,
    Terms,
    enter,
    leave,
    place_of,
    standing_of,
    withdraw,
)
from trading_system.rules.facts import Declined, Fact, Paused, Resumed
from trading_system.rules.grid import text_of
from trading_system.rules.risk import REJECTIONS, Rejection, admit
from trading_system.rules.trade_plan import Plan

COMMANDS: Mapping[str, str] = {
    "pause": "switch entries off: waiting entries are taken back, stops and targets stay",
    "resume": "switch entries on again, also after the drawdown stop, whose peak is counted anew",
    "close": "take back the entry of a symbol, or let its position leave at market",
    "panic": "let every position leave at market, take back every entry and switch entries off",
    "take": "trade a signal that was offered",
    "skip": "decline a signal that was offered",
}

REPLIES: Mapping[str, str] = {
    # done
    "paused": "entries are off until `resume`; entries taken back: {withdrawn}; stops and targets stay",
    "resumed": "entries are on",
    "resumed_with_new_peak": "entries are on; the drawdown is counted from an equity of {equity} now",
    "resumed_until_day": "entries are on from the next UTC day; today's loss has reached its limit",
    "entry_taken_back": "{symbol}: the entry is taken back",
    "leaving": "{symbol}: {quantity} leave at market; the stop stays until the position is flat",
    "panicked": "entries are off until `resume`; entries taken back: {withdrawn}; leaving at market: {leaving}",
    "taken": "{signal}: the entry of {quantity} {symbol} goes out",
    "skipped": "{signal}: declined",
    "asked": "{symbol}: asked for; it joins once the exchange has told of it and its history is there",
    "leaves": "{symbol}: no new entries from the next minute on; it leaves as soon as it is flat",
    "left": "{symbol}: traded no more",
    "choosing": "the symbols are chosen anew by their volume",
    # refused
    "already_paused": "entries are off already",
    "already_on": "entries are on already",
    "day_loss": REJECTIONS["day_loss"],
    "leaving_already": "{symbol}: the position leaves already",
    "nothing_to_close": "{symbol}: there is neither an entry nor a position",
    "no_such_symbol": "{symbol}: expected a symbol of this line, {symbols}",
    "no_such_offer": "{signal}: no such offer waits; waiting: {offers}",
    "ambiguous_offer": "{signal}: several offers begin like that, {offers}; give more of the id",
    "not_admitted": "{signal}: the account does not take it now: {why}; the offer stays open until it expires",
    "price_gone": "{signal}: the price of {price} has passed its stop or its first target",
    "traded_already": "{symbol}: traded already, or on its way",
    "leaves_still": "{symbol}: leaves already, as soon as it is flat",
    "last_symbol": "{symbol}: the only symbol of this line; add another one first",
    "cannot_join": "{symbol}: this line knows no market to look it up in; it goes on with its symbols",
    "bad_symbol": "{error}",
    "not_chosen": 'the symbols of this line are given by name; a choice by volume needs symbols = "top N by volume"',
    "no_such_command": "expected one of {commands}, was {command}",
    "argument": "{command}: expected {expected}, was {was}",
    "unreadable": "expected a command, was something else: {error}",
    "stale": "asked {age} s ago by the venue's clock; what is older than {limit} s is not acted on any more: ask again",
    "ahead": "asked {age} s in the future by the venue's clock; set the clock of the machine that asks",
    "repeated": "{id} was answered before",
}
"""What a command may be answered, by a word and with the numbers that its sentence names."""

NONE = "none"


class Reply(NamedTuple):
    """What came of a command: a word out of ``REPLIES`` with its numbers."""

    done: bool
    reason: str
    numbers: Mapping[str, float | int | str] = {}

    @property
    def sentence(self) -> str:
        """The reply in English."""
        return REPLIES[self.reason].format(**self.numbers)


class Moment(NamedTuple):
    """When and under which terms a command is obeyed. ``time``: the close of the running step, ms UTC."""

    time: int
    terms: Terms


Obeyed = tuple[Account, Reply]


def obey(
    account: Account, command: str, arguments: Mapping[str, object], time: int, terms: Terms, facts: list[Fact]
) -> Obeyed:
    """Return the account after ``command``, and the reply; an account of a refused command is the one before.

    time: the close of the running step, ms UTC. Appends to ``facts``.
    """
    handler = _HANDLERS.get(command)
    if handler is None:
        return account, Reply(False, "no_such_command", {"commands": ", ".join(COMMANDS), "command": repr(command)})
    wanted, act = handler
    given = sorted(arguments)
    if given != sorted(wanted) or not all(isinstance(arguments[name], str) and arguments[name] for name in wanted):
        expected = f"the text {wanted[0]}" if wanted else "no arguments"
        was = ", ".join(f"{name}={arguments[name]!r}" for name in given)[:80] or NONE
        return account, Reply(False, "argument", {"command": command, "expected": expected, "was": was})
    return act(account, str(arguments[wanted[0]]) if wanted else "", Moment(time, terms), facts)


def _pause(account: Account, _: str, moment: Moment, facts: list[Fact]) -> Obeyed:
    if account.paused:
        return account, Reply(False, "already_paused")
    account, withdrawn = _switched_off(account, moment, facts)
    return account, Reply(True, "paused", {"withdrawn": withdrawn})


def _resume(account: Account, _: str, moment: Moment, facts: list[Fact]) -> Obeyed:
    fell = account.drawdown_locked
    if not account.paused and not fell:
        return account, Reply(False, "day_loss" if account.day_locked else "already_on")
    peak = account.equity if fell else account.peak
    facts.append(Resumed(moment.time, peak))
    account = account._replace(paused=False, drawdown_locked=False, peak=peak)
    if account.day_locked and moment.time // DAY_MS == account.day:
        return account, Reply(True, "resumed_until_day")
    if fell:
        return account, Reply(True, "resumed_with_new_peak", {"equity": round(peak, 2)})
    return account, Reply(True, "resumed")


def _close(account: Account, symbol: str, moment: Moment, facts: list[Fact]) -> Obeyed:
    terms = moment.terms
    place = place_of(symbol, terms)
    if place < 0:
        symbols = ", ".join(one.symbol for one in terms.instruments)
        return account, Reply(False, "no_such_symbol", {"symbol": symbol, "symbols": symbols})
    trade = account.slots[place].trade
    if trade is None:
        return account, Reply(False, "nothing_to_close", {"symbol": symbol})
    if trade.waiting:
        account = withdraw(account, place, "by_hand", moment.time, terms, facts)
        return account, Reply(True, "entry_taken_back", {"symbol": symbol})
    if trade.exit:
        return account, Reply(False, "leaving_already", {"symbol": symbol})
    account = leave(account, place, "by_hand", moment.time, terms, facts)
    return account, Reply(True, "leaving", {"symbol": symbol, "quantity": text_of(trade.held)})


def _panic(account: Account, _: str, moment: Moment, facts: list[Fact]) -> Obeyed:
    account, withdrawn = _switched_off(account, moment, facts)
    left = 0
    for place, slot in enumerate(account.slots):
        if slot.trade is not None and not slot.trade.exit:
            account = leave(account, place, "by_hand", moment.time, moment.terms, facts)
            left += 1
    return account, Reply(True, "panicked", {"withdrawn": withdrawn, "leaving": left})


def _take(account: Account, name: str, moment: Moment, facts: list[Fact]) -> Obeyed:
    found = _offer(account, name)
    if isinstance(found, Reply):
        return account, found
    terms = moment.terms
    place = place_of(found.symbol, terms)
    price = account.slots[place].close
    ends = (found.stop, found.targets[0].price)
    if price and not min(ends) < price < max(ends):
        return account, Reply(False, "price_gone", {"signal": found.id, "price": text_of(price)})
    # an entry at market is sized by what it would cost now, not by what it would have cost when it was offered
    plan = found._replace(entry=price) if price and found.entry_type == "market" else found
    verdict = admit(plan, standing_of(account, place, terms), terms.instruments[place], terms.risk)
    if isinstance(verdict, Rejection):
        said = {"signal": found.id, "rule": verdict.rule, "why": REJECTIONS[verdict.rule]}
        return account, Reply(False, "not_admitted", {**said, **verdict.numbers})
    account = account._replace(offers=tuple(offer for offer in account.offers if offer is not found))
    account = enter(account, place, verdict, moment.time, terms, facts)
    numbers = {"signal": found.id, "symbol": found.symbol, "quantity": text_of(verdict.quantity)}
    return account, Reply(True, "taken", numbers)


def _skip(account: Account, name: str, moment: Moment, facts: list[Fact]) -> Obeyed:
    found = _offer(account, name)
    if isinstance(found, Reply):
        return account, found
    facts.append(Declined(moment.time, found.symbol, found.id, "skipped"))
    account = account._replace(offers=tuple(offer for offer in account.offers if offer is not found))
    return account, Reply(True, "skipped", {"signal": found.id})


_Act = Callable[[Account, str, Moment, list[Fact]], Obeyed]
_HANDLERS: Mapping[str, tuple[tuple[str, ...], _Act]] = {
    "pause": ((), _pause),
    "resume": ((), _resume),
    "close": (("symbol",), _close),
    "panic": ((), _panic),
    "take": (("signal",), _take),
    "skip": (("signal",), _skip),
}


def _switched_off(account: Account, moment: Moment, facts: list[Fact]) -> tuple[Account, int]:
    """Switch entries off and take back those that wait; return how many these were."""
    if not account.paused:
        facts.append(Paused(moment.time))
        account = account._replace(paused=True)
    withdrawn = 0
    for place, slot in enumerate(account.slots):
        if slot.trade is not None and slot.trade.waiting:
            account = withdraw(account, place, "paused", moment.time, moment.terms, facts)
            withdrawn += 1
    return account, withdrawn


def _offer(account: Account, name: str) -> Plan | Reply:
    """Return the offer whose id is ``name`` or the only one that begins with it, capitals aside."""
    sought = name.strip().lstrip("#").lower()
    found = [plan for plan in account.offers if sought and plan.id.startswith(sought)]
    if len(found) == 1:
        return found[0]
    offers = ", ".join(plan.id for plan in found or account.offers) or NONE
    return Reply(False, "ambiguous_offer" if found else "no_such_offer", {"signal": name, "offers": offers})

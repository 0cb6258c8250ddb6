"""The account that execution trades, with what has happened in the running step: the rules' frozen values in one place.

Nothing here waits for anything: the venue is ``reconcile.py``'s, the store ``snapshot.py``'s, the order of things
``service.py``'s.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from trading_system.rules.account import (
    SETTLED_BY_VENUE,
    Account,
    Instant,
    SymbolStep,
    Terms,
    book_fill,
    close_step,
    drop_entry,
    exit_for,
    liquidation_order,
    roll_day,
    settle,
    stop_passed,
    widened,
)
from trading_system.rules.client_ids import LIQUIDATION, canonical, canonical_id, is_ours
from trading_system.rules.commands import Reply, obey
from trading_system.rules.facts import Fact, Fill, Placed
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS, Order, OrderType, Role
from trading_system.rules.trade import Trade, Want, wanted_orders
from trading_system.services.execution_engine.journal_records import (
    NONE_BOOKED,
    Booked,
    JournalFill,
    JournalOrder,
    State,
)
from trading_system.services.execution_engine.snapshot import Kept
from trading_system.services.execution_engine.steps import step_close
from trading_system.venues.port import LIQUIDATED, SETTLED

log = logging.getLogger(__name__)

EXIT = "x"
ROLES = {"e": Role.ENTRY, "s": Role.STOP, "x": Role.EXIT, "l": Role.LIQUIDATION}


class Books:
    """``account`` as it stands, ``facts`` of the running step, ``booked``: up to where, by symbol."""

    def __init__(self, account: Account, terms: Terms) -> None:
        """Open the books on ``account``."""
        self.account = account
        self.terms = terms
        self.facts: list[Fact] = []
        self.booked: dict[str, Booked] = {}
        self._place = {one.symbol: n for n, one in enumerate(terms.instruments)}
        self._orders: dict[str, Order] = {}

    def take_up(self, kept: Kept) -> None:
        """Go on where an earlier life has stopped; which trades that life has booked is for the caller to say."""
        self.account, _, self.facts, orders = kept
        self._orders.update({order.id: order for order in orders})
        for slot in self.account.slots:
            self._orders.update({order.id: order for order in slot.orders})

    def widen(self, instruments: Sequence[Instrument]) -> None:
        """Give a slot to each symbol that has none yet; ``instruments`` are in the order of the slots."""
        self.terms = self.terms._replace(instruments=tuple(instruments))
        self.account = widened(self.account, len(instruments))
        self._place = {one.symbol: n for n, one in enumerate(instruments)}

    def has(self, symbol: str) -> bool:
        """Tell whether a symbol has a slot."""
        return symbol in self._place

    def place(self, symbol: str) -> int:
        """Return the place of a symbol's slot. Raises: KeyError for one without."""
        return self._place[symbol]

    def trading(self) -> set[str]:
        """Return the symbols that have a trade, waiting or open."""
        pairs = zip(self.account.slots, self.terms.instruments, strict=True)
        return {one.symbol for slot, one in pairs if slot.trade is not None}

    def flat(self) -> list[int]:
        """Return the places without a trade and without an offer."""
        offered = {plan.symbol for plan in self.account.offers}
        return [
            place
            for place, (slot, one) in enumerate(zip(self.account.slots, self.terms.instruments, strict=True))
            if slot.trade is None and one.symbol not in offered
        ]

    def orders_of(self, place: int) -> Sequence[Order]:
        """Return what should rest for a symbol now."""
        return self.account.slots[place].orders

    def protection_of(self, place: int) -> float:
        """Return the price of the stop that the position of a symbol's trade has or will have, 0.0 without a trade."""
        trade = self.account.slots[place].trade
        return 0.0 if trade is None else trade.stop

    def is_entering(self, place: int) -> bool:
        """Tell whether a symbol waits for its entry."""
        orders = self.account.slots[place].orders
        return bool(orders) and orders[0].role == Role.ENTRY

    def book(self, fill: JournalFill) -> Role | None:
        """Book a journaled fill and let the trade say what should rest now; None for a trade that is not ours.

        Raises: UnexpectedFillError.
        """
        place = self._place.get(fill.symbol)
        if place is None:  # of an account that somebody trades by hand as well
            log.warning("a trade on %s, which is no symbol of this line: %s", fill.symbol, fill.client_id)
            return None
        self.booked[fill.symbol] = self.booked.get(fill.symbol, NONE_BOOKED).and_also(fill)
        slot = self.account.slots[place]
        trade = slot.trade
        if is_ours(fill.client_id):
            id_ = canonical(fill.client_id)
        elif fill.client_id.startswith(SETTLED) and trade is not None:
            self.account = exit_for(self.account, place, SETTLED_BY_VENUE)
            id_ = canonical_id(trade.plan.id, EXIT)
            want = Want(EXIT, Role.EXIT, OrderType.MARKET, -trade.plan.side, 0.0, fill.quantity)
            self._orders[id_] = _order(trade, want)
        elif fill.client_id.startswith(LIQUIDATED) and trade is not None:
            id_ = canonical_id(trade.plan.id, LIQUIDATION)
            order = liquidation_order(trade, self.terms.instruments[place], self.terms.risk.leverage)
            self._orders[id_] = order  # the venue's own: it was never placed by us
        else:
            log.warning("a trade that is not ours on %s: %s", fill.symbol, fill.client_id)
            return None
        for gone in slot.taken_back if id_ not in self._orders else ():  # of a step whose orders are forgotten
            self._orders |= {canonical_id(gone.plan.id, want.name): _order(gone, want) for want in wanted_orders(gone)}
        if trade is not None and id_ not in self._orders and id_ == canonical_id(trade.plan.id, "e"):
            (entry,) = wanted_orders(trade._replace(opened_at=-1))  # a part of it that an earlier life did not hear of
            self._orders[id_] = _order(trade, entry)
        role = ROLES.get(id_[-1], Role.TARGET)
        booked = Fill(fill.time, fill.symbol, id_, id_[-1], role, fill.price, fill.quantity, fill.fee)
        account = book_fill(roll_day(self.account, fill.time), place, booked, self.terms, self.facts)
        self.account = settle(account, place, step_close(fill.time), self.terms, self.facts)
        return role

    def close(self, time: int, symbols: Mapping[int, SymbolStep], *, signal_close: bool) -> list[int]:
        """Close the step that ends at ``time``; return the places at which other orders should rest now."""
        before = self.account
        account = roll_day(before, time - MINUTE_MS)
        self.account = close_step(account, Instant(time, signal_close, symbols), self.terms, self.facts)
        return self.changed_since(before)

    def obey(self, command: str, arguments: Mapping[str, object], time: int) -> Reply:
        """Do what a person asks, in the step that ends at ``time``."""
        self.account, reply = obey(self.account, command, arguments, time, self.terms, self.facts)
        return reply

    def leave(self, place: int, time: int) -> None:
        """Let a trade leave whose stop cannot rest."""
        account = stop_passed(self.account, place)
        self.account = settle(account, place, time, self.terms, self.facts)

    def drop_entry(self, place: int, rule: str, numbers: Mapping[str, float] | None = None) -> None:
        """Free the slot of a waiting trade whose entry is not to be had."""
        self.account = drop_entry(self.account, place, rule, self.facts, numbers)

    def unplace(self, place: int, live: Sequence[JournalOrder]) -> None:
        """Take back the facts of orders that the venue did not take: what never rested was never placed."""
        resting = {order.born for order in self.account.slots[place].orders}
        taken = [have for have in live if have.state == State.ACKED]
        self.facts = [
            fact
            for fact in self.facts
            if not (
                isinstance(fact, Placed)
                and fact.order.born in resting
                and not any(have.is_for(fact.order) for have in taken)
            )
        ]

    def changed_since(self, before: Account) -> list[int]:
        """Return the places at which other orders should rest than ``before``."""
        slots = widened(before, len(self.account.slots)).slots
        pairs = enumerate(zip(slots, self.account.slots, strict=True))
        return [place for place, (old, new) in pairs if old.orders != new.orders]

    def known_orders(self) -> Mapping[str, Order]:
        """Return the orders that the running step's facts may speak of, by name."""
        self._orders.update({fact.order.id: fact.order for fact in self.facts if isinstance(fact, Placed)})
        return self._orders

    def kept(self) -> Kept:
        """Return all that another life needs to go on in the middle of this step."""
        return Kept(self.account, dict(self.booked), self.facts, list(self.known_orders().values()))

    def end_step(self) -> tuple[list[Fact], Mapping[str, Order]]:
        """Return the facts of a step that is over, and the orders that they speak of; those of ended trades go."""
        facts, known = self.facts, dict(self.known_orders())
        self.facts = []
        if all(slot.trade is None for slot in self.account.slots):
            self._orders.clear()
        return facts, known


def _order(trade: Trade, want: Want) -> Order:
    return Order(canonical_id(trade.plan.id, want.name), want.role, want.type, want.side, want.price, want.quantity, 0)

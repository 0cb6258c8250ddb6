"""One account over several symbols: the ledger, the trades in their slots, and the instant T in its fixed order.

``step`` is the whole meaning of a minute: the path is walked and trades react, equity is marked, funding is paid,
waiting plans expire, new plans are admitted. The live line calls the same pieces (``book_fill``, ``close_step``) as
the venue's answers arrive. Everything here is a frozen value; nothing reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trading_system.rules.client_ids import PREFIX, canonical_id
from trading_system.rules.facts import (
    Closed,
    Declined,
    EquityPoint,
    Fact,
    Fill,
    Funded,
    Halted,
    Offered,
    Placed,
    Withdrawn,
)
from trading_system.rules.grid import Instrument, q8
from trading_system.rules.matching import (
    MINUTE_MS,
    FillRules,
    Match,
    Minute,
    Order,
    OrderType,
    Role,
    is_passed,
    next_match,
    start_walk,
)
from trading_system.rules.risk import Rejection, RiskRules, Standing, admit
from trading_system.rules.trade import (
    Trade,
    entered,
    leaving,
    liquidation_price,
    open_risk,
    realised,
    reduced,
    wanted_orders,
)
from trading_system.rules.trade_plan import Plan

MOST_EARLIER = 2
SETTLED_BY_VENUE = "settled"
DAY_MS = 86_400_000


class Terms(NamedTuple):
    """What does not change during a run. Symbols are known by their place in ``instruments``.

    ``advised``: a plan that the account would take is offered to a person instead of being traded.
    """

    instruments: tuple[Instrument, ...]
    risk: RiskRules
    fills: FillRules
    advised: bool = False


class Slot(NamedTuple):
    """One symbol's place in the account: its trade, the orders that rest for it, and its last price.

    ``gone``: the trade whose entry was taken back last; it may have filled before the venue heard of that. ``earlier``:
    those before it, the newest first: one that came after them may never have been sent, as theirs were not settled.
    """

    trade: Trade | None = None
    orders: tuple[Order, ...] = ()
    seen: int = 0  # the youngest order that the path has looked at
    close: float = 0.0  # 0.0 until the first priced minute
    gone: Trade | None = None
    earlier: tuple[Trade, ...] = ()

    @property
    def taken_back(self) -> tuple[Trade, ...]:
        """The trades whose entries were taken back last, the newest first."""
        return () if self.gone is None else (self.gone, *self.earlier)

    def freed(self) -> Slot:
        """Return the slot without its trade, whose entry may still have filled."""
        if self.trade is None:
            return self
        return self._replace(trade=None, orders=(), gone=self.trade, earlier=self.taken_back[:MOST_EARLIER])

    def without(self, late: Trade) -> Slot:
        """Return the slot when ``late`` has turned out to have filled."""
        others = [one for one in self.taken_back if one is not late]
        return self._replace(gone=others[0] if others else None, earlier=tuple(others[1:]))


class Account(NamedTuple):
    """The ledger and the slots. ``equity`` is as last marked; ``moved`` says that something filled in this step.

    ``paused``: a person switched entries off. ``offers`` wait for a person, the oldest first.
    """

    wallet: float
    equity: float
    peak: float
    day: int
    day_equity: float
    day_locked: bool
    drawdown_locked: bool
    born: int
    moved: bool
    slots: tuple[Slot, ...]
    paused: bool = False
    offers: tuple[Plan, ...] = ()


class SymbolStep(NamedTuple):
    """What one symbol brings to an instant T.

    ``ended``: ids of order blocks that price went through or that expired. ``turned``: direction of a CHoCH on the
    signal interval, else 0. ``funding``: the rate due at T, else None. ``late``: ids of plans that are ``age`` seconds
    old already and may not be acted on any more; which those are only a live line can tell. ``unseen``: the minute did
    not come in time and is taken as a gap; no entry waits in a market that nobody sees. ``settles``: the venue trades
    the symbol no more, and a position ends at the last price in a minute that the market does not have.
    """

    minute: Minute
    plans: tuple[Plan, ...] = ()
    ended: frozenset[str] = frozenset()
    turned: int = 0
    funding: float | None = None
    late: frozenset[str] = frozenset()
    age: float = 0.0
    leaving: bool = False
    unseen: bool = False
    settles: bool = False


class Instant(NamedTuple):
    """The close T of one step for all symbols that have something to say, by their place in the account."""

    time: int
    signal_close: bool
    symbols: Mapping[int, SymbolStep]


def new_account(equity: float, symbols: int, start: int) -> Account:
    """Return an account with ``equity`` in cash and ``symbols`` empty slots at ``start`` (ms UTC)."""
    return Account(equity, equity, equity, start // DAY_MS, equity, False, False, 0, False, (Slot(),) * symbols)


def widened(account: Account, symbols: int) -> Account:
    """Return the account with empty slots at its end, up to ``symbols`` of them in all."""
    return account._replace(slots=account.slots + (Slot(),) * (symbols - len(account.slots)))


def step(account: Account, instant: Instant, terms: Terms) -> tuple[Account, list[Fact]]:
    """Return the account after the step that closes at ``instant.time``, and what happened in it, in order.

    Minutes are walked in the order of the symbols' names, in which a venue plays them; a symbol that joined later has
    a later place all the same.
    """
    facts: list[Fact] = []
    account = roll_day(account, instant.time - MINUTE_MS)
    for place in sorted(instant.symbols, key=lambda place: terms.instruments[place].symbol):
        said = instant.symbols[place]
        if said.settles and said.minute.gap:
            account = _settle_by_venue(account, place, said.minute, instant.time, terms, facts)
        else:
            account = walk_minute(account, place, said.minute, instant.time, terms, facts)
    return close_step(account, instant, terms, facts), facts


def walk_minute(account: Account, place: int, minute: Minute, time: int, terms: Terms, facts: list[Fact]) -> Account:
    """Walk one symbol's minute, which closes at ``time``: fills, and the reactions that rest before the path goes on.

    Appends to ``facts``.
    """
    slot = account.slots[place]
    if minute.gap or not slot.orders:
        return account
    instrument = terms.instruments[place]
    walk = start_walk(minute, slot.seen)
    while True:
        slot = account.slots[place]
        orders, holding = slot.orders, 0
        if slot.trade is not None and not slot.trade.waiting:
            holding = slot.trade.plan.side
            orders = (*orders, liquidation_order(slot.trade, instrument, terms.risk.leverage))
        walk, match = next_match(walk, orders, holding, instrument.tick, terms.fills)
        if match is None:
            return _with_slot(account, place, slot._replace(seen=walk.seen))
        account = book_fill(account, place, fill_of(match, instrument), terms, facts)
        account = settle(account, place, time, terms, facts, point=walk.price)


def _settle_by_venue(account: Account, place: int, gap: Minute, time: int, terms: Terms, facts: list[Fact]) -> Account:
    """End a position at its last price as the minute begins; ``gap`` carries that price if minutes were jumped over."""
    slot, instrument = account.slots[place], terms.instruments[place]
    if slot.trade is None or slot.trade.waiting:
        return account
    side, id_ = -slot.trade.plan.side, canonical_id(slot.trade.plan.id, "x")
    order = Order(id_, Role.EXIT, OrderType.MARKET, side, 0.0, slot.trade.held, 0)
    match = Match(order, gap.close or slot.close, maker=False, time=time - MINUTE_MS)
    account = exit_for(account, place, SETTLED_BY_VENUE)
    account = book_fill(account, place, fill_of(match, instrument), terms, facts)
    return settle(account, place, time, terms, facts)


def fill_of(match: Match, instrument: Instrument) -> Fill:
    """Return the fill of a matched order with its fee: maker for a limit that rested, taker for the rest."""
    order = match.order
    rate = instrument.maker_fee if match.maker else instrument.taker_fee
    fee = q8(match.price * order.quantity * rate)
    return Fill(match.time, instrument.symbol, order.id, order.id[-1], order.role, match.price, order.quantity, fee)


def book_fill(account: Account, place: int, fill: Fill, terms: Terms, facts: list[Fact]) -> Account:
    """Book one fill: ledger, position, the trade's own reaction. The orders that follow are ``settle``'s."""
    slot = account.slots[place]
    trade = slot.trade
    if trade is None or not fill.id.startswith(trade.plan.id, len(PREFIX)):
        late = _filled_late(slot, fill)
        slot = slot.without(late)._replace(orders=())
        trade = leaving(late, "late_fill")  # at market, under its stop
    facts.append(fill)
    orders = tuple(order for order in slot.orders if order.id != fill.id)
    wallet = account.wallet
    if fill.role == Role.ENTRY:
        trade = entered(trade, fill.price, fill.quantity, fill.time, fill.fee, terms.instruments[place])
    else:
        wallet += realised(trade, fill.price, fill.quantity)
        trade = reduced(trade, fill.name, fill.price, fill.quantity, fill.fee, terms.instruments[place].step)
    account = account._replace(wallet=wallet - fill.fee, moved=True)
    if trade.waiting or trade.held > 0:
        return _with_slot(account, place, slot._replace(trade=trade, orders=orders))
    reason = trade.exit if fill.role == Role.EXIT else fill.role.name.lower()
    facts.append(Closed(fill.time, fill.symbol, trade, reason, trade.earned, trade.earned / trade.risk))
    return _with_slot(account, place, slot._replace(trade=None, orders=()))


def settle(
    account: Account, place: int, time: int, terms: Terms, facts: list[Fact], *, point: float | None = None
) -> Account:
    """Let exactly the orders rest that the trade wants now; ``point`` is the price they would arrive at, if known.

    A stop that ``point`` has already passed is never sent: the trade asks for a market exit instead.
    """
    slot = account.slots[place]
    trade = slot.trade
    if trade is None:
        return account if not slot.orders else _with_slot(account, place, slot._replace(orders=()))
    wants = wanted_orders(trade)
    resting = {order.id: order for order in slot.orders}
    orders: list[Order] = []
    born = account.born
    for want in wants:
        id_ = canonical_id(trade.plan.id, want.name)
        order = resting.get(id_)
        if order is None or order[2:6] != want[2:6]:
            if want.role == Role.STOP and point is not None and is_passed(want.side, want.price, point):
                account = stop_passed(account, place)
                return settle(account, place, time, terms, facts, point=point)
            born += 1
            order = Order(id_, want.role, want.type, want.side, want.price, want.quantity, born)
            facts.append(Placed(time, terms.instruments[place].symbol, order))
        orders.append(order)
    return _with_slot(account._replace(born=born), place, slot._replace(orders=tuple(orders)))


def stop_passed(account: Account, place: int) -> Account:
    """Let the trade leave at market because its stop could not rest: price is already beyond it."""
    return exit_for(account, place, "stop_passed")


def exit_for(account: Account, place: int, reason: str) -> Account:
    """Know why a trade leaves at market; the orders that follow are ``settle``'s."""
    slot = account.slots[place]
    if slot.trade is None:
        return account
    return _with_slot(account, place, slot._replace(trade=slot.trade._replace(exit=reason)))


def drop_entry(
    account: Account, place: int, rule: str, facts: list[Fact], values: Mapping[str, float] | None = None
) -> Account:
    """Free the slot of a waiting trade whose entry the venue refused, or which never went out."""
    slot = account.slots[place]
    if slot.trade is None or not slot.trade.waiting:
        return account
    facts.append(Rejection(slot.trade.plan, rule, values or {}))
    return _with_slot(account, place, slot.freed())


def close_step(account: Account, instant: Instant, terms: Terms, facts: list[Fact]) -> Account:
    """Handle the instant T after the minute was walked: mark, funding, the day, expiries, new entries."""
    slots = list(account.slots)  # changed in one go: a tuple a symbol would be their number squared
    for place, said in instant.symbols.items():
        if said.minute.close > 0:
            slots[place] = slots[place]._replace(close=said.minute.close)
    account = account._replace(slots=tuple(slots))
    account = _mark(account, instant, terms, facts)
    account = _fund(account, instant, terms, facts)
    account = roll_day(account, instant.time)
    for place in sorted(instant.symbols):
        account = _age(account, place, instant, terms, facts)
    if account.offers:
        account = _age_offers(account, instant, terms, facts)
    for place in sorted(instant.symbols):
        said = instant.symbols[place]
        for plan in said.plans:
            if said.leaving:
                facts.append(Rejection(plan, "symbol_leaves", {}))
                continue
            if plan.id in said.late:
                facts.append(Rejection(plan, "signal_stale", {"age_s": said.age}))
                continue
            account = _judge(account, place, plan, instant.time, terms, facts)
    return account._replace(moved=False)


def roll_day(account: Account, time: int) -> Account:
    """Begin the UTC day of ``time`` if the account still lives in an earlier one."""
    day = time // DAY_MS
    if day <= account.day:
        return account
    return account._replace(day=day, day_equity=account.equity, day_locked=False)


def standing_of(account: Account, place: int, terms: Terms) -> Standing:
    """Return what the admission of a plan on ``place`` reads of the account."""
    margin = 0.0
    heat = 0.0
    positions = 0
    for slot, instrument in zip(account.slots, terms.instruments, strict=True):
        trade = slot.trade
        if trade is not None:
            positions += 1
            heat += open_risk(trade, instrument)
            price = trade.plan.entry if trade.waiting else trade.entry_price
            size = trade.quantity if trade.waiting else trade.held
            margin += price * size / terms.risk.leverage
    taken = account.slots[place].trade is not None
    free = account.wallet - margin
    return Standing(
        account.equity,
        free,
        account.day_locked,
        account.drawdown_locked,
        taken,
        positions,
        heat,
        account.paused,
    )


def enter(account: Account, place: int, trade: Trade, time: int, terms: Terms, facts: list[Fact]) -> Account:
    """Give an admitted trade its slot and let its entry rest."""
    account = _with_slot(account, place, account.slots[place]._replace(trade=trade))
    return settle(account, place, time, terms, facts)


def withdraw(account: Account, place: int, rule: str, time: int, terms: Terms, facts: list[Fact]) -> Account:
    """Take back the entry of a trade that waits; nothing happens to one that holds a position."""
    slot = account.slots[place]
    if slot.trade is None or not slot.trade.waiting:
        return account
    facts.append(Withdrawn(time, terms.instruments[place].symbol, slot.trade.plan.id, rule))
    return _with_slot(account, place, slot.freed())


def leave(account: Account, place: int, reason: str, time: int, terms: Terms, facts: list[Fact]) -> Account:
    """Let a position leave at market, its stop resting until it is flat; nothing happens to a waiting entry."""
    slot = account.slots[place]
    if slot.trade is None or slot.trade.waiting or slot.trade.exit:
        return account
    account = _with_slot(account, place, slot._replace(trade=leaving(slot.trade, reason)))
    return settle(account, place, time, terms, facts)


def is_idle(account: Account) -> bool:
    """Tell whether the account has neither a position nor an order."""
    return all(slot.trade is None for slot in account.slots)


def liquidation_order(trade: Trade, instrument: Instrument, leverage: float) -> Order:
    """Return the order by which the venue would end an open position."""
    side = trade.plan.side
    price = liquidation_price(side, trade.entry_price, leverage, instrument)
    return Order(canonical_id(trade.plan.id, "l"), Role.LIQUIDATION, OrderType.STOP, -side, price, trade.held, 0)


class UnexpectedFillError(RuntimeError):
    """A fill that no trade of this account can have caused."""

    def __init__(self, fill: Fill, why: str) -> None:
        super().__init__(
            f"fill {fill.id} of {fill.quantity} {fill.symbol} at {fill.price} cannot be booked: {why}; "
            "entries on this symbol must stay off until the position at the venue is explained"
        )


def _filled_late(slot: Slot, fill: Fill) -> Trade:
    """Return the trade whose entry filled while it was taken back.

    Raises: UnexpectedFillError for any other fill that the slot's trade does not explain.
    """
    if slot.trade is not None:
        raise UnexpectedFillError(fill, "another trade holds the symbol's slot")
    for gone in slot.taken_back:
        if fill.role == Role.ENTRY and fill.id.startswith(gone.plan.id, len(PREFIX)):
            return gone
    raise UnexpectedFillError(fill, "no trade holds the symbol's slot")


def _with_slot(account: Account, place: int, slot: Slot) -> Account:
    slots = account.slots
    return account._replace(slots=(*slots[:place], slot, *slots[place + 1 :]))


def _mark(account: Account, instant: Instant, terms: Terms, facts: list[Fact]) -> Account:
    """Mark equity where something filled, and at signal closes, midnights and fundings while a position is open.

    Other minutes are not looked at, by definition: that is what makes skipping them change nothing.
    """
    holding = any(slot.trade is not None and not slot.trade.waiting for slot in account.slots)
    looked_at = (
        instant.signal_close
        or instant.time % DAY_MS == 0
        or any(said.funding is not None for said in instant.symbols.values())
    )
    if not (account.moved or (holding and looked_at)):
        return account
    equity = account.wallet
    for slot in account.slots:
        if slot.trade is not None and not slot.trade.waiting:
            equity += slot.trade.plan.side * (slot.close - slot.trade.entry_price) * slot.trade.held
    facts.append(EquityPoint(instant.time, equity))
    account = account._replace(equity=equity, peak=max(account.peak, equity))
    rules = terms.risk
    if not account.day_locked and equity <= account.day_equity * (1 - rules.day_loss_pct / 100):
        account = account._replace(day_locked=True)
        facts.append(Halted(instant.time, "day_loss"))
    if not account.drawdown_locked and equity <= account.peak * (1 - rules.drawdown_pct / 100):
        account = account._replace(drawdown_locked=True)
        facts.append(Halted(instant.time, "drawdown_stop"))
    return account


def _fund(account: Account, instant: Instant, terms: Terms, facts: list[Fact]) -> Account:
    for place in sorted(instant.symbols):
        rate = instant.symbols[place].funding
        slot = account.slots[place]
        if rate is None or slot.trade is None or slot.trade.waiting:
            continue
        paid = q8(slot.trade.plan.side * slot.trade.held * slot.close * rate)
        trade = slot.trade._replace(earned=slot.trade.earned - paid)
        account = _with_slot(account, place, slot._replace(trade=trade))
        account = account._replace(wallet=account.wallet - paid, equity=account.equity - paid)
        facts.append(Funded(instant.time, terms.instruments[place].symbol, paid))
    return account


def _age(account: Account, place: int, instant: Instant, terms: Terms, facts: list[Fact]) -> Account:
    """Take back a waiting entry that has lost its reason; let a trade leave whose time is up."""
    slot = account.slots[place]
    trade = slot.trade
    if trade is None:
        return account
    if trade.waiting:
        rule = _withdrawal(account, trade.plan, instant.time, instant.symbols[place])
        return withdraw(account, place, rule, instant.time, terms, facts) if rule else account
    if trade.plan.time_stop and instant.time >= trade.leave_at:
        return leave(account, place, "time_stop", instant.time, terms, facts)
    return account


def _age_offers(account: Account, instant: Instant, terms: Terms, facts: list[Fact]) -> Account:
    """End the offers that have lost their reason, as a waiting entry would be taken back."""
    kept: list[Plan] = []
    for plan in account.offers:
        said = instant.symbols.get(place_of(plan.symbol, terms))
        rule = "" if said is None else _withdrawal(account, plan, instant.time, said) or _outrun(plan, said.minute)
        if rule:
            facts.append(Declined(instant.time, plan.symbol, plan.id, rule))
        else:
            kept.append(plan)
    return account._replace(offers=tuple(kept))


def place_of(symbol: str, terms: Terms) -> int:
    """Return the place of a symbol's slot, -1 for a symbol that the account does not trade."""
    return next((place for place, one in enumerate(terms.instruments) if one.symbol == symbol), -1)


def _outrun(plan: Plan, minute: Minute) -> str:
    """Return why price has gone too far for an offer that nothing rests for, "" if it has not."""
    if minute.gap:
        return ""
    worst, best = (minute.low, minute.high) if plan.side > 0 else (minute.high, minute.low)
    if (plan.stop - worst) * plan.side >= 0:
        return "stop_reached"
    return "missed" if (best - plan.targets[0].price) * plan.side >= 0 else ""


def _withdrawal(account: Account, plan: Plan, time: int, said: SymbolStep) -> str:
    if account.drawdown_locked:
        return "drawdown_stop"
    if account.day_locked:
        return "day_loss"
    if said.leaving:
        return "symbol_leaves"
    if said.unseen:
        return "symbol_unseen"
    if plan.zone and plan.zone in said.ended:
        return "zone_gone"
    if said.turned == -plan.side:
        return "opposite_choch"
    if plan.entry_type == "limit" and not said.minute.gap:
        best = said.minute.high if plan.side > 0 else said.minute.low
        if (best - plan.targets[0].price) * plan.side >= 0:
            return "missed"
    return "expired" if time >= plan.expires_at else ""


def _judge(account: Account, place: int, plan: Plan, time: int, terms: Terms, facts: list[Fact]) -> Account:
    verdict = admit(plan, standing_of(account, place, terms), terms.instruments[place], terms.risk)
    if isinstance(verdict, Rejection):
        facts.append(verdict)
        return account
    if terms.advised:
        facts.append(Offered(time, plan.symbol, plan))
        return account._replace(offers=(*account.offers, plan))
    return enter(account, place, verdict, time, terms, facts)

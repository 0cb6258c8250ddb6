"""The exchange in memory: one account, its books, and a market that stands still until it is told to go on.

It decides what an order request is answered and when time moves. How orders fill inside a minute is decided by
`rules/matching.py` alone; the shapes of the wire, sockets and signatures are the business of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.rules.account import fill_of
from trading_system.rules.grid import Instrument, grid_of_text, q8, text_of
from trading_system.rules.matching import (
    MINUTE_MS,
    FillRules,
    Match,
    Order,
    OrderType,
    Role,
    next_match,
    start_walk,
)
from trading_system.simulator.admission import goes_off, require_allowed
from trading_system.simulator.books import NOT_TRADED, Book
from trading_system.simulator.exchange_listener import Deaf, Listener
from trading_system.simulator.fingerprint import line_of
from trading_system.simulator.order_register import OrderRegister
from trading_system.simulator.orders import (
    LIQUIDATED,
    SETTLED,
    Funding,
    OrderRequest,
    Position,
    Trade,
    VenueOrder,
)
from trading_system.simulator.refusals import Refusal, RefusedError
from trading_system.simulator.tape import LiveTape, Row, Tape, TapeError
from trading_system.simulator.trade_log import TradeLog


class Advanced(NamedTuple):
    """Where the market stands: last closed step (T / 60,000), last trade id (0 none), and whether the data is over."""

    step: int
    trade: int
    done: bool


class Fences(NamedTuple):
    """How long (ms) after a request was sent it may still be accepted, and the pause between two not-founds.

    This venue decides at once, so they are short; a client that must prove that an order never arrived waits for them.
    """

    order_ms: int = 50
    algo_ms: int = 50
    not_found_gap_ms: int = 20


class Exchange:
    """A USDT-margined futures venue with one account: one-way mode, isolated margin, orders fill whole.

    instruments: all of one exchange; candles: records CANDLE[n] by symbol, all over the same minutes, or tapes that are
    told theirs; start_step: the step that is closed when the venue opens (what lies before is history for REST);
    fill_rules: how unkind the market is; leverage: for every symbol until changed; equity: the wallet at the start;
    funding: rates by symbol and time T.
    Raises: TapeError when the candles do not fit together.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        candles: Mapping[str, npt.NDArray[np.void] | LiveTape],
        start_step: int,
        fill_rules: FillRules | None = None,
        leverage: int = 5,
        equity: float = 10_000.0,
        fences: Fences | None = None,
        funding: Mapping[str, Mapping[int, float]] | None = None,
    ) -> None:
        self.listener: Listener = Deaf()
        self.fences = fences or Fences()
        self.fill_rules = fill_rules or FillRules()
        self.wallet = equity
        self.books: dict[str, Book] = {}
        for instrument in sorted(instruments, key=lambda each: (each.exchange, each.symbol)):
            given = candles[instrument.symbol]
            tape = given if isinstance(given, LiveTape) else Tape(instrument.symbol, given)
            position = Position(instrument.step)
            self.books[instrument.symbol] = Book(instrument, tape, position, leverage, tape.price_after(start_step))
        self.venue = next(iter(self.books.values())).instrument.exchange
        spans = {(book.tape.first, book.tape.last) for book in self.books.values()}
        if len(spans) != 1:
            raise TapeError(f"expected all symbols over the same steps, was {sorted(spans)}; cut them to a common span")
        self.first_step, self.last_step = spans.pop()
        if not self.first_step - 1 <= start_step <= self.last_step:
            raise TapeError(f"expected a start between {self.first_step - 1} and {self.last_step}, was {start_step}")
        self.step = start_step
        self.now = start_step * MINUTE_MS
        self.register = OrderRegister()
        self._funding = funding or {}
        self.funded: list[Funding] = []
        """Every funding of a position so far, oldest first."""
        self.traded = TradeLog()
        self._turn = 0
        self._turns = list(self.books.values())
        self._coming: dict[str, Book] = {}  # admitted in the middle of a minute

    @property
    def orders(self) -> dict[int, VenueOrder]:
        """Every order that is remembered, by its number."""
        return self.register.orders

    def admit(self, instrument: Instrument, tape: LiveTape, leverage: int) -> None:
        """Trade one more symbol from the next step on; one that is traded already stays as it is."""
        if instrument.symbol in self.books:
            return
        self._coming[instrument.symbol] = Book(
            instrument, tape, Position(instrument.step), leverage, tape.price_after(self.step)
        )
        if self._turn == 0:
            self._let_in()

    def _let_in(self) -> None:
        """Take in the symbols that came while a minute was played: the turns of its symbols are counted."""
        if self._coming:
            self.books = dict(sorted({**self.books, **self._coming}.items()))
            self._turns = list(self.books.values())
            self._coming = {}

    # --- time

    def advance(self, until_step: int | None = None) -> Advanced:
        """Play to the next fill or to the end of one step; with ``until_step`` through as many, still up to a fill."""
        target = min(self.step + 1 if until_step is None else until_step, self.last_step)
        while self.step < target:
            while self._turn < len(self._turns):
                if self._play(self._turns[self._turn]):
                    return self.standing()
                self._turn += 1
            self._close_step()
        return self.standing()

    def standing(self) -> Advanced:
        """Return where the market stands, without moving it."""
        return Advanced(self.step, self.traded.newest, self.step >= self.last_step)

    def _play(self, book: Book) -> bool:
        """Follow one symbol's minute to its next fill; False when the minute is over."""
        if book.walk is None and not (book.open or book.position.side):
            return False
        if book.ended_after is not None:
            return self._settle(book)
        row = book.row(self.step + 1)
        if row.gap:
            return False
        walk = book.walk or start_walk(row.minute, book.seen)
        holding, grid = book.position.side, book.instrument.tick
        walk, match = next_match(walk, self._resting(book), holding, grid, self.fill_rules)
        if match is None:
            book.seen, book.walk, book.last = walk.seen, None, row.close
            return False
        book.walk, book.last = walk, walk.price
        self._fill(book, match)
        return True

    def _close_step(self) -> None:
        self._turn = 0
        self.step += 1
        self.now = self.step * MINUTE_MS
        for symbol, book in self.books.items():
            row = book.row(self.step)
            if not row.gap:
                book.last = row.close
                self.listener.minute_closed(self.step, symbol, row)
        for symbol, rates in self._funding.items():
            rate = rates.get(self.now)
            book = self.books[symbol]
            if rate is not None and book.position.side:
                side, held = book.position.side, book.position.held
                paid = q8(side * held * book.last * rate)
                self.wallet -= paid
                book.realised -= paid
                trade = self.standing().trade
                self.funded.append(Funding(symbol, self.now, trade, rate, side, held, book.last, paid))
                self.listener.account_changed(symbol, "FUNDING_FEE", self.now)
        self._let_in()

    def _resting(self, book: Book) -> tuple[Order, ...]:
        """Return what can fill: entries, and with a position the orders that make it smaller and its liquidation."""
        if book.resting is None:
            side, held = book.position.side, book.position.held
            orders = [
                order.at_market(held)
                for order in book.open.values()
                if order.role == Role.ENTRY or (side and order.side == -side)
            ]
            if side:
                orders.append(Order("l", Role.LIQUIDATION, OrderType.STOP, -side, book.liquidation, held, 0))
            book.resting = tuple(orders)
        return book.resting

    # --- fills

    def _fill(self, book: Book, match: Match) -> None:
        self.now = max(self.now, match.time)
        met = match.order
        if met.role == Role.LIQUIDATION:
            order = self.register.child(book.symbol, LIQUIDATED, met.side, met.quantity, match.time)
        elif met.id == SETTLED:
            order = self.register.child(book.symbol, SETTLED, met.side, met.quantity, match.time)
        else:
            order = self.orders[int(met.id)]
        algo = order if order.algo else None
        if algo is not None:
            order = self._trigger(book, algo, met.quantity, match.time)
        fee = fill_of(match, book.instrument).fee
        closed = min(met.quantity, book.position.held) if book.position.side == -met.side else 0.0
        realised = book.position.take(met.side, met.quantity, match.price, match.time)
        self.wallet += realised
        self.wallet -= fee
        book.realised += realised - fee
        order.status, order.filled, order.average, order.updated = "FILLED", met.quantity, match.price, match.time
        order.fee = fee
        book.open.pop(order.number, None)
        book.resting = None
        identity = (
            self.traded.newest + 1,
            order.number,
            order.client_id,
            order.symbol,
            met.side,
            met.role,
        )
        trade = Trade(*identity, match.price, met.quantity, fee, realised, match.maker, match.time, closed)
        self.traded.kept.append(trade)
        if met.role == Role.ENTRY and book.position.side == met.side:
            asked = algo or order
            for kind, price in ((OrderType.STOP, asked.stop), (OrderType.TOUCH, asked.target)):
                if price:
                    self._give_position(book, kind, price, asked.number)
        self.listener.account_changed(order.symbol, "ORDER", self.now)
        execution = "CALCULATED" if met.role == Role.LIQUIDATION else "TRADE"
        self.listener.order_changed(order, execution, trade, self.now)
        if algo is not None:
            algo.status, algo.average, algo.filled = "FINISHED", match.price, met.quantity
            self.listener.algo_changed(algo, self.now)
        if not book.position.side:
            for left in [left for left in book.open.values() if left.entry or left.role == Role.EXIT]:
                self._end(left, "CANCELED" if left.entry else "EXPIRED")  # neither waits for a position to come

    def _settle(self, book: Book) -> bool:
        """End what is left of a symbol that is traded no more, at its last price; True when that was a position."""
        side, held, time = book.position.side, book.position.held, self.step * MINUTE_MS
        if side:
            order = Order(SETTLED, Role.EXIT, OrderType.MARKET, -side, 0.0, held, 0)
            self._fill(book, Match(order, book.last, maker=False, time=time))
        for left in list(book.open.values()):
            self._end(left, "CANCELED")
        return bool(side)

    def _give_position(self, book: Book, kind: OrderType, price: float, entry: int) -> None:
        """Give the position a stop or a touch of its own, at once; it replaces the one that there was.

        One that the price is beyond already is rejected, and the position stays as it was.
        """
        side = -book.position.side
        order = self.register.of_position(book.symbol, side, kind, price, entry, self.now)
        if goes_off(kind, side, price, book.last):
            order.status = "REJECTED"
        else:
            known = book.held_by_position(kind)
            if known is not None:
                self._end(known, "CANCELED")
            book.open[order.number] = order
            book.resting = None
        self.listener.algo_changed(order, self.now)

    def _trigger(self, book: Book, algo: VenueOrder, quantity: float, time: int) -> VenueOrder:
        """Turn a conditional order into a market order of its own number and its own client id."""
        book.open.pop(algo.number)
        child = self.register.child(book.symbol, "algo-", algo.side, quantity, time)
        child.parent, child.reduce_only = algo.number, algo.reduce_only or algo.close_position
        algo.child, algo.status, algo.updated = child.number, "TRIGGERED", time
        self.listener.algo_changed(algo, self.now)
        self.listener.order_changed(child, "NEW", None, self.now)
        return child

    # --- requests

    def place(self, request: OrderRequest) -> VenueOrder:
        """Accept an order; it rests, or waits for the market to go on.

        Raises: RefusedError when the order breaks a rule; then nothing has changed.
        """
        book = self._traded(request.symbol)
        known = self.find(algo=request.algo, client_id=request.client_id) if request.client_id else None
        if known is not None and known.open:
            raise RefusedError(Refusal.ID_IN_USE)
        require_allowed(book, request, self.available())
        order = self.register.take(request, self.now, "NEW")
        book.open[order.number] = order
        book.resting = None
        if order.algo:
            self.listener.algo_changed(order, self.now)
        else:
            self.listener.order_changed(order, "NEW", None, self.now)
        return order

    def reject(self, request: OrderRequest) -> VenueOrder:
        """Take an order in and say afterwards that it is rejected: a venue that answers before it decides."""
        order = self.register.take(request, self.now, "REJECTED")
        self.listener.order_changed(order, "REJECTED", None, self.now)
        return order

    def set_position_order(self, symbol: str, kind: OrderType, price: float) -> None:
        """Move the stop or the touch that belongs to the position, or give it one; 0.0 takes it away.

        Raises: RefusedError without a position, and when the price is beyond it already.
        """
        book = self._traded(symbol)
        known, opened = book.held_by_position(kind), self.traded.entry_before(symbol)
        if not book.position.side or opened is None:
            raise RefusedError(Refusal.NOTHING_TO_REDUCE)
        if price and goes_off(kind, -book.position.side, price, book.last):
            raise RefusedError(Refusal.STOP_PASSED)
        if known is None and price:
            entry = self.orders[opened.order]
            self._give_position(book, kind, price, entry.parent or entry.number)
        elif known is not None and price:
            self.amend(known, price=price)
        elif known is not None:
            self._end(known, "CANCELED")

    def amend(self, order: VenueOrder, *, price: float = 0.0, quantity: float = 0.0) -> None:
        """Change the price or trigger, or the quantity, of an open order; it arrives anew.

        Raises: RefusedError when it is not open, or would not be taken as it is to be.
        """
        if not order.open:
            raise RefusedError(Refusal.NOT_OPEN)
        book = self._traded(order.symbol)
        wanted = (price or order.price, quantity or order.quantity)
        wish = (order.symbol, order.side, order.type, wanted[1], wanted[0], order.client_id)
        flags = (order.reduce_only, order.algo, order.close_position, order.stop, order.target, order.post_only)
        require_allowed(book, OrderRequest(*wish, *flags), self.available(), instead_of=order)
        order.price, order.quantity = wanted
        order.amended, order.updated, book.resting = self.register.next_number(), self.now, None
        if order.algo:
            self.listener.algo_changed(order, self.now)
        else:
            self.listener.order_changed(order, "AMENDMENT", None, self.now)

    def fundings(self, symbol: str) -> list[tuple[int, float]]:
        """Return the fundings of ``symbol`` so far as (time in ms UTC, rate), oldest first."""
        return sorted((time, rate) for time, rate in self._funding.get(symbol, {}).items() if time <= self.now)

    def cancel(self, order: VenueOrder) -> None:
        """Take an open order out of its book. Raises: RefusedError when it is not open any more."""
        if not order.open:
            raise RefusedError(Refusal.NOT_OPEN)
        self._end(order, "CANCELED")

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Change a symbol's leverage. Raises: RefusedError when it lowers the leverage of an open position."""
        book = self.book(symbol)
        if book.position.side and leverage < book.leverage:
            raise RefusedError(Refusal.LEVERAGE_OF_POSITION)
        book.leverage, book.resting = leverage, None

    def halt(self, symbol: str, until: int) -> None:
        """Stop trading ``symbol`` up to step ``until``; what rests for it stays and cannot fill."""
        self.book(symbol).halted = (self.step, until)

    def delist(self, symbol: str) -> None:
        """Stop trading ``symbol`` for good: with the next minute its orders end and its position is settled."""
        self.book(symbol).halted = (self.step, None)

    def list_again(self, symbol: str) -> None:
        """Trade a symbol that was delisted again; one that is only admitted so far never was."""
        if symbol in self.books:
            self.books[symbol].halted = None

    def change_tick(self, symbol: str, factor: int) -> None:
        """Make the price grid of ``symbol`` coarser by ``factor``; what rests stays where it is."""
        book = self.book(symbol)
        tick = book.instrument.tick
        book.instrument = book.instrument._replace(tick=grid_of_text(text_of(tick.price(factor))))

    def minutes(self, symbol: str, first: int | None, last: int | None, limit: int) -> list[Row]:
        """Return up to ``limit`` minutes by step, oldest first, the last of them running and without a trade so far.

        With ``first`` the oldest from there on, without it the newest up to ``last``; minutes that the venue does not
        have are left out. Raises: RefusedError when the symbol is not traded here.
        """
        book = self.book(symbol)
        oldest = book.tape.first if first is None else max(first, book.tape.first)
        newest = self.step + 1 if last is None else min(last, self.step + 1)
        steps = range(newest, oldest - 1, -1) if first is None else range(oldest, newest + 1)
        rows: list[Row] = []
        for step in steps:
            row = self.running(symbol) if step > self.step else book.row(step)
            if not row.gap:
                rows.append(row)
            if len(rows) == limit:
                break
        return rows[::-1] if first is None else rows

    def running(self, symbol: str) -> Row:
        """Return the minute that is not over: at the price before it, without a trade; none while it is halted."""
        book = self.book(symbol)
        if book.halts(self.step + 1):
            return NOT_TRADED
        price = book.tape.price_after(self.step)
        return Row(self.step * MINUTE_MS, price, price, price, price, 0.0, 0)

    def book(self, symbol: str) -> Book:
        """Return a symbol's book. Raises: RefusedError when it is not traded here."""
        book = self.books.get(symbol)
        if book is None:
            raise RefusedError(Refusal.UNKNOWN_SYMBOL)
        return book

    def _traded(self, symbol: str) -> Book:
        """Return the book of a symbol that takes orders now. Raises: RefusedError when it does not."""
        book = self.book(symbol)
        if book.halts(self.step + 1):
            raise RefusedError(Refusal.NOT_TRADING)
        return book

    def find(self, *, algo: bool, number: int = 0, client_id: str = "") -> VenueOrder | None:
        """Return an order by number, or the newest one with the client id; None when the service has none such."""
        return self.register.find(algo=algo, number=number, client_id=client_id)

    def open_orders(self, symbol: str | None, *, algo: bool) -> Iterator[VenueOrder]:
        """Yield the open orders of one service, of one symbol or of all, oldest first within a symbol."""
        for book in self.books.values() if symbol is None else (self.book(symbol),):
            yield from [order for order in book.open.values() if order.algo == algo]

    def trades(self) -> list[Trade]:
        """Return every trade of the account so far, or those that are not forgotten, oldest first."""
        return list(self.traded.kept)

    def forget(self, kept: int) -> None:
        """Let go of all trades but the newest ``kept``, and of the ended orders behind them.

        What is open, what the kept trades came from and the newest orders stay: nobody can still ask for others.
        """
        self.traded.forget(kept, [symbol for symbol, book in self.books.items() if book.position.side])
        needed = {trade.order for trade in self.traded.kept} | set(list(self.orders)[-2 * kept :])
        needed |= {self.orders[number].parent for number in needed} | {self.orders[number].child for number in needed}
        needed |= {self.orders[number].entry for number in needed if number}
        self.register.keep(needed)

    def fingerprint_lines(self) -> list[str]:
        """Return one canonical line a trade, ``kind|id|time|price|qty|fee``, oldest first."""
        return [line_of(trade, self.owner(trade)) for trade in self.traded.kept]

    def owner(self, trade: Trade) -> str:
        """Return the client id that a trade belongs to; the venue's own ending of a position to the entry it ends."""
        return self.traded.owner(trade, self.orders)

    def available(self) -> float:
        """Return the part of the wallet that no position or waiting entry holds, in quote currency."""
        return self.wallet - sum(book.margin for book in self.books.values())

    def _end(self, order: VenueOrder, status: str) -> None:
        book = self.books[order.symbol]
        book.open.pop(order.number, None)
        book.resting = None
        order.status, order.updated = status, self.now
        if order.algo:
            self.listener.algo_changed(order, self.now)
        else:
            self.listener.order_changed(order, status, None, self.now)

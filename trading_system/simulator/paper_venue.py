"""The venue of paper trading: an account in this process whose market is the real one, minute by minute as it closes.

It is the simulated exchange behind the venue port, without a wire. What it remembers is on the disk before it answers,
so that a line that was killed finds its paper account as it would find a real one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from pathlib import Path

from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS, FillRules, Minute, OrderType, Role
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.exchange_listener import Deaf
from trading_system.simulator.exchange_state import StateError, pack_exchange, restore_exchange
from trading_system.simulator.orders import OrderRequest, Trade
from trading_system.simulator.orders import VenueOrder as BookedOrder
from trading_system.simulator.refusals import Refusal, RefusedError
from trading_system.simulator.tape import LiveTape
from trading_system.venues.errors import (
    NoSuchOrderError,
    NothingToReduceError,
    OutcomeUnknownError,
    StopPassedError,
    VenueError,
)
from trading_system.venues.errors import RefusedError as VenueRefusedError
from trading_system.venues.port import (
    EVER,
    Ack,
    OrderChanged,
    OrderState,
    OrderStatus,
    Played,
    Position,
    StreamUp,
    TradePoint,
    UserEvent,
    VenueFill,
    VenueOrder,
)

PAPER_CODE = 0  # a refusal here has a reason and no number
TRADES_KEPT = 250
"""The newest trades that an account remembers at least; whoever trades on it books each before the next minute."""
_STATUSES = {
    "NEW": OrderStatus.NEW,
    "FILLED": OrderStatus.FILLED,
    "FINISHED": OrderStatus.FILLED,
    "TRIGGERED": OrderStatus.TRIGGERED,
    "CANCELED": OrderStatus.CANCELLED,
    "EXPIRED": OrderStatus.EXPIRED,
}


class PaperStateError(RuntimeError):
    """A paper account that cannot be taken up, or that lacks minutes of its market."""


class PaperVenue(Deaf):
    """One paper account in the file ``path``; what its methods promise is in ``venues/port.py``.

    start_step: the step that is closed when a new account opens; equity: what it begins with; leverage: of every
    symbol. Raises: PaperStateError when the file holds something else.
    """

    def __init__(
        self,
        path: Path,
        instruments: Sequence[Instrument],
        start_step: int,
        rules: FillRules,
        *,
        leverage: int,
        equity: float,
    ) -> None:
        self._path = path
        self._leverage = leverage
        self._instruments = {one.symbol: one for one in instruments}
        self._tapes = {one.symbol: LiveTape(start_step + 1) for one in instruments}
        self._exchange = Exchange(instruments, self._tapes, start_step, rules, leverage, equity)
        self._heard: list[UserEvent] = []
        self._closed = asyncio.Event()
        if path.exists():
            try:
                restore_exchange(self._exchange, path.read_bytes())
            except StateError as error:
                raise PaperStateError(f"{path}: {error}; start a new line with another --out") from error
        self._exchange.listener = self

    def begin(self) -> None:
        """Be on the disk before the first order: whoever looks into the folder sees whose account it is."""
        if not self._path.exists():
            self._keep()

    # --- the market

    @property
    def idle(self) -> bool:
        """Tell whether nothing can come of a minute."""
        return not any(book.open or book.position.side for book in self._exchange.books.values())

    def admit(self, instrument: Instrument) -> None:
        """Trade one more symbol from the next minute on."""
        if instrument.symbol not in self._tapes:
            self._instruments[instrument.symbol] = instrument
            self._tapes[instrument.symbol] = tape = LiveTape(self._exchange.first_step)
            self._exchange.admit(instrument, tape, self._leverage)
        else:
            self._exchange.list_again(instrument.symbol)

    def play(self, step: int, minutes: Mapping[str, Minute], ended: Collection[str] = ()) -> Played:
        """Follow the minutes that close with ``step`` to the next fill or to their end; one that was played is over.

        What is held of ``ended`` symbols without a minute is settled: nothing else would ever end it.
        Raises: PaperStateError when minutes before it were never played though an order rested.
        """
        exchange = self._exchange
        if step <= exchange.step:
            return Played((), over=True)
        was_idle = self.idle
        if step > exchange.step + 1:
            if not was_idle:
                raise PaperStateError(
                    f"{self._path}: expected the minutes from step {exchange.step + 1} on, was step {step}; "
                    "the paper account is newer or older than its store, start a new line with another --out"
                )
            exchange.step, exchange.now = step - 1, (step - 1) * MINUTE_MS
        nothing = Minute((step - 1) * MINUTE_MS, 0.0, 0.0, 0.0, 0.0, True)
        for symbol, tape in self._tapes.items():
            tape.give(minutes.get(symbol, nothing))  # one that the account does not take has no minute here
        for symbol in ended:
            if minutes[symbol].gap:
                exchange.delist(symbol)
        self._heard = []
        exchange.advance()
        heard, self._heard = self._heard, []
        if not was_idle:
            self._keep()
        return Played(tuple(heard), exchange.step >= step)

    def order_changed(self, order: BookedOrder, execution: str, trade: Trade | None, now: int) -> None:
        """Hear what the exchange says of an order: fills, and orders that ended without our doing."""
        del now
        if trade is not None:
            self._heard.append(self._fill(trade))
        elif execution == "EXPIRED":
            changed = (order.client_id, order.symbol, OrderStatus.EXPIRED, str(order.number))
            self._heard.append(OrderChanged(*changed))

    def fingerprint_lines(self) -> list[str]:
        """Return one canonical line for each of the newest trades, oldest first; older ones are forgotten."""
        return self._exchange.fingerprint_lines()

    @property
    def trades(self) -> int:
        """How many trades the account has made so far."""
        return self._exchange.standing().trade

    # --- the port

    async def server_time_offset(self) -> int:
        """Return 0: this venue has no clock of its own."""
        return 0

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Return the records with which the account was opened."""
        return tuple(self._instruments[symbol] for symbol in symbols)

    async def place(self, order: VenueOrder, sent_ms: int) -> Ack:
        """Take ``order`` into the books. Raises: StopPassedError, NothingToReduceError, RefusedError."""
        del sent_ms
        wish = (order.symbol, order.side, order.type, order.quantity, order.price, order.client_id)
        try:
            booked = self._exchange.place(OrderRequest(*wish, order.reduce_only, order.type == OrderType.STOP))
        except RefusedError as error:
            raise _as_venue(error) from error
        self._keep()
        return Ack(str(booked.number))

    async def cancel(self, symbol: str, client_id: str, kind: OrderType) -> None:
        """Take back an open order. Raises: NoSuchOrderError when it is not open."""
        del symbol
        order = self._exchange.find(algo=kind == OrderType.STOP, client_id=client_id)
        if order is None:
            raise _as_venue(RefusedError(Refusal.NOT_OPEN))
        try:
            self._exchange.cancel(order)
        except RefusedError as error:
            raise _as_venue(error) from error
        self._keep()

    async def order(self, symbol: str, client_id: str, kind: OrderType) -> OrderState | None:
        """Return the standing of one order, None when there was never one."""
        del symbol
        order = self._exchange.find(algo=kind == OrderType.STOP, client_id=client_id)
        return None if order is None else _state(order)

    async def open_orders(self, symbol: str) -> list[OrderState]:
        """Return everything that rests for ``symbol``."""
        return [_state(order) for algo in (False, True) for order in self._exchange.open_orders(symbol, algo=algo)]

    async def position(self, symbol: str) -> Position:
        """Return the position of ``symbol``."""
        held = self._exchange.book(symbol).position
        return Position(symbol, held.side * held.held, held.entry)

    async def position_mode_is_one_way(self, symbol: str) -> bool:
        """Return True: there is no other mode here."""
        del symbol
        return True

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of ``symbol``. Raises: RefusedError when it lowers that of an open position."""
        try:
            self._exchange.set_leverage(symbol, leverage)
        except RefusedError as error:
            raise _as_venue(error) from error

    async def set_isolated_margin(self, symbol: str) -> None:
        """Do nothing: margin is always isolated here."""

    async def fills(self, symbol: str, since: TradePoint = EVER) -> list[VenueFill]:
        """Return our trades from ``since`` on, ascending; a trade's number is its id."""
        trades = self._exchange.trades()
        return [self._fill(trade) for trade in trades if trade.symbol == symbol and trade.id >= since.number]

    async def newest_trade(self, symbol: str) -> TradePoint:
        """Return the id of our last trade in ``symbol``, 0 if there is none; no time is needed to read on from it."""
        return TradePoint(max((trade.id for trade in self._exchange.trades() if trade.symbol == symbol), default=0), 0)

    async def user_events(self) -> AsyncGenerator[UserEvent, None]:
        """Say once that nothing can be missed here; what a minute brings, ``play`` returns."""
        yield StreamUp()
        await self._closed.wait()

    async def close(self) -> None:
        """Keep the account and let go of it."""
        if not self._closed.is_set():
            self._closed.set()
            self._keep()

    def _fill(self, trade: Trade) -> VenueFill:
        """Return a trade under the name of the order that was sent; what the venue ended itself keeps its own name."""
        by_venue = trade.settles or trade.role == Role.LIQUIDATION
        name = trade.client_id if by_venue else self._exchange.owner(trade)
        numbers = (trade.time, trade.price, trade.quantity, trade.fee, trade.maker)
        return VenueFill(str(trade.id), trade.id, name, trade.symbol, *numbers)

    def _keep(self) -> None:
        """Write the account to the disk, whole or not at all; what it remembers has bounds, for it does so often."""
        if len(self._exchange.trades()) > 2 * TRADES_KEPT:
            self._exchange.forget(TRADES_KEPT)
        part = self._path.with_name(self._path.name + ".part")
        try:
            with part.open("wb") as file:
                file.write(pack_exchange(self._exchange))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise PaperStateError(
                f"{self._path}: expected a disk that takes a write, was: {error.strerror}; free the disk, or make the "
                "folder writable, and start again"
            ) from error


def _state(order: BookedOrder) -> OrderState:
    return OrderState(order.client_id, order.symbol, str(order.number), _STATUSES[order.status], order.filled)


def _as_venue(error: RefusedError) -> VenueError:
    """Return the refusal as the port says it."""
    match error.reason:
        case Refusal.NOT_OPEN:
            return NoSuchOrderError(str(error))
        case Refusal.STOP_PASSED:
            return StopPassedError(PAPER_CODE, str(error))
        case Refusal.NOTHING_TO_REDUCE:
            return NothingToReduceError(PAPER_CODE, str(error))
        case Refusal.ID_IN_USE:
            return OutcomeUnknownError(str(error))  # this very order may be the one that has the id
        case _:
            return VenueRefusedError(PAPER_CODE, str(error))

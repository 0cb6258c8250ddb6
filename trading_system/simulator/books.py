"""One symbol at the simulated venue: its minutes, what rests, what is held, and the money that this binds."""

from __future__ import annotations

from dataclasses import dataclass, field

from trading_system.rules.grid import Instrument
from trading_system.rules.matching import Order, OrderType, Role, Walk
from trading_system.rules.trade import liquidation_price
from trading_system.simulator.orders import Position, VenueOrder
from trading_system.simulator.tape import LiveTape, Row, Tape

NOT_TRADED = Row(0, 0.0, 0.0, 0.0, 0.0, 0.0, 1)


@dataclass(slots=True)
class Book:
    """One symbol at the venue: its minutes, open orders, position, and where the path of the minute stands.

    ``realised`` is what trades and fundings have brought so far, fees taken off.
    """

    instrument: Instrument
    tape: Tape | LiveTape
    position: Position
    leverage: int
    last: float
    open: dict[int, VenueOrder] = field(default_factory=dict)
    walk: Walk | None = None
    seen: int = 0
    realised: float = 0.0
    halted: tuple[int, int | None] | None = None  # after which step it stopped trading, and up to which; None: for ever
    resting: tuple[Order, ...] | None = None  # what matching sees; None when orders or position changed since

    @property
    def symbol(self) -> str:
        """The symbol's name."""
        return self.instrument.symbol

    def row(self, step: int) -> Row:
        """Return a minute of the market: none while the symbol is not traded."""
        return NOT_TRADED if self.halts(step) else self.tape.row(step)

    def halts(self, step: int) -> bool:
        """Tell whether the symbol is not traded in the minute that closes with ``step``."""
        return self.halted is not None and self.halted[0] < step and (self.halted[1] is None or step <= self.halted[1])

    @property
    def ended_after(self) -> int | None:
        """The step after which the symbol is traded no more and never will be again, None while it has a future."""
        return self.halted[0] if self.halted is not None and self.halted[1] is None else None

    @property
    def margin(self) -> float:
        """The initial margin that the position and the entries waiting for it hold."""
        held = self.initial_margin
        waiting = 0.0
        for order in self.open.values():
            if order.role == Role.ENTRY and not order.algo:
                waiting += (order.price or self.last) * order.quantity / self.leverage
        return held + waiting

    @property
    def initial_margin(self) -> float:
        """The margin that the position holds."""
        return self.position.entry * self.position.held / self.leverage

    @property
    def maintenance(self) -> float:
        """The margin below which the venue ends the position."""
        return self.position.held * self.last * self.instrument.maintenance_margin

    @property
    def unrealised(self) -> float:
        """What the position would make at the last price, before fees."""
        return self.position.side * (self.last - self.position.entry) * self.position.held

    def held_by_position(self, kind: OrderType) -> VenueOrder | None:
        """Return the stop or the touch that belongs to the position itself and takes the whole of it."""
        return next((order for order in self.open.values() if order.entry and order.type == kind), None)

    @property
    def liquidation(self) -> float:
        """The price at which the venue ends the position; 0.0 when flat."""
        side = self.position.side
        return liquidation_price(side, self.position.entry, self.leverage, self.instrument) if side else 0.0

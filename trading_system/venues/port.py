"""What execution asks of an exchange, and the values that go back and forth; each venue has one adapter behind it.

A method that returns has the venue's word. A method that raises says what is known (``errors.py``); a read that failed
is never an empty answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from trading_system.rules.grid import Instrument
from trading_system.rules.matching import Minute, OrderType, Role


class VenueRecord(NamedTuple):
    """The constants by which an unknown order of one venue is proven, in ms.

    A request is dead after ``fence_ms``: the window in which the venue may accept it, its own timeout towards the
    matching engine, and the lag of what it shows. Stops live in a service that shows them later: ``algo_fence_ms``.
    ``protect_after_ms`` is how long a position waits for an unknown stop before another one is placed beside it.
    ``born_protected``: an entry carries its stop, so that the venue knows no position without one; where it does not,
    the stop is sent once the entry has filled.
    """

    name: str
    recv_window_ms: int
    fence_ms: int
    algo_fence_ms: int
    not_found_gap_ms: int
    protect_after_ms: int
    born_protected: bool = False


BINANCE_USDM = VenueRecord("binance_usdm", 3_000, 18_000, 60_000, 2_000, 2_500)
"""Binance USDT-M: 3 s window, 10 s engine timeout, 5 s lag; 60 s for the eventually consistent stop service."""

BYBIT_LINEAR = VenueRecord("bybit_linear", 3_000, 18_000, 18_000, 2_000, 2_500, born_protected=True)
"""Bybit linear: the same window, timeout and lag; a stop is a price of the position, shown as soon as an order is."""

PAPER_ACCOUNT = VenueRecord("paper", 3_000, 50, 50, 20, 2_500)
"""An account in this process, whosever market it follows: it answers at once, and a stop is sent after the fill."""

SETTLED = ("settlement_autoclose-", "delivery_autoclose-", "adl_autoclose")
"""With these begins the name of the order by which a venue takes a position away, or a part of it: by delivery of the
symbol, or because the other side of it was liquidated."""
LIQUIDATED = "autoclose-"
"""With this begins the name of the order by which a venue ends a position of ours; adapters see to it."""


class KnownStop(NamedTuple):
    """A stop of ours. ``venue_id`` is "" as long as the venue never said that it has it."""

    client_id: str
    price: float
    venue_id: str


KnownStops = Callable[[str], Sequence[KnownStop]]
"""Returns the stops of a symbol whose fill is not known yet, oldest first."""


def answering_at_once(record: VenueRecord) -> VenueRecord:
    """Return the constants of a venue for an exchange on this machine: it answers at once or never."""
    return record._replace(fence_ms=50, algo_fence_ms=50, not_found_gap_ms=20)


class VenueOrder(NamedTuple):
    """An order as it is sent. ``side`` is 1 to buy, -1 to sell; ``price`` the limit or the trigger, 0.0 at market.

    ``protection`` is, of an entry, the price of the stop that its position will have, which a venue may take along;
    0.0 of every other order.
    """

    client_id: str
    symbol: str
    role: Role
    type: OrderType
    side: int
    price: float
    quantity: float
    protection: float = 0.0

    @property
    def reduce_only(self) -> bool:
        """Every order but an entry may only make a position smaller."""
        return self.role != Role.ENTRY


class Ack(NamedTuple):
    """The venue has taken an order and calls it ``venue_id``."""

    venue_id: str


class OrderStatus(StrEnum):
    """Where an order stands at the venue. TRIGGERED: a stop has become an order of its own that is not filled yet."""

    NEW = "new"
    TRIGGERED = "triggered"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class OrderState(NamedTuple):
    """What the venue says of one order.

    ``child_id`` is the order that a stop turned into, "" if it has not; ``reason`` why it was rejected, in its words.
    """

    client_id: str
    symbol: str
    venue_id: str
    status: OrderStatus
    filled: float = 0.0
    child_id: str = ""
    reason: str = ""


class VenueFill(NamedTuple):
    """One trade of ours. ``client_id`` names the order that was sent, also if a stop's own child order filled.

    ``trade_id`` is the venue's own and unique within a symbol. ``number`` ascends within a symbol; trades of one match
    may share it. ``time`` is the venue's, ms UTC; ``fee`` in quote currency.
    """

    trade_id: str
    number: int
    client_id: str
    symbol: str
    time: int
    price: float
    quantity: float
    fee: float
    maker: bool


class TradePoint(NamedTuple):
    """A point in the row of our trades in one symbol: a trade's ``number``, and a ``time`` (ms UTC) not after it.

    Some venues find a trade by its number and need no time, others look for it within a time.
    """

    number: int
    time: int


EVER = TradePoint(0, 0)
"""Before every trade."""


class OrderChanged(NamedTuple):
    """An order changed its standing otherwise than by a fill; ``reason``: why it was rejected, in the venue's words.

    ``filled``: how much of it has executed by then, where that is said; the trades may come after it.
    """

    client_id: str
    symbol: str
    status: OrderStatus
    venue_id: str
    reason: str = ""
    filled: float = 0.0


class StreamUp(NamedTuple):
    """The user stream is connected. What happened before may have been missed: read the fills by REST now."""


class StreamCut(NamedTuple):
    """The user stream broke; it is being connected anew."""

    reason: str


UserEvent = VenueFill | OrderChanged | StreamUp | StreamCut


class Position(NamedTuple):
    """What the venue holds for us: ``quantity`` is signed, 0.0 when flat."""

    symbol: str
    quantity: float
    entry_price: float


class Venue(Protocol):
    """An exchange with one account of ours in one-way mode.

    Raises, everywhere: RefusedError, NotTakenError or OutcomeUnknownError as ``errors.py`` says.
    """

    async def server_time_offset(self) -> int:
        """Measure and keep what to add to the local clock to get the venue's time, in ms."""

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Return the records of ``symbols``, in their order."""

    async def place(self, order: VenueOrder, sent_ms: int) -> Ack:
        """Send ``order`` once, stamped with ``sent_ms`` (local clock), from which its fence is counted.

        A stop may be a price of the position instead of an order: the one sent last replaces those before it then.
        Raises: StopPassedError, NothingToReduceError besides the others.
        """

    async def cancel(self, symbol: str, client_id: str, kind: OrderType) -> None:
        """Take back an open order.

        Raises: NoSuchOrderError when it is not open, for whatever reason; OutcomeUnknownError besides the others' when
        it is gone and a part of it has executed, whose trades may still come.
        """

    async def order(self, symbol: str, client_id: str, kind: OrderType) -> OrderState | None:
        """Return the standing of one order, None when the venue does not find it."""

    async def open_orders(self, symbol: str) -> list[OrderState]:
        """Return everything that rests for us, waiting stops included."""

    async def position(self, symbol: str) -> Position:
        """Return the position of ``symbol``."""

    async def position_mode_is_one_way(self, symbol: str) -> bool:
        """Tell whether ``symbol`` has one net position, the only mode in which we trade."""

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of ``symbol``."""

    async def set_isolated_margin(self, symbol: str) -> None:
        """Give ``symbol`` a margin of its own, or every symbol if they share a mode; nothing happens if it has one."""

    async def fills(self, symbol: str, since: TradePoint = EVER) -> list[VenueFill]:
        """Return our trades numbered ``since.number`` or higher, ascending by number, all of them."""

    async def newest_trade(self, symbol: str) -> TradePoint:
        """Return the number of our last trade in ``symbol`` (0 if there is none), and a time before every later one."""

    def user_events(self) -> AsyncGenerator[UserEvent, None]:
        """Return what happens to our orders as it happens; reconnects by itself until it is closed."""

    async def close(self) -> None:
        """Let go of every connection."""


class Played(NamedTuple):
    """What a minute brought so far, and whether it is over."""

    events: tuple[UserEvent, ...]
    over: bool


class MinuteMarket(Protocol):
    """A venue that knows of the market only by the closed minutes that execution hands to it: paper trading."""

    @property
    def idle(self) -> bool:
        """Tell whether no order rests and no position is open, so that nothing can come of a minute."""

    def play(self, step: int, minutes: Mapping[str, Minute], ended: Collection[str]) -> Played:
        """Follow the minutes that close with ``step``, by symbol, to the next fill or to their end.

        ended: symbols that the real venue trades no more; one that has no minute is settled at its last price.
        To be called again, after the reactions to what it brought, until the minute is over.
        """

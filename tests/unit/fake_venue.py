"""A venue and a clock for tests of execution: the venue follows a script, the clock moves when somebody waits."""

# ruff: noqa: ARG002 - the port names more than a script needs

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from trading_system.rules.grid import Instrument
from trading_system.rules.matching import Order, OrderType, Role
from trading_system.venues.errors import NoSuchOrderError, OutcomeUnknownError, VenueError
from trading_system.venues.port import (
    EVER,
    Ack,
    OrderState,
    OrderStatus,
    Position,
    StreamUp,
    TradePoint,
    UserEvent,
    VenueFill,
    VenueOrder,
)

START_MS = 1_700_000_000_000
PLAN = "abcdefghijklmnop"
OTHER_PLAN = "ponmlkjihgfedcba"
NEVER = 1 << 60

Answer = VenueError | str
"""An error to raise instead of taking the order, or ``taken``, ``lost`` (never arrives), ``taken, answer lost``."""

TAKEN = "taken"
LOST = "lost"
TAKEN_ANSWER_LOST = "taken, answer lost"


class VirtualClock:
    """Time passes only in ``sleep``."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.sleeps: list[float] = []

    def wall_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now_ms += round(seconds * 1000)
        await asyncio.sleep(0)


@dataclass
class Resting:
    """An order at the venue; queries see it from ``seen_from_ms`` on."""

    order: VenueOrder
    venue_id: str
    status: OrderStatus = OrderStatus.NEW
    seen_from_ms: int = 0
    filled: float = 0.0


@dataclass
class FakeVenue:
    """An exchange in memory. ``log`` holds every request as a word and a client id or symbol, in order."""

    clock: VirtualClock
    log: list[str] = field(default_factory=list)
    held: dict[str, Resting] = field(default_factory=dict)
    placings: deque[Answer] = field(default_factory=deque)
    cancels: deque[Answer] = field(default_factory=deque)
    reads: deque[VenueError | None] = field(default_factory=deque)
    trades: list[VenueFill] = field(default_factory=list)
    quantity: float = 0.0
    visible_after_ms: int = 0
    before_place: Callable[[VenueOrder], None] | None = None

    async def server_time_offset(self) -> int:
        return 0

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        raise NotImplementedError

    async def place(self, order: VenueOrder, sent_ms: int) -> Ack:
        self.log.append(f"place {order.client_id}")
        if self.before_place is not None:
            self.before_place(order)
        await asyncio.sleep(0)
        answer = self.placings.popleft() if self.placings else TAKEN
        if isinstance(answer, VenueError):
            raise answer
        if answer != LOST:
            seen_from_ms = self.clock.wall_ms() + self.visible_after_ms
            self.held[order.client_id] = Resting(order, str(len(self.held) + 1), seen_from_ms=seen_from_ms)
        if answer in (LOST, TAKEN_ANSWER_LOST):
            raise OutcomeUnknownError("the answer was lost")
        return Ack(self.held[order.client_id].venue_id)

    async def cancel(self, symbol: str, client_id: str, kind: OrderType) -> None:
        self.log.append(f"cancel {client_id}")
        answer = self.cancels.popleft() if self.cancels else TAKEN
        if isinstance(answer, VenueError):
            raise answer
        resting = self.held.get(client_id)
        if resting is None or resting.status != OrderStatus.NEW:
            raise NoSuchOrderError("-2011: Unknown order sent.")
        if answer != LOST:
            resting.status = OrderStatus.CANCELLED
            if resting.filled:
                raise OutcomeUnknownError("cancelled after a part of it had executed")
        if answer != TAKEN:
            raise OutcomeUnknownError("the answer was lost")

    async def order(self, symbol: str, client_id: str, kind: OrderType) -> OrderState | None:
        self._read(f"query {client_id}")
        resting = self.held.get(client_id)
        if resting is None or resting.seen_from_ms > self.clock.wall_ms():
            return None
        return self._state(resting)

    async def open_orders(self, symbol: str) -> list[OrderState]:
        self._read(f"list {symbol}")
        now = self.clock.wall_ms()
        open_now = [one for one in self.held.values() if one.status == OrderStatus.NEW and one.seen_from_ms <= now]
        return [self._state(one) for one in open_now]

    async def position(self, symbol: str) -> Position:
        self._read(f"position {symbol}")
        return Position(symbol, self.quantity, 100.0 if self.quantity else 0.0)

    async def position_mode_is_one_way(self, symbol: str) -> bool:
        return True

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        raise NotImplementedError

    async def set_isolated_margin(self, symbol: str) -> None:
        raise NotImplementedError

    async def fills(self, symbol: str, since: TradePoint = EVER) -> list[VenueFill]:
        self._read(f"fills {symbol}")
        return [trade for trade in self.trades if trade.symbol == symbol and trade.number >= since.number]

    async def newest_trade(self, symbol: str) -> TradePoint:
        return TradePoint(max((trade.number for trade in self.trades), default=0), self.clock.wall_ms())

    async def user_events(self) -> AsyncGenerator[UserEvent, None]:
        yield StreamUp()

    async def close(self) -> None:
        return

    def live(self) -> list[str]:
        return [client_id for client_id, one in self.held.items() if one.status == OrderStatus.NEW]

    def requests(self, word: str) -> list[str]:
        return [line.split()[1] for line in self.log if line.startswith(word + " ")]

    def _read(self, line: str) -> None:
        self.log.append(line)
        answer = self.reads.popleft() if self.reads else None
        if answer is not None:
            raise answer

    def _state(self, one: Resting) -> OrderState:
        return OrderState(one.order.client_id, one.order.symbol, one.venue_id, one.status, one.filled)


def client_id(name: str, generation: int = 0, plan: str = PLAN) -> str:
    return f"tm{plan}{name}0{generation}"


def entry(price: float = 100.0, quantity: float = 2.0, plan: str = PLAN) -> Order:
    return Order(f"tm{plan}e", Role.ENTRY, OrderType.LIMIT, 1, price, quantity, 1)


def stop(price: float = 95.0, quantity: float = 2.0, plan: str = PLAN) -> Order:
    return Order(f"tm{plan}s", Role.STOP, OrderType.STOP, -1, price, quantity, 2)


def target(digit: int = 1, price: float = 110.0, quantity: float = 1.0, plan: str = PLAN) -> Order:
    return Order(f"tm{plan}{digit}", Role.TARGET, OrderType.LIMIT, -1, price, quantity, 2 + digit)


def leave(quantity: float = 2.0, plan: str = PLAN) -> Order:
    return Order(f"tm{plan}x", Role.EXIT, OrderType.MARKET, -1, 0.0, quantity, 9)


def fill_of(order: Order, number: int, generation: int = 0, quantity: float | None = None) -> VenueFill:
    size, name = order.quantity if quantity is None else quantity, f"{order.id}0{generation}"
    return VenueFill(str(number), number, name, "BTCUSDT", START_MS, order.price or 100.0, size, 0.05, False)

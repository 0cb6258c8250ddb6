"""What a venue's wire is to the server in front of the exchange: it answers, it streams, and it decides no fill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultKind, FaultScript
from trading_system.simulator.listeners import Listeners
from trading_system.simulator.minute_frames import Shown
from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.sockets import Socket


class Request(NamedTuple):
    """One request; ``query`` and ``body`` are the texts as they were sent, names in ``headers`` have any case."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """One answer; ``lost`` says that the request was handled but the connection breaks before the answer."""

    status: int
    body: bytes
    headers: dict[str, str]
    lost: bool = False


class Trouble(NamedTuple):
    """Why a request gets no answer. ``until``: the end of a ban, ms UTC of the venue's clock, 0 without one."""

    kind: FaultKind
    now: int
    until: int
    again: bool = False  # asked once more although it was told to wait


class UserFrame(NamedTuple):
    """An event of the account as it goes out; ``kind`` is the name by which a listener asks for it."""

    kind: str
    text: bytes


class Requests(Protocol):
    """A venue's REST. ``signed_requests`` counts those that passed the door with a signature."""

    signed_requests: int

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request."""

    def trouble(self, trouble: Trouble) -> Answer:
        """Return what a request meets that is not answered: a limit, a ban, a venue that is away."""


class Wire(ABC):
    """A venue's REST and sockets before one exchange, and the shapes of what happens to the account."""

    def __init__(self, rest: Requests, streams: Listeners[Any]) -> None:
        self._rest = rest
        self._streams = streams

    @property
    @abstractmethod
    def answers_first(self) -> bool:
        """Whether an order is answered before the user stream says what became of it."""

    @abstractmethod
    def order_frames(self, order: VenueOrder, execution: str, trade: Trade | None, now: int) -> Iterable[UserFrame]:
        """Return what the user stream says of a changed order; written now, sent later."""

    @abstractmethod
    def algo_frames(self, order: VenueOrder, now: int) -> Iterable[UserFrame]:
        """Return what the user stream says of a changed conditional order."""

    @abstractmethod
    def account_frames(self, symbol: str, reason: str, now: int) -> Iterable[UserFrame]:
        """Return what the user stream says of a changed wallet and position."""

    @abstractmethod
    def trade_row(self, trade: Trade) -> dict[str, Any]:
        """Return a trade in the venue's own words."""

    @property
    def frames(self) -> int:
        """How many market frames were handed to a socket."""
        return self._streams.frames

    @property
    def user_events(self) -> int:
        """How many user events were handed to a socket."""
        return self._streams.user_events

    @property
    def signed_requests(self) -> int:
        """How many requests passed the door with a signature."""
        return self._rest.signed_requests

    @property
    def user_sockets(self) -> int:
        """How many connections hear the user stream."""
        return self._streams.user_sockets

    @property
    def unsent(self) -> int:
        """Bytes that wait for a slow listener, over all sockets."""
        return self._streams.unsent

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request."""
        return self._rest.answer(request)

    def trouble(self, trouble: Trouble) -> Answer:
        """Return what a request meets that is not answered: a limit, a ban, a venue that is away."""
        return self._rest.trouble(trouble)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one WebSocket connection until it ends. An address that does not exist is answered 404."""
        return await self._streams.serve(request)

    async def show(self, shown: Shown) -> None:
        """Send one frame of a candle to everyone who subscribed to it."""
        await self._streams.show(shown)

    async def send_event(self, frame: UserFrame) -> None:
        """Send one user event to everyone who may hear it and asked for its kind."""
        await self._streams.send_event(frame.kind, frame.text)

    def market_sockets(self) -> Sequence[Socket]:
        """Return all connections that hear the market."""
        return self._streams.market_sockets()

    def shutdown_notice(self, socket: Socket) -> bytes | None:
        """Return what the venue says on ``socket`` before it takes a server away, None when it says nothing there."""
        return self._streams.shutdown_notice(socket)

    def cut_user(self) -> None:
        """Break all user connections off."""
        self._streams.cut_user()

    async def close(self) -> None:
        """Say good-bye on all connections."""
        await self._streams.close()


class Account(NamedTuple):
    """The one account of the venue: the key that names it and the secret that signs for it."""

    api_key: str
    secret: str


class WireMaker(Protocol):
    """Makes a wire."""

    def __call__(
        self,
        exchange: Exchange,
        account: Account,
        faults: FaultScript,
        wall_ms: Callable[[], int],
        is_silent: Callable[[], bool],
    ) -> Wire:
        """``wall_ms``: the clock (ms UTC) against which signatures are checked; ``is_silent``: asked for each market
        connection that opens whether it acknowledges and brings nothing.
        """

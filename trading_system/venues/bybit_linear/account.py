"""Bybit linear behind the venue port: paths, parameters, and how a stop is held.

A stop travels with its entry and is a price of the position from then on: no position is ever without one, and moving
it changes that price. A request is sent once; whether an order whose answer was lost exists is for
``unknown_orders.py`` to find out. The answer to an order is only that it was received: what becomes of it, the private
stream and the lists say.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import aiohttp

from trading_system.rules.grid import Instrument, text_of
from trading_system.rules.matching import OrderType
from trading_system.secret import Secret
from trading_system.venues.answers import decoded
from trading_system.venues.bybit.market import ENDED
from trading_system.venues.bybit_linear.market import LINEAR_BUDGET
from trading_system.venues.bybit_linear.position_stops import PositionStops
from trading_system.venues.bybit_linear.rest import Rest
from trading_system.venues.bybit_linear.rows import (
    LINEAR,
    AckedOrder,
    ExecutionRow,
    FeeRow,
    InstrumentRow,
    OrderRow,
    Page,
    PositionRow,
    RiskRow,
    instrument_of,
    position_of,
)
from trading_system.venues.bybit_linear.signing import Params, stream_signature
from trading_system.venues.bybit_linear.user_stream import Door, UserStream
from trading_system.venues.clock import Clock, SystemClock
from trading_system.venues.errors import (
    EndedSymbolError,
    HaltedSymbolError,
    NoSuchOrderError,
    NoSuchSymbolError,
    OutcomeUnknownError,
    RefusedError,
)
from trading_system.venues.loopback import require_loopback
from trading_system.venues.port import (
    BYBIT_LINEAR,
    EVER,
    Ack,
    KnownStops,
    OrderState,
    OrderStatus,
    Position,
    TradePoint,
    UserEvent,
    VenueFill,
    VenueOrder,
    VenueRecord,
)
from trading_system.venues.rest_budget import RestBudget, unmetered

SIDES = {1: "Buy", -1: "Sell"}
ORDERS_A_PAGE, TRADES_A_PAGE, INSTRUMENTS_A_PAGE = 50, 100, 1000
REALTIME, HISTORY = "/v5/order/realtime", "/v5/order/history"
TRADES, POSITIONS = "/v5/execution/list", "/v5/position/list"
HELD_BY_POSITION = "position"
"""What stands for the id of a stop that is a price of the position."""
WEEK_MS = 7 * 86_400_000  # the widest span of one question for trades, and the one that is meant without a span
TRADES_KEPT_MS = 729 * 86_400_000  # two years
LATE_MS = 60_000  # how long after it happened a trade may be shown
SIGNED_FOR_MS = 10_000


class BybitLinear:
    """One account at Bybit linear; see ``port.Venue`` for what its methods promise."""

    def __init__(
        self,
        rest_url: str,
        stream_url: str,
        key: Secret,
        secret: Secret,
        *,
        record: VenueRecord = BYBIT_LINEAR,
        clock: Clock | None = None,
        known_stops: KnownStops | None = None,
        timeout_s: float = 8.0,
        budget: RestBudget | None = None,
    ) -> None:
        """Keep where the exchange is and who we are; nothing is sent yet.

        rest_url, stream_url: e.g. ``http://127.0.0.1:9000`` and ``ws://127.0.0.1:9000``. known_stops: the journal's
        memory of stops, so that they are recognised after a restart. budget: what this process may ask the exchange,
        shared with the market's side; without one nothing is counted, and a ban is the account's alone.
        Raises: NotLoopbackError when either address is not on this machine.
        """
        for url in (rest_url, stream_url):
            require_loopback(url)
        self.record = record
        self._stream_url = stream_url.rstrip("/")
        self._key = key
        self._secret = secret
        self._clock = clock or SystemClock()
        self._stops = PositionStops(known_stops)
        self._budget = budget or RestBudget(unmetered(LINEAR_BUDGET), self._clock)
        self._rest = Rest(rest_url, key, secret, record, self._clock, self._budget, timeout_s)

    async def server_time_offset(self) -> int:
        """Measure and keep the venue's time less ours, in ms."""
        return await self._rest.measure_clock()

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Return the records of ``symbols``: filters, our fee rates, and the margin of the lowest risk limit."""
        linear: Params = {"category": LINEAR}
        info = await self._rest.ask_pages("/v5/market/instruments-info", linear, InstrumentRow, INSTRUMENTS_A_PAGE)
        fees = decoded(await self._rest.read("/v5/account/fee-rate", linear), Page[FeeRow]).rows
        rows, rates = {row.symbol: row for row in info}, {row.symbol: row for row in fees}
        records = []
        for symbol in symbols:
            if symbol not in rows:
                await self._require_known(symbol)
            if symbol not in rows or symbol not in rates:
                raise NoSuchSymbolError(f"expected {symbol} among the {len(rows)} symbols of the venue, was not")
            asked: Params = {**linear, "symbol": symbol}
            risks = decoded(await self._rest.ask("/v5/market/risk-limit", asked), Page[RiskRow]).rows
            records.append(instrument_of(self.record.name, rows[symbol], rates[symbol], risks))
        return tuple(records)

    async def _require_known(self, symbol: str) -> None:
        """Ask for a symbol by its name, as the list holds only what trades.

        Raises: HaltedSymbolError; EndedSymbolError; nothing where the venue does not know it.
        """
        asked: Params = {"category": LINEAR, "symbol": symbol}
        try:
            rows = decoded(await self._rest.ask("/v5/market/instruments-info", asked), Page[InstrumentRow]).rows
        except RefusedError:
            return
        for row in rows:
            if row.symbol == symbol:
                kind = EndedSymbolError if row.status in ENDED else HaltedSymbolError
                raise kind(f"expected {symbol} to be traded, was {row.status} at the venue")

    async def place(self, order: VenueOrder, sent_ms: int) -> Ack:
        """Send ``order`` once: an entry with its stop, a later stop as the new price of the position's."""
        named: dict[str, str | int | bool] = {"category": LINEAR, "symbol": order.symbol, "positionIdx": 0}
        if order.type == OrderType.STOP:
            self._stops.sent(order.symbol, order.client_id, order.price)
            await self._rest.write("/v5/position/trading-stop", {**named, **_stop_at(order.price)}, sent_ms)
            self._stops.sent(order.symbol, order.client_id, order.price, HELD_BY_POSITION)
            return Ack(HELD_BY_POSITION)
        params = {**named, "side": SIDES[order.side], "qty": text_of(order.quantity), "orderLinkId": order.client_id}
        if order.type == OrderType.LIMIT:
            params |= {"orderType": "Limit", "price": text_of(order.price), "timeInForce": "GTC"}
        else:
            params |= {"orderType": "Market"}
        if order.reduce_only:
            params |= {"reduceOnly": True}
        elif order.protection:
            params |= _stop_at(order.protection)
        return Ack(decoded(await self._rest.write("/v5/order/create", params, sent_ms), AckedOrder).order_id)

    async def cancel(self, symbol: str, client_id: str, kind: OrderType) -> None:
        """Take back an open order, and see that it is gone: the answer is only that the wish was received.

        The stop of a position is taken back by no one: its successor replaces it, the end of the position ends it.
        Raises: NoSuchOrderError for it, and when the venue does not have the order open.
        """
        if kind == OrderType.STOP:
            raise NoSuchOrderError(f"{client_id}: a stop is held by its position")
        await self._rest.write(
            "/v5/order/cancel", {"category": LINEAR, "symbol": symbol, "orderLinkId": client_id}, None
        )
        state = await self.order(symbol, client_id, kind)
        if state is None or state.status != OrderStatus.CANCELLED:
            raise OutcomeUnknownError(f"{client_id}: asked to be cancelled, was {state and state.status} afterwards")
        if state.filled > 0:
            raise OutcomeUnknownError(f"{client_id}: cancelled after {text_of(state.filled)} of it had executed")

    async def order(self, symbol: str, client_id: str, kind: OrderType) -> OrderState | None:
        """Return the standing of one order, None when the venue does not find it."""
        if kind == OrderType.STOP:
            return await self._stop(symbol, client_id)
        row = await self._row({"symbol": symbol, "orderLinkId": client_id})
        return None if row is None else row.state(client_id)

    async def open_orders(self, symbol: str) -> list[OrderState]:
        """Return what rests, the stop of the position among it."""
        rows = await self._rest.read_pages(REALTIME, {"category": LINEAR, "symbol": symbol}, OrderRow, ORDERS_A_PAGE)
        return [row.state(self._name_of(row)) for row in rows]

    async def position(self, symbol: str) -> Position:
        """Return the position of ``symbol``."""
        return position_of(symbol, await self._positions(symbol))

    async def position_mode_is_one_way(self, symbol: str) -> bool:
        """Tell whether ``symbol`` is in one-way mode: flat or not, it has one row then, the one without a side."""
        return {row.position_idx for row in await self._positions(symbol)} == {0}

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of ``symbol``."""
        both: Params = {"buyLeverage": str(leverage), "sellLeverage": str(leverage)}
        await self._rest.write("/v5/position/set-leverage", {"category": LINEAR, "symbol": symbol, **both})

    async def set_isolated_margin(self, symbol: str) -> None:
        """Give every symbol a margin of its own: it is the account's mode."""
        del symbol
        await self._rest.write("/v5/account/set-margin-mode", {"setMarginMode": "ISOLATED_MARGIN"})

    async def fills(self, symbol: str, since: TradePoint = EVER) -> list[VenueFill]:
        """Return our trades from ``since`` on, ascending; they are listed newest first, a week at a time."""
        asked: Params = {"category": LINEAR, "symbol": symbol}
        rows = await self._rest.read_pages(TRADES, asked, ExecutionRow, TRADES_A_PAGE)
        now = await self._rest.venue_ms()
        oldest = max(since.time, now - TRADES_KEPT_MS)
        end = now - WEEK_MS
        while end > oldest and not any(row.seq <= since.number for row in rows):
            start = max(end - WEEK_MS, oldest)
            span: Params = {**asked, "startTime": start, "endTime": end}
            rows += await self._rest.read_pages(TRADES, span, ExecutionRow, TRADES_A_PAGE)
            end = start
        new = {row.exec_id: row for row in reversed(rows) if row.seq >= since.number and row.is_fill}
        ascending = sorted(new.values(), key=lambda row: row.seq)
        return [row.fill(await self._name_of_trade(row)) for row in ascending]

    async def newest_trade(self, symbol: str) -> TradePoint:
        """Return the number of our last trade of this week, and a time before every later one."""
        asked: Params = {"category": LINEAR, "symbol": symbol, "limit": 1}
        rows = decoded(await self._rest.read(TRADES, asked), Page[ExecutionRow]).rows
        return TradePoint(max((row.seq for row in rows), default=0), await self._rest.venue_ms() - LATE_MS)

    def user_events(self) -> AsyncGenerator[UserEvent, None]:
        """Return what happens to our orders as it happens."""
        door = Door(self._connect, self._signed, self._name_of_trade, lambda: self._rest.closed)
        return UserStream(door, self._stops, self._clock).events()

    async def close(self) -> None:
        """Let go of every connection; a second call changes nothing."""
        await self._rest.close()

    async def _stop(self, symbol: str, client_id: str) -> OrderState | None:
        """Return how a stop of ours stands, None when the venue does not show what we never heard to be there."""
        known = self._stops.stop(symbol, client_id)
        if known is None:
            return None
        asked: Params = {"category": LINEAR, "symbol": symbol, "orderFilter": "StopOrder"}
        for path, which in ((REALTIME, 0), (REALTIME, 1), (HISTORY, None)):  # open, just closed, closed
            limited: Params = {**asked, "limit": ORDERS_A_PAGE} | ({} if which is None else {"openOnly": which})
            stops = [row for row in decoded(await self._rest.read(path, limited), Page[OrderRow]).rows if row.is_stop]
            names = [self._stops.name_of(row) for row in stops]
            if client_id in names:
                return stops[names.index(client_id)].state(client_id)
            if which == 0 and any(names):
                break  # another one of ours is the position's
        if not known.venue_id:
            return None
        return OrderState(client_id, symbol, known.venue_id, OrderStatus.CANCELLED)

    async def _row(self, which: Params) -> OrderRow | None:
        """Return an order that is open or was lately, else one from the history."""
        for path in (REALTIME, HISTORY):
            rows = decoded(await self._rest.read(path, {"category": LINEAR, **which}), Page[OrderRow]).rows
            if rows:
                return rows[0]
        return None

    async def _positions(self, symbol: str) -> list[PositionRow]:
        asked: Params = {"category": LINEAR, "symbol": symbol}
        return decoded(await self._rest.read(POSITIONS, asked), Page[PositionRow]).rows

    def _name_of(self, row: OrderRow) -> str:
        """Return our name of a venue order, or one that is not ours."""
        name = self._stops.name_of(row) if row.is_stop else row.order_link_id
        return name or f"unknown-{row.order_id}"

    async def _name_of_trade(self, row: ExecutionRow) -> str:
        """Return our name of the order of a trade: its own, else that of the stop that it was."""
        if row.own_name:
            return row.own_name
        order = self._stops.shown(row.order_id) or await self._row({"symbol": row.symbol, "orderId": row.order_id})
        name = self._stops.name_of_filled(order) if order is not None and order.is_stop else None
        return name or f"unknown-{row.order_id}"

    async def _signed(self) -> list[str | int]:
        expires = await self._rest.venue_ms() + SIGNED_FOR_MS
        return [self._key.reveal(), expires, stream_signature(expires, self._secret)]

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        self._budget.require_open()
        return await self._rest.session().ws_connect(f"{self._stream_url}/v5/private")


def _stop_at(price: float) -> dict[str, str | int | bool]:
    """Return the words for a stop of the whole position at ``price``, whatever becomes of its size."""
    return {"stopLoss": text_of(price), "tpslMode": "Full", "slTriggerBy": "LastPrice", "slOrderType": "Market"}

"""Binance USDT-M futures behind the venue port: paths, parameters, signatures, and what an answer means.

A request is sent once. Whether an order whose answer was lost exists is for ``unknown_orders.py`` to find out; only a
read is repeated here, once, after the clock was measured anew.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

import aiohttp
from yarl import URL

from trading_system.rules.client_ids import is_ours
from trading_system.rules.grid import Instrument, text_of
from trading_system.rules.matching import OrderType
from trading_system.secret import Secret
from trading_system.venues.answers import decoded
from trading_system.venues.binance.manners import BinanceManners
from trading_system.venues.binance_usdm.market import ENDED, USDM_BUDGET
from trading_system.venues.binance_usdm.outcomes import TABLE
from trading_system.venues.binance_usdm.rows import (
    TRADING,
    AckedOrder,
    AckedStop,
    BracketsRow,
    CommissionRow,
    ErrorBody,
    ExchangeInfo,
    ListenKey,
    OrderRow,
    PositionMode,
    PositionRow,
    ServerTime,
    StopRow,
    TradeRow,
    instrument_of,
    position_of,
)
from trading_system.venues.binance_usdm.signing import payload_of, signed_payload
from trading_system.venues.binance_usdm.stop_children import FOREIGN_NAMES, StopChildren
from trading_system.venues.binance_usdm.user_stream import HEARTBEAT_S, Door, UserStream
from trading_system.venues.clock import Clock, SystemClock, clock_offset
from trading_system.venues.errors import (
    EndedSymbolError,
    HaltedSymbolError,
    NoSuchOrderError,
    NoSuchSymbolError,
    OutcomeUnknownError,
    VenueError,
)
from trading_system.venues.loopback import require_loopback
from trading_system.venues.network_trouble import network_trouble
from trading_system.venues.outcomes import Meaning, error_of, meaning_of, waiting_time
from trading_system.venues.port import (
    BINANCE_USDM,
    EVER,
    Ack,
    KnownStops,
    OrderState,
    Position,
    TradePoint,
    UserEvent,
    VenueFill,
    VenueOrder,
    VenueRecord,
)
from trading_system.venues.public_rest import Answered
from trading_system.venues.rest_budget import RestBudget, unmetered

Params = Mapping[str, str | int]

TRADES_A_PAGE = 1000
SIDES = {1: "BUY", -1: "SELL"}
ORDER = "/fapi/v1/order"
STOP = "/fapi/v1/algoOrder"
LISTEN_KEY = "/fapi/v1/listenKey"
MANNERS = BinanceManners()
TOO_MANY_ORDERS = -1015  # a limit of this account's orders; the address may ask on
WEIGHTS = {
    "/fapi/v1/commissionRate": 20,
    "/fapi/v1/positionSide/dual": 30,
    "/fapi/v1/userTrades": 5,
    "/fapi/v3/positionRisk": 5,
}
"""What a question weighs with a symbol; all others weigh 1."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class BinanceUsdm:
    """One account at Binance USDT-M; see ``port.Venue`` for what its methods promise."""

    def __init__(
        self,
        rest_url: str,
        stream_url: str,
        key: Secret,
        secret: Secret,
        *,
        record: VenueRecord = BINANCE_USDM,
        clock: Clock | None = None,
        known_stops: KnownStops | None = None,
        timeout_s: float = 8.0,
        budget: RestBudget | None = None,
    ) -> None:
        """Keep where the exchange is and who we are; nothing is sent yet.

        rest_url, stream_url: e.g. ``http://127.0.0.1:9000`` and ``ws://127.0.0.1:9000``. known_stops: the journal's
        memory of stops, so that their fills are recognised after a restart. budget: what this process may ask the
        exchange, shared with the market's side; without one nothing is counted, and a ban is the account's alone.
        Raises: NotLoopbackError when either address is not on this machine.
        """
        for url in (rest_url, stream_url):
            require_loopback(url)
        self.record = record
        self._rest_url = rest_url.rstrip("/")
        self._stream_url = stream_url.rstrip("/")
        self._key = key
        self._secret = secret
        self._clock = clock or SystemClock()
        self._budget = budget or RestBudget(unmetered(USDM_BUDGET), self._clock)
        self._children = StopChildren(known_stops)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._offset: int | None = None
        self._closed = False

    async def server_time_offset(self) -> int:
        """Measure and keep the venue's time less ours, in ms."""
        self._offset = await clock_offset(self._server_time, self._clock.wall_ms)
        return self._offset

    async def instruments(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Return the records of ``symbols``: filters, our fee rates, and the margin of the lowest bracket."""
        info = decoded(await self._request("GET", "/fapi/v1/exchangeInfo", ""), ExchangeInfo)
        rows = {row.symbol: row for row in info.symbols}
        records = []
        for symbol in symbols:
            if symbol not in rows:
                raise NoSuchSymbolError(f"expected {symbol} among the {len(rows)} symbols of the venue, was not")
            if rows[symbol].status != TRADING:
                kind = EndedSymbolError if rows[symbol].status in ENDED else HaltedSymbolError
                raise kind(f"expected {symbol} to be traded, was {rows[symbol].status} at the venue")
            rates = decoded(await self._read("/fapi/v1/commissionRate", {"symbol": symbol}), CommissionRow)
            brackets = decoded(await self._read("/fapi/v1/leverageBracket", {"symbol": symbol}), list[BracketsRow])
            own = next((row for row in brackets if row.symbol == symbol), BracketsRow(symbol, []))
            records.append(instrument_of(self.record.name, rows[symbol], rates, own))
        return tuple(records)

    async def place(self, order: VenueOrder, sent_ms: int) -> Ack:
        """Send ``order`` once: a stop to the stop service, everything else to the order service."""
        params: dict[str, str | int] = {"symbol": order.symbol, "side": SIDES[order.side]}
        if order.type == OrderType.STOP:
            self._children.placed(order.symbol, order.client_id)
            params |= {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "quantity": text_of(order.quantity)}
            params |= {"triggerPrice": text_of(order.price), "workingType": "CONTRACT_PRICE"}
            params |= {"reduceOnly": "true", "clientAlgoId": order.client_id}
            return Ack(str(decoded(await self._write("POST", STOP, params, sent_ms), AckedStop).algo_id))
        if order.type == OrderType.LIMIT:
            params |= {"type": "LIMIT", "timeInForce": "GTC", "price": text_of(order.price)}
        else:
            params |= {"type": "MARKET"}
        params |= {"quantity": text_of(order.quantity), "newClientOrderId": order.client_id}
        if order.reduce_only:
            params |= {"reduceOnly": "true"}
        order_id = str(decoded(await self._write("POST", ORDER, params, sent_ms), AckedOrder).order_id)
        self._children.learn(order_id, order.client_id)
        return Ack(order_id)

    async def cancel(self, symbol: str, client_id: str, kind: OrderType) -> None:
        """Take back an open order. Raises: NoSuchOrderError when the venue does not have it open."""
        sent_ms = self._clock.wall_ms()
        if kind == OrderType.STOP:
            await self._write("DELETE", STOP, {"clientAlgoId": client_id}, sent_ms)
        else:
            body = await self._write("DELETE", ORDER, {"symbol": symbol, "origClientOrderId": client_id}, sent_ms)
            filled = decoded(body, OrderRow).state().filled
            if filled > 0:
                raise OutcomeUnknownError(f"{client_id}: cancelled after {text_of(filled)} of it had executed")

    async def order(self, symbol: str, client_id: str, kind: OrderType) -> OrderState | None:
        """Return the standing of one order, None when the venue does not find it."""
        try:
            if kind == OrderType.STOP:
                return await self._stop_state(decoded(await self._read(STOP, {"clientAlgoId": client_id}), StopRow))
            body = await self._read(ORDER, {"symbol": symbol, "origClientOrderId": client_id})
        except NoSuchOrderError:
            return None
        return decoded(body, OrderRow).state()

    async def open_orders(self, symbol: str) -> list[OrderState]:
        """Return what rests in either service."""
        orders = decoded(await self._read("/fapi/v1/openOrders", {"symbol": symbol}), list[OrderRow])
        stops = decoded(await self._read("/fapi/v1/openAlgoOrders", {"symbol": symbol}), list[StopRow])
        return [row.state() for row in orders] + [await self._stop_state(row) for row in stops]

    async def position(self, symbol: str) -> Position:
        """Return the position of ``symbol``."""
        return position_of(
            symbol, decoded(await self._read("/fapi/v3/positionRisk", {"symbol": symbol}), list[PositionRow])
        )

    async def position_mode_is_one_way(self, symbol: str) -> bool:
        """Tell whether the account, and with it ``symbol``, is in one-way mode."""
        del symbol
        return not decoded(await self._read("/fapi/v1/positionSide/dual", {}), PositionMode).dualSidePosition

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set the leverage of ``symbol``."""
        params: Params = {"symbol": symbol, "leverage": leverage}
        await self._write("POST", "/fapi/v1/leverage", params, self._clock.wall_ms())

    async def set_isolated_margin(self, symbol: str) -> None:
        """Give ``symbol`` a margin of its own."""
        params: Params = {"symbol": symbol, "marginType": "ISOLATED"}
        await self._write("POST", "/fapi/v1/marginType", params, self._clock.wall_ms())

    async def fills(self, symbol: str, since: TradePoint = EVER) -> list[VenueFill]:
        """Return our trades from ``since`` on, ascending, page by page; a trade's number is its id."""
        found: list[VenueFill] = []
        params: dict[str, str | int] = {"symbol": symbol, "limit": TRADES_A_PAGE, "fromId": max(since.number, 1)}
        while True:
            rows = decoded(await self._read("/fapi/v1/userTrades", params), list[TradeRow])
            rows.sort(key=lambda row: row.id)
            found += [row.fill(await self._name_of_order(symbol, str(row.order_id), "")) for row in rows]
            if len(rows) < TRADES_A_PAGE:
                return found
            params = {"symbol": symbol, "limit": TRADES_A_PAGE, "fromId": rows[-1].id + 1}

    async def newest_trade(self, symbol: str) -> TradePoint:
        """Return the id of our last trade in ``symbol``, 0 if there is none; no time is needed to read on from it."""
        rows = decoded(await self._read("/fapi/v1/userTrades", {"symbol": symbol, "limit": 1}), list[TradeRow])
        return TradePoint(max((row.id for row in rows), default=0), 0)

    def user_events(self) -> AsyncGenerator[UserEvent, None]:
        """Return what happens to our orders as it happens."""
        door = Door(self._connect, self._new_key, self._keep_alive, self._name_of_order, lambda: self._closed)
        return UserStream(door, self._children, self._clock).events()

    async def close(self) -> None:
        """Let go of every connection; a second call changes nothing."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _server_time(self) -> int:
        return decoded(await self._request("GET", "/fapi/v1/time", ""), ServerTime).serverTime

    async def _stop_state(self, row: StopRow) -> OrderState:
        """Return the standing of a stop, looking through it at the order it turned into."""
        child_id = row.child_id()
        if not child_id:
            return row.state(None)
        self._children.learn(child_id, row.client_algo_id)
        try:
            child = decoded(await self._read(ORDER, {"symbol": row.symbol, "orderId": child_id}), OrderRow).state()
        except NoSuchOrderError:
            return row.state(None)
        return row.state(child)

    async def _name_of_order(self, symbol: str, order_id: str, client_id: str) -> str:
        """Return our name of a venue order: as learnt, its client id if that is ours, else the stop it came from."""
        name = self._children.name_of(order_id)
        if name is not None:
            return name
        if not client_id:
            try:
                body = await self._read(ORDER, {"symbol": symbol, "orderId": order_id})
                client_id = decoded(body, OrderRow).client_order_id
            except NoSuchOrderError:
                client_id = f"unknown-{order_id}"
        if not is_ours(client_id) and not client_id.startswith(FOREIGN_NAMES):
            for candidate in self._children.candidates(symbol):
                state = await self.order(symbol, candidate, OrderType.STOP)
                if state is not None and state.child_id == order_id:
                    return candidate
            return client_id  # not learnt: the stop that it came from may say so later
        self._children.learn(order_id, client_id)
        return client_id

    async def _new_key(self) -> str:
        return decoded(await self._request("POST", LISTEN_KEY, ""), ListenKey).listenKey

    async def _keep_alive(self) -> None:
        await self._request("PUT", LISTEN_KEY, "")

    async def _connect(self, listen_key: str) -> aiohttp.ClientWebSocketResponse:
        url = f"{self._stream_url}/private/ws?{payload_of({'listenKey': listen_key})}"
        return await self._open_session().ws_connect(URL(url, encoded=True), heartbeat=HEARTBEAT_S)

    async def _read(self, path: str, params: Params) -> bytes:
        """Ask for something, signed; a read may be repeated, so a wrong clock is measured and forgiven once."""
        await self._budget.take_for_account(WEIGHTS.get(path, 1))
        meaning, body = await self._signed("GET", path, params, None)
        if meaning == Meaning.CLOCK:
            await self._budget.take_for_account(WEIGHTS.get(path, 1))
            meaning, body = await self._signed("GET", path, params, None)
        return self._plain(meaning, body)

    async def _write(self, method: str, path: str, params: Params, sent_ms: int) -> bytes:
        self._budget.spend(1)
        meaning, body = await self._signed(method, path, params, sent_ms)
        return self._plain(meaning, body)

    async def _signed(self, method: str, path: str, params: Params, sent_ms: int | None) -> tuple[Meaning, _Answer]:
        if self._offset is None:
            await self.server_time_offset()
        timestamp = (self._clock.wall_ms() if sent_ms is None else sent_ms) + (self._offset or 0)
        window = self.record.recv_window_ms
        payload = signed_payload(params, self._secret, timestamp=timestamp, recv_window=window)
        meaning, answer = await self._answer(method, path, payload)
        if meaning == Meaning.CLOCK:
            await self.server_time_offset()
        return meaning, answer

    async def _request(self, method: str, path: str, payload: str) -> bytes:
        await self._budget.take_for_account(1)
        meaning, answer = await self._answer(method, path, payload)
        return self._plain(meaning, answer)

    async def _answer(self, method: str, path: str, payload: str) -> tuple[Meaning, _Answer]:
        """Send one request and say what its answer means. Raises: OutcomeUnknownError when there is no answer."""
        posted = method == "POST"
        url = f"{self._rest_url}{path}" + (f"?{payload}" if payload and not posted else "")
        headers = {"X-MBX-APIKEY": self._key.reveal()} | (FORM if posted else {})
        try:
            async with self._open_session().request(
                method, URL(url, encoded=True), data=payload if posted else None, headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
                answer = _Answer(response.status, body, response.headers.get("Retry-After"))
                self._hear(Answered(response.status, response.headers, body), answer.code)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # the error itself is not repeated: its text may hold the signed address
            raise OutcomeUnknownError(f"{method} {path}: expected an answer, was {network_trouble(error)}") from None
        return meaning_of(answer.status, answer.code, answer.message, TABLE), answer

    def _hear(self, answered: Answered, code: int | None) -> None:
        """Take over what the exchange counts, and its ban of this address."""
        now = self._clock.wall_ms()
        self._budget.heard(*MANNERS.count(answered, now))
        ban = MANNERS.ban(answered, now, self._budget.terms.forbidden_ms)
        if ban is not None and code != TOO_MANY_ORDERS:
            self._budget.ban(ban.ms, ban.words)

    def _plain(self, meaning: Meaning, answer: _Answer) -> bytes:
        wait_s = waiting_time(answer.retry_after, answer.message, self._clock.wall_ms())
        error = error_of(meaning, answer.code, answer.message, wait_s)
        if error is not None:
            raise error
        return answer.body

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise VenueError("expected an open connection to the venue, was closed; make a new one")
        if self._session is None:
            # a plain resolver and no cookies: one host, which is this machine
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


class _Answer:
    """An answer as it came: status, body, and the error in it if there is one."""

    __slots__ = ("body", "code", "message", "retry_after", "status")

    def __init__(self, status: int, body: bytes, retry_after: str | None) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.code: int | None = None
        self.message = ""
        if not 200 <= status < 300:
            try:
                said = decoded(body, ErrorBody)
                self.code, self.message = said.code, said.msg
            except OutcomeUnknownError:
                self.message = body.decode(errors="replace")

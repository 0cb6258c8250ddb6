"""The venue's REST interface over the exchange in memory: text in, text out, no sockets.

Who may ask is decided in `signatures.py`, what an order breaks in `order_requests.py` and `exchange.py`; this file
is the table of endpoints and their answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from trading_system.rules.grid import text_of
from trading_system.rules.matching import MINUTE_MS
from trading_system.simulator.binance_usdm import account_rows, frames
from trading_system.simulator.binance_usdm.listen_keys import ListenKeys
from trading_system.simulator.binance_usdm.order_requests import read_algo, read_order, required, whole
from trading_system.simulator.binance_usdm.refusal_codes import CodedRefusalError, coded
from trading_system.simulator.binance_usdm.signatures import Door, parameters
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultKind, FaultScript
from trading_system.simulator.orders import OrderRequest, VenueOrder
from trading_system.simulator.refusals import Refusal, RefusedError
from trading_system.simulator.wire_port import Answer, Request, Trouble

WEIGHT_LIMIT = 2400
MOST_ROWS = 1500
Params = Mapping[str, str]


class Access(IntEnum):
    """What a request must bring: nothing, the key, or the key and a signature."""

    OPEN = 0
    KEY = 1
    SIGNED = 2


class Endpoint(NamedTuple):
    """One line of the table: who may ask, what it weighs, and who answers."""

    access: Access
    weight: int
    answer: Callable[[Params], Any]


class _LostAnswerError(Exception):
    """An order was accepted whose answer must not arrive."""


class Rest:
    """Answers requests; ``signed_requests`` counts those that passed the door."""

    most_rows = MOST_ROWS

    def __init__(self, exchange: Exchange, door: Door, faults: FaultScript, keys: ListenKeys) -> None:
        self._exchange = exchange
        self._door = door
        self._faults = faults
        self._keys = keys
        self._weights: deque[tuple[int, int]] = deque()
        self.signed_requests = 0
        self._table = self._endpoints()

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request."""
        method, path, query, body, sent = request
        endpoint = self._table.get((method, path))
        params = parameters(query, body)
        weight = endpoint.weight if endpoint else 1
        headers = {"X-MBX-USED-WEIGHT-1M": str(self._weigh(weight or _rows_weight(path, params)))}
        try:
            if endpoint is None:
                raise CodedRefusalError(-5000, f"{method} {path}")  # noqa: TRY301
            self._let_in(endpoint, query, body, sent.get("X-MBX-APIKEY"))
            said = endpoint.answer(params)
        except (CodedRefusalError, RefusedError) as refused:
            refusal = coded(refused) if isinstance(refused, RefusedError) else refused
            error = {"code": refusal.code, "msg": refusal.message}
            return Answer(refusal.status, msgspec.json.encode(error), headers)
        except _LostAnswerError:
            return Answer(200, b"", headers, lost=True)
        return Answer(200, msgspec.json.encode(said), headers)

    def trouble(self, trouble: Trouble) -> Answer:
        """Return what a request meets that is not answered."""
        seconds = str(max(1, -(-(trouble.until - trouble.now) // 1000)))
        match trouble.kind:
            case FaultKind.RATE_LIMITED:
                told = f"Way too many requests; IP banned until {trouble.until}." if trouble.again else _TOO_MANY
                error = msgspec.json.encode({"code": -1003, "msg": told})
                return Answer(418 if trouble.again else 429, error, {"Retry-After": seconds})
            case FaultKind.FORBIDDEN:
                return Answer(403, _HTML, {"Retry-After": seconds})
            case FaultKind.HTML:
                return Answer(200, _HTML, {})
            case _:
                return Answer(503, b"Service Unavailable.", {})

    def _let_in(self, endpoint: Endpoint, query: str, body: str, api_key: str | None) -> None:
        if endpoint.access == Access.OPEN:
            return
        self._door.check_key(api_key)
        if endpoint.access == Access.SIGNED:
            self._door.check_signed(query, body, damaged=self._faults.on_signed_request())
            self.signed_requests += 1

    def _weigh(self, weight: int) -> int:
        now = self._door.wall_ms() // MINUTE_MS
        while self._weights and self._weights[0][0] != now:
            self._weights.popleft()
        used = weight + (self._weights[-1][1] if self._weights else 0)
        self._weights.append((now, used))
        if len(self._weights) > 1:
            self._weights.popleft()
        return used

    def _endpoints(self) -> dict[tuple[str, str], Endpoint]:
        x, none, key, sign = self._exchange, Access.OPEN, Access.KEY, Access.SIGNED
        return {
            ("GET", "/fapi/v1/ping"): Endpoint(none, 1, lambda _: {}),
            ("GET", "/fapi/v1/time"): Endpoint(none, 1, lambda _: {"serverTime": self._door.wall_ms()}),
            ("GET", "/fapi/v1/exchangeInfo"): Endpoint(
                none, 1, lambda _: account_rows.exchange_info(x, self._door.wall_ms(), WEIGHT_LIMIT)
            ),
            ("GET", "/fapi/v1/klines"): Endpoint(none, 0, self._klines),
            ("POST", "/fapi/v1/listenKey"): Endpoint(key, 1, lambda _: {"listenKey": self._keys.open()}),
            ("PUT", "/fapi/v1/listenKey"): Endpoint(key, 1, lambda _: {"listenKey": self._keys.extend()}),
            ("DELETE", "/fapi/v1/listenKey"): Endpoint(key, 1, self._close_key),
            ("POST", "/fapi/v1/order"): Endpoint(sign, 0, self._place),
            ("GET", "/fapi/v1/order"): Endpoint(sign, 1, lambda p: frames.order_row(self._order(p, -2013))),
            ("DELETE", "/fapi/v1/order"): Endpoint(sign, 1, self._cancel),
            ("POST", "/fapi/v1/algoOrder"): Endpoint(sign, 0, self._place_algo),
            ("GET", "/fapi/v1/algoOrder"): Endpoint(sign, 1, lambda p: frames.algo_row(self._algo(p, -2013))),
            ("DELETE", "/fapi/v1/algoOrder"): Endpoint(sign, 1, self._cancel_algo),
            ("GET", "/fapi/v1/openOrders"): Endpoint(sign, 1, self._open_orders),
            ("GET", "/fapi/v1/openAlgoOrders"): Endpoint(sign, 1, self._open_algos),
            ("DELETE", "/fapi/v1/allOpenOrders"): Endpoint(sign, 1, lambda p: self._cancel_all(p, algo=False)),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Endpoint(sign, 1, lambda p: self._cancel_all(p, algo=True)),
            ("GET", "/fapi/v1/userTrades"): Endpoint(sign, 5, self._user_trades),
            ("GET", "/fapi/v3/positionRisk"): Endpoint(sign, 5, self._position_risk),
            ("GET", "/fapi/v3/account"): Endpoint(sign, 5, lambda _: account_rows.account_summary(x)),
            ("GET", "/fapi/v3/balance"): Endpoint(sign, 5, lambda _: [account_rows.balance_row(x)]),
            ("POST", "/fapi/v1/leverage"): Endpoint(sign, 1, self._set_leverage),
            ("POST", "/fapi/v1/marginType"): Endpoint(sign, 1, self._set_margin_type),
            ("GET", "/fapi/v1/symbolConfig"): Endpoint(sign, 5, self._symbol_config),
            ("GET", "/fapi/v1/positionSide/dual"): Endpoint(sign, 30, lambda _: {"dualSidePosition": False}),
            ("POST", "/fapi/v1/positionSide/dual"): Endpoint(sign, 1, self._set_position_mode),
            ("GET", "/fapi/v1/leverageBracket"): Endpoint(sign, 1, self._brackets),
            ("GET", "/fapi/v1/commissionRate"): Endpoint(sign, 20, self._commission),
            ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(sign, 1, lambda _: _RESTRICTIONS),
            # A client may ask both before it trades futures: there are no other wallets and no margin pairs here.
            ("GET", "/sapi/v1/capital/config/getall"): Endpoint(sign, 10, lambda _: []),
            ("GET", "/sapi/v1/margin/allPairs"): Endpoint(key, 1, lambda _: []),
        }

    # --- market data

    def _klines(self, params: Params) -> list[list[Any]]:
        """Rows of 1m, oldest first; the newest is the running minute, unmarked and without a trade so far."""
        symbol = self._exchange.book(required(params, "symbol")).instrument.symbol
        if required(params, "interval") != "1m":
            raise CodedRefusalError(-1120)
        limit = whole(params, "limit", 500)
        if not 1 <= limit <= self.most_rows:
            raise CodedRefusalError(-1130, "limit")
        start, end = whole(params, "startTime", -1), whole(params, "endTime", -1)
        first = None if start < 0 else -(-start // MINUTE_MS) + 1
        last = None if end < 0 else end // MINUTE_MS + 1
        rows = self._faults.on_candles(symbol, self._exchange.minutes(symbol, first, last, limit))
        return [frames.kline_row(row) for row in rows]

    # --- orders

    def _place(self, params: Params) -> frames.Json:
        return frames.order_ack(self._accept(lambda: read_order(params, self._exchange)))

    def _place_algo(self, params: Params) -> frames.Json:
        return frames.algo_ack(self._accept(lambda: read_algo(params, self._exchange)))

    def _accept(self, read: Callable[[], OrderRequest]) -> VenueOrder:
        fault = self._faults.on_order_request()
        if fault is not None and fault.kind == FaultKind.REJECTED_ORDER:
            if not fault.code:
                raise RefusedError(Refusal.NO_MARGIN)
            raise CodedRefusalError(fault.code, message=fault.message or None)
        order = self._exchange.place(read())
        if fault is not None:
            raise _LostAnswerError
        return order

    def _order(self, params: Params, code: int) -> VenueOrder:
        """Find the order that ``orderId`` or ``origClientOrderId`` names on ``symbol``, or refuse with ``code``."""
        symbol = self._exchange.book(required(params, "symbol")).instrument.symbol
        order = self._found(params, "orderId", "origClientOrderId", algo=False)
        if order is None or order.symbol != symbol:
            raise CodedRefusalError(code)
        return order

    def _algo(self, params: Params, code: int) -> VenueOrder:
        order = self._found(params, "algoId", "clientAlgoId", algo=True)
        if order is None:
            raise CodedRefusalError(code)
        return order

    def _found(self, params: Params, number: str, client_id: str, *, algo: bool) -> VenueOrder | None:
        if params.get(number):
            return self._exchange.find(algo=algo, number=whole(params, number, 0) or -1)
        return self._exchange.find(algo=algo, client_id=required(params, client_id))

    def _cancel(self, params: Params) -> frames.Json:
        order = self._order(params, -2011)
        self._exchange.cancel(order)
        return frames.order_ack(order)

    def _cancel_algo(self, params: Params) -> frames.Json:
        order = self._algo(params, -2011)
        self._exchange.cancel(order)
        return {"algoId": order.number, "clientAlgoId": order.client_id, "code": "200", "msg": "success"}

    def _cancel_all(self, params: Params, *, algo: bool) -> frames.Json:
        for order in list(self._exchange.open_orders(required(params, "symbol"), algo=algo)):
            self._exchange.cancel(order)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _open_orders(self, params: Params) -> list[frames.Json]:
        return [frames.order_row(order) for order in self._exchange.open_orders(params.get("symbol"), algo=False)]

    def _open_algos(self, params: Params) -> list[frames.Json]:
        return [frames.algo_row(order) for order in self._exchange.open_orders(params.get("symbol"), algo=True)]

    def _user_trades(self, params: Params) -> list[frames.Json]:
        """Trades of one symbol, oldest first: from an id, from a time, of one order, or the newest ones."""
        symbol = self._exchange.book(required(params, "symbol")).instrument.symbol
        limit = whole(params, "limit", 500)
        if not 1 <= limit <= 1000:
            raise CodedRefusalError(-1130, "limit")
        first, since, number = (whole(params, name, 0) for name in ("fromId", "startTime", "orderId"))
        until = whole(params, "endTime", 1 << 62)
        rows = [
            frames.trade_row(trade)
            for trade in self._exchange.trades()
            if trade.symbol == symbol
            and trade.id >= first
            and since <= trade.time <= until
            and number in {0, trade.order}
        ]
        return rows[:limit] if params.get("fromId") or params.get("startTime") else rows[-limit:]

    # --- account

    def _position_risk(self, params: Params) -> list[frames.Json]:
        books = self._exchange.books.values()
        wanted = [self._exchange.book(params["symbol"])] if params.get("symbol") else books
        return [account_rows.position_row(book) for book in wanted if book.position.side or book.open]

    def _set_leverage(self, params: Params) -> frames.Json:
        symbol, leverage = required(params, "symbol"), whole(params, "leverage", 0)
        self._exchange.book(symbol)
        if not 1 <= leverage <= account_rows.MAX_LEVERAGE:
            raise CodedRefusalError(-4028, params.get("leverage", ""))
        self._exchange.set_leverage(symbol, leverage)
        return {"leverage": leverage, "maxNotionalValue": "1000000000", "symbol": symbol}

    def _set_margin_type(self, params: Params) -> frames.Json:
        self._exchange.book(required(params, "symbol"))
        if required(params, "marginType") != "ISOLATED":
            raise CodedRefusalError(-1130, "marginType")  # isolated is all that this venue knows
        raise CodedRefusalError(-4046)

    def _set_position_mode(self, params: Params) -> frames.Json:
        if required(params, "dualSidePosition").lower() != "false":
            raise CodedRefusalError(-1130, "dualSidePosition")  # one-way is all that this venue knows
        raise CodedRefusalError(-4059)

    def _symbol_config(self, params: Params) -> list[frames.Json]:
        books = self._exchange.books.values()
        return [
            {
                "symbol": book.instrument.symbol,
                "marginType": "ISOLATED",
                "isAutoAddMargin": "false",
                "leverage": book.leverage,
                "maxNotionalValue": "1000000000",
            }
            for book in ([self._exchange.book(params["symbol"])] if params.get("symbol") else books)
        ]

    def _brackets(self, params: Params) -> list[frames.Json]:
        books = self._exchange.books.values()
        wanted = [self._exchange.book(params["symbol"])] if params.get("symbol") else books
        return [account_rows.bracket_row(book) for book in wanted]

    def _commission(self, params: Params) -> frames.Json:
        instrument = self._exchange.book(required(params, "symbol")).instrument
        return {
            "symbol": instrument.symbol,
            "makerCommissionRate": text_of(instrument.maker_fee),
            "takerCommissionRate": text_of(instrument.taker_fee),
        }

    def _close_key(self, _: Params) -> frames.Json:
        self._keys.close()
        return {}


def _rows_weight(path: str, params: Params) -> int:
    """Return what a request of candles weighs; requests of orders weigh nothing."""
    if not path.endswith("/klines"):
        return 0
    limit = params.get("limit", "500")
    rows = int(limit) if limit.isdecimal() else 500
    return 1 if rows < 100 else 2 if rows < 500 else 5 if rows <= 1000 else 10


_TOO_MANY = "Too many requests; current limit of IP is 2400 requests per minute."
_HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
_RESTRICTIONS = {
    "ipRestrict": True,
    "createTime": 1698645219000,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableFutures": True,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": True,
    "enableSpotAndMarginTrading": False,
    "enablePortfolioMarginTrading": False,
}

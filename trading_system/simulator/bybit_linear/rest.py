"""The REST endpoints of Bybit v5 linear as one table; what an order may do is decided by the exchange."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from trading_system.rules.grid import text_of
from trading_system.rules.matching import MINUTE_MS
from trading_system.simulator.books import Book
from trading_system.simulator.bybit_linear import frames, market_rows, names
from trading_system.simulator.bybit_linear.order_requests import (
    link_id,
    price,
    read_order,
    require_linear,
    required,
)
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError, coded
from trading_system.simulator.bybit_linear.signatures import Door
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultKind, FaultScript
from trading_system.simulator.orders import VenueOrder
from trading_system.simulator.refusals import Refusal, RefusedError
from trading_system.simulator.wire_port import Answer, Request, Trouble

Params = Mapping[str, Any]
Json = dict[str, Any]

MOST_ROWS, MOST_ORDERS, MOST_TRADES = 1000, 50, 100
REQUESTS_A_WINDOW, WINDOW_MS = 600, 5_000
INTERVALS = {"1"}


class Endpoint(NamedTuple):
    """One line of the table: whether it must be signed, and who answers."""

    signed: bool
    answer: Callable[[Params], Json]


class _LostAnswerError(Exception):
    """An order was accepted whose answer must not arrive."""


class Rest:
    """Answers requests; ``signed_requests`` counts those that passed the door."""

    def __init__(self, exchange: Exchange, door: Door, faults: FaultScript) -> None:
        self._exchange = exchange
        self._door = door
        self._faults = faults
        self._asked: deque[int] = deque()
        self.signed_requests = 0
        self._table = self._endpoints()

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request; its HTTP status is 200 also for a refusal."""
        method, path, query, body, sent = request
        endpoint = self._table.get((method, path))
        headers = self._limits()
        try:
            if endpoint is None:
                return Answer(404, b"", headers)
            params = _parameters(query, body)
            if endpoint.signed:
                payload = body if method == "POST" else query
                self._door.check_signed(sent, payload, damaged=self._faults.on_signed_request())
                self.signed_requests += 1
            said = self._envelope(0, "OK", endpoint.answer(params))
        except (CodedRefusalError, RefusedError) as refused:
            rising = isinstance(refused, RefusedError) and params.get("side") == "Buy"
            refusal = coded(refused, rising=rising) if isinstance(refused, RefusedError) else refused
            said = self._envelope(refusal.code, refusal.message, {})
        except _LostAnswerError:
            return Answer(200, b"", headers, lost=True)
        return Answer(200, msgspec.json.encode(said), headers)

    def trouble(self, trouble: Trouble) -> Answer:
        """Return what a request meets that is not answered."""
        match trouble.kind:
            case FaultKind.RATE_LIMITED if not trouble.again:
                headers = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(trouble.until)}
                error = CodedRefusalError(10006)
                return Answer(200, msgspec.json.encode(self._envelope(error.code, error.message, {})), headers)
            case FaultKind.RATE_LIMITED | FaultKind.FORBIDDEN:
                return Answer(403, b"<html>access too frequent</html>", {})
            case FaultKind.HTML:
                return Answer(200, b"<html><head><title>502 Bad Gateway</title></head></html>", {})
            case _:
                return Answer(503, b"", {})

    def _envelope(self, code: int, message: str, result: Json) -> Json:
        return {
            "retCode": code,
            "retMsg": message,
            "result": result,
            "retExtInfo": {},
            "time": self._door.wall_ms(),
        }

    def _limits(self) -> dict[str, str]:
        now = self._door.wall_ms()
        while self._asked and self._asked[0] <= now - WINDOW_MS:
            self._asked.popleft()
        self._asked.append(now)
        left = max(REQUESTS_A_WINDOW - len(self._asked), 0)
        return {
            "X-Bapi-Limit": str(REQUESTS_A_WINDOW),
            "X-Bapi-Limit-Status": str(left),
            "X-Bapi-Limit-Reset-Timestamp": str(self._asked[0] + WINDOW_MS),
        }

    def _endpoints(self) -> dict[tuple[str, str], Endpoint]:
        x = self._exchange
        return {
            ("GET", "/v5/market/time"): Endpoint(False, self._time),
            ("GET", "/v5/market/instruments-info"): Endpoint(False, self._instruments),
            ("GET", "/v5/market/kline"): Endpoint(False, self._klines),
            ("GET", "/v5/market/tickers"): Endpoint(False, self._tickers),
            ("GET", "/v5/market/risk-limit"): Endpoint(False, self._risk_limits),
            ("GET", "/v5/market/funding/history"): Endpoint(False, self._funding_history),
            ("GET", "/v5/asset/coin/query-info"): Endpoint(True, lambda _: {"rows": []}),
            ("GET", "/v5/user/query-api"): Endpoint(True, lambda _: _KEY_INFO),
            ("GET", "/v5/account/info"): Endpoint(True, lambda _: _ACCOUNT_INFO),
            ("GET", "/v5/account/fee-rate"): Endpoint(True, self._fee_rates),
            ("GET", "/v5/account/wallet-balance"): Endpoint(True, lambda _: {"list": [frames.wallet_row(x)]}),
            ("POST", "/v5/account/set-margin-mode"): Endpoint(True, self._set_margin_mode),
            ("GET", "/v5/position/list"): Endpoint(True, self._positions),
            ("POST", "/v5/position/set-leverage"): Endpoint(True, self._set_leverage),
            ("POST", "/v5/position/switch-mode"): Endpoint(True, self._switch_mode),
            ("POST", "/v5/position/trading-stop"): Endpoint(True, self._trading_stop),
            ("POST", "/v5/order/create"): Endpoint(True, self._create),
            ("POST", "/v5/order/create-batch"): Endpoint(True, self._create_batch),
            ("POST", "/v5/order/amend"): Endpoint(True, self._amend),
            ("POST", "/v5/order/cancel"): Endpoint(True, self._cancel),
            ("POST", "/v5/order/cancel-all"): Endpoint(True, self._cancel_all),
            ("GET", "/v5/order/realtime"): Endpoint(True, self._realtime),
            ("GET", "/v5/order/history"): Endpoint(True, self._history),
            ("GET", "/v5/execution/list"): Endpoint(True, self._executions),
        }

    # --- market data

    def _time(self, _: Params) -> Json:
        now = self._door.wall_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def _instruments(self, params: Params) -> Json:
        """One page of instruments; other categories exist and hold nothing here, and nothing is before its launch."""
        books = list(self._exchange.books.values())
        if params.get("category") != "linear" or params.get("status", "Trading") != "Trading":
            books = []
        elif params.get("symbol"):
            books = [self._exchange.book(params["symbol"])]
        limit, start = _limit(params, 500, MOST_ROWS), int(params.get("cursor") or 0)
        page = books[start : start + limit]
        after = str(start + limit) if start + limit < len(books) else ""
        step = self._exchange.step + 1
        rows = [market_rows.instrument_row(book, trading=not book.halts(step)) for book in page]
        return {"category": params.get("category", ""), "list": rows, "nextPageCursor": after}

    def _klines(self, params: Params) -> Json:
        """Rows of 1m, newest first; the newest is the running minute, unmarked and without a trade so far."""
        require_linear(params)
        symbol = self._exchange.book(required(params, "symbol")).instrument.symbol
        if required(params, "interval") not in INTERVALS:
            raise CodedRefusalError(10001, "interval: 1 is the only one that is kept here")
        limit = _limit(params, 200, MOST_ROWS)
        start, end = _whole(params, "start"), _whole(params, "end")
        last = None if end is None else end // MINUTE_MS + 1
        first = None if start is None else -(-start // MINUTE_MS) + 1
        rows = self._exchange.minutes(symbol, None, last, limit)  # the newest in the span, as many as fit
        if first is not None:
            rows = [row for row in rows if row.open_time >= (first - 1) * MINUTE_MS]
        rows = self._faults.on_candles(symbol, rows)
        return {"category": "linear", "symbol": symbol, "list": [frames.kline_row(row) for row in reversed(rows)]}

    def _tickers(self, params: Params) -> Json:
        require_linear(params)
        rows = [market_rows.ticker_row(book, self._exchange) for book in self._books(params)]
        return {"category": "linear", "list": rows}

    def _risk_limits(self, params: Params) -> Json:
        require_linear(params)
        rows = [market_rows.risk_row(book) for book in self._books(params)]
        return {"category": "linear", "list": rows, "nextPageCursor": ""}

    def _funding_history(self, params: Params) -> Json:
        require_linear(params)
        symbol = self._exchange.book(required(params, "symbol")).instrument.symbol
        paid = self._exchange.fundings(symbol)[-_limit(params, 200, 200) :]
        rows = [
            {"symbol": symbol, "fundingRate": text_of(rate), "fundingRateTimestamp": str(time)}
            for time, rate in reversed(paid)
        ]
        return {"category": "linear", "list": rows}

    # --- orders

    def _create(self, params: Params) -> Json:
        """Acknowledge an order: what became of it is said on the private socket."""
        fault = self._faults.on_order_request()
        if fault is not None and fault.kind == FaultKind.REJECTED_ORDER and fault.code:
            raise CodedRefusalError(fault.code, message=fault.message or None)
        request = read_order(params, self._exchange)
        if request.client_id and self._find_by_link(request.client_id) is not None:
            raise RefusedError(Refusal.ID_IN_USE)  # for ever, not only while it is open
        if fault is not None and fault.kind == FaultKind.REJECTED_ORDER:
            return _ack(self._exchange.reject(request))
        order = self._exchange.place(request)
        if fault is not None:
            raise _LostAnswerError
        return _ack(order)

    def _create_batch(self, params: Params) -> Json:
        require_linear(params)
        rows: list[Json] = []
        for wish in params.get("request") or []:
            try:
                rows.append({**self._create({**wish, "category": "linear"}), "symbol": wish.get("symbol", "")})
            except (CodedRefusalError, RefusedError):
                rows.append({"orderId": "", "orderLinkId": wish.get("orderLinkId", "")})
        return {"list": rows}

    def _amend(self, params: Params) -> Json:
        """Change the trigger of a conditional order; other orders are cancelled and placed anew here."""
        order = self._order(params)
        if not order.algo or not params.get("triggerPrice"):
            raise CodedRefusalError(10001, "amend: only triggerPrice of a conditional order is played here")
        instrument = self._exchange.book(order.symbol).instrument
        self._exchange.move_stop(order, price(str(params["triggerPrice"]), "triggerPrice", instrument))
        return _ack(order)

    def _cancel(self, params: Params) -> Json:
        order = self._order(params)
        self._exchange.cancel(order)
        return _ack(order)

    def _cancel_all(self, params: Params) -> Json:
        require_linear(params)
        orders = [
            order
            for book in self._books(params)
            for order in list(book.open.values())
            if params.get("orderFilter", "Order") in {"Order", "StopOrder" if order.algo else "Order"}
        ]
        for order in orders:
            self._exchange.cancel(order)
        return {"list": [_ack(order) for order in orders], "success": "1"}

    def _realtime(self, params: Params) -> Json:
        """Open orders page by page; one that is asked for by an id is shown also when it has ended."""
        require_linear(params)
        if params.get("orderId") or params.get("orderLinkId"):
            order = self._found(params)
            found = [] if order is None else [order]
        else:
            if not params.get("symbol") and not params.get("settleCoin"):
                raise CodedRefusalError(10001, "symbol or settleCoin is required")
            found = [order for book in self._books(params) for order in book.open.values()]
        return self._order_page(params, found)

    def _history(self, params: Params) -> Json:
        """Ended orders, newest first."""
        require_linear(params)
        if params.get("orderId") or params.get("orderLinkId"):
            order = self._found(params)
            found = [] if order is None else [order]
        else:
            found = [one for one in reversed(self._exchange.orders.values()) if not one.parent]
            found = [one for one in found if params.get("symbol") in {None, "", one.symbol}]
        ended = [one for one in found if not one.open]
        status = params.get("orderStatus")
        return self._order_page(params, [one for one in ended if not status or names.status_of(one) == status])

    def _order_page(self, params: Params, orders: list[VenueOrder]) -> Json:
        limit, start = _limit(params, 20, MOST_ORDERS), int(params.get("cursor") or 0)
        after = str(start + limit) if start + limit < len(orders) else ""
        rows = [frames.order_row(self._as_it_went(one), self._exchange) for one in orders[start : start + limit]]
        return {"category": "linear", "list": rows, "nextPageCursor": after}

    def _as_it_went(self, order: VenueOrder) -> VenueOrder:
        """Return what a triggered order became: here both are one order."""
        return self._exchange.orders[order.child] if order.child else order

    def _executions(self, params: Params) -> Json:
        """Trades, newest first, page by page; without a time those of the last seven days."""
        require_linear(params)
        start, end = _whole(params, "startTime"), _whole(params, "endTime")
        link, id_ = params.get("orderLinkId"), params.get("orderId")
        rows = [
            (trade, row)
            for trade in reversed(self._exchange.trades())
            if (start is None or trade.time >= start)
            and (end is None or trade.time <= end)
            and params.get("symbol") in {None, "", trade.symbol}
            for row in (frames.execution_row(trade, self._exchange),)
            if link in {None, "", row["orderLinkId"]} and id_ in {None, "", row["orderId"]}
        ]
        limit, before = _limit(params, 50, MOST_TRADES), params.get("cursor")
        if before:
            rows = [(trade, row) for trade, row in rows if trade.id < int(before)]
        page = rows[:limit]
        after = str(page[-1][0].id) if len(rows) > limit else ""
        return {"category": "linear", "list": [row for _, row in page], "nextPageCursor": after}

    def _order(self, params: Params) -> VenueOrder:
        """Find the order that ``orderId`` or ``orderLinkId`` names. Raises: CodedRefusalError 110001."""
        require_linear(params)
        if not params.get("orderId") and not params.get("orderLinkId"):
            raise CodedRefusalError(10001, "orderId or orderLinkId is required")
        order = self._found(params)
        if order is None or order.symbol != required(params, "symbol"):
            raise CodedRefusalError(110001)
        return order

    def _found(self, params: Params) -> VenueOrder | None:
        if params.get("orderId"):
            return self._exchange.orders.get(names.order_number(str(params["orderId"])))
        return self._find_by_link(link_id(params))

    def _find_by_link(self, client_id: str) -> VenueOrder | None:
        return self._exchange.find(algo=False, client_id=client_id) or self._exchange.find(
            algo=True, client_id=client_id
        )

    # --- account

    def _positions(self, params: Params) -> Json:
        require_linear(params)
        if not params.get("symbol") and not params.get("settleCoin"):
            raise CodedRefusalError(10001, "symbol or settleCoin is required")
        books = [book for book in self._books(params) if params.get("symbol") or book.position.side]
        return {"category": "linear", "list": [frames.position_row(book) for book in books], "nextPageCursor": ""}

    def _set_leverage(self, params: Params) -> Json:
        require_linear(params)
        book = self._exchange.book(required(params, "symbol"))
        buy, sell = required(params, "buyLeverage"), required(params, "sellLeverage")
        if buy != sell or not buy.isdecimal() or not 1 <= int(buy) <= market_rows.MAX_LEVERAGE:
            raise CodedRefusalError(10001, "buyLeverage and sellLeverage must be one whole number")
        if int(buy) == book.leverage:
            raise CodedRefusalError(110043)
        self._exchange.set_leverage(book.instrument.symbol, int(buy))
        return {}

    def _set_margin_mode(self, params: Params) -> Json:
        if required(params, "setMarginMode") != "ISOLATED_MARGIN":
            raise CodedRefusalError(10001, "setMarginMode: isolated is all that this venue knows")
        return {"reasons": []}

    def _switch_mode(self, params: Params) -> Json:
        require_linear(params)
        if str(params.get("mode")) != "0":
            raise CodedRefusalError(10001, "mode: one-way is all that this venue knows")
        raise CodedRefusalError(110025)

    def _trading_stop(self, params: Params) -> Json:
        """Move, give or take away the stop of a position."""
        require_linear(params)
        book = self._exchange.book(required(params, "symbol"))
        others = [name for name in ("takeProfit", "trailingStop") if params.get(name, "") not in ("", "0")]
        if others or "stopLoss" not in params:
            raise CodedRefusalError(10001, f"{' '.join(others) or 'nothing'} given; only stopLoss is played here")
        if params.get("tpslMode", "Full") != "Full" or params.get("slTriggerBy", "LastPrice") != "LastPrice":
            raise CodedRefusalError(10001, "tpslMode Full on the last price is the only one that is played here")
        text = str(params["stopLoss"])
        wanted = 0.0 if text == "0" else price(text, "stopLoss", book.instrument)
        fault = self._faults.on_order_request() if wanted else None
        if fault is not None and fault.kind == FaultKind.REJECTED_ORDER:
            if not fault.code:
                raise RefusedError(Refusal.NO_MARGIN)
            raise CodedRefusalError(fault.code, message=fault.message or None)
        self._exchange.set_position_stop(book.instrument.symbol, wanted)
        if fault is not None:
            raise _LostAnswerError
        return {}

    def _fee_rates(self, params: Params) -> Json:
        require_linear(params)
        rows = [
            {
                "symbol": book.instrument.symbol,
                "takerFeeRate": text_of(book.instrument.taker_fee),
                "makerFeeRate": text_of(book.instrument.maker_fee),
            }
            for book in self._books(params)
        ]
        return {"list": rows}

    def _books(self, params: Params) -> list[Book]:
        if params.get("symbol"):
            return [self._exchange.book(params["symbol"])]
        return list(self._exchange.books.values())


def _parameters(query: str, body: str) -> Params:
    """Return what a request says: the body of a POST is JSON. Raises: CodedRefusalError 10001 when it is not."""
    if not body:
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise CodedRefusalError(10001, "the body is no JSON object") from None


def _ack(order: VenueOrder) -> Json:
    return {"orderId": names.id_of(order), "orderLinkId": order.client_id}


def _limit(params: Params, default: int, most: int) -> int:
    """Return ``limit``, held to ``most``, as the venue holds it."""
    limit = _whole(params, "limit")
    return default if limit is None else max(1, min(limit, most))


def _whole(params: Params, name: str) -> int | None:
    text = str(params.get(name, "") or "")
    if not text:
        return None
    if not text.isdecimal():
        raise CodedRefusalError(10001, f"{name} must be a whole number")
    return int(text)


_KEY_INFO: Json = {
    "id": "1",
    "note": "simulated",
    "readOnly": 0,
    "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": []},
    "ips": ["127.0.0.1"],
    "type": 1,
    "unified": 0,
    "uta": 1,
    "userID": 1,
    "isMaster": True,
}
_ACCOUNT_INFO: Json = {
    "marginMode": "ISOLATED_MARGIN",
    "updatedTime": "1697078946000",
    "unifiedMarginStatus": 5,
    "dcpStatus": "OFF",
    "timeWindow": 0,
    "smpGroup": 0,
    "isMasterTrader": False,
    "spotHedgingStatus": "OFF",
}

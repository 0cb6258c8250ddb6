"""What Bybit v5 answers about orders and trades. Placing, changing and cancelling is only acknowledged.

What became of an order is said on the private socket; a post-only order that would be a taker is taken and rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trading_system.simulator.bybit_linear import frames, names
from trading_system.simulator.bybit_linear.chosen_books import books_of, nothing_elsewhere
from trading_system.simulator.bybit_linear.frames import Json
from trading_system.simulator.bybit_linear.order_requests import link_id, price, quantity, read_order
from trading_system.simulator.bybit_linear.parameters import (
    Params,
    limit,
    page,
    plain,
    require_linear,
    require_one_of,
    required,
    text,
    whole,
)
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError, LostAnswerError, coded
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultKind, FaultScript
from trading_system.simulator.orders import Funding, Trade, VenueOrder
from trading_system.simulator.refusals import Refusal, RefusedError

MOST_ORDERS, MOST_TRADES, MOST_IN_A_BATCH = 50, 100, 20
MOST_CONDITIONAL = 10  # active ones of a symbol
ENDED_KEPT = 500  # how many ended orders the real-time list still knows
_KINDS = {"": (True, True), "Order": (True, False), "StopOrder": (False, True)}


class Batch(NamedTuple):
    """The answer to several requests at once: what came of each is beside the rows."""

    result: Json
    said: Json


class OrderAnswers:
    """Answers about the orders of one exchange; ``wall_ms`` is its clock."""

    def __init__(self, exchange: Exchange, faults: FaultScript, wall_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._faults = faults
        self._wall_ms = wall_ms

    def by_path(self) -> Mapping[tuple[str, str], Callable[[Params], Json | Batch]]:
        """Return who answers each method and path."""
        return {
            ("POST", "/v5/order/create"): self._create,
            ("POST", "/v5/order/create-batch"): self._create_batch,
            ("POST", "/v5/order/amend"): self._amend,
            ("POST", "/v5/order/cancel"): self._cancel,
            ("POST", "/v5/order/cancel-all"): self._cancel_all,
            ("GET", "/v5/order/realtime"): nothing_elsewhere(self._realtime),
            ("GET", "/v5/order/history"): nothing_elsewhere(self._history),
            ("GET", "/v5/execution/list"): nothing_elsewhere(self._executions),
        }

    # --- what changes something

    def _create(self, params: Params) -> Json:
        require_linear(params)
        fault = self._faults.on_order_request()
        rejected = fault is not None and fault.kind == FaultKind.REJECTED_ORDER
        if fault is not None and rejected and fault.code:
            raise CodedRefusalError(fault.code, message=fault.message or None)
        request = read_order(params, self._exchange)
        if request.client_id and self._find_by_link(request.client_id) is not None:
            raise RefusedError(Refusal.ID_IN_USE)  # for ever, not only while it is open
        if request.algo and self._waiting(request.symbol) >= MOST_CONDITIONAL:
            raise CodedRefusalError(110009)
        if rejected:
            return _ack(self._exchange.reject(request))
        try:
            order = self._exchange.place(request)
        except RefusedError as refused:
            if refused.reason == Refusal.STOP_PASSED:
                waits_for_rise = text(params, "triggerDirection") == str(names.RISE)
                raise coded(refused, rising=waits_for_rise) from None
            if refused.reason != Refusal.WOULD_TAKE:
                raise
            order = self._exchange.reject(request)
        if fault is not None:
            raise LostAnswerError
        return _ack(order)

    def _create_batch(self, params: Params) -> Batch:
        require_linear(params)
        wishes = params.get("request")
        if not isinstance(wishes, list) or not 1 <= len(wishes) <= MOST_IN_A_BATCH:
            raise CodedRefusalError(10001, f"request: expected 1 to {MOST_IN_A_BATCH} orders")
        rows, said = [], []
        for wish in map(plain, wishes):
            row = {"category": "linear", "symbol": text(wish, "symbol"), "createAt": str(self._wall_ms())}
            try:
                rows.append({**row, **self._create({**wish, "category": "linear"})})
                said.append({"code": 0, "msg": "OK"})
            except (CodedRefusalError, RefusedError) as error:
                refusal = coded(error) if isinstance(error, RefusedError) else error
                rows.append({**row, "orderId": "", "orderLinkId": text(wish, "orderLinkId"), "createAt": ""})
                said.append({"code": refusal.code, "msg": refusal.message})
        return Batch({"list": rows}, {"list": said})

    def _amend(self, params: Params) -> Json:
        """Change the price or the trigger, or the size, of an open order."""
        fault = self._faults.on_order_request()
        if fault is not None and fault.kind == FaultKind.REJECTED_ORDER:
            raise CodedRefusalError(fault.code or 110007, message=fault.message or None)
        order = self._order(params)
        instrument = self._exchange.book(order.symbol).instrument
        name = "triggerPrice" if order.algo else "price"
        at = price(text(params, name), name, instrument) if text(params, name) else 0.0
        size = quantity(text(params, "qty"), instrument) if text(params, "qty") else 0.0
        if (at or order.price, size or order.quantity) == (order.price, order.quantity):
            raise CodedRefusalError(10001, "the order remains unchanged")
        self._exchange.amend(order, price=at, quantity=size)
        if fault is not None:
            raise LostAnswerError
        return _ack(order)

    def _cancel(self, params: Params) -> Json:
        order = self._order(params)
        self._exchange.cancel(order)
        return _ack(order)

    def _cancel_all(self, params: Params) -> Json:
        require_linear(params)
        require_one_of(params, "symbol", "settleCoin", "baseCoin")
        orders = self._open(params)
        for order in orders:
            self._exchange.cancel(order)
        return {"list": [_ack(order) for order in orders], "success": "1"}

    # --- what is asked

    def _realtime(self, params: Params) -> Json:
        """Orders, newest first: the open ones, lately ended ones, or the one that is named, however it stands."""
        if _names_one(params):
            return self._order_page(params, self._named(params))
        require_one_of(params, "symbol", "settleCoin", "baseCoin")
        if text(params, "openOnly") in {"", "0"}:
            return self._order_page(params, sorted(self._open(params), key=lambda one: -one.number))
        return self._order_page(params, self._ended(params)[:ENDED_KEPT])

    def _history(self, params: Params) -> Json:
        """Ended orders, newest first."""
        ended = [one for one in self._named(params) if not one.open] if _names_one(params) else self._ended(params)
        status = text(params, "orderStatus")
        return self._order_page(params, [one for one in ended if status in {"", names.status_of(one)}])

    def _executions(self, params: Params) -> Json:
        """Trades and fundings, newest first. Without a time all of them: the market's time is not the clock's."""
        start, end, kind = whole(params, "startTime"), whole(params, "endTime"), text(params, "execType")
        order = next(iter(self._named(params)), None) if _names_one(params) else None
        every: list[Trade | Funding] = [*self._exchange.trades(), *self._exchange.funded]
        found = [
            each
            for each in every
            if text(params, "symbol") in {"", each.symbol}
            and (start is None or each.time >= start)
            and (end is None or each.time <= end)
            and (not _names_one(params) or (isinstance(each, Trade) and order is not None and self._is_of(each, order)))
        ]
        found.sort(key=lambda each: (each.id, 0) if isinstance(each, Trade) else (each.trade, each.time), reverse=True)
        rows, after = page(params, found, limit(params, 50, MOST_TRADES))
        shown = [self._execution(each) for each in rows]
        wanted = [row for row in shown if kind in {"", row["execType"]}]
        return {"category": "linear", "list": wanted, "nextPageCursor": after}

    def _execution(self, of: Trade | Funding) -> Json:
        return frames.funding_row(of) if isinstance(of, Funding) else frames.execution_row(of, self._exchange)

    def _is_of(self, trade: Trade, order: VenueOrder) -> bool:
        return order.number in {trade.order, self._exchange.orders[trade.order].parent}

    def _order_page(self, params: Params, orders: list[VenueOrder]) -> Json:
        found, after = page(params, orders, limit(params, 20, MOST_ORDERS))
        rows = [frames.order_row(self._as_it_went(one), self._exchange) for one in found]
        return {"category": "linear", "list": rows, "nextPageCursor": after}

    def _as_it_went(self, order: VenueOrder) -> VenueOrder:
        """Return what a triggered order became: here both are one order."""
        return self._exchange.orders[order.child] if order.child else order

    def _open(self, params: Params) -> list[VenueOrder]:
        plain_ones, conditional = _kinds(params)
        return [
            order
            for book in books_of(self._exchange, params)
            for order in book.open.values()
            if (conditional if order.algo else plain_ones)
        ]

    def _ended(self, params: Params) -> list[VenueOrder]:
        plain_ones, conditional = _kinds(params)
        symbols = {book.instrument.symbol for book in books_of(self._exchange, params)}
        return [
            order
            for order in reversed(self._exchange.orders.values())
            if not order.open
            and not order.parent
            and order.symbol in symbols
            and (conditional if order.algo else plain_ones)
        ]

    def _order(self, params: Params) -> VenueOrder:
        """Find the order that ``orderId`` or ``orderLinkId`` names. Raises: CodedRefusalError 110001."""
        require_linear(params)
        require_one_of(params, "orderId", "orderLinkId")
        symbol = self._exchange.book(required(params, "symbol")).instrument.symbol
        found = [order for order in self._named(params) if order.symbol == symbol]
        if not found:
            raise CodedRefusalError(110001)
        return found[0]

    def _named(self, params: Params) -> list[VenueOrder]:
        """Return the one order that is named, by its id before its link, or none."""
        if text(params, "orderId"):
            order = self._exchange.orders.get(names.order_number(text(params, "orderId")))
        else:
            order = self._find_by_link(link_id(params))
        return [] if order is None else [order]

    def _find_by_link(self, client_id: str) -> VenueOrder | None:
        find = self._exchange.find
        return find(algo=False, client_id=client_id) or find(algo=True, client_id=client_id)

    def _waiting(self, symbol: str) -> int:
        return sum(order.algo and not order.entry for order in self._exchange.books[symbol].open.values())


def _names_one(params: Params) -> bool:
    return bool(text(params, "orderId") or text(params, "orderLinkId"))


def _kinds(params: Params) -> tuple[bool, bool]:
    """Return whether plain and conditional orders are meant. Raises: CodedRefusalError 10001."""
    kinds = _KINDS.get(text(params, "orderFilter"))
    if kinds is None:
        raise CodedRefusalError(10001, "orderFilter invalid")
    return kinds


def _ack(order: VenueOrder) -> dict[str, Any]:
    return {"orderId": names.id_of(order), "orderLinkId": names.link_of(order)}

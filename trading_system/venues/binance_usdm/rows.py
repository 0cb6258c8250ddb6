"""The rows and frames of Binance USDT-M that execution reads, and what each of them says in our own words.

Every parser carries a payload as the venue sends it. Fields that we do not name are ignored, a missing one that we do
name makes the payload unreadable. Numbers come as texts; they must be finite.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from trading_system.rules.grid import Instrument, grid_of_text
from trading_system.venues.answers import finite, status_of
from trading_system.venues.errors import OutcomeUnknownError
from trading_system.venues.port import OrderState, OrderStatus, Position, VenueFill

Row = TypeVar("Row")

# The two services call one thing by two names, and a partly filled order is still an open one.
STATUSES = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.NEW,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}
STOP_STATUSES = {
    "NEW": OrderStatus.NEW,
    "TRIGGERING": OrderStatus.TRIGGERED,
    "TRIGGERED": OrderStatus.TRIGGERED,
    "CANCELED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
}
FINISHED = "FINISHED"  # a stop whose own order filled or was cancelled: only that order can tell which
TRADING = "TRADING"


class ErrorBody(msgspec.Struct):
    """``{"code":-2019,"msg":"Margin is insufficient."}``."""

    code: int
    msg: str = ""


class ServerTime(msgspec.Struct):
    """``{"serverTime":1620099477465}``."""

    serverTime: int  # noqa: N815 - the venue's own word


class ListenKey(msgspec.Struct):
    """``{"listenKey":"pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"}``."""

    listenKey: str  # noqa: N815


class PositionMode(msgspec.Struct):
    """``{"dualSidePosition":false}``."""

    dualSidePosition: bool  # noqa: N815


class OrderRow(msgspec.Struct, rename="camel"):
    """``{"orderId":17846577272,"symbol":"XRPUSDT","status":"NEW","clientOrderId":"2gAC","executedQty":"0", ...}``."""

    order_id: int
    symbol: str
    status: str
    client_order_id: str
    executed_qty: float = 0.0

    def state(self) -> OrderState:
        """Return what the row says. Raises: OutcomeUnknownError for a status that we do not know."""
        status = status_of(STATUSES, self.status)
        return OrderState(self.client_order_id, self.symbol, str(self.order_id), status, finite(self.executed_qty))


class StopRow(msgspec.Struct, rename="camel"):
    """``{"algoId":2148627,"clientAlgoId":"MRum","symbol":"BNBUSDT","algoStatus":"NEW","actualOrderId":"", ...}``."""

    algo_id: int
    client_algo_id: str
    symbol: str
    algo_status: str
    actual_order_id: str = ""

    def child_id(self) -> str:
        """Return the id of the order that the stop turned into, "" if it has not."""
        return "" if self.actual_order_id == "0" else self.actual_order_id

    def state(self, child: OrderState | None) -> OrderState:
        """Return what the row says; ``child`` is the standing of the stop's own order if it has one."""
        status: OrderStatus
        if child is not None and child.status != OrderStatus.NEW:
            status = child.status
        elif self.algo_status == FINISHED:
            raise OutcomeUnknownError(f"stop {self.client_algo_id} is finished, but its own order is not shown yet")
        else:
            status = status_of(STOP_STATUSES, self.algo_status)
        filled = 0.0 if child is None else child.filled
        return OrderState(self.client_algo_id, self.symbol, str(self.algo_id), status, filled, self.child_id())


class AckedOrder(msgspec.Struct, rename="camel"):
    """``{"orderId":12345678,"clientOrderId":"testOrder123", ...}``; since 2026 without average price."""

    order_id: int


class AckedStop(msgspec.Struct, rename="camel"):
    """``{"algoId":2146760,"clientAlgoId":"6B2I9XVcJpCjqPAJ4YoFX7","algoStatus":"NEW", ...}``."""

    algo_id: int


class TradeRow(msgspec.Struct, rename="camel"):
    """``{"id":698759,"orderId":25851813,"price":"7819.01","qty":"0.002","commission":"0.078","maker":false, ...}``."""

    id: int
    order_id: int
    symbol: str
    price: float
    qty: float
    commission: float
    time: int
    maker: bool

    def fill(self, client_id: str) -> VenueFill:
        """Return the trade under the name of the order that was sent."""
        price, quantity, fee = finite(self.price), finite(self.qty), finite(self.commission)
        return VenueFill(str(self.id), self.id, client_id, self.symbol, self.time, price, quantity, fee, self.maker)


class PositionRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"0.002","entryPrice":"91739.9", ...}``."""

    symbol: str
    position_amt: float
    entry_price: float = 0.0


def position_of(symbol: str, rows: list[PositionRow]) -> Position:
    """Return the net position; the venue leaves out symbols that have none."""
    for row in rows:
        if row.symbol == symbol and row.position_amt:
            return Position(symbol, finite(row.position_amt), finite(row.entry_price))
    return Position(symbol, 0.0, 0.0)


class FilterRow(msgspec.Struct, rename="camel"):
    """``{"filterType":"PRICE_FILTER","tickSize":"0.10", ...}``."""

    filter_type: str
    tick_size: str = ""
    step_size: str = ""
    notional: str = ""


class SymbolRow(msgspec.Struct):
    """``{"symbol":"BTCUSDT","filters":[...], ...}``; the precisions beside the filters are not tick and step."""

    symbol: str
    filters: list[FilterRow]
    status: str = TRADING
    contract_type: str = msgspec.field(default="PERPETUAL", name="contractType")
    quote: str = msgspec.field(default="USDT", name="quoteAsset")


class ExchangeInfo(msgspec.Struct):
    """``{"symbols":[...], ...}``."""

    symbols: list[SymbolRow]


class CommissionRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0005"}``."""

    maker_commission_rate: float
    taker_commission_rate: float


class BracketRow(msgspec.Struct, rename="camel"):
    """``{"bracket":1,"notionalFloor":0,"maintMarginRatio":0.0065, ...}``."""

    maint_margin_ratio: float
    notional_floor: float = 0.0


class BracketsRow(msgspec.Struct):
    """``{"symbol":"ETHUSDT","brackets":[...]}``."""

    symbol: str
    brackets: list[BracketRow]


def instrument_of(exchange: str, row: SymbolRow, rates: CommissionRow, brackets: BracketsRow) -> Instrument:
    """Return one symbol's record. Raises: OutcomeUnknownError when a filter that we need is missing."""
    filters = {filter_row.filter_type: filter_row for filter_row in row.filters}
    try:
        tick = grid_of_text(filters["PRICE_FILTER"].tick_size)
        step = grid_of_text(filters["LOT_SIZE"].step_size)
        notional = finite(float(filters["MIN_NOTIONAL"].notional))
        lowest = min(brackets.brackets, key=lambda bracket: bracket.notional_floor)
    except (KeyError, ValueError) as error:
        raise OutcomeUnknownError(f"{row.symbol}: expected tick, step, notional and a bracket, was without") from error
    taker, maker = finite(rates.taker_commission_rate), finite(rates.maker_commission_rate)
    return Instrument(exchange, row.symbol, tick, step, notional, taker, maker, finite(lowest.maint_margin_ratio))


class Head(msgspec.Struct):
    """What every frame of the user stream begins with; a combined stream wraps it into ``{"stream":..,"data":..}``."""

    e: str = ""
    data: msgspec.Raw = msgspec.Raw()


class TradeFacts(msgspec.Struct):
    """The inside of ``{"e":"ORDER_TRADE_UPDATE","E":..,"T":..,"o":{...}}``, letter by letter.

    ``{"s":"BTCUSDT","c":"KWsJ","x":"TRADE","X":"FILLED","i":4129479931,"l":"0.100","L":"84146.50","n":"3.36586000",
    "T":1742585119595,"t":310194316,"m":false, ...}``
    """

    s: str
    c: str
    x: str
    X: str
    i: int
    T: int
    t: int = 0
    l: float = 0.0  # noqa: E741 - the venue's own letter
    L: float = 0.0
    n: float | None = None
    m: bool = False


class OrderTradeUpdate(msgspec.Struct):
    """An order changed or filled."""

    o: TradeFacts


class StopFacts(msgspec.Struct):
    """The inside of ``{"e":"ALGO_UPDATE","T":..,"E":..,"o":{...}}``.

    ``{"caid":"O-2025","aid":1000000033225453,"s":"DOGEUSDT","X":"FINISHED","ai":"88937381063","aq":"38", ...}``
    """

    caid: str
    aid: int
    s: str
    X: str
    ai: str = ""
    aq: float = 0.0


class AlgoUpdate(msgspec.Struct):
    """A stop changed."""

    o: StopFacts

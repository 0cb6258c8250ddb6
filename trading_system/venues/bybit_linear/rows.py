"""The rows and frames of Bybit linear that execution reads, and what each of them says in our own words.

Every parser carries a payload as the venue sends it. Fields that we do not name are ignored, a missing one that we do
name makes the payload unreadable. Numbers come as texts; they must be finite.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from trading_system.rules.grid import Instrument, grid_of_text
from trading_system.venues.answers import finite, status_of
from trading_system.venues.errors import OutcomeUnknownError
from trading_system.venues.port import LIQUIDATED, OrderState, OrderStatus, Position, VenueFill

Row = TypeVar("Row")

STATUSES = {
    "New": OrderStatus.NEW,
    "PartiallyFilled": OrderStatus.NEW,
    "Untriggered": OrderStatus.NEW,
    "Triggered": OrderStatus.TRIGGERED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}
STOP_LOSS = "StopLoss"
LINEAR = "linear"
FILLING = ("Trade", "BustTrade", "AdlTrade", "Delivery")
"""Kinds of execution in which a position changes; funding is one in which it does not."""

SIDES = {"Buy": 1, "Sell": -1}


class Envelope(msgspec.Struct, rename="camel"):
    """``{"retCode":110007,"retMsg":"ab not enough for new order","result":{},"time":1668838414793, ...}``."""

    ret_code: int
    ret_msg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")


class ServerTime(msgspec.Struct, rename="camel"):
    """``{"timeSecond":"1688639403","timeNano":"1688639403423213947"}``."""

    time_nano: int


class Page(msgspec.Struct, Generic[Row], rename="camel"):
    """``{"list":[...],"nextPageCursor":"132766%3A2%2C132766%3A2","category":"linear"}``."""

    rows: list[Row] = msgspec.field(name="list")
    next_page_cursor: str | None = None


class AckedOrder(msgspec.Struct, rename="camel"):
    """``{"orderId":"1321003749386327552","orderLinkId":"tm..."}``: received, and nothing is decided yet."""

    order_id: str


class OrderRow(msgspec.Struct, rename="camel"):
    """An order, as the lists and the topic ``order`` show it.

    ``{"category":"linear","symbol":"BTCUSDT","orderId":"fd4300ae-7847-404e-b947-b46980a4d140","orderLinkId":"",
    "orderStatus":"Untriggered","cumExecQty":"0","stopOrderType":"StopLoss","triggerPrice":"47500.00",
    "parentOrderLinkId":"tm...e00", ...}``. A stop that is a price of the position has no name of ours.
    """

    order_id: str
    symbol: str
    order_status: str
    order_link_id: str = ""
    cum_exec_qty: float = 0.0
    stop_order_type: str = ""
    trigger_price: str = ""
    parent_order_link_id: str = ""
    reject_reason: str = ""
    category: str = LINEAR

    @property
    def why(self) -> str:
        """Return why the order was rejected, "" for one that was not."""
        return self.reject_reason if self.order_status == "Rejected" else ""

    @property
    def is_stop(self) -> bool:
        """Tell whether this is the stop of a position."""
        return self.stop_order_type == STOP_LOSS

    def state(self, client_id: str) -> OrderState:
        """Return what the row says. Raises: OutcomeUnknownError for a status that we do not know."""
        status = status_of(STATUSES, self.order_status)
        filled = finite(self.cum_exec_qty)
        return OrderState(client_id, self.symbol, self.order_id, status, filled, reason=self.why)


class ExecutionRow(msgspec.Struct, rename="camel"):
    """A trade of ours, as ``execution/list`` and the topic ``execution`` show it.

    ``{"category":"linear","symbol":"XRPUSDT","execFee":"0.00125696","execId":"ba509918-9526-5485-acbf-9dc2af25ae1e",
    "execPrice":"3.1424","execQty":"1","execType":"Trade","orderId":"c7cffe92-d5e1-403a-9e8b-3cb3508f7dcc",
    "orderLinkId":"","stopOrderType":"UNKNOWN","execTime":"1737725902941","isMaker":false,"seq":19371741293, ...}``.
    The trades of one match have one ``seq``.
    """

    exec_id: str
    order_id: str
    symbol: str
    exec_price: float
    exec_qty: float
    exec_fee: float
    exec_time: int
    is_maker: bool
    seq: int
    exec_type: str = "Trade"
    order_link_id: str = ""
    category: str = LINEAR

    @property
    def is_fill(self) -> bool:
        """Tell whether a position of ours changed."""
        return self.category == LINEAR and self.exec_type in FILLING

    @property
    def own_name(self) -> str:
        """Return the name that the row itself gives to its order, "" if it gives none."""
        if self.exec_type == "BustTrade":
            return f"{LIQUIDATED}{self.order_id}"
        if self.exec_type == "AdlTrade":
            return "adl_autoclose"
        if self.exec_type == "Delivery":
            return f"delivery_autoclose-{self.order_id}"
        return self.order_link_id

    def fill(self, client_id: str) -> VenueFill:
        """Return the trade under the name of the order that was sent."""
        price, quantity, fee = finite(self.exec_price), finite(self.exec_qty), finite(self.exec_fee)
        return VenueFill(
            self.exec_id, self.seq, client_id, self.symbol, self.exec_time, price, quantity, fee, self.is_maker
        )


class PositionRow(msgspec.Struct, rename="camel"):
    """``{"positionIdx":0,"symbol":"BTCUSDT","side":"Sell","size":"300","avgPrice":"27464.50441675", ...}``.

    ``side`` is empty when flat. ``positionIdx`` 1 and 2 are the two sides of hedge mode.
    """

    symbol: str
    side: str
    size: float
    avg_price: str = ""
    position_idx: int = 0


def position_of(symbol: str, rows: list[PositionRow]) -> Position:
    """Return the net position. Raises: OutcomeUnknownError for a side that we do not know."""
    for row in rows:
        if row.symbol == symbol and row.size:
            if row.side not in SIDES:
                raise OutcomeUnknownError(f"expected Buy or Sell as the side of {symbol}, was {row.side!r}")
            return Position(symbol, SIDES[row.side] * finite(row.size), number(row.avg_price))
    return Position(symbol, 0.0, 0.0)


class PriceFilter(msgspec.Struct, rename="camel"):
    """``{"minPrice":"0.1","maxPrice":"199999.8","tickSize":"0.10"}``."""

    tick_size: str


class LotSizeFilter(msgspec.Struct, rename="camel"):
    """``{"maxOrderQty":"100.0","minOrderQty":"0.001","qtyStep":"0.001","minNotionalValue":"5", ...}``."""

    qty_step: str
    min_notional_value: float


class InstrumentRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"BTCUSDT","status":"Trading","priceFilter":{...},"lotSizeFilter":{...}, ...}``."""

    symbol: str
    price_filter: PriceFilter
    lot_size_filter: LotSizeFilter
    status: str = "Trading"


class FeeRow(msgspec.Struct, rename="camel"):
    """``{"symbol":"ETHUSDT","takerFeeRate":"0.0006","makerFeeRate":"0.0001"}``."""

    symbol: str
    taker_fee_rate: float
    maker_fee_rate: float


class RiskRow(msgspec.Struct, rename="camel"):
    """``{"id":1,"symbol":"BTCUSD","maintenanceMargin":"0.5","initialMargin":"1","isLowestRisk":1,"maxLeverage":"100"}``.

    The margins are per cent or parts of one; which of them, the leverage says: it is the inverse of the initial one.
    """

    symbol: str
    maintenance_margin: float
    initial_margin: float
    max_leverage: float
    is_lowest_risk: int

    def maintenance(self) -> float:
        """Return the maintenance margin as a part of one. Raises: OutcomeUnknownError when it cannot be told."""
        whole = finite(self.initial_margin * self.max_leverage)
        for unit in (1.0, 100.0):
            if 0.5 * unit < whole < 1.5 * unit:
                return finite(self.maintenance_margin) / unit
        raise OutcomeUnknownError(
            f"{self.symbol}: expected an initial margin that is the inverse of the leverage {self.max_leverage:g}, "
            f"was {self.initial_margin:g}"
        )


def instrument_of(exchange: str, row: InstrumentRow, fees: FeeRow, risks: list[RiskRow]) -> Instrument:
    """Return one symbol's record. Raises: OutcomeUnknownError when a number that we need is missing."""
    lowest = next((one for one in risks if one.symbol == row.symbol and one.is_lowest_risk), None)
    if lowest is None:
        raise OutcomeUnknownError(f"{row.symbol}: expected a lowest risk limit, was none")
    try:
        tick, step = grid_of_text(row.price_filter.tick_size), grid_of_text(row.lot_size_filter.qty_step)
    except ValueError as error:
        raise OutcomeUnknownError(f"{row.symbol}: expected a tick and a step, was {error}") from error
    notional = finite(row.lot_size_filter.min_notional_value)
    taker, maker = finite(fees.taker_fee_rate), finite(fees.maker_fee_rate)
    return Instrument(exchange, row.symbol, tick, step, notional, taker, maker, lowest.maintenance())


class Frame(msgspec.Struct):
    """What a frame of the private stream is: an answer (``op``) or data (``topic``).

    ``{"success":true,"ret_msg":"","op":"auth","conn_id":"cejreaspqfh3sjdnldmg-p"}``,
    ``{"id":"592324...","topic":"order","creationTime":1672364262474,"data":[...]}``.
    """

    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    topic: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


def number(text: str) -> float:
    """Return the number in ``text``. Raises: OutcomeUnknownError when it is none."""
    try:
        return finite(float(text))
    except ValueError as error:
        raise OutcomeUnknownError(f"expected a number from the venue, was {text!r}") from error

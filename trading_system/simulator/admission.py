"""Whether an order may rest as it is asked for, by the price, the position and the money of the moment."""

from __future__ import annotations

from trading_system.rules.matching import OrderType, is_passed
from trading_system.simulator.books import Book
from trading_system.simulator.orders import OrderRequest, VenueOrder
from trading_system.simulator.refusals import Refusal, RefusedError

MARGIN_TOLERANCE = 1e-8  # the venue keeps money to eight decimals; a smaller shortage is none


def goes_off(kind: OrderType, side: int, trigger: float, price: float) -> bool:
    """Tell whether an order that waits for its price, a stop or a touch, would not wait at ``price``."""
    return is_passed(side if kind == OrderType.STOP else -side, trigger, price)


def require_allowed(
    book: Book, request: OrderRequest, available: float, *, instead_of: VenueOrder | None = None
) -> None:
    """Refuse an order that breaks a rule; ``available`` is the free part of the wallet, in quote currency.

    ``instead_of``: the open order that would be changed into this one.
    Raises: RefusedError with the first rule that is broken.
    """
    reducing = request.reduce_only or request.close_position
    if request.algo:
        _require_waiting(book, request, instead_of)
    elif reducing and book.position.side != -request.side:
        raise RefusedError(Refusal.NOTHING_TO_REDUCE)
    price = request.price or book.last
    for kind, carried in ((OrderType.STOP, request.stop), (OrderType.TOUCH, request.target)):
        if carried and goes_off(kind, -request.side, carried, price):
            raise RefusedError(Refusal.STOP_BEYOND_ENTRY, f"{carried:g}")
    if request.post_only and goes_off(OrderType.TOUCH, request.side, request.price, book.last):
        raise RefusedError(Refusal.WOULD_TAKE)
    if not reducing and price * request.quantity < book.instrument.min_notional:
        raise RefusedError(Refusal.TOO_SMALL, f"{book.instrument.min_notional:g}")
    if not reducing and not request.algo:
        opening = request.quantity - (book.position.held if book.position.side == -request.side else 0.0)
        freed = 0.0 if instead_of is None else instead_of.price * instead_of.quantity / book.leverage
        if price * opening / book.leverage > available + freed + MARGIN_TOLERANCE:
            raise RefusedError(Refusal.NO_MARGIN)


def _require_waiting(book: Book, request: OrderRequest, instead_of: VenueOrder | None) -> None:
    """Refuse a conditional order that would go off at once, and a second one that closes the whole position."""
    if goes_off(request.type, request.side, request.price, book.last):
        raise RefusedError(Refusal.STOP_PASSED, f"{request.price:g}")
    if request.close_position and any(
        order.close_position and order.side == request.side and order.type == request.type and order is not instead_of
        for order in book.open.values()
        if not order.entry
    ):
        raise RefusedError(Refusal.SECOND_CLOSING_STOP)

"""Which symbols a request speaks of."""

from __future__ import annotations

from collections.abc import Callable

from trading_system.simulator.books import Book
from trading_system.simulator.bybit_linear.frames import Json
from trading_system.simulator.bybit_linear.market_rows import base_of
from trading_system.simulator.bybit_linear.parameters import Params, required, text
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError
from trading_system.simulator.exchange import Exchange

CATEGORIES = frozenset({"spot", "linear", "inverse", "option"})


def nothing_elsewhere(answer: Callable[[Params], Json]) -> Callable[[Params], Json]:
    """Return an answer that is an empty list for the categories in which the account holds nothing."""

    def answered(params: Params) -> Json:
        category = required(params, "category")
        if category not in CATEGORIES:
            raise CodedRefusalError(10001, "category invalid")
        return answer(params) if category == "linear" else {"category": category, "list": [], "nextPageCursor": ""}

    return answered


def books_of(exchange: Exchange, params: Params) -> list[Book]:
    """Return the books of a symbol, of a base coin, of a settle coin, or all. Raises: RefusedError."""
    if text(params, "symbol"):
        return [exchange.book(text(params, "symbol"))]
    base, settle = text(params, "baseCoin"), text(params, "settleCoin")
    if settle not in {"", "USDT"}:
        return []
    return [book for book in exchange.books.values() if base in {"", base_of(book.instrument)}]

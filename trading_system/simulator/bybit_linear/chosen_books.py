"""Which symbols a request speaks of."""

from __future__ import annotations

from trading_system.simulator.books import Book
from trading_system.simulator.bybit_linear.market_rows import base_of
from trading_system.simulator.bybit_linear.parameters import Params, text
from trading_system.simulator.exchange import Exchange


def books_of(exchange: Exchange, params: Params) -> list[Book]:
    """Return the books of a symbol, of a base coin, of a settle coin, or all. Raises: RefusedError."""
    if text(params, "symbol"):
        return [exchange.book(text(params, "symbol"))]
    base, settle = text(params, "baseCoin"), text(params, "settleCoin")
    if settle not in {"", "USDT"}:
        return []
    return [book for book in exchange.books.values() if base in {"", base_of(book.instrument)}]

"""All that an exchange in memory remembers, as bytes: what a paper venue keeps on the disk between two lives.

Instruments and rules are not part of it; they come with the line that takes the exchange up again.
"""

# ruff: noqa: SLF001 - this is the exchange's own memory, written down

from __future__ import annotations

from typing import NamedTuple

import msgspec

from trading_system.rules.matching import Walk
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import Trade, VenueOrder


class BookState(NamedTuple):
    """One symbol: its open orders by number, the position, and where the path of the minute stands."""

    symbol: str
    leverage: int
    last: float
    open: tuple[int, ...]
    walk: Walk | None
    seen: int
    side: int
    units: int
    entry: float
    changed: int
    realised: float = 0.0


class ExchangeState(NamedTuple):
    """The account, its orders and trades so far, those forgotten counted only, and how far the market has come."""

    step: int
    now: int
    turn: int
    number: int
    wallet: float
    orders: list[VenueOrder]
    trades: list[Trade]
    books: list[BookState]
    forgotten: int = 0


class StateError(ValueError):
    """Bytes from which no exchange can be taken up."""


def pack_exchange(exchange: Exchange) -> bytes:
    """Return everything that ``exchange`` remembers."""
    books = [
        BookState(
            symbol,
            book.leverage,
            book.last,
            tuple(book.open),
            book.walk,
            book.seen,
            book.position.side,
            book.position.units,
            book.position.entry,
            book.position.changed,
            book.realised,
        )
        for symbol, book in exchange.books.items()
    ]
    progress = (exchange.step, exchange.now, exchange._turn, exchange.register.number, exchange.wallet)
    memory = (list(exchange.orders.values()), exchange.trades(), books, exchange.traded.forgotten)
    return msgspec.json.encode(ExchangeState(*progress, *memory))


def restore_exchange(exchange: Exchange, payload: bytes) -> None:
    """Make ``exchange``, which is new, what it was when ``payload`` was packed.

    Symbols may have come since, and flat ones may have gone.
    Raises: StateError when the bytes are of another version or of other symbols.
    """
    try:
        state = msgspec.json.decode(payload, type=ExchangeState)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"expected the state of a paper account of this version, was something else ({error})"
        ) from error
    kept_symbols = {book.symbol for book in state.books}
    held = {book.symbol for book in state.books if book.side or book.open}
    if kept_symbols.isdisjoint(exchange.books) or not held <= exchange.books.keys():
        raise StateError(f"expected a paper account of {' '.join(exchange.books)}, was one of other symbols")
    exchange.step, exchange.now, exchange.wallet = state.step, state.now, state.wallet
    played = [book.symbol for book in state.books][: state.turn]
    exchange._turn = sum(1 for symbol in exchange.books if played and symbol <= played[-1])
    exchange.register.restore(state.orders, state.number)
    exchange.traded.kept, exchange.traded.forgotten = list(state.trades), state.forgotten
    for kept in state.books:
        if kept.symbol not in exchange.books:  # flat, and traded no more
            continue
        book = exchange.books[kept.symbol]
        book.leverage, book.last, book.walk, book.seen = kept.leverage, kept.last, kept.walk, kept.seen
        book.open = {number: exchange.orders[number] for number in kept.open}
        book.realised, position = kept.realised, book.position
        position.side, position.units, position.entry, position.changed = (
            kept.side,
            kept.units,
            kept.entry,
            kept.changed,
        )
        book.resting = None

"""Fetched minutes as the history of a symbol: whole from one instant to another, or one sentence with the command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trading_system.research.candle_columns import CandleColumns
from trading_system.research.candle_inputs import CandleInputs, InputError, joined
from trading_system.research.fetched.errors import NotFetchedError, command_for, written
from trading_system.research.fetched.minutes import VALUES, Minutes, months_of
from trading_system.research.fetched.shelf import Shelf
from trading_system.research.history import History, history_of
from trading_system.research.instrument import InstrumentDefaults, InstrumentError, instrument_of
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.settings import Settings


class Market(NamedTuple):
    """Fetched minutes of several symbols as one account's market.

    ``begins``: open time of the first minute of a symbol that the exchange lists later than asked for, ms UTC.
    ``other_grid``: symbols whose kept filters do not fit to all their prices, so that the prices decide.
    """

    inputs: CandleInputs
    begins: dict[str, int]
    other_grid: tuple[str, ...]


def fetched_market(
    shelf: Shelf,
    symbols: Sequence[str],
    settings: Settings,
    instrument_file: Path | None = None,
    *,
    first: int | None = None,
    until: int | None = None,
) -> Market:
    """Return what was fetched of ``symbols`` at the exchange of the settings, between two instants (ms UTC).

    Without ``first`` it begins with the first month that all have, without ``until`` it ends where the first of them
    ends. Raises: NotFetchedError, DamagedMonthError; HistoryError, InstrumentError, InputError as for files.
    """
    if not symbols or len(set(symbols)) != len(symbols):
        raise InputError(f"expected fetched symbols, each once, was {' '.join(symbols) or 'no symbol'}; give --symbol")
    first, until = _span(shelf, symbols, settings.exchange, first, until)
    histories: list[tuple[Instrument, History]] = []
    begins: dict[str, int] = {}
    other: list[str] = []
    for symbol in symbols:
        history = fetched_history(shelf, settings.exchange, symbol, first, until, among=symbols)
        start = int(history.candles["open_time"][0])
        if start > first:
            begins[symbol] = start
        record, fits = _instrument(shelf, history, settings, symbol, instrument_file)
        if not fits:
            other.append(symbol)
        histories.append((record, history))
    return Market(joined(histories, settings), begins, tuple(other))


def fetched_history(
    shelf: Shelf,
    exchange: str,
    symbol: str,
    first: int | None = None,
    until: int | None = None,
    *,
    among: Sequence[str] = (),
) -> History:
    """Return the fetched minutes of ``symbol`` between two instants (ms UTC; None: the first, the last there is).

    among: the symbols that the command in an error names. Raises: NotFetchedError, DamagedMonthError, HistoryError.
    """
    first, until = _span(shelf, [symbol], exchange, first, until)
    among = among or [symbol]
    minutes = Minutes.none()
    for month in months_of(first, until):
        stored = shelf.read(exchange, symbol, month)
        end = min(month.end, until)
        got = month.start if stored is None else stored.until
        if stored is None or got < end:
            lacks = f"from {written(max(got, first))} to {written(end)}"
            raise NotFetchedError(symbol, exchange, lacks, command_for(exchange, among, first, until))
        minutes = minutes.then(stored.minutes.between(first, end))
    if not len(minutes.times):
        lacks = f"that it traded from {written(first)} to {written(until)}"
        raise NotFetchedError(symbol, exchange, lacks, command_for(exchange, among, until))
    folder = shelf.folder / exchange / symbol
    columns = CandleColumns(
        folder, minutes.times, {name: minutes.values[:, n].copy() for n, name in enumerate(VALUES)}, lambda row: row + 1
    )
    return history_of(columns, symbol, MINUTE_MS)


def _span(shelf: Shelf, symbols: Sequence[str], exchange: str, first: int | None, until: int | None) -> tuple[int, int]:
    """Return the bounds, those not given by what all symbols have. Raises: NotFetchedError, DamagedMonthError."""
    if first is not None and until is not None:
        return first, until
    starts, ends = [], []
    for symbol in symbols:
        months = shelf.months(exchange, symbol)
        if not months:
            raise NotFetchedError(symbol, exchange, "at all", command_for(exchange, symbols, first, until))
        last = shelf.read(exchange, symbol, months[-1])
        starts.append(months[0].start)
        ends.append(months[-1].end if last is None else last.until)
    return (max(starts) if first is None else first), (min(ends) if until is None else until)


def _instrument(
    shelf: Shelf, history: History, settings: Settings, symbol: str, given: Path | None
) -> tuple[Instrument, bool]:
    """Return the record by the file given, else by the exchange's own filters where all prices lie on its tick."""
    venue = settings.venue
    defaults = InstrumentDefaults(venue.min_notional, venue.taker_fee, venue.maker_fee, venue.maintenance_margin)
    own = shelf.instrument_file(settings.exchange, symbol) if given is None else None
    if own is not None:
        try:
            return instrument_of(history, settings.exchange, symbol, defaults, own), True
        except InstrumentError:
            # The exchange has changed its tick since: the prices tell the one of their time.
            return instrument_of(history, settings.exchange, symbol, defaults), False
    return instrument_of(history, settings.exchange, symbol, defaults, given), True

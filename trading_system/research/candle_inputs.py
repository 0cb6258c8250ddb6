"""What a replay and a backtest are fed with: candle files cut to one common span that begins at the origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trading_system.research.history import Gap, History, load_candles
from trading_system.research.instrument import InstrumentDefaults, instrument_of
from trading_system.rules.grid import Instrument
from trading_system.rules.intervals import interval_ms, interval_name, origin_of
from trading_system.rules.roster import Member
from trading_system.rules.symbols import checked_symbol
from trading_system.settings import Settings


class InputError(ValueError):
    """Candle files that do not make a run."""


@dataclass(frozen=True, eq=False)
class CandleInputs:
    """One account's market: instruments in the order (exchange, symbol), candles from the common origin on.

    ``dropped`` counts the rows before the origin and after the common end, by symbol. ``members``: of a line whose
    symbols changed while it ran, each one's own history and stays.
    """

    instruments: tuple[Instrument, ...]
    candles: dict[str, npt.NDArray[Any]]  # CANDLE[n], all over the same minutes, absent ones as GAP
    base: int
    origin: int
    dropped: dict[str, int]
    gaps: dict[str, tuple[Gap, ...]]
    members: Mapping[str, Member] = field(default_factory=dict)

    @property
    def minutes(self) -> int:
        """How many steps each symbol has."""
        return len(self.candles[self.instruments[0].symbol])

    def moved_by(self, ms: int) -> CandleInputs:
        """Return the same market ``ms`` later (whole minutes); where its gaps were in the files is not told again."""
        candles = {symbol: rows.copy() for symbol, rows in self.candles.items()}
        for rows in candles.values():
            rows["open_time"] += ms
        return replace(self, candles=candles, origin=self.origin + ms, gaps=dict.fromkeys(candles, ()))


def read_inputs(
    files: Sequence[Path],
    symbols: Sequence[str],
    settings: Settings,
    instrument_file: Path | None = None,
    *,
    first: int | None = None,
    last: int | None = None,
) -> CandleInputs:
    """Read ``files`` as the candles of ``symbols``, those between the instants ``first`` and ``last`` (ms UTC) only.

    Raises: HistoryError, InstrumentError for a file; SymbolError; InputError when they do not fit together.
    """
    if len(files) != len(symbols) or len(set(symbols)) != len(symbols):
        raise InputError(
            f"expected one --symbol for each candle file and no symbol twice, was {len(files)} files for "
            f"{' '.join(symbols) or 'no symbol'}"
        )
    venue = settings.venue
    defaults = InstrumentDefaults(venue.min_notional, venue.taker_fee, venue.maker_fee, venue.maintenance_margin)
    read: list[tuple[Instrument, History]] = []
    for file, symbol in zip(files, map(checked_symbol, symbols), strict=True):
        history = load_candles(file, symbol, first=first, last=last)
        read.append((instrument_of(history, settings.exchange, symbol, defaults, instrument_file), history))
    return joined(read, settings)


def joined(read: Sequence[tuple[Instrument, History]], settings: Settings) -> CandleInputs:
    """Return the histories of one account's instruments as its market. Raises: InputError when they do not fit."""
    bases = {history.base_interval for _, history in read}
    if len(bases) != 1:
        raise InputError(f"expected files of one interval, was {sorted(interval_name(base) for base in bases)}")
    longest = interval_ms(settings.higher_interval or settings.signal_interval)
    instruments = sorted((one for one, _ in read), key=lambda one: (one.exchange, one.symbol))
    candles = {one.symbol: history.candles for one, history in read}
    gaps = {one.symbol: history.gaps for one, history in read}
    return _cut(tuple(instruments), candles, bases.pop(), longest, gaps)


def inputs_of(
    instruments: Sequence[Instrument], candles: dict[str, npt.NDArray[Any]], settings: Settings
) -> CandleInputs:
    """Return minutes that are at hand already, e.g. of the synthetic market, as inputs."""
    longest = interval_ms(settings.higher_interval or settings.signal_interval)
    ordered = tuple(sorted(instruments, key=lambda one: (one.exchange, one.symbol)))
    return _cut(ordered, candles, interval_ms("1m"), longest, {one.symbol: () for one in instruments})


def _cut(
    instruments: tuple[Instrument, ...],
    candles: dict[str, npt.NDArray[Any]],
    base: int,
    longest: int,
    gaps: dict[str, tuple[Gap, ...]],
) -> CandleInputs:
    first = max(int(one["open_time"][0]) for one in candles.values())
    last = min(int(one["open_time"][-1]) for one in candles.values())
    if first + 2 * longest > last:
        raise InputError(
            f"expected at least two {interval_name(longest)} candles that all files cover, was "
            f"{max((last - first) // base + 1, 0)} common rows; give longer files or a shorter higher_interval"
        )
    origin = origin_of((first, last), longest)
    cut: dict[str, npt.NDArray[Any]] = {}
    dropped: dict[str, int] = {}
    for symbol, rows in candles.items():
        inside = (rows["open_time"] >= origin) & (rows["open_time"] <= last)
        cut[symbol] = np.ascontiguousarray(rows[inside])
        dropped[symbol] = int(np.count_nonzero(~inside & (rows["gap"] == 0)))
    return CandleInputs(instruments, cut, base, origin, dropped, gaps)

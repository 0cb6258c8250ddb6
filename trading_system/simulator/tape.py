"""One symbol's minutes as the venue knows them, read by step; which of them are over yet is the exchange's business.

A ``Tape`` holds all of them from the start, a ``LiveTape`` is told each one when it closes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.rules.matching import MINUTE_MS, Minute

_CHUNK = 2048


class TapeError(ValueError):
    """Candles that no exchange can play: the sentence says what was expected."""


class Row(NamedTuple):
    """One minute: open time in ms UTC, prices, volume, and ``gap`` 1 when the venue has no such minute."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    gap: int

    @property
    def minute(self) -> Minute:
        """The minute as matching walks it."""
        return Minute(self.open_time, self.open, self.high, self.low, self.close, bool(self.gap))


class Tape:
    """All minutes of one symbol, one step after the other without a hole.

    candles: records CANDLE[n], ascending, one a minute; a minute that the venue lacks carries ``gap``.
    Raises: TapeError when there are none, when a step is missing, or when none has prices.
    """

    def __init__(self, symbol: str, candles: npt.NDArray[np.void]) -> None:
        if not len(candles):
            raise TapeError(f"{symbol}: expected at least one minute of candles, was none")
        times = candles["open_time"]
        if times[0] % MINUTE_MS or not (np.diff(times) == MINUTE_MS).all():
            raise TapeError(f"{symbol}: expected one candle for every minute; give the missing ones as gaps")
        if candles["gap"].all():
            raise TapeError(f"{symbol}: expected a minute with prices, was gaps only")
        self.symbol = symbol
        self.first = int(times[0]) // MINUTE_MS + 1
        self.last = self.first + len(candles) - 1
        self._candles = candles
        self._chunks: dict[int, list[Row]] = {}

    def row(self, step: int) -> Row:
        """Return the minute that closes with ``step``, which lies between ``first`` and ``last``."""
        number, place = divmod(step - self.first, _CHUNK)
        chunk = self._chunks.get(number)
        if chunk is None:
            if len(self._chunks) > 8:
                self._chunks.clear()
            part = self._candles[number * _CHUNK : (number + 1) * _CHUNK]
            chunk = self._chunks[number] = [Row._make(values) for values in part.tolist()]
        return chunk[place]

    def price_after(self, step: int) -> float:
        """Return the last price at the end of ``step``: the newest close, or the first open if there was none yet."""
        for known in range(min(step, self.last), self.first - 1, -1):
            if not self.row(known).gap:
                return self.row(known).close
        return next(row.open for row in map(self.row, range(self.first, self.last + 1)) if not row.gap)


class LiveTape:
    """One symbol's minutes that are not known before they close: only the one that is being played is here.

    ``first`` is the step after the one that is closed when the venue opens; there is no last one.
    """

    last = 1 << 62

    def __init__(self, first: int) -> None:
        self.first = first
        self._row = Row(0, 0.0, 0.0, 0.0, 0.0, 0.0, 1)

    def give(self, minute: Minute) -> None:
        """Make ``minute`` the one that is played next."""
        open_time, open_, high, low, close, gap = minute
        self._row = Row(open_time, open_, high, low, close, 0.0, int(gap))

    def row(self, step: int) -> Row:
        """Return the minute that closes with ``step``. Raises: TapeError when it was not given."""
        if self._row.open_time // MINUTE_MS + 1 != step:
            raise TapeError(f"expected the minute of step {step} to be given, was {self._row.open_time} ms")
        return self._row

    def price_after(self, step: int) -> float:
        """Return 0.0: no price is known before the first minute."""
        del step
        return 0.0

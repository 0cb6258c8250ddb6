"""Closed minutes by REST: the history at a start, and the holes that a socket left.

The exchange's newest row is the running minute and is not marked as such, so a row counts as closed only when a newer
one exists. A minute that is missing between two rows of one answer is proven not to exist.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import aiohttp

from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle

ROWS_A_CALL = 1500
ATTEMPTS = 5
FIRST_WAIT_S = 0.2
DEADLINE_S = 10.0
LONGEST_GAP_MS = 400 * 86_400_000


class HistoryUnavailableError(RuntimeError):
    """The exchange did not give closed minutes that can be trusted."""


class Klines:
    """The klines endpoint of Binance USDT-M.

    Row: ``[openTime, "open", "high", "low", "close", "volume", closeTime, ...]``, ascending, at most 1500 a call.
    """

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._url = f"{base_url}/fapi/v1/klines"

    async def closed_from(self, symbol: str, start: int) -> list[ClosedCandle]:
        """Return the closed minutes from ``start`` (ms UTC) on, gaps named, as many as one call gives.

        Raises: HistoryUnavailableError after several attempts.
        """
        params = {"symbol": symbol, "interval": "1m", "startTime": str(start), "limit": str(ROWS_A_CALL)}
        wait = FIRST_WAIT_S
        for attempt in range(ATTEMPTS):
            try:
                timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
                async with self._http.get(self._url, params=params, timeout=timeout) as answer:
                    if answer.status == 200:
                        return closed_rows(await answer.json(content_type=None), start)
                    problem = f"HTTP {answer.status}: {(await answer.text())[:120]}"
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                problem = f"{type(error).__name__}: {error}"
            if attempt + 1 < ATTEMPTS:
                await asyncio.sleep(wait)
                wait *= 2
        raise HistoryUnavailableError(
            f"{symbol}: expected closed minutes from {start} at {self._url}, was {problem} after {ATTEMPTS} attempts; "
            "the feed tries again at the next sign of life"
        )


def closed_rows(rows: Sequence[Sequence[Any]], start: int) -> list[ClosedCandle]:
    """Return the closed minutes of an answer that was asked for ``start`` on; skipped minutes become gaps.

    Raises: ValueError when a row is not a sane candle, or the answer no list of rows.
    """
    if not isinstance(rows, list):
        raise ValueError(f"expected a list of rows, was {str(rows)[:80]}")  # noqa: TRY004 - one error for a bad answer
    closed: list[ClosedCandle] = []
    expected = start
    for row in rows[:-1]:
        candle = _candle(row)
        if candle.open_time < expected:
            raise ValueError(f"expected rows ascending from {expected}, was {candle.open_time}")
        _fill_gaps(closed, expected, candle.open_time)
        closed.append(candle)
        expected = candle.open_time + MINUTE_MS
    if rows:  # the running minute proves that the ones before it are over, though it is not over itself
        _fill_gaps(closed, expected, _candle(rows[-1]).open_time)
    return closed


def _fill_gaps(closed: list[ClosedCandle], start: int, end: int) -> None:
    if end - start > LONGEST_GAP_MS:
        raise ValueError(f"expected the next minute within 400 days of {start}, was {end}")
    closed.extend(ClosedCandle(time, 0.0, 0.0, 0.0, 0.0, 0.0, gap=True) for time in range(start, end, MINUTE_MS))


def _candle(row: Sequence[Any]) -> ClosedCandle:
    try:
        open_time, *texts = row[:6]
        open_, high, low, close, volume = numbers = [float(text) for text in texts]
    except (TypeError, ValueError, LookupError):
        raise ValueError(f"expected a candle's row, was {str(row)[:80]}") from None
    sane = low <= min(open_, close) and high >= max(open_, close) and low > 0 and volume >= 0
    on_time = type(open_time) is int and open_time % MINUTE_MS == 0
    if not on_time or not all(map(math.isfinite, numbers)) or not sane:
        raise ValueError(f"expected a sane candle, was {list(row[:6])}")
    return ClosedCandle(open_time, open_, high, low, close, volume)

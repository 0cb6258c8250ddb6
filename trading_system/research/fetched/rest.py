"""Minutes by an exchange's REST, closed and proven, as far as it has them."""

from __future__ import annotations

from typing import NamedTuple

from trading_system.research.fetched.minutes import Minutes
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle, Read, settle
from trading_system.venues.market_port import ClosedMinutes


class Answered(NamedTuple):
    """Minutes, and the first instant (ms UTC) about which nothing is proven: what is missing before it is a gap."""

    minutes: Minutes
    until: int


async def minutes_by_rest(market: ClosedMinutes, symbol: str, first: int, until: int, now: int) -> Answered:
    """Return the closed minutes from ``first`` to ``until``; ``now``: the exchange's time, or earlier (ms UTC).

    A minute that is missing is asked for twice before it counts as a gap; the running minute never counts.
    Raises: MarketError.
    """
    rows: list[ClosedCandle] = []
    at = first
    while at < until:
        read = Read(await market.minutes(symbol, at), now)
        settled = settle(at, read, None)
        if settled.unproven_gap is not None:
            settled = settle(at, Read(await market.minutes(symbol, at), now), read)
        if not settled.closed:
            break
        rows += [row for row in settled.closed if row.open_time < until]
        at = min(until, settled.closed[-1].open_time + MINUTE_MS)
    return Answered(Minutes.of_rows(rows), at)


async def oldest_minute(market: ClosedMinutes, symbol: str) -> int | None:
    """Return the open time of the first minute of all, None where the exchange answers only about windows of time.

    Raises: MarketError.
    """
    rows = (await market.minutes(symbol, 0, 1)).rows
    return rows[0].open_time if rows else None

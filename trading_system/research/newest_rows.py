"""What the market of a line is like now, as rows for a person: last close, and the live order block on each side.

Each row says the minute of its price, so that an old one is seen to be old.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trading_system.contracts import OrderBlockDTO, from_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.services.newest import SIDES, Newest
from trading_system.services.room import closing_step

Row = dict[str, Any]


async def newest_rows(newest: Newest, symbols: Sequence[str], step: int) -> list[Row]:
    """Return one row a symbol; what there is none of is None. Prices are in quote currency, times texts in UTC.

    step: the account's last closed step; a fact kept before it is read from the store. Raises: StoreError.
    """
    return [await _row(newest, symbol, step) for symbol in symbols]


async def _row(newest: Newest, symbol: str, step: int) -> Row:
    candle = await newest.candle(symbol, step)
    minute = None if candle is None else from_ms(closing_step(candle) * MINUTE_MS).strftime("%Y-%m-%d %H:%M")
    blocks = {f"{side}_block": _block(await newest.order_block(symbol, side)) for side in SIDES}
    return {"symbol": symbol, "last": None if candle is None else candle["close"], "last_minute": minute, **blocks}


def _block(word: OrderBlockDTO | None) -> Row | None:
    if word is None:
        return None
    return {name: word[name] for name in ("bottom", "top", "interval", "state")}

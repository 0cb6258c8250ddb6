"""The account and the newest prices as the store has them, for everyone who shows them: nothing is written here."""

from __future__ import annotations

from typing import NamedTuple

from trading_system.contracts import CandleDTO, to_candle
from trading_system.rules.account import Account
from trading_system.rules.fact_record import unpack_account
from trading_system.services.room import CANDLES, EXECUTION, SNAPSHOT, WHOLE_ACCOUNT
from trading_system.store.port import Store, Stream


class StoredAccount(NamedTuple):
    """The account after ``step``, its last closed step; both None before execution closed the first."""

    step: int | None
    account: Account | None


class NewestMinute(NamedTuple):
    """``head``: the last step whose candles are stored, or None; ``candle``: its minute, None where there is none."""

    head: int | None
    candle: CandleDTO | None


async def stored_account(store: Store, exchange: str) -> StoredAccount:
    """Read the account. Its slots' prices may be older than ``step``: they are the candles'. Raises: StoreError."""
    step = await store.head(Stream(EXECUTION, exchange, WHOLE_ACCOUNT))
    snapshot = await store.document(SNAPSHOT, exchange)
    return StoredAccount(step, None if snapshot is None else unpack_account(snapshot[1]))


async def newest_minute(store: Store, exchange: str, symbol: str) -> NewestMinute:
    """Read the newest closed minute of ``symbol``. Raises: StoreError."""
    stream = Stream(CANDLES, exchange, symbol)
    newest = [to_candle(row.payload) for row in await store.last(stream, 1)]
    minutes = [candle for candle in newest if candle.get("interval", "1m") == "1m"]
    return NewestMinute(await store.head(stream), minutes[-1] if minutes else None)

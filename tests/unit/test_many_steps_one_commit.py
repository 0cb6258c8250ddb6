"""Several steps of a stream in one transaction of the SQLite store: its head is written once, and is never wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_system.store.errors import HeadMovedError
from trading_system.store.port import Row, Stream
from trading_system.store.sqlite import SqliteStore

CANDLES = Stream("candles", "binance_usdm", "BTCUSDT")


async def test_another_connection_sees_the_newest_of_many_steps_after_one_commit(tmp_path: Path) -> None:
    writer = SqliteStore(tmp_path / "store.db")
    reader = SqliteStore(tmp_path / "store.db", read_only=True)
    await writer.append(CANDLES, 1, [b"a"], after=None)
    await writer.append(CANDLES, 2, [b"b"], after=1)
    await writer.append(CANDLES, 5, [], after=2)
    assert (await writer.head(CANDLES), await reader.head(CANDLES)) == (5, None)
    await writer.commit()
    assert (await writer.head(CANDLES), await reader.head(CANDLES)) == (5, 5)
    assert await reader.read(CANDLES, None, 9) == [Row(1, 0, b"a"), Row(2, 0, b"b")]
    await reader.close()
    await writer.close()


async def test_a_stale_append_within_the_transaction_leaves_the_newest_head(tmp_path: Path) -> None:
    writer = SqliteStore(tmp_path / "store.db")
    await writer.append(CANDLES, 1, [b"a"], after=None)
    await writer.append(CANDLES, 2, [b"b"], after=1)
    with pytest.raises(HeadMovedError, match="expected step 1, was step 2"):
        await writer.append(CANDLES, 3, [b"stale"], after=1)
    await writer.commit()
    await writer.close()
    again = SqliteStore(tmp_path / "store.db")
    assert await again.head(CANDLES) == 2
    assert [row.payload for row in await again.read(CANDLES, None, 9)] == [b"a", b"b"]
    await again.close()


async def test_a_rollback_forgets_heads_that_were_not_written_yet(tmp_path: Path) -> None:
    writer = SqliteStore(tmp_path / "store.db")
    await writer.append(CANDLES, 1, [b"a"], after=None)
    await writer.commit()
    for step in (2, 3, 4):
        await writer.append(CANDLES, step, [b"gone"], after=step - 1)
    await writer.rollback()
    assert await writer.head(CANDLES) == 1
    await writer.append(CANDLES, 2, [b"b"], after=1)
    await writer.commit()
    assert await writer.head(CANDLES) == 2
    await writer.close()

"""The account as the store keeps it, and what has happened in a step that is not over yet.

A step's facts become rows when it closes. What is decided within a step and must survive it (a person's command) is
kept with the facts that led to it, until the step writes them.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from trading_system.rules.account import Account
from trading_system.rules.fact_record import pack_account, pack_running, unpack_account, unpack_running
from trading_system.rules.facts import Fact
from trading_system.rules.matching import Order
from trading_system.services.execution_engine.journal_records import Booked
from trading_system.services.execution_engine.steps import same_but_prices
from trading_system.services.room import SNAPSHOT
from trading_system.store.port import Store

BOOKED = "booked"  # by symbol, up to which trade the snapshot holds
RUNNING = "running"
NOTHING = b""
_booked = msgspec.json.Decoder(dict[str, Booked | int] | int)


class Kept(NamedTuple):
    """What an earlier life has left. ``facts`` of the running step are in no row yet; ``orders`` they may speak of.

    ``booked``: by symbol, up to where the trades are in the account; the earliest version kept the journal's own
    number of the last one instead.
    """

    account: Account
    booked: dict[str, Booked] | int
    facts: list[Fact]
    orders: list[Order]


class Snapshot:
    """The documents of one account; the caller commits."""

    def __init__(self, store: Store, exchange: str) -> None:
        """Keep where to write."""
        self._store = store
        self._exchange = exchange
        self._kept: Account | None = None
        self._is_running = False

    async def load(self) -> Kept | None:
        """Return what is kept, None for an account that never traded. Raises: UnreadableRecordError; StoreError."""
        account = await self._store.document(SNAPSHOT, self._exchange)
        if account is None:
            return None
        booked = await self._store.document(BOOKED, self._exchange)
        running = await self._store.document(RUNNING, self._exchange)
        self._kept = unpack_account(account[1])
        self._is_running = running is not None and running[1] != NOTHING
        facts, orders = unpack_running(running[1]) if running is not None and self._is_running else ([], [])
        return Kept(self._kept, {} if booked is None else _booked_of(booked[1]), facts, orders)

    def is_due(self, account: Account) -> bool:
        """Tell whether the account differs from what is kept by more than prices."""
        return self._kept is None or not same_but_prices(account, self._kept)

    async def close(self, step: int, account: Account, booked: dict[str, Booked]) -> None:
        """Keep the account as ``step`` leaves it, whose facts are rows now."""
        if self._is_running:
            await self._store.put_document(RUNNING, self._exchange, step, NOTHING)
            self._is_running = False
        if self.is_due(account):
            await self._write(step, account, booked)

    async def within(self, step: int, kept: Kept) -> None:
        """Keep the account as it stands after ``step`` in the middle of the next one, with that one's facts so far."""
        await self._store.put_document(RUNNING, self._exchange, step, pack_running(kept.facts, kept.orders))
        self._is_running = True
        await self._write(step, kept.account, kept.booked)

    async def _write(self, step: int, account: Account, booked: dict[str, Booked] | int) -> None:
        await self._store.put_document(SNAPSHOT, self._exchange, step, pack_account(account))
        await self._store.put_document(BOOKED, self._exchange, step, msgspec.json.encode(booked))
        self._kept = account


def _booked_of(document: bytes) -> dict[str, Booked] | int:
    """Return what is kept; versions that knew one venue kept the last trade's id, which was its number as well."""
    kept = _booked.decode(document)
    if isinstance(kept, int):
        return kept
    return {symbol: Booked(one, (str(one),)) if isinstance(one, int) else one for symbol, one in kept.items()}

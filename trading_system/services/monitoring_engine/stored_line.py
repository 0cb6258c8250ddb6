"""What the store says of a line: account, newest minutes, how far each room has come, and counts of all facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trading_system.rules.account import Account
from trading_system.rules.fact_record import unpack_fact
from trading_system.rules.roster import roster_of_names
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.monitoring_engine.view import Tallies
from trading_system.services.room import CANDLES, EXECUTION, HIGHS_LOWS, STRATEGY, WHOLE_ACCOUNT
from trading_system.services.stored_account import NewestMinute, newest_minute, stored_account
from trading_system.store.port import Store, Stream

ROOMS: Mapping[str, str] = {"indicator_engine": HIGHS_LOWS, "strategy_engine": STRATEGY, "execution_engine": EXECUTION}
"""The services whose progress is the head of a stream, with the kind of that stream."""

STEPS_A_READ = 20_000


class Stored(NamedTuple):
    """One reading. ``heads``: the last step of each symbol's candles; ``closes``: last prices of those that have one.

    ``symbols``: in the order of the account's slots.
    ``lags``: by how many steps each room is behind the feed, by the symbol for which it is furthest behind.
    """

    step: int | None
    account: Account | None
    symbols: Sequence[str]
    heads: Mapping[str, int | None]
    closes: Mapping[str, float]
    lags: Mapping[str, int]


class StoredLine:
    """Reads one line again and again; facts are counted once.

    ``origins``: the step before the first, by symbol, of those with which the line began.
    """

    def __init__(self, store: Store, exchange: str, origins: Mapping[str, int]) -> None:
        self._store = store
        self._exchange = exchange
        self._symbols = LineSymbols(store, exchange, roster_of_names(origins))
        self._minutes: dict[str, NewestMinute] = {}
        self._counted: int | None = None  # the step up to which facts are counted
        self.tallies = Tallies()

    async def read(self) -> Stored:
        """Read everything that changes. Raises: StoreError."""
        step, account = await stored_account(self._store, self._exchange)
        await self._count(step)
        if account is not None:
            account = await self._symbols.slots_of(account)
        minutes = {symbol: await self._minute(symbol) for symbol in self._symbols.traded}
        heads = {symbol: one.head for symbol, one in minutes.items()}
        closes = {symbol: one.candle["close"] for symbol, one in minutes.items() if one.candle is not None}
        lags = {service: await self._lag(kind, heads) for service, kind in ROOMS.items()}
        return Stored(step, account, self._symbols.places, heads, closes, lags)

    async def _minute(self, symbol: str) -> NewestMinute:
        """Return the newest minute, read anew when the feed has moved since the last reading."""
        known = self._minutes.get(symbol)
        if known is None or known.head != await self._store.head(Stream(CANDLES, self._exchange, symbol)):
            known = self._minutes[symbol] = await newest_minute(self._store, self._exchange, symbol)
        return known

    async def _lag(self, kind: str, heads: Mapping[str, int | None]) -> int:
        lag = 0
        for symbol, feed in heads.items():
            stream = Stream(kind, self._exchange, WHOLE_ACCOUNT if kind == EXECUTION else symbol)
            done, origin = await self._store.head(stream), self._symbols.roster.members[symbol].origin
            lag = max(lag, (origin if feed is None else feed) - (origin if done is None else done))
        return lag

    async def _count(self, step: int | None) -> None:
        """Count the facts of the steps since the last reading."""
        stream = Stream(EXECUTION, self._exchange, WHOLE_ACCOUNT)
        while step is not None and (self._counted is None or self._counted < step):
            first = self._symbols.roster.origin if self._counted is None else self._counted
            upto = min(first + STEPS_A_READ, step)
            rows = await self._store.read(stream, first, upto)
            self.tallies.add(unpack_fact(row.payload) for row in rows)
            self._counted = upto

"""The newest facts for whoever shows them: out of the cache in one call each, out of the store where it has none.

What the cache holds may be late or forged, so nothing that trades reads it: a fact of another line, or one older than
the step its reader knows of, is not taken for the newest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from trading_system.bus.errors import BusServerError
from trading_system.contracts import (
    ACCOUNT_KEY,
    AccountDTO,
    CandleDTO,
    ContractError,
    HighLowDTO,
    OrderBlockDTO,
    PositionDTO,
    last_candle_key,
    last_hl_key,
    nearest_order_block_key,
    position_key,
    to_account,
    to_candle,
    to_high_low,
    to_order_block,
    to_position,
    to_step,
)
from trading_system.rules.account import Account, Terms
from trading_system.rules.account_words import account_dto, position_dto
from trading_system.rules.holdings import Holding, holdings
from trading_system.rules.live_blocks import LIVE, LiveBlocks
from trading_system.rules.roster import new_roster
from trading_system.rules.words import event_of
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.room import HIGHS_LOWS, STRATEGY, Letterbox, closing_step
from trading_system.services.stored_account import newest_minute, stored_account
from trading_system.store.port import Stream

log = logging.getLogger(__name__)

Word = TypeVar("Word")
BlockSide = Literal["long", "short"]
SIDES: tuple[BlockSide, ...] = ("long", "short")


class Newest:
    """Reads what is newest of one line; every method returns None where there is nothing yet, or no position.

    ``terms`` are those with which the line began.
    ``since``: a step that the reader knows to be done; a fact kept before it is late, and the store is asked instead.

    Raises: StoreError when the store, too, cannot be read.
    """

    def __init__(self, letterbox: Letterbox, terms: Terms) -> None:
        self._letterbox = letterbox
        self._terms = terms
        self._exchange = terms.instruments[0].exchange
        self._symbols = LineSymbols(letterbox.store, self._exchange, new_roster(0, terms.instruments))

    async def candle(self, symbol: str, since: int = 0) -> CandleDTO | None:
        """Return the newest closed minute."""

        def is_it(one: CandleDTO) -> bool:
            minute = one.get("interval", "1m") == "1m" and one.get("closed", True)
            return minute and self._is_of(one, symbol) and closing_step(one) >= since

        kept = await self._kept(last_candle_key(symbol), to_candle, is_it)
        return kept or (await newest_minute(self._letterbox.store, self._exchange, symbol)).candle

    async def high_low(self, symbol: str) -> HighLowDTO | None:
        """Return the newest swing of any interval."""
        kept = await self._kept(last_hl_key(symbol), to_high_low, lambda one: self._is_of(one, symbol))
        if kept is not None:
            return kept
        rows = await self._letterbox.store.last(Stream(HIGHS_LOWS, self._exchange, symbol), 1)
        swings = to_step(rows[-1].payload).get("swings", ()) if rows else ()
        return swings[-1] if swings else None

    async def order_block(self, symbol: str, side: BlockSide) -> OrderBlockDTO | None:
        """Return the live order block nearest to the last price on ``side``, of any interval."""
        direction = 1 if side == "long" else -1

        def is_it(one: OrderBlockDTO) -> bool:
            return self._is_of(one, symbol) and one["direction"] == direction and one["state"] in LIVE

        kept = await self._kept(nearest_order_block_key(symbol, side), to_order_block, is_it)
        if kept is not None:
            return kept
        last = await self.candle(symbol)
        stream = Stream(STRATEGY, self._exchange, symbol)
        head = await self._letterbox.store.head(stream)
        if last is None or head is None:
            return None
        blocks = LiveBlocks()
        for row in await self._letterbox.store.read(stream, None, head):
            blocks.see(map(event_of, to_step(row.payload).get("events", ())))
        nearest = blocks.nearest(direction, last["close"])
        return None if nearest is None else nearest.word()

    async def position(self, symbol: str) -> PositionDTO | None:
        """Return the open position on ``symbol``."""
        kept = await self._kept(position_key(symbol), to_position, lambda one: self._is_of(one, symbol))
        if kept is not None:
            return kept
        _, stored = await stored_account(self._letterbox.store, self._exchange)
        held = () if stored is None else await self._held(await self._symbols.slots_of(stored))
        return next(
            (position_dto(one, self._exchange) for one in held if one.symbol == symbol and not one.waiting), None
        )

    async def account(self, since: int = 0) -> AccountDTO | None:
        """Return the account's equity, limits and open risk."""

        def is_it(one: AccountDTO) -> bool:
            return one["exchange"] == self._exchange and one["step"] >= since

        kept = await self._kept(ACCOUNT_KEY, to_account, is_it)
        if kept is not None:
            return kept
        step, stored = await stored_account(self._letterbox.store, self._exchange)
        if stored is None or step is None:
            return None
        stored = await self._symbols.slots_of(stored)
        terms = self._terms._replace(instruments=self._symbols.roster.instruments)
        return account_dto(stored, terms, await self._held(stored), step)

    async def _held(self, account: Account) -> tuple[Holding, ...]:
        closes = {}
        for symbol in self._symbols.places:
            last = await self.candle(symbol)
            if last is not None:
                closes[symbol] = last["close"]
        return holdings(account, self._symbols.places, closes)

    def _is_of(self, word: Mapping[str, object], symbol: str) -> bool:
        return word["symbol"] == symbol and word.get("exchange", self._exchange) == self._exchange

    async def _kept(self, key: str, read: Callable[[bytes], Word], is_it: Callable[[Word], bool]) -> Word | None:
        """Return what the cache holds under ``key``; what it cannot give is asked of the store."""
        try:
            payload = await self._letterbox.bus.newest(key)
            word = None if payload is None else read(payload)
        except BusServerError as error:
            log.info("%s is read from the store: %s", key, error)
            return None
        except ContractError as error:
            log.warning("%s holds no fact of ours, so it is read from the store: %s", key, error)
            return None
        if word is None or is_it(word):
            return word
        log.info("%s holds a late fact or another line's, so it is read from the store", key)
        return None

"""The account and its positions in the cache: written after the commit, read by people, never by what trades."""

from __future__ import annotations

from trading_system.contracts import ACCOUNT_KEY, position_key, serialize
from trading_system.rules.account import Account, Terms
from trading_system.rules.account_words import account_dto, position_dto
from trading_system.rules.holdings import holdings
from trading_system.services.newest_facts import NewestFacts
from trading_system.services.room import Letterbox


class NewestAccount:
    """Keeps what one account holds under ``Account`` and ``{symbol}_Position``; a flat symbol has no key."""

    def __init__(self, letterbox: Letterbox) -> None:
        self._facts = NewestFacts(letterbox.bus)

    async def keep(self, account: Account, step: int, terms: Terms) -> None:
        """Keep the account as it is after ``step``, at the last close of each symbol."""
        symbols = [one.symbol for one in terms.instruments]
        closes = {name: slot.close for name, slot in zip(symbols, account.slots, strict=True) if slot.close > 0}
        held = holdings(account, symbols, closes)
        exchange = terms.instruments[0].exchange
        positions = {one.symbol: serialize(position_dto(one, exchange)) for one in held if not one.waiting}
        for symbol in symbols:
            await self._facts.keep(position_key(symbol), step, positions.get(symbol, b""))
        await self._facts.keep(ACCOUNT_KEY, step, serialize(account_dto(account, terms, held, step)))

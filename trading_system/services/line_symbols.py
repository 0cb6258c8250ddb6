"""A line's symbols for whoever only reads: those with which it began, and the changes that its store keeps since."""

from __future__ import annotations

from trading_system.rules.account import Account, widened
from trading_system.rules.grid import Instrument
from trading_system.rules.roster import Roster, State
from trading_system.services.roster_log import RosterLog
from trading_system.store.port import Store


class LineSymbols:
    """The symbols of one line as they were when it was looked at last."""

    def __init__(self, store: Store, exchange: str, begun: Roster) -> None:
        """Know those with which the line began; the store is read when it is looked at."""
        self._log = RosterLog(store, exchange)
        self.roster = begun

    async def look(self) -> Roster:
        """Read what changed. Raises: StoreError."""
        self.roster = await self._log.read(self.roster)
        return self.roster

    async def slots_of(self, account: Account) -> Account:
        """Return a stored account with a slot for each symbol; one that joined since is empty. Raises: StoreError."""
        return widened(account, len((await self.look()).places))

    @property
    def places(self) -> tuple[str, ...]:
        """Every symbol that ever joined, in the order of the account's slots."""
        return self.roster.places

    @property
    def traded(self) -> list[str]:
        """The symbols that the account takes now."""
        now = {one.symbol for one in self.roster.of_state(State.JOINED, State.LEAVING)}
        return [symbol for symbol in self.roster.places if symbol in now]

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument of a symbol. Raises: KeyError for one that never joined."""
        return self.roster.instrument(symbol)

"""What a venue may have changed about a symbol that the line trades: whether it trades it, and on which grid.

It is asked beside the trading, again and again until it answers; at once only where a position waits for its stop. Who
is traded on another grid, or never again, takes no new entries and leaves when it is flat. A halt or a maintenance ends
nothing: whether a symbol is traded at all is asked only of who was silent for long, and a list answers nothing as long
as nothing of the line trades.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from trading_system.rules.changed_grid import has_other_grid
from trading_system.rules.grid import Grid, Instrument, text_of
from trading_system.rules.roster import Change, Roster, State, Why
from trading_system.services.execution_engine.symbol_source import PASSING, SymbolSource
from trading_system.venues.errors import EndedSymbolError, HaltedSymbolError, NoSuchSymbolError
from trading_system.venues.lasting_trouble import LastingTrouble

log = logging.getLogger(__name__)

READ_AGAIN_S = 2.0  # a position whose stop was refused waits no longer for the reason


class Doubts:
    """The symbols in doubt, and the grids that turned out to be others.

    source: who is asked, None for nobody. roster: returns the symbols as they stand. found: is told of who must leave.
    seek: is called when there is something to ask.
    """

    def __init__(
        self,
        source: SymbolSource | None,
        roster: Callable[[], Roster],
        found: Callable[[Change], None],
        seek: Callable[[], None],
    ) -> None:
        self._source = source
        self._roster = roster
        self._found = found
        self._seek = seek
        self._waiting: set[str] = set()  # for their grids to be compared
        self._silent: set[str] = set()  # and whether they are traded at all
        self._missed: set[str] = set()  # silent, and looked for in vain once
        self._trouble = LastingTrouble()
        self._changed: dict[str, Instrument] = {}  # as they were found in this life
        self._day: int | None = None

    def __len__(self) -> int:
        """Return how many symbols are in doubt."""
        return len(self._waiting | self._silent)

    def about(self, *symbols: str) -> None:
        """Ask beside the trading whether the venue still trades symbols on the grids that the line knows."""
        if self._source is not None and symbols:
            self._waiting.update(symbols)
            self._seek()

    def silent(self, symbol: str) -> None:
        """Ask beside the trading whether the venue trades a symbol at all, of which nothing was heard for long."""
        if self._source is not None:
            self._silent.add(symbol)
            self._seek()

    def heard(self, symbol: str) -> None:
        """Know that a symbol is traded: it was silent, and no more."""
        self._silent.discard(symbol)
        self._missed.discard(symbol)

    def day_begins(self, day: int) -> None:
        """Ask about every symbol that is traded, once in each ``day`` (UTC days since 1970)."""
        if self._day is None or day > self._day:
            self._day = day
            self.about(*(one.symbol for one in self._roster().of_state(State.JOINED)))

    def forget(self, symbol: str) -> None:
        """Let go of a symbol that has left."""
        self.heard(symbol)
        self._waiting.discard(symbol)
        self._changed.pop(symbol, None)

    def changed(self, symbol: str) -> Instrument | None:
        """Return the venue's record of a symbol where its grids are others than the line's, None where they are not."""
        return self._changed.get(symbol) or self._roster().members[symbol].changed

    async def has_new_grid(self, symbol: str) -> bool:
        """Read the venue's record of a symbol at once, as an order was refused; True when it has another grid now.

        A venue that does not answer soon has said nothing, and is asked beside the trading.
        """
        if self._source is None:
            return False
        try:
            async with asyncio.timeout(READ_AGAIN_S):
                now = (await self._source.traded()).get(symbol)
        except (*PASSING, TimeoutError) as error:
            log.warning("the record of %s cannot be read now (%s)", symbol, error)
            now = None
        if now is None:
            self.about(symbol)
            return False
        return self._compare(now)

    async def settle(self) -> bool:
        """Look the symbols in doubt up in the venue's list; False when some have to be asked for again."""
        if self._source is None or not len(self):
            return True
        waiting, silent = set(self._waiting), set(self._silent)  # who comes in doubt meanwhile is asked for anew
        try:
            traded = await self._source.traded()
        except PASSING as error:
            return self._ask_again(f"what the venue trades cannot be asked now ({error})")
        trades = any(one.symbol in traded for one in self._roster().of_state(State.JOINED, State.LEAVING))
        for symbol in sorted((waiting | silent) & traded.keys()):
            self.heard(symbol)
            self._compare(traded[symbol])
        absent = sorted((silent - traded.keys()) & self._silent)
        said = [await self._has_settled(self._source, symbol, others_trade=trades) for symbol in absent]
        if waiting and not trades:
            return self._ask_again("the venue trades nothing of this line now")
        self._waiting -= waiting  # who does not trade now has no grid to compare: the next refusal asks, or the day
        if all(said) and self._trouble.over():
            log.info("what the venue trades can be asked again")
        return all(said)

    def _ask_again(self, trouble: str) -> bool:
        said = self._trouble.again(f"{trouble}; asking again")
        if said is not None:
            log.warning("%s", said)
        return False

    def _compare(self, now: Instrument) -> bool:
        """Let a symbol leave whose grid is another one than when it was read last; True when it is."""
        member = self._roster().members[now.symbol]
        if member.state not in (State.JOINED, State.LEAVING):  # it left while the venue was asked
            return False
        before = self._changed.get(now.symbol) or member.changed or member.instrument
        if before is None or not has_other_grid(before, now):
            return False
        said = str(GridChangedError(before, now))
        log.warning("%s takes no new entries and leaves when it is flat: %s", now.symbol, said)
        self._changed[now.symbol] = now
        self._found(Change(now.symbol, State.LEAVING, 0, Why.CHANGED, now, detail=said))
        return True

    async def _has_settled(self, source: SymbolSource, symbol: str, *, others_trade: bool) -> bool:
        """Let a silent symbol leave that is on the list no more, if asking by its name says so too.

        One that the venue does not know at all must be missed a second time, after as long a silence again. Returns
        False to ask again.
        """
        try:
            await source.instrument(symbol)
        except HaltedSymbolError:
            self._missed.discard(symbol)
        except NoSuchSymbolError as error:
            if not isinstance(error, EndedSymbolError) and not others_trade:
                return self._ask_again(f"whether {symbol} is traded at all cannot be told now ({error})")
            if isinstance(error, EndedSymbolError) or symbol in self._missed:
                log.warning("%s takes no new entries and leaves when it is flat: %s", symbol, error)
                self._found(Change(symbol, State.LEAVING, 0, Why.ENDED, detail=str(error)))
            self._missed.add(symbol)
        except PASSING as error:
            return self._ask_again(f"whether {symbol} is traded at all cannot be asked now ({error})")
        else:
            self._missed.discard(symbol)
        self._silent.discard(symbol)
        return True


class GridChangedError(NoSuchSymbolError):
    """The venue trades a symbol on another grid than the one with which the line has traded it."""

    def __init__(self, before: Instrument, now: Instrument) -> None:
        super().__init__(
            f"{now.symbol}: expected tick {_spacing(before.tick)} and step {_spacing(before.step)}, with which this "
            f"line traded it, was tick {_spacing(now.tick)} and step {_spacing(now.step)}; trade it on a line of its "
            "own"
        )


def _spacing(grid: Grid) -> str:
    return text_of(grid.price(1))

"""The membership of a line of two symbols beside a market that a test writes: who joins, who leaves, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from sample_line import until
from sample_trades import EXCHANGE, MINUTE, START, instrument_of

from trading_system.rules.grid import Instrument
from trading_system.rules.roster import State, new_roster
from trading_system.services.execution_engine.joining import Choice, Joining, Membership
from trading_system.store.memory import MemoryStore

ORIGIN = START // MINUTE
BTC, ETH, SOL = (instrument_of(name) for name in ("BTCUSDT", "ETHUSDT", "SOLUSDT"))


class Market:
    """Where symbols are looked up: what it raises is raised once, then it answers."""

    def __init__(self) -> None:
        self.raises: dict[str, list[Exception]] = {}
        self.known = {"SOLUSDT": SOL, "ADAUSDT": instrument_of("ADAUSDT"), "BTCUSDT": BTC, "ETHUSDT": ETH}
        self.lists = 0
        self.volumes = ["ADAUSDT", "BTCUSDT"]
        self.ready: list[str] = []

    async def instrument(self, symbol: str) -> Instrument:
        self._raise(symbol)
        return self.known[symbol]

    async def traded(self) -> Mapping[str, Instrument]:
        self._raise("traded")
        self.lists += 1
        return {symbol: one for symbol, one in self.known.items() if not self.raises.get(symbol)}

    async def most_traded(self, count: int) -> Sequence[str]:
        return self.volumes[:count]

    async def make_ready(self, instrument: Instrument) -> None:
        self._raise(f"ready {instrument.symbol}")
        self.ready.append(instrument.symbol)

    def _raise(self, key: str) -> None:
        if self.raises.get(key):
            raise self.raises[key].pop(0)


class Line:
    """The membership of a line of two symbols, whose account stands where a test says."""

    def __init__(self, choice: Choice | None = None) -> None:
        self.store = MemoryStore()
        self.market = Market()
        self.pauses: list[float] = []
        self.choice = choice
        self.step = ORIGIN + 1440
        self.woken = asyncio.Event()

    async def live(self) -> Membership:
        joining = Joining(self.market, lambda now: now - 600 * MINUTE, self.market.make_ready, self.choice, self._sleep)
        pinned = None if self.choice is None else self.choice.pinned
        roster = new_roster(ORIGIN, [BTC, ETH], pinned)
        made = Membership(self.store, EXCHANGE, roster, joining, self.woken.set)
        await made.load()
        made.look_at(self.step + 1)
        made.start(self.step)
        return made

    async def settled(self, members: Membership, symbol: str, state: State) -> None:
        """Write down what is found until a symbol stands as expected."""

        async def stands() -> bool:
            await members.write(members.due(self.step, [0, 1]), self.step)
            return symbol in members.roster.members and members.roster.members[symbol].state == state

        await until(stands)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

"""Which symbols the account takes in which step: what was asked, what is ready to join, and who may be let go.

Execution alone changes a line's symbols, so each change lies between two of its steps. What must be asked of a venue
for one (its record, its leverage) is asked beside the trading, again and again until it is answered; a refusal is that
symbol's alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from trading_system.rules.account import DAY_MS, SymbolStep
from trading_system.rules.changed_grid import has_other_grid
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.roster import Change, Member, Place, Roster, State, Why
from trading_system.rules.symbol_commands import Asked, asked_for, chosen
from trading_system.services.execution_engine.doubts import Doubts, GridChangedError
from trading_system.services.execution_engine.symbol_source import PASSING, SymbolSource
from trading_system.services.roster_log import RosterLog
from trading_system.store.port import Store
from trading_system.venues.errors import NoSuchSymbolError, NotTakenError, RefusedError

log = logging.getLogger(__name__)

ASKING_AGAIN_S, SELDOM_AGAIN_S = 5.0, 60.0  # the first pause before a question is put again, and the longest
CHOSEN = "symbols_chosen"  # a document: its step is that of the last choice by volume
EVERY_STEP = 1 << 62
SILENT_STEPS = 60  # minutes without a candle after which the venue is asked whether it trades a symbol at all


class Choice(NamedTuple):
    """How a line chooses its symbols by volume: how many, and which of them whatever their volume is."""

    number: int
    pinned: tuple[str, ...] = ()


class Joining(NamedTuple):
    """What a symbol needs to join. origin_at: the origin (ms UTC) of a history whose warm-up ends at an instant.

    ready: makes the venue ready for the symbol's first entry. choice: None for symbols given by name.
    """

    source: SymbolSource
    origin_at: Callable[[int], int]
    ready: Callable[[Instrument], Awaitable[None]]
    choice: Choice | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Membership:
    """The account's side of the roster. ``takes``: by place, how the next step takes a symbol.

    ``wake`` is called when there is something to write down.
    """

    def __init__(
        self, store: Store, exchange: str, roster: Roster, joining: Joining | None, wake: Callable[[], None]
    ) -> None:
        self._log = RosterLog(store, exchange)
        self._store = store
        self._exchange = exchange
        self._joining = joining
        self._wake = wake
        self.roster = roster
        self.takes: Mapping[int, Place] = {}
        self._taken_until = -1  # up to which step ``takes`` holds good, where that is known
        self._arrived: dict[str, dict[int, SymbolStep]] = {}  # steps of symbols that are still joining
        self._ready: set[str] = set()  # joining, and the venue takes their orders
        self._found: list[Change] = []
        self._silent: dict[str, int] = {}  # how many minutes in a row a symbol had no candle
        self._wanted: Sequence[str] | None = None  # the newest choice by volume
        self._has_chosen = False  # and it is not written down yet
        self._choose = False
        self._chosen_day: int | None = None
        self._seek = asyncio.Event()
        source = None if joining is None else joining.source
        self.doubts = Doubts(source, lambda: self.roster, self._find, self._seek.set)
        self._task: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Take up the stored changes. Raises: UnreadableChangeError; StoreError."""
        self.roster = await self._log.read(self.roster)
        kept = await self._store.document(CHOSEN, self._exchange)
        self._chosen_day = None if kept is None else kept[0] * MINUTE_MS // DAY_MS

    def start(self, step: int) -> None:
        """Begin to ask for what symbols need to join. ``step``: the account's last one."""
        if self._joining is None:
            return
        self.day_begins(step)
        self._task = asyncio.create_task(self._seek_all(self._joining), name="execution:symbols")
        self._seek.set()

    async def stop(self) -> None:
        """Ask for nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look_at(self, step: int) -> None:
        """Know that ``step`` is the next one."""
        if step > self._taken_until:
            self.takes = self.roster.at(step)
            self._taken_until = step if self.roster.settled_after >= step else EVERY_STEP

    def day_begins(self, step: int) -> None:
        """Read the venue's records again, and choose by volume, once a day, at the first step that ends in it."""
        if self._joining is None:
            return
        day = step * MINUTE_MS // DAY_MS
        self.doubts.day_begins(day)
        if self._joining.choice is not None and (self._chosen_day is None or day > self._chosen_day):
            self._choose = True
            self._seek.set()

    def places(self) -> list[int]:
        """Return the places whose symbol is on the line."""
        members = self.roster.members
        return [n for n, symbol in enumerate(self.roster.places) if members[symbol].state in _HELD]

    def unseen_symbols(self) -> list[str]:
        """Return the symbols without whose minutes the account goes on."""
        return [one.symbol for one in self.roster.of_state(*_HELD) if one.unseen]

    def is_joining(self, symbol: str) -> bool:
        """Tell whether a symbol's steps wait for it to join."""
        return self.roster.members[symbol].state == State.JOINING

    def arrive(self, symbol: str, step: int, said: SymbolStep) -> None:
        """Keep what a symbol that is joining brings to a step."""
        self._arrived.setdefault(symbol, {})[step] = said

    def heed(self, symbols: Mapping[int, SymbolStep]) -> None:
        """Look for symbols without candles: whether the venue trades them still is asked beside the trading."""
        for place, said in symbols.items():
            symbol = self.roster.places[place]
            if not said.minute.gap:
                if self._silent.pop(symbol, 0):
                    self.doubts.heard(symbol)
                continue
            silent = self._silent[symbol] = self._silent.get(symbol, 0) + 1
            if silent % SILENT_STEPS == 0 and not said.settles:
                self.doubts.silent(symbol)

    # --- what is to be written down; each returns changes that ``write`` stores

    def ask(self, command: str, arguments: Mapping[str, object], step: int, flat: Iterable[int]) -> Asked:
        """Return what comes of a person's request after ``step``; ``flat`` are the places without a trade."""
        choice = None if self._joining is None else self._joining.choice
        asked = asked_for(
            self.roster,
            command,
            arguments,
            step,
            self._names(flat),
            chooses=choice is not None,
            finds=self._joining is not None,
        )
        if command == "choose_symbols" and asked.reply.done:
            self._choose = True
            self._seek.set()
        return asked

    def due(self, step: int, flat: Iterable[int]) -> list[Change]:
        """Return what the venue's answers and the last choice by volume lead to after ``step``."""
        found, self._found = self._found, []
        changes = [one for one in found if self._still_asks(one)]
        if self._wanted is not None and self._joining is not None and self._joining.choice is not None:
            wanted, self._wanted, self._has_chosen = self._wanted, None, True
            changes += chosen(self.roster, wanted, self._joining.choice.pinned, step, self._names(flat))
        return [self._placed(one, step) for one in changes]

    def joins(self, step: int) -> list[Change]:
        """Return the joining, after ``step``, of every symbol that is ready and has come as far as the account."""
        return [
            Change(one.symbol, State.JOINED, step + 1, one.why)
            for one in self.roster.of_state(State.JOINING)
            if one.symbol in self._ready and max(self._arrived.get(one.symbol, ()), default=0) >= step
        ]

    def released(self, step: int, flat: Iterable[int]) -> list[Change]:
        """Return the end of every symbol that leaves and is flat after ``step``."""
        names = self._names(flat)
        return [
            Change(one.symbol, State.LEFT, step, one.why, detail=one.detail)
            for one in self.roster.of_state(State.LEAVING)
            if one.symbol in names and one.stints[-1].leaving is not None and one.stints[-1].leaving <= step
        ]

    def released_unheard(self, step: int, flat: Iterable[int], awaited: Collection[str]) -> list[Change]:
        """Return the end, after ``step``, of who leaves, is flat, and is ``awaited``: its minute may never come."""
        names = self._names(flat)
        return [
            Change(one.symbol, State.LEFT, step, one.why, detail=one.detail)
            for one in self.roster.of_state(State.LEAVING)
            if one.symbol in names and one.symbol in awaited
        ]

    def unseen(self, step: int, symbols: Iterable[str]) -> list[Change]:
        """Return that the account goes on after ``step`` without the minutes of ``symbols``."""
        return [Change(symbol, State.UNSEEN, step + 1, self.roster.members[symbol].why) for symbol in symbols]

    def seen(self, step: int, brought: Mapping[str, int]) -> list[Change]:
        """Return that who is not seen takes part again after ``step``, as soon as it has come as far as the account.

        brought: the last step that each symbol has brought.
        """
        return [
            Change(one.symbol, State.SEEN, step + 1, one.why)
            for one in self.roster.of_state(*_HELD)
            if one.unseen and brought.get(one.symbol, 0) >= step
        ]

    async def write(self, changes: Sequence[Change], step: int) -> None:
        """Store ``changes``, which lie after ``step``; the caller commits. Raises: StoreError."""
        if self._has_chosen:
            await self._store.put_document(CHOSEN, self._exchange, step, b"")
            self._has_chosen, self._chosen_day = False, step * MINUTE_MS // DAY_MS
        if not changes:
            return
        for one in changes:
            _tell(one)
        self.roster = await self._log.append(self.roster, changes)
        for one in changes:
            if one.state == State.LEFT:
                self._arrived.pop(one.symbol, None)
                self._ready.discard(one.symbol)
                self.doubts.forget(one.symbol)
        self._taken_until = -1
        self.look_at(step + 1)
        self._seek.set()

    def brought(self, symbol: str) -> dict[int, SymbolStep]:
        """Hand over the steps of a symbol that has joined."""
        return self._arrived.pop(symbol, {})

    def forget_before(self, step: int) -> None:
        """Let go of steps before ``step``, which were closed without the symbols that are joining."""
        for kept in self._arrived.values():
            for old in [one for one in kept if one < step]:
                del kept[old]

    def _find(self, change: Change) -> None:
        self._found.append(change)
        self._wake()

    def _names(self, places: Iterable[int]) -> frozenset[str]:
        return frozenset(self.roster.places[place] for place in places)

    def _still_asks(self, change: Change) -> bool:
        """Tell whether a symbol still stands where it stood when the venue was asked about it."""
        member = self.roster.members[change.symbol]
        state = member.state
        match change.state:
            case State.JOINING:
                return state == State.ASKED
            case State.LEAVING:
                ends = change.why == Why.ENDED != member.why
                return state == State.JOINED or (state == State.LEAVING and (ends or change.instrument is not None))
            case _:
                return state in (State.ASKED, State.JOINING)

    def _placed(self, change: Change, step: int) -> Change:
        """Return what was found at some time as a change that lies after ``step``."""
        match change.state:
            case State.JOINING:
                return change._replace(step=step, origin=self._origin(step))
            case State.LEAVING:
                member = self.roster.members[change.symbol]
                if member.state == State.LEAVING and change.why == Why.CHANGED:  # it leaves for its reason still
                    return change._replace(step=step + 1, why=member.why, detail=member.detail)
                return change._replace(step=step + 1)
            case _:
                return change._replace(step=step)

    def _origin(self, step: int) -> int:
        origin = 0 if self._joining is None else self._joining.origin_at(step * MINUTE_MS) // MINUTE_MS
        return max(origin, self.roster.origin)

    # --- beside the trading

    async def _seek_all(self, joining: Joining) -> None:
        pause = ASKING_AGAIN_S
        while True:
            await self._seek.wait()
            self._seek.clear()
            whole = True
            if self._choose and joining.choice is not None:
                whole = await self._choose_now(joining, joining.choice)
            for member in self.roster.of_state(State.ASKED, State.JOINING):
                if member.symbol not in self._ready and not any(one.symbol == member.symbol for one in self._found):
                    whole = await self._make_ready(joining, member.symbol) and whole
            whole = await self.doubts.settle() and whole
            if whole:
                pause = ASKING_AGAIN_S
            else:
                await joining.sleep(pause)
                pause = min(pause * 2, SELDOM_AGAIN_S)
                self._seek.set()

    async def _choose_now(self, joining: Joining, choice: Choice) -> bool:
        try:
            self._wanted = await joining.source.most_traded(choice.number)
        except PASSING as error:
            log.warning("the symbols cannot be chosen by volume now (%s); asking again", error)
            return False
        self._choose = False
        self._wake()
        return True

    async def _make_ready(self, joining: Joining, symbol: str) -> bool:
        """Let the venue know of a symbol; False when it has to be asked again."""
        member = self.roster.members[symbol]
        try:
            instrument = await joining.source.instrument(symbol)
            known = _as_before(member, instrument)
            await joining.ready(known)
        except PASSING as error:
            if not isinstance(error, NoSuchSymbolError | RefusedError) or isinstance(error, NotTakenError):
                log.warning("%s cannot join now (%s); asking again", symbol, error)
                return False
            log.warning("%s does not join: %s", symbol, error)
            self._found.append(Change(symbol, State.LEFT, 0, Why.REFUSED, detail=str(error)))
        else:
            self._ready.add(symbol)
            if member.state == State.ASKED:
                self._found.append(Change(symbol, State.JOINING, 0, member.why, known))
        self._wake()
        return True


_HELD = frozenset({State.JOINED, State.LEAVING})


def _tell(change: Change) -> None:
    symbol, state, step, detail = change.symbol, change.state, change.step, change.detail
    if state == State.UNSEEN:
        log.warning("%s: its minutes do not come; from step %d on the account goes on without them", symbol, step)
    elif state == State.SEEN:
        log.warning("%s: its minutes come again; from step %d on it takes part", symbol, step)
    else:
        reason = f" ({detail})" if detail else ""
        log.info("%s: %s at step %d, %s%s", symbol, state.value, step, change.why.value, reason)


def _as_before(member: Member, instrument: Instrument) -> Instrument:
    """Return the record by which the line trades ``member``. Raises: NoSuchSymbolError when its grid is another now."""
    before = member.instrument
    if before is None:
        return instrument
    if has_other_grid(before, instrument):
        raise GridChangedError(before, instrument)
    return before

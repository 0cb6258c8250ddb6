"""Signals in; orders, fills and the account out. One worker does everything in order, so nothing here races.

The account of ``rules/account.py`` says what should rest; ``reconcile.py`` makes the venue agree. A step is closed when
every symbol has brought it, or the account goes on without one as a stored fact. What a crash interrupts is done again
from the last snapshot: the same step gives the same orders, and the journal knows which of them are out already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from trading_system.contracts import SYSTEM_COMMAND, StepDTO, strategy_step_channel
from trading_system.rules.account import Account, Terms, is_idle, new_account
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.roster import Change, Roster, State, new_roster
from trading_system.rules.symbol_commands import SYMBOL_COMMANDS
from trading_system.services.execution_engine.ages import Ages
from trading_system.services.execution_engine.agreement import Agreement, Left
from trading_system.services.execution_engine.awaiting import Awaiting
from trading_system.services.execution_engine.books import Books
from trading_system.services.execution_engine.commands import CommandDesk, Request
from trading_system.services.execution_engine.held_fills import HeldFills
from trading_system.services.execution_engine.joining import Joining, Membership
from trading_system.services.execution_engine.journal import Journal
from trading_system.services.execution_engine.newest_account import NewestAccount
from trading_system.services.execution_engine.news import bells_of
from trading_system.services.execution_engine.obedience import Obedience
from trading_system.services.execution_engine.pending_steps import PendingSteps
from trading_system.services.execution_engine.points import Point, Reached, unwatched
from trading_system.services.execution_engine.progress import Progress
from trading_system.services.execution_engine.reconcile import Reconciler
from trading_system.services.execution_engine.snapshot import Snapshot
from trading_system.services.execution_engine.step_writer import StepWriter
from trading_system.services.execution_engine.steps import stored_word, symbol_step, with_last_prices
from trading_system.services.execution_engine.store_watch import StoreWatch
from trading_system.services.execution_engine.venue_events import RETRY_S, VenueEvents
from trading_system.services.room import EXECUTION, STRATEGY, WHOLE_ACCOUNT, Letterbox, Room, StepInput, Wave
from trading_system.services.vital_signs import Vitals
from trading_system.store.errors import StoreAwayError, StoreError
from trading_system.store.port import Stream
from trading_system.venues.errors import VenueError
from trading_system.venues.port import (
    MinuteMarket,
    Venue,
)

log = logging.getLogger(__name__)


class ExecutionEngine(Room):
    """Trades one account over the line's symbols, in the order of ``terms.instruments``."""

    name = "execution_engine"
    source = STRATEGY
    target = EXECUTION

    def __init__(
        self,
        letterbox: Letterbox,
        terms: Terms,
        origins: Mapping[str, int],
        venue: Venue,
        journal: Journal,
        reconciler: Reconciler,
        *,
        equity: float,
        signal_interval: str,
        market: MinuteMarket | None = None,
        venue_ms: Callable[[], int] | None = None,
        signal_max_age_ms: int = 0,
        reached: Reached = unwatched,
        joining: Joining | None = None,
        awaiting: Awaiting | None = None,
    ) -> None:
        """Keep what the account is traded with; terms and origins are those with which the line began.

        joining: what a symbol needs to join while running; without it none can. awaiting: for how long a symbol is
        awaited; without it for ever.
        market: the venue itself if it is told its minutes (paper). venue_ms: the venue's time now, by which a signal's
        age is taken; without it, or with a ``signal_max_age_ms`` of 0, no signal is too old.
        """
        super().__init__(letterbox, terms.instruments[0].exchange, origins)
        self._journal = journal
        self._reconciler = reconciler
        self._market = market
        self._newest = NewestAccount(letterbox)
        self._ages = Ages(venue_ms, signal_max_age_ms, journal)
        self._reached = reached
        self._awaiting = awaiting or Awaiting(0)
        self._signal_interval, self._signal_ms = signal_interval, interval_ms(signal_interval)
        self._origin = self._step = min(origins.values())
        self._books = Books(new_account(equity, len(terms.instruments), self._step * MINUTE_MS), terms)
        self._wake = asyncio.Event()
        pinned = None if joining is None or joining.choice is None else joining.choice.pinned
        roster = new_roster(self._origin, terms.instruments, pinned)
        self._members = Membership(letterbox.store, self._exchange, roster, joining, self._wake.set)
        self._agreement = Agreement(self._books, journal, reconciler, self._members.doubts)
        self._snapshot = Snapshot(letterbox.store, self._exchange)
        self._commands = CommandDesk(letterbox.store, self._exchange, venue_ms)
        self._obedience = Obedience(letterbox, self._books, self._snapshot, self._commands, self._agreement, venue_ms)
        self._has_just_closed = False  # a step, and the next minute is not played yet
        self._pending = PendingSteps()
        self._held = HeldFills(venue, journal, list(origins), self._books.trading)
        self._events = VenueEvents(
            venue,
            journal,
            self._books,
            self._held,
            self._members,
            reconciler,
            self._agreement,
            now=self._now,
            wake=self._wake.set,
            reached=reached,
        )
        self._is_playing = False  # the next step's minute has begun at a venue that is told its minutes
        self._tasks: list[asyncio.Task[None]] = []
        self._watch = StoreWatch(lambda: self._letterbox.store.commit(), self._wake)  # noqa: PLW0108 - the store of then
        self._writer = StepWriter(letterbox, self.output(""), self._books, self._snapshot, self._watch, reached)
        self.moved = asyncio.Event()

    async def start(self) -> None:
        """Take up the account where its snapshot and the journal leave it, and make the venue agree."""
        self._journal.hold_to(self._origin * MINUTE_MS)
        await self._members.load()
        kept = await self._snapshot.load()
        if kept is not None:
            self._books.take_up(kept)
        self.work_on(self._members.roster.origins)
        head = await self._letterbox.store.head(self.output(""))
        if head is not None:
            self._step = head
        self._widen()
        self._members.look_at(self._step + 1)
        if head is not None:
            slots = await with_last_prices(self._letterbox.store, self._members.roster, self.account.slots, head)
            self._books.account = self.account._replace(slots=slots)
        self._books.booked = self._held.recall({} if kept is None else kept.booked)
        if head is None and kept is None:
            await self._held.begin()
        await self._held.read()
        await super().start()
        if self._market is None:
            while self._ready():
                await self._close()
        else:
            await self._play_on()
        await self._writer.commit()
        await self._events.rejoin(self._step)
        self._subscriptions.append(await self._letterbox.bus.subscribe(SYSTEM_COMMAND, self._hear_command))
        await self._keep_account()
        self._tasks = [
            asyncio.create_task(self._work(), name="execution"),
            asyncio.create_task(self._hear_venue(), name="execution:user_stream"),
        ]
        self._members.start(self._step)
        self._wake.set()

    async def stop(self) -> None:
        """Stop working; orders and stops stay at the venue."""
        await super().stop()
        await self._members.stop()
        await self._watch.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def account(self) -> Account:
        """The account as it stands."""
        return self._books.account

    @property
    def progress(self) -> Progress:
        """Return how far execution has come, for whoever must wait until all is quiet."""
        step = self._step if self._events.rejoined else self._step - 1  # what must rest after it does not rest yet
        return Progress(step, self._held.newest, self._reconciler.in_flight, self._reconciler.unknown)

    def health(self) -> Vitals:
        """Return the account's step, what is open at the venue, and names: of bare positions, of who is awaited."""
        numbers = {"in_flight": self._reconciler.in_flight, "unknown": self._reconciler.unknown}
        bare = " ".join(self._agreement.unprotected())
        progress: dict[str, float | int | str] = {**numbers, "unprotected": bare, "awaits": " ".join(self.awaits)}
        progress["unseen"] = " ".join(self._members.unseen_symbols())
        if self._step == self._origin:
            return Vitals(None, progress, "first_step", "waiting")
        vitals = self.vitals(self._step, self._step)
        if self._watch.is_missing:
            vitals = vitals._replace(waits_for="store", status="waiting")
        elif not self._events.rejoined:
            vitals = vitals._replace(waits_for="past", status="waiting")
        elif self._agreement.open or self._reconciler.unknown:
            vitals = vitals._replace(waits_for="venue", status="waiting")
        elif self.awaits:
            vitals = vitals._replace(waits_for="symbols", status="waiting")
        return vitals._replace(progress={**vitals.progress, **progress})

    @property
    def awaits(self) -> list[str]:
        """The symbols whose next minute the account waits for, while others have gone on beyond it."""
        places = self._members.roster.places
        return [places[place] for place in self._pending.awaited(self._step + 1, self._members.takes)]

    @property
    def answers_lost(self) -> Sequence[str]:
        """Return the client ids of orders whose answer was lost in this life, all of them resolved by proof since."""
        return self._reconciler.answers_lost

    @property
    def store_lost(self) -> StoreError | None:
        """Return why the store takes no more, None while it does; from then on fills are answered and nothing else."""
        return self._watch.lost

    @property
    def idle(self) -> bool:
        """Tell whether the account has neither a position nor an order."""
        return is_idle(self.account)

    def channel(self, symbol: str) -> str:
        """Listen to the strategy's steps."""
        return strategy_step_channel(symbol)

    def output(self, symbol: str) -> Stream:
        """All symbols share the account's stream."""
        del symbol
        return Stream(EXECUTION, self._exchange, WHOLE_ACCOUNT)

    async def restore(self, symbol: str, origin: int, checkpoint: int) -> None:
        """Restore nothing: the snapshot holds the account. Who joins, or is not seen, shows itself by its last step."""
        if self._members.is_joining(symbol) or self._members.roster.members[symbol].unseen:
            self._checkpoints[symbol] = max(checkpoint - 1, origin)

    def prepare(self, instrument: Instrument, origin: int) -> None:
        """Do nothing: a symbol's slot is made in the step in which it joins."""

    @property
    def roster(self) -> Roster:
        """The symbols of the line as they stand."""
        return self._members.roster

    async def handle(self, wave: Wave) -> None:
        """Keep what symbols bring to a step until every symbol has brought it."""
        words = [await self._word_of(symbol, said) for symbol, said in wave]
        for (symbol, said), word in zip(wave, words, strict=True):
            brought = symbol_step(said, word, self._signal_interval)
            if self._members.is_joining(symbol):
                self._members.arrive(symbol, said.step, brought)
            elif self._books.has(symbol) and said.step > self._step:
                self._pending.bring(said.step, self._books.place(symbol), brought)
        self._wake.set()

    async def _word_of(self, symbol: str, said: StepInput) -> StepDTO | None:
        if said.said is not None and said.said.get("signals"):
            return await stored_word(self._letterbox.store, self.stream(STRATEGY, symbol), said.step)
        return said.said

    async def catch_up(self) -> None:
        """Handle every stored step and command that no bell brought."""
        await super().catch_up()
        await self._hear_command(b"")

    async def _hear_command(self, _: bytes) -> None:
        """Look into the inbox: what was asked counts as far as it is stored."""
        await self._commands.look()
        if self._commands.next is not None:
            self._wake.set()

    def _due_command(self) -> Request | None:
        if self._watch.is_missing or not self._events.rejoined:
            return None
        return self._obedience.due(self._market, has_just_closed=self._has_just_closed)

    async def _obey(self, request: Request) -> None:
        await self._writer.commit()
        if self._watch.is_missing:
            return
        try:
            if request.command in SYMBOL_COMMANDS:
                asked = (request, self._step, self._members, self._releasable())
                await self._obedience.obey_about_symbols(*asked)
                self._see_changes()
            else:
                await self._obedience.obey(request, self._step)
        except StoreAwayError as error:
            self._watch.miss(error)
        except StoreError as error:
            self._watch.lose(error)

    async def _work(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._events or self._due_command() or self._ready():
                    if self._events:
                        await self._writer.commit()
                        await self._events.answer_next()
                    elif (request := self._due_command()) is not None:
                        await self._obey(request)
                    elif not self._events.rejoined or await self._is_played():
                        await self._close()
                        if not self._events.rejoined:
                            await self._events.rejoin(self._step)
                self._has_just_closed = False
                await self._change_symbols()
                await self._writer.commit()
                if self.store_lost is not None:
                    await self._wind_down()
                await self._keep_account()
                self.moved.set()
        except Exception as error:
            log.exception("execution stopped")
            self.failure = error
            self.moved.set()

    async def _play_on(self) -> None:
        """Bring a venue that is told its minutes, and the account with it, to the last stored step.

        What an earlier life acted on is done again first: the venue has played those minutes already.
        """
        await self._events.rejoin(self._step)
        while self._ready():
            if not self._events.rejoined:
                await self._close()
                await self._events.rejoin(self._step)
            elif await self._is_played():
                await self._close()

    async def _change_symbols(self) -> None:
        """Write down who joins, what the venue said of symbols that are asked for, and a choice by volume.

        A minute that has begun to be played goes on without those that join.
        """
        if self._watch.is_missing or not self._events.rejoined:
            return
        coming = [] if self._is_playing else self._coming()
        flat = self._releasable()
        released = self._members.released_unheard(self._step, flat, self.awaits)
        await self._write_changes([*coming, *released, *self._members.due(self._step, flat)])
        if not self._is_playing:
            await self._write_changes(self._members.unseen(self._step, self._overdue()))
        if self._ready():  # who has left was the one that was waited for
            self._wake.set()

    def _coming(self) -> list[Change]:
        """Return who joins with the next step, and who is seen again."""
        members, step = self._members, self._step
        return [*members.joins(step), *members.seen(step, self._checkpoints)]

    def _overdue(self) -> list[str]:
        awaited = {symbol: self._checkpoints[symbol] for symbol in self.awaits}
        return self._awaiting.overdue(self._step + 1, awaited, self._pending.furthest)

    async def _write_changes(self, changes: Sequence[Change]) -> None:
        try:
            await self._members.write(changes, self._step)
        except StoreError as error:
            self._watch.lose(error)
            return
        if changes:
            self._see_changes()

    def _see_changes(self) -> None:
        """Give a slot to who has joined, and take what it brought."""
        self._widen()
        roster = self._members.roster
        for member in roster.of_state(State.JOINED):
            place = self._books.place(member.symbol)
            for step, brought in self._members.brought(member.symbol).items():
                if step > self._step:
                    self._pending.bring(step, place, brought)

    def _widen(self) -> None:
        roster = self._members.roster
        self._books.widen(roster.instruments)
        self._held.follow([roster.places[place] for place in self._members.places()])

    def _releasable(self) -> list[int]:
        """Return the places with which nothing is open, here or at the venue."""
        return [place for place in self._books.flat() if place not in self._agreement.open]

    async def _is_played(self) -> bool:
        """Tell whether the next step's minute is over at the venue; one that is told its minutes plays on."""
        if self._market is None:
            return True
        self._has_just_closed = False
        self._is_playing = True
        if not self._market.idle:
            await self._writer.commit()  # what led to a fill is stored before the fill
            if self._watch.is_missing:
                return False
        step = self._step + 1
        names = self._members.roster.places
        said = {names[place]: one for place, one in self._pending.whole(step, self._members.takes).items()}
        ended = frozenset(symbol for symbol, one in said.items() if one.settles)
        played = self._market.play(step, {symbol: one.minute for symbol, one in said.items()}, ended)
        for event in played.events:
            await self._events.answer(event)
        return played.over

    async def _hear_venue(self) -> None:
        try:
            await self._events.listen()
        except Exception as error:
            log.exception("the user stream stopped")
            self.failure = error
            self.moved.set()

    def _now(self) -> int:
        """Return the close of the step that is being played."""
        return (self._step + 1) * MINUTE_MS

    def _ready(self) -> bool:
        return not self._watch.is_missing and self._pending.is_whole(self._step + 1, self._members.takes)

    async def _close(self) -> None:
        """Close the next step: the account first, then the venue, then the store; bells wait for the commit."""
        step = self._step + 1
        time = step * MINUTE_MS
        self._events.book_before(time)
        said = self._pending.take(step, self._members.takes)
        symbols = self._ages.dated(said, time)
        before, earlier = self.account, list(self._books.facts)
        changed = self._books.close(time, symbols, signal_close=time % self._signal_ms == 0)
        if self._events.rejoined:
            changed = sorted({*changed, *self._agreement.open})
            if changed:
                await self._writer.commit()  # what is acted on is stored
                if self._watch.is_missing:
                    entering = [place for place in changed if self._books.is_entering(place)]
                    if (
                        entering == changed and not self._watch.lost
                    ):  # the step waits for the store, and its entries too
                        self._books.account, self._books.facts = before, earlier
                        self._pending.put_back(step, said)
                        return
                    changed = [place for place in changed if place not in entering]
                    for place in entering:
                        if not self._watch.lost:
                            self._agreement.give_up_entry(place, self._ages.age_s(time))
                self._journal.act_at(step)
            if any(self._books.is_entering(place) for place in changed):
                self._reached(Point.AFTER_SLOT)
            for place in changed:
                await self._agreement.reach(place, time)
        facts, known = self._books.end_step()
        after = None if self._step == self._origin else self._step
        if await self._writer.write(step, facts, after):
            self._step = step
        self._writer.ring(bells_of(facts, self._exchange, known))
        self._has_just_closed, self._is_playing = True, False
        self._members.forget_before(step)
        self._members.heed(said)
        self._members.day_begins(step)
        if self._events.rejoined:
            await self._write_changes(self._members.released(step, self._releasable()))
        self._members.look_at(step + 1)

    def lose_store(self, error: StoreError) -> None:
        """Close no step any more and enter nothing; fills are still answered, from memory and the journal.

        ``failure`` follows as soon as there is no position left to protect.
        """
        self._watch.lose(error)

    async def _wind_down(self) -> None:
        """Without a store no entry may wait, and the failure is said once there is no position to protect either.

        A venue that is told its minutes gets none any more: nothing can happen there, and its next start goes on.
        """
        if self._market is None:
            try:
                left = await self._agreement.without_entries()
            except VenueError as error:
                log.warning("the venue cannot be read now (%s); asking again", error)
                left = Left.UNSETTLED
            if left == Left.UNSETTLED:
                asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)
            if left != Left.NOTHING or self._events:
                return
        self.failure = self._watch.lost

    async def _keep_account(self) -> None:
        """Keep what people and programs look at, when nothing is left to do: no order waits for it."""
        if not self._watch.lost:
            await self._newest.keep(self.account, self._step, self._books.terms)

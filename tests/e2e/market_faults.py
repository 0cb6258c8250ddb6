"""What a venue's market can do wrong, what must hold all the same, and which rule it is that sees to it.

Each case is played over the wire of a venue and must stand its trial (``fault_trials.py``), for most of them that it
ends as its backtest. Without the rule it must not, and without the fault nobody may miss the rule. Run as a program it
prints the table for every venue, with the time that each recovery took.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from fault_trials import (
    FIRST,
    Ground,
    Grounds,
    Played,
    WrongError,
    calm_steps,
    equals_its_backtest,
    equals_the_backtest_with_gaps,
    grounds_of,
    has_ended,
    is_protected_on_a_new_grid,
    keeps_its_trade_on_a_new_grid,
    keeps_what_came_first,
    trades_no_late_signal,
)
from paper_exchange import clock_by
from repair_rules import (
    AGAIN,
    AGES,
    BANS,
    CALM,
    CLOCK,
    DATA,
    ENDING,
    GRIDS,
    ORDER,
    PONGS,
    PROOF,
    REPAIR,
    STANDING,
    TRUTH,
    Rule,
)

from trading_system import replay, simulated_run, venue_access
from trading_system.app import Pace
from trading_system.research.runs import write
from trading_system.rules.matching import MINUTE_MS
from trading_system.simulated_run import REPLAY_PACE
from trading_system.simulator.faults import Fault, FaultKind, FaultScript
from trading_system.simulator.server import SimulatorServer
from trading_system.venues.clock import Clock
from trading_system.venues.rest_budget import BudgetTerms, RestBudget

VENUES = ("binance_usdm", "bybit_linear")
STALLED_S = 4.0
RULED_S = 20.0  # a line that has its rule is given time, also on a busy machine
SHUT_OUT_MS = 1_500
HARMS = (WrongError, replay.StalledError, replay.LineFailedError)
NEVER_S = 1e9
# What nobody brings is not asked for by REST, so that nothing but the age of the line can tell.
PINGING = REPLAY_PACE._replace(ask_after_s=NEVER_S, ping_ms=100, pong_timeout_ms=500)
LISTENING = REPLAY_PACE._replace(ask_after_s=NEVER_S, silence_ms=800)
BEFORE = 3  # steps between a fault and the entry: the market plays them at once
LONGEST_JUMP = 10  # steps: an idle line lets the market play on to the next close of a signal's candle
REFUSED_ALL_S = 20.0  # in which a line has tried every attempt at a stop and left the position
K = FaultKind


class Case(NamedTuple):
    """A number of the list of faults, what happens around the step ``at`` of an entry, and the rule that mends it.

    on: which of the venue's markets it is played on. holds: raises WrongError when what must hold did not. patience_s:
    for how long the market waits for a line without the rule before the run counts as stalled. ages: the venue's time
    goes on from each close, so that a signal grows old; otherwise it stands still with the market. pace: how patient
    the line is.
    """

    number: int
    name: str
    faults: Callable[[int], list[Fault]]
    rule: Rule
    on: Callable[[Grounds], Ground] = attrgetter("one")
    holds: Callable[[Ground, Played], None] = equals_its_backtest
    patience_s: float = STALLED_S
    ages: bool = False
    pace: Pace = REPLAY_PACE


def _cut(at: int) -> Fault:
    """Cut the line so long before an entry that the market plays on to its signal before anybody can come back."""
    return Fault(K.CUT, at - BEFORE)


def _lost(at: int) -> Fault:
    return Fault(K.MISSING_CLOSE, at)


CASES = (
    Case(1, "cut without a word", lambda at: [_cut(at)], REPAIR),
    Case(1, "closed with 1000, 1006, 1008", lambda at: [
        Fault(K.CLOSED, at - BEFORE), Fault(K.CLOSED, at, code=1006), Fault(K.CLOSED, at + 2, code=1008)
    ], REPAIR),
    Case(1, "half open", lambda at: [Fault(K.HALF_OPEN, at - BEFORE)], PONGS, pace=PINGING),
    Case(1, "a shutdown that is announced", lambda at: [Fault(K.SHUTDOWN, at - BEFORE)], REPAIR),
    Case(2, "acknowledged but silent", lambda at: [Fault(K.SILENT_SUBSCRIPTION, at - BEFORE)], DATA, pace=LISTENING),
    Case(3, "a close three steps late", lambda at: [Fault(K.LATE_CLOSE, at, steps=3)], REPAIR),
    Case(3, "a close that never comes", lambda at: [_lost(at)], REPAIR),
    Case(3, "a close twice", lambda at: [Fault(K.DUPLICATED_CLOSE, at)], ORDER),
    Case(3, "a close twice with other numbers", lambda at: [Fault(K.CHANGED_CLOSE, at)], ORDER),
    Case(3, "two closes in the wrong order", lambda at: [Fault(K.SWAPPED_CLOSE, at)], REPAIR),
    Case(3, "a minute that never says that it is closed", lambda at: [Fault(K.UNCLOSED_ONLY, at)], REPAIR),
    Case(3, "half a frame", lambda at: [Fault(K.CORRUPTED_FRAME, at)], REPAIR),
    Case(4, "REST of a minute ago", lambda at: [_lost(at), Fault(K.STALE_REST, at, count=3)], PROOF),
    Case(4, "a row that REST lacks", lambda at: [_lost(at), Fault(K.MISSING_ROW, at)], PROOF),
    Case(4, "REST without a row", lambda at: [
        _cut(at), Fault(K.EMPTY_REST, at - BEFORE, count=3)
    ], AGAIN),
    Case(4, "REST with other volumes than the stream", lambda at: [
        _lost(at - BEFORE), Fault(K.CHANGED_REST, at - BEFORE)
    ], TRUTH, holds=keeps_what_came_first),
    Case(5, "minutes without a trade", lambda at: [_lost(calm_steps(at)[2])], CALM, attrgetter("calm")),
    Case(5, "minutes without a trade that are not pushed", lambda at: [
        _lost(step) for step in calm_steps(at)
    ], REPAIR, attrgetter("calm")),
    Case(8, "a limit that becomes a ban", lambda at: [
        _cut(at), Fault(K.RATE_LIMITED, at - BEFORE, ms=1_500)
    ], BANS),
    Case(8, "an address that is shut out", lambda at: [
        _cut(at), Fault(K.FORBIDDEN, at - BEFORE, ms=SHUT_OUT_MS)
    ], BANS),
    Case(13, "a clock that jumps back", lambda at: [Fault(K.CLOCK_JUMP, at - 1, ms=-8_000)], CLOCK),
    Case(13, "a clock that jumps ahead", lambda at: [Fault(K.CLOCK_JUMP, at - 1, ms=8_000)], CLOCK),
    Case(13, "a clock that drifts", lambda at: [Fault(K.CLOCK_DRIFT, at - 60, ms=100)], CLOCK),
    Case(14, "a stream that lags", lambda at: [Fault(K.STREAM_LAG, at, ms=1_500)], ORDER),
    Case(14, "a stream that lags while REST has nothing", lambda at: [
        Fault(K.STREAM_LAG, at - 2, ms=5_000), Fault(K.EMPTY_REST, at - 2, count=10_000)
    ], AGES, holds=trades_no_late_signal, patience_s=20.0, ages=True),
    Case(15, "a venue that is away", lambda at: [
        _cut(at), Fault(K.MAINTENANCE, at - BEFORE, count=6)
    ], AGAIN),
    Case(15, "a page instead of an answer", lambda at: [
        _cut(at), Fault(K.HTML, at - BEFORE, count=3)
    ], AGAIN),
    Case(17, "a symbol that is halted for seven minutes", lambda at: [
        Fault(K.HALTED, at + 1, FIRST, steps=7)
    ], STANDING, attrgetter("two"), equals_the_backtest_with_gaps),
    Case(17, "a symbol that is delisted in mid-trade", lambda at: [
        Fault(K.DELISTED, at + 4, FIRST)
    ], ENDING, attrgetter("two"), has_ended),
    Case(17, "a tick that grows tenfold in mid-trade", lambda at: [
        Fault(K.NEW_TICK, at + 4, FIRST)
    ], GRIDS, attrgetter("two"), keeps_its_trade_on_a_new_grid, REFUSED_ALL_S),
    Case(17, "a tick that grows tenfold before an entry", lambda at: [
        Fault(K.NEW_TICK, at - 1, FIRST)
    ], GRIDS, attrgetter("two"), is_protected_on_a_new_grid, REFUSED_ALL_S),
)  # fmt: skip


@contextlib.contextmanager
def _aged() -> Iterator[None]:
    """Let the venue's time pass between two steps, for a line that is told it."""
    close, at = 0, 0.0
    heard = SimulatorServer.minute_closed

    def closing(self: SimulatorServer, step: int, *said: Any) -> None:
        nonlocal close, at
        close, at = step * MINUTE_MS, time.perf_counter()
        heard(self, step, *said)

    def venue_ms() -> int:
        return close + round((time.perf_counter() - at) * 1000)

    with (
        patch.object(SimulatorServer, "minute_closed", closing),
        patch.object(simulated_run, "Line", partial(simulated_run.Line, clock=clock_by(venue_ms))),
    ):
        yield


def _soon_let_in(terms: BudgetTerms, clock: Clock) -> RestBudget:
    """Keep away from a venue that shuts an address out, and does not say for how long, for seconds, not minutes."""
    return RestBudget(terms._replace(forbidden_ms=SHUT_OUT_MS), clock)


class VoidError(AssertionError):
    """A control that proves nothing."""


class Play:
    """One run of a line through ``faults``: what was seen of it stays when it ends in an error.

    ruled: with the rule of the ``case``. Otherwise it is taken away shortly before the first fault: until then it has
    other work, at the start above all, and a control that fails there would say nothing of the fault.
    """

    def __init__(self, case: Case, ground: Ground, faults: Sequence[Fault], *, ruled: bool) -> None:
        self._case = case
        self._ground = ground
        self._faults = faults
        self._since = min(fault.at_step for fault in case.faults(ground.entry))
        self._ruled = ruled
        self._closed: dict[int, float] = {}
        self._servers: list[SimulatorServer] = []
        self._taken = contextlib.ExitStack()
        self._is_taken = False

    @property
    def longest_s(self) -> float:
        """The longest time that a step took from the first fault on, in seconds."""
        before = max(step for step in self._closed if step < self._since)
        steps = sorted(step for step in self._closed if step >= before)
        return max(self._closed[b] - self._closed[a] for a, b in pairwise(steps))

    @property
    def missed(self) -> Sequence[Fault]:
        """The faults that have not happened although the market has come to their step."""
        (server,) = self._servers
        return [fault for fault in server.faults.waiting if fault.at_step <= server.exchange.step]

    def to_its_end(self, folder: Path) -> Played:
        """Play. Raises: WrongError when the line asks a venue that has banned it; what ``run_replay`` raises."""
        made = simulated_run.simulator_of

        def watched(*args: Any) -> SimulatorServer:
            self._servers.append(made(*args))
            return self._servers[-1]

        pace = self._case.pace if self._ruled else self._case.rule.pace(self._case.pace)
        with (
            self._taken,
            _aged() if self._case.ages else contextlib.nullcontext(),
            patch.object(simulated_run, "simulator_of", watched),
            patch.object(venue_access, "RestBudget", _soon_let_in),
            patch.object(replay, "STALLED_AFTER_S", RULED_S if self._ruled else self._case.patience_s),
        ):
            run = asyncio.run(
                simulated_run.run_replay(
                    self._ground.market,
                    self._ground.settings,
                    folder,
                    faults=FaultScript(self._faults),
                    pace=pace,
                    stepped=self._step,
                )
            )
        write(folder, run)
        (server,) = self._servers
        if server.state()["asked_in_ban"]:
            raise WrongError(f"expected no request during a ban, was {server.state()['asked_in_ban']}")
        return Played(run, folder, server, self._faults)

    def _step(self, step: int) -> None:
        if not self._ruled and not self._is_taken and step >= self._since - LONGEST_JUMP:
            self._taken.enter_context(self._case.rule.off())
            self._is_taken = True
        self._closed[step] = time.perf_counter()


def recovery_s(case: Case, grounds: Grounds, folder: Path) -> float:
    """Play ``case`` and return the longest time that a step took from the first fault on, in seconds.

    Raises: WrongError when what must hold did not, or when the line asks a venue that has banned it.
    """
    ground = case.on(grounds)
    play = Play(case, ground, case.faults(ground.entry), ruled=True)
    case.holds(ground, play.to_its_end(folder))
    if play.missed:
        raise WrongError(f"expected every fault to happen, was {play.missed} waiting")
    return play.longest_s


def harm_without_rule(case: Case, grounds: Grounds, folder: Path) -> Exception:
    """Play ``case`` without its rule and return what it led to.

    Raises: VoidError when it led to nothing, or to something before the faults had happened.
    """
    ground = case.on(grounds)
    play = Play(case, ground, case.faults(ground.entry), ruled=False)
    try:
        case.holds(ground, play.to_its_end(folder))
    except HARMS as error:
        if play.missed:
            raise VoidError(f"expected harm of all faults so far, was {error} before {play.missed}") from error
        if isinstance(error.__cause__, TypeError | AttributeError | NameError):
            raise VoidError(f"expected a rule taken away, was a mistake in its replacement: {error}") from error
        return error
    raise VoidError(f"expected harm without the rule {case.rule.name!r}, was none")


def miss_no_rule(case: Case, grounds: Grounds, folder: Path) -> None:
    """Play the market of ``case`` without its faults and without its rule, which nothing needs then.

    Raises: WrongError, StalledError or LineFailedError when it is missed all the same, so that a control which fails
    without it would prove nothing about the fault.
    """
    on = case.on(grounds)
    ground = grounds.one if on is grounds.calm else on  # there it is the market that is at fault
    equals_its_backtest(ground, Play(case, ground, [], ruled=False).to_its_end(folder))


def main() -> int:
    """Print the table for every venue; 1 when something that must hold did not, or a control proves nothing."""
    void = 0
    sys.stdout.write(f"{'venue':14}{'no':>3}  {'fault':48}{'recovery':>9}  without its rule\n")
    with tempfile.TemporaryDirectory() as place:
        for venue in VENUES:
            folder = Path(place) / venue
            grounds = grounds_of(venue, folder)
            for n, case in enumerate(CASES):
                took = recovery_s(case, grounds, folder / f"with-{n}")
                try:
                    outcome = type(harm_without_rule(case, grounds, folder / f"without-{n}")).__name__
                    miss_no_rule(case, grounds, folder / f"neither-{n}")
                except (VoidError, *HARMS) as error:
                    outcome = f"VOID: {error}"
                    void += 1
                row = f"{venue:14}{case.number:>3}  {case.name:48}{took:>7.2f} s  {outcome} ({case.rule.name})"
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()
    return int(void > 0)


if __name__ == "__main__":
    sys.exit(main())

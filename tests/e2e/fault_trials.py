"""What must hold after a market went wrong: which run is the truth, and what is looked at besides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from small_markets import (
    SMALL_MINUTES,
    SMALL_SEED,
    made_market,
    small_market,
    small_settings,
    with_calm,
    with_gaps,
    with_twice_the_volume,
)

from trading_system.app import JOURNAL_FILE
from trading_system.database import open_store
from trading_system.research.candle_inputs import CandleInputs
from trading_system.research.line_view import read_line, store_of
from trading_system.research.parity import compare
from trading_system.research.run_folder import EVENTS, step_of_fill
from trading_system.research.runs import Run, run_backtest, write
from trading_system.research.stored_candles import read_stored
from trading_system.rules.matching import MINUTE_MS, Role
from trading_system.rules.roster import Member, State, Why
from trading_system.services.data_feed.service import CORRECTIONS
from trading_system.services.execution_engine.journal import Journal
from trading_system.services.execution_engine.journal import State as Standing
from trading_system.settings import Settings
from trading_system.simulator.faults import Fault
from trading_system.simulator.server import SimulatorServer

FIRST, OTHER = "BTCUSDT", "ETHUSDT"
OLD_S = 3.0  # an age at which a signal is not traded, where time passes at all
BARE_MS = 2_500  # the longest that a position may be without a stop


class WrongError(AssertionError):
    """What must hold did not."""


class Ground(NamedTuple):
    """A venue's market, its backtest and the folder of it, and the step in which an entry of the first symbol fills."""

    settings: Settings
    market: CandleInputs
    backtest: Run
    folder: Path
    entry: int


class Grounds(NamedTuple):
    """A venue's markets: of one symbol around its first entry, and of two around one that is held for an hour.

    ``calm`` is the first one with a candle of the signal's interval in which nobody trades, right after the entry.
    """

    one: Ground
    two: Ground
    calm: Ground


class Played(NamedTuple):
    """A line's run through faults: where it was written, and the exchange at its end."""

    run: Run
    folder: Path
    server: SimulatorServer
    faults: Sequence[Fault]


def grounds_of(venue: str, folder: Path) -> Grounds:
    """Make the markets of ``venue`` and their backtests in ``folder``."""
    settings = small_settings(f"exchange={venue}", f"signal_max_age={OLD_S:g}")
    two = made_market(settings, SMALL_SEED, (FIRST, OTHER), SMALL_MINUTES)
    one = _ground(settings, small_market(settings), folder / "one", 0)
    numbers = [step - 1 - one.market.origin // MINUTE_MS for step in calm_steps(one.entry)]
    calm = with_calm(one.market, FIRST, numbers)
    return Grounds(one, _ground(settings, two, folder / "two", 1), _ground(settings, calm, folder / "calm", 0))


def calm_steps(entry: int) -> range:
    """Return the steps of the first whole candle of five minutes after the step of an entry."""
    first = (entry + 4) // 5 * 5
    return range(first + 1, first + 6)


def _ground(settings: Settings, market: CandleInputs, folder: Path, number: int) -> Ground:
    backtest = run_backtest(market, settings)
    write(folder, backtest)
    entries = [fill for fill in backtest.record.fills if fill.role == Role.ENTRY and fill.symbol == FIRST]
    return Ground(settings, market, backtest, folder, step_of_fill(entries[number]))


def equals_its_backtest(ground: Ground, played: Played) -> None:
    """Raise unless nothing came of the faults. Raises: WrongError."""
    _require_equal(played.folder, ground.folder)


def equals_the_backtest_with_gaps(ground: Ground, played: Played) -> None:
    """Raise unless the run is that of a market without the minutes in which a symbol was halted. Raises: WrongError."""
    first = ground.market.origin // MINUTE_MS
    gaps = {one.symbol: range(one.at_step - first, one.at_step - first + one.steps) for one in played.faults}
    expected = played.folder / "expected"
    write(expected, run_backtest(with_gaps(ground.market, gaps), ground.settings))
    _require_equal(played.folder, expected)


def keeps_what_came_first(ground: Ground, played: Played) -> None:
    """Raise unless REST's numbers count for the minute that was lost, and are noted beside those of the later ones.

    Raises: WrongError.
    """
    lost = played.faults[0].at_step
    expected = played.folder / "expected"
    market = with_twice_the_volume(ground.market, FIRST, lost - 1 - ground.market.origin // MINUTE_MS)
    write(expected, run_backtest(market, ground.settings))
    _require_equal(played.folder, expected)
    noted = asyncio.run(_corrections(played.folder))
    volumes = {int(row["open_time"]): float(row["volume"]) for row in ground.market.candles[FIRST]}
    wanted = {step: 2 * volumes[(step - 1) * MINUTE_MS] for step in (lost + 1, lost + 2)}
    if noted != wanted:
        raise WrongError(f"expected the volumes {wanted} to be noted as corrections, was {noted}")


async def _corrections(folder: Path) -> dict[int, float]:
    """Return the volume of each row that was noted beside the line's own, by its step."""
    store = open_store(store_of(folder))
    try:
        return {one.step: json.loads(one.payload)["volume"] for one in await store.documents(CORRECTIONS)}
    finally:
        await store.close()


def trades_no_late_signal(ground: Ground, played: Played) -> None:
    """Raise unless the signal of the entry was too old to be traded, and nothing else differs. Raises: WrongError."""
    late = asyncio.run(read_stored(played.folder)).late
    traded = next(fill.id[2:-1] for fill in ground.backtest.record.fills if step_of_fill(fill) == ground.entry)
    if late != {traded}:
        raise WrongError(f"expected the signal {traded} to be too old, was {sorted(late)}")
    expected = played.folder / "expected"
    write(expected, run_backtest(ground.market, ground.settings, late=late))
    _require_equal(played.folder, expected)


def has_ended(ground: Ground, played: Played) -> None:
    """Raise unless the delisted symbol has left with nothing open, and the other one is as ever. Raises: WrongError."""
    book = played.server.exchange.books[FIRST]
    if book.position.side or book.open:
        raise WrongError(f"expected nothing of {FIRST} at the venue, was {book.position} and {book.open}")
    (exit_,) = [fill for fill in played.run.record.fills if fill.name == "x"]
    if exit_.symbol != FIRST or exit_.time != played.faults[0].at_step * MINUTE_MS:
        raise WrongError(f"expected the position settled after step {played.faults[0].at_step}, was {exit_}")
    member = member_of(played, FIRST)
    if (member.state, member.why) != (State.LEFT, Why.ENDED):
        raise WrongError(f"expected {FIRST} to have left as it is traded no more, was {member}")
    _require_other_as_ever(ground, played)


def keeps_its_trade_on_a_new_grid(ground: Ground, played: Played) -> None:
    """Raise unless the trade went on as planned, but for the new grid, and the symbol left after it.

    Raises: WrongError.
    """
    new_tick = played.server.exchange.books[FIRST].instrument.tick.price(1)
    expected, found = (
        [fill for fill in run.record.fills if fill.symbol == FIRST] for run in (ground.backtest, played.run)
    )
    if [(fill.id, fill.quantity) for fill in found] != [(fill.id, fill.quantity) for fill in expected]:
        raise WrongError(f"expected the fills {expected}, was {found}")
    if any(abs(a.price - b.price) > new_tick for a, b in zip(found, expected, strict=True)):
        raise WrongError(f"expected prices within {new_tick:g} of {expected}, was {found}")
    protection = played.server.state()["protection"]
    if protection["gaps"] or protection["bare_moves"]:
        raise WrongError(f"expected a position that always had its stop, was {protection}")
    _require_gone_for_its_grid(ground, played, most_refused=1)


def is_protected_on_a_new_grid(ground: Ground, played: Played) -> None:
    """Raise unless the symbol left, with a trade that got its stop in time or, where stops come with it, without one.

    Raises: WrongError.
    """
    protection = played.server.state()["protection"]
    if protection["bare_moves"] or max(protection["waits_ms"], default=0) > BARE_MS:
        raise WrongError(f"expected a stop within {BARE_MS} ms, was {protection}")
    exits = [fill for fill in played.run.record.fills if fill.name == "x"]
    if exits:
        raise WrongError(f"expected no trade to be left for want of a stop, was {exits}")
    _require_gone_for_its_grid(ground, played, most_refused=1)


def _require_gone_for_its_grid(ground: Ground, played: Played, most_refused: int) -> None:
    member = member_of(played, FIRST)
    if (member.state, member.why) != (State.LEFT, Why.CHANGED):
        raise WrongError(f"expected {FIRST} to have left for its new grid, was {member}")
    journal = Journal(played.folder / JOURNAL_FILE)
    try:
        refused = [order for order in journal.orders_since(0) if order.state == Standing.REJECTED]
    finally:
        journal.close()
    if len(refused) > most_refused:
        raise WrongError(f"expected at most {most_refused} order refused, was {refused}")
    _require_other_as_ever(ground, played)


def member_of(played: Played, symbol: str) -> Member:
    """Return how a symbol stands at the end, by the line's own store."""
    return asyncio.run(read_line(played.folder)).roster.members[symbol]


def _require_equal(run: Path, expected: Path) -> None:
    difference = compare(run, expected).difference
    if difference is not None:
        raise WrongError(difference.sentence())


def _require_other_as_ever(ground: Ground, played: Played) -> None:
    """Hold what was found on the other symbol against the backtest, in which nothing went wrong."""
    found, expected = (_events_of(folder, OTHER) for folder in (played.folder, ground.folder))
    if found != expected:
        at = next((n for n, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(found))
        raise WrongError(f"expected {len(expected)} events of {OTHER} as ever, was {len(found)}, another one at {at}")


def _events_of(folder: Path, symbol: str) -> list[str]:
    lines = (folder / EVENTS).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if json.loads(line)["symbol"] == symbol]

"""Paper trading: the venue's public feed, an account in this process, and a folder that the next start goes on with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from trading_system.app import Line, Mode, Pace
from trading_system.contracts import SERVICES
from trading_system.kept_line import kept_line
from trading_system.replay import STALLED_AFTER_S, StalledError, require_alive
from trading_system.research.run_folder import fill_line, fingerprint
from trading_system.research.runs import Run
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.roster import State
from trading_system.rules.symbols import selection_of
from trading_system.services.room import CANDLES
from trading_system.settings import Settings
from trading_system.simulator.paper_venue import PaperVenue
from trading_system.store.port import Stream
from trading_system.stored_run import WireMismatchError, run_of
from trading_system.terms import origin_before
from trading_system.venue_access import paper_access
from trading_system.venue_clock import VenueClock
from trading_system.venues.market_port import PublicMarket, top_by_volume

LOOK_S = 0.25
PAPER_PACE = Pace()


class Paper(NamedTuple):
    """A line that is not started yet, and how many minutes of history it lacks, over all symbols."""

    line: Line
    missing: int


async def paper_line(
    symbols: Sequence[str],
    settings: Settings,
    folder: Path,
    *,
    alerts: Mode | None = None,
    pace: Pace = PAPER_PACE,
    clock: VenueClock | None = None,
) -> Paper:
    """Return the line of ``folder``, not started: the one that it holds, or a new one whose warm-up ends about now.

    ``clock`` tells the venue's time; None: one that asks the venue.
    Raises: MarketError when the venue does not answer; OtherLineError when the folder's line has other symbols.
    """
    settings = settings.model_copy(update={"symbols": tuple(symbols)})
    access = paper_access(settings)
    kept = await kept_line(folder, settings)
    if clock is None:
        clock = VenueClock.of(access)
        await clock.measure()
    if kept is not None:
        (origin, instruments, head), now = kept, clock.now_ms()
    else:
        async with access.open_http() as http:
            market = access.market(http)
            instruments = await market.instruments(await selected(market, symbols))
            now = await market.running_minute(instruments[0].symbol)
            origin = head = origin_before(now, settings)
    line = Line(
        folder,
        settings,
        instruments,
        origin,
        access,
        pace,
        alerts=alerts,
        clock=clock,
        services=SERVICES,
    )
    return Paper(line, max(now - head, 0) // MINUTE_MS * len(instruments))


async def selected(market: PublicMarket, symbols: Sequence[str]) -> list[str]:
    """Return the symbols that ``symbols`` select at this moment, in order. Raises: SymbolError; MarketError."""
    names, top = selection_of(symbols)
    return sorted({*names, *(await top_by_volume(market, top) if top else ())})


async def trade_paper(
    line: Line,
    stop: asyncio.Event,
    *,
    until: int | None = None,
    warmed: Callable[[int], None] = lambda _: None,
    trading: Callable[[], None] = lambda: None,
) -> Run | None:
    """Trade ``line`` until ``stop`` is set or the minute that closes at ``until`` (ms UTC) is traded; return the run.

    ``warmed`` gets the minutes fetched by REST, ``trading`` is told when they are all there. Returns None when it was
    stopped before that; the next start goes on from what is stored.
    Raises: LineFailedError with the failure of a part as its cause; StalledError; what a room's start raises.
    """
    began = time.perf_counter()
    stopping = asyncio.create_task(stop.wait(), name="stop")
    starting = asyncio.create_task(line.start(warmed), name="start")
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return None
        await starting
        trading()
        while not stop.is_set() and (until is None or line.execution.progress.step * MINUTE_MS < until):
            require_alive(line)
            await asyncio.wait({stopping}, timeout=LOOK_S)
        await line.feed.stop()
        await _traded_to_the_end(line)
        return paper_run(await run_of(line), line, time.perf_counter() - began)
    finally:
        for task in (stopping, starting):
            task.cancel()
        await asyncio.gather(stopping, starting, return_exceptions=True)
        await line.stop()


def paper_run(run: Run, line: Line, seconds: float) -> Run:
    """Return ``run`` as one of paper trading. Raises: WireMismatchError when account and venue tell of other fills."""
    venue = line.venue
    newest, count = (venue.fingerprint_lines(), venue.trades) if isinstance(venue, PaperVenue) else ([], 0)
    lines = [fill_line(fill) for fill in run.record.fills]
    if len(lines) != count or lines[count - len(newest) :] != newest:
        raise WireMismatchError(
            f"expected the {count} fills of the paper account, was {len(lines)} others booked; "
            f"keep {line.folder} for a look at it, and start a new line with another --out"
        )
    return Run(
        run.record, {**run.summary, "kind": "paper", "fingerprint": fingerprint(lines), "seconds": round(seconds, 3)}
    )


async def _traded_to_the_end(line: Line) -> None:
    """Wait until the account has closed the last step that every symbol's candles bring."""
    store = line.letterbox.store
    exchange = line.instruments[0].exchange
    members = line.execution.roster.of_state(State.JOINED, State.LEAVING)
    heads = [await store.head(Stream(CANDLES, exchange, one.symbol)) or 0 for one in members]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STALLED_AFTER_S
    while line.execution.progress.step < min(heads):
        require_alive(line)
        if loop.time() > deadline:
            raise StalledError(
                f"expected step {min(heads)} traded, was {line.execution.progress} after {STALLED_AFTER_S:.0f} s; "
                "start the run again, it resumes from its folder"
            )
        line.execution.moved.clear()
        await asyncio.wait({asyncio.create_task(line.execution.moved.wait())}, timeout=LOOK_S)

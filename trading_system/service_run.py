"""One service of a line as a process of its own, as containers run it; what the others say comes by store and bus.

The services may start in any order: the data feed begins the line, the others wait until it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import aiohttp

from trading_system.app import Line, Mode, Pace
from trading_system.contracts import SERVICES
from trading_system.database import open_bus
from trading_system.kept_line import kept_line
from trading_system.paper_run import PAPER_PACE, selected
from trading_system.replay import LineFailedError, report_moves
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.symbols import selection_of
from trading_system.services.execution_engine.points import Reached, unwatched
from trading_system.services.heartbeat import Heartbeat
from trading_system.services.vital_signs import Vitals
from trading_system.settings import Settings
from trading_system.simulated_run import REPLAY_PACE, SimulatorGoneError, state_of
from trading_system.store.errors import (
    NewerSchemaError,
    StoreAccessError,
    StoreDataError,
    StoreError,
    StoreFileError,
    StoreReadOnlyError,
)
from trading_system.terms import origin_before
from trading_system.venue_access import VenueAccess, paper_access, simulated_access
from trading_system.venue_clock import VenueClock
from trading_system.venues.clock import SystemClock
from trading_system.venues.errors import VenueError
from trading_system.venues.known import venue_of
from trading_system.venues.loopback import require_loopback
from trading_system.venues.market_errors import MarketError, UnknownSymbolError

log = logging.getLogger(__name__)

BEGINS = "data_feed"
LOOK_AT_THE_CLOCK = ("data_feed", "execution_engine", "monitoring_engine")
FOLDER = "line"
PROBE = "probe"  # a document that says nothing but that the store took it
LOOK_S = 0.25
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
END_S = 5.0  # for a life to end when it is told to
PASSING = (
    StoreError,
    VenueError,
    MarketError,
    SimulatorGoneError,
    aiohttp.ClientError,
    ConnectionError,
    TimeoutError,
)
"""What ends a life of a service and may be over in the next one."""
LASTING = (NewerSchemaError, StoreAccessError, StoreDataError, StoreFileError, StoreReadOnlyError, UnknownSymbolError)
"""What no waiting mends."""


class ServiceError(ValueError):
    """A service that cannot run as a process of its own with these settings."""


class Begun(NamedTuple):
    """What a line began with: the origin (ms UTC) of its history, and its instruments."""

    origin: int
    instruments: tuple[Instrument, ...]


class Resting:
    """What a service says of itself while it is not open: it waits for the line, or its last life failed."""

    def __init__(self, name: str, failure: Exception | None) -> None:
        self.name = name
        self.failure = failure

    def health(self) -> Vitals:
        """Return that it waits."""
        return Vitals(None, {}, "line", "waiting")


class ServiceProcess:
    """One service of the line that ``settings`` name, kept alive: a life that fails in passing is followed by another.

    say: gets one line for each thing that a person should know.
    """

    def __init__(
        self,
        service: str,
        settings: Settings,
        say: Callable[[str], None] = lambda _: None,
        *,
        alerts: Mode | None = "PAPER",
        reached: Reached = unwatched,
    ) -> None:
        """Keep what is run.

        Raises: ServiceError for settings under which a service cannot meet the others; NoAccountError.
        """
        if service not in SERVICES:
            raise ServiceError(f"{service}: expected one of {' '.join(SERVICES)}; correct the name")
        if settings.bus_url.startswith("memory:"):
            raise ServiceError(
                "BUS_URL: expected a bus that processes can meet on, such as redis://localhost:6379/0, was memory://; "
                "set it in .env, or start all services in one process with `trading-system run`"
            )
        if not settings.symbols:
            raise ServiceError(
                'symbols: expected at least one, was none; write symbols = ["BTCUSDT"] into trading.toml, or set '
                "TRADING_SYMBOLS in .env"
            )
        if settings.market.conductor and selection_of(settings.symbols).top:
            raise ServiceError(
                f"symbols: expected symbols by name on a simulated exchange, was {' '.join(settings.symbols)}; it "
                "knows no volumes, give their names"
            )
        if settings.market.conductor:
            venue_of(settings.exchange)
            require_loopback(settings.market.conductor)
        self._service = service
        self._settings = settings
        self._say = say
        self._alerts = alerts
        self._reached = reached
        self._conductor = settings.market.conductor.rstrip("/")

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set. Raises: what no next life can mend, such as OtherLineError."""
        pause = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            while not stop.is_set():
                began = loop.time()
                life = asyncio.create_task(self._live(), name=self._service)
                await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
                while not life.done():  # a library may swallow a cancellation: whoever did is told again
                    life.cancel()
                    await asyncio.wait({life}, timeout=END_S)
                (ended,) = await asyncio.gather(life, return_exceptions=True)
                if isinstance(ended, Exception):
                    cause = ended.__cause__ if isinstance(ended, LineFailedError) else ended
                    if not isinstance(cause, PASSING) or isinstance(cause, LASTING):
                        raise ended
                    if loop.time() - began > LONGEST_PAUSE_S:  # it had worked
                        pause = FIRST_PAUSE_S
                    log.warning("%s begins again in %.1f s: %s", self._service, pause, ended)
                    async with self._beating(ended):
                        await asyncio.wait({stopping}, timeout=pause)
                    pause = min(pause * 2, LONGEST_PAUSE_S)
                elif ended is not None and not isinstance(ended, asyncio.CancelledError):
                    raise ended
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)

    async def _live(self) -> None:
        """One life: begin the line or wait until it has begun, run the service, and end with its failure."""
        settings = self._settings
        folder = settings.data_folder / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        async with self._access.open_http() as http:
            terms = await self._terms(http, folder)
            line = Line(
                folder,
                settings,
                terms.instruments,
                terms.origin,
                self._access,
                self._pace(),
                alerts=self._alerts,
                clock=await self._venue_clock(),
                reached=self._reached,
                services=(self._service,),
            )
            try:
                await line.start()
                self._say(f"{self._service} runs")
                if self._conductor and self._service == "execution_engine":
                    await report_moves(
                        line.execution,
                        settings.signal_interval,
                        http,
                        self._conductor,
                        lambda: _require_alive(line, whole=True),
                    )
                while True:
                    await asyncio.sleep(LOOK_S)
                    executes = self._service == "execution_engine"
                    _require_alive(line, whole=executes and await _is_store_back(line))
            finally:
                await line.stop()

    async def _venue_clock(self) -> VenueClock | None:
        """Return what tells the venue's time to the services that ask for it; None in lockstep, where time stands."""
        if self._conductor or self._service not in LOOK_AT_THE_CLOCK:
            return None
        clock = VenueClock.of(self._access)
        await clock.measure()
        return clock

    @asynccontextmanager
    async def _beating(self, failure: Exception | None = None) -> AsyncIterator[None]:
        """Say that the service waits, or why it failed, as long as the block lasts."""
        bus = open_bus(self._settings.bus_url)
        every_s = self._settings.monitoring.heartbeat
        beat = Heartbeat(bus, [Resting(self._service, failure)], SystemClock().wall_ms, every_s=every_s)
        try:
            await beat.start()
            yield
        finally:
            await beat.stop()
            await bus.close()

    async def _terms(self, http: aiohttp.ClientSession, folder: Path) -> Begun:
        """Return what the line began with; the data feed begins one that has not, everybody else waits for it."""
        kept = await self._kept(folder)
        if kept is not None:
            return kept
        if self._service == BEGINS:
            return await self._beginning(http)
        self._say(f"{self._service} waits until {BEGINS} has begun the line")
        async with self._beating():
            while kept is None:
                await asyncio.sleep(FIRST_PAUSE_S)
                kept = await self._kept(folder)
        return kept

    async def _kept(self, folder: Path) -> Begun | None:
        kept = await kept_line(folder, self._settings)
        return None if kept is None else Begun(kept.origin, kept.instruments)

    async def _beginning(self, http: aiohttp.ClientSession) -> Begun:
        settings, symbols = self._settings, sorted(self._settings.symbols)
        if not self._conductor:
            market = self._access.market(http)
            instruments = await market.instruments(await selected(market, symbols))
            return Begun(origin_before(await market.running_minute(instruments[0].symbol), settings), instruments)
        state = await state_of(http, self._conductor)
        venue = self._access.account()
        try:
            return Begun((state["first_step"] - 1) * MINUTE_MS, await venue.instruments(symbols))
        finally:
            await venue.close()

    @cached_property
    def _access(self) -> VenueAccess:
        """Return the way to the exchange, one for all lives: who is banned there stays banned."""
        settings = self._settings
        if self._conductor:
            return simulated_access(settings, self._conductor, settings.api_key, settings.api_secret)
        return paper_access(settings)

    def _pace(self) -> Pace:
        return REPLAY_PACE if self._conductor else PAPER_PACE


async def _is_store_back(line: Line) -> bool:
    """Tell whether the store that execution has lost takes a write again, so that a new life can go on with all."""
    if line.execution.store_lost is None:
        return False
    store = line.letterbox.store
    try:
        await store.put_document(PROBE, "*", 0, b"")
        await store.commit()
    except StoreError:
        return False
    return True


def _require_alive(line: Line, *, whole: bool = False) -> None:
    """Raise a part's failure; with ``whole`` also that of a line that lives on for its exits alone."""
    failure = line.failure
    if failure is None and whole:
        failure = line.execution.store_lost
    if failure is not None:
        raise LineFailedError(str(failure)) from failure

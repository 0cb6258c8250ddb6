"""The one place that wires everything: a line of rooms over one letterbox, from the exchange's socket to its orders.

A process opens all of the line's services, or one of them: what they say to each other goes through store and bus.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

from trading_system._feed import Feed
from trading_system.collector import searching_seldom
from trading_system.contracts import SERVICES
from trading_system.database import open_bus, open_store
from trading_system.line_terms import hold_to_terms
from trading_system.revived import Revived
from trading_system.rules.grid import Instrument
from trading_system.rules.intervals import interval_ms
from trading_system.rules.matching import MINUTE_MS, FillRules
from trading_system.rules.roster import State, new_roster
from trading_system.rules.symbols import selection_of
from trading_system.secret import Secret
from trading_system.services.data_feed.service import DataFeed
from trading_system.services.execution_engine.awaiting import Awaiting
from trading_system.services.execution_engine.joining import Choice, Joining
from trading_system.services.execution_engine.journal import Journal
from trading_system.services.execution_engine.points import Reached, unwatched
from trading_system.services.execution_engine.reconcile import Reconciler
from trading_system.services.execution_engine.service import ExecutionEngine
from trading_system.services.execution_engine.symbol_source import SymbolSource
from trading_system.services.heartbeat import Beating, Heartbeat
from trading_system.services.indicator_engine.service import IndicatorEngine
from trading_system.services.monitoring_engine.service import MonitoringEngine
from trading_system.services.room import ALERTS as ALERTED
from trading_system.services.room import WHOLE_ACCOUNT, Letterbox, Room
from trading_system.services.roster_log import RosterLog
from trading_system.services.strategy_engine.service import StrategyEngine
from trading_system.services.symbol_fold import FoldTerms
from trading_system.settings import Settings
from trading_system.simulator.paper_venue import PaperVenue
from trading_system.store.errors import StoreAwayError, StoreError
from trading_system.store.patience import Pauses, patiently
from trading_system.store.port import Store, Stream
from trading_system.symbol_source import AccountSource, PublicSource
from trading_system.terms import limits_of, origin_before, signal_rules_of, terms_of
from trading_system.venue_access import VenueAccess
from trading_system.venue_clock import VenueClock
from trading_system.venues.clock import SystemClock
from trading_system.venues.port import Venue

if TYPE_CHECKING:
    from trading_system.services.telegram_engine.service import TelegramEngine

log = logging.getLogger(__name__)

TRADING = SERVICES[:-1]
"""The services of a line that nobody has to watch, from the exchange's socket on."""
Mode = Literal["DEMO", "PAPER"]  # what an alert says of the money behind it
STORE_FILE = "store.db"
JOURNAL_FILE = "journal.db"
PAPER_FILE = "paper.json"
ALERTS = "alerts"
PICTURED = 70  # candles in an alert picture


class Pace(NamedTuple):
    """How patient a line is with its socket and its bells, in wall time."""

    poll_s: float = 1.0
    silence_ms: int | None = None  # None: as venues owe minutes; 0: a market that stands still is no dead socket
    ask_after_s: float = 5.0
    backoff_cap_ms: int = 30_000
    ping_ms: int = 15_000  # how often it is asked whether the other side is still there
    pong_timeout_ms: int = 15_000  # 0: whoever does not answer that is waited for
    by_clock: bool = True  # closes are missed by the venue's time; False: its market stands still between steps


class Line:
    """One process of a line, which trades one account over several symbols of one exchange: all services, or some."""

    execution: ExecutionEngine
    feed: DataFeed
    journal: Journal
    venue: Venue | PaperVenue

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        instruments: Sequence[Instrument],
        origin: int,
        access: VenueAccess,
        pace: Pace,
        *,
        alerts: Mode | None = None,
        clock: VenueClock | None = None,
        reached: Reached = unwatched,
        services: Collection[str] = TRADING,
    ) -> None:
        """Keep what the line is made of.

        clock: tells the venue's time, and is kept right while the line is open; without it no signal grows old.
        services: those of this process.
        """
        self._clock = clock
        self.folder = folder
        self.settings = settings
        self.instruments = tuple(instruments)
        self.origin = origin
        self._access = access
        self._pace = pace
        self._alerts = alerts
        self._reached = reached
        self._services = services
        self._rooms: list[Room] = []
        self._feeds: list[DataFeed] = []
        self._watches: list[MonitoringEngine] = []
        self._tellers: list[TelegramEngine] = []  # without trading beside them: a failure is the process's
        self._beating: list[Beating] = []  # grows while services are opened
        self.roster = new_roster(origin // MINUTE_MS, self.instruments)
        self._folds = FoldTerms(settings.signal_interval, settings.higher_interval or None, settings.detection)
        self._opened = AsyncExitStack()

    async def start(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Open the store, start every service from the last to the first, fetch history, listen.

        A store whose server is not there yet is waited for.
        Raises: OtherLineError when the folder's line was begun with other settings; what a room's start raises.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        opened = self._opened
        opened.enter_context(searching_seldom())
        if "execution_engine" in self._services:  # its lock first: a second start must not write a word
            self.journal = Journal(self.folder / JOURNAL_FILE)
            opened.callback(self.journal.close)
        store = self._open_store()
        opened.push_async_callback(store.close)
        await patiently(lambda: hold_to_terms(store, self.settings, self.instruments, self.origin))
        self._roster_log = RosterLog(store, self.instruments[0].exchange)
        self.roster = await patiently(lambda: self._roster_log.read(self.roster))
        self.letterbox = Letterbox(store, open_bus(self.settings.bus_url))
        opened.push_async_callback(self.letterbox.bus.close)
        await self.letterbox.bus.connect()
        beating = Heartbeat(
            self.letterbox.bus, self._beating, SystemClock().wall_ms, every_s=self.settings.monitoring.heartbeat
        )
        opened.push_async_callback(beating.stop)
        await beating.start()
        if self._clock is not None:
            opened.push_async_callback(_cancelled, asyncio.create_task(self._clock.keep_right(), name="clock"))
        if "monitoring_engine" in self._services:
            await self._open_monitoring()
        if "telegram_engine" in self._services:
            await self._open_telegram()
        if "execution_engine" in self._services:
            await self._open_execution()
        if "strategy_engine" in self._services:
            origins = self.roster.origins
            rules = {symbol: signal_rules_of(self.settings, step * MINUTE_MS) for symbol, step in origins.items()}
            strategy = StrategyEngine(self.letterbox, self.roster.fed_instruments, self._folds, rules, origins)
            await self._open(strategy)
        if "indicator_engine" in self._services:
            fed, origins = self.roster.fed_instruments, self.roster.origins
            await self._open(IndicatorEngine(self.letterbox, fed, self._folds, origins))
        if "data_feed" in self._services:
            await self._open_feed(progress)
        opened.push_async_callback(_cancelled, asyncio.create_task(self._poll(), name="poll"))
        gc.freeze()  # what is there now stays

    async def stop(self) -> None:
        """Close what was opened, the last first, also after a start that failed half way.

        So the feed stops before the rooms and the rooms before the store; what is not committed is done again at the
        next start.
        """
        await self._opened.aclose()

    @property
    def failure(self) -> Exception | None:
        """The first failure of any part; a line with one must be started again.

        When the store takes no more, it is execution's word: none as long as a position needs its stop and its exits.
        What only watches or tells ends nothing where there is trading.
        """
        failure, execution = _first_failure([*self._feeds, *self._rooms]), self._execution_here()
        if execution is not None:
            return execution.failure if isinstance(failure, StoreError) else failure
        return failure or _first_failure([*self._watches, *self._tellers])

    def _execution_here(self) -> ExecutionEngine | None:
        return next((room for room in self._rooms if isinstance(room, ExecutionEngine)), None)

    async def _open_monitoring(self) -> None:
        settings, opened, clock = self.settings, self._opened, self._clock
        others = SERVICES if self.letterbox.bus.leaves_process else self._services
        absent = {MonitoringEngine.name} | ({"telegram_engine"} if self._alerts is None else set())
        self.monitoring = MonitoringEngine(
            self._letterbox_of_its_own(opened),
            self.instruments[0].exchange,
            self._begun_origins(),
            SystemClock().wall_ms,
            expected=[one for one in others if one not in absent],
            limits=limits_of(settings),
            venue_ms=None if clock is None else clock.now_ms,
            free_disk_bytes=lambda: shutil.disk_usage(self.folder).free,
            clock_off_ms=None if clock is None else lambda: clock.off_ms,
        )
        self._watches.append(self.monitoring)
        self._beating.append(self.monitoring)
        opened.push_async_callback(self.monitoring.stop)
        await self.monitoring.start()
        if settings.monitoring.port:
            from trading_system.services.monitoring_engine.endpoint import (
                MetricsEndpoint,  # prometheus-client: an extra
            )

            endpoint = MetricsEndpoint(self.monitoring, settings.monitoring.host, settings.monitoring.port)
            opened.push_async_callback(endpoint.stop)
            await endpoint.start()

    def _letterbox_of_its_own(self, opened: AsyncExitStack) -> Letterbox:
        """Return one whose commits cannot commit half a step of a room, for who goes at a pace of its own.

        Its store is closed by ``opened``.
        """
        store = self.letterbox.store
        if not self.settings.database_url.startswith("memory:"):
            store = self._open_store()
            opened.push_async_callback(store.close)
        return Letterbox(store, self.letterbox.bus)

    def _open_store(self) -> Store:
        return open_store(self.settings.database_url or f"sqlite:///{(self.folder / STORE_FILE).resolve()}")

    async def _open(self, room: Room) -> None:
        self._rooms.append(room)
        self._beating.append(room)
        self._opened.push_async_callback(room.stop)
        await room.start()

    async def _open_execution(self) -> None:
        settings, access, opened = self.settings, self._access, self._opened
        clock = SystemClock()
        self.venue = self._paper_venue() if access.paper else access.account(clock, self.journal.stops_without_fill)
        opened.push_async_callback(self.venue.close)
        await self._prepare_venue()
        joining = Joining(self._symbol_source(), self._origin_at, self._make_ready, self._choice())
        self.execution = ExecutionEngine(
            self.letterbox,
            terms_of(settings, self.instruments),
            self._begun_origins(),
            self.venue,
            self.journal,
            Reconciler(self.journal, self.venue, access.record, clock, self._reached),
            equity=settings.account.equity,
            signal_interval=settings.signal_interval,
            market=self.venue if isinstance(self.venue, PaperVenue) else None,
            venue_ms=None if self._clock is None else self._clock.latest_ms,
            signal_max_age_ms=round(settings.market.signal_max_age * 1000),
            reached=self._reached,
            joining=joining,
            awaiting=Awaiting(settings.market.await_symbol) if self._pace.by_clock else None,
        )
        await self._open(self.execution)

    def _begun_origins(self) -> dict[str, int]:
        """Return the step before the first of each symbol with which the line began."""
        return {one.symbol: self.origin // MINUTE_MS for one in self.instruments}

    def _symbol_source(self) -> SymbolSource:
        http = self._access.open_http()
        self._opened.push_async_callback(http.close)
        market = self._access.market(http)
        return PublicSource(market) if self._access.paper else AccountSource(self.venue, market)

    def _choice(self) -> Choice | None:
        names, top = selection_of(self.settings.symbols)
        return Choice(top, names) if top and self._access.paper else None

    def _origin_at(self, now: int) -> int:
        return max(origin_before(now, self.settings), self.origin)

    async def _make_ready(self, instrument: Instrument) -> None:
        """Let the venue take orders of a symbol. Raises: VenueError."""
        symbol = instrument.symbol
        if isinstance(self.venue, PaperVenue):
            self.venue.admit(instrument)
            return
        await self.venue.set_isolated_margin(symbol)
        await self.venue.set_leverage(symbol, int(self.settings.account.leverage))
        self.journal.begin_trades_at(symbol, await self.venue.newest_trade(symbol))

    async def _open_feed(self, progress: Callable[[int], None]) -> None:
        settings, access, pace = self.settings, self._access, self._pace
        http = self._access.open_http()
        self._opened.push_async_callback(http.close)
        longer = [interval_ms(name) for name in (settings.signal_interval, settings.higher_interval) if name]
        socket = Feed(
            access.market_stream,
            list(self.roster.fed),
            venue=access.known.name,
            silence_ms=pace.silence_ms,
            backoff_cap_ms=pace.backoff_cap_ms,
            ping_ms=pace.ping_ms,
            pong_timeout_ms=pace.pong_timeout_ms,
            mark_price=access.paper,  # an exchange that stands still has no price but the last one
            proxy=access.proxy.reveal(),
        )
        wanted = [length for length in longer if length > MINUTE_MS]
        self.feed = DataFeed(
            self.letterbox,
            self.roster.fed_instruments,
            self.roster.origins,
            wanted,
            socket,
            access.market(http),
            pace.ask_after_s,
            self._clock.now_ms if self._clock is not None and pace.by_clock else None,
            lambda ban: access.budget.ban(ban.ms, ban.words, address=ban.address),
        )
        self._feeds.append(self.feed)
        self._beating.append(self.feed)
        self._opened.push_async_callback(self.feed.stop)
        await self.feed.start(progress)

    async def _open_telegram(self) -> None:
        alerts = self._alerts
        if alerts is None:
            return
        if "execution_engine" in self._services:
            kept = Revived("telegram_engine", lambda stack: self._telegram_engine(alerts, stack))
            self._opened.push_async_callback(kept.stop)
            self._beating.append(kept)
            await kept.start()
        else:
            telegram = self._telegram_engine(alerts, self._opened)
            self._tellers.append(telegram)
            self._beating.append(telegram)
            await telegram.start()

    def _paper_venue(self) -> PaperVenue:
        account, venue = self.settings.account, self.settings.venue
        paper = PaperVenue(
            self.folder / PAPER_FILE,
            self._held_instruments(),
            self.origin // MINUTE_MS,
            FillRules(venue.slippage_ticks, venue.limit_fill, venue.walk),
            leverage=int(account.leverage),
            equity=account.equity,
        )
        paper.begin()
        return paper

    async def _prepare_venue(self) -> None:
        await self.venue.server_time_offset()
        for one in self._held_instruments():
            if not await self.venue.position_mode_is_one_way(one.symbol):
                raise HedgeModeError
            await self.venue.set_isolated_margin(one.symbol)
            await self.venue.set_leverage(one.symbol, int(self.settings.account.leverage))

    def _held_instruments(self) -> list[Instrument]:
        """Return the instruments of the symbols that the account takes; those that are joining are made ready later."""
        return [self.roster.instrument(one.symbol) for one in self.roster.of_state(State.JOINED, State.LEAVING)]

    def _telegram_engine(self, alerts: Mode, opened: AsyncExitStack) -> TelegramEngine:
        """Make one life of it, whose end is put on ``opened``."""
        from trading_system.services.telegram_engine.address import bot_of
        from trading_system.services.telegram_engine.chats import listed_chats
        from trading_system.services.telegram_engine.folder import AlertFolder
        from trading_system.services.telegram_engine.service import (  # pictures load Pillow
            AlertSource,
            TelegramEngine,
            Telling,
        )
        from trading_system.services.telegram_engine.telling import alert_text_of
        from trading_system.spoken import look_in

        settings, account, telegram = self.settings, self.settings.account, self.settings.telegram
        token = settings.telegram_token if alerts != "DEMO" else Secret("")  # a demo stays on this machine
        warm_up = settings.plans.warm_up * interval_ms(settings.signal_interval)
        telling = Telling(
            settings.signal_interval,
            alerts,
            account.risk_pct,
            account.leverage,
            account.equity,
            self.origin,
            self.origin + warm_up,
            UTC if telegram.zone == "UTC" else ZoneInfo(telegram.zone),
            settings.language,
        )
        exchange = self.instruments[0].exchange
        engine = TelegramEngine(
            self._letterbox_of_its_own(opened),
            {one.symbol: one for one in self.instruments},
            telling,
            look_in,
            account=terms_of(settings, self.instruments),
            folder=None if token else AlertFolder(self.folder / ALERTS),
            messenger=bot_of(token, telegram.base_url, own_server=telegram.own_server) if token else None,
            chats=listed_chats(telegram.chats, settings.language),
            pairing=telegram.pairing,
            alerts=AlertSource(Stream(ALERTED, exchange, WHOLE_ACCOUNT), alert_text_of),
        )
        opened.push_async_callback(engine.stop)
        opened.push_async_callback(engine.drain)
        return engine

    async def _poll(self) -> None:
        """Heal lost bells: the store says what no bell brought, until it takes no more.

        Nothing here waits for the venue: while it is silent or bans us, the line goes on by what it has.
        """
        pauses = Pauses()
        while True:
            await asyncio.sleep(self._pace.poll_s)
            failure, execution = _first_failure([*self._feeds, *self._rooms]), self._execution_here()
            if execution is not None and isinstance(failure, StoreError):
                execution.lose_store(failure)
                return
            try:
                for watch in self._watches:  # first, so that it sees a store that is away
                    await watch.poll()
                await self._follow_symbols()
                for room in reversed(self._rooms):
                    await room.catch_up()
                for feed in self._feeds:
                    await feed.poll()
                await self.letterbox.store.tidy()
                pauses = Pauses()
            except StoreAwayError as error:
                log.warning("no room can catch up: %s", error)
                await asyncio.sleep(pauses.take())
            except Exception:
                log.exception("a room could not catch up")

    async def _follow_symbols(self) -> None:
        """Let every room of this process work on the symbols that the store names, and on no others.

        Who reads begins before who writes, and ends after it, as at the start and the end of the line.
        """
        roster = await self._roster_log.read(self.roster)
        if roster.known == self.roster.known:
            return
        before, now = self.roster.origins, roster.origins
        for symbol in [one for one in now if one not in before]:
            for room in self._rooms:
                await room.add(roster.instrument(symbol), now[symbol])
            for feed in self._feeds:
                await feed.add(roster.instrument(symbol), now[symbol])
        for symbol in [one for one in before if one not in now]:
            for feed in self._feeds:
                await feed.remove(symbol)
            for room in reversed(self._rooms):
                await room.remove(symbol)
        self.roster = roster


def _first_failure(parts: Sequence[Beating]) -> Exception | None:
    return next((part.failure for part in parts if part.failure is not None), None)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class HedgeModeError(RuntimeError):
    """The account keeps longs and shorts of a symbol apart, in which a net position has no meaning."""

    def __init__(self) -> None:
        super().__init__(
            "expected an account in one-way mode, was hedge mode; switch it at the exchange while no position is open"
        )

"""Looks at the line every second: positions, services, machine; tells what is not in order, and trades nothing.

What is true stands in the store; from the bus come the heartbeats only. A look that fails changes nothing: the view
stays as old as it is, and says so by its time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from trading_system.bus.errors import BusServerError
from trading_system.bus.port import Subscription
from trading_system.contracts import (
    SERVICES,
    SYSTEM_ALERT,
    SYSTEM_HEALTH,
    AlertDTO,
    ContractError,
    HealthDTO,
    health_key,
    serialize,
    to_alert,
    to_health,
    to_ms,
)
from trading_system.rules.holdings import equity_at, holdings
from trading_system.services.heartbeat import dropped
from trading_system.services.monitoring_engine.bad_messages import RisingCounts
from trading_system.services.monitoring_engine.episodes import (
    STORE_AWAY,
    Episode,
    Key,
    fold,
    patience_ms,
    recalled,
    with_store_away,
)
from trading_system.services.monitoring_engine.stored_line import StoredLine
from trading_system.services.monitoring_engine.troubles import troubles_of, unjudged
from trading_system.services.monitoring_engine.view import Tallies, View
from trading_system.services.room import ALERTS, WHOLE_ACCOUNT, Letterbox
from trading_system.services.vital_signs import (
    BAD_BELLS,
    FAR_AHEAD_MS,
    Limits,
    Trouble,
    Vitals,
    lag_of,
    service_trouble,
)
from trading_system.store.errors import StoreError
from trading_system.store.port import Stream

log = logging.getLogger(__name__)

WATCHED = SERVICES[:-1]  # all but the watch itself
STANDSTILL = frozenset({"service_silent", "service_failed", "feed_silent", "bus_away"})


class MonitoringEngine:
    """Watches one line. Its store must be its own: a commit here must not commit half a step of another room.

    origins: the step before the first, of each symbol with which the line began. expected: the services whose silence
    is a trouble. now_ms: this machine's time, never running backwards. venue_ms: the venue's, None in lockstep, where
    no candle is late. free_disk_bytes, clock_off_ms: tell the room on the disk and the error of the machine's clock,
    both at once; None is not asked.
    """

    name = "monitoring_engine"

    def __init__(
        self,
        letterbox: Letterbox,
        exchange: str,
        origins: Mapping[str, int],
        now_ms: Callable[[], int],
        *,
        expected: Sequence[str] = WATCHED,
        limits: Limits = Limits(),  # noqa: B008  frozen
        venue_ms: Callable[[], int] | None = None,
        free_disk_bytes: Callable[[], int] | None = None,
        clock_off_ms: Callable[[], int | None] | None = None,
    ) -> None:
        self._letterbox = letterbox
        self._exchange = exchange
        self._now_ms = now_ms
        self._expected = tuple(expected)
        self._limits = limits
        self._venue_ms = venue_ms
        self._free_disk_bytes = free_disk_bytes
        self._clock_off_ms = clock_off_ms
        self._health: dict[str, HealthDTO] = {}
        self._began = 0
        self._line = StoredLine(letterbox.store, exchange, origins)
        self._head: int | None = None
        self._lost_since: int | None = None  # since when the store is away
        self._unsure = False  # the last write had no answer or met another's: what is stored is read anew
        self._rising = RisingCounts(**{self.name: 0})
        self._episodes: dict[Key, Episode] = {}
        self._subscription: Subscription | None = None
        self._turn = asyncio.Lock()
        self._away = False
        self.refused_messages = 0
        self.view: View | None = None
        self.failure: Exception | None = None

    async def start(self) -> None:
        """Recall which alerts last, and listen to heartbeats. Raises: StoreError."""
        self._began = self._now_ms()
        await self._recall()
        self._subscription = await self._letterbox.bus.subscribe(SYSTEM_HEALTH, self._hear)

    async def stop(self) -> None:
        """Stop listening; a second call changes nothing."""
        if self._subscription is not None:
            await self._subscription.cancel()
            self._subscription = None

    async def poll(self) -> None:
        """Look once, and tell what is due. Called every second; a store that is away is asked again the next time."""
        async with self._turn:
            if self.failure is not None:
                return
            began = self._now_ms()
            try:
                if self._unsure:
                    await self._recall()
                await self._read_signs()
                self.view = await self._look()
                await self._tell()
                self._lost_since = None
            except Exception as error:
                if isinstance(error, StoreError):
                    log.warning("the line cannot be looked at now: %s", error)
                    self._lost_since = began if self._lost_since is None else self._lost_since
                    patience = patience_ms(self._limits)[STORE_AWAY[0]]
                    self._episodes = with_store_away(self._episodes, self._lost_since, self._now_ms(), patience)
                    return
                log.exception("monitoring stopped")
                self.failure = error

    def health(self) -> Vitals:
        """Return the step up to which the feed was seen: what others do not do is not this service's standing still."""
        view = self.view
        if view is None:
            return Vitals(None, {}, "store", "waiting")
        numbers: dict[str, float | int | str] = {"alerts": len(self.lasting), "refused": self.refused_messages}
        if self._now_ms() - view.time > self._limits.silent_s * 1000:
            return Vitals(None, numbers, "store", "waiting")
        return Vitals(
            min((head for head in view.heads.values() if head is not None), default=None), numbers, "services"
        )

    @property
    def tallies(self) -> Tallies:
        """Counts over all stored facts of the account."""
        return self._line.tallies

    @property
    def lasting(self) -> list[Episode]:
        """The episodes that were told and are not over."""
        return [episode for episode in self._episodes.values() if episode.said]

    @property
    def bare_since(self) -> dict[str, int]:
        """Since when (ms UTC) each unprotected position has been seen without its stop."""
        return {one.subject: one.began for one in self._episodes.values() if one.kind == "position_unprotected"}

    def is_up(self, service: str) -> bool:
        """Tell whether a service is neither silent nor failed, by its newest heartbeat."""
        return service_trouble(service, self._health.get(service), None, self._now_ms(), self._limits) is None

    def now_ms(self) -> int:
        """Return this machine's time in ms UTC."""
        return self._now_ms()

    def standstill(self) -> list[str]:
        """Return what keeps the line from its progress, as ``kind subject``; empty while it moves."""
        if self.failure is not None:
            return [f"service_failed {self.name}"]
        if self.view is None or self.health().waits_for == "store":
            return ["store_silent store"]
        view, ill = self.view, [one for one in self.troubles if one.kind in STANDSTILL]
        for service, lag in view.lags.items():  # one that is behind but moves is catching up
            stuck = service_trouble(service, self._health.get(service), lag, self._now_ms(), self._limits)
            if stuck is not None and stuck.kind == "service_behind":
                ill.append(stuck)
        return [f"{one.kind} {one.subject}" for one in ill]

    @property
    def troubles(self) -> list[Trouble]:
        """What is not in order in the newest view, told or not."""
        return [] if self.view is None else troubles_of(self.view, self._limits)

    async def _hear(self, payload: bytes) -> None:
        self._keep(payload)

    def _keep(self, payload: bytes) -> None:
        """Keep a heartbeat that is newer than the one before; what is none, or of nobody known, has no effect."""
        try:
            word = to_health(payload)
        except ContractError as error:
            if not self.refused_messages:
                log.warning("a heartbeat that is none (%s); more are only counted", error)
            self.refused_messages += 1
            return
        service = word["service"]
        if service not in SERVICES:
            self.refused_messages += 1
            return
        have = self._health.get(service)
        # One from far ahead must not silence those that follow.
        if have is None or have["time"] <= word["time"] or to_ms(have["time"]) > self._now_ms() + FAR_AHEAD_MS:
            self._health[service] = word

    async def _recall(self) -> None:
        """Take up what is stored: a commit whose answer was lost may have been done. Untold episodes go on."""
        stream = self._stream(ALERTS)
        head = await self._letterbox.store.head(stream)
        rows = [] if head is None else await self._letterbox.store.read(stream, None, head)
        lasting = recalled(to_alert(row.payload) for row in rows)
        own = {key: one for key, one in self._episodes.items() if not one.said or key == STORE_AWAY}
        self._episodes, self._head, self._unsure = {**own, **lasting}, head, False

    async def _read_signs(self) -> None:
        """Read the newest heartbeats from the cache: a bell may be lost, and one who starts late heard none."""
        try:
            for service in self._expected:
                payload = await self._letterbox.bus.newest(health_key(service))
                if payload is not None:
                    self._keep(payload)
        except BusServerError as error:
            if not self._away:
                log.warning("the bus cannot be asked for heartbeats: %s", error)
            self._away = True
        else:
            self._away = False

    async def _look(self) -> View:
        now, stored = self._now_ms(), await self._line.read()
        account = stored.account
        held = () if account is None else holdings(account, stored.symbols, stored.closes)
        execution, feed = self._health.get("execution_engine"), self._health.get("data_feed")
        bare = "" if execution is None else str(execution.get("progress", {}).get("unprotected", ""))
        lags = {
            service: stored.lags.get(service, lag_of(self._health.get(service), feed)) for service in self._expected
        }
        return View(
            time=now,
            watched_s=(now - self._began) / 1000,
            venue_ms=None if self._venue_ms is None else self._venue_ms(),
            expected=self._expected,
            health=dict(self._health),
            heads=stored.heads,
            lags={service: lag for service, lag in lags.items() if lag is not None},
            step=stored.step,
            account=account,
            held=held,
            equity=None if account is None else equity_at(account, held),
            bare=frozenset(bare.split()),
            bus_away=self._away,
            nonsense=self._rising.risen(self._bad_messages(), now),
            free_disk_bytes=None if self._free_disk_bytes is None else self._free_disk_bytes(),
            clock_off_ms=None if self._clock_off_ms is None else self._clock_off_ms(),
        )

    def _bad_messages(self) -> dict[str, int]:
        counts = {self.name: self.refused_messages + dropped(self._letterbox.bus)}
        for service, health in self._health.items():
            if service == self.name:
                continue
            count = health.get("progress", {}).get(BAD_BELLS)
            if isinstance(count, int):
                counts[service] = count
        return counts

    async def _tell(self) -> None:
        """Write the alerts that are due; those that cannot be written are due again at the next look."""
        view = self.view
        if view is None:
            return
        unseen = {key for key in self._episodes if unjudged(*key, view, self._limits)}
        episodes, due = fold(self._episodes, self.troubles, view.time, patience_ms(self._limits), unseen)
        if due:
            await self._write(due)
        self._episodes = episodes

    async def _write(self, due: Sequence[AlertDTO]) -> None:
        number = 1 if self._head is None else self._head + 1
        payloads = [serialize(alert) for alert in due]
        store, bus = self._letterbox.store, self._letterbox.bus
        self._unsure = True
        await store.append(self._stream(ALERTS), number, payloads, after=self._head)
        try:
            await store.commit()
        except StoreError:
            await store.rollback()
            raise
        self._head, self._unsure = number, False
        for alert, payload in zip(due, payloads, strict=True):
            log.warning("alert %s of %s %s", alert["kind"], alert["subject"], "is over" if alert["over"] else "begins")
            await bus.publish(SYSTEM_ALERT, payload)

    def _stream(self, kind: str) -> Stream:
        return Stream(kind, self._exchange, WHOLE_ACCOUNT)

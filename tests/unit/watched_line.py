"""A line in memory that a monitoring engine watches: a desk that trades, heartbeats, and a clock that a test moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fake_venue import VirtualClock
from sample_desk import ORIGIN, Desk
from sample_trades import EXCHANGE

from trading_system.contracts import SYSTEM_ALERT, AlertDTO, HealthDTO, from_ms, health_key, serialize, to_alert
from trading_system.services.heartbeat import KEPT_S, Heartbeat
from trading_system.services.monitoring_engine.service import MonitoringEngine
from trading_system.services.room import ALERTS, HIGHS_LOWS, WHOLE_ACCOUNT, Letterbox
from trading_system.store.port import Stream

SYMBOL = "BTCUSDT"
WATCHED = ("data_feed", "indicator_engine", "strategy_engine", "execution_engine")


class WatchedLine:
    """A desk, its heartbeats, and the engine that watches it."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.desk = Desk(folder)
        self.clock: VirtualClock = self.desk.clock
        self.beating: set[str] = set(WATCHED)
        self.how = {"expected": WATCHED, **how}
        self.engine = self.new_engine()

    def new_engine(self) -> MonitoringEngine:
        letterbox = Letterbox(self.desk.store, self.desk.bus)
        return MonitoringEngine(letterbox, EXCHANGE, {SYMBOL: ORIGIN}, self.clock.wall_ms, **self.how)

    async def begin(self) -> None:
        await self.desk.live()
        self.heart = Heartbeat(self.desk.bus, [self.desk.execution], self.clock.wall_ms)
        await self.engine.start()

    async def end(self) -> None:
        await self.engine.stop()
        await self.desk.die()

    async def minute(self, *prices: float, **said: Any) -> None:
        """Let one minute be traded; the swings' room keeps up."""
        await self.desk.minute(*prices, **said)
        stream = Stream(HIGHS_LOWS, EXCHANGE, SYMBOL)
        await self.desk.store.append(stream, self.desk.step, [], after=await self.desk.store.head(stream))

    async def pass_time(self, seconds: int) -> None:
        """Let time pass; each second who lives gives a sign, and the engine looks."""
        for _ in range(seconds):
            self.clock.now_ms += 1_000
            for service in sorted(self.beating - {"execution_engine"}):
                await self.sign(service, step=self.desk.step)
            if "execution_engine" in self.beating:
                await self.heart.beat()
            await self.engine.poll()

    async def sign(self, service: str, **said: Any) -> None:
        """Let a service say how it is, in the cache only: bells may be lost."""
        now = self.clock.wall_ms()
        word: HealthDTO = {"service": service, "status": "ok", "time": from_ms(now), "detail": "next_step", **said}
        await self.desk.bus.put_newest(health_key(service), now, serialize(word), KEPT_S)

    async def alerts(self) -> list[AlertDTO]:
        """Return the stored alerts."""
        stream = Stream(ALERTS, EXCHANGE, WHOLE_ACCOUNT)
        head = await self.desk.store.head(stream)
        rows = [] if head is None else await self.desk.store.read(stream, None, head)
        return [to_alert(row.payload) for row in rows]

    async def told(self) -> list[tuple[str, str, bool]]:
        """Return kind, subject and end of each stored alert."""
        return [(one["kind"], one["subject"], one["over"]) for one in await self.alerts()]

    def rung(self) -> list[AlertDTO]:
        """Return the alerts whose bell rang."""
        return [to_alert(payload) for channel, payload in self.desk.bus.rung if channel == SYSTEM_ALERT]

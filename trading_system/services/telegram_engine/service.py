"""Facts in, alerts out: a picture and a text for each signal, made when it is known what became of the signal.

What an alert says and shows is decided in ``messages`` and ``alert``; here is only the listening. The line never waits
for a picture: one thread draws them in order, and what fails there is logged and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

from trading_system.bus.port import Bus, Subscription
from trading_system.charts.png import png
from trading_system.charts.scene import scene
from trading_system.contracts import (
    CandleDTO,
    EventDTO,
    HighLowDTO,
    RejectionDTO,
    TradeSignalDTO,
    order_updated_channel,
    signal_rejected_channel,
    strategy_step_channel,
    to_ms,
    to_order,
    to_rejection,
    to_step,
)
from trading_system.rules.grid import Grid, Instrument, text_of
from trading_system.rules.interval_table import interval_ms
from trading_system.services.telegram_engine.alert import alert_picture, flag_of_breakout
from trading_system.services.telegram_engine.folder import AlertFolder
from trading_system.services.telegram_engine.messages import alert_text, quantity_text, short_id

log = logging.getLogger(__name__)

CANDLES_KEPT = 70
SIGNALS_KEPT = 256
"""Signals whose fate may still come, and fates that came before their signal; the oldest is let go."""


class Sighting(NamedTuple):
    """A signal and what was known when it was given: candles and swings of its interval, its block or its flag."""

    signal: TradeSignalDTO
    candles: tuple[CandleDTO, ...]
    swings: tuple[HighLowDTO, ...]
    zone: EventDTO | None
    breakout: EventDTO | None


class RecentPast:
    """The newest candles of one symbol's signal interval, and the swings among them."""

    def __init__(self, interval: str) -> None:
        self._interval = interval
        self._candles: deque[CandleDTO] = deque(maxlen=CANDLES_KEPT)
        self._swings: dict[str, HighLowDTO] = {}

    def keep(self, candles: Iterable[CandleDTO], swings: Iterable[HighLowDTO]) -> None:
        """Take in what is new: a step heard again changes nothing, other intervals and too old swings are left out."""
        for candle in candles:
            newer = not self._candles or candle["open_time"] > self._candles[-1]["open_time"]
            if newer and candle.get("interval") == self._interval:
                self._candles.append(candle)
        self._swings.update((swing["id"], swing) for swing in swings if swing["interval"] == self._interval)
        if self._candles and self._swings:
            begin = self._candles[0]["open_time"]
            for old in [swing["id"] for swing in self._swings.values() if swing["time"] < begin]:
                del self._swings[old]

    def sighting(self, signal: TradeSignalDTO, events: Iterable[EventDTO]) -> Sighting:
        """Return ``signal`` with what is known now; ``events`` are those of its own step."""
        zone = breakout = None
        for event in events:
            if event["kind"] == "ob_formed" and event["id"] == signal.get("zone"):
                zone = event
            elif event["kind"] == "flag_breakout" and signal["pattern"] == "flag" and _broke_out(event, signal):
                breakout = event
        return Sighting(signal, tuple(self._candles), tuple(self._swings.values()), zone, breakout)


class Fate(NamedTuple):
    """What became of a signal: the size of its entry order, or why it was not taken."""

    quantity: float | None = None
    refused: RejectionDTO | None = None


@dataclass(slots=True)
class _Case:
    """A signal and its fate, whichever of them came first."""

    sighting: Sighting | None = None
    fate: Fate | None = None
    alerted: bool = False


class TelegramEngine:
    """Makes the alerts of one line. Without a token they go to a folder.

    ``alerts`` counts the signals whose files are written, ``failures`` the alerts that could not be made.
    """

    def __init__(
        self,
        bus: Bus,
        instruments: Mapping[str, Instrument],
        signal_interval: str,
        folder: AlertFolder,
        mode: Literal["DEMO", "PAPER"],
        risk_pct: float,
        leverage: float,
    ) -> None:
        """Prepare; nothing is heard before ``start``. risk_pct: per cent of equity that one trade risks."""
        self._bus = bus
        self._recent = {symbol: RecentPast(signal_interval) for symbol in instruments}
        self._decimals = {symbol: tick_decimals(one.tick) for symbol, one in instruments.items()}
        self._interval_ms = interval_ms(signal_interval)
        self._folder = folder
        self._mode = mode
        self._risk_pct = risk_pct
        self._leverage = leverage
        self._cases: dict[str, _Case] = {}
        self._subscriptions: list[Subscription] = []
        self._painter = ThreadPoolExecutor(1, thread_name_prefix="alerts")
        self._painting: set[asyncio.Future[None]] = set()
        self.alerts = 0  # both are moved by the painter's thread alone
        self.failures = 0

    async def start(self) -> None:
        """Listen to every symbol's steps, entry orders and rejections."""
        for symbol in self._recent:
            for channel, listener in (
                (strategy_step_channel(symbol), self._hear_step),
                (order_updated_channel(symbol), self._hear_order),
                (signal_rejected_channel(symbol), self._hear_rejection),
            ):
                self._subscriptions.append(await self._bus.subscribe(channel, listener))

    async def drain(self) -> None:
        """Wait until the files of every alert that is due are written."""
        while self._painting:
            await asyncio.wait(self._painting)

    async def stop(self) -> None:
        """Stop listening and finish the alerts that are due; a second call changes nothing."""
        for subscription in self._subscriptions:
            await subscription.cancel()
        self._subscriptions.clear()
        await self.drain()
        self._painter.shutdown(wait=False)
        waiting = sum(1 for case in self._cases.values() if case.sighting is not None and case.fate is None)
        if waiting:
            log.warning("stopped before it was known what became of %d signals; they have no alert", waiting)
        self._cases.clear()

    def remember(self, symbol: str, candles: Iterable[CandleDTO], swings: Iterable[HighLowDTO]) -> None:
        """Take in what was said before ``start``, oldest first, so that the first pictures have a past."""
        self._recent[symbol].keep(candles, swings)

    async def _hear_step(self, payload: bytes) -> None:
        step = to_step(payload)
        recent = self._recent[step["symbol"]]
        recent.keep(step["candles"], step.get("swings", ()))
        for signal in step.get("signals", ()):
            case = self._case(signal["id"])
            if case.sighting is None:
                case.sighting = recent.sighting(signal, step.get("events", ()))
                self._settle(case)

    async def _hear_order(self, payload: bytes) -> None:
        order = to_order(payload)
        if order["role"] != "e" or order["status"] != "new":
            return
        case = self._case(order["signal_id"])
        if case.fate is None:
            case.fate = Fate(quantity=order["quantity"])
            self._settle(case)

    async def _hear_rejection(self, payload: bytes) -> None:
        rejection = to_rejection(payload)
        if "signal_id" not in rejection:
            return
        case = self._case(rejection["signal_id"])
        case.fate = Fate(refused=rejection)  # also after an order: the exchange may refuse what was placed
        self._settle(case)

    def _case(self, signal_id: str) -> _Case:
        case = self._cases.get(signal_id)
        if case is None:
            case = self._cases[signal_id] = _Case()
            if len(self._cases) > SIGNALS_KEPT:
                oldest = next(iter(self._cases))
                if self._cases.pop(oldest).fate is None:
                    log.warning("it was never said what became of signal %s; it has no alert", oldest)
        return case

    def _settle(self, case: _Case) -> None:
        """Hand a signal whose fate is known to the painter; a later fate replaces the files of the earlier one."""
        if case.sighting is None or case.fate is None:
            return
        loop = asyncio.get_running_loop()
        painting = loop.run_in_executor(self._painter, self._paint, case.sighting, case.fate, not case.alerted)
        case.alerted = True
        self._painting.add(painting)
        painting.add_done_callback(self._painting.discard)

    def _paint(self, sighting: Sighting, fate: Fate, first: bool) -> None:
        """Write one alert's files, in the painter's thread."""
        try:
            self._write(sighting, fate)
        except Exception:
            self.failures += 1
            log.exception("the alert of signal %s could not be made; trading goes on", sighting.signal["id"])
        else:
            self.alerts += first

    def _write(self, sighting: Sighting, fate: Fate) -> None:
        signal, breakout = sighting.signal, sighting.breakout
        taken = fate.refused is None
        quantity = None if fate.quantity is None else quantity_text(signal["symbol"], fate.quantity)
        risk = self._risk_pct if taken else None
        picture = alert_picture(
            signal,
            sighting.candles,
            sighting.swings,
            interval_ms=self._interval_ms,
            tick_decimals=self._decimals[signal["symbol"]],
            mode=self._mode,
            zone=sighting.zone,
            flag=None if breakout is None else flag_of_breakout(breakout, self._interval_ms),
            risk_percent=risk,
            quantity=quantity,
        )
        text = alert_text(
            signal,
            mode=self._mode,
            risk_percent=risk,
            quantity=quantity,
            leverage=self._leverage if taken else None,
            refused=fate.refused,
        )
        confirmed_at, name = to_ms(signal["confirmed_at"]), short_id(signal["id"])
        self._folder.write(confirmed_at, signal["symbol"], signal["side"], name, png(scene(picture)), text)


def tick_decimals(tick: Grid) -> int:
    """Return how many digits after the point a price on ``tick`` needs."""
    return len(text_of(tick.price(1)).partition(".")[2])


def _broke_out(event: EventDTO, signal: TradeSignalDTO) -> bool:
    same = all(event[key] == signal[key] for key in ("interval", "time", "confirmed_at"))
    return same and event["direction"] == (1 if signal["side"] == "long" else -1)

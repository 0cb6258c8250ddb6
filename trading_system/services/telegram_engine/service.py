"""Facts in, alerts out: a picture and a text for each signal, made when it is known what became of the signal.

When the trade of a signal ends, a second picture shows the way from the entry to the exit.

What an alert says and shows is decided in ``messages`` and ``alert``; here is only the listening. The line never waits
for a picture: one thread draws them in order, and what fails there is logged and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

from trading_system.bus.port import Bus, Subscription
from trading_system.charts.closed_scene import closed_scene
from trading_system.charts.look import Look
from trading_system.charts.picture import AlertPicture
from trading_system.charts.png import png
from trading_system.charts.scene import scene
from trading_system.contracts import (
    CandleDTO,
    EventDTO,
    HighLowDTO,
    OrderDTO,
    PositionDTO,
    RejectionDTO,
    TradeSignalDTO,
    order_updated_channel,
    position_updated_channel,
    signal_rejected_channel,
    strategy_step_channel,
    to_order,
    to_position,
    to_rejection,
    to_step,
)
from trading_system.languages.speech import Speech
from trading_system.rules.grid import Grid, Instrument, text_of
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.services.telegram_engine.alert import alert_picture, closed_picture, flag_of_breakout
from trading_system.services.telegram_engine.folder import AlertFolder
from trading_system.services.telegram_engine.messages import alert_text, quantity_text
from trading_system.services.telegram_engine.trade_path import TradePath
from trading_system.services.telegram_engine.wording import IN_ENGLISH

log = logging.getLogger(__name__)

CANDLES_KEPT = 70
STALE = "signal_stale"
"""The refusal of a signal that was found long after its candle: of a history, or of an outage. It is no news."""
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
    path: TradePath | None = None  # while the entry waits or the trade lives


class TelegramEngine:
    """Makes the alerts of one line. Without a token they go to a folder.

    ``alerts`` counts the signals whose files are written, ``closings`` the pictures of ended trades, ``failures`` what
    could not be made.
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
        look: Look | None = None,
        speech: Speech = IN_ENGLISH,
    ) -> None:
        """Prepare; nothing is heard before ``start``.

        risk_pct: per cent of equity that one trade risks. look: colours and words of the pictures. speech: words of the
        texts.
        """
        self._bus = bus
        self._recent = {symbol: RecentPast(signal_interval) for symbol in instruments}
        self._decimals = {symbol: tick_decimals(one.tick) for symbol, one in instruments.items()}
        self._interval = signal_interval
        self._interval_ms = interval_ms(signal_interval)
        self._folder = folder
        self._mode = mode
        self._risk_pct = risk_pct
        self._leverage = leverage
        self._look = look or Look()
        self._speech = speech
        self._cases: dict[str, _Case] = {}
        self._followed: dict[str, _Case] = {}  # the newest taken signal of each symbol
        self._minutes: dict[str, int] = {}  # open time of the newest minute heard, by symbol
        self._subscriptions: list[Subscription] = []
        self._painter = ThreadPoolExecutor(1, thread_name_prefix="alerts")
        self._painting: set[asyncio.Future[None]] = set()
        self.alerts = 0  # all three are moved by the painter's thread alone
        self.closings = 0
        self.failures = 0

    async def start(self) -> None:
        """Listen to every symbol's steps, orders, rejections and positions."""
        for symbol in self._recent:
            for channel, listener in (
                (strategy_step_channel(symbol), self._hear_step),
                (order_updated_channel(symbol), self._hear_order),
                (signal_rejected_channel(symbol), self._hear_rejection),
                (position_updated_channel(symbol), self._hear_position),
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
        symbol = step["symbol"]
        recent = self._recent[symbol]
        recent.keep(step["candles"], step.get("swings", ()))
        self._minutes[symbol] = (step["step"] - 1) * MINUTE_MS
        if symbol in self._followed and (path := self._followed[symbol].path) is not None:
            path.keep(step["candles"])
        for signal in step.get("signals", ()):
            case = self._case(signal["id"])
            if case.sighting is None:
                case.sighting = recent.sighting(signal, step.get("events", ()))
                self._settle(case)

    async def _hear_order(self, payload: bytes) -> None:
        order = to_order(payload)
        if order["status"] == "filled":
            self._follow(order)
        if order["role"] != "e" or order["status"] != "new":
            return
        case = self._case(order["signal_id"])
        if case.fate is None:
            case.fate = Fate(quantity=order["quantity"])
            self._settle(case)

    def _follow(self, order: OrderDTO) -> None:
        """Note a fill of a trade whose entry was heard of, at the newest minute: the fill's own time is not said."""
        case, minute = self._cases.get(order["signal_id"]), self._minutes.get(order["symbol"])
        if case is not None and case.path is not None and minute is not None and "average_price" in order:
            case.path.fill(order["role"], minute, order["average_price"])

    async def _hear_position(self, payload: bytes) -> None:
        position = to_position(payload)
        if position["quantity"] > 0 or "signal_id" not in position:
            return
        case = self._cases.get(position["signal_id"])
        if case is None or case.path is None or case.sighting is None or case.fate is None:
            log.info("the trade of signal %s began before this start; it has no closing picture", position["signal_id"])
            return
        path, case.path = case.path, None
        self._hand_over(self._paint_closed, case.sighting, case.fate, path, position)

    async def _hear_rejection(self, payload: bytes) -> None:
        rejection = to_rejection(payload)
        if "signal_id" not in rejection:
            return
        if rejection["rule"] == STALE:
            self._cases.pop(rejection["signal_id"], None)
            return
        case = self._case(rejection["signal_id"])
        case.path = None
        case.fate = Fate(refused=rejection)  # also after an order: the exchange may refuse what was placed
        self._settle(case)

    def _case(self, signal_id: str) -> _Case:
        case = self._cases.get(signal_id)
        if case is None:
            case = self._cases[signal_id] = _Case()
            if len(self._cases) > SIGNALS_KEPT:
                oldest = next((id_ for id_, one in self._cases.items() if one.path is None), next(iter(self._cases)))
                if self._cases.pop(oldest).fate is None:
                    log.warning("it was never said what became of signal %s; it has no alert", oldest)
        return case

    def _settle(self, case: _Case) -> None:
        """Hand a signal whose fate is known to the painter; a later fate replaces the files of the earlier one."""
        if case.sighting is None or case.fate is None:
            return
        if case.fate.refused is None and not case.alerted:
            self._begin_path(case, case.sighting.signal["symbol"])
        self._hand_over(self._paint, case.sighting, case.fate, not case.alerted)
        case.alerted = True

    def _begin_path(self, case: _Case, symbol: str) -> None:
        """Follow a taken signal; an earlier one of its symbol never filled, for a symbol has one slot."""
        if symbol in self._followed:
            self._followed[symbol].path = None
        self._followed[symbol] = case
        case.path = TradePath(self._interval, self._interval_ms)

    def _hand_over(self, paint: Callable[..., None], *facts: object) -> None:
        """Let the painter's thread do ``paint`` after what it has to do already."""
        painting = asyncio.get_running_loop().run_in_executor(self._painter, paint, *facts)
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

    def _paint_closed(self, sighting: Sighting, fate: Fate, path: TradePath, position: PositionDTO) -> None:
        """Write the picture of an ended trade, in the painter's thread."""
        signal = sighting.signal
        try:
            alert = self._picture(sighting, fate)
            picture = closed_picture(alert, path.since(sighting.candles), path.fills, position)
            content = png(closed_scene(picture, self._look))
            self._folder.write_closed(alert.confirmed_at, alert.symbol, alert.side, alert.signal_id, content)
        except Exception:
            self.failures += 1
            log.exception("the closing picture of signal %s could not be made; trading goes on", signal["id"])
        else:
            self.closings += 1

    def _write(self, sighting: Sighting, fate: Fate) -> None:
        signal, taken = sighting.signal, fate.refused is None
        picture = self._picture(sighting, fate)
        text = alert_text(
            signal,
            mode=self._mode,
            risk_percent=picture.risk_percent,
            quantity=picture.quantity,
            leverage=self._leverage if taken else None,
            refused=fate.refused,
            speech=self._speech,
        )
        content = png(scene(picture, self._look))
        self._folder.write(picture.confirmed_at, signal["symbol"], signal["side"], picture.signal_id, content, text)

    def _picture(self, sighting: Sighting, fate: Fate) -> AlertPicture:
        signal, breakout = sighting.signal, sighting.breakout
        return alert_picture(
            signal,
            sighting.candles,
            sighting.swings,
            interval_ms=self._interval_ms,
            tick_decimals=self._decimals[signal["symbol"]],
            mode=self._mode,
            zone=sighting.zone,
            flag=None if breakout is None else flag_of_breakout(breakout, self._interval_ms),
            risk_percent=self._risk_pct if fate.refused is None else None,
            quantity=None if fate.quantity is None else quantity_text(signal["symbol"], fate.quantity),
            speech=self._speech,
        )


def tick_decimals(tick: Grid) -> int:
    """Return how many digits after the point a price on ``tick`` needs."""
    return len(text_of(tick.price(1)).partition(".")[2])


def _broke_out(event: EventDTO, signal: TradeSignalDTO) -> bool:
    same = all(event[key] == signal[key] for key in ("interval", "time", "confirmed_at"))
    return same and event["direction"] == (1 if signal["side"] == "long" else -1)

"""The pictures of signals, ended trades and symbols, made of what is stored, when their turn has come.

What a picture shows is decided in ``alert`` and ``chart_patterns``; here its facts are read. One thread draws, so that
the line never waits for a picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from trading_system.charts.chart_scene import MOST_CANDLES, chart_scene
from trading_system.charts.closed_scene import closed_scene
from trading_system.charts.drawing import Scene
from trading_system.charts.look import Look
from trading_system.charts.picture import (
    AlertPicture,
    ChartPicture,
    Mode,
    PictureCandle,
    PictureFill,
)
from trading_system.charts.png import png
from trading_system.charts.scene import scene
from trading_system.contracts import (
    CandleDTO,
    EventDTO,
    HighLowDTO,
    PositionDTO,
    StepDTO,
    TradeSignalDTO,
    from_ms,
    to_candle,
    to_ms,
    to_step,
)
from trading_system.rules.grid import Grid, text_of
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.words import event_of, swing_of
from trading_system.services.line_symbols import LineSymbols
from trading_system.services.room import CANDLES, HIGHS_LOWS, STRATEGY
from trading_system.services.telegram_engine.alert import (
    WINDOW,
    alert_picture,
    closed_picture,
    flag_of_breakout,
)
from trading_system.services.telegram_engine.chart_patterns import live_zones, newest_flags, swings_since
from trading_system.services.telegram_engine.messages import quantity_text
from trading_system.services.telegram_engine.news import Signalled, TradeEnded, TradeFill
from trading_system.services.telegram_engine.telling import Voice
from trading_system.services.telegram_engine.trade_path import TradePath
from trading_system.store.port import Store, Stream

MARGIN = 10  # candles read beyond those shown, for minutes that the exchange does not have
PATTERNS = 600  # candles in which a live order block must have formed; an older one has expired


class NothingToShowError(LookupError):
    """There is no closed candle to draw."""


class Pictures:
    """Draws for one line. ``close`` ends its thread."""

    def __init__(self, store: Store, symbols: LineSymbols, interval: str, mode: Mode, risk_percent: float) -> None:
        """Keep what is drawn. interval: of the signals. risk_percent: of equity, that one trade risks."""
        self._store = store
        self._symbols = symbols
        self._interval = interval
        self._interval_ms = interval_ms(interval)
        self._candle_steps = self._interval_ms // MINUTE_MS
        self._mode: Mode = mode
        self._risk_percent = risk_percent
        self._painter = ThreadPoolExecutor(1, thread_name_prefix="alerts")

    def close(self) -> None:
        """Let the thread end when it has finished what it draws."""
        self._painter.shutdown(wait=False)

    async def of_signal(self, news: Signalled, voice: Voice) -> tuple[AlertPicture, bytes]:
        """Return the picture of a signal and its PNG. Raises: PictureError; StoreError."""
        alert = await self._alert(news.signal, voice, news.quantity, taken=news.refused is None)
        return alert, await self._drawn(lambda: scene(alert, voice.look))

    async def of_trade(self, news: TradeEnded, voice: Voice) -> tuple[AlertPicture, bytes]:
        """Return the alert picture of a trade that ended, and the PNG of its end. Raises: PictureError; StoreError."""
        alert = await self._alert(news.signal, voice, news.quantity, taken=True)
        closed = closed_picture(alert, await self._way(news), [_fill(one) for one in news.fills], _flat(news))
        return alert, await self._drawn(lambda: closed_scene(closed, voice.look))

    async def of_symbol(self, symbol: str, venue: str, look: Look) -> bytes:
        """Return the PNG of a symbol's newest candles. Raises: NothingToShowError; StoreError."""
        picture = await self._chart(symbol, venue, look)
        return await self._drawn(lambda: chart_scene(picture, look))

    async def _drawn(self, made: Callable[[], Scene]) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._painter, lambda: png(made()))

    async def _alert(
        self, signal: TradeSignalDTO, voice: Voice, quantity: float | None, *, taken: bool
    ) -> AlertPicture:
        symbol, step = signal["symbol"], to_ms(signal["confirmed_at"]) // MINUTE_MS
        candles = await self._candles(symbol, step - (WINDOW + MARGIN) * self._candle_steps, step)
        begin = candles[0]["open_time"] if candles else signal["time"]
        zone, breakout = await self._pattern(signal, step)
        return alert_picture(
            signal,
            candles,
            [swing for swing in await self._swings(symbol, to_ms(begin) // MINUTE_MS, step) if swing["time"] >= begin],
            interval_ms=self._interval_ms,
            tick_decimals=tick_decimals(self._symbols.instrument(symbol).tick),
            mode=self._mode,
            zone=zone,
            flag=None if breakout is None else flag_of_breakout(breakout, self._interval_ms),
            risk_percent=self._risk_percent if taken else None,
            quantity=None if quantity is None else quantity_text(symbol, quantity),
            speech=voice.alerts,
        )

    async def _way(self, news: TradeEnded) -> list[CandleDTO]:
        """Return the candles of a trade, from the window of its alert to its end, the running one last."""
        symbol, step = news.signal["symbol"], to_ms(news.signal["confirmed_at"]) // MINUTE_MS
        path = TradePath(self._interval, self._interval_ms)
        path.keep(await self._all_candles(symbol, step, news.time // MINUTE_MS + 1))
        return path.since(await self._candles(symbol, step - (WINDOW + MARGIN) * self._candle_steps, step))

    async def _chart(self, symbol: str, venue: str, look: Look) -> ChartPicture:
        head = await self._store.head(Stream(CANDLES, self._exchange(symbol), symbol))
        if head is None:
            raise NothingToShowError(symbol)
        candles = (await self._candles(symbol, head - (MOST_CANDLES + MARGIN) * self._candle_steps, head))[
            -MOST_CANDLES:
        ]
        if not candles:
            raise NothingToShowError(symbol)
        first, last = to_ms(candles[0]["open_time"]), to_ms(candles[-1]["open_time"])
        words = await self._words(STRATEGY, symbol, head - PATTERNS * self._candle_steps, head)
        found = [event_of(one) for word in words for one in word.get("events", ()) if one["interval"] == self._interval]
        swings = [swing_of(one) for one in await self._swings(symbol, first // MINUTE_MS, head)]
        return ChartPicture(
            symbol=symbol,
            interval=self._interval,
            interval_ms=self._interval_ms,
            candles=tuple(_candle(candle) for candle in candles),
            swings=swings_since(swings, first),
            zones=live_zones(found, look.words),
            flags=newest_flags(found, first, self._interval_ms),
            venue=venue,
            at=last + self._interval_ms,
            tick_decimals=tick_decimals(self._symbols.instrument(symbol).tick),
        )

    async def _pattern(self, signal: TradeSignalDTO, step: int) -> tuple[EventDTO | None, EventDTO | None]:
        """Return the block or the breakout that a signal speaks about; the strategy said it in the same step."""
        zone = breakout = None
        for word in await self._words(STRATEGY, signal["symbol"], step - 1, step):
            for event in word.get("events", ()):
                if event["kind"] == "ob_formed" and event["id"] == signal.get("zone"):
                    zone = event
                elif event["kind"] == "flag_breakout" and signal["pattern"] == "flag" and _broke_out(event, signal):
                    breakout = event
        return zone, breakout

    async def _swings(self, symbol: str, after: int, upto: int) -> list[HighLowDTO]:
        words = await self._words(HIGHS_LOWS, symbol, after, upto)
        return [one for word in words for one in word.get("swings", ()) if one["interval"] == self._interval]

    async def _words(self, kind: str, symbol: str, after: int, upto: int) -> list[StepDTO]:
        rows = await self._store.read(Stream(kind, self._exchange(symbol), symbol), after, upto)
        return [to_step(row.payload) for row in rows]

    async def _candles(self, symbol: str, after: int, upto: int) -> list[CandleDTO]:
        """Return the candles of the signals' interval that closed in steps (after, upto]."""
        every = await self._all_candles(symbol, after, upto)
        return [candle for candle in every if candle.get("interval") == self._interval]

    async def _all_candles(self, symbol: str, after: int, upto: int) -> list[CandleDTO]:
        rows = await self._store.read(Stream(CANDLES, self._exchange(symbol), symbol), after, upto)
        return [to_candle(row.payload) for row in rows]

    def _exchange(self, symbol: str) -> str:
        return self._symbols.instrument(symbol).exchange


def tick_decimals(tick: Grid) -> int:
    """Return how many digits after the point a price on ``tick`` needs."""
    return len(text_of(tick.price(1)).partition(".")[2])


def _broke_out(event: EventDTO, signal: TradeSignalDTO) -> bool:
    same = all(event[key] == signal[key] for key in ("interval", "time", "confirmed_at"))
    return same and event["direction"] == (1 if signal["side"] == "long" else -1)


def _candle(candle: CandleDTO) -> PictureCandle:
    prices = (candle["open"], candle["high"], candle["low"], candle["close"])
    return PictureCandle(to_ms(candle["open_time"]), *prices, candle.get("volume", 0.0))


def _fill(fill: TradeFill) -> PictureFill:
    if fill.role.isdigit():
        return PictureFill(fill.time, fill.price, "target", int(fill.role))
    if fill.role == "e":
        return PictureFill(fill.time, fill.price, "entry")
    return PictureFill(fill.time, fill.price, "stop" if fill.role == "s" else "exit")


def _flat(news: TradeEnded) -> PositionDTO:
    return {
        "exchange": news.signal["exchange"],
        "symbol": news.signal["symbol"],
        "side": news.signal["side"],
        "quantity": 0.0,
        "entry_price": news.entry_price,
        "time": from_ms(news.time),
        "protected": True,
        "r": news.r,
        "realized": news.earned,
    }

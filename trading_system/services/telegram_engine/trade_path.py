"""The way of one trade: the candles since its signal, the running one included.

Pure bookkeeping for the closing picture; what is drawn of it is decided in ``alert`` and ``charts``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from trading_system.contracts import CandleDTO, from_ms, to_ms

MOST_CANDLES = 5_000
"""Of a longer trade the beginning is let go."""


class TradePath:
    """Follows one symbol from its signal on."""

    def __init__(self, interval: str, interval_ms: int) -> None:
        self._interval = interval
        self._interval_ms = interval_ms
        self._candles: deque[CandleDTO] = deque(maxlen=MOST_CANDLES)
        self._running: CandleDTO | None = None

    def keep(self, candles: Iterable[CandleDTO]) -> None:
        """Take in the candles of a step, longest first; minutes build the candle that is still running."""
        for candle in candles:
            if candle.get("interval") == self._interval:
                if not self._candles or candle["open_time"] > self._candles[-1]["open_time"]:
                    self._candles.append(candle)
                    self._running = None
            elif candle.get("interval") == "1m":
                self._running = self._grown(candle)

    def since(self, before: Sequence[CandleDTO]) -> list[CandleDTO]:
        """Return ``before`` and what came after it, each candle once, the running one last."""
        whole = {candle["open_time"]: candle for candle in (*before, *self._candles)}
        if self._running is not None:
            whole.setdefault(self._running["open_time"], self._running)
        return [whole[time] for time in sorted(whole)]

    def _grown(self, minute: CandleDTO) -> CandleDTO | None:
        opened = to_ms(minute["open_time"])
        begin = from_ms(opened - opened % self._interval_ms)
        if self._candles and begin <= self._candles[-1]["open_time"]:
            return self._running  # the minute that ended the newest candle
        running = self._running
        if running is None or running["open_time"] != begin:
            return {**minute, "open_time": begin, "interval": self._interval, "closed": False}
        return {
            **running,
            "high": max(running["high"], minute["high"]),
            "low": min(running["low"], minute["low"]),
            "close": minute["close"],
            "volume": running.get("volume", 0.0) + minute.get("volume", 0.0),
        }

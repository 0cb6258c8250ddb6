"""What a picture shows, as frozen values: candles, structure, levels and the few facts of its tiles and footer.

They refuse what cannot be drawn truthfully; where each thing is drawn is left to the layouts: ``scene`` (an alert),
``closed_scene`` (a trade that ended) and ``chart_scene`` (the market without a trade).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

MOST_TARGETS = 6

Mode = Literal["DEMO", "PAPER", "LIVE"]
Side = Literal["long", "short"]


class PictureError(ValueError):
    """A picture was asked for with facts that contradict each other."""


class PictureCandle(NamedTuple):
    """One closed candle: open time in ms UTC, prices in quote currency, volume in base currency."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class PictureSwing(NamedTuple):
    """A confirmed high or low: the open time (ms UTC) of its candle, its price, and HH, HL, LH, LL, EQH or EQL."""

    time: int
    price: float
    kind: Literal["high", "low"]
    label: str


class PictureZone(NamedTuple):
    """A price band from the candle at ``time`` (ms UTC) to the right edge; ``direction`` 1 bullish, -1 bearish."""

    time: int
    top: float
    bottom: float
    direction: int
    label: str


class Segment(NamedTuple):
    """A straight line between two (open time in ms UTC, price) points."""

    start_time: int
    start_price: float
    end_time: int
    end_price: float


class PictureFlag(NamedTuple):
    """A pole from its base to its tip, and the upper and lower line of the consolidation after it."""

    pole: Segment
    upper: Segment
    lower: Segment


class PictureTarget(NamedTuple):
    """A take-profit: price, the share of the position it closes (0..1) and its distance in R."""

    price: float
    weight: float
    r_multiple: float


class PictureFill(NamedTuple):
    """A fill of a trade: its time (ms UTC), its price, and what filled; ``number`` counts targets from 1."""

    time: int
    price: float
    kind: Literal["entry", "target", "stop", "exit"]
    number: int = 0


def check_candles(candles: Sequence[PictureCandle]) -> None:
    """Raise PictureError when ``candles`` are missing, unsorted or not positive; otherwise do nothing."""
    if not candles:
        raise PictureError("expected at least one candle, was none; give the window that ends with the signal")
    before = None
    for candle in candles:
        if before is not None and candle.open_time <= before:
            raise PictureError(
                f"expected ascending candles, was {candle.open_time} after {before}; sort the window by open time"
            )
        before = candle.open_time
        numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        whole = all(math.isfinite(number) for number in numbers) and candle.low > 0 and candle.volume >= 0
        bodies = (candle.open, candle.close)
        if not whole or candle.low > min(bodies) or candle.high < max(bodies):
            raise PictureError(f"expected 0 < low <= open, close <= high, was {candle}; drop the candle")


@dataclass(frozen=True, slots=True)
class AlertPicture:
    """Everything that one alert picture says.

    ``candles``: ascending, the last one is the candle that confirmed the signal; 50 to 70 look best and the newest 70
    are drawn. ``interval_ms`` is their interval in ms, ``interval`` its name. ``tick_decimals``: digits after the
    point of the instrument's tick. ``quantity`` is a ready text such as ``0.083 BTC``; ``risk_percent``, ``score``
    (0..100), ``rr_net`` (net of fees) are numbers. What is None is shown as a dash, never guessed.

    Raises: PictureError when the candles are missing, unsorted or not positive, or when the stop or a target is on the
    wrong side of the entry.
    """

    symbol: str
    interval: str
    interval_ms: int
    side: Side
    setup: str
    reasons: tuple[str, ...]
    candles: tuple[PictureCandle, ...]
    swings: tuple[PictureSwing, ...]
    zones: tuple[PictureZone, ...]
    flag: PictureFlag | None
    entry: float
    stop: float
    targets: tuple[PictureTarget, ...]
    rr_net: float
    risk_percent: float | None
    quantity: str | None
    score: int
    venue: str
    confirmed_at: int
    signal_id: str
    mode: Mode
    tick_decimals: int

    def __post_init__(self) -> None:
        check_candles(self.candles)
        self._check_levels()

    def _check_levels(self) -> None:
        if self.side not in {"long", "short"}:
            raise PictureError(f"expected side long or short, was {self.side!r}; say which side the plan trades")
        if not 1 <= len(self.targets) <= MOST_TARGETS:
            raise PictureError(
                f"expected 1 to {MOST_TARGETS} targets, was {len(self.targets)}; a plan has at least one"
            )
        levels = (self.entry, self.stop, *(target.price for target in self.targets))
        if not all(math.isfinite(price) and price > 0 for price in levels):
            raise PictureError(
                f"expected positive prices for entry, stop and targets, was {levels}; refuse such a plan"
            )
        sign = 1 if self.side == "long" else -1
        if (self.entry - self.stop) * sign <= 0:
            raise PictureError(
                f"expected the stop of a {self.side} on the losing side of {self.entry}, was {self.stop}; check it"
            )
        for target in self.targets:
            if (target.price - self.entry) * sign <= 0:
                raise PictureError(
                    f"expected the targets of a {self.side} beyond {self.entry}, was {target.price}; check the side"
                )


@dataclass(frozen=True, slots=True)
class ClosedPicture:
    """What became of a signal: the alert's own facts, the candles from its window to the exit, and the fills.

    ``candles``: ascending, beginning with the alert's window. ``fills``: ascending, the entry first, the one that
    ended the trade last. ``r``: the result in units of the planned risk; ``money``: a ready text such as
    ``+33.12 USDT``, None where it is not known.
    Raises: PictureError when the candles or the fills contradict themselves.
    """

    alert: AlertPicture
    candles: tuple[PictureCandle, ...]
    fills: tuple[PictureFill, ...]
    r: float
    money: str | None

    def __post_init__(self) -> None:
        check_candles(self.candles)
        kinds = [fill.kind for fill in self.fills]
        if len(kinds) < 2 or kinds[0] != "entry" or "entry" in kinds[1:]:
            raise PictureError(f"expected an entry and then the fills that closed it, was {kinds}; give them all")
        times = [fill.time for fill in self.fills]
        if times != sorted(times):
            raise PictureError(f"expected fills in the order of their times, was {times}; sort them")
        if not all(math.isfinite(fill.price) and fill.price > 0 for fill in self.fills) or not math.isfinite(self.r):
            raise PictureError(f"expected positive prices and a finite result, was {self.fills}, {self.r} R; check it")


@dataclass(frozen=True, slots=True)
class ChartPicture:
    """The market of one symbol at one moment, without a trade.

    ``candles``: ascending closed candles, of which the newest 90 are drawn; ``at``: the moment (ms UTC) of which the
    picture speaks, the close of the last candle. ``zones`` are the order blocks that are live then, ``flags`` the
    ones in sight.
    Raises: PictureError when the candles are missing, unsorted or not positive.
    """

    symbol: str
    interval: str
    interval_ms: int
    candles: tuple[PictureCandle, ...]
    swings: tuple[PictureSwing, ...]
    zones: tuple[PictureZone, ...]
    flags: tuple[PictureFlag, ...]
    venue: str
    at: int
    tick_decimals: int

    def __post_init__(self) -> None:
        check_candles(self.candles)

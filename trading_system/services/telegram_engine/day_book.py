"""One day of the account, kept while it runs: what its summary will say."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, tzinfo

from trading_system.services.telegram_engine.messages import RunSummary


class DayBook:
    """Counts one day after the other. Days are those of ``zone``; money is in quote currency."""

    def __init__(self, equity: float, start: int, zone: tzinfo, *, mode: str, quote: str) -> None:
        """Begin at ``start`` (ms UTC) with ``equity``."""
        self._zone = zone
        self._mode = mode
        self._quote = quote
        self.day = self.day_of(start)
        self._equity = equity
        self._start = self._peak = equity
        self._drawdown = 0.0
        self._begin(self.day)

    def day_of(self, time: int) -> date:
        """Return the day in which the instant ``time`` (ms UTC) lies."""
        return datetime.fromtimestamp(time / 1000, self._zone).date()

    def signalled(self) -> None:
        """Count a signal."""
        self._signals += 1

    def took(self) -> None:
        """Count a signal whose entry was placed."""
        self._taken += 1

    def refused(self, rule: str) -> None:
        """Count a signal that was not taken."""
        self._refused[rule] += 1

    def closed(self, symbol: str, r: float, earned: float) -> None:
        """Count a trade that ended."""
        self._results.append((symbol, r, earned))

    def marked(self, equity: float) -> None:
        """Take note of the account's worth."""
        self._equity = equity
        self._peak = max(self._peak, equity)
        self._drawdown = max(self._drawdown, (self._peak - equity) / self._peak * 100 if self._peak > 0 else 0.0)

    def paid(self, funding: float) -> None:
        """Take note of funding paid since the account was marked."""
        self.marked(self._equity - funding)

    def turn(self, day: date) -> RunSummary:
        """End the day that runs and begin ``day``; return what there is to say of the one that ended."""
        results = [(symbol, r) for symbol, r, _ in self._results]
        net = self._equity - self._start
        summary = RunSummary(
            period=self.day.isoformat(),
            mode=self._mode,
            net_percent=net / self._start * 100 if self._start > 0 else 0.0,
            net=net,
            quote=self._quote,
            trades=len(results),
            won=sum(1 for _, _, earned in self._results if earned > 0),
            lost=sum(1 for _, _, earned in self._results if earned <= 0),
            equity=self._equity,
            drawdown_percent=self._drawdown,
            best=max(results, key=lambda one: one[1], default=None),
            worst=min(results, key=lambda one: one[1], default=None),
            signals=self._signals,
            taken=self._taken,
            refused=dict(self._refused),
        )
        self._begin(day)
        return summary

    def _begin(self, day: date) -> None:
        self.day = day
        self._start = self._peak = self._equity
        self._drawdown = 0.0
        self._signals = self._taken = 0
        self._refused: Counter[str] = Counter()
        self._results: list[tuple[str, float, float]] = []

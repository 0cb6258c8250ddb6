"""What a report says about a finished run, gathered once: its period, its statistics, and the fate of each candidate.

It decides which facts count; how they look is left to ``report`` (a page) and ``report_terminal``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.research import statistics as st
from trading_system.research.report_groups import Group, by_exit, by_hour, by_score, by_setup, by_side, by_symbol
from trading_system.research.run_folder import RunRecord
from trading_system.rules.facts import Closed, EquityPoint
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import Role
from trading_system.settings import Settings

BEST_TRADES = 3


class ReportError(ValueError):
    """A run that no report can be made of."""


@dataclass(frozen=True, eq=False)
class Period:
    """The time that a run is judged by, ms UTC: from the first instant a signal may be given to the last close."""

    start: int
    end: int
    base: int  # ms of one candle
    interval: str  # of the signals


@dataclass(frozen=True, eq=False)
class Statistics:
    """Every number of a run by its fixed name, and the closed trades grouped in several ways.

    ``figures`` keeps the order in which they are shown; a name ends in _pct, _r, _ms or _at when it has such a unit.
    """

    figures: Mapping[str, st.Figure]
    groups: Mapping[str, tuple[Group, ...]]


class Stage(NamedTuple):
    """One row of the funnel. ``kind``: ``kept`` what is left, ``lost`` what ended there for the reason ``code``."""

    kind: str
    code: str
    number: int


@dataclass(frozen=True, eq=False)
class ReportFacts:
    """A run as its report sees it. ``points`` is the marked equity, the final one included."""

    record: RunRecord
    summary: Mapping[str, Any]
    settings: Settings
    period: Period
    points: Sequence[EquityPoint]
    statistics: Statistics
    funnel: tuple[Stage, ...]
    gaps: int

    @property
    def trades(self) -> Sequence[Closed]:
        """The closed trades in the order in which they ended."""
        return self.record.trades

    def candles_of(self, symbol: str) -> npt.NDArray[Any]:
        """Return the base candles of ``symbol``: CANDLE[n]."""
        return self.record.candles[list(self.record.symbols).index(symbol)]


def facts_of(record: RunRecord, summary: Mapping[str, Any], settings: Settings) -> ReportFacts:
    """Gather what a report of this run says; ``summary`` is the run's, ``settings`` are those it ran with.

    Raises: ReportError when the run has no candles or its summary is of another kind.
    """
    if not record.candles or len(record.candles[0]) < 2:
        raise ReportError("expected a run with at least two candles, was none; give a longer file")
    missing = {"equity_final", "signals", "fingerprint", "instrument"} - summary.keys()
    if missing:
        raise ReportError(f"expected a summary with {', '.join(sorted(missing))}, was one without; run it again")
    period = _period(record, settings)
    points = [*record.equity, EquityPoint(period.end, float(summary["equity_final"]))]
    return ReportFacts(
        record,
        summary,
        settings,
        period,
        points,
        statistics_of(record, points, settings.account.equity, period),
        funnel_of(record, summary, period),
        sum(int(np.count_nonzero(candles["gap"])) for candles in record.candles),
    )


def statistics_of(record: RunRecord, points: Sequence[EquityPoint], equity: float, period: Period) -> Statistics:
    """Return every figure of a run that began with ``equity``; ``points`` end with the final equity."""
    start, end, trades = period.start, period.end, record.trades
    final = points[-1].equity
    returns = st.daily_returns(st.daily_equity(points, equity, start, end))
    drawdown = st.max_drawdown(points, equity, start)
    cagr = st.cagr_percent(equity, final, end - start)
    spans = st.held_spans(trades, record.fills, end)
    fees, funding = st.fees_paid(record.fills), st.funding_paid(trades, record.fills)
    net = st.net_profit(equity, final)
    figures: dict[str, st.Figure] = {
        "net_profit": net,
        "return_pct": st.return_percent(equity, final),
        "cagr_pct": cagr,
        "max_drawdown_pct": drawdown.percent,
        "sharpe": st.sharpe(returns),
        "sharpe_error": st.sharpe_error(returns),
        "sortino": st.sortino(returns),
        "profit_factor": st.profit_factor(trades),
        "win_rate_pct": st.win_rate_percent(trades),
        "expectancy_r": st.expectancy_r(trades),
        "expectancy_error_r": st.expectancy_error_r(trades),
        "trades": len(trades),
        "sqn": st.sqn(trades),
        "equity_start": equity,
        "equity_end": final,
        "open_profit": net - sum(trade.earned for trade in trades),
        "buy_and_hold_pct": st.buy_and_hold_percent([closes_in(candles, period) for candles in record.candles]),
        "volatility_pct": st.volatility_percent(returns),
        "calmar": st.calmar(cagr, drawdown),
        "longest_drawdown_ms": st.longest_drawdown_ms(points, equity, start, end),
        "exposure_pct": st.exposure_percent(spans, start, end),
        "average_win_r": st.average_win_r(trades),
        "average_loss_r": st.average_loss_r(trades),
        "longest_losing_streak": st.longest_losing_streak(trades),
        "trades_per_month": st.trades_per_month(trades, start, end),
        "best_trades_pct": st.best_share_percent(trades, BEST_TRADES),
        "trades_needed": st.trades_needed(trades),
        "fees_paid": fees,
        "funding_paid": funding,
    }
    groups = {
        "setup": by_setup(trades),
        "side": by_side(trades),
        "symbol": by_symbol(trades),
        "exit": by_exit(trades),
        "score": by_score(trades),
        "hour": by_hour(trades),
    }
    return Statistics(figures, groups)


def funnel_of(record: RunRecord, summary: Mapping[str, Any], period: Period) -> tuple[Stage, ...]:
    """Return how candles became trades: what was left after each sieve, and what each rule took.

    Swings, order blocks and flags are those of the signal interval, the only ones that can become a signal.
    """
    kinds = Counter(event.kind for event in record.events if event.interval == period.interval)
    by_rules = Counter(row["rule"] for row in record.refused if "signal_id" not in row)
    by_account = Counter(row["rule"] for row in record.refused if "signal_id" in row)
    entered = sum(fill.role == Role.ENTRY for fill in record.fills)
    signals = int(summary["signals"])
    accepted = signals - by_account.total()
    withdrawn = Counter(summary["withdrawn_by"])
    unfilled = accepted - entered - withdrawn.total()
    stages = [
        Stage("kept", "candles", sum(_buckets(candles, period.interval) for candles in record.candles)),
        Stage("kept", "swings", kinds["swing_high"] + kinds["swing_low"]),
        Stage("kept", "order_blocks", kinds["ob_formed"]),
        Stage("kept", "flags", kinds["flag_breakout"]),
        Stage("kept", "candidates", signals + by_rules.total()),
        *_lost(by_rules),
        Stage("kept", "signals", signals),
        *_lost(by_account),
        Stage("kept", "accepted", accepted),
        *_lost(withdrawn),
        *([Stage("lost", "still_waiting", unfilled)] if unfilled else []),
        Stage("kept", "entered", entered),
        *([Stage("lost", "still_open", entered - len(record.trades))] if entered > len(record.trades) else []),
        Stage("kept", "trades", len(record.trades)),
    ]
    return tuple(stages)


def closes_in(candles: npt.NDArray[Any], period: Period) -> st.Floats:
    """Return the closes of the candles of the period, gaps left out."""
    inside = candles[(candles["open_time"] >= period.start) & (candles["gap"] == 0)]
    return np.asarray(inside["close"], dtype=np.float64)


def _period(record: RunRecord, settings: Settings) -> Period:
    times = record.candles[0]["open_time"]
    base = int(times[1] - times[0])
    end = int(times[-1]) + base
    warm = settings.plans.warm_up * interval_ms(settings.signal_interval)
    return Period(min(int(times[0]) + warm, end), end, base, settings.signal_interval)


def _buckets(candles: npt.NDArray[Any], interval: str) -> int:
    """Count the candles of ``interval`` that have at least one base candle."""
    times = candles["open_time"][candles["gap"] == 0] // interval_ms(interval)
    return int(np.count_nonzero(np.diff(times)) + 1) if len(times) else 0


def _lost(counts: Counter[str]) -> list[Stage]:
    return [Stage("lost", code, count) for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]

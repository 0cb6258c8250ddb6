"""The numbers by which a run is judged: one function for each, its definition in its docstring.

It decides what each number means and when there is none (``Undefined`` says why); words, rounding and layout are left
to ``report`` and ``report_terminal``. Money is in quote currency after fees and funding, times are ms UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_system.rules.account import DAY_MS
from trading_system.rules.client_ids import PREFIX
from trading_system.rules.facts import Closed, EquityPoint, Fill
from trading_system.rules.trade import realised

Floats = npt.NDArray[np.float64]

DAYS_PER_YEAR = 365
"""Crypto-currencies trade every day, so daily figures are annualised by 365 and not by 252."""

LEAST_DAYS_FOR_CAGR = 90
"""A shorter period raised to a whole year says more about the exponent than about the account."""

MONTH_MS = DAY_MS * DAYS_PER_YEAR / 12


class Undefined(NamedTuple):
    """A number that does not exist for this run: printed as a dash, with the code of the reason."""

    reason: str


Figure = float | Undefined

NO_TRADES = Undefined("no_trades")
NO_LOSSES = Undefined("no_losses")
NO_WINS = Undefined("no_wins")
NO_SPREAD = Undefined("no_spread")
ONE_TRADE = Undefined("one_trade")
FEW_DAYS = Undefined("few_days")
SHORT_PERIOD = Undefined("short_period")
RUINED = Undefined("ruined")
NO_TIME = Undefined("no_time")
NO_DRAWDOWN = Undefined("no_drawdown")
NO_PRICES = Undefined("no_prices")


class Drawdown(NamedTuple):
    """The deepest fall from a peak: ``percent`` of that peak (0 or more), and when it began and was deepest."""

    percent: float
    peak_at: int
    trough_at: int


def net_profit(start: float, end: float) -> float:
    """Return the equity at the end less the equity at the start, open positions at their last price."""
    return end - start


def return_percent(start: float, end: float) -> float:
    """Return the net profit in per cent of the starting equity (which is positive)."""
    return (end / start - 1) * 100


def cagr_percent(start: float, end: float, elapsed_ms: int) -> Figure:
    """Return the compound yearly rate that leads from ``start`` to ``end``, in per cent; a year has 365 days.

    Undefined below ``LEAST_DAYS_FOR_CAGR`` days, and when nothing is left of the account.
    """
    if elapsed_ms < LEAST_DAYS_FOR_CAGR * DAY_MS:
        return SHORT_PERIOD
    if end <= 0:
        return RUINED
    return float(((end / start) ** (DAYS_PER_YEAR * DAY_MS / elapsed_ms) - 1) * 100)


def daily_equity(points: Sequence[EquityPoint], equity: float, start: int, end: int) -> Floats:
    """Return the equity at ``start`` and at each UTC midnight after it up to ``end``; a last part of a day counts too.

    points: ascending; the newest one at or before each instant holds. ``equity`` is what holds before the first.
    """
    instants = [start, *range((start // DAY_MS + 1) * DAY_MS, end, DAY_MS), end]
    times = np.array([point.time for point in points], dtype=np.int64)
    values = np.array([equity, *(point.equity for point in points)])
    return np.asarray(values[np.searchsorted(times, np.array(instants), side="right")], dtype=np.float64)


def daily_returns(equity: Floats) -> Floats:
    """Return the day's changes of ``daily_equity`` as fractions; empty once the account is ruined."""
    if len(equity) < 2 or np.any(equity <= 0):
        return np.zeros(0)
    return np.asarray(equity[1:] / equity[:-1] - 1)


def sharpe(returns: Floats) -> Figure:
    """Return mean over standard deviation (n - 1) of the daily returns, times the root of 365; risk-free rate 0."""
    if len(returns) < 2:
        return FEW_DAYS
    spread = float(np.std(returns, ddof=1))
    return float(np.mean(returns)) / spread * math.sqrt(DAYS_PER_YEAR) if _is_spread(spread, returns) else NO_SPREAD


def sharpe_error(returns: Floats) -> Figure:
    """Return the standard error of ``sharpe`` for independent normal returns.

    Source: A. Lo, The Statistics of Sharpe Ratios (2002): sqrt((1 + s²/2) / n) of the daily ratio s, annualised.
    """
    ratio = sharpe(returns)
    if isinstance(ratio, Undefined):
        return ratio
    return math.sqrt((1 + ratio**2 / DAYS_PER_YEAR / 2) / len(returns) * DAYS_PER_YEAR)


def sortino(returns: Floats) -> Figure:
    """Return mean over downside deviation of the daily returns, times the root of 365.

    The downside deviation is the root of the mean over *all* days of the squared losses; target 0.
    """
    if len(returns) < 2:
        return FEW_DAYS
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / downside * math.sqrt(DAYS_PER_YEAR) if downside > 0 else NO_LOSSES


def volatility_percent(returns: Floats) -> Figure:
    """Return the standard deviation (n - 1) of the daily returns, annualised by the root of 365, in per cent."""
    return float(np.std(returns, ddof=1)) * math.sqrt(DAYS_PER_YEAR) * 100 if len(returns) >= 2 else FEW_DAYS


def max_drawdown(points: Sequence[EquityPoint], equity: float, start: int) -> Drawdown:
    """Return the deepest fall of the marked equity from its highest point so far; 0 % when it never fell."""
    peak, peak_at = equity, start
    deepest = Drawdown(0.0, start, start)
    for point in points:
        if point.equity >= peak:
            peak, peak_at = point.equity, point.time
        elif (percent := (1 - point.equity / peak) * 100) > deepest.percent:
            deepest = Drawdown(percent, peak_at, point.time)
    return deepest


def longest_drawdown_ms(points: Sequence[EquityPoint], equity: float, start: int, end: int) -> int:
    """Return the longest time between a peak and the instant at which it was reached again, or ``end``."""
    peak, peak_at, longest, below = equity, start, 0, False
    for point in points:
        if point.equity >= peak:
            longest = max(longest, point.time - peak_at if below else 0)
            peak, peak_at, below = point.equity, point.time, False
        else:
            below = True
    return max(longest, end - peak_at if below else 0)


def calmar(cagr: Figure, drawdown: Drawdown) -> Figure:
    """Return the yearly rate over the deepest drawdown, both in per cent."""
    if isinstance(cagr, Undefined):
        return cagr
    return cagr / drawdown.percent if drawdown.percent > 0 else NO_DRAWDOWN


def profit_factor(trades: Sequence[Closed]) -> Figure:
    """Return what the winners brought over what the losers cost."""
    if not trades:
        return NO_TRADES
    lost = -sum(trade.earned for trade in trades if trade.earned < 0)
    return sum(trade.earned for trade in trades if trade.earned > 0) / lost if lost > 0 else NO_LOSSES


def win_rate_percent(trades: Sequence[Closed]) -> Figure:
    """Return the share of closed trades that brought money after costs, in per cent."""
    return sum(trade.earned > 0 for trade in trades) / len(trades) * 100 if trades else NO_TRADES


def expectancy_r(trades: Sequence[Closed]) -> Figure:
    """Return the mean result of a trade in units of the risk planned (R)."""
    return sum(trade.r for trade in trades) / len(trades) if trades else NO_TRADES


def expectancy_error_r(trades: Sequence[Closed]) -> Figure:
    """Return the standard error of the expectancy: the standard deviation (n - 1) of R over the root of n."""
    spread = _spread_of_r(trades)
    return spread if isinstance(spread, Undefined) else spread / math.sqrt(len(trades))


def sqn(trades: Sequence[Closed]) -> Figure:
    """Return the expectancy over its standard error. Source: V. Tharp's System Quality Number, without its cap."""
    mean, error = expectancy_r(trades), expectancy_error_r(trades)
    if isinstance(mean, Undefined) or isinstance(error, Undefined):
        return mean if isinstance(mean, Undefined) else error
    return mean / error


def trades_needed(trades: Sequence[Closed]) -> Figure:
    """Return how many such trades it takes until a mean as large as this one lies two standard errors from zero."""
    ratio = sqn(trades)
    if isinstance(ratio, Undefined):
        return ratio
    return math.ceil(len(trades) * (2 / ratio) ** 2) if ratio else NO_SPREAD


def average_win_r(trades: Sequence[Closed]) -> Figure:
    """Return the mean R of the trades that brought money."""
    won = [trade.r for trade in trades if trade.earned > 0]
    return sum(won) / len(won) if won else NO_WINS


def average_loss_r(trades: Sequence[Closed]) -> Figure:
    """Return the mean R of the trades that cost money (a negative number)."""
    lost = [trade.r for trade in trades if trade.earned < 0]
    return sum(lost) / len(lost) if lost else NO_LOSSES


def longest_losing_streak(trades: Sequence[Closed]) -> int:
    """Return the most losing trades in a row, in the order in which they closed; one without a loss ends the row."""
    longest = row = 0
    for trade in trades:
        row = row + 1 if trade.earned < 0 else 0
        longest = max(longest, row)
    return longest


def fees_paid(fills: Iterable[Fill]) -> float:
    """Return the fees of all fills, rebates subtracted."""
    return sum(fill.fee for fill in fills)


def funding_paid(trades: Iterable[Closed], fills: Iterable[Fill]) -> float:
    """Return the funding that closed trades paid (negative: received): what is missing between fills and results."""
    by_trade = fills_by_plan(fills)
    paid = 0.0
    for closed in trades:
        mine = by_trade[closed.trade.plan.id]
        gained = sum(realised(closed.trade, fill.price, fill.quantity) for fill in mine if fill.name != "e")
        paid += gained - sum(fill.fee for fill in mine) - closed.earned
    return 0.0 if abs(paid) < 1e-6 else paid  # each term is rounded to 1e-8


def held_spans(trades: Iterable[Closed], fills: Iterable[Fill], end: int) -> list[tuple[int, int]]:
    """Return for each entry that filled from when to when its position was held; to ``end`` if it still is."""
    closed_at = {closed.trade.plan.id: closed.time for closed in trades}
    entered = {plan: mine[0].time for plan, mine in fills_by_plan(fills).items()}
    return sorted((time, closed_at.get(plan, end)) for plan, time in entered.items())


def exposure_percent(spans: Sequence[tuple[int, int]], start: int, end: int) -> Figure:
    """Return the share of the period in which at least one position was held, in per cent; spans as ``held_spans``."""
    if end <= start:
        return NO_TIME
    held, reached = 0, start
    for opened, closed in spans:
        held += max(0, min(closed, end) - max(opened, reached))
        reached = max(reached, closed)
    return held / (end - start) * 100


def trades_per_month(trades: Sequence[Closed], start: int, end: int) -> Figure:
    """Return closed trades a month; a month is the twelfth part of 365 days."""
    return len(trades) * MONTH_MS / (end - start) if end > start else NO_TIME


def buy_and_hold_percent(closes: Sequence[Floats]) -> Figure:
    """Return what equal shares of the account, bought at the first close and kept, would have brought; no costs.

    closes: for each symbol the known closes of the period, ascending.
    """
    if any(len(one) == 0 for one in closes):
        return NO_PRICES
    return (sum(float(one[-1] / one[0]) for one in closes) / len(closes) - 1) * 100


def best_share_percent(trades: Sequence[Closed], count: int) -> Figure:
    """Return how much of all that the winners brought came from the best ``count`` trades, in per cent."""
    won = sorted((trade.earned for trade in trades if trade.earned > 0), reverse=True)
    return sum(won[:count]) / sum(won) * 100 if won else NO_WINS


def monthly_returns(points: Sequence[EquityPoint], equity: float, start: int, end: int) -> dict[tuple[int, int], float]:
    """Return the return of each UTC month of the period in per cent, by (year, month)."""
    days = daily_equity(points, equity, start, end)
    months = np.array([start, *range((start // DAY_MS + 1) * DAY_MS, end, DAY_MS)], "datetime64[ms]").astype(
        "datetime64[M]"
    )
    changes: dict[tuple[int, int], float] = {}
    first = 0
    for last in range(len(months)):
        if last + 1 == len(months) or months[last + 1] != months[first]:
            number = int(months[first].astype(np.int64))
            before, after = float(days[first]), float(days[last + 1])
            changes[1970 + number // 12, number % 12 + 1] = return_percent(before, after) if before > 0 else 0.0
            first = last + 1
    return changes


def excursions_r(closed: Closed, exits: Iterable[float], candles: npt.NDArray[Any]) -> tuple[float, float]:
    """Return how far price went against a trade and for it (MAE, MFE; both 0 or more), in units of entry to stop.

    exits: prices of the fills that reduced it; candles: CANDLE[n] of its symbol, ascending. Only candles that lie
    wholly between entry and exit count, so what happened outside is never blamed on the trade: both are lower bounds.
    """
    trade, plan = closed.trade, closed.trade.plan
    times = candles["open_time"]
    first = int(np.searchsorted(times, trade.opened_at, side="left"))
    last = int(np.searchsorted(times, closed.time, side="right")) - 1
    inside = candles[first : max(last, first)]
    inside = inside[inside["gap"] == 0]
    risk = abs(trade.entry_price - plan.stop)
    if risk == 0:
        return 0.0, 0.0
    reached = [trade.entry_price, *exits]
    high = max([*reached, *(inside["high"].max(keepdims=True).tolist() if len(inside) else ())])
    low = min([*reached, *(inside["low"].min(keepdims=True).tolist() if len(inside) else ())])
    up, down = (high - trade.entry_price) / risk, (trade.entry_price - low) / risk
    return (down, up) if plan.side > 0 else (up, down)


def fills_by_plan(fills: Iterable[Fill]) -> dict[str, list[Fill]]:
    """Return the fills of each plan, by its id, in their order."""
    found: dict[str, list[Fill]] = {}
    for fill in fills:
        found.setdefault(plan_of_order(fill.id), []).append(fill)
    return found


def plan_of_order(canonical: str) -> str:
    """Return the id of the plan to which an order's canonical name belongs."""
    return canonical[len(PREFIX) : -1]


def _spread_of_r(trades: Sequence[Closed]) -> Figure:
    if len(trades) < 2:
        return ONE_TRADE if trades else NO_TRADES
    results = np.array([trade.r for trade in trades])
    spread = float(np.std(results, ddof=1))
    return spread if _is_spread(spread, results) else NO_SPREAD


def _is_spread(spread: float, values: Floats) -> bool:
    """Tell a spread from the rounding of equal numbers."""
    return spread > 1e-12 * max(1e-6, float(np.max(np.abs(values))))

"""Each statistic against hand-made cases, against quantstats' results, and its laws for any series."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sample_trades import DAY, MINUTE, QUARTER, START, plan_at, short_plan_at

from trading_system.research import statistics as st
from trading_system.research.report_groups import by_exit, by_hour, by_score, by_setup, by_side, by_symbol, exit_of
from trading_system.rules.client_ids import canonical_id
from trading_system.rules.facts import Closed, EquityPoint, Fill
from trading_system.rules.matching import Role
from trading_system.rules.records import CANDLE
from trading_system.rules.trade import Trade

MIDNIGHT = START - START % DAY
HOUR = 60 * MINUTE


def closed_with(r: float, number: int = 0, **changed: Any) -> Closed:
    """Return a long trade that risked 100 and brought ``r`` times as much, opened at hour ``number``."""
    plan = changed.pop("plan", None) or plan_at(START + number * HOUR, number=number)
    opened = changed.pop("opened_at", START + number * HOUR)
    trade = Trade(plan, 1.0, (), 100.0, plan.stop, 0.0, changed.pop("entry", plan.entry), opened, "", r * 100)
    values: dict[str, Any] = {"time": opened + HOUR // 2, "symbol": plan.symbol, "reason": "stop"}
    return Closed(trade=trade, earned=r * 100, r=r, **{**values, **changed})


def closed_of(*results: float) -> list[Closed]:
    return [closed_with(r, number) for number, r in enumerate(results)]


def points_of(*equity: float, every: int = DAY) -> list[EquityPoint]:
    return [EquityPoint(MIDNIGHT + n * every, value) for n, value in enumerate(equity, start=1)]


def fill_of(closed: Closed, name: str, price: float, quantity: float, fee: float, time: int) -> Fill:
    role = {"e": Role.ENTRY, "s": Role.STOP}.get(name, Role.TARGET)
    return Fill(time, closed.symbol, canonical_id(closed.trade.plan.id, name), name, role, price, quantity, fee)


def compounded(returns: list[float]) -> list[EquityPoint]:
    return points_of(*(10_000 * np.cumprod(1 + np.array(returns))).tolist())


# quantstats 0.0.86, periods=365, on the series of ``known_days`` and ``known_trades``
PEER = {
    "sharpe": 3.6355496316635536,
    "sortino": 6.107655775351023,
    "volatility": 0.4039191178165979,
    "cagr": 2.9952698471457695,
    "max_drawdown": -0.15223095575650514,
    "calmar": 19.675826327575137,
    "profit_factor": 0.9676668175645089,
    "win_rate": 0.5166666666666667,
    "consecutive_losses": 4,
    "avg_win": 0.8619258064516131,
    "avg_loss": -0.9521551724137932,
}


def known_series() -> tuple[list[float], list[float]]:
    """Return the daily returns and the results of trades that were given to quantstats."""
    rng = random.Random(11)
    days = [round(rng.gauss(0.001, 0.02), 6) for _ in range(200)]
    return days, [round(rng.gauss(0.1, 1.2), 4) for _ in range(60)]


def ours(days: list[float], results: list[float]) -> dict[str, Any]:
    points, trades = compounded(days), closed_of(*results)
    end = MIDNIGHT + len(days) * DAY
    returns = st.daily_returns(st.daily_equity(points, 10_000, MIDNIGHT, end))
    cagr = st.cagr_percent(10_000, points[-1].equity, end - MIDNIGHT)
    drawdown = st.max_drawdown(points, 10_000, MIDNIGHT)
    volatility, calmar = st.volatility_percent(returns), st.calmar(cagr, drawdown)
    win_rate = st.win_rate_percent(trades)
    assert isinstance(cagr, float)
    assert isinstance(volatility, float)
    assert isinstance(win_rate, float)
    return {
        "sharpe": st.sharpe(returns),
        "sortino": st.sortino(returns),
        "volatility": volatility / 100,
        "cagr": cagr / 100,
        "max_drawdown": -drawdown.percent / 100,
        "calmar": calmar,
        "profit_factor": st.profit_factor(trades),
        "win_rate": win_rate / 100,
        "consecutive_losses": st.longest_losing_streak(trades),
        "avg_win": st.average_win_r(trades),
        "avg_loss": st.average_loss_r(trades),
    }


def test_standard_statistics_equal_what_quantstats_gave_for_the_same_series() -> None:
    assert ours(*known_series()) == pytest.approx(PEER, rel=1e-9)


@pytest.mark.slow
def test_standard_statistics_equal_quantstats_itself() -> None:
    import pandas as pd  # here, because both take seconds to load
    from quantstats import stats

    days, results = known_series()
    series = pd.Series(days, index=pd.date_range("2025-01-01", periods=len(days)))
    trades = pd.Series(results, index=pd.date_range("2025-01-01", periods=len(results)))
    peer = {
        **{name: getattr(stats, name)(series, periods=365) for name in ("sharpe", "sortino", "volatility", "cagr")},
        "calmar": stats.calmar(series, periods=365),
        "max_drawdown": stats.max_drawdown(series),
        **{
            name: getattr(stats, name)(trades)
            for name in ("profit_factor", "win_rate", "consecutive_losses", "avg_win", "avg_loss")
        },
    }
    assert ours(days, results) == pytest.approx(peer, rel=1e-9)


def test_a_ratio_without_spread_or_without_days_does_not_exist() -> None:
    assert st.sharpe(np.array([0.01])) == st.FEW_DAYS
    assert st.sharpe(np.array([0.01, 0.01, 0.01])) == st.NO_SPREAD
    assert st.sharpe(np.zeros(5)) == st.NO_SPREAD
    assert st.sharpe_error(np.zeros(5)) == st.NO_SPREAD
    assert st.sortino(np.array([0.01, 0.02])) == st.NO_LOSSES
    assert st.volatility_percent(np.zeros(0)) == st.FEW_DAYS


def test_figures_of_trades_do_not_exist_without_trades() -> None:
    none: list[Closed] = []
    alone = (st.profit_factor, st.win_rate_percent, st.expectancy_r, st.expectancy_error_r, st.sqn, st.trades_needed)
    assert [figure(none) for figure in alone] == [st.NO_TRADES] * len(alone)
    assert st.average_win_r(none) == st.NO_WINS
    assert st.average_loss_r(none) == st.NO_LOSSES
    assert st.longest_losing_streak(none) == 0
    assert st.best_share_percent(none, 3) == st.NO_WINS
    assert st.profit_factor(closed_of(1.0)) == st.NO_LOSSES
    assert st.sqn(closed_of(1.0)) == st.ONE_TRADE
    assert st.trades_needed(closed_of(1.0, -1.0)) == st.NO_SPREAD


def test_a_yearly_rate_needs_ninety_days_and_an_account_that_is_left() -> None:
    assert st.cagr_percent(100, 110, 89 * DAY) == st.SHORT_PERIOD
    assert st.cagr_percent(100, 0, 365 * DAY) == st.RUINED
    assert st.cagr_percent(100, 121, 730 * DAY) == pytest.approx(10.0)


def test_equity_is_read_at_midnights_and_holds_between_its_marks() -> None:
    points = [EquityPoint(MIDNIGHT + 30 * HOUR, 110.0), EquityPoint(MIDNIGHT + 48 * HOUR, 120.0)]
    days = st.daily_equity(points, 100.0, MIDNIGHT + 6 * HOUR, MIDNIGHT + 60 * HOUR)
    assert days.tolist() == [100.0, 100.0, 120.0, 120.0]


def test_no_daily_returns_are_made_up_for_a_ruined_account() -> None:
    assert len(st.daily_returns(np.array([100.0, -1.0, 50.0]))) == 0


def test_a_drawdown_is_measured_from_the_highest_point_so_far_and_the_start_counts() -> None:
    points = points_of(95.0, 120.0, 90.0, 130.0, 117.0)
    drawdown = st.max_drawdown(points, 100.0, MIDNIGHT)
    assert drawdown == st.Drawdown(pytest.approx(25.0), MIDNIGHT + 2 * DAY, MIDNIGHT + 3 * DAY)
    assert st.max_drawdown(points_of(90.0), 100.0, MIDNIGHT).percent == pytest.approx(10.0)
    assert st.max_drawdown(points_of(101.0, 102.0), 100.0, MIDNIGHT).percent == 0.0


def test_the_longest_drawdown_ends_where_the_peak_is_reached_again_or_with_the_run() -> None:
    end = MIDNIGHT + 20 * DAY
    assert st.longest_drawdown_ms(points_of(110, 100, 105, 110, 109, 111), 100, MIDNIGHT, end) == 3 * DAY
    assert st.longest_drawdown_ms(points_of(110, 100), 100, MIDNIGHT, end) == 19 * DAY
    assert st.longest_drawdown_ms(points_of(101, 102), 100, MIDNIGHT, end) == 0


def test_a_trade_without_gain_or_loss_ends_a_losing_streak() -> None:
    assert st.longest_losing_streak(closed_of(-1, -1, 0.0, -1, 1, -1, -1, -1)) == 3


def test_expectancy_and_its_error_are_mean_and_standard_error_of_r() -> None:
    trades = closed_of(1.0, -1.0, 2.0, 0.0)
    spread = math.sqrt(sum((r - 0.5) ** 2 for r in (1.0, -1.0, 2.0, 0.0)) / 3)
    assert st.expectancy_r(trades) == 0.5
    assert st.expectancy_error_r(trades) == pytest.approx(spread / 2)
    assert st.sqn(trades) == pytest.approx(0.5 / (spread / 2))
    assert st.trades_needed(trades) == math.ceil(16 * spread**2 / 1.0)


def test_exposure_counts_time_in_which_two_positions_were_held_once() -> None:
    spans = [(0, 40), (20, 50), (30, 45), (80, 200)]
    assert st.exposure_percent(spans, 0, 100) == 70.0
    assert st.exposure_percent([(0, 50), (10, 20), (30, 40)], 0, 100) == 50.0
    assert st.exposure_percent([], 0, 100) == 0.0
    assert st.exposure_percent(spans, 100, 100) == st.NO_TIME


def test_a_position_that_is_still_open_is_held_to_the_end() -> None:
    closed, still_open = closed_of(1.0, 1.0)
    fills = [
        fill_of(closed, "e", 100.0, 1.0, 0.1, START),
        fill_of(still_open, "e", 100.0, 1.0, 0.1, START + HOUR),
    ]
    assert st.held_spans([closed], fills, START + DAY) == [(START, START + HOUR // 2), (START + HOUR, START + DAY)]


def test_funding_is_what_is_missing_between_fills_and_results() -> None:
    closed = closed_with(0.0)._replace(earned=8.0 - 0.3 - 0.25)
    fills = [
        fill_of(closed, "e", 100.0, 2.0, 0.1, START),
        fill_of(closed, "1", 104.0, 1.0, 0.1, START + 1),
        fill_of(closed, "s", 104.0, 1.0, 0.1, START + 2),
    ]
    assert st.fees_paid(fills) == pytest.approx(0.3)
    assert st.funding_paid([closed], fills) == pytest.approx(0.25)
    assert st.funding_paid([closed._replace(earned=7.7)], fills) == 0.0


def test_buy_and_hold_spreads_the_account_evenly() -> None:
    assert st.buy_and_hold_percent([np.array([100.0, 90.0, 150.0]), np.array([10.0, 9.0])]) == pytest.approx(20.0)
    assert st.buy_and_hold_percent([np.zeros(0)]) == st.NO_PRICES


def test_trades_are_grouped_by_setup_side_hour_score_and_exit() -> None:
    flag = plan_at(START, number=1, pattern="flag", reasons=("confluence",), score=87)
    short = short_plan_at(START, number=2)
    trades = [
        closed_with(2.0, plan=flag, reason="target", opened_at=MIDNIGHT + 23 * HOUR + 59 * MINUTE),
        closed_with(-1.0, plan=short, opened_at=MIDNIGHT),
        closed_with(-0.5, plan=short, opened_at=MIDNIGHT + 5),
    ]
    assert [(group.name, group.trades, group.total_r) for group in by_setup(trades)] == [
        ("flag_on_block", 1, 2.0),
        ("order_block", 2, -1.5),
    ]
    assert [group.name for group in by_side(trades)] == ["long", "short"]
    assert [group.name for group in by_hour(trades)] == ["00", "23"]
    assert [group.name for group in by_score(trades)] == ["60", "80"]
    assert [group.name for group in by_exit(trades)] == ["stop", "target"]
    assert by_side(trades)[1].profit_factor == 0.0
    assert [group.name for group in by_symbol(trades)] == ["BTCUSDT"]


def test_a_stop_that_a_target_moved_is_an_exit_of_its_own() -> None:
    closed = closed_with(0.5)
    assert exit_of(closed) == "stop"
    assert exit_of(closed._replace(trade=closed.trade._replace(stop=100.0))) == "break_even"


def candles_of(*prices: tuple[float, float], start: int = START) -> Any:
    candles = np.zeros(len(prices), CANDLE)
    candles["open_time"] = start + MINUTE * np.arange(len(prices))
    candles["low"], candles["high"] = zip(*prices, strict=True)
    return candles


def test_excursions_read_only_candles_that_lie_inside_the_trade() -> None:
    closed = closed_with(1.0, time=START + 3 * MINUTE + 15_000, opened_at=START + 15_000)
    candles = candles_of((50, 300), (99, 101), (98.5, 103), (40, 400))
    assert st.excursions_r(closed, [102.0], candles) == (0.75, 1.5)
    assert st.excursions_r(closed, [96.0], candles) == (2.0, 1.5)
    short = closed_with(1.0, plan=short_plan_at(START), time=closed.time, opened_at=START + 15_000)
    assert st.excursions_r(short, [], candles) == (1.5, 0.75)
    at_once = closed_with(1.0, time=START + 30_000, opened_at=START + 15_000)
    assert st.excursions_r(at_once, [101.0], candles) == (0.0, 0.5)


def test_excursions_skip_minutes_that_are_missing() -> None:
    closed = closed_with(1.0, time=START + 3 * MINUTE, opened_at=START)
    candles = candles_of((97, 101), (0, 0), (98.5, 103), (40, 400))
    candles["gap"][1] = 1
    assert st.excursions_r(closed, [], candles) == (1.5, 1.5)


@given(some.lists(some.floats(-0.2, 0.2), min_size=1, max_size=120), some.integers(0, DAY - 1))
def test_the_returns_of_the_months_compound_to_the_whole(days: list[float], offset: int) -> None:
    points = compounded(days)
    start, end = MIDNIGHT + offset, MIDNIGHT + len(days) * DAY + 1
    months = st.monthly_returns(points, 10_000, start, end)
    whole = math.prod(1 + value / 100 for value in months.values())
    assert whole == pytest.approx(points[-1].equity / 10_000)


@given(some.lists(some.floats(-0.3, 0.3).map(lambda r: round(r, 4)), min_size=2, max_size=60), some.floats(0.01, 1e6))
def test_ratios_do_not_depend_on_the_size_of_the_account(days: list[float], scale: float) -> None:
    small = np.array([1.0, *np.cumprod(1 + np.array(days))])
    for figure in (st.sharpe, st.sortino, st.volatility_percent):
        one, other = figure(st.daily_returns(small)), figure(st.daily_returns(small * scale))
        if isinstance(one, float) and isinstance(other, float):
            assert one == pytest.approx(other, rel=1e-6, abs=1e-6)


@given(some.lists(some.floats(-3, 8).map(lambda r: round(r, 3)), min_size=1, max_size=40), some.randoms())
def test_figures_of_trades_do_not_depend_on_their_order(results: list[float], shuffle: random.Random) -> None:
    trades = closed_of(*results)
    other = shuffle.sample(trades, len(trades))
    for figure in (st.profit_factor, st.win_rate_percent, st.expectancy_r, st.average_win_r, st.average_loss_r):
        assert figure(trades) == pytest.approx(figure(other))
    assert 0 <= st.longest_losing_streak(trades) <= sum(r < 0 for r in results)


@given(some.lists(some.floats(1, 1e6), max_size=60))
def test_a_drawdown_lies_between_nothing_and_everything(values: list[float]) -> None:
    points = points_of(*values, every=QUARTER)
    drawdown = st.max_drawdown(points, 1_000.0, MIDNIGHT)
    assert 0.0 <= drawdown.percent < 100.0
    assert drawdown.peak_at <= drawdown.trough_at
    end = MIDNIGHT + (len(values) + 1) * QUARTER
    assert 0 <= st.longest_drawdown_ms(points, 1_000.0, MIDNIGHT, end) <= end - MIDNIGHT

"""The claim of the house: a line over the wire and a backtest of the same candles are the same, to the last digit."""

from __future__ import annotations

from pathlib import Path

import pytest
from both_sides import trade_both
from small_markets import SIX, made_market, quick_settings, real_days, with_gaps

DAY = 1_440


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "first"), [("BINANCEUSDM_BTCUSDT_1m.csv.gz", 0), ("BINANCE_BTCUSDT_1m.csv.gz", 40 * DAY)]
)
def test_real_candles_trade_the_same_over_the_wire(shared_data: Path, tmp_path: Path, file: str, first: int) -> None:
    settings = quick_settings("higher_interval=1h", "min_rr=1")
    inputs = real_days(shared_data / "ohlcv" / file, tmp_path, settings, slice(first, first + 2 * DAY))

    both = trade_both(inputs, settings, tmp_path)

    both.assert_equal()
    assert both.line.summary["trades"] >= 2
    assert both.line.summary["candles"] == inputs.minutes


@pytest.mark.slow
def test_three_symbols_in_one_account_trade_the_same(tmp_path: Path, venue: str) -> None:
    settings = quick_settings(f"exchange={venue}", "min_rr=1")

    both = trade_both(made_market(settings, 3, ["BTCUSDT", "ETHUSDT", "SOLUSDT"], DAY), settings, tmp_path)

    both.assert_equal()
    assert both.line.summary["trades"] > 5


@pytest.mark.slow
def test_limits_of_the_account_bind_on_both_sides(tmp_path: Path, venue: str) -> None:
    settings = quick_settings(
        f"exchange={venue}", "max_positions=2", "leverage=50", "open_risk_pct=50", "day_loss_pct=50"
    )

    both = trade_both(made_market(settings, 1, SIX, 900), settings, tmp_path)

    both.assert_equal()
    for side in (both.line, both.backtest):
        assert side.summary["refused_by_account"] >= 5
        assert side.summary["refused_by"]["max_positions"] >= 5
    assert both.line.summary["refused_by"] == both.backtest.summary["refused_by"]
    assert both.line.summary["trades"] >= 2


@pytest.mark.slow
def test_a_bad_day_switches_entries_off_on_both_sides(tmp_path: Path) -> None:
    settings = quick_settings("min_rr=1", "day_loss_pct=2")

    both = trade_both(made_market(settings, 6, ["BTCUSDT", "ETHUSDT", "SOLUSDT"], 1_000), settings, tmp_path)

    both.assert_equal()
    assert "day_loss" in both.line.summary["halted"]
    assert both.line.summary["halted"] == both.backtest.summary["halted"]
    assert both.line.summary["refused_by"]["day_loss"] > 0


@pytest.mark.slow
def test_minutes_that_no_exchange_has_become_the_same_gap_on_both_sides(tmp_path: Path, venue: str) -> None:
    settings = quick_settings(f"exchange={venue}", "min_rr=1")
    whole = made_market(settings, 3, ["BTCUSDT", "ETHUSDT"], 1_000)
    holes = {"BTCUSDT": [100, 101, 250, *range(400, 431), 600], "ETHUSDT": [250, 417, 601, *range(700, 716)]}

    both = trade_both(with_gaps(whole, holes), settings, tmp_path)

    both.assert_equal()
    assert both.line.summary["candles"] == 2 * whole.minutes - sum(map(len, holes.values()))
    assert both.line.summary["trades"] >= 1


@pytest.mark.slow
@pytest.mark.shared
def test_real_candles_with_rows_missing_trade_the_same(shared_data: Path, tmp_path: Path) -> None:
    settings = quick_settings()
    file = shared_data / "ohlcv" / "BINANCEUSDM_BTCUSDT_1m.csv.gz"
    missing = [70, 71, 333, 334, *range(500, 545), 801]

    inputs = real_days(file, tmp_path, settings, slice(0, DAY), missing)

    both = trade_both(inputs, settings, tmp_path)

    both.assert_equal()
    assert sum(gap.missing for gap in inputs.gaps["BTCUSDT"]) == len(missing)
    assert both.line.summary["candles"] == inputs.minutes - len(missing)

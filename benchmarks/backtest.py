"""How long a backtest takes: the file read, everything detected, judged and traded, once the rules are loaded."""

from __future__ import annotations

from typing import Any

from measure.figures import Figure, spent_on
from measure.markets import minutes_of, real_minutes
from results import report

from trading_system.research.runs import run_backtest
from trading_system.rules.detection import warm
from trading_system.settings import settings_with

MINUTES = 130_708
RUNS = 9
READINGS = 3
BUDGET_S = 0.5


def main() -> None:
    """Measure and print."""
    source = real_minutes("BINANCE_BTCUSDT_1m.csv.gz")
    settings = settings_with([], signal_interval="15m")
    loading = spent_on(warm)
    summary: dict[str, Any] = {}
    inputs: Any = None

    def read() -> None:
        nonlocal inputs
        inputs = minutes_of(source, settings, MINUTES)

    def trade() -> None:
        summary.update(run_backtest(inputs, settings).summary)

    reading = [spent_on(read) for _ in range(READINGS)]
    trading = [spent_on(trade) for _ in range(RUNS)]
    minutes = inputs.minutes
    report(
        f"Backtest of {minutes:,} minutes of {source.name}, signals on 15m",
        [
            Figure("load the compiled rules from their cache", "s wall", [loading.wall]),
            Figure("read the candles", "s wall", [one.wall for one in reading]),
            Figure("backtest", "s wall", [one.wall for one in trading], BUDGET_S),
            Figure("backtest", "s cpu", [one.cpu for one in trading], BUDGET_S),
            Figure("backtest", "ns/min. cpu", [one.cpu / minutes * 1e9 for one in trading]),
        ],
        [
            f"{summary['signals']} signals, {summary['trades']} trades, fingerprint {summary['fingerprint'][:16]}",
        ],
    )


if __name__ == "__main__":
    main()

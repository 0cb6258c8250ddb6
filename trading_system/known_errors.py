"""Which errors are a person's to mend: their sentence is shown without a traceback."""

from __future__ import annotations

import sys

_KNOWN = (
    ("trading_system.settings", "SettingsError"),
    ("trading_system.research.candle_inputs", "InputError"),
    ("trading_system.research.history", "HistoryError"),
    ("trading_system.research.instrument", "InstrumentError"),
    ("trading_system.research.report_facts", "ReportError"),
    ("trading_system.research.funding", "FundingError"),
    ("trading_system.research.parity", "CompareError"),
    ("trading_system.research.chart_file", "ChartError"),
    ("trading_system.research.line_view", "ViewError"),
    ("trading_system.research.history_bounds", "BoundError"),
    ("trading_system.charts.png", "ShapingError"),
    ("trading_system.rules.interval_table", "IntervalError"),
    ("trading_system.rules.parameters", "ParameterError"),
    ("trading_system.rules.trade_plan", "PlanRulesError"),
    ("trading_system.simulator.faults", "FaultError"),
    ("trading_system.simulator.market", "MarketError"),
    ("trading_system.simulator.tape", "TapeError"),
    ("trading_system.database", "DatabaseUrlError"),
    ("trading_system.store.errors", "StoreError"),
    ("trading_system.services.execution_engine.journal", "JournalError"),
    ("trading_system.services.execution_engine.points", "KillPointError"),
    ("trading_system.services.execution_engine.venues.errors", "VenueError"),
    ("trading_system.services.data_feed.backfill", "HistoryUnavailableError"),
    ("trading_system.app", "HedgeModeError"),
    ("trading_system.line_terms", "OtherLineError"),
    ("trading_system.replay", "LineFailedError"),
    ("trading_system.replay", "StalledError"),
    ("trading_system.stored_run", "WireMismatchError"),
    ("trading_system.simulated_run", "SimulatorGoneError"),
)


def known_names() -> tuple[tuple[str, str], ...]:
    """Return the module and the name of every error of ours whose sentence is shown without a traceback."""
    return _KNOWN


def is_known(error: BaseException) -> bool:
    """Tell whether ``error``'s sentence says what a person can do; looks only at what is imported already."""
    if isinstance(error, OSError):
        return True
    for module, name in _KNOWN:
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(error, getattr(loaded, name)):
            return True
    return False

"""Which errors are a person's to mend: their sentence is shown without a traceback.

An error of the operating system has no such sentence of its own; here it gets one, with the command that mends it.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

_KNOWN = (
    ("trading_system.settings", "SettingsError"),
    ("trading_system.start_checks", "StartRefusedError"),
    ("trading_system.research.candle_inputs", "InputError"),
    ("trading_system.research.history", "HistoryError"),
    ("trading_system.research.instrument", "InstrumentError"),
    ("trading_system.research.report_facts", "ReportError"),
    ("trading_system.research.fetched.errors", "FetchedError"),
    ("trading_system.research.funding", "FundingError"),
    ("trading_system.research.parity", "CompareError"),
    ("trading_system.research.run_folder", "FolderError"),
    ("trading_system.research.chart_file", "ChartError"),
    ("trading_system.research.line_view", "ViewError"),
    ("trading_system.research.history_bounds", "BoundError"),
    ("trading_system.charts.png", "ShapingError"),
    ("trading_system.rules.interval_table", "IntervalError"),
    ("trading_system.rules.parameters", "ParameterError"),
    ("trading_system.rules.symbols", "SymbolError"),
    ("trading_system.rules.trade_plan", "PlanRulesError"),
    ("trading_system.simulator.faults", "FaultError"),
    ("trading_system.simulator.market", "MarketError"),
    ("trading_system.simulator.tape", "TapeError"),
    ("trading_system.database", "DatabaseUrlError"),
    ("trading_system.store.errors", "StoreError"),
    ("trading_system.bus.errors", "BusServerError"),
    ("trading_system.services.telegram_engine.address", "BotAddressError"),
    ("trading_system.services.telegram_engine.address", "TelegramLibraryError"),
    ("trading_system.services.telegram_engine.chats", "ChatListError"),
    ("trading_system.services.telegram_engine.service", "NobodyAllowedError"),
    ("trading_system.services.execution_engine.journal", "JournalError"),
    ("trading_system.services.execution_engine.points", "KillPointError"),
    ("trading_system.venues.errors", "VenueError"),
    ("trading_system.venues.known", "NoAccountError"),
    ("trading_system.venues.market_errors", "MarketError"),
    ("trading_system.services.monitoring_engine.endpoint", "MetricsPortError"),
    ("trading_system.app", "HedgeModeError"),
    ("trading_system.asking", "AskingError"),
    ("trading_system.line_terms", "OtherLineError"),
    ("trading_system.replay", "LineFailedError"),
    ("trading_system.replay", "StalledError"),
    ("trading_system.stored_run", "WireMismatchError"),
    ("trading_system.simulator.paper_venue", "PaperStateError"),
    ("trading_system.simulated_run", "SimulatorGoneError"),
    ("trading_system.service_run", "ServiceError"),
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


def sentence_of(error: BaseException) -> str:
    """Return what is shown of a known error: its own words; of the system's errors what, expected, was and remedy."""
    if not isinstance(error, OSError) or not type(error).__module__.startswith("builtins"):
        return str(error)
    number = error.errno
    if number == errno.EADDRINUSE:
        return f"expected a free port, was one in use ({error}); give another --port, or 0 for a free one"
    if number == errno.ENOSPC:
        return f"{_named(error)}expected room on the disk, was none left; free some (see `df -h`) and start again"
    if error.filename is None:
        return str(error)
    path = Path(str(error.filename))
    if number in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"{path}: expected a place that this user may use, was: {error.strerror}; see `ls -ld {path.parent}`"
    if number in {errno.EEXIST, errno.ENOTDIR}:
        file = next((one for one in (path, *path.parents) if one.is_file()), path)
        return f"{file}: expected a folder, was a file; name another folder, or move the file away"
    if number == errno.ENOENT and not path.parent.is_dir():
        return f"{path.parent}: expected a folder, was nothing at this path; make it with `mkdir -p {path.parent}`"
    if number == errno.ENOENT:
        return f"{path}: expected a file, was nothing at this path; correct the path"
    if number == errno.EISDIR:
        return f"{path}: expected a file, was a folder; name the file"
    return str(error)


def _named(error: OSError) -> str:
    return "" if error.filename is None else f"{error.filename}: "

"""Every event of one candle file as lines: what ``trading-system detect`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from trading_system.research.detect import detect
from trading_system.research.history import History, load_candles
from trading_system.research.run_folder import event_row
from trading_system.rules.grid import Grid, Instrument, grid_of_decimals
from trading_system.rules.interval_table import interval_name
from trading_system.settings import Settings

NOT_A_GRID = Grid(1, 10**8)  # detection compares prices as they are; only volumes are folded, to eight decimals


def events_of_file(
    path: Path,
    settings: Settings,
    interval: str | None,
    symbol: str | None,
    *,
    first: int | None = None,
    last: int | None = None,
) -> Iterator[str]:
    """Yield one JSON line for each event of the candles in ``path``, in the order in which they became known.

    Raises: HistoryError, IntervalError, ParameterError.
    """
    history = load_candles(path, symbol, first=first, last=last)
    yield from events_of_history(history, settings, interval)


def events_of_history(history: History, settings: Settings, interval: str | None) -> Iterator[str]:
    """Yield the lines of ``events_of_file`` for candles that are read already."""
    name = history.symbol or history.path.name.partition(".")[0]
    step = grid_of_decimals(history.volume_decimals)
    instrument = Instrument(settings.exchange, name, NOT_A_GRID, step, 0.0, 0.0, 0.0, 0.0)
    base = interval_name(history.base_interval)
    found = detect(
        history.candles,
        instrument,
        base=base,
        signal=interval or base,
        higher=None,
        overrides=settings.detection,
    )
    for event in found:
        yield json.dumps(event_row(event)) + "\n"

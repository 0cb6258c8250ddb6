"""What the name of a candle file claims: its symbol and its interval. Whether the rows agree is for `candle_checks.py`.

Known are VENUE_SYMBOL_1m (ours), SYMBOL-1m-2025-01 and SYMBOL-1m-2025-01-31 (Binance's archive) and freqtrade's
BASE_QUOTE-1m, BASE_QUOTE_SETTLE-1m-futures. Any other name claims nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from trading_system.rules.interval_table import INTERVALS

_ENDINGS = {".gz", ".csv", ".zip", ".parquet", ".feather"}
_OURS = re.compile(r"[A-Z0-9-]+_(?P<symbol>[A-Z0-9]+)_(?P<interval>\d+[mhdw])")
_BINANCE = re.compile(r"(?P<symbol>\w+)-(?P<interval>\d+[mhdw])-\d{4}-\d{2}(?:-\d{2})?")
_FREQTRADE = re.compile(
    r"(?P<base>\w+?)_(?P<quote>[A-Z0-9]+?)(?:_[A-Z0-9]+)?-(?P<interval>\d+[mhdw])(?:-(?:spot|futures))?"
)


class Claim(NamedTuple):
    """What a file's name says; ``interval`` in ms. None where it says nothing."""

    symbol: str | None
    interval: int | None


def claim_of(path: Path) -> Claim:
    """Return what the name of ``path`` says, its folder not looked at."""
    stem = path.name
    while Path(stem).suffix in _ENDINGS:
        stem = Path(stem).stem
    if match := _OURS.fullmatch(stem) or _BINANCE.fullmatch(stem):
        return Claim(match["symbol"], INTERVALS.get(match["interval"]))
    if match := _FREQTRADE.fullmatch(stem):
        return Claim(match["base"] + match["quote"], INTERVALS.get(match["interval"]))
    return Claim(None, None)

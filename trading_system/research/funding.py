"""Reads a funding file: the rate that was due at each instant (CSV, CSV.gz; columns funding_time, funding_rate)."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path
from typing import IO, Any

from trading_system.rules.matching import MINUTE_MS

COLUMNS = ["funding_time", "funding_rate"]


class FundingError(ValueError):
    """A funding file that cannot be trusted."""


def read_funding(path: Path) -> dict[int, float]:
    """Return the funding rate (a fraction of the notional; positive: longs pay) by the instant at which it is due.

    Instants are rounded to the minute in which they fall, as venues stamp them some ms late.
    Raises: FundingError naming row, expected and was; OSError.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as file:
            return _rates(path, file)
    except (UnicodeDecodeError, EOFError, csv.Error) as error:
        raise FundingError(f"{path}: expected a text of comma-separated values, was {error}; fetch it again") from error


def _rates(path: Path, file: IO[Any]) -> dict[int, float]:
    rates: dict[int, float] = {}
    rows = csv.reader(file)
    header = next(rows, [])
    if header != COLUMNS:
        raise FundingError(f"{path}, row 1: expected the columns {', '.join(COLUMNS)}, was {', '.join(header)}")
    for number, row in enumerate(rows, start=2):
        try:
            time, rate = int(row[0]), float(row[1])
        except (ValueError, IndexError):
            raise FundingError(f"{path}, row {number}: expected a time in ms and a rate, was {row}") from None
        if not math.isfinite(rate) or abs(rate) >= 1:
            raise FundingError(f"{path}, row {number}: expected a fraction such as 0.0001, was {rate}")
        due = time - time % MINUTE_MS
        if rates.setdefault(due, rate) != rate:
            raise FundingError(f"{path}, row {number}: expected one rate for an instant, was {rate} after {rates[due]}")
    return rates

"""Where a venue publishes its minutes as files, and how those are named; which venue has an archive stands in `known`.

Only Binance has one with minutes and checksums. Bybit publishes trades as files; its minutes come by REST.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple


class KlineArchive(NamedTuple):
    """An archive of zip files of one CSV each, with a ``.CHECKSUM`` (sha256) beside each.

    A month is ``FOLDER/monthly/klines/SYMBOL/1m/SYMBOL-1m-2025-01.zip``, a day
    ``FOLDER/daily/klines/SYMBOL/1m/SYMBOL-1m-2025-01-31.zip``. Days appear on the day after, months some days after
    their end. The CSVs have a header or none; times are ms, in spot microseconds since 2025-01-01.
    """

    host: str
    folder: str

    def month(self, symbol: str, start: int) -> str:
        """Return the path of the month that begins at ``start`` (ms UTC)."""
        return self._path("monthly", symbol, f"{_utc(start):%Y-%m}")

    def day(self, symbol: str, start: int) -> str:
        """Return the path of the day that begins at ``start`` (ms UTC)."""
        return self._path("daily", symbol, f"{_utc(start):%Y-%m-%d}")

    def _path(self, kind: str, symbol: str, date: str) -> str:
        return f"/{self.folder}/{kind}/klines/{symbol}/1m/{symbol}-1m-{date}.zip"


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)

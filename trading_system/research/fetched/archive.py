"""Minutes out of an exchange's public archive: a zip and its checksum, taken only when they fit, else said why not."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import aiohttp
import numpy as np

from trading_system.research.archive_bytes import Kind, opened
from trading_system.research.candle_checks import check_order, check_rows, interval_of
from trading_system.research.candle_csv import read_csv
from trading_system.research.candle_tables import read_table
from trading_system.research.fetched.errors import ArchiveAwayError, ArchiveFileError
from trading_system.research.fetched.minutes import VALUES, Minutes, Month
from trading_system.research.history_error import HistoryError
from trading_system.rules.matching import MINUTE_MS
from trading_system.venues.clock import Clock
from trading_system.venues.kline_archive import KlineArchive
from trading_system.venues.network_trouble import network_trouble
from trading_system.venues.proxy import proxy_refusal

DAY_MS = 86_400_000
ATTEMPTS = 4
FIRST_WAIT_S = 0.5
SILENT_S = 30.0  # a connection that brings nothing for so long is dead; a slow one may take its time
_CHECKSUM = re.compile(rb"\s*([0-9a-fA-F]{64})\b")


class Archived(NamedTuple):
    """The minutes of one file of the archive, as the exchange states them."""

    minutes: Minutes
    name: str
    sha256: str


class ArchiveDesk:
    """The archive of one exchange at ``host``, asked over a session of ``proxy.open_http``."""

    def __init__(self, http: aiohttp.ClientSession, host: str, archive: KlineArchive, clock: Clock) -> None:
        self._http = http
        self._host = host.rstrip("/")
        self._archive = archive
        self._clock = clock

    async def month(self, symbol: str, month: Month) -> Archived | None:
        """Return a month, None when the archive has no such file. Raises: ArchiveFileError, ArchiveAwayError."""
        return await self._file(self._archive.month(symbol, month.start), month.start, month.end)

    async def day(self, symbol: str, start: int) -> Archived | None:
        """Return the day that begins at ``start``, None when there is no such file. Raises as ``month``."""
        return await self._file(self._archive.day(symbol, start), start, start + DAY_MS)

    async def _file(self, path: str, first: int, until: int) -> Archived | None:
        url = self._host + path
        for attempt in (1, 2):  # a file that was replaced between the two answers fits the second time
            packed, checksum = await asyncio.gather(self._get(path), self._get(f"{path}.CHECKSUM"))
            if packed is None:
                return None
            if checksum is None:
                raise ArchiveFileError(url, "a .CHECKSUM beside it", "none")
            stated = _CHECKSUM.match(checksum)
            if stated is None:
                raise ArchiveAwayError(f"{url}.CHECKSUM", _start(checksum))
            digest = hashlib.sha256(packed).hexdigest()
            if digest == stated[1].decode().lower():
                return Archived(_minutes(url, packed, first, until), path.rpartition("/")[2], digest)
            if attempt == 2:
                raise _not_as_stated(url, stated[1].decode(), packed, digest)
        return None

    async def _get(self, path: str) -> bytes | None:
        """Return a whole file, None for one that is not there; one that breaks off is asked for again."""
        wait = FIRST_WAIT_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENT_S, sock_read=SILENT_S)
                async with self._http.get(self._host + path, timeout=timeout) as answer:
                    body = await answer.read()
                if answer.status == 404:
                    return None
                if answer.status == 200:
                    return body
                problem = f"HTTP {answer.status}: {_start(body)}"
                if answer.status in {401, 403, 451}:
                    raise ArchiveAwayError(self._host + path, problem)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                if refusal := proxy_refusal(error):
                    raise refusal from None
                problem = network_trouble(error)
            if attempt < ATTEMPTS:
                await self._clock.sleep(wait)
                wait *= 2
        raise ArchiveAwayError(self._host + path, f"{problem} after {ATTEMPTS} attempts")


def _not_as_stated(url: str, stated: str, packed: bytes, digest: str) -> ArchiveFileError:
    was = _start(packed) if packed[:1] == b"<" else f"{digest[:12]}..."
    return ArchiveFileError(url, f"the sha256 {stated[:12]}..., which its .CHECKSUM states", was)


def _minutes(url: str, packed: bytes, first: int, until: int) -> Minutes:
    """Return the minutes of a zip. Raises: ArchiveFileError for what is no clean series of minutes of its time."""
    path = Path(url.rpartition("/")[2])
    try:
        kind, text = opened(path, packed)
        columns = read_csv(path, text) if kind is Kind.TEXT else read_table(path, text, kind)
        check_order(columns)
        if len(columns.open_time) > 1:
            interval_of(columns, MINUTE_MS, None)
        check_rows(columns, MINUTE_MS)
    except HistoryError as error:
        where = "" if error.line is None else f" in row {error.line}"
        raise ArchiveFileError(url, f"{error.expected}{where}", error.was) from None
    times = columns.open_time
    if int(times[0]) < first or int(times[-1]) >= until:
        raise ArchiveFileError(url, "minutes of the time in its name", "minutes of another time")
    return Minutes(times, np.stack([columns.values[name] for name in VALUES], axis=1))


def _start(body: bytes) -> str:
    if body.lstrip()[:1] == b"<":
        return "a web page"
    return repr(body[:40].decode(errors="replace"))

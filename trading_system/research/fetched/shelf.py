"""Fetched minutes on the disk: one Parquet file a month, beside it its checksum; half a file is never seen.

``FOLDER/EXCHANGE/SYMBOL/SYMBOL-1m-2025-01.parquet`` holds the six columns of a candle file, and in its metadata how far
the month has come and from where. The ``.CHECKSUM`` beside it is one that ``sha256sum -c`` reads too.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from trading_system.research.candle_names import COLUMNS
from trading_system.research.fetched.errors import DamagedMonthError, FetchBusyError, command_for
from trading_system.research.fetched.minutes import VALUES, Hole, Minutes, Month, holes_in
from trading_system.rules.grid import Instrument, text_of
from trading_system.rules.symbols import is_symbol

CHECKSUM = ".CHECKSUM"
INSTRUMENT = "instrument.json"
_ABOUT = b"trading_system.fetched"
_NAME = re.compile(r"(?P<symbol>\w+)-1m-(?P<year>\d{4})-(?P<month>\d{2})\.parquet")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Part(NamedTuple):
    """Where the minutes from ``first`` to ``until`` (ms UTC) are from.

    source: ``archive`` or ``rest``. name: the file or the host. sha256: of the archive's file, empty for REST.
    """

    source: str
    first: int
    until: int
    name: str
    sha256: str = ""


class StoredMonth(NamedTuple):
    """One month as far as it was fetched: from its beginning to ``until`` (ms UTC), first minute not known.

    What ``minutes`` lack before ``until``, the exchange does not have.
    """

    month: Month
    until: int
    minutes: Minutes
    parts: tuple[Part, ...]

    @property
    def holes(self) -> list[Hole]:
        """What the exchange does not have of it."""
        return holes_in(self.minutes.times, self.month.start, self.until)


class Shelf:
    """The fetched minutes of all exchanges below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def symbols(self) -> list[tuple[str, str]]:
        """Return (exchange, symbol) of all that is kept, sorted."""
        return sorted(
            (path.parent.name, path.name)
            for path in self.folder.glob("*/*")
            if is_symbol(path.name) and any(_NAME.fullmatch(file.name) for file in path.iterdir())
        )

    def months(self, exchange: str, symbol: str) -> list[Month]:
        """Return the months of which a file is kept, sorted."""
        found = (_NAME.fullmatch(path.name) for path in self._of(exchange, symbol).glob("*.parquet"))
        return sorted(Month(int(one["year"]), int(one["month"])) for one in found if one and one["symbol"] == symbol)

    def path(self, exchange: str, symbol: str, month: Month) -> Path:
        """Return where a month is kept."""
        return self._of(exchange, symbol) / f"{symbol}-1m-{month}.parquet"

    def read(self, exchange: str, symbol: str, month: Month) -> StoredMonth | None:
        """Return a month that is what was stored, None when there is none. Raises: DamagedMonthError."""
        path = self.path(exchange, symbol, month)

        def fault(expected: str, was: str) -> DamagedMonthError:
            command = command_for(exchange, [symbol], month.start, month.end)
            return DamagedMonthError(path, expected, was, command)

        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        known = _digests(path)
        digest = hashlib.sha256(content).hexdigest()
        if digest not in known:
            was = "none" if not known else f"the sha256 {known[0][:12]}... of another file"
            raise fault(f"the sha256 {digest[:12]}... in {path.name}{CHECKSUM}", was)
        return _read(content, month, fault)

    def write(self, exchange: str, symbol: str, stored: StoredMonth) -> None:
        """Keep a month; a kill at any moment leaves the one before or this one, whole. Raises: OSError."""
        path = self.path(exchange, symbol, stored.month)
        content = _written(stored)
        line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
        before = [f"{digest}  {path.name}\n" for digest in _digests(path)] if path.exists() else []
        checksum = path.with_name(path.name + CHECKSUM)
        # Between the two renames either file may be the one that lies there, so for that moment both are known.
        _replace(checksum, "".join([line, *before]).encode())
        _replace(path, content)
        if before:
            _replace(checksum, line.encode())

    def keep_instrument(self, instrument: Instrument) -> None:
        """Keep the grid and the least notional of a symbol, in the form of an instrument file. Raises: OSError."""
        row = {
            "symbol": instrument.symbol,
            "tick": text_of(instrument.tick.price(1)),
            "step": text_of(instrument.step.price(1)),
            "min_notional": instrument.min_notional,
        }
        path = self._of(instrument.exchange, instrument.symbol) / INSTRUMENT
        _replace(path, (json.dumps(row, indent=2) + "\n").encode())

    def instrument_file(self, exchange: str, symbol: str) -> Path | None:
        """Return the instrument file of a symbol, None when the exchange never gave one."""
        path = self._of(exchange, symbol) / INSTRUMENT
        return path if path.exists() else None

    @contextmanager
    def alone(self, exchange: str, symbol: str) -> Iterator[None]:
        """Be the only one who writes a symbol, and throw away what a killed process left half.

        Raises: FetchBusyError.
        """
        folder = self._of(exchange, symbol)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FetchBusyError(folder) from None
            for half in folder.glob(".*.part"):
                half.unlink()
            yield

    def _of(self, exchange: str, symbol: str) -> Path:
        return self.folder / exchange / symbol


def _digests(path: Path) -> list[str]:
    """Return the sha256 that are known for a month: one, or two while it is being replaced."""
    try:
        lines = path.with_name(path.name + CHECKSUM).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    return [line[:64] for line in lines if _DIGEST.fullmatch(line[:64])]


def _written(stored: StoredMonth) -> bytes:
    minutes = stored.minutes
    columns = {"open_time": pa.array(minutes.times)}
    columns |= {name: pa.array(np.ascontiguousarray(minutes.values[:, n])) for n, name in enumerate(VALUES)}
    about = {"until": stored.until, "parts": [part._asdict() for part in stored.parts]}
    table = pa.table(columns).replace_schema_metadata({_ABOUT: json.dumps(about).encode()})
    sink = pa.BufferOutputStream()
    pa_parquet.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _read(content: bytes, month: Month, fault: Any) -> StoredMonth:
    try:
        table = pa_parquet.read_table(pa.BufferReader(content), columns=list(COLUMNS))
        about = json.loads(table.schema.metadata[_ABOUT])
        parts = tuple(Part(**part) for part in about["parts"])
        values = np.stack([table[name].to_numpy() for name in VALUES], axis=1).astype(np.float64, copy=False)
        stored = StoredMonth(month, int(about["until"]), Minutes(table["open_time"].to_numpy(), values), parts)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0][:120]
        raise fault("a month as `data fetch` stores it", f"another file ({reason})") from None
    times = stored.minutes.times
    inside = month.start <= stored.until <= month.end and (not len(times) or month.start <= int(times[0]))
    if not inside or (len(times) and int(times[-1]) >= stored.until):
        raise fault(f"the minutes of {month}", "minutes of another time")
    return stored


def _replace(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, whole and on the disk, or leave what is there. Raises: OSError."""
    half = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise

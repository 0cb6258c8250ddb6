"""Takes a candle file out of its wrapping and says what it is: a text, a Parquet or a Feather table.

A file is known by its first bytes, never by its name. What its columns mean is decided in `candle_names.py`.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from enum import Enum
from pathlib import Path

from trading_system.research.history_error import HistoryError

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second begins an archive without files
_PARQUET = b"PAR1"
_FEATHER = b"ARROW1"
_OLD_FEATHER = b"FEA1"
_NOT_A_MEMBER = "__MACOSX/"  # what one system's packer adds beside the file

_AGAIN = "copy or download it again"


class Kind(Enum):
    """What is inside a candle file."""

    TEXT = "CSV"
    PARQUET = "Parquet"
    FEATHER = "Feather"


def unwrapped(path: Path) -> tuple[Kind, bytes]:
    """Return what the file at ``path`` is and its bytes, out of gzip or out of a zip that holds one file.

    Raises: HistoryError for a file that is missing, unreadable, cut, damaged, or a zip of none or several files.
    """
    return opened(path, _bytes_of(path))


def opened(path: Path, packed: bytes) -> tuple[Kind, bytes]:
    """Return what ``packed`` is and its bytes, out of gzip or out of a zip; ``path`` is the name to speak of.

    Raises: HistoryError for bytes that are cut or damaged, or a zip of none or several files.
    """
    if packed.startswith(_GZIP):
        packed = _out_of_gzip(path, packed)
    elif packed.startswith(_ZIP):
        packed = _out_of_zip(path, packed)
    if packed.startswith(_PARQUET):
        return Kind.PARQUET, packed
    if packed.startswith(_FEATHER):
        return Kind.FEATHER, packed
    if packed.startswith(_OLD_FEATHER):
        raise HistoryError(
            path, "a Feather file of version 2", "one of version 1", "save it again as Parquet or Feather"
        )
    return Kind.TEXT, packed


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise HistoryError(path, "a file", "nothing at this path", "check the path") from None
    except IsADirectoryError:
        raise HistoryError(path, "a file", "a folder", "give one file of candles: CSV, Parquet or Feather") from None
    except OSError as error:
        raise HistoryError(path, "a readable file", str(error.strerror), "check its permissions") from None


def _out_of_gzip(path: Path, packed: bytes) -> bytes:
    try:
        return gzip.decompress(packed)
    except EOFError:
        raise HistoryError(path, "a whole gzip file", "one cut short", _AGAIN) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise HistoryError(path, "a sound gzip file", f"a damaged one ({error})", _AGAIN) from None


def _out_of_zip(path: Path, packed: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            return archive.read(_only_member(path, archive.namelist()))
    except HistoryError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
    ) as error:  # ValueError: a place before the file
        raise HistoryError(path, "a whole zip file", f"a cut or damaged one ({error})", _AGAIN) from None
    except (RuntimeError, NotImplementedError) as error:  # a password, or a packing that Python does not know
        raise HistoryError(path, "a zip file that opens", str(error), "unpack it and give the file inside") from None


def _only_member(path: Path, names: list[str]) -> str:
    files = [name for name in names if not name.endswith("/") and not name.startswith(_NOT_A_MEMBER)]
    if len(files) == 1:
        return files[0]
    was = f"{len(files)} files ({', '.join(files[:3])})" if files else "an empty one"
    raise HistoryError(path, "a zip with one file of candles", was, "unpack it and give one of its files")

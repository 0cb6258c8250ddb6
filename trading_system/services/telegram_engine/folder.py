"""Alerts as files: a picture and a text for each signal in one folder, each there whole or not at all."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple


class AlertFiles(NamedTuple):
    """The two files of one alert."""

    picture: Path
    text: Path


class AlertFolder:
    """A folder that alerts are written into; it is made when it is missing."""

    def __init__(self, path: Path) -> None:
        """Open ``path``. Raises: NotADirectoryError or PermissionError when no folder can be there."""
        self.path = path
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(f"alerts need a folder: expected a folder, was the file {path}; name another one")
        path.mkdir(parents=True, exist_ok=True)

    def write(self, confirmed_at: int, symbol: str, side: str, signal_id: str, picture: bytes, text: str) -> AlertFiles:
        """Write one alert and return its files; the same signal written again replaces them.

        confirmed_at: ms UTC. The text comes last, so that where a text is, its picture is too.
        """
        name = alert_name(confirmed_at, symbol, side, signal_id)
        files = AlertFiles(self.path / f"{name}.png", self.path / f"{name}.txt")
        _write_whole(files.picture, picture)
        _write_whole(files.text, (text + "\n").encode())
        return files

    def write_closed(self, confirmed_at: int, symbol: str, side: str, signal_id: str, picture: bytes) -> Path:
        """Write the picture of the trade that an alert led to beside the alert, and return its file."""
        path = self.path / f"{alert_name(confirmed_at, symbol, side, signal_id)}_closed.png"
        _write_whole(path, picture)
        return path


def alert_name(confirmed_at: int, symbol: str, side: str, signal_id: str) -> str:
    """Return ``20251118T063000Z_BTCUSDT_long_A41F``, which sorts by time and is safe as a file name anywhere."""
    moment = datetime.fromtimestamp(confirmed_at / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    return "_".join([moment, *(re.sub(r"[^A-Za-z0-9-]", "-", part) or "-" for part in (symbol, side, signal_id))])


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside ``path`` and rename: a reader, or a crash, never sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise

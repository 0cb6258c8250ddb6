"""The one error of candle files: a sentence with the file, the row, what was expected, what was found, and the cure."""

from __future__ import annotations

from pathlib import Path


class HistoryError(ValueError):
    """A candle file that cannot be trusted.

    ``line`` counts from 1: lines of a text (its header is 1), rows of a table; None where the whole file is meant.
    """

    def __init__(self, path: Path, expected: str, was: str, remedy: str, line: int | None = None) -> None:
        where = str(path) if line is None else f"{path}, row {line}"
        super().__init__(f"{where}: expected {expected}, was {was}; {remedy}")
        self.path, self.line, self.expected, self.was, self.remedy = path, line, expected, was, remedy

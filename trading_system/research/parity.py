"""Whether two runs are the same, step by step: candles, events, orders, fills, equity. Names the first difference."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from trading_system.research.run_folder import COMPARED, EVENTS, SUMMARY


class CompareError(ValueError):
    """A folder that is not that of a whole run."""


class Difference(NamedTuple):
    """The first step in which two runs differ, in which of the five files, and what each of them says there."""

    step: int
    file: str
    first: str | None
    second: str | None

    def sentence(self) -> str:
        """Return the difference in words."""
        what = self.file.partition(".")[0]
        nothing = "nothing"
        return f"step {self.step}, {what}: {self.first or nothing} != {self.second or nothing}"


class Comparison(NamedTuple):
    """How many lines of each file were compared, and the first difference, None when the runs are equal."""

    counts: dict[str, int]
    difference: Difference | None


def compare(first: Path, second: Path) -> Comparison:
    """Walk two run folders side by side. Raises: CompareError when one of them is not a whole run."""
    for folder in (first, second):
        if not (folder / SUMMARY).is_file():
            raise CompareError(
                f"{folder}: expected the folder of a finished run (with {SUMMARY}), was none; "
                "give the folder that `run` or `backtest` printed"
            )
    counts: dict[str, int] = {}
    found: list[tuple[int, int, Difference]] = []
    for rank, file in enumerate(COMPARED):
        ours, theirs = _lines(first / file), _lines(second / file)
        counts[file.partition(".")[0]] = len(ours)
        if ours == theirs:
            continue
        difference = _first_difference(file, ours, theirs)
        found.append((difference.step, rank, difference))
    return Comparison(counts, min(found)[2] if found else None)


def summary_of(folder: Path) -> dict[str, Any]:
    """Return the summary of a run's folder."""
    summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return summary


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise CompareError(f"{path.parent}: expected {path.name} of a finished run, was none; run it again")
    return path.read_text(encoding="utf-8").splitlines()


def _first_difference(file: str, ours: list[str], theirs: list[str]) -> Difference:
    for one, other in zip_longest(ours, theirs):
        if one != other:
            steps = [_step(file, line) for line in (one, other) if line is not None]
            return Difference(min(steps), file, one, other)
    raise CompareError(f"{file}: two files that differ have no differing line")


def _step(file: str, line: str) -> int:
    try:
        return int(json.loads(line)["step"]) if file == EVENTS else int(line.partition("|")[0])
    except (KeyError, TypeError, ValueError):
        raise CompareError(f"{file}: expected a line that begins with its step, was {line[:80]!r}") from None

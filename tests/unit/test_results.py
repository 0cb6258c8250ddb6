"""What benchmarks found is kept by work: measured anew it is replaced, the rest stays."""

from __future__ import annotations

import json
from pathlib import Path

from measure.figures import Figure
from results import keep, row_of


def test_a_row_has_the_middle_the_ends_and_its_peers(tmp_path: Path) -> None:
    row = row_of(Figure("close", "ms", [3.0, 1.0, 2.0]), {"sqlite3": [5.0, 7.0, 6.0]})
    assert row == {
        "work": "close",
        "unit": "ms",
        "median": 2.0,
        "min": 1.0,
        "max": 3.0,
        "runs": 3,
        "peers": {"sqlite3": 6.0},
    }


def test_a_work_that_is_measured_anew_replaces_its_row_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    keep([row_of(Figure(work, "ms", [1.0]), {}) for work in ("b", "a")], file)
    keep([row_of(Figure("a", "ms", [9.0]), {}), row_of(Figure("a", "MB", [2.0]), {})], file)
    rows = [(row["work"], row["unit"], row["median"]) for row in json.loads(file.read_text())]
    assert rows == [("a", "MB", 2.0), ("a", "ms", 9.0), ("b", "ms", 1.0)]

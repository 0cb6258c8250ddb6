"""What the benchmarks found, kept in one file beside them: a row for each work, replaced when it is measured anew.

Row: ``{"work", "unit", "median", "min", "max", "runs", "peers": {name: median}}``, medians of the same run.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measure.figures import Figure, show

FILE = Path(__file__).with_name("results.json")
Peers = Mapping[str, Sequence[float]]


def report(
    title: str, figures: Sequence[Figure], notes: Sequence[str] = (), peers: Mapping[str, Peers] | None = None
) -> None:
    """Print ``figures`` as a table, those of their peers beneath, and keep them in ``results.json``.

    peers: by the work of a figure, what others took for the same, by name, in the figure's unit.
    """
    beside = peers or {}
    table: list[Figure] = []
    for figure in figures:
        table.append(figure)
        table += [
            Figure(f"  beside: {name}", figure.unit, values) for name, values in beside.get(figure.work, {}).items()
        ]
    show(title, table, notes)
    keep([row_of(figure, beside.get(figure.work, {})) for figure in figures])


def row_of(figure: Figure, peers: Peers) -> dict[str, Any]:
    """Return one figure as it is kept."""
    values = figure.values
    return {
        "work": figure.work,
        "unit": figure.unit,
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
        "runs": len(values),
        "peers": {name: round(statistics.median(others), 4) for name, others in peers.items()},
    }


def keep(rows: Sequence[Mapping[str, Any]], file: Path = FILE) -> None:
    """Lay ``rows`` over those of ``file``, in the order of their works."""
    kept = {(row["work"], row["unit"]): row for row in (json.loads(file.read_text()) if file.exists() else [])}
    kept.update({(row["work"], row["unit"]): row for row in rows})
    lines = ",\n".join(json.dumps(kept[key]) for key in sorted(kept))
    file.write_text(f"[\n{lines}\n]\n")

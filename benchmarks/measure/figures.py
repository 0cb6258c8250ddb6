"""Figures of a benchmark and the table that shows them; what is measured is the benchmark's own business."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One measured work: a value for each run in ``unit``, and the most that is allowed, if that was agreed."""

    work: str
    unit: str
    values: Sequence[float]
    budget: float | None = None


class Spent(NamedTuple):
    """What a call took, in seconds: by the clock on the wall, and of processor time over all threads."""

    wall: float
    cpu: float


class Took(NamedTuple):
    """What a close took: ms by the clock, and ms of this process's time on a processor."""

    waited: float
    worked: float


def spent_on(call: Callable[[], Any]) -> Spent:
    """Run ``call`` once and return what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def show(title: str, figures: Sequence[Figure], notes: Sequence[str] = ()) -> None:
    """Print ``figures`` as a table, the budget beside the figure; no judgement, for the machine may be busy."""
    width = max(len(figure.work) for figure in figures)
    print(title)
    print(f"{'work':<{width}}  {'unit':<12} {'median':>9} {'min':>9} {'max':>9} {'runs':>5} {'budget':>9}")
    for work, unit, values, budget in figures:
        middle, least, most = statistics.median(values), min(values), max(values)
        allowed = "" if budget is None else f"{budget:g}"
        print(
            f"{work:<{width}}  {unit:<12} {middle:>9.3f} {least:>9.3f} {most:>9.3f} {len(values):>5} {allowed:>9}",
        )
    load, *_ = os.getloadavg()
    for note in (*notes, f"{os.cpu_count()} processors, load {load:.1f}; wall time counts what others did meanwhile"):
        print(f"  {note}")

"""How long a person waits for the command line: a fresh process that answers ``--help``, and one that does nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from measure.figures import Figure, Spent
from results import report

RUNS = 15
BUDGET_S = 0.2


def main() -> None:
    """Measure and print."""
    ask = "import sys; sys.argv[0] = 'trading-system'; from trading_system.cli import main; main()"
    words = {
        "python that does nothing": ["-c", "pass"],
        "import typer": ["-c", "import typer"],
        "trading-system --help": ["-c", ask, "--help"],
    }
    taken = {work: [fresh(arguments) for _ in range(RUNS)] for work, arguments in words.items()}
    figures = []
    for work, spent in taken.items():
        budget = BUDGET_S if work.endswith("--help") else None
        figures.append(Figure(work, "s wall", [one.wall for one in spent], budget))
        figures.append(Figure(work, "s cpu", [one.cpu for one in spent], budget))
    report("Start of the command line", figures)


def fresh(arguments: list[str]) -> Spent:
    """Run Python anew with ``arguments`` and return what the process took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()

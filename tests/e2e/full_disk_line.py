"""The program on a disk that fills up when the stop of its second trade rests: from then on its files cannot grow.

``TRADING_KILL_AT`` says of which: ``store`` lets the smaller journal grow on, ``all`` no file at all. ``folder`` closes
the folder instead, so that no new file can be made in it.
"""

from __future__ import annotations

import resource
from pathlib import Path

from trading_system.cli.entry import main
from trading_system.services.execution_engine import points
from trading_system.services.execution_engine.points import Point, Reached

FOLDER = Path("line")


def filling(what: str) -> Reached:
    """Return a watcher that fills the disk; the system refuses the write, as it does on a full one."""
    stops = 0

    def reached(point: Point) -> None:
        nonlocal stops
        stops += point == Point.AFTER_STOP_ACKNOWLEDGEMENT
        if stops == 2 and what == "folder":
            FOLDER.chmod(0o500)
        elif stops == 2:
            largest = max(file.stat().st_size for file in FOLDER.glob("store.db*"))
            most = {"store": largest, "all": 1}[what]
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    return reached


if __name__ == "__main__":
    points.killer = filling
    main()

"""The program, told to stop as by Ctrl-C at a named moment: when it first imports a module, or at a point of an order.

``INTERRUPT_AT`` is ``import:MODULE`` or ``point:POINT:NTH``.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.machinery import ModuleSpec

INTERRUPT_AT = "INTERRUPT_AT"


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class AtImport:
    """A finder that finds nothing and is asked first."""

    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name == self._module:
            sys.meta_path.remove(self)  # type: ignore[arg-type]
            interrupt()
        return None


def at_point(name: str, nth: int) -> None:
    from trading_system.services.execution_engine import points

    left = nth

    def reached(point: points.Point) -> None:
        nonlocal left
        if point == name:
            left -= 1
            if not left:
                interrupt()

    points.killer = lambda _: reached
    os.environ[points.KILL_AT] = name


if __name__ == "__main__":
    kind, where, *rest = os.environ[INTERRUPT_AT].split(":")
    if kind == "import":
        sys.meta_path.insert(0, AtImport(where))  # type: ignore[arg-type]
    else:
        at_point(where, int(rest[0]))
    from trading_system.cli.entry import main

    main()

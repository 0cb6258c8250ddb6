"""Which frames go out when a minute closes: in which order, how often, how late and how damaged.

The script of faults decides; a wire only writes each frame down in its venue's shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from trading_system.simulator.faults import Fault, FaultKind, FaultScript
from trading_system.simulator.tape import Row


class Shown(NamedTuple):
    """One frame of a candle: ``closed`` is the flag that it carries, ``damaged`` says that bytes are lost from it."""

    symbol: str
    row: Row
    closed: bool
    damaged: bool = False

    def sent(self, frame: str) -> bytes:
        """Return its text ``frame`` as it goes out."""
        if self.damaged:
            middle = len(frame) // 2
            frame = f"{frame[:middle]}\0\0\0{frame[middle + 3 :]}"
        return frame.encode()


class _Kept(NamedTuple):
    """A close that was kept back until the frames of ``step``; a swapped one follows the close of that step."""

    step: int
    swapped: bool
    shown: Shown


class MinuteFrames:
    """Keeps back what is late."""

    def __init__(self, faults: FaultScript) -> None:
        self._faults = faults
        self._kept: list[_Kept] = []

    def due(self, step: int) -> list[Shown]:
        """Return the late closes that go out before the frames of ``step``."""
        return self._release(lambda kept: kept.step <= step and not kept.swapped)

    def of(self, step: int, symbol: str, row: Row, *, running: bool) -> list[Shown]:
        """Return the running frame of a minute, if it is shown at all, and its close, as far as the script lets it."""
        fault = self._faults.at_close(step, symbol)
        shown = [Shown(symbol, row, closed=False)] if running else []
        older = self._release(lambda kept: kept.swapped and kept.step <= step and kept.shown.symbol == symbol)
        return [*shown, *self._closes(step, Shown(symbol, row, closed=True), fault), *older]

    def _closes(self, step: int, close: Shown, fault: Fault | None) -> list[Shown]:
        if fault is None:
            return [close]
        match fault.kind:
            case FaultKind.MISSING_CLOSE:
                return []
            case FaultKind.UNCLOSED_ONLY:
                return [close._replace(closed=False)]
            case FaultKind.CORRUPTED_FRAME:
                return [close._replace(damaged=True)]
            case FaultKind.DUPLICATED_CLOSE:
                return [close, close]
            case FaultKind.CHANGED_CLOSE:
                return [close, close._replace(row=changed(close.row))]
            case _:  # late or swapped
                self._kept.append(_Kept(step + fault.steps, fault.kind == FaultKind.SWAPPED_CLOSE, close))
                return []

    def _release(self, wanted: Callable[[_Kept], bool]) -> list[Shown]:
        released = [kept.shown for kept in self._kept if wanted(kept)]
        self._kept = [kept for kept in self._kept if not wanted(kept)]
        return released


def changed(row: Row) -> Row:
    """Return a row with other numbers, as a venue that corrects itself would say it."""
    return row._replace(close=row.open, volume=row.volume * 2)

"""A script of things that go wrong on the wire, each at a stated step or request; market and matching stay right.

This file says when; ``minute_frames.py``, ``disturbances.py`` and the wires ask it and do the damage. Every fault is
one that real venues have shown.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from trading_system.simulator.tape import Row

_log = logging.getLogger(__name__)


class FaultError(ValueError):
    """A fault that cannot be scripted as written."""


class FaultKind(StrEnum):
    """Everything that a simulated venue can do wrong."""

    # connections, after the frames of a step
    CUT = "cut"
    USER_CUT = "user_cut"
    CLOSED = "closed"
    HALF_OPEN = "half_open"
    SHUTDOWN = "shutdown"
    SILENT_SUBSCRIPTION = "silent_subscription"
    STREAM_LAG = "stream_lag"
    # the closing frame of a minute
    DUPLICATED_CLOSE = "duplicated_close"
    CHANGED_CLOSE = "changed_close"
    LATE_CLOSE = "late_close"
    SWAPPED_CLOSE = "swapped_close"
    MISSING_CLOSE = "missing_close"
    UNCLOSED_ONLY = "unclosed_only"
    CORRUPTED_FRAME = "corrupted_frame"
    # candles by REST
    STALE_REST = "stale_rest"
    MISSING_ROW = "missing_row"
    EMPTY_REST = "empty_rest"
    CHANGED_REST = "changed_rest"
    # any request
    RATE_LIMITED = "rate_limited"
    FORBIDDEN = "forbidden"
    MAINTENANCE = "maintenance"
    HTML = "html"
    # the venue itself
    CLOCK_JUMP = "clock_jump"
    CLOCK_DRIFT = "clock_drift"
    HALTED = "halted"
    DELISTED = "delisted"
    NEW_TICK = "new_tick"
    # orders
    LOST_ANSWER = "lost_answer"
    REFUSED_SIGNATURE = "refused_signature"
    REJECTED_ORDER = "rejected_order"


CLOSE_FAULTS = frozenset(
    {
        FaultKind.DUPLICATED_CLOSE,
        FaultKind.CHANGED_CLOSE,
        FaultKind.LATE_CLOSE,
        FaultKind.SWAPPED_CLOSE,
        FaultKind.MISSING_CLOSE,
        FaultKind.UNCLOSED_ONLY,
        FaultKind.CORRUPTED_FRAME,
    }
)
ENDINGS = frozenset({FaultKind.CUT, FaultKind.CLOSED, FaultKind.HALF_OPEN, FaultKind.SHUTDOWN})
"""How the market connections end after a step."""
VENUE_FAULTS = frozenset(
    {
        FaultKind.CLOCK_JUMP,
        FaultKind.CLOCK_DRIFT,
        FaultKind.HALTED,
        FaultKind.DELISTED,
        FaultKind.NEW_TICK,
        FaultKind.SILENT_SUBSCRIPTION,
        FaultKind.STREAM_LAG,
    }
)
CANDLE_FAULTS = frozenset({FaultKind.STALE_REST, FaultKind.MISSING_ROW, FaultKind.EMPTY_REST, FaultKind.CHANGED_REST})
REQUEST_FAULTS = frozenset({FaultKind.RATE_LIMITED, FaultKind.FORBIDDEN, FaultKind.MAINTENANCE, FaultKind.HTML})
_BY_STEP = CLOSE_FAULTS | ENDINGS | VENUE_FAULTS
_BY_EITHER = CANDLE_FAULTS | REQUEST_FAULTS | {FaultKind.USER_CUT}
_OF_A_SYMBOL = frozenset({FaultKind.HALTED, FaultKind.DELISTED, FaultKind.NEW_TICK})


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault, once.

    at_step: the step at whose close, or after which, it happens; for requests the step from which on they are hit.
    symbol: whose close, candles or trading, all when empty. nth: which order request, signed request, user event,
    request of candles or request at all it hits, from 1. code: of a rejected order, or of a close frame. message: of a
    rejected order. steps: how many steps a close is late or a lag lasts. count: how many requests it hits. ms: of a
    clock's jump, of its drift a step, of a lag, or of a ban. factor: of the new tick to the old one.
    """

    kind: FaultKind
    at_step: int = 0
    symbol: str = ""
    nth: int = 0
    code: int = 0
    message: str = ""
    steps: int = 1
    count: int = 1
    ms: int = 1_000
    factor: int = 10


class FaultScript:
    """The faults of one run: each fires once, is counted in ``fired`` and logged.

    Raises: FaultError when a fault says neither a step nor a number where its kind needs one.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._waiting = list(faults)
        self._lasting: list[tuple[Fault, int]] = []  # of requests, with how many more it hits
        self.fired: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._for_all: tuple[int, Fault | None] = (0, None)
        self._step = 0
        for fault in self._waiting:
            _require_place(fault)

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """The faults that have not fired yet."""
        return tuple(self._waiting)

    def at_close(self, step: int, symbol: str) -> Fault | None:
        """Return what happens to the closing frame of ``symbol`` at ``step``."""
        if self._for_all[0] == step:
            return self._for_all[1]
        for fault in self._waiting:
            if fault.at_step == step and fault.symbol in {"", symbol} and fault.kind in CLOSE_FAULTS:
                self._fire(fault)
                if not fault.symbol:
                    self._for_all = (step, fault)
                return fault
        return None

    def after_step(self, step: int) -> list[Fault]:
        """Return what happens to connections and to the venue after the frames of ``step``."""
        self._step = step
        due = [
            fault
            for fault in self._waiting
            if fault.at_step == step and fault.kind in ENDINGS | VENUE_FAULTS | {FaultKind.USER_CUT}
        ]
        for fault in due:
            self._fire(fault)
        return due

    def on_order_request(self) -> Fault | None:
        """Count an order request and return its fault: a lost answer or a rejection."""
        return self._counted("order", {FaultKind.LOST_ANSWER, FaultKind.REJECTED_ORDER})

    def on_signed_request(self) -> bool:
        """Count a signed request and tell whether its signature is damaged on the way."""
        return self._counted("signed", {FaultKind.REFUSED_SIGNATURE}) is not None

    def on_user_event(self) -> bool:
        """Count a user event and tell whether the stream is cut in front of it."""
        return self._counted("event", {FaultKind.USER_CUT}) is not None

    def on_request(self) -> Fault | None:
        """Count a request of any kind and return what keeps it from an answer."""
        return self._lasts("request", "", REQUEST_FAULTS)

    def on_candles(self, symbol: str, rows: list[Row]) -> list[Row]:
        """Count a request of candles and return the rows of its answer: oldest first, the running one last."""
        fault = self._lasts("candles", symbol, CANDLE_FAULTS)
        return rows if fault is None else _DAMAGES[fault.kind](rows)

    def _counted(self, what: str, kinds: set[FaultKind]) -> Fault | None:
        self._counts[what] += 1
        for fault in self._waiting:
            if fault.nth == self._counts[what] and fault.kind in kinds:
                self._fire(fault)
                return fault
        return None

    def _lasts(self, what: str, symbol: str, kinds: frozenset[FaultKind]) -> Fault | None:
        """Return the fault that hits this request: one that begins with it, or one that still lasts."""
        self._counts[what] += 1
        for fault in self._waiting:
            begins = fault.nth == self._counts[what] if fault.nth else fault.at_step <= self._step
            if begins and fault.kind in kinds and fault.symbol in {"", symbol}:
                self._fire(fault)
                self._lasting.append((fault, fault.count))
                break
        for place, (fault, left) in enumerate(self._lasting):
            if fault.kind in kinds and fault.symbol in {"", symbol}:
                self._lasting[place] = (fault, left - 1)
                if left == 1:
                    del self._lasting[place]
                return fault
        return None

    def _fire(self, fault: Fault) -> None:
        self._waiting.remove(fault)
        self.fired[fault.kind.value] += 1
        where = f"step {fault.at_step}" if fault.at_step else f"number {fault.nth}"
        _log.warning("fault on purpose: %s at %s %s", fault.kind.value, where, fault.symbol)


def _require_place(fault: Fault) -> None:
    """Raises: FaultError unless ``fault`` says where it happens, and to whom."""
    by_step, by_count = fault.at_step > 0, fault.nth > 0
    if fault.kind in _BY_STEP:
        fits, needs = by_step, "at_step"
    elif fault.kind in _BY_EITHER:
        fits, needs = by_step or by_count, "at_step or nth"
    else:
        fits, needs = by_count, "nth"
    if not fits:
        raise FaultError(f"expected {needs} of 1 or more for the fault {fault.kind}, was none")
    if fault.kind in _OF_A_SYMBOL and not fault.symbol:
        raise FaultError(f"expected the symbol that is {fault.kind}, was none")


def _as_a_minute_ago(rows: list[Row]) -> list[Row]:
    """Return the rows of a minute ago: what has closed since was the running minute, and without a trade so far."""
    *closed, newest = rows[:-1] or rows
    price = newest.open
    return [*closed, newest._replace(high=price, low=price, close=price, volume=0.0)]


_DAMAGES: dict[FaultKind, Callable[[list[Row]], list[Row]]] = {
    FaultKind.STALE_REST: _as_a_minute_ago,
    FaultKind.MISSING_ROW: lambda rows: rows[:-2] + rows[-1:],
    FaultKind.EMPTY_REST: lambda _: [],
    FaultKind.CHANGED_REST: lambda rows: [row._replace(volume=row.volume * 2) for row in rows],
}

"""A script of things that go wrong on the wire, each at a stated step or request; market and matching stay right.

This file says when; `streams.py` and `rest.py` ask it and do the damage.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec

_log = logging.getLogger(__name__)


class FaultError(ValueError):
    """A fault that cannot be scripted as written."""


class FaultKind(StrEnum):
    """Everything that this venue can do wrong."""

    CUT = "cut"
    USER_CUT = "user_cut"
    DUPLICATED_CLOSE = "duplicated_close"
    LATE_CLOSE = "late_close"
    MISSING_CLOSE = "missing_close"
    CORRUPTED_FRAME = "corrupted_frame"
    LOST_ANSWER = "lost_answer"
    REFUSED_SIGNATURE = "refused_signature"
    REJECTED_ORDER = "rejected_order"


CLOSE_FAULTS = frozenset(
    {FaultKind.DUPLICATED_CLOSE, FaultKind.LATE_CLOSE, FaultKind.MISSING_CLOSE, FaultKind.CORRUPTED_FRAME}
)
_BY_STEP = CLOSE_FAULTS | {FaultKind.CUT}
_BY_COUNT = frozenset({FaultKind.LOST_ANSWER, FaultKind.REFUSED_SIGNATURE, FaultKind.REJECTED_ORDER})


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault, once.

    at_step: the step after (cuts) or at whose close it happens. symbol: whose close, all when empty. nth: which order
    request, signed request or user event it hits, from 1. code, message: the refusal of a rejected order. A user cut
    takes at_step, or nth to lose that very event.
    """

    kind: FaultKind
    at_step: int = 0
    symbol: str = ""
    nth: int = 0
    code: int = -2019
    message: str = ""


def read_faults(path: Path) -> list[Fault]:
    """Return the faults of a JSON file, a list of objects with the fields of ``Fault``.

    Raises: FaultError when the file cannot be read or says something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Fault])
    except (OSError, msgspec.MsgspecError) as error:
        raise FaultError(
            f'{path}: expected a list like [{{"kind": "cut", "at_step": 1}}], was {error}; mend the file'
        ) from error


class FaultScript:
    """The faults of one run: each fires once, is counted in ``fired`` and logged.

    Raises: FaultError when a fault says neither a step nor a number where its kind needs one.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._waiting = list(faults)
        self.fired: Counter[str] = Counter()
        self._order_requests = 0
        self._signed_requests = 0
        self._user_events = 0
        self._for_all: tuple[int, FaultKind | None] = (0, None)
        for fault in self._waiting:
            by_step, by_count = fault.at_step > 0, fault.nth > 0
            fits = by_step if fault.kind in _BY_STEP else by_count if fault.kind in _BY_COUNT else by_step or by_count
            if not fits:
                needs = "at_step" if fault.kind in _BY_STEP else "nth" if fault.kind in _BY_COUNT else "at_step or nth"
                raise FaultError(f"expected {needs} of 1 or more for the fault {fault.kind}, was {fault}")

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """The faults that have not fired yet."""
        return tuple(self._waiting)

    def at_close(self, step: int, symbol: str) -> FaultKind | None:
        """Return what happens to the closing frame of ``symbol`` at ``step``."""
        if self._for_all[0] == step:
            return self._for_all[1]
        for fault in self._waiting:
            if fault.at_step == step and fault.symbol in {"", symbol} and fault.kind in CLOSE_FAULTS:
                self._fire(fault)
                if not fault.symbol:
                    self._for_all = (step, fault.kind)
                return fault.kind
        return None

    def after_step(self, step: int) -> set[FaultKind]:
        """Return which cuts follow the frames of ``step``."""
        due = [fault for fault in self._waiting if fault.at_step == step and fault.kind not in CLOSE_FAULTS]
        for fault in due:
            self._fire(fault)
        return {fault.kind for fault in due}

    def on_order_request(self) -> Fault | None:
        """Count an order request and return its fault: a lost answer or a rejection."""
        self._order_requests += 1
        return self._by_count(self._order_requests, FaultKind.LOST_ANSWER, FaultKind.REJECTED_ORDER)

    def on_signed_request(self) -> bool:
        """Count a signed request and tell whether its signature is damaged on the way."""
        self._signed_requests += 1
        return self._by_count(self._signed_requests, FaultKind.REFUSED_SIGNATURE) is not None

    def on_user_event(self) -> bool:
        """Count a user event and tell whether the stream is cut in front of it."""
        self._user_events += 1
        return self._by_count(self._user_events, FaultKind.USER_CUT) is not None

    def _by_count(self, count: int, *kinds: FaultKind) -> Fault | None:
        for fault in self._waiting:
            if fault.nth == count and fault.kind in kinds:
                self._fire(fault)
                return fault
        return None

    def _fire(self, fault: Fault) -> None:
        self._waiting.remove(fault)
        self.fired[fault.kind.value] += 1
        where = f"step {fault.at_step}" if fault.at_step else f"number {fault.nth}"
        _log.warning("fault on purpose: %s at %s %s", fault.kind.value, where, fault.symbol)

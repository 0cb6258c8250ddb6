"""Faults drawn from a seed: the same seed over the same market gives the same script."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from trading_system.simulator.faults import CANDLE_FAULTS, CLOSE_FAULTS, REQUEST_FAULTS, Fault, FaultKind

DAY_STEPS = 1_440
DRAWABLE: tuple[FaultKind, ...] = tuple(
    kind
    for kind in FaultKind
    if kind in CLOSE_FAULTS | CANDLE_FAULTS | REQUEST_FAULTS
    or kind
    in {
        FaultKind.CUT,
        FaultKind.CLOSED,
        FaultKind.HALF_OPEN,
        FaultKind.SHUTDOWN,
        FaultKind.SILENT_SUBSCRIPTION,
        FaultKind.STREAM_LAG,
        FaultKind.USER_CUT,
        FaultKind.CLOCK_JUMP,
    }
)
"""What is drawn unless kinds are named: all that changes no market. Halts, new ticks and orders are only scripted."""
CLOSE_CODES = (1000, 1006, 1008)
LONGEST_LAG_MS, LONGEST_BAN_MS, LONGEST_JUMP_MS = 2_000, 3_000, 4_000


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often something goes wrong, and what. seed: of the draw; per_day: faults in a day of market; kinds: which."""

    seed: int
    per_day: float
    kinds: tuple[FaultKind, ...] = DRAWABLE


def drawn(draw: Draw, first_step: int, last_step: int, symbols: Sequence[str]) -> list[Fault]:
    """Return the faults of the steps from ``first_step`` to ``last_step``, oldest first."""
    chance = random.Random(draw.seed)
    count = round(draw.per_day * (last_step - first_step + 1) / DAY_STEPS)
    steps = sorted(chance.randint(first_step, last_step) for _ in range(count))
    return [_fault(chance, chance.choice(draw.kinds), step, symbols) for step in steps]


def _fault(chance: random.Random, kind: FaultKind, step: int, symbols: Sequence[str]) -> Fault:
    if kind in CLOSE_FAULTS:
        return Fault(kind, step, chance.choice(symbols), steps=chance.randint(1, 3))
    match kind:
        case FaultKind.CLOSED:
            return Fault(kind, step, code=chance.choice(CLOSE_CODES))
        case FaultKind.STREAM_LAG:
            return Fault(kind, step, ms=chance.randint(100, LONGEST_LAG_MS))
        case FaultKind.RATE_LIMITED | FaultKind.FORBIDDEN:
            return Fault(kind, step, ms=chance.randint(500, LONGEST_BAN_MS))
        case FaultKind.CLOCK_JUMP:
            return Fault(kind, step, ms=chance.randint(-LONGEST_JUMP_MS, LONGEST_JUMP_MS))
        case _:
            return Fault(kind, step, count=chance.randint(1, 3))

"""The file of ``--faults``: a list of faults with their places, or how to draw them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from trading_system.simulator.drawn_faults import Draw, drawn
from trading_system.simulator.faults import Fault, FaultError


def read_faults(path: Path, first_step: int, last_step: int, symbols: Sequence[str]) -> list[Fault]:
    """Return the faults of a JSON file for the steps and symbols of a market.

    The file is a list of objects with the fields of ``Fault``, or one object with the fields of ``Draw``.
    Raises: FaultError when the file cannot be read or says something else.
    """
    try:
        said = msgspec.json.decode(path.read_bytes(), type=list[Fault] | Draw)
    except (OSError, msgspec.MsgspecError) as error:
        raise FaultError(
            f'{path}: expected a list like [{{"kind": "cut", "at_step": 1}}], or {{"seed": 1, "per_day": 20}}, '
            f"was {error}; mend the file"
        ) from error
    return drawn(said, first_step, last_step, symbols) if isinstance(said, Draw) else said

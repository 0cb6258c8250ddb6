"""How far execution has come, for whoever must wait until all is quiet."""

from __future__ import annotations

from typing import NamedTuple


class Progress(NamedTuple):
    """The last closed step, the last trade booked, and what is still open."""

    step: int
    trade: int
    in_flight: int
    unknown: int

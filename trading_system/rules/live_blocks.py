"""Which order blocks of one symbol live, and which of them is nearest to a price: a fold over detection's events.

Only for showing: what is traded is decided where a block forms. A block lives until price goes through it or it
expires.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from trading_system.contracts import OrderBlockDTO, from_ms
from trading_system.rules.events import Event

LIVE = frozenset({"formed", "touched"})  # the states of a block that price has not gone through
_LATER = {"ob_touched": "touched"}
_ENDS = frozenset({"ob_mitigated", "ob_invalidated", "ob_expired"})


class LiveBlock(NamedTuple):
    """A block that price has not gone through: the event of its forming, and ``formed`` or ``touched``."""

    formed: Event
    state: str

    @property
    def top(self) -> float:
        """The upper edge of the zone."""
        return float(self.formed.values["top"])

    @property
    def bottom(self) -> float:
        """The lower edge of the zone."""
        return float(self.formed.values["bottom"])

    def distance(self, price: float) -> float:
        """Return how far ``price`` is from the zone, 0 inside it."""
        return max(self.bottom - price, price - self.top, 0.0)

    def word(self) -> OrderBlockDTO:
        """Return the block as other services and programs read it."""
        event = self.formed
        return {
            "id": event.id,
            "exchange": event.exchange,
            "symbol": event.symbol,
            "interval": event.interval,
            "direction": 1 if event.direction > 0 else -1,
            "top": self.top,
            "bottom": self.bottom,
            "time": from_ms(event.time),
            "confirmed_at": from_ms(event.confirmed_at),
            "state": self.state,
            "volume": float(event.values["volume"]),
            "strength": float(event.values["strength"]),
        }


class LiveBlocks:
    """The live blocks of one symbol, both sides and every interval."""

    def __init__(self) -> None:
        self._sides: dict[int, dict[str, LiveBlock]] = {1: {}, -1: {}}

    def see(self, events: Iterable[Event]) -> None:
        """Take in what a step made knowable; events of other kinds change nothing."""
        for event in events:
            blocks = self._sides[1 if event.direction > 0 else -1]
            if event.kind == "ob_formed":
                blocks[event.id] = LiveBlock(event, "formed")
            elif event.kind in _ENDS:
                blocks.pop(event.ref or "", None)
            elif event.kind in _LATER and event.ref in blocks:
                blocks[event.ref] = blocks[event.ref]._replace(state=_LATER[event.kind])

    def nearest(self, side: int, price: float) -> LiveBlock | None:
        """Return the live block of ``side`` (1 long, -1 short) nearest to ``price``, of equal ones the youngest."""
        blocks = self._sides[side]
        if len(blocks) < 2:  # which is asked for every symbol every minute, and mostly so
            return next(iter(blocks.values()), None)
        return min(blocks.values(), key=lambda block: (block.distance(price), -block.formed.confirmed_at))

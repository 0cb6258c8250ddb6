"""How old a signal or a request is by the venue's clock; where market time stands still nothing grows old."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trading_system.rules.account import SymbolStep
from trading_system.rules.client_ids import canonical_id
from trading_system.services.execution_engine.journal import Journal


class Ages:
    """Tells ages. ``max_age_ms``: 0 for no limit.

    venue_ms: the venue's time now, rather too late than too early; None where it stands still.
    """

    def __init__(self, venue_ms: Callable[[], int] | None, max_age_ms: int, journal: Journal) -> None:
        """Keep the clock, and the journal, which knows what was acted on."""
        self.venue_ms = venue_ms
        self.max_age_ms = max_age_ms
        self._journal = journal

    def age_s(self, time: int) -> float:
        """Return how long ago ``time`` (ms UTC) was at the venue."""
        return 0.0 if self.venue_ms is None else (self.venue_ms() - time) / 1000

    def dated(self, symbols: Mapping[int, SymbolStep], time: int) -> Mapping[int, SymbolStep]:
        """Mark the signals of T = ``time`` that are too old to be acted on; one whose entry went out is acted on."""
        if not self.max_age_ms or not any(said.plans for said in symbols.values()):
            return symbols
        age_s = self.age_s(time)
        if age_s <= self.max_age_ms / 1000:
            return symbols
        marked = dict(symbols)
        for place, said in symbols.items():
            late = {plan.id for plan in said.plans if self._journal.newest(canonical_id(plan.id, "e")) is None}
            marked[place] = said._replace(late=frozenset(late), age=age_s)
        return marked

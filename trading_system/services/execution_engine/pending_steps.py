"""What symbols have brought to steps that are not closed; a step is whole when all that take part brought theirs."""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.rules.account import SymbolStep
from trading_system.rules.matching import MINUTE_MS, Minute
from trading_system.rules.roster import Place


class PendingSteps:
    """By step and by the account's place. Which places a step takes is the roster's to say (``takes``)."""

    def __init__(self) -> None:
        self._brought: dict[int, dict[int, SymbolStep]] = {}

    def bring(self, step: int, place: int, said: SymbolStep) -> None:
        """Keep what one symbol brings to a step."""
        self._brought.setdefault(step, {})[place] = said

    def is_whole(self, step: int, takes: Mapping[int, Place]) -> bool:
        """Tell whether all that take part in a step have brought theirs; one that takes nobody never is."""
        brought, seen = self._brought.get(step), _seen(takes)
        return brought is not None and bool(seen) and seen <= brought.keys()

    def awaited(self, step: int, takes: Mapping[int, Place]) -> list[int]:
        """Return who has not brought a step, once others have gone on beyond it: before, it is on its way."""
        if not any(one > step for one in self._brought):
            return []
        return sorted(_seen(takes) - self._brought.get(step, {}).keys())

    @property
    def furthest(self) -> int:
        """The last step to which anybody has brought something, 0 without one."""
        return max(self._brought, default=0)

    def take(self, step: int, takes: Mapping[int, Place]) -> dict[int, SymbolStep]:
        """Hand out a whole step."""
        whole = self.whole(step, takes)
        del self._brought[step]
        return whole

    def put_back(self, step: int, said: Mapping[int, SymbolStep]) -> None:
        """Let a step wait once more."""
        self._brought[step] = {place: one for place, one in said.items() if not one.unseen}

    def whole(self, step: int, takes: Mapping[int, Place]) -> dict[int, SymbolStep]:
        """Return a whole step; who leaves or has ended is marked, and of who is not seen it is a gap."""
        brought = self._brought[step]
        nothing = SymbolStep(Minute((step - 1) * MINUTE_MS, 0.0, 0.0, 0.0, 0.0, True), unseen=True)
        return {
            place: (nothing if here.is_unseen else brought[place]._replace(leaving=here.leaves))._replace(
                settles=here.has_ended
            )
            for place, here in takes.items()
        }


def _seen(takes: Mapping[int, Place]) -> set[int]:
    return {place for place, here in takes.items() if not here.is_unseen}

"""What symbols have brought to steps that are not closed; a step is whole when all that take part brought theirs."""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.rules.account import SymbolStep
from trading_system.rules.matching import Minute
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
        brought = self._brought.get(step)
        return brought is not None and bool(takes) and takes.keys() <= brought.keys()

    def awaited(self, step: int, takes: Mapping[int, Place]) -> list[int]:
        """Return who has not brought a step, once others have gone on beyond it: before, it is on its way."""
        if not any(one > step for one in self._brought):
            return []
        return sorted(takes.keys() - self._brought.get(step, {}).keys())

    def minutes(self, step: int, takes: Mapping[int, Place]) -> dict[int, Minute]:
        """Return the minutes of a whole step."""
        return {place: self._brought[step][place].minute for place in takes}

    def take(self, step: int, takes: Mapping[int, Place]) -> dict[int, SymbolStep]:
        """Hand out a whole step; who leaves is marked."""
        brought = self._brought.pop(step)
        return {place: brought[place]._replace(leaving=here == Place.LEAVING) for place, here in takes.items()}

    def put_back(self, step: int, said: dict[int, SymbolStep]) -> None:
        """Let a step wait once more."""
        self._brought[step] = said

"""For how long the account waits for one symbol while the others go on; what follows is written by ``joining.py``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from trading_system.rules.matching import MINUTE_MS

MINUTE_S = MINUTE_MS / 1000


class Awaiting:
    """Patience with each symbol, which begins anew with everything that it brings.

    It ends when both this machine's time and the market of the others have gone on by ``minutes``: a pause of the
    machine or of the whole feed is nobody's fault.
    """

    def __init__(self, minutes: int, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Keep how long to wait; 0 minutes are for ever. ``monotonic_s``: seconds that never go back."""
        self._minutes = minutes
        self._monotonic_s = monotonic_s
        self._since: dict[str, tuple[int, float]] = {}

    def overdue(self, step: int, awaited: Mapping[str, int], furthest: int) -> list[str]:
        """Return of the symbols ``awaited`` for ``step``, each with its last step, those not to be awaited any more.

        furthest: the last step to which anybody has come.
        """
        now = self._monotonic_s()
        before, self._since = self._since, {}
        for symbol, last in awaited.items():
            have = before.get(symbol)
            self._since[symbol] = have if have is not None and have[0] == last else (last, now)
        if not self._minutes or furthest < step + self._minutes:
            return []
        return [symbol for symbol, (_, since) in self._since.items() if now - since >= self._minutes * MINUTE_S]

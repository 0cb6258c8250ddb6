"""The one listen key of the account: made, extended and forgotten by the wall clock."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from trading_system.simulator.binance_usdm.refusal_codes import CodedRefusalError

VALID_MS = 60 * 60_000


class ListenKeys:
    """Holds the key of the user stream. ``wall_ms`` returns the wall clock in ms UTC."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._key = ""
        self._until = 0

    def open(self) -> str:
        """Return the living key, extended, or a new one."""
        if not self.valid(self._key):
            self._key = secrets.token_hex(32)
        self._until = self._wall_ms() + VALID_MS
        return self._key

    def extend(self) -> str:
        """Extend the living key. Raises: CodedRefusalError -1125 when there is none."""
        if not self.valid(self._key):
            raise CodedRefusalError(-1125)
        return self.open()

    def close(self) -> None:
        """Forget the key."""
        self._key = ""

    def valid(self, key: str) -> bool:
        """Tell whether ``key`` lives."""
        return bool(key) and key == self._key and self._wall_ms() < self._until

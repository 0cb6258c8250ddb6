"""Whether the store takes what execution writes: away for a while, or lost for good. Orders are not decided here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from trading_system.store.errors import StoreError
from trading_system.store.patience import patiently

log = logging.getLogger(__name__)


class StoreWatch:
    """``lost``: why the store takes no more, None while it does. ``wake`` is set when something changes."""

    def __init__(self, commit: Callable[[], Awaitable[None]], wake: asyncio.Event) -> None:
        """Keep how to commit what is pending."""
        self._commit = commit
        self._wake = wake
        self._return: asyncio.Task[None] | None = None
        self.lost: StoreError | None = None

    @property
    def is_missing(self) -> bool:
        """Tell whether nothing can be written now: no entry is sent and no step closed; fills are still answered."""
        return self.lost is not None or self._return is not None

    def lose(self, error: StoreError) -> None:
        """Know that the store takes no more in this life."""
        if self.lost is None:
            log.critical("entries are off, stops and exits are still sent: %s", error)
            self.lost = error
            self._wake.set()

    def miss(self, error: StoreError) -> None:
        """Wait for a store that is away to take what is pending."""
        log.warning("entries are off while the store is away, stops and exits are still sent: %s", error)
        self._return = asyncio.create_task(self._await_return(), name="execution:store")

    async def stop(self) -> None:
        """Wait no longer."""
        if self._return is not None:
            self._return.cancel()
            await asyncio.gather(self._return, return_exceptions=True)

    async def _await_return(self) -> None:
        try:
            await patiently(self._commit)
            log.warning("the store is back: entries are on")
        except StoreError as error:
            self.lose(error)
        self._return = None
        self._wake.set()

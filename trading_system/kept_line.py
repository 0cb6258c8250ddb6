"""The line that a folder or a database holds already: how it began is taken from there, never asked of a venue again.

A symbol that the venue has let go since would otherwise keep the whole line from starting again.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from trading_system.app import STORE_FILE
from trading_system.database import open_store
from trading_system.line_terms import begun, hold_to_symbols
from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.services.room import CANDLES
from trading_system.settings import Settings
from trading_system.store.port import Stream


class KeptLine(NamedTuple):
    """A line as it began: origin in ms UTC. ``head``: the close of its newest stored minute (ms UTC)."""

    origin: int
    instruments: tuple[Instrument, ...]
    head: int


async def kept_line(folder: Path, settings: Settings) -> KeptLine | None:
    """Return the line of ``folder``, or of the settings' database; None where none has begun.

    Raises: OtherLineError when it has other symbols than ``settings``; StoreError.
    """
    path = folder / STORE_FILE
    if not settings.database_url and not path.exists():
        return None
    store = open_store(settings.database_url or f"sqlite:///{path.resolve()}")
    try:
        line = await begun(store)
        if line is None:
            return None
        await hold_to_symbols(store, settings.symbols)
        origin, instruments = line
        heads = [await store.head(Stream(CANDLES, one.exchange, one.symbol)) for one in instruments]
        return KeptLine(origin, instruments, max([origin, *(head * MINUTE_MS for head in heads if head is not None)]))
    finally:
        await store.close()

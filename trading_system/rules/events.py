"""The facts that detection states, as plain frozen values with ids that mean the same on every machine.

The compiled fold writes records without texts; this file gives them their names, ids and references. An event is
never edited: a later fact is a later event that refers to the earlier one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

VERSION = "1"


def short_hash(*parts: object) -> str:
    """Return the sixteen characters that identify ``parts``: base32 of SHA-256 in lower case."""
    text = "|".join(str(part) for part in parts)
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16].lower()


def event_id(exchange: str, symbol: str, interval: str, kind: str, direction: int, time: int, confirmed_at: int) -> str:
    """Return the id of an event: the same candles give the same id, live and in a backtest."""
    return short_hash(VERSION, exchange, symbol, interval, kind, direction, time, confirmed_at)


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about closed candles.

    ``time`` is the open time of the candle that the fact speaks about, ``confirmed_at`` the close (exclusive, ms UTC)
    of the candle that made it knowable. ``direction`` is 1 for bullish and for highs, -1 for bearish and for lows.
    ``ref`` is the id of the event whose life goes on here, ``replaces`` the id of the swing that this one supersedes.
    ``values`` holds prices and measures by name; which names a kind carries is said in ``detection.py``.
    """

    id: str
    kind: str
    exchange: str
    symbol: str
    interval: str
    direction: int
    time: int
    confirmed_at: int
    ref: str | None
    replaces: str | None
    values: Mapping[str, float | int | str]

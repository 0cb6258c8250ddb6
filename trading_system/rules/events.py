"""The facts that detection states, as plain frozen values with ids that mean the same on every machine.

The compiled fold writes records without texts; this file gives them their names, ids and references. An event is
never edited: a later fact is a later event that refers to the earlier one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from trading_system.rules.interval_table import interval_name
from trading_system.rules.records import EVENT, EventKind, Label, Reason, Records, Shape

VERSION = "1"


def short_hash(*parts: object) -> str:
    """Return the sixteen characters that identify ``parts``: base32 of SHA-256 in lower case."""
    text = "|".join(map(str, parts))
    # ten bytes are the sixteen characters: encoding the rest of the hash would only be thrown away
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode().lower()


@lru_cache(maxsize=4096)  # later events of a life name its birth again and again
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


def life_event_id(birth: str, kind: str, direction: int, time: int, confirmed_at: int) -> str:
    """Return the id of a later event in a life that the event ``birth`` began.

    Two blocks may share their candle (the same low under two broken swings) and be touched by the same candle; only
    their births tell them apart.
    """
    return short_hash(VERSION, birth, kind, direction, time, confirmed_at)


_BLOCK_LIFE = ("top", "bottom", "penetration")
_POLE = ("base_time", "base_price", "tip_price", "pole_width", "pole_height", "width")
_VALUES: dict[EventKind, tuple[str, ...]] = {
    EventKind.SWING_HIGH: ("price", "label"),
    EventKind.SWING_LOW: ("price", "label"),
    EventKind.BOS: ("price", "close"),
    EventKind.CHOCH: ("price", "close"),
    EventKind.OB_FORMED: (
        "top",
        "bottom",
        "close",
        "volume",
        "strength",
        "atr",
        "displacement",
        "has_fvg",
        "break_kind",
        "confluence",
    ),
    EventKind.OB_TOUCHED: _BLOCK_LIFE,
    EventKind.OB_MITIGATED: _BLOCK_LIFE,
    EventKind.OB_INVALIDATED: _BLOCK_LIFE,
    EventKind.OB_EXPIRED: (*_BLOCK_LIFE, "reason"),
    EventKind.FLAG_POLE: _POLE,
    EventKind.FLAG_CONSOLIDATING: _POLE,
    EventKind.FLAG_BREAKOUT: (
        *_POLE,
        "close",
        "previous_close",
        "extreme",
        "atr",
        "depth",
        "retrace",
        "resist_slope",
        "resist_intercept",
        "support_slope",
        "support_intercept",
        "resist_start",
        "resist_end",
        "support_start",
        "support_end",
        "shape",
        "confluence",
    ),
    EventKind.FLAG_FAILED: (*_POLE, "reason"),
    EventKind.FLAG_EXPIRED: (*_POLE, "reason"),
    EventKind.FLAG_SUPERSEDED: _POLE,
}
_SWINGS = (EventKind.SWING_HIGH, EventKind.SWING_LOW)
_BIRTHS = (*_SWINGS, EventKind.BOS, EventKind.CHOCH, EventKind.OB_FORMED, EventKind.FLAG_POLE)
_TEXTS: dict[str, dict[int, str]] = {
    "label": {label: "" if label is Label.NONE else label.name for label in Label},
    "reason": {reason: reason.name.lower() for reason in Reason},
    "shape": {shape: shape.name.lower() for shape in Shape},
    "break_kind": {kind: kind.name.lower() for kind in (EventKind.BOS, EventKind.CHOCH)},
}
_COLUMN = {name: n for n, name in enumerate(EVENT.names or ())}
_NAMES: dict[int, str] = {kind: kind.name.lower() for kind in EventKind}
_VALUE_COLUMNS: dict[int, tuple[tuple[str, int, Mapping[int, str] | None], ...]] = {
    kind: tuple((name, _COLUMN[name], _TEXTS.get(name)) for name in names) for kind, names in _VALUES.items()
}
_COMMON = itemgetter(*(_COLUMN[name] for name in ("kind", "interval", "direction", "time", "confirmed_at")))
_REF = itemgetter(*(_COLUMN[name] for name in ("ref_kind", "ref_direction", "ref_time", "ref_confirmed_at")))
_TREND = _COLUMN["trend"]


def events_of(records: Records, exchange: str, symbol: str) -> list[Event]:
    """Return the events that ``records`` (EVENT[n]) stand for, in the same order.

    Every event but a swing has ``trend``, the higher interval's last break (1, -1, 0 before the first or without one);
    swings must be the same where only swings are folded and no trend is known. ``atr`` and ``displacement`` are left
    out as long as the average true range is unknown. A swing's ``label`` is empty for the first of its kind.
    """
    return [_event(row, exchange, symbol) for row in records.tolist()]


def _event(row: tuple[Any, ...], exchange: str, symbol: str) -> Event:
    kind, length, direction, time, confirmed_at = _COMMON(row)
    interval = interval_name(length)
    ref = None
    ref_kind, *birth = _REF(row)
    if ref_kind:
        ref = event_id(exchange, symbol, interval, _NAMES[ref_kind], *birth)
    name = _NAMES[kind]
    if kind in _BIRTHS or ref is None:
        own = event_id(exchange, symbol, interval, name, direction, time, confirmed_at)
    else:
        own = life_event_id(ref, name, direction, time, confirmed_at)
    is_swing = kind in _SWINGS
    return Event(
        id=own,
        kind=name,
        exchange=exchange,
        symbol=symbol,
        interval=interval,
        direction=direction,
        time=time,
        confirmed_at=confirmed_at,
        ref=None if is_swing else ref,
        replaces=ref if is_swing else None,
        values=_values(kind, row, time),
    )


def _values(kind: int, row: tuple[Any, ...], time: int) -> dict[str, float | int | str]:
    values: dict[str, float | int | str] = {}
    for name, column, texts in _VALUE_COLUMNS[kind]:
        values[name] = row[column] if texts is None else texts[row[column]]
    if values.get("atr") == 0.0:
        del values["atr"]
        values.pop("displacement", None)
    if kind >= EventKind.FLAG_POLE:
        values["tip_time"] = time
    if kind not in _SWINGS:
        values["trend"] = row[_TREND]
    return values

"""What a line was begun with, kept in its store: a start with anything else is refused, never blended into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from trading_system.rules.grid import Instrument
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.roster import FED, Roster, State, new_roster
from trading_system.rules.symbols import selection_of
from trading_system.services.roster_log import RosterLog
from trading_system.settings import Settings
from trading_system.store.port import Store

LINE = "line"
SELECTION = "selection"


class OtherLineError(ValueError):
    """A store that holds another line than the one to be started."""


async def hold_to_terms(store: Store, settings: Settings, instruments: Sequence[Instrument], origin: int) -> None:
    """Write down what a new line begins with, or hold a start against what is written.

    origin: ms UTC. Raises: OtherLineError naming the first thing that is not as it was when the line began.
    """
    exchange = instruments[0].exchange
    now = msgspec.json.decode(msgspec.json.encode(_terms(settings, instruments, origin)))
    kept = await store.document(LINE, exchange)
    if kept is None:
        await store.put_document(LINE, exchange, 0, msgspec.json.encode(now))
        return
    began = msgspec.json.decode(kept[1])
    for key in [*began, *(key for key in now if key not in began)]:
        if key != SELECTION and now.get(key) != began.get(key):
            raise OtherLineError(
                f"expected {key} {began.get(key)!r}, with which this line began, was {now.get(key)!r}; other terms are "
                "another line: give another --out, or the terms of the first start"
            )


async def begun(store: Store) -> tuple[int, tuple[Instrument, ...]] | None:
    """Return the origin (ms UTC) and the instruments with which the store's line began, None for a new store."""
    lines = await store.documents(LINE)
    if not lines:
        return None
    terms = msgspec.json.decode(lines[0].payload)
    return terms["origin"], tuple(msgspec.convert(terms[f"instrument {name}"], Instrument) for name in terms["symbols"])


async def roster_of(store: Store) -> Roster | None:
    """Return the symbols of the store's line as they stand, None for a new store. Raises: StoreError."""
    kept = await begun(store)
    if kept is None:
        return None
    origin, instruments = kept
    names, top = selection_of(await _selected(store))
    begun_roster = new_roster(origin // MINUTE_MS, instruments, names if top else None)
    return await RosterLog(store, instruments[0].exchange).read(begun_roster)


async def hold_to_symbols(store: Store, symbols: Sequence[str]) -> None:
    """Hold the symbols of a start, as they are written, against the store's line; a new store takes any.

    They may be those with which the line began, or those that it trades now.
    Raises: OtherLineError; StoreError.
    """
    kept, roster = await begun(store), await roster_of(store)
    if kept is None or roster is None:
        return
    began = [one.symbol for one in kept[1]]
    now = sorted(one.symbol for one in roster.of_state(*FED, State.ASKED))
    selected = sorted(await _selected(store))
    if sorted(symbols) not in (began, now, selected):
        raise OtherLineError(
            f"expected the symbols of its line, {' '.join(now)}, was {' '.join(sorted(symbols))}; change them with "
            "`trading-system symbols` while it runs, give those, or begin another line"
        )


async def _selected(store: Store) -> list[str]:
    """Return the symbols of the line as they were written when it began; lines of earlier versions say nothing."""
    terms = msgspec.json.decode((await store.documents(LINE))[0].payload)
    return list(terms.get(SELECTION, ()))


def _terms(settings: Settings, instruments: Sequence[Instrument], origin: int) -> dict[str, Any]:
    """Return all that decides what a line does, flat, by the names of its settings."""
    terms: dict[str, Any] = {
        "origin": origin,
        "symbols": [one.symbol for one in instruments],
        SELECTION: list(settings.symbols),
        "signal_interval": settings.signal_interval,
        "higher_interval": settings.higher_interval,
        **settings.detection,
    }
    for group in ("account", "venue", "plans"):
        terms |= {f"{group}.{name}": value for name, value in getattr(settings, group).model_dump().items()}
    return terms | {f"instrument {one.symbol}": one for one in instruments}

"""Detection of one symbol, one minute at a time: the compiled fold with its state and its room for events."""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.rules.detection import advance, events_of, new_out, new_state, parameters
from trading_system.rules.events import Event
from trading_system.rules.grid import Instrument
from trading_system.rules.records import Records


class FoldTerms:
    """What the folds of a line have in common: the intervals and the rules' parameters."""

    def __init__(self, signal: str, higher: str | None, overrides: Mapping[str, float | int | str]) -> None:
        self.signal = signal
        self.higher = higher
        self.overrides = overrides


class SymbolFold:
    """The fold of one symbol. ``swings_only`` runs the same fold without blocks, breaks and flags."""

    def __init__(self, instrument: Instrument, terms: FoldTerms, *, swings_only: bool) -> None:
        overrides = dict(terms.overrides)
        if swings_only:
            overrides["stage"] = "swings"
        self._params = parameters("1m", terms.signal, terms.higher, instrument.step, **overrides)
        self._state = new_state(self._params)
        self._out = new_out(self._params)
        self._instrument = instrument

    def step(self, minute: Records) -> list[Event]:
        """Fold one minute (CANDLE[1]) and return what it made knowable, in order."""
        _, produced = advance(self._state, self._params, minute, self._out)
        if not produced:
            return []
        return events_of(self._out[:produced], self._instrument.exchange, self._instrument.symbol)

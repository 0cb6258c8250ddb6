"""Candles in, highs and lows out: the swings of every interval of the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading_system.contracts import StepDTO, candle_close_channel, hl_updated_channel, last_hl_key, serialize
from trading_system.rules.grid import Instrument
from trading_system.rules.intervals import interval_ms, past_boundary
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.words import high_low_dto
from trading_system.services.room import CANDLES, HIGHS_LOWS, Letterbox, Post, Room, StepInput, Wave
from trading_system.services.step_bell import step_bell
from trading_system.services.symbol_fold import FoldTerms, SymbolFold


class IndicatorEngine(Room):
    """Finds highs and lows and says them with the candles of their step."""

    name = "indicator_engine"
    source = CANDLES
    target = HIGHS_LOWS

    def __init__(
        self, letterbox: Letterbox, instruments: Sequence[Instrument], terms: FoldTerms, origins: Mapping[str, int]
    ) -> None:
        super().__init__(letterbox, instruments[0].exchange, origins)
        self._terms = terms
        self._folds = {one.symbol: SymbolFold(one, terms, swings_only=True) for one in instruments}
        names = [name for name in (terms.signal, terms.higher) if name]
        self._newest: dict[str, bytes] = {}
        self._lengths = [length for length in map(interval_ms, names) if length > MINUTE_MS]

    def prepare(self, instrument: Instrument, origin: int) -> None:
        """Begin the fold of one more symbol."""
        del origin
        self._folds[instrument.symbol] = SymbolFold(instrument, self._terms, swings_only=True)

    def forget(self, symbol: str) -> None:
        """Let go of a symbol's fold."""
        self._folds.pop(symbol, None)
        self._newest.pop(symbol, None)

    def channel(self, symbol: str) -> str:
        """Listen to closed candles."""
        return candle_close_channel(symbol)

    def is_whole(self, said: StepInput) -> bool:
        """Tell whether each longer candle that can close in this step rang before its minute."""
        due = [length for length in self._lengths if past_boundary(said.step * MINUTE_MS, length) == 0]
        return len(said.candles) == len(due) + 1

    def rebuild(self, symbol: str, said: StepInput) -> None:
        """Fold a minute of an earlier life."""
        swings = self._folds[symbol].step(said.record())
        if swings:
            self._newest[symbol] = serialize(high_low_dto(swings[-1]))

    def newest(self, symbol: str) -> Sequence[tuple[str, bytes]]:
        """Return the newest swing."""
        return ((last_hl_key(symbol), self._newest[symbol]),) if symbol in self._newest else ()

    async def handle(self, wave: Wave) -> None:
        """Fold the minutes and say their swings."""
        await self._letterbox.post_many([self._post_of(symbol, said) for symbol, said in wave])

    def _post_of(self, symbol: str, said: StepInput) -> Post:
        swings = [high_low_dto(event) for event in self._folds[symbol].step(said.record())]
        word: StepDTO = {
            "exchange": self._exchange,
            "symbol": symbol,
            "step": said.step,
            "candles": list(said.candles),
            "swings": swings,
        }
        if said.minute is None:
            word["gap"] = True
        payload = serialize(word)
        if swings:
            self._newest[symbol] = serialize(swings[-1])
        bell = (hl_updated_channel(symbol), step_bell(payload, word))
        stream = self.stream(self.target, symbol)
        rows = [payload] if swings else []  # an empty minute costs no row
        return Post(stream, said.step, rows, self.after(symbol, said.step), [bell])

"""Candles and swings in; order blocks, flags and signals out, and every refused candidate with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from trading_system.contracts import (
    StepDTO,
    hl_updated_channel,
    nearest_order_block_key,
    serialize,
    strategy_step_channel,
    trade_signal_channel,
)
from trading_system.rules.events import Event
from trading_system.rules.grid import Instrument
from trading_system.rules.live_blocks import LiveBlock, LiveBlocks
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.signals import SignalRules, judge
from trading_system.rules.words import event_dto, refusal_dto, signal_dto
from trading_system.services.room import HIGHS_LOWS, STRATEGY, Letterbox, Post, Room, StepInput, Wave
from trading_system.services.step_bell import step_bell
from trading_system.services.symbol_fold import FoldTerms, SymbolFold

SIDES: tuple[tuple[Literal["long", "short"], int], ...] = (("long", 1), ("short", -1))
SWINGS = frozenset({"swing_high", "swing_low"})


class DivergenceError(RuntimeError):
    """The swings that the indicator engine said are not those that the same candles give here."""

    def __init__(self, symbol: str, step: int, expected: list[str], was: list[str]) -> None:
        super().__init__(
            f"{symbol} step {step}: expected the swings {expected}, was {was}; the two engines run other rules or "
            "other parameters, start the line again with one version"
        )


class StrategyEngine(Room):
    """Finds what can be traded and says it."""

    name = "strategy_engine"
    source = HIGHS_LOWS
    target = STRATEGY

    def __init__(
        self,
        letterbox: Letterbox,
        instruments: Sequence[Instrument],
        terms: FoldTerms,
        rules: Mapping[str, SignalRules],
        origins: Mapping[str, int],
    ) -> None:
        super().__init__(letterbox, instruments[0].exchange, origins)
        self._instruments = {one.symbol: one for one in instruments}
        self._folds = {one.symbol: SymbolFold(one, terms, swings_only=False) for one in instruments}
        self._terms = terms
        self._rules = dict(rules)
        self._rules_of_any = next(iter(rules.values()))  # they differ by the origin alone
        self._blocks = {one.symbol: LiveBlocks() for one in instruments}
        self._closes: dict[str, float] = {}
        self._written: dict[tuple[str, str], tuple[LiveBlock, bytes]] = {}

    def prepare(self, instrument: Instrument, origin: int) -> None:
        """Begin the fold of one more symbol, whose warm-up is counted from its own origin."""
        symbol = instrument.symbol
        self._instruments[symbol] = instrument
        self._folds[symbol] = SymbolFold(instrument, self._terms, swings_only=False)
        self._rules[symbol] = self._rules_of_any._replace(origin=origin * MINUTE_MS)
        self._blocks[symbol] = LiveBlocks()

    def forget(self, symbol: str) -> None:
        """Let go of a symbol's fold."""
        for known in (self._instruments, self._folds, self._rules, self._blocks, self._closes):
            known.pop(symbol, None)
        for name, _ in SIDES:
            self._written.pop((symbol, name), None)

    def channel(self, symbol: str) -> str:
        """Listen to highs and lows."""
        return hl_updated_channel(symbol)

    def rebuild(self, symbol: str, said: StepInput) -> None:
        """Fold a minute of an earlier life."""
        self._remember(symbol, said, self._folds[symbol].step(said.record()))

    def newest(self, symbol: str) -> Sequence[tuple[str, bytes]]:
        """Return the live block nearest to price on each side; where none lives, its key goes."""
        if symbol not in self._closes:
            return ()
        return [(nearest_order_block_key(symbol, name), self._nearest(symbol, name, side)) for name, side in SIDES]

    async def handle(self, wave: Wave) -> None:
        """Fold the minutes, judge what they made knowable, and say it."""
        await self._letterbox.post_many([self._post_of(symbol, said) for symbol, said in wave])

    def _post_of(self, symbol: str, said: StepInput) -> Post:
        events = self._folds[symbol].step(said.record())
        self._check_swings(symbol, said, events)
        self._remember(symbol, said, events)
        judged = judge(events, self._instruments[symbol], self._rules[symbol])
        signals = [signal_dto(plan) for plan in judged.plans]
        word: StepDTO = {"exchange": self._exchange, "symbol": symbol, "step": said.step, "candles": list(said.candles)}
        swings = None if said.said is None else said.said.get("swings")
        if swings:  # none are left out, as they are where an empty step was read from the store
            word["swings"] = swings
        found = [event_dto(event) for event in events if event.kind not in SWINGS]
        if found:
            word["events"] = found
            word["signals"] = signals
            word["refused"] = [refusal_dto(refusal) for refusal in judged.refusals]
        if said.minute is None:
            word["gap"] = True
        payload = serialize(word)
        bells: list[tuple[str, bytes]] = [(strategy_step_channel(symbol), step_bell(payload, word))]
        bells.extend((trade_signal_channel(symbol), serialize(signal)) for signal in signals)
        stream = self.stream(self.target, symbol)
        rows = [payload] if found else []  # an empty minute costs no row
        return Post(stream, said.step, rows, self.after(symbol, said.step), bells)

    def _remember(self, symbol: str, said: StepInput, events: Sequence[Event]) -> None:
        """Keep in mind what the cache shows: the live blocks and the last close."""
        self._blocks[symbol].see(events)
        if said.minute is not None:
            self._closes[symbol] = said.minute["close"]

    def _nearest(self, symbol: str, name: str, side: int) -> bytes:
        """Return the nearest block as it is written, made anew only when it is another one or has been touched."""
        nearest = self._blocks[symbol].nearest(side, self._closes[symbol])
        if nearest is None:
            return b""
        known = self._written.get((symbol, name))
        if known is None or known[0] is not nearest:
            self._written[symbol, name] = known = (nearest, serialize(nearest.word()))
        return known[1]

    def _check_swings(self, symbol: str, said: StepInput, events: Sequence[Event]) -> None:
        told = [] if said.said is None else [swing["id"] for swing in said.said.get("swings", ())]
        own = [event.id for event in events if event.kind in SWINGS]
        if told != own:
            raise DivergenceError(symbol, said.step, own, told)

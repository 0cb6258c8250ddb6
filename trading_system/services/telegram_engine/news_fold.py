"""Which news a step brings: the strategy's signals and the account's facts in, news out, each once and in order.

Pure but for its own state: the same steps give the same news, whether they are folded live or after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trading_system.contracts import FillDTO, OrderDTO, StepDTO, TradeSignalDTO, from_ms, to_ms
from trading_system.rules.facts import (
    Closed,
    Declined,
    EquityPoint,
    Fact,
    Fill,
    Funded,
    Halted,
    Offered,
    Paused,
    Placed,
    Resumed,
    Withdrawn,
)
from trading_system.rules.matching import Order, OrderType, Role
from trading_system.rules.risk import Rejection
from trading_system.rules.words import rejection_dto
from trading_system.services.telegram_engine.day_book import DayBook
from trading_system.services.telegram_engine.news import (
    DayEnded,
    EntriesHalted,
    EntriesResumed,
    EntryFilled,
    EntryRefused,
    EntryWithdrawn,
    Left,
    News,
    OfferEnded,
    Ordered,
    Signalled,
    TargetHit,
    TradeEnded,
    TradeFill,
)

NAMED = slice(2, 18)  # where an order's name holds the id of its plan
STALE = "signal_stale"
"""The refusal of a signal that was found long after its candle: of a history, or of an outage. It is no news."""
KEPT_MS = 86_400_000
"""How long after its end a signal is remembered of which the account never said a word."""


@dataclass(slots=True)
class _Case:
    """A signal and how far its trade has come."""

    signal: TradeSignalDTO
    stop: float
    told: bool = False
    offered: bool = False  # and neither taken nor declined yet
    quantity: float = 0.0
    held: float = 0.0
    entry_price: float = 0.0
    opened_at: int = 0
    fills: list[TradeFill] = field(default_factory=list)


class NewsFold:
    """Makes the news of one account. ``told_from``: the instant (ms UTC) before which no day is summed up."""

    def __init__(self, day: DayBook, told_from: int) -> None:
        self._cases: dict[str, _Case] = {}
        self._day = day
        self._told_from = told_from

    def step(self, time: int, words: Iterable[StepDTO], facts: Sequence[Fact]) -> list[News]:
        """Return the news of the step that closes at ``time`` (ms UTC): what each symbol's strategy said, then facts.

        A step in which nothing was said may be left out, but for the one in which a day is to end.
        """
        news: list[News] = self._ended_days(time)
        for word in words:
            for signal in word.get("signals", ()):
                self._cases[signal["id"]] = _Case(signal, signal["stop_loss"])
                self._day.signalled()
        for fact in facts:
            news.extend(self._of(fact, time))
        return news

    def _ended_days(self, time: int) -> list[News]:
        """End every day that was over before the minute that closes at ``time`` began."""
        today = self._day.day_of(time - 1)
        if today <= self._day.day:
            return []
        self._forget(time)
        ended: list[News] = []
        while self._day.day < today:
            following = self._day.day.fromordinal(self._day.day.toordinal() + 1)
            summary = self._day.turn(following)
            if time > self._told_from:
                ended.append(DayEnded(time, summary))
        return ended

    def _forget(self, time: int) -> None:
        """Let go of signals that ended long ago without a word."""
        for id_, case in list(self._cases.items()):
            if not case.told and to_ms(case.signal["expires_at"]) + KEPT_MS < time:
                del self._cases[id_]

    def _of(self, fact: Fact, time: int) -> list[News]:
        news: list[News] = []
        if isinstance(fact, Placed):
            news = self._placed(fact)
        elif isinstance(fact, Fill):
            news = self._filled(fact)
        elif isinstance(fact, Closed):
            news = self._closed(fact)
        elif isinstance(fact, Rejection):
            news = self._rejected(fact, time)
        elif isinstance(fact, Withdrawn):
            case = self._cases.pop(fact.plan, None)
            news = [] if case is None else [EntryWithdrawn(fact.time, case.signal, fact.rule)]
        elif isinstance(fact, Offered):
            news = self._offered(fact)
        elif isinstance(fact, Declined):
            case = self._cases.pop(fact.plan, None)
            news = [] if case is None else [OfferEnded(fact.time, case.signal, fact.rule)]
        elif isinstance(fact, Halted):
            news = [EntriesHalted(fact.time, fact.rule)]
        elif isinstance(fact, Paused):
            news = [EntriesHalted(fact.time, "paused")]
        elif isinstance(fact, Resumed):
            news = [EntriesResumed(fact.time)]
        elif isinstance(fact, EquityPoint):
            self._day.marked(fact.equity)
        elif isinstance(fact, Funded):
            self._day.paid(fact.paid)
        return news

    def _placed(self, fact: Placed) -> list[News]:
        case = self._cases.get(fact.order.id[NAMED])
        if case is None or fact.order.role != Role.ENTRY:
            return []
        news: list[News] = []
        if not case.told or case.offered:
            self._day.took()
        if not case.told:
            case.told = True
            news.append(Signalled(fact.time, case.signal, fact.order.quantity))
        elif case.offered:
            case.offered = False
            news.append(OfferEnded(fact.time, case.signal, "taken"))
        return [*news, Ordered(fact.time, case.signal, _order(fact.order, case.signal))]

    def _offered(self, fact: Offered) -> list[News]:
        case = self._cases.get(fact.plan.id)
        if case is None or case.told:
            return []
        case.told = case.offered = True
        return [Signalled(fact.time, case.signal, offered=True)]

    def _rejected(self, fact: Rejection, time: int) -> list[News]:
        case = self._cases.pop(fact.plan.id, None)
        if case is None:
            return []
        self._day.refused(fact.rule)
        if fact.rule == STALE:
            return []
        refused = rejection_dto(fact)
        if case.told:
            return [EntryRefused(time, case.signal, refused)]
        return [Signalled(time, case.signal, None, refused)]

    def _filled(self, fact: Fill) -> list[News]:
        case = self._cases.get(fact.id[NAMED])
        if case is None:
            return []
        case.fills.append(TradeFill(fact.time, fact.name, fact.price))
        if fact.role == Role.ENTRY:
            case.quantity = case.held = fact.quantity
            case.entry_price, case.opened_at = fact.price, fact.time
            return [EntryFilled(fact.time, case.signal, _fill(fact, case, None))]
        case.held -= fact.quantity
        gained = _side(case.signal) * (fact.price - case.entry_price) * fact.quantity - fact.fee
        fill = _fill(fact, case, gained)
        if fact.role != Role.TARGET:
            held = fact.time - case.opened_at
            return [Left(fact.time, case.signal, fill, held, fact.role == Role.STOP)]
        rest = case.held / case.quantity
        return [TargetHit(fact.time, case.signal, fill, int(fact.name), max(rest, 0.0), self._to_break_even(case))]

    def _to_break_even(self, case: _Case) -> bool:
        """Move the case's stop as ``rules.trade`` does after a target; tell whether it moved."""
        better = max if _side(case.signal) > 0 else min
        before, case.stop = case.stop, better(case.stop, case.entry_price)
        return case.stop != before

    def _closed(self, fact: Closed) -> list[News]:
        self._day.closed(fact.symbol, fact.r, fact.earned)
        case = self._cases.pop(fact.trade.plan.id, None)
        if case is None:
            return []
        entry = fact.trade.entry_price
        fills = tuple(case.fills)
        return [TradeEnded(fact.time, case.signal, case.quantity, entry, fact.earned, fact.r, fills)]


def _side(signal: TradeSignalDTO) -> int:
    return 1 if signal["side"] == "long" else -1


def _order(order: Order, signal: TradeSignalDTO) -> OrderDTO:
    word: OrderDTO = {
        "client_id": order.id,
        "exchange": signal["exchange"],
        "symbol": signal["symbol"],
        "side": "buy" if order.side > 0 else "sell",
        "type": order.type.name.lower(),
        "quantity": order.quantity,
        "reduce_only": order.reduce_only,
        "status": "new",
        "filled": 0.0,
        "signal_id": signal["id"],
        "role": order.id[-1],
    }
    if order.type == OrderType.LIMIT:
        word["price"] = order.price
    return word


def _fill(fact: Fill, case: _Case, realized: float | None) -> FillDTO:
    closes = fact.role != Role.ENTRY
    word: FillDTO = {
        "trade_id": fact.id,
        "client_id": fact.id,
        "exchange": case.signal["exchange"],
        "symbol": fact.symbol,
        "side": "buy" if (_side(case.signal) > 0) is not closes else "sell",
        "price": fact.price,
        "quantity": fact.quantity,
        "fee": fact.fee,
        "time": from_ms(fact.time),
        "role": fact.name,
        "signal_id": case.signal["id"],
    }
    if realized is not None:
        word["realized"] = realized
    return word

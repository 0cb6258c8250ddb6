"""The rules that mend what a venue's market does wrong, and how a test takes each of them away from a line that runs.

What is put in the place of a rule is what a careless line would do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from unittest.mock import patch

from trading_system.app import Pace
from trading_system.rules import sequencer
from trading_system.rules.account import SymbolStep
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.sequencer import ClosedCandle, Read, Sequenced, Settled
from trading_system.services.data_feed import history, service
from trading_system.services.data_feed.history import History
from trading_system.services.data_feed.questions import Questions
from trading_system.services.data_feed.service import DataFeed
from trading_system.services.execution_engine import doubts
from trading_system.services.execution_engine.ages import Ages
from trading_system.services.execution_engine.joining import Membership
from trading_system.venues import public_rest
from trading_system.venues.binance_usdm.account import BinanceUsdm
from trading_system.venues.bybit_linear.rest import Rest as BybitRest
from trading_system.venues.rest_budget import RestBudget


class Rule(NamedTuple):
    """A repair rule: its name, and how a test takes it away while a line runs.

    pace: how a rule that is a matter of patience is taken away, from the start on.
    """

    name: str
    off: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    pace: Callable[[Pace], Pace] = lambda pace: pace


def _nothing(*_: object) -> None:
    """Do nothing."""


async def _never(*_: object) -> bool:
    """Take every symbol for one that is traded."""
    return False


def _whatever_its_age(_: Ages, symbols: Mapping[int, SymbolStep], time: int) -> Mapping[int, SymbolStep]:
    """Take no signal for too old."""
    del time
    return symbols


def _alike(*_: object) -> bool:
    """Take every record for the one that is known."""
    return False


def _as_it_comes(sequence: sequencer.Sequence, candles: Sequence[ClosedCandle]) -> Sequenced:
    """Publish every closed candle as it arrives."""
    came = tuple(candles)
    last = came[-1] if came else sequence.last
    return Sequenced(sequencer.Sequence(last), came, (), None, len(came))


def _newest_wins(sequence: sequencer.Sequence, candles: Sequence[ClosedCandle]) -> Sequenced:
    """Take the newest row of a minute that waits for a hole to be filled."""
    again = {candle.open_time for candle in candles}
    early = tuple(candle for candle in sequence.early if candle.open_time not in again)
    return sequencer.accept(sequence._replace(early=early), candles)


def _nothing_without_a_trade(sequence: sequencer.Sequence, candles: Sequence[ClosedCandle]) -> Sequenced:
    """Take a minute in which nobody traded for one that the exchange does not have."""
    return sequencer.accept(sequence, [one if one.volume else sequencer.gap_at(one.open_time) for one in candles])


def _first_answer_is_the_truth(start: int, read: Read, earlier: Read | None) -> Settled:
    """Take each row of one answer for closed, the newest as well, and each that it lacks for a gap."""
    del earlier
    rows = {row.open_time: row for row in read.page.rows}
    end = read.page.rows[-1].open_time + MINUTE_MS if read.page.rows else start
    return Settled(tuple(rows.get(at, sequencer.gap_at(at)) for at in range(start, end, MINUTE_MS)))


@contextlib.contextmanager
def _asked_once() -> Iterator[None]:
    """Put no question a second time, whatever came of the first one."""

    async def no_poll(_: DataFeed) -> None:
        """Ask for nothing that is overdue."""

    with patch.object(DataFeed, "poll", no_poll), patch.object(public_rest, "ATTEMPTS", 1):
        yield


@contextlib.contextmanager
def _no_new_clock() -> Iterator[None]:
    """Measure the venue's clock once and never again."""

    def once(measure: Callable[[Any], Any]) -> Callable[[Any], Any]:
        async def offset(self: Any) -> int:
            return int(await measure(self)) if self._offset is None else int(self._offset)

        return offset

    with (
        patch.object(BinanceUsdm, "server_time_offset", once(BinanceUsdm.server_time_offset)),
        patch.object(BybitRest, "measure_clock", once(BybitRest.measure_clock)),
    ):
        yield


REPAIR = Rule("what the socket lost is asked for by REST", lambda: patch.object(Questions, "want", _nothing))
AGAIN = Rule("a question without an answer is put again", _asked_once)
PONGS = Rule("a line that answers no PING is given up", pace=lambda pace: pace._replace(pong_timeout_ms=0))
DATA = Rule("a line that brings no data is given up", pace=lambda pace: pace._replace(silence_ms=0))
ORDER = Rule("each minute once and in order", lambda: patch.object(service, "accept", _as_it_comes))
TRUTH = Rule("the first row of a minute is its truth", lambda: patch.object(service, "accept", _newest_wins))
CALM = Rule("a minute without a trade is a minute", lambda: patch.object(service, "accept", _nothing_without_a_trade))
PROOF = Rule(
    "a row is closed, or a gap, by proof alone", lambda: patch.object(history, "settle", _first_answer_is_the_truth)
)
BANS = Rule("a ban is waited out", lambda: patch.object(RestBudget, "banned_ms", 0))
CLOCK = Rule("a refused time is measured anew", _no_new_clock)
STANDING = Rule("who is silent is looked up in the venue's list", lambda: patch.object(History, "_is_halted", _never))
ENDING = Rule("who stays silent is let go", lambda: patch.object(Membership, "heed", _nothing))
AGES = Rule("a signal that comes too late is not traded", lambda: patch.object(Ages, "dated", _whatever_its_age))
GRIDS = Rule("a refused order's grid is read again", lambda: patch.object(doubts, "has_other_grid", _alike))

"""Trades that the journal has and the books have not: heard while the past was done again, or missed by the stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from trading_system.rules.matching import MINUTE_MS
from trading_system.services.execution_engine.journal import Journal, JournalFill
from trading_system.services.execution_engine.journal_records import NONE_BOOKED, Booked
from trading_system.venues.port import Venue, VenueFill

SHOWN_LATE_S = 600.0  # no venue shows a trade so long after it happened


class HeldFills:
    """In the order in which they happened. ``newest``: the number of the last trade answered to, 0 before the first."""

    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        symbols: Sequence[str],
        trading: Callable[[], Collection[str]],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep where trades come from. ``trading``: tells in which symbols the account has a trade now."""
        self._venue = venue
        self._journal = journal
        self._symbols = symbols
        self._trading = trading
        self._monotonic_s = monotonic_s
        self._read_once: set[str] = set()  # in this life
        self._open: set[str] = set()  # at the last whole reading
        self._meant = 0  # the number of the newest order then
        self._moved: dict[str, float] = {}  # when a symbol was last found to have had something at the venue
        self._held: list[JournalFill] = []
        self._booked: dict[str, Booked] = {}
        self.newest = 0

    def follow(self, symbols: Sequence[str]) -> None:
        """Ask from now on for the trades of ``symbols``."""
        self._symbols = symbols

    def __len__(self) -> int:
        """Return how many wait for the books."""
        return len(self._held)

    @property
    def last_time(self) -> int:
        """When the last of them happened (ms UTC), -1 without any."""
        return self._held[-1].time if self._held else -1

    async def begin(self) -> None:
        """Know that what the account traded before is none of ours. Raises: VenueError."""
        for symbol in self._symbols:
            self._journal.begin_trades_at(symbol, await self._venue.newest_trade(symbol))

    def recall(self, booked: dict[str, Booked] | int) -> dict[str, Booked]:
        """Hold what is not booked yet, and return up to where each symbol's trades are booked.

        booked: that, or the journal's own number of the last booked fill. A journal that lost what it was told
        last hears it again from the venue, in another order: it is by the venue's word that a trade is known.
        """
        fills = self._journal.fills_since(0)
        if isinstance(booked, int):
            last, booked = booked, {}
            for fill in (fill for fill in fills if fill.seq <= last):
                booked[fill.symbol] = booked.get(fill.symbol, NONE_BOOKED).and_also(fill)
        self._booked = booked
        self._held = [fill for fill in fills if not self._is_booked(fill)]
        self.newest = max((fill.number for fill in fills), default=0)
        return dict(booked)

    async def read(self) -> None:
        """Ask the venue for trades that the user stream may have missed, and hold them. Raises: VenueError."""
        now, open_now, (meant, ordered) = self._monotonic_s(), self._open_now(), self._journal.meant_since(self._meant)
        self._open, self._meant = self._open | open_now | ordered, meant
        self._moved.update(dict.fromkeys(self._open, now))
        for symbol in self._unread(now):
            for fill in await self._venue.fills(symbol, self._journal.unread(symbol)):
                new = self.hear(fill)
                if new is not None and not self._is_booked(new):
                    self.hold(new)
                self.answered(fill)
            self._read_once.add(symbol)
        self._open = open_now
        # Numbers ascend within a symbol; those of two symbols say nothing of each other beyond the minute.
        self._held.sort(key=lambda fill: (fill.time // MINUTE_MS, fill.number))

    def _open_now(self) -> set[str]:
        return self._journal.live_symbols().union(self._trading())

    def _unread(self, now: float) -> list[str]:
        """Return the symbols of which the stream may have missed a trade.

        The first reading of a life asks for all of them: the journal may have lost orders that an earlier life sent.
        From then on every order is in it before it is sent, so a symbol that had neither an order nor a position at
        the last reading, and was sent none since, can have had no trade of ours: not even the venue's own, for a
        liquidation or a settlement needs a position. What ended lately is asked for still, as a trade may be shown
        late. A trade by another hand in one that is skipped waits for the next reading of it.
        """
        return [
            symbol
            for symbol in self._symbols
            if symbol not in self._read_once or now - self._moved.get(symbol, float("-inf")) < SHOWN_LATE_S
        ]

    def hear(self, fill: VenueFill) -> JournalFill | None:
        """Write a trade into the journal; None when it was there already."""
        return self._journal.as_fill(fill) if self._journal.fill(fill) else None

    def answered(self, fill: VenueFill) -> None:
        """Know that all that follows from a trade is done: who waits for ``newest`` may go on."""
        self.newest = max(self.newest, fill.number)

    def hold(self, fill: JournalFill) -> None:
        """Let a trade wait."""
        self._held.append(fill)

    def take_before(self, time: int) -> Iterator[JournalFill]:
        """Hand out those that happened before ``time`` (ms UTC)."""
        while self._held and self._held[0].time < time:
            yield self._held.pop(0)

    def take(self) -> list[JournalFill]:
        """Hand out all of them."""
        held, self._held = self._held, []
        return held

    def _is_booked(self, fill: JournalFill) -> bool:
        return self._booked.get(fill.symbol, NONE_BOOKED).has(fill)

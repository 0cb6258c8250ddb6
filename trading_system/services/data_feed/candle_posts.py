"""One symbol's minutes as the line says them: the minute with the longer candles that it completes, and its place.

Where the stream was left in the store is where it goes on; the longer candles are built anew from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from trading_system.contracts import candle_close_channel, serialize, to_candle
from trading_system.rules.grid import Instrument
from trading_system.rules.intervals import LongerCandles, past_boundary
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.records import Records
from trading_system.rules.sequencer import ClosedCandle, gap_at
from trading_system.rules.words import candle_dto, candle_record, gap_record
from trading_system.services.room import CANDLES, Post
from trading_system.store.port import Store, Stream


class CandlePosts:
    """Makes the posts of one symbol. ``longer``: the intervals (ms) beside the minute.

    ``newest`` is the newest closed minute as it was said, empty before the first.
    """

    def __init__(self, instrument: Instrument, longer: Sequence[int]) -> None:
        self.newest = b""
        self._instrument = instrument
        self._stream = Stream(CANDLES, instrument.exchange, instrument.symbol)
        self._longer = LongerCandles(MINUTE_MS, longer, instrument.step)
        self._longest = max(longer, default=MINUTE_MS)
        self._begun = False

    async def resume(self, store: Store, origin: int) -> ClosedCandle:
        """Read where the stream ends and return its last minute; ``origin`` is the step before the first."""
        head = await store.head(self._stream)
        if head is None:
            return gap_at((origin - 1) * MINUTE_MS)
        self._begun = True
        into_bucket = int(past_boundary(head * MINUTE_MS, self._longest)) // MINUTE_MS
        first = max(head - into_bucket, origin)  # the bucket of the longest interval that is still open
        minutes: dict[int, Records] = {}
        for row in await store.read(self._stream, min(first, head - 1), head):
            candle = to_candle(row.payload)
            if candle.get("interval") == "1m":
                minutes[row.step] = candle_record(candle)
                self.newest = row.payload
        for step in range(first + 1, head + 1):
            self._longer.step(minutes.get(step, gap_record((step - 1) * MINUTE_MS)))
        if head not in minutes:
            return gap_at((head - 1) * MINUTE_MS)
        return ClosedCandle(*minutes[head][0].item()[:6])

    def post(self, closed: ClosedCandle) -> Post:
        """Return the step that ``closed``, the minute after the one before, brings: its candles, longest first."""
        exchange, symbol = self._instrument.exchange, self._instrument.symbol
        record = gap_record(closed.open_time)
        if not closed.gap:
            record[0] = (*closed[:6], 0)
        payloads = [
            serialize(candle_dto(candle[0], exchange, symbol, interval))
            for interval, candle in self._longer.step(record)
        ]
        step = closed.open_time // MINUTE_MS + 1
        if not closed.gap:
            payloads.append(serialize(candle_dto(record[0], exchange, symbol, MINUTE_MS)))
            self.newest = payloads[-1]
        after = step - 1 if self._begun else None
        self._begun = True
        channel = candle_close_channel(symbol)
        return Post(self._stream, step, payloads, after, [(channel, payload) for payload in payloads])

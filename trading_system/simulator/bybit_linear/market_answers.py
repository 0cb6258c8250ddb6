"""What everybody may ask of Bybit v5: time, instruments, candles, tickers, risk limits, fundings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trading_system.rules.grid import text_of
from trading_system.rules.matching import MINUTE_MS
from trading_system.simulator.books import Book
from trading_system.simulator.bybit_linear import frames, market_rows
from trading_system.simulator.bybit_linear.chosen_books import CATEGORIES, books_of
from trading_system.simulator.bybit_linear.frames import Json
from trading_system.simulator.bybit_linear.parameters import Params, limit, page, require_one_of, required, text, whole
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript

MOST_ROWS, MOST_FUNDINGS = 1000, 200


class MarketAnswers:
    """Answers from one exchange. ``category``: what it trades; the others exist and hold nothing."""

    def __init__(self, exchange: Exchange, category: str, faults: FaultScript, wall_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._category = category
        self._faults = faults
        self._wall_ms = wall_ms

    def by_path(self) -> Mapping[str, Callable[[Params], Json]]:
        """Return who answers each GET."""
        return {
            "/v5/market/time": self._time,
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/kline": self._klines,
            "/v5/market/tickers": self._tickers,
            "/v5/market/risk-limit": self._risk_limits,
            "/v5/market/funding/history": self._funding_history,
            "/v5/system/status": lambda _: {"list": []},
        }

    def _time(self, _: Params) -> Json:
        now = self._wall_ms()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def _instruments(self, params: Params) -> Json:
        """One page of instruments; those whose trading has ended are shown only to who asks for them."""
        step = self._exchange.step + 1
        wanted = text(params, "status") or "Trading"
        books = [book for book in self._books(params) if market_rows.status_of(book, step) == wanted]
        if text(params, "symbol"):
            books = self._books(params)
        found, after = page(params, books, limit(params, 500, MOST_ROWS))
        row = market_rows.spot_row if self._category == "spot" else market_rows.instrument_row
        return {
            "category": params["category"],
            "list": [row(book, market_rows.status_of(book, step)) for book in found],
            "nextPageCursor": after,
        }

    def _klines(self, params: Params) -> Json:
        """Rows of 1m, newest first; the newest is the running minute, unmarked and without a trade so far.

        With a start alone the oldest from there, else the newest up to the end.
        """
        if required(params, "category") != self._category:
            raise CodedRefusalError(10001, f"category: candles of {self._category} are the only ones here")
        symbol = self._exchange.book(required(params, "symbol")).instrument.symbol
        if required(params, "interval") != "1":
            raise CodedRefusalError(10001, "interval: 1 is the only one that is kept here")
        most = limit(params, 200, MOST_ROWS)
        start, end = whole(params, "start"), whole(params, "end")
        first = None if start is None else -(-start // MINUTE_MS) + 1
        last = None if end is None else end // MINUTE_MS + 1
        rows = self._exchange.minutes(symbol, first if last is None else None, last, most)
        if first is not None:
            rows = [row for row in rows if row.open_time >= (first - 1) * MINUTE_MS]
        rows = self._faults.on_candles(symbol, rows)
        shown = [frames.kline_row(row) for row in reversed(rows)]
        return {"category": self._category, "symbol": symbol, "list": shown}

    def _tickers(self, params: Params) -> Json:
        rows = [market_rows.ticker_row(book, self._exchange) for book in self._books(params)]
        return {"category": params["category"], "list": rows}

    def _risk_limits(self, params: Params) -> Json:
        rows = [market_rows.risk_row(book) for book in self._books(params)]
        return {"category": params["category"], "list": rows, "nextPageCursor": ""}

    def _funding_history(self, params: Params) -> Json:
        """Rates that were due, newest first."""
        require_one_of(params, "symbol")
        start, end = whole(params, "startTime"), whole(params, "endTime")
        rows = [
            {"symbol": book.instrument.symbol, "fundingRate": text_of(rate), "fundingRateTimestamp": str(time)}
            for book in self._books(params)
            for time, rate in reversed(self._exchange.fundings(book.instrument.symbol))
            if (start is None or time >= start) and (end is None or time <= end)
        ]
        return {"category": params["category"], "list": rows[: limit(params, MOST_FUNDINGS, MOST_FUNDINGS)]}

    def _books(self, params: Params) -> list[Book]:
        """Return the books of the symbol that is asked for, or all. Raises: CodedRefusalError, RefusedError."""
        category = required(params, "category")
        if category not in CATEGORIES:
            raise CodedRefusalError(10001, "category invalid")
        if category != self._category:
            return []
        return books_of(self._exchange, params)

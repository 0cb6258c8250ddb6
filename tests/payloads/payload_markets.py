"""What the public markets and the tables of outcomes understand of an answer, asked as the feed asks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from payload_checks import Checks, Reader, numbers
from payload_files import MINUTE_MS, Payload

from trading_system.rules.grid import Instrument
from trading_system.venues.answers import decoded
from trading_system.venues.binance.manners import BinanceManners
from trading_system.venues.binance_usdm import outcomes as usdm_outcomes
from trading_system.venues.binance_usdm import rows as usdm
from trading_system.venues.bybit.manners import BybitManners
from trading_system.venues.bybit_linear import outcomes as bybit_outcomes
from trading_system.venues.bybit_linear import rows as bybit
from trading_system.venues.known import MARKETS
from trading_system.venues.market_errors import MarketAwayError, NotTradedError
from trading_system.venues.market_port import AccountTerms
from trading_system.venues.outcomes import Meaning, meaning_of
from trading_system.venues.public_rest import Answered, Refusal
from trading_system.venues.rest_budget import RestBudget

TERMS = AccountTerms(0.0005, 0.0002, 0.004)


class Reply:
    """One answer over HTTP."""

    def __init__(self, body: bytes) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self._body = body

    async def read(self) -> bytes:
        return self._body


class StandingClock:
    """A clock on which waiting takes no time."""

    def wall_ms(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        """Nothing is waited for."""


class Canned:
    """A session that has one answer to everything. ``asked``: (method, path) of each question."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.asked: list[tuple[str, str]] = []

    def get(self, url: str, **_: Any) -> AbstractAsyncContextManager[Reply]:
        return self.request("GET", url)

    def request(self, method: str, url: Any, **_: Any) -> AbstractAsyncContextManager[Reply]:
        self.asked.append((method, urlsplit(str(url)).path))

        @asynccontextmanager
        async def answered() -> AsyncIterator[Reply]:
            yield Reply(self._body)

        return answered()


def market_of(payload: Payload, name: str, body: bytes | None = None) -> tuple[Any, Canned]:
    """Return a market behind which the payload is the answer to everything."""
    http, clock, known = Canned(payload.raw if body is None else body), StandingClock(), MARKETS[name]
    http_: Any = http
    return known.open(http_, "http://127.0.0.1:1", RestBudget(known.budget, clock), clock, TERMS), http


def _asked_for(payload: Payload, http: Canned) -> None:
    method, path, *_ = payload.kind.split(" ")
    assert set(http.asked) == {(method, path)}, http.asked


def minutes(name: str) -> Reader:
    """Candles, oldest first; rows of other intervals have the shape of those of a minute.

    An example whose times are no minutes is refused, and understood once they are.
    """

    async def read(payload: Payload, checks: Checks) -> None:
        said, body = payload.said, payload.raw
        rows = said if name.startswith("binance") else said["result"]["list"]
        if any(int(row[0]) % MINUTE_MS for row in rows):
            market, _ = market_of(payload, name)
            with pytest.raises(MarketAwayError, match="sane candle"):
                await market.minutes("BTCUSDT", int(rows[-1][0]), len(rows))
            for row in rows:
                time, row[0] = row[0], str(int(row[0]) // MINUTE_MS * MINUTE_MS)
                body = body.replace(time.encode(), row[0].encode())
        market, http = market_of(payload, name, body)
        oldest = sorted(rows, key=lambda row: int(row[0]))
        page = await market.minutes("BTCUSDT", int(oldest[0][0]) if rows else 0, len(rows) or 1)
        if not rows:
            checks.nothing(page.rows)
        for row, one in zip(page.rows, oldest, strict=True):
            checks.same(tuple(row)[:6], (int(one[0]), *numbers(*one[1:6])))
        _asked_for(payload, http)

    return read


def instruments(name: str) -> Reader:
    """Every symbol by its tick, step and least notional; one that does not trade, or lacks a filter, is refused."""

    async def read(payload: Payload, checks: Checks) -> None:
        said = payload.said["symbols"] if name.startswith("binance") else payload.said["result"]["list"]
        market, http = market_of(payload, name, _last_page(payload))
        listed = await market.trading()
        for one in said:
            trades = one["status"].upper() == "TRADING"
            checks.same(listed[one["symbol"]], trades)
            rules = rules_of(name, one)
            if not trades:
                with pytest.raises(NotTradedError):
                    await market.instruments([one["symbol"]])
            elif None in rules:
                with pytest.raises(MarketAwayError):
                    await market.instruments([one["symbol"]])
            else:
                (record,) = await market.instruments([one["symbol"]])
                checks.same(_rules(record), numbers(*rules))
        _asked_for(payload, http)

    return read


def _last_page(payload: Payload) -> bytes:
    """Return the answer without the cursor of a next page, which nobody has."""
    return re.sub(rb'"nextPageCursor": *"[^"]*"', b'"nextPageCursor":""', payload.raw)


def _rules(record: Instrument) -> tuple[float, ...]:
    return (record.tick.price(1), record.step.price(1), record.min_notional)


def rules_of(name: str, said: Any) -> tuple[Any, Any, Any]:
    """Return tick, step and least notional as a symbol's row says them, None for one that is not there."""
    if name.startswith("bybit"):
        lots = said["lotSizeFilter"]
        step, notional = ("qtyStep", "minNotionalValue") if name == "bybit_linear" else ("basePrecision", "minOrderAmt")
        return said["priceFilter"]["tickSize"], lots.get(step), lots.get(notional)
    filters = {one["filterType"]: one for one in said["filters"]}
    kind, field = ("MIN_NOTIONAL", "notional") if name == "binance_usdm" else ("NOTIONAL", "minNotional")
    tick, step = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    return tick.get("tickSize"), step.get("stepSize"), filters.get(kind, {}).get(field)


async def usdm_instruments(payload: Payload, checks: Checks) -> None:
    """The same, and once more as the account reads it."""
    await instruments("binance_usdm")(payload, checks)
    for row, one in zip(decoded(payload.raw, usdm.ExchangeInfo).symbols, payload.said["symbols"], strict=True):
        rules = rules_of("binance_usdm", one)
        if None not in rules:
            brackets = usdm.BracketsRow(row.symbol, [usdm.BracketRow(0.004)])
            record = usdm.instrument_of("binance_usdm", row, usdm.CommissionRow(0.0002, 0.0005), brackets)
            checks.same(_rules(record), numbers(*rules))


async def linear_instruments(payload: Payload, checks: Checks) -> None:
    """The same, and once more as the account reads it."""
    await instruments("bybit_linear")(payload, checks)
    result = decoded(payload.raw, bybit.Envelope).result
    page = decoded(result, bybit.Page[bybit.InstrumentRow])
    for row, one in zip(page.rows, payload.said["result"]["list"], strict=True):
        risk = bybit.RiskRow(row.symbol, 0.005, 0.01, 100.0, 1)
        record = bybit.instrument_of("bybit_linear", row, bybit.FeeRow(row.symbol, 0.00055, 0.0002), [risk])
        checks.same(_rules(record), numbers(*rules_of("bybit_linear", one)))


def volumes(name: str) -> Reader:
    """What each symbol traded in a day; the answer for one symbol is a row of the list for all."""

    async def read(payload: Payload, checks: Checks) -> None:
        said = payload.said
        if name.startswith("binance"):
            rows, field = said if isinstance(said, list) else [said], "quoteVolume"
            market, http = market_of(payload, name, payload.raw if rows is said else b"[%b]" % payload.raw)
        else:
            rows, field = said["result"]["list"], "turnover24h"
            market, http = market_of(payload, name)
        traded = await market.volumes()
        for one in rows:
            checks.same(traded[one["symbol"]], float(one[field]))
        _asked_for(payload, http)

    return read


def time_of(name: str) -> Reader:
    """The venue's time."""

    async def read(payload: Payload, checks: Checks) -> None:
        market, http = market_of(payload, name)
        said = payload.said
        checks.same(await market.server_time(), said["serverTime"] if "serverTime" in said else said["time"])
        if name == "binance_usdm":
            checks.same(decoded(payload.raw, usdm.ServerTime).serverTime, said["serverTime"])
        elif name == "bybit_linear":
            result = decoded(payload.raw, bybit.Envelope).result
            nanos = decoded(result, bybit.ServerTime).time_nano
            checks.same(nanos, int(said["result"]["timeNano"]))
        _asked_for(payload, http)

    return read


def refusal(meaning: Meaning | None = None) -> Reader:
    """A market refuses the question in the venue's words; what it means to an order, the table of outcomes says."""

    async def read(payload: Payload, checks: Checks) -> None:
        said, venue = payload.said, payload.venue
        if venue == "bybit":
            code, words, status = said["retCode"], said["retMsg"], 200
            told = BybitManners().refusal(Answered(status, {}, payload.raw))
            table = bybit_outcomes.TABLE
        else:
            code, words, status = said["code"], said["msg"], 400
            told = BinanceManners().refusal(Answered(status, {}, payload.raw))
            table = usdm_outcomes.TABLE
        checks.same(told, Refusal(code, words, lasting=True))
        if meaning is not None:
            checks.same(meaning_of(status, code, words, table), meaning)

    return read

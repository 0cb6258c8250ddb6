"""The shapes of Bybit v5 for what everybody may ask: instruments, tickers, risk limits. It decides nothing."""

from __future__ import annotations

from typing import Any

from trading_system.rules.grid import Instrument, text_of
from trading_system.rules.matching import MINUTE_MS
from trading_system.simulator.books import Book
from trading_system.simulator.exchange import Exchange

Json = dict[str, Any]
MAX_LEVERAGE = 100
DAY_STEPS = 1_440


def base_of(instrument: Instrument) -> str:
    """Return the coin that is traded against USDT."""
    return instrument.symbol.removesuffix("USDT")


def status_of(book: Book, step: int) -> str:
    """Return the word for a symbol in the minute of ``step``: a halt has none of its own, a pause to settle has."""
    if book.halts(step):
        return "Closed" if book.ended_after is not None else "Settling"
    return "Trading"


def instrument_row(book: Book, status: str) -> Json:
    """Return one symbol of ``GET /v5/market/instruments-info`` for contracts."""
    instrument = book.instrument
    tick, step = text_of(instrument.tick.price(1)), text_of(instrument.step.price(1))
    return {
        "symbol": instrument.symbol,
        "contractType": "LinearPerpetual",
        "status": status,
        "baseCoin": base_of(instrument),
        "quoteCoin": "USDT",
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(len(tick.partition(".")[2])),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{MAX_LEVERAGE}.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {
            "maxOrderQty": "1000000000",
            "minOrderQty": step,
            "qtyStep": step,
            "postOnlyMaxOrderQty": "1000000000",
            "maxMktOrderQty": "1000000000",
            "minNotionalValue": text_of(instrument.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "settleCoin": "USDT",
        "copyTrading": "both",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
        "isPreListing": False,
        "preListingInfo": None,
        "displayName": "",
    }


def spot_row(book: Book, status: str) -> Json:
    """Return one symbol of ``GET /v5/market/instruments-info`` for spot."""
    instrument = book.instrument
    step = text_of(instrument.step.price(1))
    return {
        "symbol": instrument.symbol,
        "baseCoin": base_of(instrument),
        "quoteCoin": "USDT",
        "innovation": "0",
        "status": status,
        "marginTrading": "none",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": step,
            "quotePrecision": "0.00000001",
            "minOrderQty": step,
            "maxOrderQty": "1000000000",
            "minOrderAmt": text_of(instrument.min_notional),
            "maxOrderAmt": "1000000000",
        },
        "priceFilter": {"tickSize": text_of(instrument.tick.price(1))},
        "riskParameters": {"priceLimitRatioX": "0.5", "priceLimitRatioY": "0.5"},
    }


def ticker_row(book: Book, exchange: Exchange) -> Json:
    """Return one symbol of ``GET /v5/market/tickers``: the day that ends now, and one price for last and mark."""
    price = text_of(book.last)
    rows = [book.row(step) for step in range(max(exchange.step - DAY_STEPS + 1, book.tape.first), exchange.step + 1)]
    rows = [row for row in rows if not row.gap]
    volume = sum(row.volume for row in rows)
    return {
        "symbol": book.instrument.symbol,
        "lastPrice": price,
        "indexPrice": price,
        "markPrice": price,
        "prevPrice24h": text_of(rows[0].open) if rows else price,
        "price24hPcnt": f"{book.last / rows[0].open - 1:.6f}" if rows else "0",
        "highPrice24h": text_of(max(row.high for row in rows)) if rows else price,
        "lowPrice24h": text_of(min(row.low for row in rows)) if rows else price,
        "prevPrice1h": "",
        "openInterest": "0",
        "openInterestValue": "0",
        "turnover24h": f"{sum(row.volume * row.close for row in rows):.4f}",
        "volume24h": f"{volume:.4f}",
        "fundingRate": "0",
        "nextFundingTime": "0",
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        "bid1Price": price,
        "bid1Size": "1",
        "ask1Price": price,
        "ask1Size": "1",
        "basis": "",
    }


def ticker_frame(book: Book, exchange: Exchange) -> Json:
    """Return a snapshot of the ``tickers`` topic."""
    return {
        "topic": f"tickers.{book.instrument.symbol}",
        "type": "snapshot",
        "data": ticker_row(book, exchange),
        "cs": exchange.step,
        "ts": exchange.step * MINUTE_MS,
    }


def risk_row(book: Book) -> Json:
    """Return one symbol of ``GET /v5/market/risk-limit``: a single, flat tier."""
    return {
        "id": 1,
        "symbol": book.instrument.symbol,
        "riskLimitValue": "1000000000",
        "maintenanceMargin": text_of(book.instrument.maintenance_margin),
        "initialMargin": text_of(1 / MAX_LEVERAGE),
        "isLowestRisk": 1,
        "maxLeverage": f"{MAX_LEVERAGE}.00",
        "mmDeduction": "",
    }

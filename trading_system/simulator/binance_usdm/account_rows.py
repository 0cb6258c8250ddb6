"""The shapes of Binance USDT-M on the wire for the account, its positions and the instruments. It decides nothing."""

from __future__ import annotations

from trading_system.rules.grid import Grid, text_of
from trading_system.simulator.binance_usdm.frames import Json, money
from trading_system.simulator.books import Book
from trading_system.simulator.exchange import Exchange

MAX_LEVERAGE = 125
_NOTHING = "0.00000000"


def decimals(grid: Grid) -> int:
    """Return how many digits after the point the grid's values need."""
    text = text_of(grid.price(1))
    return len(text.partition(".")[2])


def account_event(exchange: Exchange, symbol: str, reason: str, now: int) -> Json:
    """Return an ACCOUNT_UPDATE with the wallet and the one position that changed."""
    book = exchange.books[symbol]
    wallet = money(exchange.wallet)
    position: Json = {
        "s": symbol,
        "pa": _signed(book),
        "ep": text_of(book.position.entry),
        "cr": _NOTHING,
        "up": money(book.unrealised),
        "mt": "isolated",
        "iw": money(book.initial_margin),
        "ps": "BOTH",
        "ma": "USDT",
        "bep": text_of(book.position.entry),
    }
    balance: Json = {"a": "USDT", "wb": wallet, "cw": money(exchange.available()), "bc": "0"}
    return {"e": "ACCOUNT_UPDATE", "T": now, "E": now, "a": {"B": [balance], "P": [position], "m": reason}}


def position_row(book: Book) -> Json:
    """Return one row of ``GET /fapi/v3/positionRisk``: it has neither leverage nor margin type."""
    initial = money(book.initial_margin)
    waiting = money(book.margin - book.initial_margin)
    return {
        "symbol": book.instrument.symbol,
        "positionSide": "BOTH",
        "positionAmt": _signed(book),
        "entryPrice": text_of(book.position.entry),
        "breakEvenPrice": text_of(book.position.entry),
        "markPrice": text_of(book.last),
        "unRealizedProfit": money(book.unrealised),
        "liquidationPrice": text_of(book.liquidation),
        "isolatedMargin": money(book.initial_margin + book.unrealised),
        "notional": money(book.position.side * book.position.held * book.last),
        "marginAsset": "USDT",
        "isolatedWallet": initial,
        "initialMargin": initial,
        "maintMargin": money(book.maintenance),
        "positionInitialMargin": initial,
        "openOrderInitialMargin": waiting,
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": book.position.changed,
    }


def balance_row(exchange: Exchange) -> Json:
    """Return the one row of ``GET /fapi/v3/balance``."""
    wallet, free = money(exchange.wallet), money(exchange.available())
    return {
        "accountAlias": "sim",
        "asset": "USDT",
        "balance": wallet,
        "crossWalletBalance": wallet,
        "crossUnPnl": _NOTHING,
        "availableBalance": free,
        "maxWithdrawAmount": free,
        "marginAvailable": True,
        "updateTime": exchange.now,
    }


def account_summary(exchange: Exchange) -> Json:
    """Return ``GET /fapi/v3/account``."""
    books = exchange.books.values()
    wallet, profit = exchange.wallet, sum(book.unrealised for book in books)
    initial = sum(book.initial_margin for book in books)
    sums = {
        "initialMargin": money(sum(book.margin for book in books)),
        "maintMargin": money(sum(book.maintenance for book in books)),
        "walletBalance": money(wallet),
        "unrealizedProfit": money(profit),
        "marginBalance": money(wallet + profit),
        "positionInitialMargin": money(initial),
        "openOrderInitialMargin": money(sum(book.margin for book in books) - initial),
        "crossWalletBalance": money(wallet),
        "crossUnPnl": _NOTHING,
    }
    free = {"availableBalance": money(exchange.available()), "maxWithdrawAmount": money(exchange.available())}
    totals: Json = {f"total{name[0].upper()}{name[1:]}": value for name, value in sums.items()}
    rows = [position_row(book) for book in books if book.position.side or book.open]
    kept = ("symbol", "positionSide", "positionAmt", "isolatedMargin", "notional", "isolatedWallet", "initialMargin")
    positions = [
        {
            **{name: row[name] for name in kept},
            "unrealizedProfit": row["unRealizedProfit"],
            "maintMargin": row["maintMargin"],
            "updateTime": row["updateTime"],
        }
        for row in rows
    ]
    asset = {"asset": "USDT", **sums, **free, "updateTime": exchange.now}
    return {**totals, **free, "assets": [asset], "positions": positions}


def symbol_row(book: Book, status: str) -> Json:
    """Return one symbol of ``GET /fapi/v1/exchangeInfo``. ``pricePrecision`` is not the tick, as at the venue."""
    instrument = book.instrument
    symbol = instrument.symbol
    tick, step = text_of(instrument.tick.price(1)), text_of(instrument.step.price(1))
    lots = {"stepSize": step, "minQty": step, "maxQty": "1000000000"}
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": status,
        "maintMarginPercent": text_of(round(instrument.maintenance_margin * 100, 8)),
        "requiredMarginPercent": f"{100 / book.leverage:.4f}",
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": decimals(instrument.tick) + 1,
        "quantityPrecision": decimals(instrument.step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": text_of(instrument.taker_fee),
        "marketTakeBound": "0.30",
        "maxMoveOrderLimit": 10000,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", **lots},
            {"filterType": "MARKET_LOT_SIZE", **lots},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": text_of(instrument.min_notional)},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1000", "multiplierDown": "0.001", "multiplierDecimal": 4},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP_MARKET", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "GTX"],
    }


def status_of(book: Book, step: int) -> str:
    """Return the word for a symbol in the minute of ``step``: one that is delisted stays on the list for a while."""
    if book.halts(step):
        return "SETTLING" if book.ended_after is not None else "BREAK"
    return "TRADING"


def exchange_info(exchange: Exchange, wall_ms: int, weight_limit: int) -> Json:
    """Return ``GET /fapi/v1/exchangeInfo``: exactly the instruments that the exchange was given."""
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight_limit},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
    ]
    return {
        "timezone": "UTC",
        "serverTime": wall_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": limits,
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [symbol_row(book, status_of(book, exchange.step + 1)) for book in exchange.books.values()],
    }


def bracket_row(book: Book) -> Json:
    """Return one symbol of ``GET /fapi/v1/leverageBracket``: a single, flat bracket."""
    bracket = {
        "bracket": 1,
        "initialLeverage": MAX_LEVERAGE,
        "notionalCap": 1000000000,
        "notionalFloor": 0,
        "maintMarginRatio": book.instrument.maintenance_margin,
        "cum": 0,
    }
    return {"symbol": book.instrument.symbol, "brackets": [bracket]}


def _signed(book: Book) -> str:
    return text_of(book.position.side * book.position.held)

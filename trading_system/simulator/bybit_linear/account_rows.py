"""The shapes of Bybit v5 on the wire for positions, the wallet and the account. It decides nothing."""

from __future__ import annotations

from trading_system.rules.grid import text_of
from trading_system.rules.matching import OrderType
from trading_system.simulator.books import Book
from trading_system.simulator.bybit_linear import names
from trading_system.simulator.bybit_linear.frames import Json, money
from trading_system.simulator.exchange import Exchange


def position_row(book: Book, exchange: Exchange) -> Json:
    """Return a position as ``GET /v5/position/list`` and the ``position`` topic show it; flat ones have no side."""
    position = book.position
    stop, target = book.held_by_position(OrderType.STOP), book.held_by_position(OrderType.TOUCH)
    return {
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": "1000000000",
        "symbol": book.instrument.symbol,
        "side": names.SIDES.get(position.side, ""),
        "size": text_of(position.held),
        "avgPrice": text_of(position.entry),
        "entryPrice": text_of(position.entry),
        "positionValue": money(position.entry * position.held),
        "tradeMode": 1,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 0,
        "leverage": str(book.leverage),
        "positionBalance": money(book.initial_margin),
        "markPrice": text_of(book.last),
        "liqPrice": text_of(book.liquidation) if position.side else "",
        "bustPrice": "",
        "positionMM": money(book.maintenance),
        "positionIM": money(book.initial_margin),
        "positionMMByMp": money(book.maintenance),
        "positionIMByMp": money(book.initial_margin),
        "sessionAvgPrice": "",
        "breakEvenPrice": "",
        "tpslMode": "Full",
        "takeProfit": "0" if target is None else text_of(target.price),
        "stopLoss": "0" if stop is None else text_of(stop.price),
        "trailingStop": "0",
        "unrealisedPnl": money(book.unrealised),
        "curRealisedPnl": "",
        "cumRealisedPnl": money(book.realised),
        "seq": exchange.standing().trade,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": str(position.changed),
        "updatedTime": str(position.changed),
        "category": "linear",
    }


def wallet_row(exchange: Exchange) -> Json:
    """Return the account as ``GET /v5/account/wallet-balance`` and the ``wallet`` topic show it."""
    books = exchange.books.values()
    profit = sum(book.unrealised for book in books)
    wallet, equity, free = money(exchange.wallet), money(exchange.wallet + profit), money(exchange.available())
    held = sum(book.initial_margin for book in books)
    waiting = sum(book.margin for book in books) - held
    coin = {
        "coin": "USDT",
        "equity": equity,
        "usdValue": equity,
        "walletBalance": wallet,
        "availableToWithdraw": free,
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": money(waiting),
        "totalPositionIM": money(held),
        "totalPositionMM": money(sum(book.maintenance for book in books)),
        "unrealisedPnl": money(profit),
        "cumRealisedPnl": money(sum(book.realised for book in books)),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "locked": "0",
        "spotHedgingQty": "0",
    }
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": "0",
        "accountMMRate": "0",
        "accountIMRateByMp": "0",
        "accountMMRateByMp": "0",
        "totalEquity": equity,
        "totalWalletBalance": wallet,
        "totalMarginBalance": equity,
        "totalAvailableBalance": free,
        "totalPerpUPL": money(profit),
        "totalInitialMargin": money(held + waiting),
        "totalMaintenanceMargin": coin["totalPositionMM"],
        "totalInitialMarginByMp": money(held + waiting),
        "totalMaintenanceMarginByMp": coin["totalPositionMM"],
        "coin": [coin],
    }


def fee_row(book: Book) -> Json:
    """Return one symbol of ``GET /v5/account/fee-rate``."""
    instrument = book.instrument
    return {
        "symbol": instrument.symbol,
        "takerFeeRate": text_of(instrument.taker_fee),
        "makerFeeRate": text_of(instrument.maker_fee),
    }


KEY_INFO: Json = {
    "id": "1",
    "note": "simulated",
    "apiKey": "",
    "readOnly": 0,
    "secret": "",
    "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": []},
    "ips": ["127.0.0.1"],
    "type": 1,
    "unified": 0,
    "uta": 1,
    "userID": 1,
    "isMaster": True,
}
"""What the key may do: trade contracts, and no more."""
ACCOUNT_INFO: Json = {
    "marginMode": "ISOLATED_MARGIN",
    "updatedTime": "1697078946000",
    "unifiedMarginStatus": 5,
    "dcpStatus": "OFF",
    "timeWindow": 0,
    "smpGroup": 0,
    "isMasterTrader": False,
    "spotHedgingStatus": "OFF",
}

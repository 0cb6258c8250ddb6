"""Unmodified pybit, Bybit's own client, reads and trades over REST and its streams; the answers are printed.

Usage: drive_pybit.py EXCHANGE PORT CERTIFICATE KEY SECRET
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from lockstep import lead_names_to, picked, say
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP, WebSocket

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
ORDER = ("orderId", "orderLinkId", "orderStatus", "side", "orderType", "qty", "cumExecQty", "avgPrice", "reduceOnly")
OPEN = ("orderLinkId", "side", "qty", "price", "triggerPrice", "reduceOnly")
FILL = ("orderId", "orderLinkId", "side", "execPrice", "execQty", "execFee", "isMaker")
POSITION = ("symbol", "side", "size", "avgPrice", "leverage")


def main(_exchange: str, port: str, _certificate: str, key: str, secret: str) -> None:
    lead_names_to(int(port))
    client = HTTP(api_key=key, api_secret=secret)
    read(client)
    market, account = (
        WebSocket(channel_type="linear"),
        WebSocket(channel_type="private", api_key=key, api_secret=secret),
    )
    heard = Heard()
    market.kline_stream(1, "BTCUSDT", heard.candle)
    account.order_stream(heard.order)
    account.execution_stream(heard.fill)
    say("listening", None)
    trade(client)
    heard.wait_for(last_closed(client), len(fills(client)))
    say("heard", {"candles": heard.candles, "orders": heard.orders, "fills": heard.fills})
    market.exit()
    account.exit()


class Heard:
    """What the streams told, in the threads of the client."""

    def __init__(self) -> None:
        self.candles: list[Any] = []
        self.orders: list[Any] = []
        self.fills: list[Any] = []
        self._news = threading.Condition()

    def candle(self, message: Any) -> None:
        """Keep the candles that are closed."""
        names = ("start", "open", "high", "low", "close", "volume")
        with self._news:
            self.candles += [picked(each, *names) for each in message["data"] if each["confirm"]]
            self._news.notify()

    def order(self, message: Any) -> None:
        """Keep how the orders stand."""
        with self._news:
            self.orders += [picked(each, "orderLinkId", "orderStatus", "cumExecQty") for each in message["data"]]

    def fill(self, message: Any) -> None:
        """Keep the executions."""
        with self._news:
            self.fills += [picked(each, *FILL) for each in message["data"]]
            self._news.notify()

    def wait_for(self, start: int, fills: int) -> None:
        """Wait until the candle that starts at ``start`` was heard, and so many fills."""

        def all_there() -> bool:
            return len(self.fills) >= fills and any(each["start"] == start for each in self.candles)

        with self._news:
            if not self._news.wait_for(all_there, 10):
                sys.exit(f"expected {fills} fills and the candle of {start}, heard {self.fills} and {self.candles}")


def read(client: Any) -> None:
    (instrument,) = rows(client.get_instruments_info(**LINEAR))
    say("market", picked(instrument, "symbol", "status", "priceFilter", "lotSizeFilter"))
    say("candles", rows(client.get_kline(**LINEAR, interval=1, limit=5)))
    say("balance", rows(client.get_wallet_balance(accountType="UNIFIED", coin="USDT"))[0]["totalWalletBalance"])
    say("positions", positions(client))
    say("leverage", answered(lambda: client.set_leverage(**LINEAR, buyLeverage="3", sellLeverage="3")))
    say("margin mode", answered(lambda: client.set_margin_mode(setMarginMode="ISOLATED_MARGIN")))


def trade(client: Any) -> None:
    market = {**LINEAR, "orderType": "Market", "side": "Buy", "qty": "1"}
    say("entry placed", client.place_order(**market, orderLinkId="oracle-entry")["result"])
    say("entry filled", by_name(client, "oracle-entry"))
    say("position", positions(client))
    say("fills", fills(client))
    leaves = {**LINEAR, "side": "Sell", "reduceOnly": True}
    stop = {**leaves, "orderType": "Market", "qty": "1", "triggerPrice": "97", "triggerDirection": 2}
    client.place_order(**stop, orderLinkId="oracle-stop")
    limit = {**leaves, "orderType": "Limit"}
    client.place_order(**limit, qty="1", price="108", orderLinkId="oracle-far")
    say("open orders", open_orders(client))
    client.cancel_order(**LINEAR, orderLinkId="oracle-far")
    say("cancelled", by_name(client, "oracle-far"))
    client.place_order(**limit, qty="0.4", price="104", orderLinkId="oracle-target")
    say("target rests", open_orders(client))
    say("target filled", positions(client))
    say("stopped", {"open": open_orders(client), "positions": positions(client)})
    say("all fills", fills(client))
    many = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "1000", "price": "99"}
    say("too much", answered(lambda: client.place_order(**many, orderLinkId="oracle-many")))
    say("unknown order", answered(lambda: client.cancel_order(**LINEAR, orderLinkId="oracle-nobody")))


def rows(answer: Any) -> list[Any]:
    return list(answer["result"]["list"])


def positions(client: Any) -> list[Any]:
    return [picked(each, *POSITION) for each in rows(client.get_positions(**LINEAR)) if float(each["size"])]


def fills(client: Any) -> list[Any]:
    return [picked(each, *FILL) for each in rows(client.get_executions(**LINEAR, execType="Trade"))]


def open_orders(client: Any) -> list[Any]:
    return [picked(each, *OPEN) for each in rows(client.get_open_orders(**LINEAR))]


def by_name(client: Any, name: str) -> Any:
    (found,) = rows(client.get_open_orders(**LINEAR, orderLinkId=name))
    return picked(found, *ORDER)


def last_closed(client: Any) -> int:
    return int(rows(client.get_kline(**LINEAR, interval=1, limit=2))[1][0])


def answered(ask: Callable[[], Any]) -> int:
    """Return the code of the answer, 0 for a yes."""
    try:
        return int(ask()["retCode"])
    except InvalidRequestError as error:
        return int(error.status_code)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Unmodified ccxt (REST and the streams of ccxt.pro) reads and trades; what it made of each answer is printed.

Usage: drive_ccxt.py EXCHANGE PORT CERTIFICATE KEY SECRET
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import Any

import ccxt.pro
from lockstep import lead_names_to, picked, say

SYMBOL = "BTC/USDT:USDT"
ORDER = ("id", "clientOrderId", "status", "side", "type", "price", "amount", "filled", "average", "reduceOnly")
TRADE = ("order", "side", "price", "amount", "takerOrMaker")


async def main(name: str, port: str, certificate: str, key: str, secret: str) -> None:
    lead_names_to(int(port))
    client = getattr(ccxt.pro, name)({"apiKey": key, "secret": secret, "cafile": certificate})
    try:
        await Play(client).run()
    finally:
        await client.close()


class Play:
    """One client and what it goes through."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.binance = client.id == "binanceusdm"
        self.heard: dict[str, list[Any]] = {"candles": [], "orders": [], "trades": []}
        self.news = asyncio.Event()

    async def say(self, step: str, saw: Any = None) -> None:
        await asyncio.get_running_loop().run_in_executor(None, say, step, saw)

    async def run(self) -> None:
        await self.read()
        listening = [asyncio.ensure_future(each) for each in (self.candles(), self.orders(), self.trades())]
        await self.say("listening")
        await self.enter()
        await self.protect()
        await self.refused()
        await asyncio.wait_for(self.heard_all(), 10)
        await self.say("heard", self.heard)
        for each in listening:
            each.cancel()
        await asyncio.gather(*listening, return_exceptions=True)

    async def read(self) -> None:
        client = self.client
        market = (await client.load_markets())[SYMBOL]
        kept = picked(market, "id", "linear", "swap", "active", "contractSize", "precision")
        await self.say("market", {**kept, "least": market["limits"]["amount"]["min"]})
        await self.say("candles", await client.fetch_ohlcv(SYMBOL, "1m", limit=5))
        await self.say("balance", (await client.fetch_balance())["USDT"])
        await self.say("positions", await self.positions())
        await self.say("leverage", await answered(client.set_leverage(3, SYMBOL)))
        await self.say("margin mode", await answered(client.set_margin_mode("isolated", SYMBOL, {"leverage": 3})))

    async def enter(self) -> None:
        client = self.client
        placed = await client.create_order(SYMBOL, "market", "buy", 1, None, {"clientOrderId": "oracle-entry"})
        await self.say("entry placed", placed["id"])
        await self.say("entry filled", picked(await self.by_id(placed["id"]), *ORDER))
        await self.say("position", await self.positions())
        await self.say("fills", [fill(each) for each in await client.fetch_my_trades(SYMBOL)])
        await self.say("funds", (await client.fetch_balance())["USDT"])

    async def protect(self) -> None:
        client, leaves = self.client, {"reduceOnly": True}
        stop = {**leaves, "stopLossPrice": 97.0, "clientOrderId": "oracle-stop"}
        stop = await client.create_order(SYMBOL, "market", "sell", 1, None, stop)
        far = {**leaves, "clientOrderId": "oracle-far"}
        far = await client.create_order(SYMBOL, "limit", "sell", 1, 108.0, far)
        await self.say("open orders", await self.open_orders())
        await client.cancel_order(far["id"], SYMBOL)
        await self.say("cancelled", picked(await self.by_id(far["id"]), *ORDER))
        await self.say("take profit", await self.take_profit(leaves))
        target = {**leaves, "clientOrderId": "oracle-target"}
        await client.create_order(SYMBOL, "limit", "sell", 0.4, 104.0, target)
        await self.say("target rests", await self.open_orders())
        await self.say("target filled", await self.positions())
        await self.say("stopped", {"open": await self.open_orders(), "positions": await self.positions()})
        await self.say("all fills", [fill(each) for each in await client.fetch_my_trades(SYMBOL)])
        if self.binance:
            asked = {"clientOrderId": "oracle-stop", "trigger": True}
            await self.say("stop by client id", (await client.fetch_order(None, SYMBOL, asked))["id"] == stop["id"])

    async def take_profit(self, leaves: dict[str, Any]) -> Any:
        """Place a take-profit at market, return how it rests, and cancel it."""
        wish = {**leaves, "takeProfitPrice": 109.0, "clientOrderId": "oracle-profit"}
        placed = await self.client.create_order(SYMBOL, "market", "sell", 1, None, wish)
        rests = [each for each in await self.open_orders() if each["clientOrderId"] == "oracle-profit"]
        await self.client.cancel_order(placed["id"], SYMBOL, {"trigger": True} if self.binance else {})
        return rests

    async def refused(self) -> None:
        client, nowhere = self.client, "999999"
        many = client.create_order(SYMBOL, "limit", "buy", 1000, 99.0, {"clientOrderId": "oracle-many"})
        await self.say("too much", await answered(many))
        await self.say("unknown order", await answered(client.cancel_order(nowhere, SYMBOL)))

    async def heard_all(self) -> None:
        """Wait until the streams have told what REST tells: the last candle that closed, and all fills."""
        last = (await self.client.fetch_ohlcv(SYMBOL, "1m", limit=2))[0][0]
        fills = len(await self.client.fetch_my_trades(SYMBOL))
        while len(self.heard["trades"]) < fills or last not in {each[0] for each in self.heard["candles"]}:
            self.news.clear()
            await self.news.wait()

    async def positions(self) -> list[Any]:
        names = ("symbol", "side", "contracts", "entryPrice")
        return [picked(each, *names) for each in await self.client.fetch_positions([SYMBOL]) if each["contracts"]]

    async def open_orders(self) -> list[Any]:
        rows = await self.client.fetch_open_orders(SYMBOL)
        if self.binance:
            rows += await self.client.fetch_open_orders(SYMBOL, params={"trigger": True})
        return [picked(each, "clientOrderId", "side", "amount", "price", "triggerPrice", "reduceOnly") for each in rows]

    async def by_id(self, number: str) -> Any:
        return await self.client.fetch_order(number, SYMBOL, {} if self.binance else {"acknowledged": True})

    async def candles(self) -> None:
        while True:
            self.heard["candles"] += await self.client.watch_ohlcv(SYMBOL, "1m")
            self.news.set()

    async def orders(self) -> None:
        while True:
            heard = await self.client.watch_orders(SYMBOL)
            self.heard["orders"] += [picked(each, "clientOrderId", "status", "filled") for each in heard]

    async def trades(self) -> None:
        while True:
            self.heard["trades"] += [fill(each) for each in await self.client.watch_my_trades(SYMBOL)]
            self.news.set()


def fill(trade: Any) -> dict[str, Any]:
    """Return what matters of a trade, and what it cost."""
    return {**picked(trade, *TRADE), "fee": trade["fee"]["cost"]}


async def answered(asked: Awaitable[Any]) -> str:
    """Return "yes", or the name of the client's error."""
    try:
        await asked
    except ccxt.BaseError as error:
        return type(error).__name__
    return "yes"


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""Clients of other people, unchanged, read and trade on the simulator: what they say is what its books say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from oracle import HIGH, LISTENED, LOW, Oracle, oracle

from trading_system.simulator.orders import Trade, VenueOrder

pytestmark = pytest.mark.slow
NAMES = {"binanceusdm": "binance_usdm", "bybit": "bybit_linear"}


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_ccxt_reads_and_trades_over_its_official_urls(name: str, tmp_path: Path) -> None:
    async with oracle("ccxt", name, NAMES[name], tmp_path) as client:
        await ccxt_reads(client, name)
        await ccxt_enters(client)
        await ccxt_leaves(client, name)
        await ccxt_heard(client)
        await client.ends()


async def ccxt_reads(client: Oracle, name: str) -> None:
    market = await client.step("market")
    assert market["precision"]["price"] == client.book.instrument.tick.price(1)
    assert (market["precision"]["amount"], market["least"]) == (0.001, 0.001)
    assert (market["id"], market["linear"], market["swap"], market["active"]) == ("BTCUSDT", True, True, True)
    candles = await client.step("candles")
    closed = range(client.exchange.step - len(candles) + 2, client.exchange.step + 1)
    assert candles[:-1] == [candle(client, step) for step in closed]
    assert candles[-1][0] == client.exchange.step * 60_000  # the minute that runs
    balance = await client.step("balance")
    assert (balance["free"], balance["used"], balance["total"]) == (client.exchange.wallet, 0.0, client.exchange.wallet)
    assert await client.step("positions") == []
    assert await client.step("leverage") == "yes"
    assert client.book.leverage == 3
    assert await client.step("margin mode") == ("MarginModeAlreadySet" if name == "binanceusdm" else "yes")


async def ccxt_enters(client: Oracle) -> None:
    await client.step("listening")
    await client.until_it_listens()
    number = await client.step("entry placed")
    entry = the_order(client, "oracle-entry")
    assert (entry.status, entry.side, entry.quantity) == ("NEW", 1, 1.0)
    await client.play_to(LISTENED + 1)
    assert await client.step("entry filled") == {
        "id": number,
        "clientOrderId": "oracle-entry",
        "status": "closed",
        "side": "buy",
        "type": "market",
        "price": entry.average,
        "amount": entry.quantity,
        "filled": entry.filled,
        "average": entry.average,
        "reduceOnly": False,
    }
    assert await client.step("position") == [position(client)]
    fills = await client.step("fills")
    assert [without_order(each) for each in fills] == [fill(each) for each in client.exchange.trades()]
    assert fills[0]["order"] == number
    funds = await client.step("funds")
    held = client.book.position
    margin = held.held * held.entry / client.book.leverage
    assert funds["used"] == pytest.approx(margin, abs=1e-7)
    assert funds["free"] == pytest.approx(client.exchange.wallet - margin, abs=1e-7)


async def ccxt_leaves(client: Oracle, name: str) -> None:
    far = open_row("oracle-far", 1.0, price=108.0)
    stop = open_row("oracle-stop", 1.0, trigger=97.0)
    target = open_row("oracle-target", 0.4, price=104.0)
    assert by_name(await client.step("open orders")) == by_name([far, stop])
    assert open_names(client) == {"oracle-far", "oracle-stop"}
    cancelled = await client.step("cancelled")
    assert (cancelled["clientOrderId"], cancelled["status"], cancelled["filled"]) == ("oracle-far", "canceled", 0.0)
    assert the_order(client, "oracle-far").status == "CANCELED"
    assert by_name(await client.step("target rests")) == by_name([stop, target])
    await client.play_to(HIGH)
    assert await client.step("target filled") == [position(client)]
    assert client.book.position.held == 0.6
    await client.play_to(LOW + 1)
    assert await client.step("stopped") == {"open": [], "positions": []}
    assert client.book.position.side == 0
    fills = await client.step("all fills")
    assert [without_order(each) for each in fills] == [fill(each) for each in client.exchange.trades()]
    assert [each["amount"] for each in fills] == [1.0, 0.4, 0.6]
    if name == "binanceusdm":
        assert await client.step("stop by client id") is True
    taken = len(client.exchange.orders)
    assert await client.step("too much") == "InsufficientFunds"
    assert await client.step("unknown order") == "OrderNotFound"
    assert len(client.exchange.orders) == taken


async def ccxt_heard(client: Oracle) -> None:
    heard = await client.step("heard")
    last = {row[0]: row for row in heard["candles"] if row[0] >= LISTENED * 60_000}
    assert list(last.values()) == [candle(client, step) for step in range(LISTENED + 1, LOW + 2)]
    assert [without_order(each) for each in heard["trades"]] == [fill(each) for each in client.exchange.trades()]
    ended = {each["clientOrderId"]: each["status"] for each in heard["orders"]}
    ours = {name: ended[name] for name in ("oracle-entry", "oracle-far", "oracle-target", "oracle-stop")}
    assert ours == {
        "oracle-entry": "closed",
        "oracle-far": "canceled",
        "oracle-target": "closed",
        "oracle-stop": "closed",
    }


def candle(client: Oracle, step: int) -> list[float]:
    row = client.book.tape.row(step)
    return [(step - 1) * 60_000, row.open, row.high, row.low, row.close, row.volume]


def the_order(client: Oracle, client_id: str) -> VenueOrder:
    (found,) = (each for each in client.exchange.orders.values() if each.client_id == client_id)
    return found


def open_names(client: Oracle) -> set[str]:
    return {each.client_id for each in client.book.open.values()}


def position(client: Oracle) -> dict[str, Any]:
    held = client.book.position
    return {"symbol": "BTC/USDT:USDT", "side": "long", "contracts": held.held, "entryPrice": held.entry}


def fill(trade: Trade) -> dict[str, Any]:
    side = "buy" if trade.side == 1 else "sell"
    kind = "maker" if trade.maker else "taker"
    return {"side": side, "price": trade.price, "amount": trade.quantity, "takerOrMaker": kind}


def without_order(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "order"}


def open_row(name: str, amount: float, price: float | None = None, trigger: float | None = None) -> dict[str, Any]:
    shape = {"clientOrderId": name, "side": "sell", "amount": amount, "price": price}
    return {**shape, "triggerPrice": trigger, "reduceOnly": True}


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["clientOrderId"]: row for row in rows}

"""What ccxt goes through on a simulator, each line checked against the books while the market stands still."""

from __future__ import annotations

from typing import Any

import pytest
from oracle import HIGH, LISTENED, LOW, Oracle

from trading_system.simulator.orders import Trade


async def play(client: Oracle, name: str) -> None:
    """Take ccxt's exchange ``name`` from its first question to its end."""
    await _reads(client, name)
    await _enters(client)
    await _leaves(client, name)
    await _heard(client)
    await client.ends()


async def _reads(client: Oracle, name: str) -> None:
    market = await client.step("market")
    assert market["precision"]["price"] == client.book.instrument.tick.price(1)
    assert (market["precision"]["amount"], market["least"]) == (0.001, 0.001)
    assert (market["id"], market["linear"], market["swap"], market["active"]) == ("BTCUSDT", True, True, True)
    candles = await client.step("candles")
    closed = range(client.exchange.step - len(candles) + 2, client.exchange.step + 1)
    assert candles[:-1] == [client.candle(step) for step in closed]
    assert candles[-1][0] == client.exchange.step * 60_000  # the minute that runs
    balance = await client.step("balance")
    assert (balance["free"], balance["used"], balance["total"]) == (client.exchange.wallet, 0.0, client.exchange.wallet)
    assert await client.step("positions") == []
    assert await client.step("leverage") == "yes"
    assert client.book.leverage == 3
    assert await client.step("margin mode") == ("MarginModeAlreadySet" if name == "binanceusdm" else "yes")


async def _enters(client: Oracle) -> None:
    await client.step("listening")
    await client.until_it_listens()
    number = await client.step("entry placed")
    entry = client.order("oracle-entry")
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
    assert await client.step("position") == [_position(client)]
    fills = await client.step("fills")
    assert [_without_order(each) for each in fills] == [_fill(each) for each in client.exchange.trades()]
    assert fills[0]["order"] == number
    funds = await client.step("funds")
    held = client.book.position
    margin = held.held * held.entry / client.book.leverage
    assert funds["used"] == pytest.approx(margin, abs=1e-7)
    assert funds["free"] == pytest.approx(client.exchange.wallet - margin, abs=1e-7)


async def _leaves(client: Oracle, name: str) -> None:
    far = _open_row("oracle-far", 1.0, price=108.0)
    stop = _open_row("oracle-stop", 1.0, trigger=97.0)
    target = _open_row("oracle-target", 0.4, price=104.0)
    assert _by_name(await client.step("open orders")) == _by_name([far, stop])
    assert client.open_names() == {"oracle-far", "oracle-stop"}
    cancelled = await client.step("cancelled")
    assert (cancelled["clientOrderId"], cancelled["status"], cancelled["filled"]) == ("oracle-far", "canceled", 0.0)
    assert client.order("oracle-far").status == "CANCELED"
    assert await client.step("take profit") == [_open_row("oracle-profit", 1.0, trigger=109.0)]
    assert client.order("oracle-profit").status == "CANCELED"
    assert client.order("oracle-profit").price == 109.0
    assert _by_name(await client.step("target rests")) == _by_name([stop, target])
    await client.play_to(HIGH)
    assert await client.step("target filled") == [_position(client)]
    assert client.book.position.held == 0.6
    await client.play_to(LOW + 1)
    assert await client.step("stopped") == {"open": [], "positions": []}
    assert client.book.position.side == 0
    fills = await client.step("all fills")
    assert [_without_order(each) for each in fills] == [_fill(each) for each in client.exchange.trades()]
    assert [each["amount"] for each in fills] == [1.0, 0.4, 0.6]
    if name == "binanceusdm":
        assert await client.step("stop by client id") is True
    taken = len(client.exchange.orders)
    assert await client.step("too much") == "InsufficientFunds"
    assert await client.step("unknown order") == "OrderNotFound"
    assert len(client.exchange.orders) == taken


async def _heard(client: Oracle) -> None:
    heard = await client.step("heard")
    candles = {row[0]: row for row in heard["candles"] if row[0] >= LISTENED * 60_000}  # each as it was at last
    assert list(candles.values()) == [client.candle(step) for step in range(LISTENED + 1, LOW + 2)]
    assert [_without_order(each) for each in heard["trades"]] == [_fill(each) for each in client.exchange.trades()]
    ended = {each["clientOrderId"]: each["status"] for each in heard["orders"]}
    names = ("oracle-entry", "oracle-far", "oracle-target", "oracle-stop")
    assert [ended[name] for name in names] == ["closed", "canceled", "closed", "closed"]
    client.keep("heard", {"candles": list(candles.values()), "orders": ended, "trades": heard["trades"]})


def _position(client: Oracle) -> dict[str, Any]:
    held = client.book.position
    return {"symbol": "BTC/USDT:USDT", "side": "long", "contracts": held.held, "entryPrice": held.entry}


def _fill(trade: Trade) -> dict[str, Any]:
    side = "buy" if trade.side == 1 else "sell"
    kind = "maker" if trade.maker else "taker"
    return {"side": side, "price": trade.price, "amount": trade.quantity, "takerOrMaker": kind, "fee": trade.fee}


def _without_order(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "order"}


def _open_row(name: str, amount: float, price: float | None = None, trigger: float | None = None) -> dict[str, Any]:
    shape = {"clientOrderId": name, "side": "sell", "amount": amount, "price": price}
    return {**shape, "triggerPrice": trigger, "reduceOnly": True}


def _by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["clientOrderId"]: row for row in rows}

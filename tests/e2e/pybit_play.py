"""What pybit goes through on a simulator, each line checked against the books while the market stands still."""

from __future__ import annotations

from typing import Any

from oracle import HIGH, LISTENED, LOW, Oracle

from trading_system.rules.grid import text_of
from trading_system.simulator.orders import Trade

_NOT_ENOUGH, _NO_SUCH_ORDER = 110007, 110001


async def play(client: Oracle, _: str) -> None:
    """Take pybit from its first question to its end."""
    await _reads(client)
    await client.step("listening")
    await client.until_it_listens()
    await _enters(client)
    await _leaves(client)
    await _heard(client)
    await client.ends()


async def _reads(client: Oracle) -> None:
    market = await client.step("market")
    assert (market["symbol"], market["status"]) == ("BTCUSDT", "Trading")
    assert market["priceFilter"]["tickSize"] == text_of(client.book.instrument.tick.price(1))
    lot = market["lotSizeFilter"]
    assert (lot["qtyStep"], lot["minOrderQty"], lot["minNotionalValue"]) == ("0.001", "0.001", "5")
    running, *closed = await client.step("candles")
    assert int(running[0]) == client.exchange.step * 60_000
    newest = client.exchange.step
    told = [[float(each) for each in row[:6]] for row in closed]
    assert told == [client.candle(step) for step in range(newest, newest - len(closed), -1)]
    assert float(await client.step("balance")) == client.exchange.wallet
    assert await client.step("positions") == []
    assert await client.step("leverage") == 0
    assert client.book.leverage == 3
    assert await client.step("margin mode") == 0


async def _enters(client: Oracle) -> None:
    placed = await client.step("entry placed")
    entry = client.order("oracle-entry")
    assert (entry.status, entry.side, entry.quantity) == ("NEW", 1, 1.0)
    await client.play_to(LISTENED + 1)
    assert await client.step("entry filled") == {
        "orderId": placed["orderId"],
        "orderLinkId": "oracle-entry",
        "orderStatus": "Filled",
        "side": "Buy",
        "orderType": "Market",
        "qty": text_of(entry.quantity),
        "cumExecQty": text_of(entry.filled),
        "avgPrice": text_of(entry.average),
        "reduceOnly": False,
    }
    assert await client.step("position") == [_position(client)]
    (fill,) = await client.step("fills")
    assert _numbers(fill) == _fill(client, client.exchange.trades()[0])
    assert fill["orderId"] == placed["orderId"]


async def _leaves(client: Oracle) -> None:
    far = _open_row("oracle-far", "1", price="108")
    stop = _open_row("oracle-stop", "1", trigger="97")
    target = _open_row("oracle-target", "0.4", price="104")
    assert await client.step("open orders") == [far, stop]
    assert client.open_names() == {"oracle-far", "oracle-stop"}
    cancelled = await client.step("cancelled")
    assert (cancelled["orderLinkId"], cancelled["orderStatus"]) == ("oracle-far", "Cancelled")
    assert client.order("oracle-far").status == "CANCELED"
    assert await client.step("target rests") == [target, stop]
    await client.play_to(HIGH)
    assert await client.step("target filled") == [_position(client)]
    assert client.book.position.held == 0.6
    await client.play_to(LOW + 1)
    assert await client.step("stopped") == {"open": [], "positions": []}
    assert client.book.position.side == 0
    fills = await client.step("all fills")
    assert [_numbers(each) for each in reversed(fills)] == [_fill(client, each) for each in client.exchange.trades()]
    taken = len(client.exchange.orders)
    assert await client.step("too much") == _NOT_ENOUGH
    assert await client.step("unknown order") == _NO_SUCH_ORDER
    assert len(client.exchange.orders) == taken


async def _heard(client: Oracle) -> None:
    heard = await client.step("heard")
    candles = [row for row in heard["candles"] if row["start"] >= LISTENED * 60_000]
    told = [[float(value) for value in row.values()] for row in candles]
    assert told == [client.candle(step) for step in range(LISTENED + 1, LOW + 2)]
    assert [_numbers(each) for each in heard["fills"]] == [_fill(client, each) for each in client.exchange.trades()]
    ended = {each["orderLinkId"]: each["orderStatus"] for each in heard["orders"]}
    names = ("oracle-entry", "oracle-far", "oracle-target", "oracle-stop")
    assert [ended[name] for name in names] == ["Filled", "Cancelled", "Filled", "Filled"]
    client.keep("heard", {"candles": candles, "orders": ended, "fills": heard["fills"]})


def _position(client: Oracle) -> dict[str, Any]:
    held = client.book.position
    sizes = {"size": text_of(held.held), "avgPrice": text_of(held.entry), "leverage": str(client.book.leverage)}
    return {"symbol": "BTCUSDT", "side": "Buy", **sizes}


def _fill(client: Oracle, trade: Trade) -> tuple[str, str, float, float, float, bool]:
    side = "Buy" if trade.side == 1 else "Sell"
    order = client.exchange.orders[trade.order]
    placed = client.exchange.orders[order.parent] if order.parent else order  # Bybit shows what triggered as one order
    return placed.client_id, side, trade.price, trade.quantity, trade.fee, trade.maker


def _numbers(row: dict[str, Any]) -> tuple[str, str, float, float, float, bool]:
    price, quantity, fee = (float(row[name]) for name in ("execPrice", "execQty", "execFee"))
    return row["orderLinkId"], row["side"], price, quantity, fee, row["isMaker"]


def _open_row(name: str, quantity: str, price: str = "", trigger: str = "") -> dict[str, Any]:
    shape = {"orderLinkId": name, "side": "Sell", "qty": quantity, "price": price}
    return {**shape, "triggerPrice": trigger, "reduceOnly": True}

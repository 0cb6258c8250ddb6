"""One script of orders over both wires of the simulator: the trades are the same ones, whatever the words for them."""

from __future__ import annotations

import random
from typing import NamedTuple, Protocol

import pytest
from bybit_venue import BybitClient, bybit
from simulated_venue import Prices, RawClient, venue

from trading_system.rules.client_ids import client_order_id
from trading_system.simulator.server import SimulatorServer

MINUTES = 120
LONGEST = 10  # minutes until a trade is left at market


class Bracket(NamedTuple):
    """A trade as it is meant: at market or at a limit, with a stop, a target for a half, and a later stop."""

    plan: str
    side: int
    limit: str
    stop: str
    target: str
    later: str


class Hand(Protocol):
    """Says one bracket's orders in the words of a venue."""

    server: SimulatorServer

    async def enter(self, bracket: Bracket) -> None:
        """Send the entry."""

    async def protect(self, bracket: Bracket) -> bool:
        """Send what follows the entry's fill; False when the stop is passed already."""

    async def trail(self, bracket: Bracket) -> bool:
        """Move the stop; False when the new one is passed already."""

    async def leave(self, bracket: Bracket) -> None:
        """Send an exit at market."""

    async def clear(self) -> None:
        """Take back what is left."""


def name(bracket: Bracket, role: str, generation: int = 0) -> str:
    return client_order_id(bracket.plan, role, generation)


class OnBinance:
    """Each stop is an order of its own, the old one goes when the new one is there."""

    def __init__(self, client: RawClient) -> None:
        self.client, self.server = client, client.server

    async def enter(self, bracket: Bracket) -> None:
        kind = {"price": bracket.limit, "timeInForce": "GTC"} if bracket.limit else {}
        named = {"quantity": "2", "newClientOrderId": name(bracket, "e"), **kind}
        status, _ = await self.client.order(_side(bracket.side), "LIMIT" if kind else "MARKET", "e", **named)
        assert status == 200

    async def protect(self, bracket: Bracket) -> bool:
        if not await self._stop(bracket, bracket.stop, 0, "2"):
            return False
        named = {"newClientOrderId": name(bracket, "1"), "price": bracket.target}
        status, _ = await self.client.order(_side(-bracket.side), "LIMIT", "1", **named)
        return status == 200

    async def trail(self, bracket: Bracket) -> bool:
        if not await self._stop(bracket, bracket.later, 1, "1"):
            return False
        status, _ = await self.client.signed("DELETE", "/fapi/v1/algoOrder", clientAlgoId=name(bracket, "s"))
        return status == 200

    async def _stop(self, bracket: Bracket, price: str, generation: int, quantity: str) -> bool:
        named = {"clientAlgoId": name(bracket, "s", generation), "quantity": quantity}
        status, said = await self.client.stop(_side(-bracket.side), price, **named)
        assert status == 200 or said["code"] == -2021
        return status == 200

    async def leave(self, bracket: Bracket) -> None:
        named = {"newClientOrderId": name(bracket, "x"), "quantity": "2"}
        status, _ = await self.client.order(_side(-bracket.side), "MARKET", "x", **named)
        assert status == 200

    async def clear(self) -> None:
        for path in ("/fapi/v1/allOpenOrders", "/fapi/v1/algoOpenOrders"):
            await self.client.signed("DELETE", path, symbol="BTCUSDT")


class OnBybit:
    """The stop goes with the entry, and is a price of the position from then on."""

    def __init__(self, client: BybitClient) -> None:
        self.client, self.server = client, client.server

    async def enter(self, bracket: Bracket) -> None:
        kind = {"price": bracket.limit} if bracket.limit else {}
        named = {"qty": "2", "orderLinkId": name(bracket, "e"), "stopLoss": bracket.stop, **kind}
        answer = await self.client.order(_word(bracket.side), "Limit" if kind else "Market", **named)
        assert answer.code == 0, answer

    async def protect(self, bracket: Bracket) -> bool:
        if not [row for row in await self.client.open_orders() if row["stopOrderType"] == "StopLoss"]:
            return False
        named = {"orderLinkId": name(bracket, "1"), "price": bracket.target}
        return (await self.client.order(_word(-bracket.side), "Limit", "1", **named)).code == 0

    async def trail(self, bracket: Bracket) -> bool:
        answer = await self.client.stop_at(bracket.later)
        assert answer.code == 0 or "base_price" in answer.message
        return answer.code == 0

    async def leave(self, bracket: Bracket) -> None:
        named = {"orderLinkId": name(bracket, "x"), "qty": "2"}
        assert (await self.client.order(_word(-bracket.side), "Market", "x", **named)).code == 0

    async def clear(self) -> None:
        await self.client.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT")


def _side(side: int) -> str:
    return "BUY" if side > 0 else "SELL"


def _word(side: int) -> str:
    return "Buy" if side > 0 else "Sell"


def market(seed: int) -> list[Prices]:
    chance, price, rows = random.Random(seed), 1_000, []
    for _ in range(MINUTES):
        path = [price := max(200, price + chance.randint(-9, 9)) for _ in range(4)]
        rows.append((path[0] / 10, max(path) / 10, min(path) / 10, path[3] / 10))
    return rows


def brackets(seed: int) -> list[Bracket]:
    """Brackets around the price of the moment at which they are sent: ticks from it, to be added then."""
    chance, made = random.Random(seed + 1), []
    for number in range(MINUTES):
        side, entry = chance.choice((1, -1)), chance.choice((0, chance.randint(1, 8)))
        ticks = (-side * entry, -side * (entry + chance.randint(2, 9)), side * chance.randint(1, 8), -side * entry)
        plan = "".join("abcdefghijklmnop"[number // 16**k % 16] for k in range(16))
        made.append(Bracket(plan, side, str(ticks[0] or ""), str(ticks[1]), str(ticks[2]), str(ticks[3])))
    return made


def at(bracket: Bracket, price: float) -> Bracket:
    said = [str(round(price * 10 + int(ticks)) / 10) if ticks else "" for ticks in bracket[2:]]
    return Bracket(bracket.plan, bracket.side, *said)


async def play(hand: Hand, seed: int) -> list[str]:
    """Trade one bracket after the other, reacting to each fill, and return the lines of the exchange's own trades."""
    book = hand.server.exchange.books["BTCUSDT"]
    waiting, bracket, booked = brackets(seed), None, 0
    leaving, sent = False, 0
    while not (standing := hand.server.exchange.standing()).done:
        if bracket is None:
            await hand.clear()
            bracket, leaving, sent = at(waiting.pop(0), book.last), False, standing.step
            await hand.enter(bracket)
        await hand.server.advance()
        for trade in hand.server.exchange.trades()[booked:]:
            booked += 1
            if not book.position.side:
                bracket = None
            elif trade.role.name == "ENTRY":
                leaving = not await hand.protect(bracket)
            elif trade.role.name == "TARGET":
                leaving = not await hand.trail(bracket)
            if bracket is not None and leaving and book.position.side:
                await hand.leave(bracket)
        over = hand.server.exchange.step > standing.step
        if over and not book.position.side:
            bracket = None  # the entry waited a minute in vain
        elif over and bracket is not None and standing.step == sent + LONGEST:
            await hand.leave(bracket)
    return hand.server.exchange.fingerprint_lines()


@pytest.mark.parametrize("seed", range(3))
async def test_one_script_of_orders_makes_the_same_trades_on_both_wires(seed: int) -> None:
    rows = market(seed)
    async with venue(*rows) as client:
        binance = await play(OnBinance(client), seed)
    async with bybit(*rows) as other:
        bybit_lines = await play(OnBybit(other), seed)
    assert len(binance) > 20
    assert {line.partition("|")[0] for line in binance} == {"entry", "stop", "target", "exit"}
    assert bybit_lines == binance

"""Orders that belong to a position, and those that wait for a better price, at the exchange in memory."""

from __future__ import annotations

import pytest
from test_exchange import PLAN, START, Heard, exchange_of, order, refusal_of

from trading_system.rules.client_ids import client_order_id
from trading_system.rules.matching import OrderType
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import OrderRequest
from trading_system.simulator.refusals import Refusal

FLAT = (100.0, 100.0, 100.0, 100.0)
FALL = (100.0, 100.0, 90.0, 91.0)
RISE = (100.0, 111.0, 100.0, 110.0)
BOTH = (100.0, 110.0, 90.0, 100.0)


def entry(**changes: object) -> OrderRequest:
    return order("MARKET", 1, 1.0)._replace(stop=95.0, target=105.0)._replace(**changes)  # type: ignore[arg-type]


def play(exchange: Exchange, minutes: int) -> list[str]:
    """Play ``minutes`` to their ends and return the trades as side, price and maker."""
    target = exchange.step + minutes
    while exchange.step < target:
        exchange.advance()
    return [f"{trade.side} {trade.price:g} {trade.closed:g}{' maker' * trade.maker}" for trade in exchange.trades()]


@pytest.mark.parametrize(
    ("minute", "trades"),
    [
        (FALL, ["1 100.1 0", "-1 94.9 1"]),
        (RISE, ["1 100.1 0", "-1 104.9 1"]),
        (BOTH, ["1 100.1 0", "-1 94.9 1"]),  # the market is unkind
    ],
)
def test_what_an_entry_carries_is_there_at_its_fill_and_gone_with_the_position(
    minute: tuple[float, float, float, float], trades: list[str]
) -> None:
    exchange = exchange_of(FLAT, minute)
    exchange.place(entry())
    exchange.advance()
    assert [(one.type.name, one.price, one.entry) for one in exchange.open_orders("BTCUSDT", algo=True)] == [
        ("STOP", 95.0, 1),
        ("TOUCH", 105.0, 1),
    ]
    assert play(exchange, 2) == trades
    assert list(exchange.open_orders("BTCUSDT", algo=True)) == []
    assert [one.status for one in exchange.orders.values() if one.entry].count("CANCELED") == 1


def test_the_trade_of_a_position_s_stop_has_the_line_of_the_stop_of_its_entry() -> None:
    exchange = exchange_of(FLAT, FALL)
    exchange.place(entry())
    play(exchange, 2)
    bought, sold = exchange.fingerprint_lines()
    assert bought.startswith(f"entry|tm{PLAN}e|")
    assert sold.startswith(f"stop|tm{PLAN}s|")
    other = exchange_of(FLAT, RISE)
    other.place(entry())
    play(other, 2)
    assert other.fingerprint_lines()[1].startswith("target||")  # nothing of ours has a name for it


def test_the_stop_of_a_position_takes_the_whole_of_it_however_it_grew() -> None:
    exchange = exchange_of(FLAT, FLAT, FALL)
    exchange.place(entry(target=0.0))
    play(exchange, 1)
    exchange.place(entry(stop=96.0, target=0.0, client_id=client_order_id(PLAN, "e", 1)))
    assert play(exchange, 2) == ["1 100.1 0", "1 100.1 0", "-1 95.9 2"]


def test_a_stop_that_is_passed_when_the_entry_fills_is_rejected_and_the_position_is_bare() -> None:
    exchange = exchange_of((90.0, 90.0, 90.0, 90.0))
    heard = exchange.listener = Heard()
    exchange.place(entry(target=0.0))
    assert play(exchange, 1) == ["1 90.1 0"]
    assert "algo REJECTED" in heard.said
    assert list(exchange.open_orders("BTCUSDT", algo=True)) == []


def test_an_entry_that_closes_a_position_protects_nothing() -> None:
    exchange = exchange_of(FLAT, FLAT)
    exchange.place(order("MARKET", -1, 1.0))
    play(exchange, 1)
    exchange.place(entry(client_id=client_order_id(PLAN, "e", 1)))
    assert play(exchange, 1) == ["-1 99.9 0", "1 100.1 1"]
    assert not exchange.books["BTCUSDT"].open


def test_what_an_entry_carries_must_lie_on_its_side_of_the_price() -> None:
    exchange = exchange_of(FLAT)
    for wrong in ({"stop": 100.0}, {"target": 100.0}, {"stop": 101.0, "target": 99.0}):
        assert refusal_of(lambda wrong=wrong: exchange.place(entry(**wrong))) == Refusal.STOP_BEYOND_ENTRY  # type: ignore[misc]
    assert not exchange.orders


def test_the_orders_of_a_position_are_moved_given_and_taken_away() -> None:
    exchange = exchange_of(FLAT, FLAT, FALL)
    move = exchange.set_position_order
    assert refusal_of(lambda: move("BTCUSDT", OrderType.STOP, 95.0)) == Refusal.NOTHING_TO_REDUCE
    exchange.place(entry(stop=0.0, target=0.0))
    play(exchange, 1)
    move("BTCUSDT", OrderType.STOP, 95.0)
    move("BTCUSDT", OrderType.STOP, 97.0)
    move("BTCUSDT", OrderType.TOUCH, 105.0)
    assert refusal_of(lambda: move("BTCUSDT", OrderType.STOP, 100.0)) == Refusal.STOP_PASSED
    assert refusal_of(lambda: move("BTCUSDT", OrderType.TOUCH, 100.0)) == Refusal.STOP_PASSED
    move("BTCUSDT", OrderType.TOUCH, 0.0)
    assert [(one.type.name, one.price) for one in exchange.open_orders(None, algo=True)] == [("STOP", 97.0)]
    assert play(exchange, 2)[-1] == "-1 96.9 1"
    assert exchange.fingerprint_lines()[1].startswith(f"stop|tm{PLAN}s|")


def test_a_stop_that_carries_a_stop_protects_what_it_opens() -> None:
    exchange = exchange_of((100.0, 103.0, 100.0, 103.0), (103.0, 103.0, 97.0, 98.0))
    wish = order("STOP", 1, 1.0, 102.0)._replace(stop=99.0)
    exchange.place(wish)
    assert play(exchange, 2) == ["1 102.1 0", "-1 98.9 1"]
    assert exchange.fingerprint_lines()[1].startswith(f"stop|tm{PLAN}s|")


@pytest.mark.parametrize(("side", "trigger", "price"), [(1, 95.0, 95.1), (-1, 105.0, 104.9)])
def test_a_touch_is_a_market_order_at_a_better_price(side: int, trigger: float, price: float) -> None:
    exchange = exchange_of(BOTH)
    assert refusal_of(lambda: exchange.place(order("TOUCH", -side, 1.0, trigger)._replace(algo=True))) == (
        Refusal.STOP_PASSED
    )
    exchange.place(order("TOUCH", side, 1.0, trigger)._replace(algo=True))
    assert play(exchange, 1) == [f"{side} {price:g} 0"]


def test_a_touch_that_the_open_jumps_over_fills_at_the_open() -> None:
    exchange = exchange_of(FLAT, (90.0, 91.0, 89.0, 90.0))
    exchange.place(order("TOUCH", 1, 1.0, 95.0)._replace(algo=True))
    assert play(exchange, 2) == ["1 90.1 0"]


def test_a_post_only_order_is_never_a_taker() -> None:
    exchange = exchange_of((90.0, 91.0, 89.0, 90.0))
    wish = order("LIMIT", 1, 1.0, 95.0)._replace(post_only=True)
    assert refusal_of(lambda: exchange.place(wish._replace(price=100.0))) == Refusal.WOULD_TAKE
    exchange.place(wish)
    assert play(exchange, 1) == ["1 95 0 maker"]


def test_an_order_is_changed_and_arrives_anew() -> None:
    exchange = exchange_of(FLAT, (98.0, 99.0, 97.0, 98.0), equity=100.0)
    heard = exchange.listener = Heard()
    placed = exchange.place(order("LIMIT", 1, 1.0, 90.0))
    play(exchange, 1)
    exchange.amend(placed, price=99.0, quantity=2.0)
    assert heard.said[-1] == "order AMENDMENT NEW"
    assert refusal_of(lambda: exchange.amend(placed, quantity=6.0)) == Refusal.NO_MARGIN
    assert refusal_of(lambda: exchange.amend(placed, quantity=0.01)) == Refusal.TOO_SMALL
    assert play(exchange, 1) == ["1 98.1 0"]  # it was beyond the price when it arrived: a taker, slipped
    assert refusal_of(lambda: exchange.amend(placed, price=95.0)) == Refusal.NOT_OPEN


def test_what_a_position_pays_at_a_funding_time_is_written_down() -> None:
    from test_exchange import candles, instrument

    rates = {"BTCUSDT": {(START + 1) * 60_000: 0.001, (START + 2) * 60_000: -0.002}}
    exchange = Exchange([instrument()], {"BTCUSDT": candles(FLAT, FLAT)}, START, funding=rates)
    exchange.place(order("MARKET", -1, 2.0))
    play(exchange, 2)
    assert [(one.rate, one.side, one.quantity, one.paid) for one in exchange.funded] == [
        (0.001, -1, 2.0, -0.2),
        (-0.002, -1, 2.0, 0.4),
    ]

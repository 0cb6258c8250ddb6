"""The exchange's watch over stops: how long a position was bare, and whether the market moved meanwhile."""

from __future__ import annotations

from itertools import count

import numpy as np

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import OrderType
from trading_system.rules.records import CANDLE
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.orders import OrderRequest, VenueOrder
from trading_system.simulator.protection import ProtectionWatch

START = 1_700_000_040_000 // 60_000


def still_market() -> Exchange:
    rows = np.zeros(9, CANDLE)
    rows["open_time"] = (START - 1 + np.arange(len(rows))) * 60_000
    for name in ("open", "high", "low", "close"):
        rows[name] = 100.0
    instrument = Instrument("binance_usdm", "BTCUSDT", Grid(1, 10), Grid(1, 1000), 5.0, 0.0005, 0.0002, 0.004)
    return Exchange([instrument], {"BTCUSDT": rows}, START)


def watch_over(exchange: Exchange) -> ProtectionWatch:
    """A watch whose clock goes on by 10 ms whenever it is read."""
    ticks = count(0, 10)
    return ProtectionWatch(exchange.books, lambda: next(ticks))


def buy(exchange: Exchange) -> None:
    exchange.place(OrderRequest("BTCUSDT", 1, OrderType.MARKET, 2.0))
    exchange.advance()


def stop_of(exchange: Exchange, quantity: float) -> VenueOrder:
    return exchange.place(
        OrderRequest("BTCUSDT", -1, OrderType.STOP, quantity, 90.0, f"s{quantity}", reduce_only=True, algo=True)
    )


def test_a_position_waits_from_its_fill_to_the_stop_of_its_whole_size() -> None:
    exchange = still_market()
    watch = watch_over(exchange)
    buy(exchange)
    watch.look()
    stop_of(exchange, 1.5)
    watch.look()
    assert watch.waits_ms == []
    stop_of(exchange, 2.0)
    watch.look()
    watch.before_move()
    assert watch.said() == {"waits_ms": [10], "gaps": 0, "bare_moves": 0}


def test_a_market_that_moves_over_a_bare_position_is_counted() -> None:
    exchange = still_market()
    watch = watch_over(exchange)
    watch.before_move()
    buy(exchange)
    watch.look()
    watch.before_move()
    watch.before_move()
    assert watch.bare_moves == 2


def test_a_stop_that_goes_before_its_successor_is_there_leaves_a_gap() -> None:
    exchange = still_market()
    watch = watch_over(exchange)
    buy(exchange)
    first = stop_of(exchange, 2.0)
    watch.look()
    exchange.cancel(first)
    watch.look()
    stop_of(exchange, 2.0)
    watch.look()
    assert (watch.waits_ms, watch.gaps) == ([], 1)


def test_an_exit_at_market_is_protection_and_a_flat_symbol_needs_none() -> None:
    exchange = still_market()
    watch = watch_over(exchange)
    buy(exchange)
    exchange.place(OrderRequest("BTCUSDT", -1, OrderType.MARKET, 2.0, reduce_only=True))
    watch.look()
    watch.before_move()
    exchange.advance()
    watch.look()
    watch.before_move()
    assert watch.said() == {"waits_ms": [], "gaps": 0, "bare_moves": 0}

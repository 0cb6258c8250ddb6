"""The exchange in memory: when time moves, which orders it takes, and that its fills are those of the account."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from trading_system.rules.account import (
    Account,
    Instant,
    SymbolStep,
    Terms,
    book_fill,
    close_step,
    new_account,
    roll_day,
    settle,
    stop_passed,
)
from trading_system.rules.account import step as account_step
from trading_system.rules.client_ids import canonical, client_order_id
from trading_system.rules.facts import Fact, Fill
from trading_system.rules.grid import Grid, Instrument, text_of
from trading_system.rules.matching import FillRules, Order, OrderType, Role
from trading_system.rules.records import CANDLE
from trading_system.rules.risk import RiskRules
from trading_system.rules.trade_plan import Plan, Target
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.fingerprint import line_of
from trading_system.simulator.orders import OrderRequest, VenueOrder
from trading_system.simulator.refusals import Refusal, RefusedError
from trading_system.simulator.tape import Row, Tape, TapeError

START = 1_700_000_040_000 // 60_000  # a step; what closes with it is already history
PLAN = "abcdefghijklmnop"


def instrument(symbol: str = "BTCUSDT") -> Instrument:
    return Instrument("binance_usdm", symbol, Grid(1, 10), Grid(1, 1000), 5.0, 0.0005, 0.0002, 0.004)


def candles(*rows: tuple[float, float, float, float] | None) -> np.ndarray:
    """One minute before the start at a flat 100, then the given ones; None is a gap."""
    made = np.zeros(len(rows) + 1, CANDLE)
    made["open_time"] = (START - 1 + np.arange(len(rows) + 1)) * 60_000
    for i, row in enumerate(((100.0, 100.0, 100.0, 100.0), *rows)):
        made[i]["gap"] = row is None
        if row is not None:
            for name, price in zip(("open", "high", "low", "close"), row, strict=True):
                made[i][name] = price
            made[i]["volume"] = 2.5
    return made


def exchange_of(*rows: tuple[float, float, float, float] | None, equity: float = 10_000.0) -> Exchange:
    return Exchange([instrument()], {"BTCUSDT": candles(*rows)}, START, equity=equity)


def order(
    kind: str, side: int, quantity: float, price: float = 0.0, role: str = "e", generation: int = 0
) -> OrderRequest:
    return OrderRequest(
        "BTCUSDT",
        side,
        OrderType[kind],
        quantity,
        price,
        client_order_id(PLAN, role, 0),
        reduce_only=role != "e",
        algo=kind == "STOP",
    )


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def minute_closed(self, step: int, symbol: str, row: Row) -> None:
        self.said.append(f"{symbol} closed {step - START} at {row.close}")

    def order_changed(self, order: VenueOrder, execution: str, *_: object) -> None:
        self.said.append(f"order {execution} {order.status}")

    def algo_changed(self, order: VenueOrder, *_: object) -> None:
        self.said.append(f"algo {order.status} {'became an order' if order.child else ''}".strip())

    def account_changed(self, _: str, reason: str, *__: object) -> None:
        self.said.append(f"account {reason}")


def refusal_of(act: Callable[[], object]) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        act()
    return caught.value.reason


def test_an_exchange_forgets_old_trades_and_their_orders_and_counts_on() -> None:
    exchange = exchange_of(*[(100, 101, 99, 100)] * 12)
    for number in range(6):
        exchange.place(OrderRequest("BTCUSDT", 1, OrderType.MARKET, 1.0, client_id=f"in{number}"))
        exchange.advance()
        exchange.place(OrderRequest("BTCUSDT", -1, OrderType.MARKET, 1.0, client_id=f"out{number}", reduce_only=True))
        exchange.advance()
    whole = exchange.fingerprint_lines()
    exchange.forget(3)
    assert exchange.standing().trade == len(whole) == 12
    assert exchange.fingerprint_lines() == whole[-3:]
    assert [trade.id for trade in exchange.trades()] == [10, 11, 12]
    assert exchange.find(algo=False, client_id="out5") is not None
    assert exchange.find(algo=False, client_id="in0") is None


def test_an_exchange_remembers_the_entry_of_a_position_that_could_be_liquidated() -> None:
    exchange = exchange_of((100, 100, 100, 100), (100, 100, 100, 100), (100, 100, 50, 50))
    exchange.place(OrderRequest("BTCUSDT", 1, OrderType.MARKET, 2.0, client_id="in"))
    exchange.advance()
    exchange.place(OrderRequest("BTCUSDT", -1, OrderType.MARKET, 1.0, client_id="part", reduce_only=True))
    exchange.advance()
    exchange.forget(1)
    assert [trade.client_id for trade in exchange.trades()] == ["in", "part"]
    while exchange.standing().trade < 3:
        exchange.advance()
    assert exchange.owner(exchange.trades()[-1]) == "in"


def test_the_market_stands_still_until_it_is_told_to_go_on() -> None:
    exchange = exchange_of((100, 101, 99, 100), (100, 101, 99, 100.5))
    assert exchange.standing() == (START, 0, False)
    assert exchange.advance() == (START + 1, 0, False)
    assert exchange.standing() == (START + 1, 0, False)
    assert exchange.advance() == (START + 2, 0, True)
    assert exchange.advance() == (START + 2, 0, True)


def test_it_advances_through_several_steps_but_stops_at_a_fill() -> None:
    exchange = exchange_of((100, 101, 99, 100), (100, 101, 95, 96), (96, 97, 95, 96))
    exchange.place(order("LIMIT", 1, 1.0, 97.0))
    assert exchange.advance(START + 3) == (START + 1, 1, False)
    assert exchange.advance(START + 3) == (START + 3, 1, True)


def test_a_step_that_is_over_is_not_played_again() -> None:
    exchange = exchange_of((100, 101, 99, 100), (100, 101, 99, 100))
    exchange.advance(START + 1)
    assert exchange.advance(START - 5) == (START + 1, 0, False)


def test_a_market_order_waits_for_the_open_and_is_slipped_by_a_tick() -> None:
    exchange = exchange_of((100.4, 101, 99, 100))
    exchange.place(order("MARKET", 1, 2.0))
    exchange.advance()
    (trade,) = exchange.trades()
    assert (trade.price, trade.time, trade.fee, trade.maker) == (100.5, START * 60_000, 0.1005, False)


def test_a_ladder_fills_at_its_own_prices_and_leaves_the_rest_to_the_stop() -> None:
    exchange = exchange_of((100, 106, 99, 105), (105, 105, 90, 92))
    exchange.place(order("MARKET", 1, 2.0))
    exchange.advance()
    exchange.place(order("STOP", -1, 2.0, 95.0, "s"))
    exchange.place(order("LIMIT", -1, 1.0, 104.0, "1"))
    exchange.place(order("LIMIT", -1, 1.0, 120.0, "2"))
    exchange.advance()
    exchange.advance(START + 2)
    exchange.advance(START + 2)
    assert exchange.fingerprint_lines() == [
        f"entry|tm{PLAN}e|{START * 60_000}|100.1|2|0.1001",
        f"target|tm{PLAN}1|{START * 60_000 + 30_000}|104|1|0.0208",
        f"stop|tm{PLAN}s|{(START + 1) * 60_000 + 15_000}|94.9|1|0.04745",
    ]
    assert exchange.wallet == pytest.approx(10_000 - 0.1001 - 0.0208 - 0.04745 + 3.9 - 5.2)


def test_reduce_only_orders_without_a_position_never_fill() -> None:
    exchange = exchange_of((100, 110, 90, 100), (100, 110, 90, 100))
    exchange.place(order("STOP", -1, 1.0, 95.0, "s"))
    exchange.place(order("LIMIT", 1, 1.0, 92.0))
    exchange.advance()
    assert [trade.price for trade in exchange.trades()] == [92.0]


def test_a_position_without_a_stop_is_liquidated() -> None:
    exchange = exchange_of((100, 101, 99, 100), (90, 91, 70, 75))
    exchange.place(order("MARKET", 1, 1.0))
    exchange.advance(START + 1)
    exchange.advance(START + 2)
    exchange.advance(START + 2)
    assert exchange.books["BTCUSDT"].position.side == 0
    # 100.1 * (1 - 1/5) / (1 - 0.004) = 80.40..., up to the tick: 80.5; sold a tick lower
    assert exchange.fingerprint_lines()[1] == (f"liquidation|tm{PLAN}l|{(START + 1) * 60_000 + 15_000}|80.4|1|0.0402")
    assert exchange.trades()[1].client_id == "autoclose-2"


def test_a_triggered_stop_becomes_an_order_of_its_own() -> None:
    exchange = exchange_of((100, 101, 94, 100), (100, 101, 94, 100))
    heard = exchange.listener = Heard()
    exchange.place(order("MARKET", 1, 1.0))
    exchange.advance()
    stop = exchange.place(order("STOP", -1, 1.0, 95.0, "s"))
    exchange.advance()
    assert heard.said == [
        "order NEW NEW",
        "account ORDER",
        "order TRADE FILLED",
        "algo NEW",
        "algo TRIGGERED became an order",
        "order NEW NEW",
        "account ORDER",
        "order TRADE FILLED",
        "algo FINISHED became an order",
    ]
    child = exchange.orders[stop.child]
    assert child.client_id != stop.client_id
    assert child.parent == stop.number


def test_a_market_exit_that_comes_too_late_expires() -> None:
    exchange = exchange_of((100, 101, 99, 100), (94, 95, 93, 94))
    exchange.place(order("MARKET", 1, 1.0))
    exchange.advance()
    exchange.place(order("STOP", -1, 1.0, 95.0, "s"))
    exchange.advance()
    leave = exchange.place(order("MARKET", -1, 1.0, 0.0, "x"))
    exchange.advance()
    assert [trade.role.name for trade in exchange.trades()] == ["ENTRY", "STOP"]
    assert leave.status == "EXPIRED"


def test_a_gap_says_nothing_and_fills_nothing() -> None:
    exchange = exchange_of(None, (100, 101, 99, 100))
    heard = exchange.listener = Heard()
    exchange.place(order("MARKET", 1, 1.0))
    assert exchange.advance() == (START + 1, 0, False)
    exchange.advance()
    assert heard.said[0] == "order NEW NEW"
    assert exchange.trades()[0].time == (START + 1) * 60_000


def test_funding_is_paid_on_the_position_at_the_close() -> None:
    exchange = Exchange(
        [instrument()],
        {"BTCUSDT": candles((100, 101, 99, 100))},
        START,
        funding={"BTCUSDT": {(START + 1) * 60_000: 0.0001}},
    )
    exchange.place(order("MARKET", 1, 2.0))
    exchange.advance(START + 1)
    exchange.advance(START + 1)
    assert exchange.wallet == 10_000 - 0.1001 - 0.02


def test_orders_that_break_a_rule_are_refused_and_change_nothing() -> None:
    exchange = exchange_of((100, 101, 99, 100), (100, 101, 99, 100), equity=100.0)
    place = exchange.place
    assert refusal_of(lambda: place(order("LIMIT", 1, 0.04, 99.0))) == Refusal.TOO_SMALL
    assert refusal_of(lambda: place(order("MARKET", 1, 5.1))) == Refusal.NO_MARGIN
    assert refusal_of(lambda: place(order("LIMIT", -1, 1.0, 110.0, "1"))) == Refusal.NOTHING_TO_REDUCE
    assert refusal_of(lambda: place(order("STOP", -1, 1.0, 100.0, "s"))) == Refusal.STOP_PASSED
    assert refusal_of(lambda: place(order("STOP", 1, 1.0, 99.0, "s"))) == Refusal.STOP_PASSED
    assert refusal_of(lambda: place(order("MARKET", 1, 1.0)._replace(symbol="ETHUSDT"))) == Refusal.UNKNOWN_SYMBOL
    assert not exchange.orders
    place(order("LIMIT", 1, 1.0, 90.0))
    assert refusal_of(lambda: place(order("LIMIT", 1, 1.0, 90.0))) == Refusal.ID_IN_USE
    everything = order("STOP", -1, 0.0, 80.0, "s")._replace(close_position=True, reduce_only=False)
    place(everything)
    assert refusal_of(lambda: place(everything._replace(client_id="other"))) == Refusal.SECOND_CLOSING_STOP


def test_a_client_id_is_free_again_once_its_order_is_over() -> None:
    exchange = exchange_of((100, 101, 99, 100))
    first = exchange.place(order("LIMIT", 1, 1.0, 90.0))
    exchange.cancel(first)
    second = exchange.place(order("LIMIT", 1, 1.0, 90.0))
    assert exchange.find(algo=False, client_id=first.client_id) is second
    assert refusal_of(lambda: exchange.cancel(first)) == Refusal.NOT_OPEN


def test_the_liquidity_of_one_symbol_waits_while_another_one_reacts() -> None:
    symbols = ("AAAUSDT", "BBBUSDT")
    made = {symbol: candles((100, 101, 99, 100)) for symbol in symbols}
    exchange = Exchange([instrument(symbol) for symbol in reversed(symbols)], made, START)
    for symbol in reversed(symbols):
        exchange.place(order("MARKET", 1, 1.0)._replace(symbol=symbol, client_id=symbol))
    exchange.advance()
    assert [trade.symbol for trade in exchange.trades()] == ["AAAUSDT"]
    exchange.advance()
    assert [trade.symbol for trade in exchange.trades()] == ["AAAUSDT", "BBBUSDT"]
    assert exchange.standing().step == START


def test_candles_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(TapeError, match="every minute"):
        Tape("BTCUSDT", np.delete(candles((1, 1, 1, 1), (1, 1, 1, 1)), 1))
    with pytest.raises(TapeError, match="common span"):
        Exchange(
            [instrument(), instrument("ETHUSDT")],
            {"BTCUSDT": candles((1, 1, 1, 1)), "ETHUSDT": candles()},
            START,
        )
    with pytest.raises(TapeError, match="at least one minute"):
        Tape("BTCUSDT", np.zeros(0, CANDLE))


# --- the account, once in one piece and once over the exchange


class Hand:
    """Makes the exchange hold exactly the orders that the account wants: a stop before the old one is cancelled."""

    def __init__(self, exchange: Exchange, account: Account, terms: Terms) -> None:
        self.exchange, self.account, self.terms = exchange, account, terms
        self.facts: list[Fact] = []
        self._live: dict[str, tuple[object, VenueOrder]] = {}
        self._sent: dict[str, int] = {}
        self._booked = 0

    def play(self, instants: list[Instant]) -> None:
        for instant in instants:
            self.account = roll_day(self.account, instant.time - 60_000)
            while self.exchange.step < instant.time // 60_000:
                self.exchange.advance()
                self._book(instant.time)
            self.account = close_step(self.account, instant, self.terms, self.facts)
            for place in range(len(self.terms.instruments)):
                self._agree(place, instant.time)

    def _book(self, time: int) -> None:
        for trade in self.exchange.trades()[self._booked :]:
            self._booked += 1
            _, name, *_ = line_of(trade, self.exchange.owner(trade)).split("|")
            place = [each.symbol for each in self.terms.instruments].index(trade.symbol)
            fill = Fill(trade.time, trade.symbol, name, name[-1], trade.role, trade.price, trade.quantity, trade.fee)
            self.account = book_fill(self.account, place, fill, self.terms, self.facts)
            point = self.exchange.books[trade.symbol].last
            self.account = settle(self.account, place, time, self.terms, self.facts, point=point)
            self._agree(place, time)

    def _agree(self, place: int, time: int) -> None:
        symbol = self.terms.instruments[place].symbol
        wanted = {want.id: want for want in self.account.slots[place].orders}
        old = {id_: live for id_, live in self._live.items() if live[1].symbol == symbol and live[1].open}
        for id_, want in wanted.items():
            if id_ in old and old[id_][0] == want:
                continue
            try:
                self._live[id_] = (want, self._send(place, want))
            except RefusedError as refusal:
                if refusal.reason != Refusal.STOP_PASSED:
                    raise
                self.account = settle(stop_passed(self.account, place), place, time, self.terms, self.facts)
                self._agree(place, time)
                return
        for id_, (want, live) in old.items():
            if (id_ not in wanted or wanted[id_] != want) and live.open:
                self._take_back(live)

    def _send(self, place: int, want: Order) -> VenueOrder:
        generation = self._sent[want.id] = self._sent.get(want.id, -1) + 1
        return self.exchange.place(
            OrderRequest(
                self.terms.instruments[place].symbol,
                want.side,
                want.type,
                want.quantity,
                want.price,
                client_order_id(want.id[2:-1], want.id[-1], generation),
                reduce_only=want.reduce_only,
                algo=want.type == OrderType.STOP,
                stop=self._carried(place, want),
            )
        )

    def _take_back(self, order: VenueOrder) -> None:
        self.exchange.cancel(order)

    def _carried(self, place: int, want: Order) -> float:
        del place, want
        return 0.0


class PositionHand(Hand):
    """Lets each entry carry its stop, which is a price of the position from then on."""

    def _send(self, place: int, want: Order) -> VenueOrder:
        if want.type != OrderType.STOP:
            return super()._send(place, want)
        symbol = self.terms.instruments[place].symbol
        self.exchange.set_position_order(symbol, OrderType.STOP, want.price)
        stop = self.exchange.books[symbol].held_by_position(OrderType.STOP)
        assert stop is not None
        return stop

    def _take_back(self, order: VenueOrder) -> None:
        if not order.entry:  # a stop was moved, and goes with its position
            self.exchange.cancel(order)

    def _carried(self, place: int, want: Order) -> float:
        trade = self.account.slots[place].trade
        assert trade is not None
        return trade.stop if want.role == Role.ENTRY else 0.0


def random_walk(chance: random.Random, minutes: int) -> np.ndarray:
    made = np.zeros(minutes + 1, CANDLE)
    made["open_time"] = (START - 1 + np.arange(minutes + 1)) * 60_000
    price = 1000
    for i in range(minutes + 1):
        path = [price := max(200, price + chance.randint(-9, 9)) for _ in range(4)]
        made[i]["gap"] = i > 0 and chance.random() < 0.03
        if not made[i]["gap"]:
            for name, units in zip(
                ("open", "high", "low", "close"), (path[0], max(path), min(path), path[3]), strict=True
            ):
                made[i][name] = units / 10
            made[i]["volume"] = 1.0
    return made


def random_plan(chance: random.Random, symbol: str, time: int, price: float, number: int) -> Plan:
    side = chance.choice((1, -1))
    entry_type = chance.choice(("limit", "market"))
    units = round(price * 10) - side * (0 if entry_type == "market" else chance.randint(0, 12))
    weights = chance.choice(((1.0,), (0.5, 0.5), (0.5, 0.3, 0.2)))
    targets = tuple(Target((units + side * 6 * (i + 1)) / 10, weight) for i, weight in enumerate(weights))
    plan_id = "".join("abcdefghijklmnopqrstuvwxyz"[number // 26**k % 26] for k in range(16))
    stop = (units - side * chance.randint(4, 15)) / 10
    shape = (symbol, "1m", "order_block", side, time - 60_000, time, entry_type, units / 10, stop, targets)
    expires, time_stop = time + 60_000 * chance.randint(1, 8), chance.choice((0, 180_000))
    return Plan(plan_id, "binance_usdm", *shape, 0.1, 1.0, 50, (), expires, time_stop, "")


@pytest.mark.parametrize("held_by", [Hand, PositionHand])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "rules", [FillRules(), FillRules(slippage_ticks=0, limit_fill="touch"), FillRules(walk="nearest")], ids=str
)
def test_trades_over_the_exchange_are_those_of_the_account(seed: int, rules: FillRules, held_by: type[Hand]) -> None:
    chance = random.Random(seed)
    symbols = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
    made = {symbol: random_walk(chance, 250) for symbol in symbols}
    instruments = tuple(instrument(symbol) for symbol in symbols)
    terms = Terms(instruments, RiskRules(max_positions=2, day_loss_pct=90.0, drawdown_pct=90.0), rules)
    instants, number = [], 0
    for i in range(1, 251):
        time, symbols_said = (START + i) * 60_000, {}
        for place, symbol in enumerate(symbols):
            row = Row._make(made[symbol][i].tolist())
            plans: tuple[Plan, ...] = ()
            if not row.gap and chance.random() < 0.2:
                number += 1
                plans = (random_plan(chance, symbol, time, row.close, number),)
            symbols_said[place] = SymbolStep(row.minute, plans)
        instants.append(Instant(time, i % 15 == 0, symbols_said))
    begun = new_account(10_000.0, 3, START * 60_000)
    account, facts = begun, []
    for instant in instants:
        account, more = account_step(account, instant, terms)
        facts += more
    fills = [fact for fact in facts if isinstance(fact, Fill)]
    exchange = Exchange(instruments, made, START, rules, leverage=5, equity=10_000.0)
    hand = held_by(exchange, begun, terms)
    hand.play(instants)
    kinds = {"e": "entry", "s": "stop", "x": "exit", "l": "liquidation"}
    expected = [
        f"{kinds.get(fill.name, 'target')}|{fill.id}|{fill.time}|{text_of(fill.price)}|{text_of(fill.quantity)}|"
        f"{text_of(fill.fee)}"
        for fill in fills
    ]
    assert len(expected) > 60
    assert exchange.fingerprint_lines() == expected
    assert hand.account.wallet == account.wallet
    assert exchange.wallet == account.wallet
    assert {canonical(trade.client_id) for trade in exchange.trades() if trade.maker}

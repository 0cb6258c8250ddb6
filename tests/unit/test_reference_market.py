"""The slow reference against the product on random minutes: every fill, resting order and cent must be the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

import pytest
from product_trade import START_EQUITY, ProductTrade
from reference_market import Bracket, Hit, ReferenceMarket, ReferenceTrade, every_point, money, number_at, ticks_of

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import FillRules, Minute, Order, OrderType, Role, next_match, start_walk
from trading_system.rules.trade import liquidation_price

START = 1_700_000_040_000
GRIDS = (Grid(1, 1), Grid(1, 2), Grid(1, 10), Grid(1, 20), Grid(1, 100), Grid(25, 1))
CENTRE = 100
"""Prices wander around this many ticks: coarse enough that every tie happens."""


@dataclass(frozen=True)
class Play:
    """One random trade and its minutes; ``funding`` is the rate due at the end of each minute, or None."""

    bracket: Bracket
    instrument: Instrument
    rules: FillRules
    minutes: tuple[Minute, ...]
    funding: tuple[float | None, ...]


def random_minutes(random: Random, tick: Grid, count: int, *, off_grid: bool) -> tuple[Minute, ...]:
    """Return a random walk of minutes with jumps between them, some flat ones and some gaps."""
    minutes = []
    last = Fraction(CENTRE + random.randint(-4, 4))
    for place in range(count):
        opens_at = START + 60_000 * place
        if random.random() < 0.1:
            minutes.append(Minute(opens_at, 0.0, 0.0, 0.0, 0.0, gap=True))
            continue
        jump = random.choice((0, 0, 0, 1, -1, random.randint(-9, 9)))
        start = last + jump + (Fraction(random.randint(0, 3), 4) if off_grid else 0)
        spread = random.choice((0, 1, 2, 4, 8, 14))
        close = start + random.randint(-spread, spread)
        high = max(start, close) + random.randint(0, spread) // random.randint(1, 3)
        low = min(start, close) - random.randint(0, spread) // random.randint(1, 3)
        minutes.append(Minute(opens_at, *(number_at(price, tick) for price in (start, high, low, close))))
        last = close
    return tuple(minutes)


def random_play(random: Random) -> Play:
    """Return a long or short trade close to the market, with one to three targets, and about a dozen minutes."""
    tick = random.choice(GRIDS)
    side = random.choice((1, -1))
    entry_type = random.choice(("limit", "limit", "market"))
    entry = CENTRE + random.randint(-5, 5)
    steps_out = sorted(random.randint(1, 9) for _ in range(random.randint(1, 3)))
    weights = random.choice(((0.5, 0.3, 0.2), (1 / 3, 1 / 3, 1 / 3), (0.1, 0.1, 0.8), (0.8, 0.1, 0.1)))[
        : len(steps_out)
    ]
    shares = [weight / sum(weights) for weight in weights]
    step = random.choice((Grid(1, 1), Grid(1, 10), Grid(1, 1000)))
    count = random.randint(3, 14)
    bracket = Bracket(
        side=side,
        entry_type=entry_type,
        entry=number_at(entry, tick),
        stop=number_at(entry - side * random.randint(1, 7), tick),
        targets=tuple(
            (number_at(entry + side * out, tick), share) for out, share in zip(steps_out, shares, strict=True)
        ),
        quantity=number_at(random.randint(1, 40), step),
        expires_at=random.choice((0, START + 60_000 * random.randint(1, count))),
        time_stop=random.choice((0, 60_000 * random.randint(1, 6))) if entry_type == "market" else 0,
        leverage=random.choice((1, 2, 3, 5, 10, 15)),
    )
    unit = number_at(CENTRE, tick) * number_at(1, step)
    instrument = Instrument(
        "binance_usdm",
        "COINUSDT",
        tick,
        step,
        random.choice((0.0, 2.5 * unit, 6.0 * unit)),
        0.0005,
        0.0002,
        random.choice((0.0, 0.004, 0.01)),
    )
    rules = FillRules(
        random.choice((0, 1, 1, 1, 3)),
        random.choice(("through", "through", "touch")),
        random.choice(("unkind", "unkind", "nearest")),
    )
    minutes = random_minutes(random, tick, count, off_grid=random.random() < 0.2)
    funding = tuple(random.choice((None, None, 0.0001, -0.0003)) for _ in minutes)
    return Play(bracket, instrument, rules, minutes, funding)


def first_difference(play: Play, product_rules: FillRules | None = None) -> tuple[str, Counter[Role]]:
    """Play both sides minute by minute; return the first difference in words ("" for none) and what filled."""
    slow = ReferenceTrade(play.bracket, play.instrument, play.rules)
    fast = ProductTrade(play.bracket, play.instrument, product_rules or play.rules, START)
    wallet, booked, met = START_EQUITY, 0, Counter[Role]()
    for minute, rate in zip(play.minutes, play.funding, strict=True):
        expected = [
            (one.time, one.role, one.target, one.price, one.quantity, one.fee) for one in slow.minute(minute, rate)
        ]
        got = [
            (one.time, one.role, int(one.name) if one.name.isdigit() else 0, one.price, one.quantity, one.fee)
            for one in fast.minute(minute, rate)
        ]
        met.update(row[1] for row in expected)
        if got != expected:
            return f"fills in {minute}: reference {expected}, product {got}", met
        for amount in slow.cash[booked:]:
            wallet += amount
        booked = len(slow.cash)
        if fast.account.wallet != wallet:
            return f"wallet after {minute}: reference {wallet!r}, product {fast.account.wallet!r}", met
        if fast.state != slow.state:
            return f"state after {minute}: reference {slow.state}, product {fast.state}", met
        wanted, resting = resting_rows(slow.market.orders()), resting_rows(fast.account.slots[0].orders)
        if resting != wanted:
            return f"orders after {minute}: reference {wanted}, product {resting}", met
    return "", met


def resting_rows(orders: Sequence[Order]) -> list[tuple[int, int, int, float, float]]:
    """Return what rests, without names; the venue's own liquidation is no order of ours."""
    rows = [
        (int(one.role), int(one.type), one.side, one.price, one.quantity)
        for one in orders
        if one.role != Role.LIQUIDATION
    ]
    return sorted(rows)


def assert_same_trades(seed: int, count: int) -> None:
    random = Random(seed)
    for number in range(count):
        play = random_play(random)
        difference, _ = first_difference(play)
        assert not difference, f"trade {number} of seed {seed}: {difference}\n{play}"


@pytest.mark.parametrize("seed", range(10))
def test_random_trades_fill_the_same_in_the_product_and_in_the_reference(seed: int) -> None:
    assert_same_trades(seed, 120)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 108))
def test_thousands_of_random_trades_fill_the_same_in_the_product_and_in_the_reference(seed: int) -> None:
    assert_same_trades(seed, 1000)


def test_the_random_trades_reach_every_role_and_every_way_to_end() -> None:
    random, met, ended = Random(7), Counter[Role](), Counter[str]()
    for _ in range(500):
        play = random_play(random)
        trade = ReferenceTrade(play.bracket, play.instrument, play.rules)
        for minute, rate in zip(play.minutes, play.funding, strict=True):
            met.update(fill.role for fill in trade.minute(minute, rate))
        ended[trade.state] += 1
    assert min(met[role] for role in Role) >= 10, met
    assert set(ended) == {"waiting", "open", "closed", "withdrawn"}, ended


@pytest.mark.parametrize(
    "wrong",
    [
        {"slippage_ticks": 2},
        {"limit_fill": "touch"},
        {"walk": "nearest"},
    ],
)
def test_a_market_that_is_wrong_in_one_rule_is_found(wrong: dict[str, object]) -> None:
    random, right = Random(11), FillRules()
    differences = 0
    for _ in range(150):
        play = replace(random_play(random), rules=right)
        differences += first_difference(play, right._replace(**wrong))[0] != ""
    assert differences >= 10


def random_orders(random: Random, tick: Grid, held: int) -> list[Order]:
    """Return up to six orders close to the market: exits of a position, or entries of one side."""
    orders = []
    side = held or random.choice((1, -1))
    kinds = (
        [(Role.LIQUIDATION, OrderType.STOP), (Role.STOP, OrderType.STOP), (Role.EXIT, OrderType.MARKET)]
        + [(Role.TARGET, OrderType.LIMIT)] * 4
        if held
        else [(Role.ENTRY, OrderType.LIMIT)] * 3 + [(Role.ENTRY, OrderType.MARKET), (Role.ENTRY, OrderType.STOP)]
    )
    for born in range(1, random.randint(2, 7)):
        role, kind = random.choice(kinds)
        price = 0.0 if kind == OrderType.MARKET else number_at(CENTRE + random.randint(-8, 8), tick)
        orders.append(Order(f"o{born}", role, kind, -side if held else side, price, 1.0, born))
    return orders


def protection(filled: Order, number: int, tick: Grid, random: Random) -> Order | None:
    """Return the order that a trade might send in answer to a fill: a stop or a market exit, or nothing."""
    role, kind = random.choice(((Role.STOP, OrderType.STOP), (Role.EXIT, OrderType.MARKET)))
    if role >= filled.role or random.random() < 0.4:
        return None
    side = -filled.side if filled.role == Role.ENTRY else filled.side
    price = 0.0 if kind == OrderType.MARKET else number_at(CENTRE + random.randint(-8, 8), tick)
    return Order(f"p{number}", role, kind, side, price, 1.0, 100 + number)


def slow_hits(
    minute: Minute, orders: Sequence[Order], seen: int, held: int, tick: Grid, rules: FillRules, random: Random
) -> list[tuple[str, float, bool, int]]:
    market = ReferenceMarket(tick, rules)
    for order in orders:
        market.place(order)
        market.resting[-1].arriving = order.born > seen
    answers = 0

    def react(hit: Hit) -> None:
        nonlocal answers, held
        answers += 1
        held = hit.order.side if hit.order.role == Role.ENTRY else held
        answer = protection(hit.order, answers, tick, random)
        if answer is not None:
            market.place(answer)

    return [(hit.order.id, hit.price, hit.maker, hit.time) for hit in market.walk(minute, lambda: held, react)]


def fast_hits(
    minute: Minute, orders: Sequence[Order], seen: int, held: int, tick: Grid, rules: FillRules, random: Random
) -> list[tuple[str, float, bool, int]]:
    left, hits = list(orders), []
    walk = start_walk(minute, seen)
    while True:
        walk, match = next_match(walk, left, held, tick, rules)
        if match is None:
            return hits
        hits.append((match.order.id, match.price, match.maker, match.time))
        left.remove(match.order)
        held = match.order.side if match.order.role == Role.ENTRY else held
        answer = protection(match.order, len(hits), tick, random)
        if answer is not None:
            left.append(answer)


@pytest.mark.parametrize("seed", range(6))
def test_any_set_of_orders_meets_the_path_in_the_same_order(seed: int) -> None:
    random = Random(1000 + seed)
    for _ in range(250):
        tick, held = random.choice(GRIDS), random.choice((1, -1, 0))
        rules = FillRules(
            random.choice((0, 1, 2)), random.choice(("through", "touch")), random.choice(("unkind", "nearest"))
        )
        orders = random_orders(random, tick, held)
        seen = random.randint(0, len(orders))
        (minute,) = random_minutes(random, tick, 1, off_grid=random.random() < 0.3)
        answers = random.randrange(1 << 30)
        arguments = (minute, orders, seen, held, tick, rules)
        assert fast_hits(*arguments, Random(answers)) == slow_hits(*arguments, Random(answers)), arguments


def test_two_extremes_equally_near_in_ticks_are_equally_near_on_every_grid() -> None:
    rules = FillRules(walk="nearest")
    for tick in GRIDS:
        for start in range(90, 110):
            minute = Minute(START, *(number_at(price, tick) for price in (start, start + 2, start - 2, start)))
            orders = [
                Order("t", Role.TARGET, OrderType.LIMIT, -1, number_at(start + 1, tick), 1.0, 1),
                Order("s", Role.STOP, OrderType.STOP, -1, number_at(start - 1, tick), 1.0, 2),
            ]
            first = next_match(start_walk(minute, 2), orders, 1, tick, rules)[1]
            assert first is not None
            assert first.order.id == "t", (tick, minute)


@pytest.mark.parametrize(
    ("side", "entry", "leverage", "maintenance", "expected"),
    [
        (1, 99.6, 5, 0.004, 80.0),  # 99.6 * 0.8 / 0.996
        (-1, 100.4, 5, 0.004, 120.0),  # 100.4 * 1.2 / 1.004
        (1, 225.3, 3, 0.0, 150.2),  # 225.3 * 2 / 3
        (-1, 111.6, 3, 0.0, 148.8),  # 111.6 * 4 / 3
        (1, 100.0, 5, 0.004, 80.4),  # 80.32..., up
        (-1, 100.0, 5, 0.004, 119.5),  # 119.52..., down
    ],
)
def test_a_liquidation_price_that_lies_on_the_grid_stays_there(
    side: int, entry: float, leverage: int, maintenance: float, expected: float
) -> None:
    instrument = Instrument("binance_usdm", "COINUSDT", Grid(1, 10), Grid(1, 10), 5.0, 0.0005, 0.0002, maintenance)
    bracket = Bracket(side, "limit", entry, entry - side, ((entry + side, 1.0),), 1.0, leverage=leverage)
    trade = ReferenceTrade(bracket, instrument, entry_price=entry)
    assert trade.liquidation() == expected
    assert liquidation_price(side, entry, float(leverage), instrument) == expected


@pytest.mark.parametrize(
    ("start", "end", "points"),
    [
        (Fraction(2), Fraction(5), [3, 4, 5]),
        (Fraction(5), Fraction(2), [4, 3, 2]),
        (Fraction(5, 2), Fraction(4), [3, 4]),
        (Fraction(4), Fraction(5, 2), [3, Fraction(5, 2)]),
        (Fraction(5, 2), Fraction(1), [2, 1]),
        (Fraction(3), Fraction(3), []),
    ],
)
def test_the_reference_steps_on_every_tick_of_a_leg(start: Fraction, end: Fraction, points: list[Fraction]) -> None:
    assert list(every_point(start, end)) == points


def test_the_reference_reads_numbers_as_their_decimal_texts() -> None:
    assert ticks_of(0.3, Grid(1, 10)) == 3
    assert number_at(3, Grid(1, 10)) == 0.3
    assert money(0.123456785000001) == 0.12345679
    assert money(2.5e-8) == 2e-8

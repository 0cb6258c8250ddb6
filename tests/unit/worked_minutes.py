"""Minutes worked by hand: what is wanted, what the market does, and the fills that must follow, each with its reason.

Most cases trade ten coins around 100 on a grid of one: entry 100, stop five away, targets at 5, 10 and 15 from it with
5, 3 and 2 coins. Fees: taker 0.05 %, maker 0.02 %. Slippage: one tick. The orders are placed at the end of the minute
before the first, so they arrive at the open of minute 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reference_market import Bracket

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import FillRules, Role

Prices = tuple[float, float, float, float]
"""Open, high, low, close; ``GAP`` stands for a minute without any."""

GAP = None
START = 1_700_000_040_000
MINUTE = 60_000

COIN = Instrument("binance_usdm", "COINUSDT", Grid(1, 1), Grid(1, 10), 5.0, 0.0005, 0.0002, 0.004)
LADDER_UP = ((105.0, 0.5), (110.0, 0.3), (115.0, 0.2))
LADDER_DOWN = ((95.0, 0.5), (90.0, 0.3), (85.0, 0.2))
LONG = Bracket(1, "limit", 100.0, 95.0, LADDER_UP, 10.0)
SHORT = Bracket(-1, "limit", 100.0, 105.0, LADDER_DOWN, 10.0)
LONG_AT_MARKET = Bracket(1, "market", 100.0, 95.0, LADDER_UP, 10.0)
SHORT_AT_MARKET = Bracket(-1, "market", 100.0, 105.0, LADDER_DOWN, 10.0)

BUYS: Prices = (102, 103, 99, 101)  # a waiting long: up to 103, then through 100 to 99 on the second leg, then 101
SELLS: Prices = (98, 101, 97, 99)  # its mirror


@dataclass(frozen=True)
class Expected:
    """One fill. ``at`` is (minute, seconds): 0 at the open, 15, 30, 45 on the three legs."""

    at: tuple[int, int]
    role: Role
    price: float
    quantity: float
    fee: float
    target: int = 0


@dataclass(frozen=True)
class Worked:
    """One case: what trades, the minutes, the fills, how the trade stands then, and what the wallet gained."""

    name: str
    why: str
    bracket: Bracket
    minutes: tuple[Prices | None, ...]
    fills: tuple[Expected, ...]
    state: str
    wallet: float
    rules: FillRules = field(default_factory=FillRules)
    instrument: Instrument = COIN
    funding: tuple[tuple[int, float], ...] = ()


def entry(minute: int, seconds: int, price: float, fee: float) -> Expected:
    return Expected((minute, seconds), Role.ENTRY, price, 10.0, fee)


def target(number: int, minute: int, seconds: int, price: float, quantity: float, fee: float) -> Expected:
    return Expected((minute, seconds), Role.TARGET, price, quantity, fee, number)


def stop(minute: int, seconds: int, price: float, quantity: float, fee: float) -> Expected:
    return Expected((minute, seconds), Role.STOP, price, quantity, fee)


def leave(minute: int, seconds: int, price: float, quantity: float, fee: float) -> Expected:
    return Expected((minute, seconds), Role.EXIT, price, quantity, fee)


def liquidated(minute: int, seconds: int, price: float, fee: float) -> Expected:
    return Expected((minute, seconds), Role.LIQUIDATION, price, 10.0, fee)


# Fees that come up again and again, for 10 coins:
#   maker at 100: 100 * 10 * 0.0002 = 0.2      taker at 94: 94 * 10 * 0.0005 = 0.47
#   taker at 106: 106 * 10 * 0.0005 = 0.53     taker at 101: 101 * 10 * 0.0005 = 0.505
BOUGHT = entry(0, 30, 100, 0.2)
SOLD = entry(0, 30, 100, 0.2)

# One case, one glance.
# fmt: off
ENTRIES = (
    Worked(
        "a limit that is touched but not traded through waits",
        "The low is the limit itself; others stood before us in the queue.",
        LONG, ((102, 103, 100, 101),), (), "waiting", 0.0,
    ),
    Worked(
        "in touch mode the touch is enough",
        "The high comes first for a waiting long, so the touch is on the second leg.",
        LONG, ((102, 103, 100, 101),), (BOUGHT,), "open", -0.2, FillRules(limit_fill="touch"),
    ),
    Worked(
        "one tick through the limit fills it at its own price as maker",
        "99 is one tick through 100.",
        LONG, (BUYS,), (BOUGHT,), "open", -0.2,
    ),
    Worked(
        "a short waits for one tick above its limit",
        "The low comes first for a waiting short; 101 is reached on the second leg.",
        SHORT, (SELLS,), (SOLD,), "open", -0.2,
    ),
    Worked(
        "a limit that has waited gets no better price from a gap",
        "The open at 97 is through 100; it fills there at 100 and the seller keeps the difference.",
        LONG, ((102, 103, 101, 101), (97, 98, 96, 97)), (entry(1, 0, 100, 0.2),), "open", -0.2,
    ),
    Worked(
        "a limit that arrives below the market price is a taker at the slipped open",
        "Open 98 slips to 99, better than 100: 99 * 10 * 0.0005 = 0.495.",
        LONG, ((98, 99, 97, 98),), (entry(0, 0, 99, 0.495),), "open", -0.495,
    ),
    Worked(
        "a limit that arrives at its own price never pays more than it said",
        "Open 100 would slip to 101, the limit caps it at 100, as taker: 100 * 10 * 0.0005 = 0.5.",
        LONG, ((100, 102, 99, 101),), (entry(0, 0, 100, 0.5),), "open", -0.5,
    ),
    Worked(
        "a market entry takes the open and one tick",
        "Bought at 100 + 1.",
        LONG_AT_MARKET, ((100, 102, 99, 100),), (entry(0, 0, 101, 0.505),), "open", -0.505,
    ),
    Worked(
        "a market entry sells one tick below the open",
        "Sold at 100 - 1: 99 * 10 * 0.0005 = 0.495.",
        SHORT_AT_MARKET, ((100, 102, 99, 100),), (entry(0, 0, 99, 0.495),), "open", -0.495,
    ),
    Worked(
        "a gap has no prices to fill at",
        "The market entry keeps arriving and takes the open of the next minute that has one.",
        LONG_AT_MARKET, (GAP, (100, 101, 99, 100)), (entry(1, 0, 101, 0.505),), "open", -0.505,
    ),
    Worked(
        "an open off the grid slips from the tick against us",
        "100.4 is 101 for a buyer, and one tick on is 102: 102 * 10 * 0.0005 = 0.51.",
        LONG_AT_MARKET, ((100.4, 103, 99, 101),), (entry(0, 0, 102, 0.51),), "open", -0.51,
    ),
    Worked(
        "a waiting long is walked up first, so an early high earns nothing",
        "106 would pay the first target, but it comes before the entry at the low.",
        LONG, ((102, 106, 99, 101),), (BOUGHT,), "open", -0.2,
    ),
    Worked(
        "an entry can fill in the minute that ends with its time",
        "It expires at the end of minute 1 and rests until then.",
        Bracket(1, "limit", 100.0, 95.0, LADDER_UP, 10.0, expires_at=START + 2 * MINUTE),
        ((102, 103, 101, 102), BUYS), (entry(1, 30, 100, 0.2),), "open", -0.2,
    ),
    Worked(
        "an expired entry is gone, and a gap runs the calendar on",
        "It expires at the end of the gap; minute 2 trades through 100 in vain.",
        Bracket(1, "limit", 100.0, 95.0, LADDER_UP, 10.0, expires_at=START + 2 * MINUTE),
        ((102, 103, 101, 102), GAP, BUYS), (), "withdrawn", 0.0,
    ),
    Worked(
        "an entry whose first target came before it is taken back",
        "105 was seen while the entry waited; minute 1 trades through 100 in vain.",
        LONG, ((102, 105, 101, 102), BUYS), (), "withdrawn", 0.0,
    ),
)

STOPS = (
    Worked(
        "entry and stop in one minute",
        "Second leg: through 100 at 99, then the stop 95 sells at 94. Loss 6 * 10 = 60.",
        LONG, ((102, 103, 94, 96),), (BOUGHT, stop(0, 30, 94, 10, 0.47)), "closed", -60.67,  # -0.2 - 60 - 0.47
    ),
    Worked(
        "a short's entry and stop in one minute",
        "Second leg: through 100 at 101, then the stop 105 buys at 106. Loss 6 * 10 = 60.",
        SHORT, ((98, 106, 97, 104),), (SOLD, stop(0, 30, 106, 10, 0.53)), "closed", -60.73,  # -0.2 - 60 - 0.53
    ),
    Worked(
        "a gap beyond the stop fills at the open",
        "Open 92 slips to 91, not 94: loss 9 * 10 = 90, fee 91 * 10 * 0.0005 = 0.455.",
        LONG, (BUYS, (92, 96, 90, 94)), (BOUGHT, stop(1, 0, 91, 10, 0.455)), "closed", -90.655,
    ),
    Worked(
        "a gap beyond a short's stop fills at the open",
        "Open 108 slips to 109: loss 9 * 10 = 90, fee 109 * 10 * 0.0005 = 0.545.",
        SHORT, (SELLS, (108, 109, 104, 105)), (SOLD, stop(1, 0, 109, 10, 0.545)), "closed", -90.745,
    ),
    Worked(
        "a stop fires at the exact low",
        "A stop needs its trigger, not one tick more.",
        LONG, (BUYS, (101, 102, 95, 97)), (BOUGHT, stop(1, 15, 94, 10, 0.47)), "closed", -60.67,
    ),
    Worked(
        "a low one tick above the stop leaves it",
        "96 is not 95.",
        LONG, (BUYS, (101, 102, 96, 97)), (BOUGHT,), "open", -0.2,
    ),
    Worked(
        "a minute that reaches stop and target pays the stop",
        "With a long the low comes first, on the first leg.",
        LONG, (BUYS, (101, 107, 94, 101)), (BOUGHT, stop(1, 15, 94, 10, 0.47)), "closed", -60.67,
    ),
    Worked(
        "a minute that reaches a short's stop and target pays the stop",
        "With a short the high comes first.",
        SHORT, (SELLS, (99, 106, 93, 99)), (SOLD, stop(1, 15, 106, 10, 0.53)), "closed", -60.73,
    ),
    Worked(
        "a stop that is already passed becomes a market exit",
        "The gap to 94 fills the entry at 100 and lies beyond 95: out at 93, 7 * 10 = 70, 93 * 10 * 0.0005 = 0.465.",
        LONG, ((102, 103, 101, 101), (94, 97, 93, 96)), (entry(1, 0, 100, 0.2), leave(1, 0, 93, 10, 0.465)), "closed",
        -70.665,
    ),
    Worked(
        "a market entry that opens exactly on its stop leaves at once",
        "At 95 the stop would fire: in at 96 (0.48), out at 94 (0.47), 2 * 10 lost to slippage.",
        LONG_AT_MARKET, ((95, 100, 95, 99),), (entry(0, 0, 96, 0.48), leave(0, 0, 94, 10, 0.47)), "closed", -20.95,
    ),
    Worked(
        "what fills at the open decides which way the walk goes",
        "Taker at 99 at the open; now a long is held, so 94 comes before 106. Loss 5 * 10, fees 0.495 + 0.47.",
        LONG, ((98, 107, 94, 96),), (entry(0, 0, 99, 0.495), stop(0, 15, 94, 10, 0.47)), "closed", -50.965,
    ),
    Worked(
        "a stop waits through a gap and fills at the open after it",
        "Minute 1 has no prices; minute 2 opens at 92.",
        LONG, (BUYS, GAP, (92, 96, 90, 94)), (BOUGHT, stop(2, 0, 91, 10, 0.455)), "closed", -90.655,
    ),
    Worked(
        "a print is a minute of four equal prices",
        "99 fills the entry as maker, 95 fires the stop; both at an open.",
        LONG, ((102, 102, 102, 102), (99, 99, 99, 99), (95, 95, 95, 95)),
        (entry(1, 0, 100, 0.2), stop(2, 0, 94, 10, 0.47)), "closed", -60.67,
    ),
    Worked(
        "an open off the grid sells from the tick below",
        "93.6 is 93 for a seller, slipped 92: 8 * 10 = 80, 92 * 10 * 0.0005 = 0.46.",
        LONG, (BUYS, (93.6, 97, 93, 96)), (BOUGHT, stop(1, 0, 92, 10, 0.46)), "closed", -80.66,
    ),
    Worked(
        "slippage is a setting",
        "Three ticks: the stop 95 sells at 92.",
        LONG, (BUYS, (101, 102, 95, 97)), (BOUGHT, stop(1, 15, 92, 10, 0.46)), "closed", -80.66,
        FillRules(slippage_ticks=3),
    ),
)

# Fees of the ladder, as maker:
#   up:   105 * 5 * 0.0002 = 0.105    110 * 3 * 0.0002 = 0.066    115 * 2 * 0.0002 = 0.046
#   down:  95 * 5 * 0.0002 = 0.095     90 * 3 * 0.0002 = 0.054     85 * 2 * 0.0002 = 0.034
# Gains of the ladder: 5 * 5 = 25, 10 * 3 = 30, 15 * 2 = 30.
TARGETS = (
    Worked(
        "a target that is touched but not traded through waits",
        "105 is the target itself.",
        LONG, (BUYS, (101, 105, 100, 104)), (BOUGHT,), "open", -0.2,
    ),
    Worked(
        "in touch mode a touched target is filled",
        "First leg down to 100, second up to 105.",
        LONG, (BUYS, (101, 105, 101, 104)), (BOUGHT, target(1, 1, 30, 105, 5, 0.105)), "open", 24.695,
        FillRules(limit_fill="touch"),
    ),
    Worked(
        "entry and first target in one minute, then break-even in the next",
        "Third leg: 106 pays 105. The stop is at 100 now; minute 1 falls to it: 99, 1 * 5 lost, 99 * 5 * 0.0005 "
        "= 0.2475.",
        LONG, ((102, 103, 99, 106), (106, 106, 100, 101)),
        (BOUGHT, target(1, 0, 45, 105, 5, 0.105), stop(1, 15, 99, 5, 0.2475)), "closed", 19.4475,
        # -0.2 + 25 - 0.105 - 5 - 0.2475
    ),
    Worked(
        "ladder and break-even in one minute",
        "Down to 101, up to 112: two targets; down again to 100: the rest at 99, 1 * 2 lost, 99 * 2 * 0.0005 = 0.099.",
        LONG, (BUYS, (101, 112, 101, 100)),
        (BOUGHT, target(1, 1, 30, 105, 5, 0.105), target(2, 1, 30, 110, 3, 0.066), stop(1, 45, 99, 2, 0.099)),
        "closed", 52.53,  # -0.2 + 25 - 0.105 + 30 - 0.066 - 2 - 0.099
    ),
    Worked(
        "a short's ladder and break-even in one minute",
        "Up to 99, down to 88: two targets; up again to 100: the rest at 101, 1 * 2 lost, 101 * 2 * 0.0005 = 0.101.",
        SHORT, (SELLS, (99, 99, 88, 100)),
        (SOLD, target(1, 1, 30, 95, 5, 0.095), target(2, 1, 30, 90, 3, 0.054), stop(1, 45, 101, 2, 0.101)), "closed",
        52.55,  # -0.2 + 25 - 0.095 + 30 - 0.054 - 2 - 0.101
    ),
    Worked(
        "the whole ladder in the minute of the entry",
        "The high is the open, so the first leg has no length; 99 on the second, 116 on the third.",
        LONG, ((102, 117, 99, 117),),
        (BOUGHT, target(1, 0, 45, 105, 5, 0.105), target(2, 0, 45, 110, 3, 0.066), target(3, 0, 45, 115, 2, 0.046)),
        "closed", 84.583,  # -0.2 + 25 - 0.105 + 30 - 0.066 + 30 - 0.046
    ),
    Worked(
        "a gap over two targets pays each its own price, then the low comes first",
        "At the open 112: targets 105 and 110. Still long: 99 before 113, and the stop is at 100 by then.",
        LONG, (BUYS, (112, 113, 99, 104)),
        (BOUGHT, target(1, 1, 0, 105, 5, 0.105), target(2, 1, 0, 110, 3, 0.066), stop(1, 15, 99, 2, 0.099)), "closed",
        52.53,
    ),
    Worked(
        "of two targets at one price the older fills first",
        "Both are met at 106: 105 * 5 * 0.0002 = 0.105 twice, gains 25 twice.",
        Bracket(1, "limit", 100.0, 95.0, ((105.0, 0.5), (105.0, 0.5)), 10.0), (BUYS, (101, 106, 101, 106)),
        (BOUGHT, target(1, 1, 30, 105, 5, 0.105), target(2, 1, 30, 105, 5, 0.105)), "closed", 49.59,
    ),
    Worked(
        "a break-even stop that is already passed leaves before the next target of the same point",
        "Open 108: in at 109 (0.545). Target 105 arrives marketable, 107 as taker: -2 * 5, 107 * 5 * 0.0005 = "
        "0.2675. Break-even 109 is above 108: out at 107 for the other 5, before target 106.",
        Bracket(1, "market", 100.0, 95.0, ((105.0, 0.5), (106.0, 0.5)), 10.0), ((108, 109, 107, 108),),
        (entry(0, 0, 109, 0.545), target(1, 0, 0, 107, 5, 0.2675), leave(0, 0, 107, 5, 0.2675)), "closed", -21.08,
        # -0.545 - 10 - 0.2675 - 10 - 0.2675
    ),
    Worked(
        "nearest walk: the extreme nearer to the open first",
        "High 6 away, low 7: 107 first. Target 105 at 106, then break-even on the second leg.",
        LONG, (BUYS, (101, 107, 94, 101)), (BOUGHT, target(1, 1, 15, 105, 5, 0.105), stop(1, 30, 99, 5, 0.2475)),
        "closed", 19.4475, FillRules(walk="nearest"),
    ),
    Worked(
        "a slice below the minimum notional joins the next target",
        "0.5 coins give 0.2, 0.1, 0.2; 0.1 * 110 = 11 is below 15, so the third sells 0.3. Fees 0.01, 0.0042, 0.0069.",
        Bracket(1, "limit", 100.0, 95.0, LADDER_UP, 0.5), ((102, 117, 99, 117),),
        (Expected((0, 30), Role.ENTRY, 100, 0.5, 0.01), target(1, 0, 45, 105, 0.2, 0.0042),
         target(3, 0, 45, 115, 0.3, 0.0069)),
        "closed", 5.4789, instrument=COIN._replace(min_notional=15.0),  # 5 * 0.2 + 15 * 0.3 - 0.0211
    ),
    Worked(
        "a weight is a decimal and loses no step to its binary form",
        "29 % of 100 steps are 29: 2.9 coins at 105 (0.0609) and 7.1 at 110 (0.1562).",
        Bracket(1, "limit", 100.0, 95.0, ((105.0, 0.29), (110.0, 0.71)), 10.0), ((102, 112, 99, 112),),
        (BOUGHT, target(1, 0, 45, 105, 2.9, 0.0609), target(2, 0, 45, 110, 7.1, 0.1562)), "closed",
        85.0829,  # -0.2 + 5 * 2.9 - 0.0609 + 10 * 7.1 - 0.1562
    ),
    Worked(
        "a last slice below the minimum notional joins the one before",
        "0.5 coins at 50/40/10 % give 0.2, 0.2, 0.1; 0.1 * 115 = 11.5 is below 15, so the second sells 0.3.",
        Bracket(1, "limit", 100.0, 95.0, ((105.0, 0.5), (110.0, 0.4), (115.0, 0.1)), 0.5), ((102, 112, 99, 112),),
        (Expected((0, 30), Role.ENTRY, 100, 0.5, 0.01), target(1, 0, 45, 105, 0.2, 0.0042),
         target(2, 0, 45, 110, 0.3, 0.0066)),
        "closed", 3.9792, instrument=COIN._replace(min_notional=15.0),  # 5 * 0.2 + 10 * 0.3 - 0.0208
    ),
)

# Leverage 20: a long from 100 ends at 100 * 0.95 / 0.996 = 95.38, rounded up 96;
# a short at 100 * 1.05 / 1.004 = 104.58, rounded down 104.
ENDINGS = (
    Worked(
        "at one price the liquidation comes before the stop",
        "Both at 96; it fills like a stop, at 95: loss 50, 95 * 10 * 0.0005 = 0.475.",
        Bracket(1, "limit", 100.0, 96.0, LADDER_UP, 10.0, leverage=20), (BUYS, (101, 102, 94, 97)),
        (BOUGHT, liquidated(1, 15, 95, 0.475)), "closed", -50.675,
    ),
    Worked(
        "a short is liquidated before a stop that lies further away",
        "104 comes before 108; bought back at 105: loss 50, 105 * 10 * 0.0005 = 0.525.",
        Bracket(-1, "limit", 100.0, 108.0, LADDER_DOWN, 10.0, leverage=20), (SELLS, (99, 109, 97, 98)),
        (SOLD, liquidated(1, 15, 105, 0.525)), "closed", -50.725,
    ),
    Worked(
        "an open beyond the liquidation price liquidates at the open",
        "Open 90 slips to 89, below stop and liquidation: loss 110, 89 * 10 * 0.0005 = 0.445.",
        Bracket(1, "limit", 100.0, 96.0, LADDER_UP, 10.0, leverage=20), (BUYS, (90, 97, 88, 97)),
        (BOUGHT, liquidated(1, 0, 89, 0.445)), "closed", -110.645,
    ),
    Worked(
        "a long pays a positive funding rate on the close",
        "10 coins at 101 and 0.01 %: 0.101, after the fill of the same minute.",
        LONG, (BUYS,), (BOUGHT,), "open", -0.301, funding=((0, 0.0001),),
    ),
    Worked(
        "a short is paid a positive funding rate",
        "10 coins at 99: 0.099 received.",
        SHORT, (SELLS,), (SOLD,), "open", -0.101, funding=((0, 0.0001),),
    ),
    Worked(
        "funding in a gap is paid on the last close there was",
        "Minute 1 has no prices; minute 0 closed at 101.",
        LONG, (BUYS, GAP), (BOUGHT,), "open", -0.301, funding=((1, 0.0001),),
    ),
    Worked(
        "no position, no funding",
        "The stop filled inside the minute, funding is due at its end.",
        LONG, ((102, 103, 94, 96),), (BOUGHT, stop(0, 30, 94, 10, 0.47)), "closed", -60.67, funding=((0, 0.0001),),
    ),
    Worked(
        "funding is paid on what the targets have left",
        "5 coins at 106: 106 * 5 * 0.0001 = 0.053. -0.2 + 25 - 0.105 - 0.053.",
        LONG, ((102, 103, 99, 106),), (BOUGHT, target(1, 0, 45, 105, 5, 0.105)), "open", 24.642,
        funding=((0, 0.0001),),
    ),
    Worked(
        "a time stop takes the targets away and leaves at the next open",
        "Two minutes after the entry; 107 would pay target 105, but the whole leaves at 106. Gain 5 * 10, fees "
        "0.505, 0.53.",
        Bracket(1, "market", 100.0, 95.0, LADDER_UP, 10.0, time_stop=2 * MINUTE),
        ((100, 102, 99, 100), (100, 102, 99, 100), (107, 112, 94, 107)),
        (entry(0, 0, 101, 0.505), leave(2, 0, 106, 10, 0.53)), "closed", 48.965,
    ),
    Worked(
        "while the exit of a time stop waits through a gap, the stop protects and comes first",
        "Open 90 is beyond the stop: out at 89 by the stop, 12 * 10 lost, 89 * 10 * 0.0005 = 0.445.",
        Bracket(1, "market", 100.0, 95.0, LADDER_UP, 10.0, time_stop=MINUTE),
        ((100, 102, 99, 100), GAP, (90, 91, 89, 90)), (entry(0, 0, 101, 0.505), stop(2, 0, 89, 10, 0.445)), "closed",
        -120.95,
    ),
    Worked(
        "fees are rounded to 1e-8",
        "30100.7 * 0.037 = 1113.7259; * 0.0004321 = 0.48124096139, kept as 0.48124096.",
        Bracket(1, "market", 30100.6, 29800.0, ((30500.0, 1.0),), 0.037), ((30100.6, 30100.6, 30100.6, 30100.6),),
        (Expected((0, 0), Role.ENTRY, 30100.7, 0.037, 0.48124096),), "open", -0.48124096,
        instrument=COIN._replace(tick=Grid(1, 10), step=Grid(1, 1000), taker_fee=0.0004321),
    ),
)

# fmt: on
WORKED: tuple[Worked, ...] = (*ENTRIES, *STOPS, *TARGETS, *ENDINGS)

"""A slow, obvious market for one symbol and one bracket trade: the judge that shares no logic with `rules/`.

It walks every tick of a minute's path, one after the other, and asks at each whether something fills there. It was
written from the meaning of a minute alone; only the record types come from the product. Where that meaning leaves a
question open, this is what holds:

* a limit that arrives is marketable when the point is at its price or better; it fills at the better of its own price
  and the slipped point, as a taker. A resting limit needs one tick through it (or, in touch mode, a touch);
* at one price: liquidation, stop, market exit, target, entry, then the older;
* what is ordered at the end of a minute looks first at the open of the next minute that has prices;
* a stop counts as passed when the point is at its trigger or beyond; the market exit goes out in its place;
* a long is liquidated at entry * (1 - 1/leverage) / (1 - maintenance), rounded up to a tick; a short at
  entry * (1 + 1/leverage) / (1 + maintenance), rounded down; it fills like a stop, and at once if it is passed;
* a target's fill moves the stop to break-even, the price at which the entry filled, for the quantity that is left;
* a time stop counts from the open of the minute in which the entry filled (the seconds of a fill decide nothing); it
  takes the targets away at once, the stop stays until the market exit fills;
* a limit entry whose first target is touched while it waits is taken back at the end of that minute;
* the slices of the targets are rounded down to a step (a shortfall below 1e-9 of a step is the binary error of the
  weight) and the last one takes the rest; one below the minimum notional joins the next, the last one the one before;
* slippage from a price off the grid: to the grid against us first, then the ticks;
* the walk "nearest" between two extremes equally near (in ticks) takes the high first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import FillRules, Minute, Order, OrderType, Role


def ticks_of(value: float, grid: Grid) -> Fraction:
    """Return ``value`` counted in spacings of the grid, exactly, reading the number as its decimal text."""
    return Fraction(repr(float(value))) * grid.den / grid.num


def number_at(ticks: Fraction | int, grid: Grid) -> float:
    """Return the double nearest to ``ticks`` spacings."""
    return float(Fraction(ticks) * grid.num / grid.den)


def money(value: float) -> float:
    """Return ``value`` at 1e-8, halves to the even neighbour."""
    return float(Decimal(value * 1e8).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)) / 1e8


@dataclass(frozen=True)
class Hit:
    """One order filled: its price in quote currency, whether it waited there, its time, and where the path was."""

    order: Order
    price: float
    maker: bool
    time: int
    point: Fraction


@dataclass
class Resting:
    """An order at the market; ``arriving`` until one point of a path has been left without filling it."""

    order: Order
    price: Fraction
    arriving: bool = True


@dataclass
class ReferenceMarket:
    """Orders of one symbol and the path that meets them, tick by tick."""

    tick: Grid
    rules: FillRules = field(default_factory=FillRules)
    resting: list[Resting] = field(default_factory=list)

    def place(self, order: Order) -> None:
        self.resting.append(Resting(order, ticks_of(order.price, self.tick)))

    def cancel(self, *roles: Role) -> None:
        self.resting = [one for one in self.resting if one.order.role not in roles]

    def orders(self) -> list[Order]:
        return [one.order for one in self.resting]

    def walk(self, minute: Minute, holding: Callable[[], int], react: Callable[[Hit], None]) -> list[Hit]:
        """Play one minute. ``holding`` tells the side of the position now; ``react`` may place and cancel orders."""
        if minute.gap:
            return []
        hits = self._at_point(ticks_of(minute.open, self.tick), minute.open_time, react)
        leg_ends = self._leg_ends(minute, holding())
        here = ticks_of(minute.open, self.tick)
        for leg, end in enumerate(leg_ends, start=1):
            for point in every_point(here, end):
                hits += self._at_point(point, minute.open_time + 15_000 * leg, react)
            here = end
        return hits

    def _leg_ends(self, minute: Minute, held: int) -> tuple[Fraction, Fraction, Fraction]:
        start, high, low, close = (
            ticks_of(price, self.tick) for price in (minute.open, minute.high, minute.low, minute.close)
        )
        wanted = [one.order.side for one in self.resting if one.order.role == Role.ENTRY]
        low_first = held > 0 or (held == 0 and bool(wanted) and wanted[0] < 0)
        if self.rules.walk == "nearest":
            low_first = start - low < high - start
        return (low, high, close) if low_first else (high, low, close)

    def _at_point(self, point: Fraction, time: int, react: Callable[[Hit], None]) -> list[Hit]:
        """Fill at one point until nothing more fills there; what is left has then arrived."""
        hits = []
        while True:
            ready = [one for one in self.resting if self._fill_price(one, point) is not None]
            if not ready:
                break
            first = min(ready, key=lambda one: (int(one.order.role), one.order.born))
            price, maker = self._fill_price(first, point) or (Fraction(0), False)
            self.resting.remove(first)
            hit = Hit(first.order, number_at(price, self.tick), maker, time, point)
            hits.append(hit)
            react(hit)
        for one in self.resting:
            one.arriving = False
        return hits

    def _fill_price(self, one: Resting, point: Fraction) -> tuple[Fraction, bool] | None:
        """Return price (ticks) and whether as maker, or None if the order does not fill at this point."""
        buys = one.order.side > 0
        if one.order.type == OrderType.MARKET:
            return self._slipped(point, buys=buys), False
        if one.order.type == OrderType.STOP:
            reached = point >= one.price if buys else point <= one.price
            return (self._slipped(point, buys=buys), False) if reached else None
        better_by = one.price - point if buys else point - one.price
        if one.arriving:
            if better_by < 0:
                return None
            slipped = self._slipped(point, buys=buys)
            return (min(one.price, slipped) if buys else max(one.price, slipped)), False
        needed = 0 if self.rules.limit_fill == "touch" else 1
        return (one.price, True) if better_by >= needed else None

    def _slipped(self, point: Fraction, *, buys: bool) -> Fraction:
        whole = -(-point // 1) if buys else point // 1
        return Fraction(whole + self.rules.slippage_ticks if buys else whole - self.rules.slippage_ticks)


def every_point(start: Fraction, end: Fraction) -> Iterator[Fraction]:
    """Yield each grid tick strictly between, then the end; nothing for a leg without length."""
    if start == end:
        return
    if end > start:
        tick = Fraction(start // 1 + 1)
        while tick < end:
            yield tick
            tick += 1
    else:
        tick = Fraction(-(-start // 1) - 1)
        while tick > end:
            yield tick
            tick -= 1
    yield end


@dataclass(frozen=True)
class Bracket:
    """What one trade wants. Prices on the grid, ``targets`` as (price, weight) nearest first, times in ms, 0: never."""

    side: int
    entry_type: str
    entry: float
    stop: float
    targets: tuple[tuple[float, float], ...]
    quantity: float
    expires_at: int = 0
    time_stop: int = 0
    leverage: int = 5


@dataclass(frozen=True)
class Fill:
    """One fill as it is printed: the target's number (from 1) is 0 for every other role."""

    time: int
    role: Role
    target: int
    side: int
    price: float
    quantity: float
    fee: float
    maker: bool


@dataclass
class ReferenceTrade:
    """The life of one bracket: entry, then liquidation, stop and targets, then nothing. Sums run in event order."""

    bracket: Bracket
    instrument: Instrument
    rules: FillRules = field(default_factory=FillRules)
    state: str = "waiting"  # waiting, open, closed, withdrawn
    steps_left: int = 0
    entry_price: float = 0.0
    entered_at: int = 0
    fills: list[Fill] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    last_close: float | None = None
    _born: int = 0
    _leaving: bool = False

    def __post_init__(self) -> None:
        self.market = ReferenceMarket(self.instrument.tick, self.rules)
        kind = OrderType.MARKET if self.bracket.entry_type == "market" else OrderType.LIMIT
        price = 0.0 if kind == OrderType.MARKET else self.bracket.entry
        self._send("e", Role.ENTRY, kind, self.bracket.side, price, self.bracket.quantity)

    def holding(self) -> int:
        return self.bracket.side if self.steps_left else 0

    def quantity_left(self) -> float:
        return number_at(self.steps_left, self.instrument.step)

    def stop_now(self) -> float | None:
        """Return the trigger of the stop that rests, if one does."""
        return next((one.price for one in self.market.orders() if one.role == Role.STOP), None)

    def minute(self, minute: Minute, funding_rate: float | None = None) -> list[Fill]:
        """Play one minute and the instant at its end: fills, funding on what is held, then expiry and time stop."""
        already = len(self.fills)
        closes_at = minute.open_time + 60_000
        hits = self.market.walk(minute, self.holding, self._react)
        if not minute.gap:
            self.last_close = minute.close
        if any(hit.order.role == Role.ENTRY for hit in hits):
            self.entered_at = minute.open_time
        if funding_rate is not None and self.steps_left and self.last_close is not None:
            held = self.bracket.side * self.quantity_left()
            self.cash.append(-money(held * self.last_close * funding_rate))
        if self.state == "waiting" and (self._missed(minute) or 0 < self.bracket.expires_at <= closes_at):
            self.market.cancel(Role.ENTRY)
            self.state = "withdrawn"
        if self._time_is_up(closes_at):
            self.market.cancel(Role.TARGET)
            self._leave()
        return self.fills[already:]

    def _missed(self, minute: Minute) -> bool:
        if minute.gap or self.bracket.entry_type == "market":
            return False
        first = self.bracket.targets[0][0]
        return minute.high >= first if self.bracket.side > 0 else minute.low <= first

    def _time_is_up(self, now: int) -> bool:
        limit = self.bracket.time_stop
        return self.state == "open" and not self._leaving and limit > 0 and now >= self.entered_at + limit

    def _send(self, name: str, role: Role, kind: OrderType, side: int, price: float, quantity: float) -> None:
        self._born += 1
        self.market.place(Order(name, role, kind, side, price, quantity, self._born))

    def _leave(self) -> None:
        self._leaving = True
        self._send("x", Role.EXIT, OrderType.MARKET, -self.bracket.side, 0.0, self.quantity_left())

    def _protect(self, trigger: float, point: Fraction) -> None:
        """Replace the stop by one at ``trigger`` for what is left, or leave at once if the point has passed it."""
        self.market.cancel(Role.STOP)
        level = ticks_of(trigger, self.instrument.tick)
        passed = point <= level if self.bracket.side > 0 else point >= level
        if passed:
            self._leave()
        else:
            self._send("s", Role.STOP, OrderType.STOP, -self.bracket.side, trigger, self.quantity_left())

    def _react(self, hit: Hit) -> None:
        """Book the fill, then answer it. Takes no time: what is sent rests at the point of the fill."""
        order = hit.order
        target = int(order.id[1:]) if order.role == Role.TARGET else 0
        steps = int(ticks_of(order.quantity, self.instrument.step))
        if order.role not in (Role.ENTRY, Role.TARGET):
            steps = self.steps_left
        quantity = number_at(steps, self.instrument.step)
        rate = self.instrument.maker_fee if hit.maker else self.instrument.taker_fee
        fee = money(hit.price * quantity * rate)
        self.fills.append(
            Fill(hit.time, Role(order.role), target, order.side, hit.price, quantity, fee, hit.maker),
        )
        if order.role == Role.ENTRY:
            self.state, self.steps_left, self.entry_price = "open", steps, hit.price
            self.cash.append(-fee)
            self._send("l", Role.LIQUIDATION, OrderType.STOP, -self.bracket.side, self.liquidation(), quantity)
            self._protect(self.bracket.stop, hit.point)
            for number, (price, slice_) in enumerate(self.slices(), start=1):
                if slice_:
                    amount = number_at(slice_, self.instrument.step)
                    self._send(f"t{number}", Role.TARGET, OrderType.LIMIT, -self.bracket.side, price, amount)
            return
        self.cash.append(money(self.bracket.side * (hit.price - self.entry_price) * quantity))
        self.cash.append(-fee)
        self.steps_left -= steps
        if self.steps_left == 0:
            self.state = "closed"
            self.market.cancel(*Role)
        else:
            self._protect(self.entry_price, hit.point)

    def liquidation(self) -> float:
        """Return the price at which the venue closes the position by force, on the grid, on the early side."""
        keep = Fraction(repr(self.instrument.maintenance_margin))
        entry = ticks_of(self.entry_price, self.instrument.tick)
        share = Fraction(1, self.bracket.leverage)
        if self.bracket.side > 0:
            return number_at(-(-(entry * (1 - share) / (1 - keep)) // 1), self.instrument.tick)
        return number_at(entry * (1 + share) / (1 + keep) // 1, self.instrument.tick)

    def slices(self) -> list[tuple[float, int]]:
        """Return (price, steps) for each target; 0 steps where a slice was too small and joined another."""
        step, least = self.instrument.step, Fraction(repr(self.instrument.min_notional))
        prices = [price for price, _ in self.bracket.targets]
        whole = self.steps_left
        parts = [int(whole * Fraction(weight) + Fraction(1, 10**9)) for _, weight in self.bracket.targets]
        parts[-1] = whole - sum(parts[:-1])

        def too_small(index: int) -> bool:
            return Fraction(parts[index]) * step.num / step.den * Fraction(repr(prices[index])) < least

        for index in range(len(parts) - 1):
            if too_small(index):
                parts[index + 1] += parts[index]
                parts[index] = 0
        if too_small(len(parts) - 1):
            earlier = [index for index in range(len(parts) - 1) if parts[index]]
            if earlier:
                parts[earlier[-1]] += parts[-1]
                parts[-1] = 0
        return list(zip(prices, parts, strict=True))

"""The venue's number grids: prices in ticks, quantities in steps, money in 1e-8.

A grid value is ``units * num / den`` with one division, so it is the double nearest to the venue's decimal and its
shortest text is the venue's text. Nothing here rounds by adding half of something or multiplies a float tick.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NamedTuple


class GridError(ValueError):
    """A number that no grid can hold: not finite, or a grid that is not positive."""


class Grid(NamedTuple):
    """A decimal grid with spacing ``num / den`` (both positive integers, in lowest terms)."""

    num: int
    den: int

    def units(self, value: float) -> int:
        """Return the number of spacings nearest to ``value``."""
        if not math.isfinite(value):
            raise GridError(f"a grid value must be finite; expected a number, was {value}")
        return round(value * self.den / self.num)

    def price(self, units: int) -> float:
        """Return the double that stands for ``units`` spacings."""
        return units * self.num / self.den

    def holds(self, value: float) -> bool:
        """Tell whether ``value`` lies on the grid exactly."""
        return self.price(self.units(value)) == value

    def floor(self, value: float) -> float:
        """Return the greatest grid value at or below ``value``; a value on the grid stays itself."""
        units = self.units(value)
        on_grid = self.price(units)
        if on_grid > value:
            return self.price(units - 1)
        return on_grid

    def ceil(self, value: float) -> float:
        """Return the least grid value at or above ``value``; a value on the grid stays itself."""
        units = self.units(value)
        on_grid = self.price(units)
        if on_grid < value:
            return self.price(units + 1)
        return on_grid

    def shift(self, value: float, spacings: int) -> float:
        """Return the grid value ``spacings`` away from ``value`` (which lies on the grid)."""
        return self.price(self.units(value) + spacings)


def grid_of_text(text: str) -> Grid:
    """Return the grid whose spacing is the decimal ``text``, e.g. ``"0.05"`` -> 1/20.

    Raises: GridError when the text is not a positive decimal number.
    """
    try:
        num, den = Decimal(text).as_integer_ratio()
    except (ArithmeticError, ValueError) as error:
        raise GridError(f"expected a positive decimal spacing, was {text!r}") from error
    if num <= 0:
        raise GridError(f"expected a positive decimal spacing, was {text!r}")
    return Grid(num, den)


def grid_of_decimals(decimals: int) -> Grid:
    """Return the grid of numbers written with ``decimals`` digits after the point."""
    return Grid(1, 10**decimals)


def q8(value: float) -> float:
    """Round money to 1e-8, the only rounding that fees, realised profit and funding get."""
    return round(value * 1e8) / 1e8


def text_of(value: float) -> str:
    """Return the shortest plain decimal text of ``value``: the venue's own text for a number on its grid."""
    text = repr(value)
    if "e" in text or "E" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


class Instrument(NamedTuple):
    """What one symbol is at one venue. The same record is an input of the backtest and what the simulator serves."""

    exchange: str
    symbol: str
    tick: Grid
    step: Grid
    min_notional: float
    taker_fee: float
    maker_fee: float
    maintenance_margin: float

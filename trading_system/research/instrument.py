"""Makes the instrument record of a candle file: its grid from the decimals of its columns, the rest from the defaults.

An instrument file (JSON) overrides any of it. Files of candles themselves are read in `history.py`.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trading_system.research.history import PRICES, History
from trading_system.rules.grid import Grid, GridError, Instrument, grid_of_decimals, grid_of_text, text_of

GRIDS = ("tick", "step")
NUMBERS = ("min_notional", "taker_fee", "maker_fee", "maintenance_margin")


class InstrumentError(ValueError):
    """A candle file or an instrument file from which no instrument follows; the sentence says what would mend it."""


class InstrumentDefaults(NamedTuple):
    """What a bare candle file cannot say: quote currency, fees as fractions of the notional, margin as a fraction."""

    min_notional: float = 5.0
    taker_fee: float = 0.0005
    maker_fee: float = 0.0002
    maintenance_margin: float = 0.004


def instrument_of(
    history: History,
    exchange: str,
    symbol: str,
    defaults: InstrumentDefaults | None = None,
    override: Path | None = None,
) -> Instrument:
    """Return the instrument that the candles of ``history`` belong to.

    Tick and step are ten to the minus of the decimals in use; ``override`` names a JSON file with any of the keys tick
    and step (decimal texts), min_notional, taker_fee, maker_fee, maintenance_margin (numbers), and symbol.
    Raises: InstrumentError when the file's prices have too many decimals and no tick is given, when the JSON has a
    wrong key or value or speaks of another symbol, or when a price of the file does not lie on the tick given.
    """
    given = {} if override is None else _read(override, symbol)
    tick = given.get("tick")
    if tick is None:
        if history.price_decimals is None:
            raise InstrumentError(
                f"{history.path}: expected prices of at most twelve decimals, was more; "
                "round the prices, or give an instrument file with a tick"
            )
        tick = grid_of_decimals(history.price_decimals)
    elif override is not None:
        _check_on_tick(history, tick, override)
    numbers = {**(defaults or InstrumentDefaults())._asdict(), **{key: given[key] for key in NUMBERS if key in given}}
    return Instrument(exchange, symbol, tick, given.get("step", grid_of_decimals(history.volume_decimals)), **numbers)


def _read(path: Path, symbol: str) -> dict[str, Any]:
    """Return the checked values of an instrument file, grids already made."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InstrumentError(f"{path}: expected an instrument file in JSON, was {error}; mend the file") from error
    if not isinstance(content, dict):
        raise InstrumentError(f'{path}: expected an object like {{"tick": "0.1"}}, was {content!r:.40}; mend the file')
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key == "symbol":
            if value != symbol:
                raise InstrumentError(f"{path}: expected symbol {symbol}, was {value!r}; give that symbol's file")
        elif key in GRIDS:
            values[key] = _grid(path, key, value)
        elif key in NUMBERS:
            values[key] = _number(path, key, value)
        else:
            known = ("symbol", *GRIDS, *NUMBERS)
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "drop it"
            raise InstrumentError(f"{path}: expected the keys {', '.join(known)}, was {key!r}; {hint}")
    return values


def _grid(path: Path, key: str, value: object) -> Grid:
    """A text keeps every digit; a JSON number such as 0.1 is taken by its shortest text, which is what was written."""
    text = value if isinstance(value, str) else repr(value)
    try:
        return grid_of_text(text)
    except (GridError, OverflowError) as error:
        raise InstrumentError(f'{path}: {key}: {error}; write it like "0.01"') from error


def _number(path: Path, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value) or abs(value) > 1e9:
        raise InstrumentError(f"{path}: expected a number in {key}, was {value!r}; write it like 0.0005")
    fraction = key != "min_notional"
    if fraction and not -0.01 <= value < 1:
        raise InstrumentError(f"{path}: expected a fraction in {key}, was {value}; 0.05 % is 0.0005")
    if value < 0 and key != "maker_fee":  # a maker may be paid: a rebate is a negative fee
        raise InstrumentError(f"{path}: expected {key} of 0 or more, was {value}; mend the file")
    return float(value)


def _check_on_tick(history: History, tick: Grid, override: Path) -> None:
    """A price between two ticks means that the instrument file belongs to another market."""
    real = history.candles[history.candles["gap"] == 0]
    for name in PRICES:
        prices = real[name]
        on_grid = np.rint(prices * tick.den / tick.num) * tick.num / tick.den
        off = np.flatnonzero(on_grid != prices)
        if len(off):
            time, price = int(real["open_time"][off[0]]), float(prices[off[0]])
            raise InstrumentError(
                f"{history.path}: expected every {name} on the tick {tick.num}/{tick.den} of {override}, "
                f"was {text_of(price)} at {time}; correct the tick"
            )

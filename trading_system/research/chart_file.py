"""A chart of one symbol at one moment, from a candle file, a run's folder or a line's store, as a PNG or SVG file.

Detection runs over the candles that were closed at that moment and nothing later, so the picture shows what was known
then. What is drawn where is ``charts.chart_scene``'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from trading_system.charts.chart_scene import MOST_CANDLES, chart_scene
from trading_system.charts.look import Look
from trading_system.charts.picture import ChartPicture, PictureCandle
from trading_system.charts.png import png
from trading_system.charts.svg import svg
from trading_system.charts.words import ENGLISH
from trading_system.contracts import to_candle
from trading_system.research.candle_decimals import decimals_used
from trading_system.research.detect import detect
from trading_system.research.fetched.desk import shelf_of
from trading_system.research.fetched.reading import fetched_history
from trading_system.research.history import load_candles
from trading_system.research.run_folder import CANDLES as CANDLES_FILE
from trading_system.rules.grid import Grid, Instrument, grid_of_decimals
from trading_system.rules.interval_table import interval_ms, interval_name
from trading_system.rules.intervals import longer_candles
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.records import CANDLE, Records
from trading_system.rules.words import candle_record
from trading_system.services.room import CANDLES
from trading_system.services.telegram_engine.chart_patterns import live_zones, newest_flags, swings_since
from trading_system.services.telegram_engine.wording import alerts_in
from trading_system.settings import Settings
from trading_system.store.port import Stream
from trading_system.store.sqlite import SqliteStore

STORE_FILE = "store.db"
_NO_TICK = Grid(1, 10**8)  # detection compares prices as they are
_MOST_DECIMALS = 8
_FORMATS = (".png", ".svg")
_COLUMNS = ("step", "symbol", "open", "high", "low", "close", "volume", "gap")


class ChartError(ValueError):
    """A chart was asked for that the given source or file name does not allow."""


class ChartSource(NamedTuple):
    """One symbol's candles of the base interval (ms), CANDLE[n] ascending with gaps, and where they come from."""

    symbol: str
    candles: Records
    base: int
    venue: str


def draw_chart(
    source: ChartSource,
    out: Path,
    settings: Settings,
    *,
    interval: str | None = None,
    at: int | None = None,
    look: Look | None = None,
) -> ChartPicture:
    """Write the chart of ``source`` to ``out`` (.png or .svg) and return what it shows.

    interval: its candles; the source's own by default. at: the moment in ms UTC, the end of the source by default.
    Raises: ChartError, IntervalError, ParameterError; OSError when ``out`` cannot be written.
    """
    if out.suffix.lower() not in _FORMATS:
        raise ChartError(f"{out}: expected a name that ends in {' or '.join(_FORMATS)}, was {out.suffix or 'neither'}")
    look = look or Look()
    picture = chart_picture(source, settings, interval=interval, at=at, words=look.words)
    scene = chart_scene(picture, look)
    if out.suffix.lower() == ".png":
        content = png(scene)
    else:
        content = svg(scene, f"{picture.symbol} {picture.interval}", look.measure).encode()
    draft = out.with_name(f".{out.name}.part")
    draft.write_bytes(content)
    draft.replace(out)
    return picture


def source_of_file(path: Path, symbol: str | None) -> ChartSource:
    """Read the candles of a file; ``symbol`` is needed where the file's name does not say it. Raises: HistoryError."""
    history = load_candles(path, symbol)
    return ChartSource(history.symbol or path.name.partition(".")[0], history.candles, history.base_interval, path.name)


def source_of_fetched(symbol: str, settings: Settings) -> ChartSource:
    """Read all fetched minutes of ``symbol``. Raises: NotFetchedError, DamagedMonthError, HistoryError."""
    history = fetched_history(shelf_of(settings), settings.exchange, symbol)
    venue = alerts_in(settings.language).named("venue", settings.exchange)
    return ChartSource(symbol, history.candles, history.base_interval, venue)


def source_of_run(folder: Path, symbol: str, settings: Settings) -> ChartSource:
    """Read the candles of a line's store, also while it runs, or of the folder that a backtest wrote.

    Raises: ChartError when the folder has neither, or no candle of ``symbol``; StoreError.
    """
    venue = alerts_in(settings.language).named("venue", settings.exchange)
    if (folder / STORE_FILE).exists():
        candles = asyncio.run(_stored_minutes(folder / STORE_FILE, Stream(CANDLES, settings.exchange, symbol)))
        base = MINUTE_MS
    elif (folder / CANDLES_FILE).exists():
        candles, base = _written_candles(folder / CANDLES_FILE, symbol)
    else:
        raise ChartError(
            f"{folder}: expected the folder of a run with {STORE_FILE} or {CANDLES_FILE} in it, was one without; "
            "give the folder that `trading-system run` or `backtest` printed"
        )
    return ChartSource(symbol, candles, base, venue)


def chart_picture(
    source: ChartSource,
    settings: Settings,
    *,
    interval: str | None = None,
    at: int | None = None,
    words: Mapping[str, str] = ENGLISH,
) -> ChartPicture:
    """Return what the chart of ``source`` shows at ``at`` (ms UTC; None: at its end); arguments as ``draw_chart``.

    Raises: ChartError when no candle of ``interval`` is closed by then; IntervalError, ParameterError.
    """
    name = interval or interval_name(source.base)
    length = interval_ms(name)
    if length < source.base or length % source.base:
        raise ChartError(
            f"{source.symbol}: expected an interval that {interval_name(source.base)} candles make up, was {name}; "
            "give a longer --interval"
        )
    begin = source.candles["open_time"]
    known = source.candles if at is None else source.candles[begin + source.base <= at]
    decimals = decimals_used(known["volume"])
    step = grid_of_decimals(_MOST_DECIMALS if decimals is None else min(decimals, _MOST_DECIMALS))
    shown = known[known["gap"] == 0] if length == source.base else longer_candles(known, source.base, length, step)
    if not len(shown):
        raise ChartError(
            f"{source.symbol}: expected a {name} candle that is closed by then, was none; give a later --at or more "
            "candles"
        )
    instrument = Instrument(settings.exchange, source.symbol, _NO_TICK, step, 0.0, 0.0, 0.0, 0.0)
    events = detect(
        known, instrument, base=interval_name(source.base), signal=name, higher=None, overrides=settings.detection
    )
    shown = shown[-MOST_CANDLES:]
    first = int(shown["open_time"][0])
    prices = np.concatenate([shown[column] for column in ("open", "high", "low", "close")])
    digits = decimals_used(prices)
    return ChartPicture(
        symbol=source.symbol,
        interval=name,
        interval_ms=length,
        candles=tuple(PictureCandle(*row[:6]) for row in shown.tolist()),
        swings=swings_since(events, first),
        zones=live_zones(events, words),
        flags=newest_flags(events, first, length),
        venue=source.venue,
        at=int(shown["open_time"][-1]) + length,
        tick_decimals=_MOST_DECIMALS if digits is None else min(digits, _MOST_DECIMALS),
    )


async def _stored_minutes(path: Path, stream: Stream) -> Records:
    store = SqliteStore(path, read_only=True)
    try:
        head = await store.head(stream)
        rows = [] if head is None else await store.read(stream, None, head)
    finally:
        await store.close()
    candles = [candle for row in rows if (candle := to_candle(row.payload)).get("interval", "1m") == "1m"]
    if not candles:
        raise ChartError(
            f"{path}: expected candles of {stream.symbol}, was none; give a symbol of this run, or wait for its first"
        )
    return _with_gaps(np.concatenate([candle_record(candle) for candle in candles]), MINUTE_MS)


def _written_candles(path: Path, symbol: str) -> tuple[Records, int]:
    table = pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(column_names=list(_COLUMNS)),
        parse_options=pa_csv.ParseOptions(delimiter="|"),
        convert_options=pa_csv.ConvertOptions(column_types={"symbol": pa.string(), "volume": pa.float64()}),
    )
    symbols = np.array(table["symbol"].to_pylist(), dtype=object)
    rows = np.flatnonzero(symbols == symbol)
    if len(rows) < 2:  # one row alone does not say how long it is
        has = " ".join(sorted(set(symbols.tolist()))) or "none"
        raise ChartError(f"{path}: expected candles of {symbol}, was those of {has}; give one of them")
    candles = np.zeros(len(rows), CANDLE)
    candles["open_time"] = (table["step"].to_numpy()[rows] - 1) * MINUTE_MS
    for name in _COLUMNS[2:]:
        candles[name] = table[name].to_numpy()[rows]
    return candles, int(candles["open_time"][1] - candles["open_time"][0])


def _with_gaps(candles: Records, base: int) -> Records:
    """Return ``candles`` with a gap record for each step between them that has none."""
    places = (candles["open_time"] - candles["open_time"][0]) // base
    whole = np.zeros(int(places[-1]) + 1, CANDLE)
    whole["open_time"] = candles["open_time"][0] + base * np.arange(len(whole))
    whole["gap"] = 1
    whole[places] = candles
    return whole

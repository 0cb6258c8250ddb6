from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from detection_fold import random_walk

from trading_system.charts.look import Look
from trading_system.charts.theme import LIGHT
from trading_system.contracts import serialize
from trading_system.research.chart_file import (
    ChartError,
    ChartSource,
    chart_picture,
    draw_chart,
    source_of_file,
    source_of_run,
)
from trading_system.research.run_folder import RunRecord, write_run
from trading_system.rules.records import Records
from trading_system.rules.words import candle_dto
from trading_system.settings import Settings
from trading_system.store.port import Stream
from trading_system.store.sqlite import SqliteStore

MINUTE = 60_000
SETTINGS = Settings()
BTC = "BTCUSDT"


def market(length: int = 3_000, gaps: float = 0.0) -> Records:
    return random_walk(5, length, gaps=gaps)


def source(candles: Records | None = None) -> ChartSource:
    return ChartSource(BTC, market() if candles is None else candles, MINUTE, "a market")


def test_a_chart_shows_what_was_known_at_its_moment_and_nothing_later() -> None:
    whole = market()
    at = int(whole["open_time"][2_000])
    early = ChartSource(BTC, whole[:2_000], MINUTE, "a market")
    assert chart_picture(source(whole), SETTINGS, at=at) == chart_picture(early, SETTINGS)
    shown = chart_picture(source(whole), SETTINGS, at=at)
    assert shown.at == at
    assert shown.candles[-1].open_time + MINUTE == at
    assert shown.zones
    assert shown.swings


def test_a_longer_interval_is_folded_from_the_candles_of_the_source() -> None:
    shown = chart_picture(source(), SETTINGS, interval="15m")
    assert (shown.interval, shown.interval_ms) == ("15m", 15 * MINUTE)
    assert all(candle.open_time % (15 * MINUTE) == 0 for candle in shown.candles)


def test_a_block_that_price_went_through_is_not_live() -> None:
    whole = market()
    for rows in (1_000, 2_000, 3_000):
        shown = chart_picture(source(whole[:rows]), SETTINGS)
        close = shown.candles[-1].close
        for zone in shown.zones:
            assert close >= zone.bottom if zone.direction > 0 else close <= zone.top


@pytest.mark.parametrize(("interval", "base"), [("1m", 5 * MINUTE), ("12h", 480 * MINUTE)])
def test_an_interval_that_the_candles_do_not_make_up_is_refused(interval: str, base: int) -> None:
    slow = market(40)
    slow["open_time"] = np.arange(40) * base
    with pytest.raises(ChartError, match=f"make up, was {interval}; give a longer --interval"):
        chart_picture(ChartSource(BTC, slow, base, "x"), SETTINGS, interval=interval)


def test_a_moment_before_the_first_candle_is_refused() -> None:
    with pytest.raises(ChartError, match="expected a 15m candle that is closed by then"):
        chart_picture(source(), SETTINGS, interval="15m", at=14 * MINUTE)


def test_a_chart_becomes_a_png_or_an_svg_by_its_name(tmp_path: Path) -> None:
    draw_chart(source(), tmp_path / "a.png", SETTINGS)
    shown = draw_chart(source(), tmp_path / "b.svg", SETTINGS, look=Look(theme=LIGHT))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    drawn = (tmp_path / "b.svg").read_text()
    assert drawn.startswith("<svg")
    assert f"<title>{BTC} {shown.interval}</title>" in drawn
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.svg"}


@pytest.mark.parametrize("name", ["chart.jpg", "chart"])
def test_another_kind_of_file_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(ChartError, match=r"expected a name that ends in \.png or \.svg"):
        draw_chart(source(), tmp_path / name, SETTINGS)


def test_a_candle_file_is_a_source(tmp_path: Path) -> None:
    candles = market(500)
    rows = [",".join(map(str, row[:6])) for row in candles.tolist()]
    file = tmp_path / "BINANCEUSDM_BTCUSDT_1m.csv"
    file.write_text("open_time,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    read = source_of_file(file, None)
    assert (read.symbol, read.base, read.venue) == (BTC, MINUTE, file.name)
    assert chart_picture(read, SETTINGS).candles == chart_picture(source(candles), SETTINGS).candles


def test_a_runs_folder_and_a_store_give_the_same_chart(tmp_path: Path) -> None:
    candles = market(800, gaps=0.05)
    written, stored = tmp_path / "backtest", tmp_path / "run"
    write_run(written, RunRecord([BTC], [candles], [], [], [], [], [], []), {})
    asyncio.run(fill_store(stored / "store.db", candles))
    pictures = [chart_picture(source_of_run(one, BTC, SETTINGS), SETTINGS, interval="5m") for one in (written, stored)]
    assert pictures[0] == pictures[1]
    assert pictures[0].venue == "Binance USDT-M"


async def fill_store(path: Path, candles: Records) -> None:
    store = SqliteStore(path)
    stream = Stream("candles", "binance_usdm", BTC)
    head = None
    for n, row in enumerate(candles):
        step = int(row["open_time"]) // MINUTE + 1
        rows = [] if row["gap"] else [serialize(candle_dto(row, "binance_usdm", BTC, MINUTE))]
        if n % 5 == 0:  # longer candles lie beside the minutes and are not read twice
            rows.insert(0, serialize(candle_dto(candles[0], "binance_usdm", BTC, 15 * MINUTE)))
        await store.append(stream, step, rows, after=head)
        head = step
    await store.commit()
    await store.close()


def test_a_folder_without_a_run_and_a_symbol_that_is_not_in_it_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ChartError, match=r"expected the folder of a run with store\.db or candles\.csv"):
        source_of_run(tmp_path, BTC, SETTINGS)
    write_run(tmp_path / "run", RunRecord([BTC], [market(50)], [], [], [], [], [], []), {})
    with pytest.raises(ChartError, match="expected candles of ETHUSDT, was those of BTCUSDT"):
        source_of_run(tmp_path / "run", "ETHUSDT", SETTINGS)
    asyncio.run(fill_store(tmp_path / "line" / "store.db", market(50)))
    with pytest.raises(ChartError, match="expected candles of ETHUSDT, was none"):
        source_of_run(tmp_path / "line", "ETHUSDT", SETTINGS)

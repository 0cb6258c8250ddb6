from __future__ import annotations

import dataclasses
import random
from itertools import combinations

import pytest
from sample_pictures import INTERVAL_MS, START, random_candles, random_flag, random_picture, random_swings, random_zones

from trading_system.charts.advances import text_width
from trading_system.charts.chart_scene import MOST_CANDLES, chart_scene
from trading_system.charts.closed_scene import MOST_CANDLES as MOST_CLOSED
from trading_system.charts.closed_scene import closed_scene, merged_candles
from trading_system.charts.drawing import SMALLEST_TEXT, Box, Layer, Line, Rect, Scene, Text, text_box
from trading_system.charts.picture import (
    AlertPicture,
    ChartPicture,
    ClosedPicture,
    PictureCandle,
    PictureError,
    PictureFill,
    PictureTarget,
    PictureZone,
)
from trading_system.charts.theme import DARK

MINUTE = 60_000


def climb(count: int) -> tuple[PictureCandle, ...]:
    return tuple(
        PictureCandle(START + i * INTERVAL_MS, 100 + i, 101.5 + i, 99.5 + i, 101 + i, 10 + i) for i in range(count)
    )


def alert(**changes: object) -> AlertPicture:
    plain = dataclasses.replace(
        random_picture(1),
        symbol="BTCUSDT",
        interval="15m",
        side="long",
        setup="Flag breakout",
        candles=climb(60),
        swings=(),
        zones=(),
        flag=None,
        entry=160.0,
        stop=150.0,
        targets=(PictureTarget(170.0, 0.5, 1.0), PictureTarget(180.0, 0.5, 2.0)),
        confirmed_at=START + 60 * INTERVAL_MS,
        risk_percent=1.0,
        quantity="0.083 BTC",
        mode="PAPER",
        tick_decimals=1,
    )
    return dataclasses.replace(plain, **changes)


def fill(candle: int, price: float, kind: str, number: int = 0) -> PictureFill:
    return PictureFill(START + candle * INTERVAL_MS + MINUTE, price, kind, number)  # type: ignore[arg-type]


def closed(**changes: object) -> ClosedPicture:
    fills = (fill(60, 160.0, "entry"), fill(70, 170.0, "target", 1), fill(79, 180.0, "target", 2))
    return dataclasses.replace(ClosedPicture(alert(), climb(80), fills, 1.46, "+33.12 USDT"), **changes)


def chart(**changes: object) -> ChartPicture:
    at = START + 60 * INTERVAL_MS
    plain = ChartPicture("BTCUSDT", "15m", INTERVAL_MS, climb(60), (), (), (), "Binance USDT-M", at, 1)
    return dataclasses.replace(plain, **changes)


def texts(drawn: Scene) -> list[Text]:
    return [op for op in drawn.ops if isinstance(op, Text)]


def words(drawn: Scene) -> set[str]:
    return {text.text for text in texts(drawn)}


def assert_tidy(drawn: Scene, seed: int) -> None:
    canvas = Box(0, 0, drawn.width, drawn.height)
    placed = [(op.text, text_box(op, text_width)) for op in texts(drawn) if op.layer != Layer.WATERMARK]
    for (one, box), (other, another) in combinations(placed, 2):
        assert box.overlap(another) == 0, f"seed {seed}: {one!r} meets {other!r}"
    assert all(box.within(canvas) for _, box in placed), f"seed {seed}"
    assert all(op.size >= SMALLEST_TEXT for op in texts(drawn)), f"seed {seed}"


def random_closed(seed: int) -> ClosedPicture:
    rng = random.Random(seed)
    before = random_picture(seed)
    last = before.candles[-1]
    after = random_candles(rng, rng.choice([1, 5, 40, 200]), last.close, last.close * 1e-4)
    shift = last.open_time + INTERVAL_MS - START
    moved = tuple(candle._replace(open_time=candle.open_time + shift) for candle in after)
    exit_ = moved[rng.randrange(len(moved))]
    fills = [PictureFill(moved[0].open_time, before.entry, "entry")]
    hit = before.targets[: rng.randint(0, len(before.targets))]
    fills += [PictureFill(exit_.open_time, one.price, "target", n) for n, one in enumerate(hit, start=1)]
    price = rng.choice([before.stop, exit_.close, before.entry])
    fills.append(PictureFill(exit_.open_time + MINUTE, price, rng.choice(["stop", "exit"])))
    money = rng.choice([None, "+33.12 USDT", "−123,456,789.01 USDT"])
    return ClosedPicture(before, (*before.candles, *moved), tuple(fills), rng.choice([2.5, -1.04, 0.0]), money)


def random_chart(seed: int) -> ChartPicture:
    rng = random.Random(seed)
    price = rng.choice([0.00001, 3.2, 68_000.0])
    candles = random_candles(rng, rng.choice([1, 2, 30, 90, 120]), price, price * 1e-4)
    span = max(c.high for c in candles) - min(c.low for c in candles) or price * 0.01
    zones = tuple(zone for _ in range(4) for zone in random_zones(rng, candles, span) if zone.bottom > 0)
    flags = (random_flag(rng, candles), random_flag(rng, candles)) if len(candles) > 20 else ()
    swings = random_swings(rng, candles)
    return chart(candles=candles, zones=zones, flags=flags, swings=swings, tick_decimals=rng.choice([0, 2, 8]))


def test_texts_of_a_closed_trade_never_meet() -> None:
    for seed in range(60):
        assert_tidy(closed_scene(random_closed(seed)), seed)


def test_texts_of_a_chart_never_meet() -> None:
    for seed in range(60):
        assert_tidy(chart_scene(random_chart(seed)), seed)


def test_a_closed_trade_says_its_result_its_fills_and_how_long_it_took() -> None:
    said = words(closed_scene(closed()))
    assert {
        "+1.46R",
        "+33.12 USDT",
        "LONG · Flag breakout",
        "Entry 160.0 · 15:01",
        "Target 1 170.0 · 17:31",
        "Target 2 180.0 · 19:46",
        "4 h 45 m",
        "1.0%",
        "0.083 BTC",
    } <= said
    assert "EXIT" not in said


def test_an_exit_at_a_price_of_its_own_is_a_level_in_the_colour_of_the_result() -> None:
    fills = (fill(60, 160.0, "entry"), fill(79, 149.5, "exit"))
    drawn = closed_scene(closed(fills=fills, r=-1.05, money=None))
    exit_ = next(op for op in texts(drawn) if op.text == "EXIT")
    assert exit_.colour == DARK.red
    assert {"−1.05R", "149.5", "150.0", "Exit 149.5 · 19:46"} <= words(drawn)


def test_the_path_goes_from_fill_to_fill() -> None:
    path = [op for op in closed_scene(closed()).ops if isinstance(op, Line) and op.colour == DARK.ink and op.width == 4]
    assert len(path) == 2
    assert (path[0].x2, path[0].y2) == (path[1].x1, path[1].y1)
    assert path[0].x1 < path[0].x2 < path[1].x2
    assert path[0].y1 > path[0].y2 > path[1].y2


def test_the_boxes_lie_where_the_trade_was_open() -> None:
    drawn = closed_scene(closed())
    shades = [op for op in drawn.ops if isinstance(op, Rect) and op.layer == Layer.ZONE]
    bodies = [op for op in drawn.ops if isinstance(op, Rect) and op.layer == Layer.CANDLE]
    assert len(shades) == 2
    assert all(bodies[59].x < box.x <= bodies[60].x for box in shades)
    assert all(box.x + box.width >= bodies[79].x + bodies[79].width for box in shades)


def test_a_long_trade_has_its_candles_merged_and_says_so() -> None:
    count = 2 * MOST_CLOSED + 10
    fills = (fill(60, 160.0, "entry"), fill(count - 1, 170.0, "exit"))
    drawn = closed_scene(closed(candles=climb(count), fills=fills))
    bodies = [op for op in drawn.ops if isinstance(op, Rect) and op.layer == Layer.CANDLE]
    assert "15m × 3" in words(drawn)
    assert len(bodies) == 110
    assert "Entry 160.0 · 18 Nov 15:01" in words(drawn)


def test_merging_keeps_the_extremes_the_ends_and_the_volume() -> None:
    candles = climb(7)
    merged = merged_candles(candles, 3)
    assert [candle.open_time for candle in merged] == [candles[i].open_time for i in (0, 1, 4)]
    assert merged[-1] == PictureCandle(candles[4].open_time, 104, 107.5, 103.5, 107, 14 + 15 + 16)
    assert merged_candles(candles, 1) == candles


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fills": ()}, "an entry and then"),
        ({"fills": (fill(60, 160.0, "entry"),)}, "an entry and then"),
        ({"fills": (fill(60, 160.0, "stop"), fill(61, 160.0, "exit"))}, "an entry and then"),
        ({"fills": (fill(62, 160.0, "entry"), fill(61, 160.0, "exit"))}, "order of their times"),
        ({"fills": (fill(60, 160.0, "entry"), fill(61, -1.0, "exit"))}, "positive prices"),
        ({"r": float("nan")}, "finite result"),
        ({"candles": ()}, "at least one candle"),
    ],
)
def test_a_closed_trade_that_contradicts_itself_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PictureError, match=said):
        closed(**changes)


def test_a_chart_says_the_close_the_change_and_the_nearest_blocks() -> None:
    zones = (PictureZone(START, 170.0, 164.0, -1, "Bearish OB"), PictureZone(START, 152.0, 150.0, 1, "Bullish OB"))
    said = words(chart_scene(chart(zones=zones)))
    assert {
        "BTCUSDT",
        "160.0",
        "+60.00%",
        "61.31%",
        "+2.50%",
        "−5.00%",
        "Order blocks 2 · flags 0 · swings 0",
        "Bullish OB",
        "Bearish OB",
        "Binance USDT-M  ·  18 Nov 2025 15:00 UTC",
    } <= said
    assert not said & {"LONG", "SHORT", "ENTRY", "PAPER"}


def test_a_chart_without_blocks_has_dashes_for_them() -> None:
    assert sum(op.text == "–" for op in texts(chart_scene(chart()))) == 2


def test_a_block_around_the_close_is_no_way_off() -> None:
    drawn = chart_scene(chart(zones=(PictureZone(START, 165.0, 155.0, 1, "Bullish OB"),)))
    assert sum(op.text == "+0.00%" for op in texts(drawn)) == 2


def test_a_block_far_from_the_candles_does_not_squeeze_them() -> None:
    far = PictureZone(START, 5_000.0, 4_900.0, -1, "Bearish OB")
    assert "Bearish OB" not in words(chart_scene(chart(zones=(far,))))


def test_only_the_newest_candles_are_drawn() -> None:
    drawn = chart_scene(chart(candles=climb(MOST_CANDLES + 30)))
    assert sum(isinstance(op, Rect) and op.layer == Layer.CANDLE for op in drawn.ops) == MOST_CANDLES


def test_no_line_of_a_block_runs_through_the_label_of_another_without_a_chip() -> None:
    # The first label found its place before the lines of the second block were there.
    zones = (
        PictureZone(START, 152.0, 150.0, 1, "first block"),
        PictureZone(START, 149.0, 148.0, 1, "second block"),
    )
    drawn = chart_scene(chart(zones=zones))
    lines = [op for op in drawn.ops if isinstance(op, Line) and op.layer == Layer.ZONE]
    chips = [op for op in drawn.ops if isinstance(op, Rect) and op.colour == DARK.chip]
    for label in (op for op in texts(drawn) if "block" in op.text and op.bold):
        box = text_box(label, text_width)
        crossed = any(box.top < line.y1 < box.bottom and line.x1 < box.right for line in lines)
        under = any(chip.x <= box.left and chip.x + chip.width >= box.right for chip in chips)
        assert under or not crossed, label.text

from __future__ import annotations

import csv
import dataclasses
import gzip
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from PIL import ImageFont
from sample_pictures import INTERVAL_MS, START, random_picture

from trading_system.charts.advances import MEASURED_CHARACTERS, UNITS_PER_EM, text_width
from trading_system.charts.drawing import SMALLEST_TEXT, Box, Layer, Line, Poly, Rect, Scene, Text, fitted, text_box
from trading_system.charts.placement import spread
from trading_system.charts.png import _FILES
from trading_system.charts.scales import price_scale, price_text, round_prices, shared_decimals
from trading_system.charts.scene import (
    AlertPicture,
    PictureCandle,
    PictureError,
    PictureFlag,
    PictureSwing,
    PictureTarget,
    PictureZone,
    Segment,
    scene,
)
from trading_system.charts.theme import DARK


def rally(count: int = 60) -> tuple[PictureCandle, ...]:
    """A steady climb from 100, one unit a candle."""
    return tuple(
        PictureCandle(START + i * INTERVAL_MS, 100 + i, 101.5 + i, 99.5 + i, 101 + i, 10 + i) for i in range(count)
    )


def picture(**changes: object) -> AlertPicture:
    candles = rally()
    plain = AlertPicture(
        symbol="BTCUSDT",
        interval="15m",
        interval_ms=INTERVAL_MS,
        side="long",
        setup="Bull flag breakout",
        reasons=("Pole +3.6% in 3h", "Held the block"),
        candles=candles,
        swings=(PictureSwing(candles[20].open_time, candles[20].low, "low", "HL"),),
        zones=(PictureZone(candles[30].open_time, 131, 128, 1, "Bullish OB"),),
        flag=None,
        entry=160.0,
        stop=140.0,
        targets=(PictureTarget(180.0, 0.5, 1.0), PictureTarget(200.0, 0.5, 2.0)),
        rr_net=1.96,
        risk_percent=1.0,
        quantity="0.083 BTC",
        score=82,
        venue="Binance USDT-M",
        confirmed_at=candles[-1].open_time + INTERVAL_MS,
        signal_id="A41F",
        mode="PAPER",
        tick_decimals=1,
    )
    return dataclasses.replace(plain, **changes)


def texts(drawn: Scene) -> list[Text]:
    return [op for op in drawn.ops if isinstance(op, Text)]


def words(drawn: Scene) -> set[str]:
    return {text.text for text in texts(drawn)}


def find(drawn: Scene, text: str) -> Text:
    return next(op for op in texts(drawn) if op.text == text)


def boxes(drawn: Scene) -> list[tuple[str, Box]]:
    return [(op.text, text_box(op, text_width)) for op in texts(drawn) if op.layer != Layer.WATERMARK]


@pytest.mark.parametrize("part", range(4))
def test_texts_never_meet_and_stay_on_the_canvas_at_a_readable_size(part: int) -> None:
    for seed in range(part * 50, part * 50 + 50):
        drawn = scene(random_picture(seed))
        canvas = Box(0, 0, drawn.width, drawn.height)
        placed = boxes(drawn)
        for (one, box), (other, another) in combinations(placed, 2):
            assert box.overlap(another) == 0, f"seed {seed}: {one!r} meets {other!r}"
        for text, box in placed:
            assert box.within(canvas), f"seed {seed}: {text!r} leaves the canvas at {box}"
        assert all(op.size >= SMALLEST_TEXT for op in texts(drawn)), f"seed {seed}"


@pytest.mark.shared
def test_texts_never_meet_on_real_candles(shared_data: Path) -> None:
    for name, decimals in (("BINANCEUSDM_BTCUSDT_15m", 1), ("BINANCEUSDM_WIFUSDT_15m", 4)):
        candles = real_candles(shared_data / "ohlcv" / f"{name}.csv.gz")
        for end in range(200, 1_000, 80):
            window = candles[end - 60 : end]
            entry, risk = window[-1].close, max(c.high for c in window) - min(c.low for c in window)
            for sign in (1, -1):
                shown = picture(
                    candles=window,
                    side="long" if sign > 0 else "short",
                    swings=turns(window),
                    zones=(PictureZone(window[20].open_time, window[20].high, window[20].low, sign, "Order block"),),
                    entry=entry,
                    stop=entry - sign * risk / 5,
                    targets=tuple(PictureTarget(entry + sign * risk / 5 * r, 0.5, r) for r in (1.0, 2.0)),
                    tick_decimals=decimals,
                )
                for (one, box), (other, another) in combinations(boxes(scene(shown)), 2):
                    assert box.overlap(another) == 0, f"{name} {end}: {one!r} meets {other!r}"


def real_candles(path: Path) -> tuple[PictureCandle, ...]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))[:1_000]
    numbers = ("open", "high", "low", "close", "volume")
    return tuple(PictureCandle(int(row["open_time"]), *(float(row[name]) for name in numbers)) for row in rows)


def turns(candles: tuple[PictureCandle, ...]) -> tuple[PictureSwing, ...]:
    """Every candle higher (lower) than its two neighbours on each side."""
    found = []
    for i in range(2, len(candles) - 2):
        around = candles[i - 2 : i + 3]
        if candles[i].high == max(c.high for c in around):
            found.append(PictureSwing(candles[i].open_time, candles[i].high, "high", "HH"))
        if candles[i].low == min(c.low for c in around):
            found.append(PictureSwing(candles[i].open_time, candles[i].low, "low", "HL"))
    return tuple(found)


def test_every_shape_of_a_random_picture_stays_on_the_canvas() -> None:
    for seed in range(100, 140):
        for op in scene(random_picture(seed)).ops:
            if isinstance(op, Rect):
                corners = [(op.x, op.y), (op.x + op.width, op.y + op.height)]
                assert op.width >= 0
                assert op.height >= 0
            elif isinstance(op, Line):
                corners = [(op.x1, op.y1), (op.x2, op.y2)]
            elif isinstance(op, Poly):
                corners = list(op.points)
            else:
                continue
            assert all(-1 <= x <= 1025 and -1 <= y <= 1281 for x, y in corners), f"seed {seed}: {op}"


def test_a_random_picture_always_shows_every_level_with_its_price() -> None:
    for seed in range(140, 180):
        shown = random_picture(seed)
        said = words(scene(shown))
        assert "ENTRY" in said
        assert {f"TP{n}  {t.r_multiple:.1f}R" for n, t in enumerate(shown.targets, start=1)} <= said
        assert any(text.startswith("SL  −") for text in said)


def test_the_same_picture_gives_the_same_scene() -> None:
    assert scene(random_picture(7)) == scene(random_picture(7))


def test_operations_come_in_the_order_of_their_layers() -> None:
    layers = [op.layer for op in scene(picture()).ops]
    assert layers == sorted(layers)


def test_a_picture_says_what_the_signal_is() -> None:
    said = words(scene(picture()))
    assert {
        "BTCUSDT",
        "15m",
        "LONG",
        "Bull flag breakout",
        "Pole +3.6% in 3h",
        "ENTRY",
        "TP1  1.0R",
        "TP2  2.0R",
        "SL  −12.50%",
        "160",
        "140",
        "1 : 1.96",
        "1.0%",
        "0.083 BTC",
        "82/100",
        "PAPER",
        "Bullish OB",
        "HL",
        "TRADING SYSTEM",
        "Binance USDT-M  ·  18 Nov 2025 15:00 UTC  ·  #A41F",
    } <= said


def test_a_price_that_is_not_whole_gives_every_pill_its_digits() -> None:
    said = words(scene(picture(entry=160.5)))
    assert {"160.5", "140.0", "180.0", "200.0"} <= said


def test_what_is_not_known_is_a_dash() -> None:
    drawn = scene(picture(risk_percent=None, quantity=None))
    assert sum(op.text == "–" for op in texts(drawn)) == 2


def test_the_why_list_is_top_left_for_a_long_and_bottom_left_for_a_short() -> None:
    short = picture(side="short", stop=180.0, targets=(PictureTarget(120.0, 1.0, 2.0),))
    assert find(scene(picture()), "Held the block").y < 400
    assert find(scene(short), "Held the block").y > 800


@pytest.mark.parametrize("side", ["long", "short"])
def test_candles_keep_out_of_the_why_list(side: str) -> None:
    # The window that is worst for each: it starts at its extreme on the side of the list.
    falling = tuple(
        PictureCandle(START + i * INTERVAL_MS, 200 - i, 201 - i, 198.5 - i, 199 - i, 5.0) for i in range(60)
    )
    if side == "long":
        drawn = scene(picture(candles=falling, entry=141.0, stop=138.0, targets=(PictureTarget(144.0, 1, 1.0),)))
    else:
        target = (PictureTarget(155.0, 1, 1.0),)
        drawn = scene(picture(candles=rally(), side="short", entry=160.0, stop=165.0, targets=target))
    reasons = [text_box(find(drawn, text), text_width) for text in ("Pole +3.6% in 3h", "Held the block")]
    for op in drawn.ops:
        if op.layer == Layer.CANDLE:
            if isinstance(op, Rect):
                body = Box(op.x, op.y, op.x + op.width, op.y + op.height)
            else:
                assert isinstance(op, Line)
                body = Box(op.x1 - 1, min(op.y1, op.y2), op.x1 + 1, max(op.y1, op.y2))
            assert all(body.overlap(reason) == 0 for reason in reasons)


def test_levels_far_away_sit_at_the_edge_with_an_arrow() -> None:
    near = scene(picture())
    far = scene(picture(targets=(PictureTarget(180.0, 0.5, 1.0), PictureTarget(2000.0, 0.5, 92.0))))

    def arrows(drawn: Scene) -> list[Poly]:
        return [op for op in drawn.ops if isinstance(op, Poly) and op.layer == Layer.LEVEL]

    assert arrows(near) == []
    assert len(arrows(far)) == 1
    assert arrows(far)[0].colour == DARK.green
    assert "2,000" in words(far)


def test_levels_near_each_other_get_rows_apart_in_the_order_of_their_prices() -> None:
    targets = (PictureTarget(160.2, 0.5, 1.0), PictureTarget(160.4, 0.5, 2.0))
    drawn = scene(picture(stop=159.8, targets=targets))
    rows = [find(drawn, text).y for text in ("160.4", "160.2", "160.0", "159.8")]
    assert all(lower - upper >= 45.9 for upper, lower in pairwise(rows))
    assert [find(drawn, text).y for text in ("TP2  2.0R", "TP1  1.0R", "ENTRY")] == pytest.approx(rows[:3], abs=2)


def test_a_grid_label_under_a_pill_is_left_out() -> None:
    drawn = scene(picture())
    pills = [op for op in drawn.ops if isinstance(op, Rect) and op.layer == Layer.LEVEL and op.width > 100]
    labels = [op for op in texts(drawn) if op.colour == DARK.muted and op.x > 850 and 160 < op.y < 960]
    assert labels
    for label in labels:
        box = text_box(label, text_width)
        assert all(box.overlap(Box(p.x, p.y, p.x + p.width, p.y + p.height)) == 0 for p in pills)


def test_a_swing_outside_the_window_is_not_drawn() -> None:
    drawn = scene(picture(swings=(PictureSwing(START - INTERVAL_MS, 99.0, "low", "LL"),)))
    assert "LL" not in words(drawn)


def test_a_swing_without_a_label_is_only_a_triangle() -> None:
    low = PictureSwing(rally()[20].open_time, rally()[20].low, "low", "")
    drawn = scene(picture(swings=(low,)))
    assert sum(isinstance(op, Poly) and op.layer == Layer.DRAWING for op in drawn.ops) == 1
    assert "" not in words(drawn)


def test_a_zone_below_the_axis_is_not_drawn() -> None:
    drawn = scene(picture(zones=(PictureZone(START, 2.0, 1.0, 1, "Bullish OB"),)))
    assert "Bullish OB" not in words(drawn)


def test_a_flag_is_a_dashed_pole_and_two_lines() -> None:
    candles = rally()
    pole = Segment(candles[10].open_time, candles[10].low, candles[40].open_time, candles[40].high)
    upper = Segment(candles[40].open_time, candles[40].high, candles[-1].open_time, 138.0)
    lower = Segment(candles[40].open_time, 136.0, candles[-1].open_time, 132.0)
    drawn = scene(picture(flag=PictureFlag(pole, upper, lower)))
    lines = [op for op in drawn.ops if isinstance(op, Line) and op.layer == Layer.DRAWING]
    assert [line.dash is not None for line in lines] == [True, False, False]
    assert {"Pole", "Flag"} <= words(drawn)


def test_only_the_newest_seventy_candles_are_drawn() -> None:
    drawn = scene(picture(candles=rally(90), entry=190.0, stop=180.0, targets=(PictureTarget(200.0, 1, 1.0),)))
    assert sum(isinstance(op, Line) and op.layer == Layer.CANDLE for op in drawn.ops) == 70


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"candles": ()}, "at least one candle"),
        ({"candles": tuple(reversed(rally(3)))}, "ascending"),
        ({"candles": (PictureCandle(START, 5, 4, 3, 5, 1),)}, "close <= high"),
        ({"candles": (PictureCandle(START, 5, float("nan"), 3, 5, 1),)}, "low <= open"),
        ({"stop": 161.0}, "losing side"),
        ({"targets": ()}, "1 to 6 targets"),
        ({"targets": (PictureTarget(150.0, 1.0, 1.0),)}, "beyond"),
        ({"entry": float("inf")}, "positive prices"),
        ({"side": "up"}, "long or short"),
    ],
)
def test_contradicting_facts_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PictureError, match=said):
        picture(**changes)


def test_the_table_of_widths_is_the_fonts_own() -> None:
    for bold, path in _FILES.items():
        font = ImageFont.truetype(path, UNITS_PER_EM, layout_engine=ImageFont.Layout.BASIC)
        for character in MEASURED_CHARACTERS:
            assert text_width(character, UNITS_PER_EM, bold) == round(font.getlength(character)), character


def test_a_text_is_never_much_wider_than_measured() -> None:
    for text in ("BTCUSDT", "105,573.7", "0.00001234", "Pullback 53% of the pole", "SL  −1.73%"):
        for bold, path in _FILES.items():
            for size in (24, 27, 29, 34, 60):
                drawn = ImageFont.truetype(path, size).getlength(text)
                assert drawn <= text_width(text, size, bold) * 1.02 + 1


def test_a_text_that_does_not_fit_shrinks_and_then_loses_its_end() -> None:
    assert fitted("short", 500, 34, text_width) == ("short", 34)
    text, size = fitted("a text that is a bit long", 320, 34, text_width)
    assert (text, size) == ("a text that is a bit long", 28)
    text, size = fitted("a text that is a bit long", 100, 34, text_width)
    assert size == SMALLEST_TEXT
    assert text.endswith("…")
    assert text_width(text, size) <= 100


def test_rows_with_room_stay_where_they_are() -> None:
    assert spread([100.0, 200.0, 300.0], 46, 0, 1000) == [100.0, 200.0, 300.0]


def test_rows_that_collide_share_the_distance() -> None:
    assert spread([100.0, 100.0], 40, 0, 1000) == [80.0, 120.0]


def test_rows_stay_inside_their_bounds() -> None:
    rows = spread([-50.0, 0.0, 5.0], 40, 10, 1000)
    assert rows[0] == 10
    assert [b - a for a, b in pairwise(rows)] == [40, 40]
    assert spread([999.0, 999.0], 40, 0, 1000)[-1] == 1000
    assert spread([0.0] * 11, 40, 0, 100) == pytest.approx([10.0 * i for i in range(11)])


def test_candles_keep_their_share_of_the_height_however_far_the_levels_are() -> None:
    scale = price_scale(100, 110, [50, 1000], 0, 1000)
    assert scale.y(100) - scale.y(110) >= 380


def test_round_prices_are_round_and_inside_the_axis() -> None:
    scale = price_scale(0.00001180, 0.00001215, [], 0, 1000)
    marks = round_prices(scale, 6)
    assert [text for _, text in marks] == ["0.0000118", "0.0000119", "0.0000120", "0.0000121"]
    assert all(scale.low <= price <= scale.high for price, _ in marks)


def test_prices_of_any_size_are_plain_decimals() -> None:
    assert price_text(105573.7, 1) == "105,573.7"
    assert price_text(0.00001234, 8) == "0.00001234"
    assert shared_decimals([68790.0, 67600.5], 2) == 1
    assert shared_decimals([68790.0], 2) == 0

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, features
from sample_pictures import random_picture

from trading_system.charts.advances import text_width
from trading_system.charts.drawing import Layer, Line, Poly, Rect, Scene, Text, text_box
from trading_system.charts.png import ShapingError, png, raster, shaped_width
from trading_system.charts.scene import scene


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_a_picture_is_a_png_of_1024_by_1280() -> None:
    image = opened(png(scene(random_picture(3))))
    image.load()
    assert image.format == "PNG"
    assert image.size == (1024, 1280)
    assert image.mode == "RGB"


def test_the_same_scene_gives_the_same_bytes_in_any_thread() -> None:
    drawn = scene(random_picture(11))
    with ThreadPoolExecutor(3) as threads:
        assert set(threads.map(png, [drawn] * 3)) == {png(drawn)}


def test_an_opaque_colour_covers_and_a_faint_one_blends() -> None:
    ops = (
        Rect(0, 0, 20, 20, "#000000", Layer.BACKGROUND),
        Rect(2, 2, 8, 8, "#ff0000", Layer.CANDLE),
        Rect(12, 2, 6, 8, "#ff000080", Layer.ZONE),
    )
    image = opened(png(Scene(20, 20, ops)))
    assert image.getpixel((5, 5)) == (255, 0, 0)
    red, green, blue = image.getpixel((15, 5))  # type: ignore[misc]
    assert 120 <= red <= 135
    assert (green, blue) == (0, 0)
    assert image.getpixel((0, 15)) == (0, 0, 0)


def test_a_rectangle_without_height_paints_nothing() -> None:
    ops = (Rect(0, 0, 10, 10, "#000000", Layer.BACKGROUND), Rect(0, 5, 10, 0, "#ff0000", Layer.ZONE))
    assert opened(png(Scene(10, 10, ops))).getcolors() == [(100, (0, 0, 0))]


def test_a_dashed_line_has_gaps() -> None:
    ops = (
        Rect(0, 0, 40, 10, "#000000", Layer.BACKGROUND),
        Line(0, 5, 40, 5, "#ffffff", Layer.LEVEL, width=2, dash=(8.0, 8.0)),
    )
    image = opened(png(Scene(40, 10, ops)))
    assert image.getpixel((4, 5)) == (255, 255, 255)
    assert image.getpixel((12, 5)) == (0, 0, 0)


def test_polygons_and_texts_are_drawn() -> None:
    ops = (
        Rect(0, 0, 60, 40, "#000000", Layer.BACKGROUND),
        Poly(((0, 0), (10, 0), (0, 10)), "#00ff00", Layer.DRAWING),
        Text(30, 35, "HH", 24, "#ffffff", anchor="middle"),
    )
    image = opened(png(Scene(60, 40, ops)))
    assert image.getpixel((1, 1)) == (0, 255, 0)
    assert (255, 255, 255) in {colour for _, colour in image.getcolors(4096) or []}


def ink(text: Text) -> tuple[int, int, int, int]:
    """Where ``text`` alone leaves marks."""
    ground = Rect(0, 0, 500, 80, "#000000", Layer.BACKGROUND)
    marks = raster(Scene(500, 80, (ground, text))).getbbox()
    assert marks is not None
    return marks


@pytest.mark.parametrize("words", ["الدخول", "الوقف  \u2066−1.73%\u2069", "\u20661.0R\u2069 هدف"])
@pytest.mark.parametrize("anchor", ["left", "middle", "right"])
def test_an_arabic_text_lies_where_its_width_says(words: str, anchor: str) -> None:
    text = Text(250, 50, words, 27, "#ffffff", bold=True, anchor=anchor)
    box, marks = text_box(text, shaped_width), ink(text)
    assert box.left - 2 <= marks[0]
    assert marks[2] <= box.right + 2
    assert marks[2] - marks[0] >= 0.9 * (box.right - box.left)


def test_arabic_letters_are_joined() -> None:
    alone = sum(shaped_width(letter, 100) for letter in "الدخول")
    assert shaped_width("الدخول", 100) < 0.95 * alone


def test_a_percentage_in_an_arabic_text_keeps_its_sign_in_front() -> None:
    number = "−1.73%"
    width = int(shaped_width(number, 27))

    def leftmost(text: str) -> bytes:
        ground = Rect(0, 0, 400, 80, "#000000", Layer.BACKGROUND)
        drawn = raster(Scene(400, 80, (ground, Text(20, 50, text, 27, "#ffffff"))))
        return drawn.crop((20, 0, 20 + width, 80)).tobytes()

    assert leftmost(f"الوقف \u2066{number}\u2069") == leftmost(number)
    assert leftmost(f"الوقف {number}") != leftmost(number)


def test_latin_texts_are_as_wide_for_both_measures() -> None:
    for text in ("BTCUSDT", "TP1  1.0R", "\u206682/100\u2069"):
        assert shaped_width(text, 27) == pytest.approx(text_width(text, 27), rel=0.03)


def test_without_the_shaping_library_arabic_is_refused_and_english_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    assert shaped_width("ENTRY", 27) > 0
    with pytest.raises(ShapingError, match="libfribidi0"):
        shaped_width("الدخول", 27)

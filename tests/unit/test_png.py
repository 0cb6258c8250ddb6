from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

from PIL import Image
from sample_pictures import random_picture

from trading_system.charts.drawing import Layer, Line, Poly, Rect, Scene, Text
from trading_system.charts.png import png
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

"""Labels as they are drawn: each text rasterised alone, on real signals, and the masks held against each other."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from sample_pictures import REAL_FILES, real_alerts

from trading_system.charts.advances import text_width
from trading_system.charts.chart_scene import chart_scene
from trading_system.charts.closed_scene import closed_scene
from trading_system.charts.drawing import Layer, Rect, Scene, Text, text_box
from trading_system.charts.png import raster
from trading_system.charts.scene import scene
from trading_system.research.chart_file import chart_picture, source_of_file
from trading_system.settings import Settings

_MARGIN = 6
_INK = 24  # of 255: what is fainter is the soft edge of a letter
SIGNALS = 200


class Mask(NamedTuple):
    """The pixels of one text: where they begin, and which of them are inked."""

    text: str
    left: int
    top: int
    inked: npt.NDArray[np.bool_]


def mask_of(text: Text) -> Mask:
    """Draw ``text`` alone, white on black, at the same fractions of a px as in its picture."""
    box = text_box(text, text_width)
    left, top = math.floor(box.left) - _MARGIN, math.floor(box.top) - _MARGIN
    width, height = math.ceil(box.right) - left + _MARGIN, math.ceil(box.bottom) - top + _MARGIN
    alone = text._replace(x=text.x - left, y=text.y - top, colour="#ffffff")
    ground = Rect(0, 0, width, height, "#000000", Layer.BACKGROUND)
    image = raster(Scene(width, height, (ground, alone))).convert("L")
    return Mask(text.text, left, top, np.asarray(image) > _INK)


def shared_pixels(one: Mask, other: Mask) -> int:
    left, top = max(one.left, other.left), max(one.top, other.top)
    right = min(one.left + one.inked.shape[1], other.left + other.inked.shape[1])
    bottom = min(one.top + one.inked.shape[0], other.top + other.inked.shape[0])
    if right <= left or bottom <= top:
        return 0

    def part(mask: Mask) -> npt.NDArray[np.bool_]:
        return mask.inked[top - mask.top : bottom - mask.top, left - mask.left : right - mask.left]

    return int(np.count_nonzero(part(one) & part(other)))


def collisions(drawn: Scene) -> list[tuple[str, str]]:
    """Return every pair of texts, the watermark excepted, that share a pixel, and every text on another one's pill."""
    texts = [op for op in drawn.ops if isinstance(op, Text) and op.layer != Layer.WATERMARK]
    masks = [mask_of(text) for text in texts]
    found = [(one.text, other.text) for one, other in combinations(masks, 2) if shared_pixels(one, other)]
    for pill in (op for op in drawn.ops if isinstance(op, Rect) and op.layer == Layer.LEVEL and op.width > 100):
        plate = np.ones((math.floor(pill.height), math.floor(pill.width)), bool)
        area = Mask("pill", math.ceil(pill.x), math.ceil(pill.y), plate)
        on_it = [mask.text for mask in masks if shared_pixels(mask, area)]
        if len(on_it) > 1:
            found.append((on_it[0], on_it[1]))
    return found


def test_two_texts_over_each_other_are_seen_and_two_beside_each_other_are_not() -> None:
    one, other = Text(10, 50, "ENTRY", 27, "#ffffff"), Text(30.5, 52, "TP1", 27, "#ffffff")
    assert collisions(Scene(300, 100, (one, other))) == [("ENTRY", "TP1")]
    assert collisions(Scene(300, 100, (one, other._replace(x=150)))) == []
    watermark = other._replace(layer=Layer.WATERMARK)
    assert collisions(Scene(300, 100, (one, watermark))) == []


def test_a_text_on_the_pill_of_another_is_seen() -> None:
    pill = Rect(0, 20, 160, 42, "#26c281", Layer.LEVEL, radius=8)
    own, stray = Text(20, 50, "1.5", 27, "#ffffff"), Text(100, 50, "2", 24, "#ffffff")
    assert collisions(Scene(300, 100, (pill, own))) == []
    assert collisions(Scene(300, 100, (pill, own, stray))) == [("1.5", "2")]


@pytest.mark.shared
@pytest.mark.slow
def test_no_two_labels_share_a_pixel_on_two_hundred_real_signals(shared_data: Path) -> None:
    each = math.ceil(SIGNALS / len(REAL_FILES)) + 1
    seen = 0
    for name in REAL_FILES:
        for alert, closed in real_alerts(shared_data / "ohlcv" / name, each):
            seen += 1
            assert collisions(scene(alert)) == [], f"{name} {alert.signal_id}"
            assert collisions(closed_scene(closed)) == [], f"{name} {alert.signal_id} closed"
    assert seen >= SIGNALS


@pytest.mark.shared
@pytest.mark.slow
def test_no_two_labels_share_a_pixel_on_real_charts(shared_data: Path) -> None:
    settings = Settings()
    for name in REAL_FILES:
        source = source_of_file(shared_data / "ohlcv" / name, None)
        first = int(source.candles["open_time"][0])
        for rows in (400, 1_500, 4_000):
            picture = chart_picture(source, settings, at=first + rows * source.base)
            assert collisions(chart_scene(picture)) == [], f"{name} after {rows} rows"

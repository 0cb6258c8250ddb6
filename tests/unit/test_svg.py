from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from sample_pictures import random_picture

from trading_system.charts.advances import text_width
from trading_system.charts.drawing import Layer, Line, Poly, Rect, Scene, Text
from trading_system.charts.scene import scene
from trading_system.charts.svg import svg

NAMES = {Rect: "rect", Line: "line", Poly: "polygon", Text: "text"}


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  our own text, and that it is well formed is the point


def only(drawn: Rect | Line | Poly | Text) -> ET.Element:
    return parsed(svg(Scene(100, 50, (drawn,))))[0]


@pytest.mark.parametrize("seed", [3, 11, 40])
def test_every_operation_of_a_picture_becomes_one_element_in_the_same_order(seed: int) -> None:
    drawn = scene(random_picture(seed))
    elements = parsed(svg(drawn))
    assert elements.get("viewBox") == "0 0 1024 1280"
    shown = [op for op in drawn.ops if not (isinstance(op, Rect) and (op.width <= 0 or op.height <= 0))]
    assert [element.tag.rpartition("}")[2] for element in elements] == [NAMES[type(op)] for op in shown]
    assert [element.text for element in elements if element.text] == [op.text for op in shown if isinstance(op, Text)]


def test_a_faint_colour_is_a_colour_and_an_opacity() -> None:
    rect = only(Rect(1, 2, 30.005, 4, "#4f8cff80", Layer.ZONE, radius=3))
    assert {name: rect.get(name) for name in ("x", "y", "width", "rx", "fill", "fill-opacity")} == {
        "x": "1",
        "y": "2",
        "width": "30",
        "rx": "3",
        "fill": "#4f8cff",
        "fill-opacity": "0.5",
    }
    assert only(Rect(1, 2, 3, 4, "#4f8cff", Layer.ZONE)).get("fill-opacity") is None


def test_a_dashed_line_keeps_its_dashes() -> None:
    line = only(Line(0, 5, 40, 5, "#ffffff", Layer.LEVEL, width=2, dash=(13.0, 7.0)))
    assert (line.get("stroke-dasharray"), line.get("stroke-width")) == ("13 7", "2")


def test_a_text_says_which_of_its_ends_it_stands_on_and_how_wide_it_may_be() -> None:
    text = only(Text(90, 40, "ENTRY", 27, "#ffffff", bold=True, anchor="right"))
    assert (text.get("text-anchor"), text.get("font-weight")) == ("end", "bold")
    assert float(text.get("textLength", "0")) == pytest.approx(text_width("ENTRY", 27, True), abs=0.01)
    assert only(Text(9, 40, "ENTRY", 27, "#ffffff")).get("text-anchor") is None


def test_a_text_that_is_read_from_the_right_begins_at_its_right_end() -> None:
    ends = {
        anchor: only(Text(50, 40, "الدخول", 27, "#ffffff", anchor=anchor)) for anchor in ("left", "middle", "right")
    }
    assert [ends[anchor].get("text-anchor", "start") for anchor in ends] == ["end", "middle", "start"]
    assert all(text.get("direction") == "rtl" and text.get("textLength") is None for text in ends.values())


def test_markup_in_a_symbol_stays_text() -> None:
    hostile = '<script>"&\x00\x07\ufffe'
    drawn = svg(Scene(10, 10, (Text(0, 0, hostile, 24, "#ffffff"),)), title=hostile)
    root = parsed(drawn)
    assert [element.text for element in root] == ['<script>"&'] * 2
    assert "<script" not in drawn


def test_a_page_is_never_asked_to_fetch_anything() -> None:
    drawn = svg(scene(random_picture(5)), "BTCUSDT")
    assert drawn.count("http") == 1
    assert "url(" not in drawn
    assert "href" not in drawn

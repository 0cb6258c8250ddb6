"""The colours of a picture, dark or light; side and mode are said in words too, so no meaning hangs on a colour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Theme(NamedTuple):
    """One set of colours, each #rrggbb, ``chip`` #rrggbbaa.

    ``ink`` is for what is read first, ``text`` for sentences, ``muted`` for what stands back, ``on_pill`` for the
    words on a coloured pill, ``chip`` for what keeps a label readable over candles. The ``..._shade`` are opacities
    (0..1) of filled areas: a white ground needs less of the same colour.
    """

    background: str
    grid: str
    tile: str
    watermark: str
    ink: str
    text: str
    muted: str
    on_pill: str
    green: str
    red: str
    yellow: str
    blue: str
    violet: str
    chip: str
    reward_shade: float
    risk_shade: float
    zone_shade: float
    flag_shade: float
    volume_shade: float
    modes: Mapping[str, str]


DARK = Theme(
    background="#0e1320",
    grid="#1d2436",
    tile="#161d2d",
    watermark="#191f2d",
    ink="#eef2fb",
    text="#dde3f0",
    muted="#929db8",
    on_pill="#0e1320",
    green="#26c281",
    red="#f0525f",
    yellow="#ffc246",
    blue="#4f8cff",
    violet="#b383ff",
    chip="#0e1320d0",
    reward_shade=0.16,
    risk_shade=0.18,
    zone_shade=0.26,
    flag_shade=0.11,
    volume_shade=0.32,
    modes=MappingProxyType({"DEMO": "#4f8cff", "PAPER": "#ffc246", "LIVE": "#f0525f"}),
)

# The same hues, darkened until each is readable on white (4.5 : 1 for what is written small).
LIGHT = Theme(
    background="#ffffff",
    grid="#e8ebf1",
    tile="#f1f4fa",
    watermark="#f0f1f4",
    ink="#121827",
    text="#1f2738",
    muted="#5a6680",
    on_pill="#ffffff",
    green="#0b7f55",
    red="#cf2f42",
    yellow="#a35f00",
    blue="#2460d6",
    violet="#7a3fd0",
    chip="#ffffffd8",
    reward_shade=0.14,
    risk_shade=0.15,
    zone_shade=0.2,
    flag_shade=0.1,
    volume_shade=0.3,
    modes=MappingProxyType({"DEMO": "#2460d6", "PAPER": "#a35f00", "LIVE": "#cf2f42"}),
)

THEMES: Mapping[str, Theme] = MappingProxyType({"dark": DARK, "light": LIGHT})


def faint(colour: str, opacity: float) -> str:
    """Return ``colour`` (#rrggbb) with an opacity of 0..1."""
    return f"{colour}{round(opacity * 255):02x}"

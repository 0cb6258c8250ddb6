"""The colours of the dark theme; side and mode are also said in words, so no meaning hangs on a colour alone."""

from __future__ import annotations

BACKGROUND = "#0e1320"
GRID = "#1d2436"
TILE = "#161d2d"
WATERMARK = "#191f2d"
WHITE = "#eef2fb"
TEXT = "#dde3f0"
MUTED = "#929db8"
ON_PILL = "#0e1320"
GREEN = "#26c281"
RED = "#f0525f"
YELLOW = "#ffc246"
BLUE = "#4f8cff"
VIOLET = "#b383ff"
CHIP = "#0e1320d0"

MODE = {"DEMO": BLUE, "PAPER": YELLOW, "LIVE": RED}


def faint(colour: str, opacity: float) -> str:
    """Return ``colour`` (#rrggbb) with an opacity of 0..1."""
    return f"{colour}{round(opacity * 255):02x}"

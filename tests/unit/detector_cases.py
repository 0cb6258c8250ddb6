"""Sequences worked out by hand, and the swings, blocks and flags that they must give.

A fact is (candle at whose close it is known, kind, direction, candle that it speaks about, its numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Row = tuple[float, float, float, float, float]  # open, high, low, close, volume
Fact = tuple[int, str, int, int, dict[str, Any]]


class Pivot(NamedTuple):
    """A pivot of candle ``k``, and whether the alternating list takes it as a swing (and instead of which candle)."""

    side: int
    k: int
    price: float
    known_at: int
    swing: bool = True
    replaces: int | None = None


class SwingCase(NamedTuple):
    highs: Sequence[float]
    lows: Sequence[float]
    expected: dict[str, list[Pivot]]  # by the parameter that differs from the defaults: ties or same_bar


H, L = 1, -1

SWINGS = {
    "plain high": SwingCase((10, 11, 15, 12, 11), (8, 9, 10, 9, 8), {"ties=last": [Pivot(H, 2, 15, 4)]}),
    "equal neighbours": SwingCase(
        (10, 12, 15, 15, 12, 11, 10),
        (8, 10, 13, 13, 10, 9, 8),
        {
            "ties=last": [Pivot(H, 3, 15, 5)],
            "ties=first": [Pivot(H, 2, 15, 4)],
            "ties=all": [Pivot(H, 2, 15, 4), Pivot(H, 3, 15, 5, swing=False)],
            "ties=none": [],
        },
    ),
    "equal highs with one between": SwingCase(
        (9, 10, 15, 12, 15, 11, 10, 9),
        (7, 8, 13, 10, 13, 9, 8, 7),
        {
            "ties=last": [Pivot(H, 4, 15, 6)],
            "ties=first": [Pivot(H, 2, 15, 4)],
            "ties=all": [Pivot(H, 2, 15, 4), Pivot(H, 4, 15, 6, swing=False)],
            "ties=none": [],
        },
    ),
    "flat": SwingCase(
        (10,) * 7,
        (10,) * 7,
        {
            "ties=last": [],
            "ties=first": [],
            "ties=none": [],
            "ties=all": [
                Pivot(H, 2, 10, 4),
                Pivot(L, 2, 10, 4),
                Pivot(L, 3, 10, 5, swing=False),
                Pivot(H, 3, 10, 5),
                Pivot(H, 4, 10, 6, swing=False),
                Pivot(L, 4, 10, 6),
            ],
        },
    ),
    "mother bar": SwingCase(
        (10, 11, 15, 14, 13, 12),
        (8, 9, 5, 6, 7, 8),
        {"same_bar=both": [Pivot(H, 2, 15, 4), Pivot(L, 2, 5, 4)], "same_bar=high": [Pivot(H, 2, 15, 4)]},
    ),
    "a higher high replaces": SwingCase(
        (10, 11, 15, 12, 11.5, 12, 18, 13, 12),
        (8, 9, 10, 10.5, 10.8, 11, 11.5, 11.2, 10.9),
        {"ties=last": [Pivot(H, 2, 15, 4), Pivot(H, 6, 18, 8, replaces=2)]},
    ),
    "right side incomplete": SwingCase((10, 11, 15, 12), (8, 9, 10, 9), {"ties=last": []}),
    "gap up": SwingCase(
        (10, 11, 12, 20, 21, 20.5, 20), (9, 10, 11, 19, 20, 19.5, 19), {"ties=last": [Pivot(H, 4, 21, 6)]}
    ),
}


class BlockCase(NamedTuple):
    candles: Sequence[Row]
    setting: str  # one parameter of the blocks, "" for the defaults
    expected: list[Fact]


_BASE: list[Row] = [
    (10, 11, 9, 10, 100),
    (10, 12, 9.5, 11, 110),
    (11, 15, 10.5, 12, 120),
    (12, 13, 10, 11, 130),
    (11, 12, 9, 9.5, 140),
    (9.5, 11, 8, 10, 150),
    (10, 14, 9.5, 13.5, 160),
]
_BREAK: Row = (13.5, 17, 13, 16, 170)
_PAUSE: Row = (16, 16.5, 14, 15, 180)
_TOUCH: Row = (15, 15.2, 10.9, 12, 190)
_LIFE = [*_BASE, _BREAK, _PAUSE, _TOUCH, (12, 12.5, 7.5, 7.8, 200), (7.8, 9, 7, 8.5, 210), (8.5, 11.5, 8.4, 11.2, 220)]
_QUIET: Row = (16, 16.5, 15, 16, 10)

_HIGH_2: Fact = (4, "swing_high", 1, 2, {"price": 15})
_LOW_5: Fact = (7, "swing_low", -1, 5, {"price": 8})
_HIGH_7: Fact = (9, "swing_high", 1, 7, {"price": 17})
_BOS_7: Fact = (7, "bos", 1, 2, {"price": 15, "close": 16})
_FORMED_7: Fact = (7, "ob_formed", 1, 5, {"top": 11, "bottom": 8, "volume": 480, "strength": 45.4545, "swing": 2})
_START: list[Fact] = [_HIGH_2, _LOW_5, _BOS_7, _FORMED_7]
_TOUCHED_9: Fact = (9, "ob_touched", 1, 5, {"penetration": 0.0333})
_MITIGATED_10: Fact = (10, "ob_mitigated", 1, 5, {"penetration": 1.1667})
_LIFE_FACTS: list[Fact] = [
    *_START,
    _HIGH_7,
    _TOUCHED_9,
    _MITIGATED_10,
    (10, "choch", -1, 5, {"price": 8, "close": 7.8}),
    (10, "ob_formed", -1, 7, {"top": 17, "bottom": 13, "volume": 570, "strength": 46.1538, "swing": 5}),
    (12, "ob_invalidated", 1, 5, {"penetration": 1.1667}),
]
_THROUGH: list[Fact] = [
    *_START,
    _HIGH_7,
    (9, "ob_touched", 1, 5, {"penetration": 1.6667}),
    (9, "ob_mitigated", 1, 5, {"penetration": 1.6667}),
    (9, "choch", -1, 5, {"price": 8, "close": 6.5}),
    (9, "ob_formed", -1, 7, {"top": 17, "bottom": 13, "volume": 540, "strength": 45.9459, "swing": 5}),
]
_GAP_THROUGH = [*_BASE, _BREAK, _PAUSE, (7, 7.5, 6, 6.5, 190)]
_WICK = [*_BASE, _BREAK, _PAUSE, _TOUCH, (12, 12.5, 7.5, 8.2, 200)]


def mirrored(rows: Sequence[Row], around: float) -> list[Row]:
    """Return candles turned upside down: p -> around - p."""
    return [(around - o, around - low, around - high, around - close, volume) for o, high, low, close, volume in rows]


_KINDS = {"swing_high": "swing_low", "swing_low": "swing_high"}


def mirrored_facts(facts: Sequence[Fact], around: float) -> list[Fact]:
    """Return what must be found in mirrored candles: the same at the same candles, directions turned."""
    turned: list[Fact] = []
    for at, kind, direction, candle, numbers in facts:
        values = {k: around - v if k in {"price", "close", "top", "bottom"} else v for k, v in numbers.items()}
        if "top" in values:
            values["top"], values["bottom"] = values["bottom"], values["top"]
        turned.append((at, _KINDS.get(kind, kind), -direction, candle, values))
    return turned


BLOCKS = {
    "life of a bullish block": BlockCase(_LIFE, "", _LIFE_FACTS),
    "its mirror image": BlockCase(mirrored(_LIFE, 40), "", mirrored_facts(_LIFE_FACTS, 40)),
    "an equal close and a wick break nothing": BlockCase(
        [*_BASE, (13.5, 15.5, 13, 15, 170), (15, 16, 14, 14.9, 180), (14.9, 15.3, 14, 15.01, 190)],
        "",
        [
            _HIGH_2,
            _LOW_5,
            (9, "bos", 1, 2, {"price": 15, "close": 15.01}),
            (9, "ob_formed", 1, 5, {"top": 11, "bottom": 8, "volume": 540, "strength": 45.9459, "swing": 2}),
        ],
    ),
    "of two equal lows the last is the block": BlockCase(
        [*_BASE[:6], (10, 10.5, 8, 9.8, 155), (9.8, 16.5, 9.5, 16, 170)],
        "",
        [
            _HIGH_2,
            _BOS_7,
            (7, "ob_formed", 1, 6, {"top": 10.5, "bottom": 8, "volume": 475, "strength": 46.1538, "swing": 2}),
        ],
    ),
    "a wick at the edge touches, at the far edge it does not mitigate": BlockCase(
        [*_BASE, _BREAK, (16, 16.5, 11, 15, 180), (15, 15.2, 8, 12, 190), (12, 12.5, 8.5, 11, 195)],
        "",
        [*_START, (8, "ob_touched", 1, 5, {"penetration": 0.0}), _HIGH_7],
    ),
    "a gap through touches and mitigates": BlockCase(_GAP_THROUGH, "", _THROUGH),
    "a gap through, by its close": BlockCase(_GAP_THROUGH, "mitigation=close", _THROUGH),
    "a block without height": BlockCase(
        [*_BASE[:5], (8, 8, 8, 8, 150), _BASE[6], _BREAK, (16, 16, 8, 9, 10), (9, 9.5, 7.9, 8.5, 10)],
        "",
        [
            _HIGH_2,
            _LOW_5,
            _BOS_7,
            (7, "ob_formed", 1, 5, {"top": 8, "bottom": 8, "volume": 480, "strength": 45.4545, "swing": 2}),
            (8, "ob_touched", 1, 5, {"penetration": 1.0}),
            _HIGH_7,
            (9, "ob_mitigated", 1, 5, {"penetration": 1.0}),
        ],
    ),
    "expiry after three candles": BlockCase(
        [*_BASE, _BREAK, *[_QUIET] * 4],
        "max_age=3",
        [*_START, _HIGH_7, (10, "ob_expired", 1, 5, {"penetration": 0.0, "reason": "max_age"})],
    ),
    "a wick goes through": BlockCase(_WICK, "", [*_START, _HIGH_7, _TOUCHED_9, _MITIGATED_10]),
    "a wick is not a close": BlockCase(_WICK, "mitigation=close", [*_START, _HIGH_7, _TOUCHED_9]),
    "a crossed swing is replaced later": BlockCase(
        [
            (10, 10.5, 9.5, 10, 10),
            (10, 10.6, 9.6, 10.2, 10),
            (10.2, 11, 9.7, 10.5, 10),
            (10.5, 12, 9.8, 11.5, 10),
            (11.5, 15, 10, 14, 10),
            (14, 14.5, 10.5, 13, 10),
            (13, 14, 10.8, 13.5, 10),
            (13.5, 15.4, 11, 15.2, 10),
            (15.2, 18, 11.5, 17, 10),
            (17, 17.5, 11.4, 16, 10),
            (16, 16.5, 11.3, 15, 10),
        ],
        "",
        [
            (6, "swing_high", 1, 4, {"price": 15}),
            (7, "bos", 1, 4, {"price": 15, "close": 15.2}),
            (7, "ob_formed", 1, 5, {"top": 14.5, "bottom": 10.5, "volume": 30, "strength": 50.0, "swing": 4}),
            (8, "ob_touched", 1, 5, {"penetration": 0.75}),
            (10, "swing_high", 1, 8, {"price": 18}),
        ],
    ),
}


class FlagCase(NamedTuple):
    closes: Sequence[float]
    compat: bool  # the settings of neurotrader's trend lines instead of ours
    expected: list[Fact]  # speaks about the tip


_POLE = [15, 14, 13, 12, 11, *range(10, 25)]
_KNOWN: list[Fact] = [
    (22, "flag_pole", 1, 19, {"base": 5}),
    (22, "flag_consolidating", 1, 19, {"base": 5}),
]
_LONG = {"reason": "flag_too_long"}
_FLAG = [23, 23.4, 22.6, 23, 22.2, 22.7, 23.6]


def _breakout(
    at: int, width: int, depth: float, resist: tuple[float, float], support: tuple[float, float], **more: Any
) -> Fact:
    numbers = {
        "base": 5,
        "width": width,
        "pole_width": 14,
        "pole_height": 14,
        "depth": depth,
        "resist_slope": resist[0],
        "resist_intercept": resist[1],
        "support_slope": support[0],
        "support_intercept": support[1],
        "shape": "flag",
    }
    return (at, "flag_breakout", 1, 19, numbers | more)


FLAGS = {
    "bull flag": FlagCase(_POLE + _FLAG, False, [*_KNOWN, _breakout(25, 6, 1.8, (-0.25, 24), (-0.2, 23.2))]),
    "bull flag, compat": FlagCase(
        _POLE + _FLAG, True, [*_KNOWN, _breakout(23, 4, 1.4, (-0.299995, 23.99999), (-0.233333, 23.233333))]
    ),
    "bear flag": FlagCase(
        [40 - close for close in _POLE + _FLAG],
        False,
        [
            (22, "flag_pole", -1, 19, {"base": 5}),
            (22, "flag_consolidating", -1, 19, {"base": 5}),
            (25, "flag_breakout", -1, 19, _breakout(25, 6, 1.8, (0.2, 16.8), (0.25, 16))[4]),
        ],
    ),
    "came back too far": FlagCase(
        [*_POLE, 21, 19, 18, 16.9, 16.5, 16.4],
        False,
        [*_KNOWN, (24, "flag_failed", 1, 19, {"reason": "retraced_too_deep"})],
    ),
    "came back too far, compat": FlagCase(
        [*_POLE, 21, 19, 18, 16.9, 16.5, 16.4],
        True,
        [*_KNOWN, _breakout(22, 3, 5, (-2.500005, 24), (-2.5, 23.5))],
    ),
    "straight drift": FlagCase(
        [*_POLE, 23.6, 23.2, 22.8, 22.4, 22, 21.6, 21.2, 20.8],
        False,
        [*_KNOWN, (27, "flag_expired", 1, 19, _LONG)],
    ),
    "straight drift, compat": FlagCase(
        [*_POLE, 23.6, 23.2, 22.8, 22.4, 22, 21.6, 21.2, 20.8],
        True,
        [*_KNOWN, _breakout(22, 3, 0.8, (-0.4, 24), (-0.4, 24))],
    ),
    "bull pennant": FlagCase(
        [*_POLE, 22, 23.2, 22.2, 23, 22.4, 22.8, 23.3],
        False,
        [
            *_KNOWN,
            (23, "flag_pole", -1, 20, {"base": 19}),
            (23, "flag_expired", -1, 20, _LONG),
            _breakout(25, 6, 2, (-0.25, 24), (0.1, 21.9), shape="pennant"),
        ],
    ),
    "no breakout without progress": FlagCase(
        [*_POLE, 23, 23.4, 22.6, 23, 22.2, 22.2, 22.2, 22.2],
        False,
        [*_KNOWN, (27, "flag_expired", 1, 19, _LONG)],
    ),
    "the tip is exceeded": FlagCase(
        [*_POLE, 23, 22.5, 22, 23, 24.5, 25.5, 25, 24.8, 24.6, 24.5, 24.4],
        False,
        [
            *_KNOWN,
            _breakout(24, 5, 2, (-0.25, 24), (-0.5, 23.5)),
            (25, "flag_pole", -1, 22, {"base": 19}),
            (25, "flag_expired", -1, 22, _LONG),
            (28, "flag_pole", 1, 25, {"base": 22}),
            (28, "flag_expired", 1, 25, _LONG),
        ],
    ),
    "pole too short": FlagCase(
        [15, 14, 13, 12, 11, 10, 11, 12, 13, 12.5, 12, 12.4, 12.2, 12.6, 13.5],
        False,
        [
            (11, "flag_pole", 1, 8, {"base": 5}),
            (11, "flag_expired", 1, 8, _LONG),
            (13, "flag_pole", -1, 10, {"base": 8}),
            (13, "flag_expired", -1, 10, _LONG),
        ],
    ),
}

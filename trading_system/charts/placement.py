"""Where labels go: rows are pushed apart, and a free-standing label takes the best of its candidate places or none.

What a label says is decided by whoever asks; that no two texts meet is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .advances import MeasureText
from .drawing import Box, Text, text_box

_CLEARANCE = 6


def spread(centres: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return ascending ``centres`` moved as little as possible so that neighbours are ``gap`` apart inside [low, high].

    Neighbours that would collide form a block around their mean. When ``high - low`` is too short for all of them the
    gaps shrink evenly.
    """
    if not centres:
        return []
    gap = min(gap, (high - low) / max(1, len(centres) - 1))
    blocks: list[tuple[float, int]] = []
    for index, centre in enumerate(centres):
        # Seen without the gaps, rows must merely not go backwards: the classic pooling of neighbours.
        mean, count = min(max(centre, low), high) - index * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean = (before * many + mean * count) / (many + count)
            count += many
        blocks.append((mean, count))
    last = len(centres) - 1
    flat = [min(max(mean, low), high - last * gap) for mean, count in blocks for _ in range(count)]
    return [row + index * gap for index, row in enumerate(flat)]


class Page:
    """The texts placed so far and the things that a label should rather not cover."""

    def __init__(self, measure: MeasureText, area: Box) -> None:
        """Start an empty page; free-standing labels stay inside ``area``."""
        self._measure = measure
        self._area = area
        self._texts: list[Box] = []
        self._drawn: list[Box] = []
        self.placed: list[Text] = []

    def put(self, text: Text) -> Box:
        """Place ``text`` where it is, whatever is there, and return its area."""
        box = text_box(text, self._measure)
        self._texts.append(box)
        self.placed.append(text)
        return box

    def reserve(self, box: Box) -> None:
        """Keep every label out of ``box``."""
        self._texts.append(box)

    def draw(self, boxes: Iterable[Box]) -> None:
        """Remember areas that labels avoid when they can."""
        self._drawn.extend(boxes)

    def covered(self, box: Box) -> float:
        """Return which share (0..1 and more) of ``box`` drawn things cover."""
        area = (box.right - box.left) * (box.bottom - box.top)
        if area <= 0:
            return 0.0
        left, top, right, bottom = box
        # Spelled out, since a picture asks this a hundred thousand times.
        near = [d for d in self._drawn if d[0] < right and d[2] > left and d[1] < bottom and d[3] > top]
        return sum(box.overlap(drawn) for drawn in near) / area

    def free(self, box: Box, area: Box | None = None) -> bool:
        """Tell whether ``box`` is inside ``area`` (by default the page's) and meets no text."""
        if not box.within(area or self._area):
            return False
        left, top, right, bottom = box.grown(_CLEARANCE)
        return not any(t[0] < right and t[2] > left and t[1] < bottom and t[3] > top for t in self._texts)

    def place(self, candidates: Sequence[Text], most_covered: float, area: Box | None = None) -> Box | None:
        """Place the candidate that covers least, the earlier one of equals, and return its area.

        A label that meets another text at every place, or covers more than ``most_covered`` of its own area at the
        best one, is dropped: None.
        """
        best: tuple[float, Text, Box] | None = None
        for candidate in candidates:
            box = text_box(candidate, self._measure)
            if not self.free(box, area):
                continue
            share = self.covered(box)
            if share <= most_covered and (best is None or share < best[0] - 1e-9):
                best = (share, candidate, box)
                if share == 0:
                    break
        if best is None:
            return None
        self.put(best[1])
        return best[2]

"""How a picture looks and speaks: its colours, its words, the widths of its texts, and the side it is read from.

A language that is read from the right mirrors the text blocks, never the chart; what stands in its texts without a
letter of its own (prices, symbols, percentages) is isolated, so that signs and digits keep their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from .advances import MeasureText, text_width
from .drawing import reads_from_the_right
from .theme import DARK, Theme
from .words import ENGLISH

_ISOLATE, _POP = "\u2066", "\u2069"
_NO_BREAK_SPACE = "\u00a0"
_MINUTE_MS = 60_000


class Look(NamedTuple):
    """What one layout needs to know besides its facts.

    ``words``: the table of ``words``, or a catalogue with the same keys. ``measure``: (text, size px, bold) -> width px
    of the fonts that will draw; the default knows Latin texts only, ``png.shaped_width`` knows all that are shaped.
    ``from_right``: the language is read from the right.
    """

    theme: Theme = DARK
    words: Mapping[str, str] = ENGLISH
    measure: MeasureText = text_width
    from_right: bool = False

    def say(self, key: str, /, **values: object) -> str:
        """Return the phrase ``key`` with ``values`` filled in.

        Raises: KeyError when the table lacks the key or the phrase a value: a missing text is a fault of the program.
        """
        return self.words[key].format(**{name: self.isolated(str(value)) for name, value in values.items()})

    def named(self, prefix: str, code: str) -> str:
        """Return the phrase for a code of an open set; the code itself when the table has none."""
        return self.words.get(f"{prefix}.{code}", code)

    def isolated(self, text: str) -> str:
        """Return a run such as ``−1.73%`` so that it reads the same inside a text that is read from the right."""
        if not self.from_right or not text or text.startswith(_ISOLATE) or reads_from_the_right(text):
            return text
        return _ISOLATE + text.replace(" ", _NO_BREAK_SPACE) + _POP

    def day(self, time: int) -> str:
        """Return the UTC day of ``time`` (ms), such as ``18 Nov``."""
        moment = _moment(time)
        return self.say("time.day", day=moment.day, month=self.words[f"month.{moment.month}"])

    def moment(self, time: int) -> str:
        """Return ``time`` (ms UTC), such as ``18 Nov 2025 06:30 UTC``."""
        at = _moment(time)
        month = self.words[f"month.{at.month}"]
        return self.say("time.moment", day=at.day, month=month, year=at.year, clock=clock_text(time))

    def span(self, milliseconds: int) -> str:
        """Return a length of time by its two largest units, such as ``3 h 20 m``."""
        minutes = milliseconds // _MINUTE_MS
        hours, days = minutes // 60, minutes // 1440
        if days:
            return self.say("time.days", days=days, hours=hours % 24)
        if hours:
            return self.say("time.hours", hours=hours, minutes=minutes % 60)
        return self.say("time.minutes", minutes=minutes)


def clock_text(time: int) -> str:
    """Return the UTC clock time of ``time`` (ms) as HH:MM, the same under every locale."""
    at = _moment(time)
    return f"{at.hour:02d}:{at.minute:02d}"


def _moment(time: int) -> datetime:
    return datetime.fromtimestamp(time / 1000, UTC)

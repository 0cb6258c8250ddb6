"""Says phrases of one table in one language; which phrase is due when is decided by whoever speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .catalogue import ENGLISH, plural_form, reads_from_the_right, translated
from .isolates import filled


class Speech(NamedTuple):
    """The words of one domain in one language."""

    words: Mapping[str, str]
    language: str = ENGLISH

    @classmethod
    def of(cls, domain: str, english: Mapping[str, str], language: str) -> Speech:
        """Return how ``domain`` speaks in ``language``. Raises: CatalogueError."""
        return cls(translated(domain, english, language), language)

    def say(self, key: str, /, **values: object) -> str:
        """Return the phrase ``key`` with ``values`` filled in, isolated where the language reads from the right.

        Raises: KeyError when the table lacks the key or the phrase a value: a missing text is a fault of the program.
        """
        phrase = self.words[key]
        return filled(phrase, values) if reads_from_the_right(self.language) else phrase.format(**values)

    def counted(self, key: str, number: int, /, **values: object) -> str:
        """Return the phrase ``key`` in the plural form of ``number``, which fills ``{count}``. Raises: KeyError."""
        return self.say(f"{key}.{plural_form(self.language, number)}", count=f"{number:,}", **values)

    def named(self, prefix: str, code: str) -> str:
        """Return the phrase for a code of an open set (a user's pattern or rule): its own words when it has none."""
        return self.words.get(f"{prefix}.{code}", code.replace("_", " "))

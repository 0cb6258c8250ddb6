"""Says a finished English sentence in another language: the edge where code and logs, which are English, meet a person.

The catalogue of sentences (``ar.sentences.po``) holds each with a name for every value. A sentence is matched against
them, most literal text first, and its values, translated too where they are phrases, are set into the translation.
A phrase of hardly any words, such as ``{what} in {column}``, counts only where each value is a word or a phrase itself.
"""

from __future__ import annotations

import functools
import re
import string
from typing import NamedTuple

from .catalogue import ENGLISH, texts_of
from .isolates import filled, isolated

DOMAIN = "sentences"
_AND_THEN, _AND_THEN_THERE = "; ", "؛ "
_OF, _MOST_PLACES = ": ", 3
_FEW_LETTERS = 10


class _Phrase(NamedTuple):
    pieces: tuple[str, ...]
    """The literal texts between the values."""
    pattern: str
    letters: int
    """How many letters the literal texts have."""
    translation: str


class _Match(NamedTuple):
    text: str
    letters: int
    """How many letters of the sentence the phrase itself has."""


def said_in(sentence: str, language: str) -> str:
    """Return ``sentence`` in ``language``; in English whole where the catalogue does not know it.

    Raises: CatalogueError when there is no such language.
    """
    if language == ENGLISH:
        return sentence
    return _said(sentence, language) or sentence


def _said(sentence: str, language: str) -> str | None:
    """Say a sentence by the phrase that leaves the least of it to values, whether or not a place stands before it."""
    whole, placed = _matched(sentence, language), _in_place(sentence, language)
    best = placed if whole is None or (placed is not None and placed.letters > whole.letters) else whole
    if best is not None:
        return best.text
    said = _one_after_the_other(sentence, language)
    if said is None and (loose := _matched(sentence, language, of_one=False)) is not None:
        return loose.text
    return said


def _matched(sentence: str, language: str, *, of_one: bool = True) -> _Match | None:
    """Say a sentence by the first phrase that fits; with ``of_one`` no unknown value may hold a second sentence."""
    for phrase in _phrases(language):
        if not all(piece in sentence for piece in phrase.pieces):
            continue
        found = _compiled(phrase.pattern).fullmatch(sentence)
        if found is None:
            continue
        known = {name: _said(value, language) for name, value in found.groupdict().items()}
        values = {name: known[name] or value for name, value in found.groupdict().items()}
        unknown = [value for name, value in values.items() if known[name] is None]
        if phrase.letters < _FEW_LETTERS and any(" " in value for value in unknown):
            continue
        if not (of_one and any(_AND_THEN in value for value in unknown)):
            return _Match(filled(phrase.translation, values, space=" "), phrase.letters)
    return None


def _in_place(sentence: str, language: str) -> _Match | None:
    """Say a sentence that begins with the place it is about, such as ``trading.toml:3 account.equity``."""
    parts = sentence.split(_OF)
    for n in range(1, min(len(parts), _MOST_PLACES + 1)):
        said = _matched(_OF.join(parts[n:]), language)
        if said is not None:
            return said._replace(text=f"{isolated(_OF.join(parts[:n]), space=' ')}{_OF}{said.text}")
    return None


def _one_after_the_other(sentence: str, language: str) -> str | None:
    """Say several sentences of one line, if all are known."""
    parts = sentence.split(_AND_THEN)
    said = [_matched(part, language) for part in parts] if len(parts) > 1 else []
    return _AND_THEN_THERE.join(one.text for one in said if one) if said and all(said) else None


@functools.cache
def _phrases(language: str) -> tuple[_Phrase, ...]:
    """Return the phrases of a catalogue, those with the most literal text first."""
    made = [_phrase(english, translation) for english, translation in texts_of(DOMAIN, language).items()]
    return tuple(sorted(made, key=lambda phrase: -sum(map(len, phrase.pieces))))


def _phrase(english: str, translation: str) -> _Phrase:
    parts = list(string.Formatter().parse(english))
    pattern = "".join(re.escape(literal) + (f"(?P<{name}>.*?)" if name else "") for literal, name, _, _ in parts)
    pieces = tuple(literal for literal, *_ in parts if literal)
    return _Phrase(pieces, pattern, sum(map(str.isalpha, "".join(pieces))), translation)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)

"""Gives each table of phrases in a language: the English table itself, or its translation out of a gettext catalogue.

A catalogue (``ar.po``) is what translators know: ``msgctxt`` is ``domain/key``, ``msgid`` the English phrase. A phrase
that counts has one key for each plural form (``trades.one``, ``trades.other``); the forms are those of the CLDR.
Texts that have no key, as they stand where they are used, lie in catalogues of their own (``ar.help.po``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .isolates import with_marks

ENGLISH = "en"
LANGUAGES = (ENGLISH, "ar")
PLURAL_FORMS: Mapping[str, tuple[str, ...]] = {
    ENGLISH: ("one", "other"),
    "ar": ("zero", "one", "two", "few", "many", "other"),
}
"""The forms in the order in which gettext numbers them."""

_READ_FROM_THE_RIGHT = frozenset({"ar"})
_FOLDER = Path(__file__).parent

_Entry = tuple[str | tuple[str, ...], tuple[str, ...]]
"""The English phrase of an entry (both forms, if it counts) and its translations."""


class CatalogueError(LookupError):
    """A language that has no catalogue."""


def reads_from_the_right(language: str) -> bool:
    """Tell whether ``language`` is written from right to left."""
    return language in _READ_FROM_THE_RIGHT


def translated(domain: str, english: Mapping[str, str], language: str) -> Mapping[str, str]:
    """Return the table ``english`` of ``domain`` in ``language``, under the same keys and every plural form.

    A phrase that the catalogue has not, or has for another English phrase, stays English: ``untranslated`` names it.
    Raises: CatalogueError when there is no such language.
    """
    if language == ENGLISH:
        return english
    messages = _messages(_known(language))
    words: dict[str, str] = {}
    for key, phrase in english.items():
        stem, form = stem_of(key, english)
        texts = _texts(messages.get(f"{domain}/{stem}"), english, key, language)
        if not form:
            words[key] = texts[0] if texts else phrase
        elif form == "other":  # one entry of the catalogue holds all forms
            forms = PLURAL_FORMS[language]
            words.update(zip((f"{stem}.{name}" for name in forms), texts or [phrase] * len(forms), strict=True))
    return words


def untranslated(domain: str, english: Mapping[str, str], language: str) -> list[str]:
    """Return the keys of ``english`` that have no translation of their phrase as it now is. Raises: CatalogueError."""
    messages = _messages(_known(language))
    return [
        key
        for key in english
        if not _texts(messages.get(f"{domain}/{stem_of(key, english)[0]}"), english, key, language)
    ]


def contexts(language: str) -> list[str]:
    """Return ``domain/key`` of every entry of a catalogue. Raises: CatalogueError."""
    return list(_messages(_known(language)))


@functools.cache
def texts_of(domain: str, language: str) -> Mapping[str, str]:
    """Return the translation of each English text of a domain whose texts have no key. Raises: CatalogueError."""
    return {
        str(message.id): with_marks(str(message.string))
        for message in _catalogue(f"{_known(language)}.{domain}.po", language)
        if message.id and message.string
    }


def stem_of(key: str, english: Mapping[str, str]) -> tuple[str, str]:
    """Return a key's stem and plural form; the key itself and nothing when its phrase does not count."""
    stem, _, form = key.rpartition(".")
    counts = form in PLURAL_FORMS[ENGLISH] and all(f"{stem}.{one}" in english for one in PLURAL_FORMS[ENGLISH])
    return (stem, form) if counts else (key, "")


def plural_form(language: str, count: int) -> str:
    """Return which plural form ``count`` takes. Raises: CatalogueError for an unknown language."""
    if language == ENGLISH:
        return "one" if abs(count) == 1 else "other"
    return str(_locale(_known(language)).plural_form(abs(count)))


def _known(language: str) -> str:
    if language not in LANGUAGES or language == ENGLISH:
        raise CatalogueError(f"expected a catalogue out of {' '.join(LANGUAGES[1:])}, was {language!r}; choose one")
    return language


def _texts(found: _Entry | None, english: Mapping[str, str], key: str, language: str) -> tuple[str, ...]:
    """Return the translations of an entry, none when it is not that of the English phrase or lacks a form."""
    stem, form = stem_of(key, english)
    wanted = (english[f"{stem}.one"], english[f"{stem}.other"]) if form else english[key]
    if found is None or found[0] != wanted or not all(found[1]):
        return ()
    return found[1] if len(found[1]) == (len(PLURAL_FORMS[language]) if form else 1) else ()


@functools.cache
def _locale(language: str) -> Any:
    from babel import Locale  # noqa: PLC0415  English needs none of it

    return Locale.parse(language)


@functools.cache
def _messages(language: str) -> Mapping[str, _Entry]:
    """Return each entry of a catalogue by its context."""
    messages = {}
    for message in _catalogue(f"{language}.po", language):
        if message.context:
            texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            msgid = message.id if isinstance(message.id, str) else tuple(message.id)
            messages[message.context] = (msgid, tuple(with_marks(text or "") for text in texts))
    return messages


def _catalogue(name: str, language: str) -> Any:
    from babel.messages.pofile import read_po  # noqa: PLC0415  English needs none of it

    with (_FOLDER / name).open("rb") as file:
        return read_po(file, locale=language)

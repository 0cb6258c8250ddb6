"""Joins the tables of phrases with their catalogues: how pictures, reports and notes look and speak in a language."""

from __future__ import annotations

from collections.abc import Mapping

from trading_system.charts import words
from trading_system.charts.look import Look
from trading_system.charts.theme import DARK, Theme
from trading_system.languages.catalogue import ENGLISH, reads_from_the_right, translated


def look_in(language: str, theme: Theme = DARK) -> Look:
    """Return how pictures look in ``language``. Raises: CatalogueError."""
    if language == ENGLISH:
        return Look(theme=theme)
    from trading_system.charts.png import shaped_width  # noqa: PLC0415  loads Pillow

    table = translated("pictures", words.ENGLISH, language)
    return Look(theme, table, shaped_width, from_right=reads_from_the_right(language))


def report_in(language: str) -> Mapping[str, str]:
    """Return the words of a report in ``language``. Raises: CatalogueError."""
    from trading_system.research import report_words  # noqa: PLC0415  only a report needs them

    return translated("report", report_words.ENGLISH, language)

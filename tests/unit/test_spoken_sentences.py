"""What the code says in English of errors, checks and waits is said in every language, with the same values."""

from __future__ import annotations

import errno
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
from source_sentences import phrases

from trading_system.known_errors import sentence_of
from trading_system.languages.catalogue import LANGUAGES, CatalogueError, texts_of
from trading_system.languages.isolates import ISOLATE, POP
from trading_system.languages.sentences import DOMAIN, said_in
from trading_system.research.history_error import HistoryError
from trading_system.settings import SettingsError

OTHERS = LANGUAGES[1:]
PHRASES = phrases()


def shown(text: str) -> str:
    return text.replace(ISOLATE, "⟦").replace(POP, "⟧")


def values_of(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


def outside_isolates(text: str) -> str:
    return re.sub(f"{ISOLATE}[^{POP}]*{POP}", "", text)


def entry(phrase: str) -> str:
    """A phrase as a translator adds it to the catalogue."""
    escaped = phrase.replace("\\", "\\\\").replace('"', '\\"')
    return f'\nmsgid "{escaped}"\nmsgstr ""\n'


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_of_the_source_is_translated(language: str) -> None:
    have = texts_of(DOMAIN, language)
    missing = [entry(phrase.text) for phrase in PHRASES if phrase.needed and phrase.text not in have]
    assert missing == [], f"add to ar.sentences.po:{''.join(missing)}"


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_translated_that_nobody_says_any_more(language: str) -> None:
    assert sorted(set(texts_of(DOMAIN, language)) - {phrase.text for phrase in PHRASES}) == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translated_sentence_has_the_values_of_its_english_and_keeps_latin_letters_in_order(language: str) -> None:
    for english, said in texts_of(DOMAIN, language).items():
        assert values_of(english) - {"article"} == values_of(said), english
        assert said.count(ISOLATE) == said.count(POP), english
        left = "".join(part[0] for part in string.Formatter().parse(outside_isolates(said)))
        assert not re.search(r"[A-Za-z⟦⟧\u0660-\u0669]", left), english


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_with_values_in_it_is_recognised(language: str) -> None:
    for english in texts_of(DOMAIN, language):
        names = sorted(values_of(english))
        said = said_in(english.format(**{name: f"V{n}" for n, name in enumerate(names)}), language)
        assert re.search(r"[\u0621-\u064a]", said), english
        if "article" not in names:
            assert all(f"V{n}" in said for n in range(len(names))), f"{english}: {said}"
        assert not re.search(r"[A-Za-z]", outside_isolates(said)), f"{english}: {said}"


def test_the_source_is_followed_through_names_choices_functions_and_classes() -> None:
    found = {phrase.text for phrase in PHRASES}
    assert {
        "{where}: expected {expected}, was {was}; {remedy}",  # the class writes it
        "copy or download it again",  # a constant of a module
        "a finite {name}",  # what a function returns
        "two rows stand in one line: put a line end between them",  # one side of a choice
        "a number of ATR, 0 or more",  # a row of a table that is looped over
        "the first candles of its history",  # a function that is a speaker itself
        "{path}: expected a file, was a folder; name the file",
    } <= found
    assert not any(text.startswith(("chmod ", "make setup")) for text in found)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        (
            str(HistoryError(Path("a/b.csv"), "a finite high", "nan", "mend or drop the row", 9)),
            "⟦a/b.csv⟧، الصف 9: المتوقع قيمة منتهية لـ ⟦high⟧، والموجود ⟦nan⟧؛ أصلح الصف أو احذفه",
        ),
        (
            str(SettingsError("trading.toml:2 account.equity: expected greater than 0, was -1", "x")),
            (
                "⟦trading.toml:2 account.equity⟧: المتوقع أكبر من 0، والموجود ⟦-1⟧ "
                "(وغيرها 1: شغّل ⟦`trading-system config check`⟧)"
            ),
        ),
        (
            (
                "--set symbols: expected a symbol of capital letters and digits (A-Z, 0-9, _) such as BTCUSDT, was "
                "'btc'; symbols of other scripts cannot be traded here yet"
            ),
            (
                "⟦--set symbols⟧: المتوقع رمز من حروف كبيرة وأرقام (⟦A-Z, 0-9, _⟧) مثل ⟦BTCUSDT⟧، والموجود ⟦'btc'⟧؛ "
                "الرموز بخطوط أخرى لا تُتداول هنا بعد"
            ),
        ),
        (
            "mine.toml:3 account.leverge: no such setting; did you mean account.leverage?",
            "⟦mine.toml:3 account.leverge⟧: لا يوجد إعداد كهذا؛ هل تقصد ⟦account.leverage⟧؟",
        ),
        (
            sentence_of(FileNotFoundError(errno.ENOENT, "none", "no such folder/b")),
            "⟦no such folder⟧: المتوقع مجلد، ولا شيء في هذا المسار؛ اصنعه بـ ⟦`mkdir -p no such folder`⟧",
        ),
        (
            "BTCUSDT to reach its entry 61000.5 until 2025-01-02 10:00; the 15m candles that close at 2025-01-01 00:15",
            "أن يبلغ ⟦BTCUSDT⟧ سعر دخوله 61000.5 حتى ⟦2025-01-02 10:00⟧؛ شموع ⟦15m⟧ التي تُغلق في ⟦2025-01-01 00:15⟧",
        ),
        ("No such command 'statu'. Did you mean 'status'?", "لا يوجد أمر اسمه ⟦'statu'⟧. هل تقصد ⟦'status'⟧؟"),
    ],
)
def test_a_sentence_is_said_in_arabic_with_its_values_isolated_and_fit_to_be_copied(sentence: str, said: str) -> None:
    assert shown(said_in(sentence, "ar")) == said


@pytest.mark.parametrize(
    "sentence",
    ["Unknown order sent in a hurry.", "[Errno 5] Input/output error: 'a'", "-2011: no such thing in the book", ""],
)
def test_a_sentence_that_is_not_known_stays_english_whole(sentence: str) -> None:
    assert said_in(sentence, "ar") == sentence


def test_english_is_said_as_it_is_and_an_unknown_language_is_refused() -> None:
    assert said_in("a file", "en") == "a file"
    with pytest.raises(CatalogueError, match="was 'fr'"):
        said_in("a file", "fr")


def test_an_english_error_loads_no_catalogue(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['trading-system', 'chart'];"
        "from trading_system.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'babel' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
